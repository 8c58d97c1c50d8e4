"""`pair`: prompts with several answers become pairs of a better and a worse one, each for a reason that can be checked.

Reads rows of every dialect of preferences (labelled, scored, ranked, compared, in trees, verdicts), and answers of
several rows or files to the same prompts; writes pairs (`--to dpo`, `rm`), verdicts (`kto`) or any other dialect of
preferences. Which answer is better is said by labels, scores, ranks or votes, never by their order; ties never pair.

Score (worker processes): answers become columns, their texts go to a file beside the output. Decide (NumPy, in memory):
`ops/preference/decision.py`. Apply: pairs are put together from the file and written. The same contents and seed give
the same pairs, whatever the order of the input and the number of workers. Every answer is in a pair, or unused for a
named reason.

Cost: 200,000 prompts with 4 answers in 15 s on 2 cores; about 0.5 KB of memory an answer; disk for the texts.
CLI: `dataforge pair ultrafeedback.jsonl --score mean --strategy best-worst --min-margin 1 --to dpo -o pairs.jsonl`
Python: `dataforge.pair("ranked.jsonl", "pairs.jsonl", strategy="adjacent").data["pairs"]`
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dataforge.config import RunOptions, check, option
from dataforge.engine.batch import Batch, Note
from dataforge.engine.plan import plan_result
from dataforge.engine.pool import run_ordered
from dataforge.engine.run import Part, Run
from dataforge.errors import RowError, UsageError, did_you_mean
from dataforge.formats.spelling import Spelling
from dataforge.io.chunks import CHUNK_BYTES, Chunk
from dataforge.ledger import ERROR, KEPT, UNUSED, Result
from dataforge.ops.preference.account import account_of, told
from dataforge.ops.preference.decision import decide
from dataforge.ops.preference.options import SourceOptions
from dataforge.ops.preference.scored import put_scores, refuse_scores
from dataforge.ops.preference.spool import Spool
from dataforge.ops.preference.strategy import BY, STRATEGIES, Decided, Strategy
from dataforge.ops.preference.strategy import UNUSED as REASONS
from dataforge.ops.preference.table import Table
from dataforge.ops.preference.writing import Places, pair_lines
from dataforge.ops.rows import TABLES
from dataforge.registry import DIALECTS, TARGETS, Operation, load_dialect

__all__ = ["OPERATION", "PairConfig", "pair"]

VERDICTS = ("trl-unpaired", "sharegpt-kto", "alpaca-kto")
"""Dialects of single answers with a verdict."""
PAIRED, UNPAIRED = "trl-preference", "trl-unpaired"
SHOWN = 10


@dataclass(frozen=True)
class PairConfig:
    """Settings of pair."""

    to: str = option("dpo", help="dialect of the pairs: dpo, rm, kto, or any other that carries preferences")
    strategy: str = option("best-worst", help="which answers of a prompt become pairs", choices=STRATEGIES)
    by: str = option("auto", help="what says which answer is better (auto: the first that tells two apart)", choices=BY)
    score: str = option(
        "auto", help="the score: overall, mean (of the ratings), one rating's name, or arithmetic over them"
    )
    rank_best: str | None = option(
        None, help="which rank is the best, where the dialect does not say it", choices=("low", "high")
    )
    rank: str = option("rank", help="the key of ranks, where the dialect leaves them alone")
    by_score: str | None = option(
        None, help="a column of score tables (`dataforge score`) that is the score; for rows of one answer"
    )
    group_by: str | None = option(None, help="what joins answers of several rows: prompt, or a column of the rows")
    tree_roles: str = option("assistant", help="whose replies in a tree are answers", choices=("assistant", "all"))
    min_margin: float = option(0.0, help="least difference between chosen and rejected", minimum=0.0)
    min_chosen_score: float | None = option(None, help="least score of a chosen answer")
    high: float | None = option(None, help="threshold strategy: chosen answers score at least this")
    low: float | None = option(None, help="threshold strategy: rejected answers score at most this")
    max_pairs_per_prompt: int | None = option(None, help="most pairs of one prompt, widest margins first", minimum=1)
    max_length_ratio: float | None = option(None, help="longest over shortest answer of a pair, at most", minimum=1.0)
    balance_length: bool = option(
        False, help="make the chosen answer longer as often as the rejected one, by other or fewer pairs"
    )

    def __post_init__(self) -> None:
        check(self)
        if (self.strategy == "threshold") != (self.high is not None or self.low is not None):
            raise UsageError("--strategy threshold and --high, --low go together", help="--high 4 --low 2")
        if self.strategy == "threshold" and (self.high is None or self.low is None or self.low >= self.high):
            raise UsageError("--strategy threshold needs --high and a smaller --low", help="--high 4 --low 2")
        if self.by_score is not None and self.by not in ("auto", "score"):
            raise UsageError(f"--by {self.by} and --by-score say two things of what is better", help="give one of them")
        self.sources()
        if self.target not in DIALECTS:
            raise UsageError(f"--to {self.to!r} is no dialect", help=did_you_mean(self.to, [*TARGETS, *DIALECTS]))
        if self.target in VERDICTS and self.strategy in ("adjacent", "all"):
            raise UsageError(
                f"--to {self.to}: with --strategy {self.strategy} one answer is both wanted and not",
                help="use best-worst, best-random, best-vs-all or threshold",
            )

    @property
    def target(self) -> str:
        """The dialect that `to` names."""
        return TARGETS.get(self.to, self.to)

    def sources(self) -> SourceOptions:
        """How rows are understood."""
        return SourceOptions(
            score=self.score,
            rank_best=self.rank_best,
            group_by=self.group_by,
            tree_roles=self.tree_roles,
            score_column=self.by_score,
            rank=self.rank,
        )

    def strategy_of(self, seed: int) -> Strategy:
        """What the decision is asked."""
        return Strategy(
            self.strategy,
            "score" if self.by_score is not None else self.by,
            self.min_margin,
            self.min_chosen_score,
            self.max_pairs_per_prompt,
            self.max_length_ratio,
            self.balance_length,
            self.high,
            self.low,
            seed,
        )


def pair(inputs: tuple[str, ...], output: str | None, config: PairConfig, options: RunOptions) -> Result:
    """Make pairs; the Result's `data` has the numbers of answers, pairs and reasons."""
    run = Run("pair", inputs, output, options)
    if run.output.container in (*TABLES, "txt"):
        raise UsageError(f"-o: pairs have no place in .{run.output.container}", help="write .jsonl, .json or .parquet")
    refuse_target(config)
    if config.by_score is not None:
        refuse_scores(config.by_score, run.sources)
    if options.dry_run:
        return plan_result(run, f"make pairs ({config.strategy}) as {config.to}")
    with run, tempfile.TemporaryDirectory(prefix="dataforge-", dir=run.output.partial) as folder:
        spool = Spool(Path(folder) / "texts")
        try:
            return _pair(run, spool, config)
        finally:
            spool.remove()


