"""`score`: what is to be known of every row, measured once and kept in small tables beside the data.

Writes `IN.scores/NAME.parquet` for each scorer (`--list` shows them and their columns): a row for each row of IN. A
table that is there and fits IN's bytes is not made again, unless --force. `select` and `filter` decide on the tables,
again and again, without reading a text. Streams have no place for a table: `filter` scores and selects them in one go.

Shows for each column its least value, median, 95 % quantile and so on, as a start for thresholds. With --limit only
these are shown and no table is kept, because a table describes a whole file.

Cost: one pass at flat memory; with length about 40 MB/s a core for rows of 440 bytes.
CLI: `dataforge score chat.jsonl --with length`
Python: `dataforge.score("chat.jsonl", scorers=["length"]).data["columns"]["n_chars"]["median"]`
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataforge.config import RunOptions, check, option
from dataforge.engine.run import Run
from dataforge.errors import UsageError, did_you_mean
from dataforge.io.paths import find_sources
from dataforge.ledger import Result
from dataforge.ops.scorers import columns_of
from dataforge.ops.scores.making import Plan, scores_of
from dataforge.ops.scores.table import folder_of
from dataforge.ops.selection.decision import value_text
from dataforge.ops.selection.presetpage import scorer_lines
from dataforge.registry import SCORERS, Operation, load_scorer

if TYPE_CHECKING:
    import polars as pl

__all__ = ["OPERATION", "ScoreConfig", "score"]

QUANTILES = {"p5": 0.05, "median": 0.5, "p95": 0.95, "p99": 0.99}
FEW = 10


@dataclass(frozen=True)
class ScoreConfig:
    """Settings of score."""

    scorers: tuple[str, ...] = option(
        (), help="what to measure: a,b (repeatable); --list shows them", flags=("--with",)
    )
    list_scorers: bool = option(
        False, help="list the scorers and the meaning of their columns, and read nothing", flags=("--list",)
    )

    def __post_init__(self) -> None:
        check(self)
        self.names()

    def names(self) -> tuple[str, ...]:
        """The scorers asked for, each once; UsageError for one that is none."""
        named = [name.strip() for text in self.scorers for name in text.split(",")]
        for name in named:
            if name not in SCORERS:
                raise UsageError(f"--with: {name!r} is no scorer", help=did_you_mean(name, SCORERS))
        return tuple(dict.fromkeys(named))


def score(inputs: tuple[str, ...], output: str | None, config: ScoreConfig, options: RunOptions) -> Result:
    """Make the score tables of all inputs; raises UsageError for streams."""
    if config.list_scorers:
        return Result("score", lines=scorer_lines(), data=_listed())
    names = config.names()
    if not names:
        raise UsageError("nothing says what to measure", help=f"--with {','.join(SCORERS)}")
    sources = find_sources(inputs)
    folders = [folder_of(source) for source in sources]
    plan = Plan.of(sources, names, again=options.force)
    if options.dry_run:
        return Result("score", lines=_planned(plan, folders))
    said = _said(plan, folders)
    due = [index for index, missing in enumerate(plan.missing) if missing]
    result = Result("score")
    with ExitStack() as stack:
        if due:
            part = Plan([sources[i] for i in due], [plan.tables[i] for i in due], [plan.missing[i] for i in due])
            part.entries = [None for _ in due]
            places = [folders[i] for i in due]
            if options.limit is not None:
                spare = stack.enter_context(tempfile.TemporaryDirectory(prefix="dataforge-"))
                places = [Path(spare, f"{index}.scores") for index in due]
            result = _make(part, places, config, options)
            if options.limit is not None:
                said = [f"looked at the first {result.counts.rows_in:,} rows; no table is kept with --limit"]
        shown = plan if options.limit is None or not due else part
        result.data = {**result.report, "tables": [str(table.path) for table in _tables(plan)], "columns": {}}
        result.data["columns"] = summary(shown, names, options.limit)
    result.lines = [] if options.quiet else [*result.lines, *said, *_lines(result.data["columns"])]
    return result


def _listed() -> list[dict[str, Any]]:
    return [
        {
            "scorer": name,
            "help": load_scorer(name).HELP,
            "columns": {key: {"kind": one.kind, "help": one.help} for key, one in columns_of(name).items()},
        }
        for name in SCORERS
    ]


def _tables(plan: Plan) -> list[Any]:
    return [table for tables in plan.tables for table in tables.values()]


def _make(plan: Plan, folders: list[Path], config: ScoreConfig, options: RunOptions) -> Result:
    """Score the sources of a plan."""
    run = Run("score", [source.spelled for source in plan.sources], "", options)
    with run:
        for part in plan.make(run, folders):
            part.rows.n_out[:] = 0
            run.settle(part)
        result = run.finish(config, rows_out=0)
    counts = result.counts
    faulty = f", {counts.errors:,} faulty" if counts.errors else ""
    result.lines[0] = f"{counts.kept:,} rows scored{faulty} [{result.report['seconds']:.1f} s]"
    return result


def _planned(plan: Plan, folders: Sequence[Path]) -> list[str]:
    made = [f"  {folder}/{name}.parquet" for folder, names in zip(folders, plan.missing, strict=True) for name in names]
    there = [f"  {table.path}" for table in _tables(plan)]
    lines = ["would write:", *made] if made else ["would write nothing"]
    return lines + (["is there and fits:", *there] if there else [])


def _said(plan: Plan, folders: Sequence[Path]) -> list[str]:
    """What is written and what was there, a line for each of the first files."""
    lines = []
    for folder, tables, missing in zip(folders, plan.tables, plan.missing, strict=True):
        parts = [f"wrote {', '.join(missing)}"] if missing else []
        parts += [f"{', '.join(tables)} there already (--force makes it anew)"] if tables else []
        lines.append(f"{folder}: {'; '.join(parts)}")
    more = [f"and {len(lines) - FEW:,} more files"] if len(lines) > FEW else []
    return lines[:FEW] + more


def summary(plan: Plan, names: Sequence[str], limit: int | None = None) -> dict[str, dict[str, Any]]:
    """For each column over all sources: how many values there are, and what they are like."""
    figures: dict[str, dict[str, Any]] = {}
    for name in names:
        columns = list(columns_of(name))
        scores = scores_of(plan, columns, [None] * len(plan.sources))
        scores = scores if limit is None else scores.head(limit)
        figures |= {column: _figures(scores[column], name) for column in columns}
    return figures


def _figures(column: pl.Series, scorer: str) -> dict[str, Any]:
    """Counts of a text or of true and false; least, greatest, mean and quantiles of a number."""
    there = column.drop_nulls()
    figures: dict[str, Any] = {"scorer": scorer, "values": len(there), "null": column.null_count()}
    if column.dtype.is_numeric():
        if len(there):
            figures |= {"min": there.min(), "mean": there.mean(), "max": there.max()}
            figures |= {name: there.quantile(q, "linear") for name, q in QUANTILES.items()}
        return figures
    counts = there.value_counts(sort=True).head(FEW)
    return figures | {"top": {value_text(value).strip("'"): count for value, count in counts.iter_rows()}}


def _lines(figures: dict[str, dict[str, Any]]) -> list[str]:
    """The summary as a table for people."""
    names = ("min", "p5", "median", "mean", "p95", "p99", "max", "null")
    wide = max(map(len, figures), default=0)
    numbers = [f"{'':<{wide}}  " + "  ".join(f"{name:>10}" for name in names)]
    others = []
    for column, said in figures.items():
        if "top" in said:
            counts = {**said["top"], **({"null": said["null"]} if said["null"] else {})}
            others.append(f"{column:<{wide}}  " + ", ".join(f"{value} {count:,}" for value, count in counts.items()))
        else:
            cells = [f"{said['null']:,}" if name == "null" else _number(said.get(name)) for name in names]
            numbers.append(f"{column:<{wide}}  " + "  ".join(f"{cell:>10}" for cell in cells))
    return [*(numbers if len(numbers) > 1 else []), *others]


def _number(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 1000 or value == int(value) else f"{value:.4g}"


OPERATION = Operation(
    name="score",
    config=ScoreConfig,
    run=score,
    output="none",
    options=("workers", "on_error", "force", "dry_run", "limit", "json", "quiet"),
    prints=True,
)
"""`score` has no output of rows: its tables lie beside its inputs."""
