"""`pair`: prompts with several answers become pairs of a better and a worse one, each for a reason that can be checked.

Reads rows of every dialect of preferences (labelled, scored, ranked, compared, in trees, verdicts), and answers of
several rows or files to the same prompts; writes pairs (`--to dpo`, `rm`), verdicts (`kto`) or any other dialect of
preferences. Which answer is better is said by labels, scores, ranks or votes, never by their order; ties never pair.

Score (worker processes): answers become columns, their texts go to a file beside the output. Decide (NumPy, in memory):
`ops/preference/decision.py`. Apply: pairs are put together from the file and written. The same contents and seed give
the same pairs, whatever the order of the input and the number of workers. Every answer is in a pair, or unused for a
named reason.

Cost: 200,000 prompts with 4 answers in about 20 s on 2 cores; 150 bytes of memory an answer; disk for the texts.
CLI: `dataforge pair ultrafeedback.jsonl --score mean --strategy best-worst --min-margin 1 --to dpo -o pairs.jsonl`
Python: `dataforge.pair("ranked.jsonl", "pairs.jsonl", strategy="adjacent").data["pairs"]`
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dataforge.config import RunOptions, check, option
from dataforge.engine.plan import plan_result
from dataforge.engine.pool import run_ordered
from dataforge.engine.run import Part, Run
from dataforge.errors import UsageError
from dataforge.io.chunks import CHUNK_BYTES, Chunk
from dataforge.ledger import ERROR, KEPT, UNUSED, Result
from dataforge.ops.preference.decision import decide
from dataforge.ops.preference.options import SourceOptions
from dataforge.ops.preference.spool import Spool
from dataforge.ops.preference.strategy import BY, STRATEGIES, Decided, Strategy
from dataforge.ops.preference.strategy import UNUSED as REASONS
from dataforge.ops.preference.table import Table
from dataforge.ops.preference.writing import Places, pair_lines
from dataforge.ops.rows import TABLES
from dataforge.registry import TARGETS, Operation

__all__ = ["OPERATION", "PairConfig", "pair"]

VERDICTS = ("trl-unpaired", "sharegpt-kto", "alpaca-kto")
"""Dialects of single answers with a verdict."""
PAIRED, UNPAIRED = "trl-preference", "trl-unpaired"


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
            score=self.score, rank_best=self.rank_best, group_by=self.group_by, tree_roles=self.tree_roles
        )

    def strategy_of(self, seed: int) -> Strategy:
        """What the decision is asked."""
        return Strategy(
            self.strategy,
            self.by,
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
    if options.dry_run:
        return plan_result(run, f"make pairs ({config.strategy}) as {config.to}")
    with run, tempfile.TemporaryDirectory(prefix="dataforge-", dir=run.output.partial) as folder:
        spool = Spool(Path(folder) / "texts")
        try:
            return _pair(run, spool, config)
        finally:
            spool.remove()


def _pair(run: Run, spool: Spool, config: PairConfig) -> Result:
    parts = []
    for part in run.parts("choices", {"sources": asdict(config.sources())}):
        spool.take(part)
        parts.append(part)
    spool.close()
    table, entry_of = spool.table()
    decided = decide(table, config.strategy_of(run.options.seed))
    verdicts = config.target in VERDICTS
    places = Places([source.name for source in run.sources], parts)
    made = pair_lines(spool, table, decided, places, verdicts=verdicts)
    rows_out = 0
    for lines in _written(run, made, config.target, verdicts=verdicts):
        run.output.write(lines)
        rows_out += lines.count(b"\n")
    _settle(run, parts, spool, table, entry_of, decided, verdicts=verdicts)
    extra = {"pairs": _account(table, decided, run, verdicts=verdicts)}
    result = run.finish(config, rows_out=rows_out, extra=extra, data=extra["pairs"])
    result.lines += _told(extra["pairs"])
    return result


def _written(run: Run, lines: Iterator[bytes], target: str, *, verdicts: bool) -> Iterator[bytes]:
    """The rows of the output as encoded lines, a block at a time."""
    neutral = UNPAIRED if verdicts else PAIRED
    blocks = _blocks(lines)
    if target == neutral:
        yield from blocks
        return
    options = {"to": target, "from": neutral, "encode": "jsonl"}
    chunks = (Chunk(0, "lines", 1, len(block), data=block) for block in blocks)
    for _, result in run_ordered("rows", options, chunks, workers=run.workers, small=CHUNK_BYTES):
        for note in result.notes:
            if note.fate == ERROR:
                raise UsageError(
                    f"--to {target}: {note.detail}",
                    place=f"pair {note.raw!r:.60}",
                    help="use --to dpo, which carries all",
                )
        yield result.out


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
            rows.mark(idle & (reason[here] == code), UNUSED, REASONS[code] or "no_candidates")
        run.settle(part)


def _account(table: Table, decided: Decided, run: Run, *, verdicts: bool) -> dict[str, Any]:
    """The numbers of a run: answers by use, pairs, what decided, lengths; of verdicts the balance of classes."""
    codes = Counter(REASONS[code] or "used" for code in decided.unused.tolist())
    account: dict[str, Any] = {
        "prompts": table.groups,
        "answers": len(table),
        "pairs": len(decided.chosen),
        "answers_by_use": dict(sorted(codes.items())),
        "by": {BY[code]: int(count) for code, count in zip(*np.unique(decided.by, return_counts=True), strict=True)},
        "lost_scores": {k[5:]: v for k, v in sorted(run.stats.items()) if k.startswith("lost:")},
        **decided.report,
    }
    if verdicts:
        account["verdicts"] = {"wanted": len(decided.chosen), "unwanted": len(decided.rejected)}
    return account


def _told(account: dict[str, Any]) -> list[str]:
    """What people read of the account."""
    unused = {name: count for name, count in account["answers_by_use"].items() if name != "used"}
    listed = ", ".join(f"{name} {count:,}" for name, count in unused.items())
    used = account["answers_by_use"].get("used", 0)
    lines = [
        f"  {account['pairs']:,} pairs of {account['prompts']:,} prompts; {used:,} of {account['answers']:,} answers used"
        + (f", unused: {listed}" if listed else "")
    ]
    lost = account["lost_scores"]
    if lost:
        lines.append("  scores that are no numbers: " + ", ".join(f"{name} {count:,}" for name, count in lost.items()))
    return lines


OPERATION = Operation(
    name="pair",
    config=PairConfig,
    run=pair,
    options=("workers", "on_error", "force", "dry_run", "limit", "seed", "json", "quiet", "forge"),
)