def refuse_target(config: PairConfig) -> None:
    """Raise UsageError for a dialect that has no place for pairs, scored or not, before anything is read."""
    row: dict[str, Any] = {"prompt": [{"role": "user", "content": "Q"}]}
    good, bad = ([{"role": "assistant", "content": text}] for text in "AB")
    neutral = UNPAIRED if config.target in VERDICTS else PAIRED
    row |= {"completion": good, "label": True} if neutral == UNPAIRED else {"chosen": good, "rejected": bad}
    why = ""
    for scores in ({}, {"score_chosen": 2.0, "score_rejected": 1.0}):
        try:
            load_dialect(config.target).write(load_dialect(neutral).read(row | scores, Spelling()), Spelling())
            return
        except RowError as fault:
            why = why or fault.message
    raise UsageError(f"--to {config.to}: {why}", help="dpo, rm, kto, or another dialect of preferences")


def _pair(run: Run, spool: Spool, config: PairConfig) -> Result:
    parts = []
    for part in run.parts("choices", {"sources": asdict(config.sources())}):
        spool.take(part)
        parts.append(part)
    spool.close()
    table, entry_of = spool.table()
    lost = {} if config.by_score is None else _scored(run, parts, table, config.by_score)
    decided = decide(table, config.strategy_of(run.options.seed))
    verdicts = config.target in VERDICTS
    places = Places([source.name for source in run.sources], parts)
    made = pair_lines(spool, table, decided, places, verdicts=verdicts)
    rows_out = 0
    refused: dict[int, Note] = {}
    for lines in _written(run, made, config.target, refused, verdicts=verdicts):
        run.output.write(lines)
        rows_out += lines.count(b"\n")
    decided = _without(run, decided, refused, table, places, verdicts=verdicts)
    _settle(run, parts, spool, table, entry_of, decided, config.target, verdicts=verdicts)
    extra = {"pairs": account_of(table, decided, run.stats, verdicts=verdicts)}
    extra["pairs"]["lost_scores"] |= lost
    result = run.finish(config, rows_out=rows_out, extra=extra, data=extra["pairs"])
    result.lines += told(extra["pairs"])
    if not len(decided.chosen):
        result.shortfall = "no pair was made; the reasons stand beside the answers that were not used"
        result.problems.append(result.shortfall)
    return result


def _scored(run: Run, parts: list[Part], table: Table, column: str) -> dict[str, int]:
    """Make a column of score tables the score of the answers; how many have none, by reason."""
    rows = [0] * len(run.sources)
    for part in parts:
        rows[part.rows.source] += len(part.rows)
    return put_scores(table, column, run.sources, rows, limited=run.options.limit is not None)


