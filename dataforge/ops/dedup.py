"""`dedup`: of each group of equal or nearly equal rows one stays.

    --method exact    rows of the same normalised text (or the same prompt, or answer) are duplicates
    --method minhash  so are rows whose shingle sets have a Jaccard similarity of at least --threshold

Score: a key, and for minhash a signature, of every row (in worker processes). Decide: `duplicates/decision.py`. Apply:
a last pass copies the rows that stay, as they stand. The ledger names the keeper of every dropped row, with the
estimated and the exact similarity. The result's `decision` can be asked. Two rows of different dialects are equal if
they hold the same conversation. Of equally good rows the earlier stays, so inputs are given in the order of priority.

--save-scores writes the signatures beside each input (`IN.scores/minhash/`), and --from-scores decides again from them.
--index compares with all rows that went into the index before, and adds those that stay (`duplicates/index.py`).

Cost: two or three passes over the input; 150 bytes of memory a row for exact, 300 for minhash.
CLI: `dataforge dedup chat.jsonl -o unique.jsonl --method minhash --threshold 0.8`
Python: `dataforge.dedup("chat.jsonl", output="unique.jsonl").counts.dropped`
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dataforge.config import RunOptions, check, option
from dataforge.engine.copying import copied
from dataforge.engine.plan import plan_result
from dataforge.engine.run import Part, Run
from dataforge.errors import UsageError
from dataforge.ledger import DROPPED, KEPT, Result
from dataforge.ops.duplicates.decision import EXACT, NEAR, Decision, Table, decide, find_candidates, representatives
from dataforge.ops.duplicates.keys import FIELDS, KEY, NORMALISE
from dataforge.ops.rows import DROP, FAULTY, STAY, TABLES
from dataforge.registry import Operation

__all__ = ["KEY", "OPERATION", "DedupConfig", "dedup", "first_of_each", "refuse_tables"]

LEDGER = {"cluster": "int64", "estimate": "float32", "similarity": "float32"}
"""Columns of the ledger: the row number (over all inputs) of the keeper, for all rows of its cluster; how alike."""


@dataclass(frozen=True)
class DedupConfig:
    """Settings of dedup."""

    method: str = option("exact", help="what counts as a duplicate", choices=("exact", "minhash"))
    threshold: float = option(
        0.8, help="Jaccard similarity from which rows are duplicates (minhash)", minimum=0.05, maximum=1
    )
    fields: str = option(
        "all", help="what is compared: the whole row, what comes before the last answer, or it", choices=FIELDS
    )
    normalise: str = option(
        "spaces",
        help="before comparing keys: nothing; white space and Unicode composition made equal; letters and digits only",
        choices=NORMALISE,
    )
    keep: str = option("first", help="which row of a group stays: first, longest, or best:COLUMN (the highest score)")
    within: bool = option(False, help="compare rows of the same input only")
    across: bool = option(False, help="compare rows of different inputs only")
    permutations: int = option(128, help="length of a signature (minhash)", minimum=16, maximum=4096)
    ngram: int = option(
        5,
        help="shingle: so many words, or characters of a script without spaces, in a row",
        unit="terms",
        minimum=1,
        maximum=64,
    )
    no_verify: bool = option(False, help="trust the signatures; do not compare the shingles of candidates")
    index: str | None = option(None, help="folder of an index to compare with, and to add to", path=True)
    save_scores: bool = option(False, help="write the signatures beside the input, for --from-scores")
    from_scores: bool = option(False, help="use the signatures beside the input instead of making them")

    def __post_init__(self) -> None:
        check(self)
        if self.within and self.across:
            raise UsageError("--within and --across exclude each other", help="leave both out to compare all rows")
        if self.keep not in ("first", "longest") and not self.keep.startswith("best:"):
            raise UsageError(f"--keep: {self.keep!r} is not first, longest or best:COLUMN", help="e.g. best:n_chars")
        if self.method == "exact":
            for name in ("no_verify", "index", "save_scores", "from_scores"):
                if getattr(self, name):
                    raise UsageError(f"--{name.replace('_', '-')} needs --method minhash")

    @property
    def scope(self) -> str:
        """Which rows are compared (`decision.SCOPES`)."""
        return "within" if self.within else "across" if self.across else "all"


def first_of_each(keys: NDArray[Any]) -> NDArray[np.int64]:
    """For every key the index of its first occurrence (its own index if it is the first)."""
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    return first[inverse].astype(np.int64)


def dedup(inputs: tuple[str, ...], output: str | None, config: DedupConfig, options: RunOptions) -> Result:
    """Drop duplicates; faulty rows are errors, as in every command. The result's `decision` can be asked."""
    run = Run("dedup", inputs, output, options, ledger=LEDGER)
    refuse_tables(run)
    _require_beside(run, config)
    if options.dry_run:
        return plan_result(run, "drop duplicate rows")
    with run:
        run.spool()
        if config.method == "minhash":
            from dataforge.ops.duplicates.search import Near

            with Near(run, config) as near:
                parts, decision = near.decide()
                return _apply(run, config, parts, decision, near)
        parts = [emptied(part) for part in run.parts("fingerprint", fingerprint_options(config))]
        table = table_of(run, parts, config)
        home = representatives(table, config.scope)
        candidates = find_candidates(table, home, config.scope)
        decision = decide(table, home, candidates, 1.0, scope=config.scope, verify=True)
        return _apply(run, config, parts, decision, None)