def _written(
    run: Run, lines: Iterator[bytes], target: str, refused: dict[int, Note], *, verdicts: bool
) -> Iterator[bytes]:
    """The rows of the output as encoded lines, a block at a time; `refused` gets pairs that the target cannot carry.

    Both rows of a pair of verdicts have the same prompt and kind of answer; a pair of which one is refused is faulty
    whatever `on_error` says, since its other row would stand alone.
    """
    neutral = UNPAIRED if verdicts else PAIRED
    blocks = _blocks(lines)
    if target == neutral:
        yield from blocks
        return
    options = {"to": target, "from": neutral, "encode": "jsonl"}
    chunks = (Chunk(0, "lines", 1, len(block), data=block) for block in blocks)
    first = 0
    for _, result in run_ordered("rows", options, chunks, workers=run.workers, small=CHUNK_BYTES):
        for note in result.notes:
            if note.fate == ERROR:
                number = (first + note.row) // (2 if verdicts else 1)
                refused[number] = note
                if run.options.on_error == "stop" or verdicts:
                    return
        first += result.n_in
        yield result.out


def _without(
    run: Run, decided: Decided, refused: dict[int, Note], table: Table, places: Places, *, verdicts: bool
) -> Decided:
    """The pairs that were written. Under `on_error="stop"` (and for verdicts) a refused one is a RowError."""
    if not refused:
        return decided
    for number, note in refused.items():
        row = int(table.row[decided.chosen[number]])
        source = run.sources[int(places.sources[row])].place
        fault = RowError(note.rule, note.detail, path=note.path).at(source, int(places.lines[row]))
        if run.options.on_error == "stop" or verdicts:
            fault.help = "--to dpo carries all pairs"
            fault.help += "" if verdicts else "; --on-error reject leaves such pairs out"
            raise fault
        if len(run.problems) < SHOWN:
            run.problems.append(str(fault))
    stays = np.ones(len(decided.chosen), bool)
    stays[list(refused)] = False
    chosen, rejected = decided.chosen[stays], decided.rejected[stays]
    lost = np.append(decided.chosen[~stays], decided.rejected[~stays])
    decided.unused[np.setdiff1d(lost, np.append(chosen, rejected))] = REASONS.index("not_representable")
    report = {**decided.report, "not_representable": len(refused)}
    return Decided(chosen, rejected, decided.margin[stays], decided.by[stays], decided.unused, report)


def _blocks(lines: Iterator[bytes]) -> Iterator[bytes]:
    held: list[bytes] = []
    size = 0
    for line in lines:
        held.append(line)
        size += len(line)
        if size >= CHUNK_BYTES:
            yield b"".join(held)
            held, size = [], 0
    if held:
        yield b"".join(held)


def _settle(
    run: Run,
    parts: list[Part],
    spool: Spool,
    table: Table,
    entry_of: NDArray[np.int64],
    decided: Decided,
    target: str,
    *,
    verdicts: bool,
) -> None:
    """Give every input row its fate: kept with its pairs, kept as the rejected side of others' pairs, or unused."""
    total = sum(len(part.rows) for part in parts)
    out = np.bincount(table.row[decided.chosen], minlength=total)
    used = np.zeros(total, bool)
    used[table.row[decided.chosen]] = used[table.row[decided.rejected]] = True
    if verdicts:
        out = out + np.bincount(table.row[decided.rejected], minlength=total)
    row_of = spool.choice_row[spool.entry_choice]
    reason = np.zeros(total, np.uint8)
    codes = decided.unused[entry_of]
    some = codes > 0
    np.maximum.at(reason, row_of[some], codes[some])
    used[row_of[codes == 0]] = True  # the same answer to the same prompt, merged into one that is used
    first = 0
    for part in parts:
        rows = part.rows
        here = slice(first, first + len(rows))
        first += len(rows)
        open_rows = rows.fates == KEPT
        rows.n_out[open_rows] = out[here][open_rows]
        side = open_rows & used[here] & (out[here] == 0)
        if side.any():
            rows.mark(side, KEPT, "as_rejected")
        idle = open_rows & ~used[here]
        for code in np.unique(reason[here][idle]):
            if REASONS[code] == "not_representable":
                _reject(run, part, np.flatnonzero(idle & (reason[here] == code)), target)
                continue
            rows.mark(idle & (reason[here] == code), UNUSED, REASONS[code] or "no_candidates")
        run.settle(part)


def _reject(run: Run, part: Part, numbers: NDArray[np.int64], target: str) -> None:
    """Put rows into the rejects of which no pair could be written."""
    batch = Batch(part.chunk)
    for row in numbers.tolist():
        detail = "none of its pairs has a place in the dialect"
        line = int(part.rows.lines[row])
        run.note(part, Note(row, line, ERROR, f"not_representable:{target}", 0, detail, raw=batch.raw(row)), ends=False)


OPERATION = Operation(
    name="pair",
    config=PairConfig,
    run=pair,
    options=("workers", "on_error", "force", "dry_run", "limit", "seed", "json", "quiet", "forge"),
)