def _require_beside(run: Run, config: DedupConfig) -> None:
    """Raise UsageError or InputError if what lies beside the inputs is asked for, and is not or cannot be there."""
    from dataforge.ops.duplicates.keeping import require_scores

    require_scores(config.keep, run.sources)
    if config.save_scores or config.from_scores:
        from dataforge.ops.scores.table import folder_of

        for source in run.sources:
            folder_of(source)


def fingerprint_options(config: DedupConfig) -> dict[str, Any]:
    """The options of the task that makes keys."""
    chars = config.keep == "longest"
    return {"fields": config.fields, "normalise": config.normalise, "chars": chars, "ends": True}


def emptied(part: Part) -> Part:
    """The part without its rows: of tables and packed files a chunk holds them itself."""
    part.chunk.data = None
    return part


def table_of(run: Run, parts: list[Part], config: DedupConfig, bands: int = 0) -> Table:
    """The columns of all rows; the payloads of the parts are taken from them."""
    from dataforge.ops.duplicates.keeping import rank

    def column(name: str, dtype: Any) -> NDArray[Any]:
        return np.frombuffer(b"".join(part.result.payload.pop(name, b"") for part in parts), dtype)

    keys, n = column("keys", KEY), sum(len(part.rows) for part in parts)
    source = np.repeat(np.array([p.rows.source for p in parts], np.int32), [len(p.rows) for p in parts])
    ordinal = [np.arange(part.rows.first, part.rows.first + len(part.rows)) for part in parts]
    sound = [part.rows.fates == KEPT for part in parts]
    shingles = column("shingles", np.int64) if bands else np.zeros(n, np.int64)
    return Table(
        keys=keys,
        bands=column("bands", np.uint64).reshape(n, bands),
        source=source,
        ordinal=np.concatenate(ordinal) if parts else np.zeros(0, np.int64),
        sound=np.concatenate(sound) if parts else np.zeros(0, bool),
        worded=shingles > 0,
        order=rank(config.keep, run.sources, source, column("chars", np.int64)),
        names=[source.name for source in run.sources],
    )


def _apply(run: Run, config: DedupConfig, parts: list[Part], decision: Decision, near: Any) -> Result:
    """Write the rows that stay, and say in the ledger what became of the others."""
    starts = np.cumsum([0, *(len(part.rows) for part in parts)])
    exact, cluster = decision.exact, decision.cluster
    keep = [_mark(part, decision, exact, cluster, int(start)) for part, start in zip(parts, starts, strict=False)]
    rows_out = 0
    for number, done in copied(run, parts, lambda n: keep[n]):
        rows_out += done.written
        rows = parts[number].rows
        if run.options.keep_dropped:
            dropped = [replace(note, rule=rows.rules[rows.rule_of[note.row]]) for note in done.notes]
            notes = [*parts[number].result.notes, *dropped]
            parts[number].result.notes = sorted(notes, key=lambda note: note.row)
        run.settle(parts[number])
    if near is None:
        result = run.finish(config, rows_out=rows_out)
    else:
        near.prepare(decision)
        result = run.finish(config, rows_out=rows_out, extra={"minhash": near.about(decision)})
        near.commit()
        result.lines += near.lines(decision)
    result.decision = decision
    return result


def refuse_tables(run: Run) -> None:
    """Raise UsageError if rows that go out as they are cannot go to this container."""
    if run.output.container in (*TABLES, "txt"):
        raise UsageError(
            f"{run.command} writes rows as they are, which {run.output.container} may not hold",
            help=f"write .jsonl or .json, then `dataforge convert` it to {run.output.container}",
        )


def _mark(part: Part, decision: Decision, exact: NDArray[np.bool_], cluster: NDArray[np.int64], start: int) -> bytes:
    """Write the decision into the part's ledger rows; one byte a row for the pass that copies."""
    rows, table = part.rows, decision.table
    span = slice(start, start + len(rows))
    keeper = decision.keeper[span]
    dropped = keeper >= 0
    if dropped.any():
        for rule, which in ((EXACT, exact[span]), (NEAR, dropped & ~exact[span])):
            if which.any():
                rows.mark(which, DROPPED, rule)
        rows.keeper_source = np.full(len(rows), -1, np.int32)
        rows.keeper_ordinal = np.full(len(rows), -1, np.int64)
        rows.keeper_source[dropped] = table.source[keeper[dropped]]
        rows.keeper_ordinal[dropped] = table.ordinal[keeper[dropped]]
        rows.extra["estimate"] = decision.estimate[span]
        rows.extra["similarity"] = decision.similarity[span]
    rows.extra["cluster"] = cluster[span]
    return np.select([rows.fates == KEPT, dropped], [STAY, DROP], FAULTY).astype(np.uint8).tobytes()


OPERATION = Operation(
    name="dedup",
    config=DedupConfig,
    run=dedup,
    options=("workers", "on_error", "force", "dry_run", "limit", "json", "quiet", "forge", "keep_dropped"),
)
