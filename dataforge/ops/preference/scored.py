"""A column of score tables as the score of answers that have a row each: `--by-score COLUMN`.

The tables stand beside the inputs (`dataforge score`), a row for each row of theirs. A null is no score, and counted.

CLI: `dataforge pair answers.jsonl --by-score rm_score --group-by prompt -o pairs.jsonl`
Python: `lost = put_scores(table, "rm_score", run.sources, rows, limited=False)`
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dataforge.errors import InputError, UsageError
from dataforge.io.paths import Source
from dataforge.ops.preference.table import Table

__all__ = ["put_scores", "refuse_scores"]

HELP = "dataforge score --force makes them anew"


def refuse_scores(column: str, sources: Sequence[Source]) -> None:
    """Raise InputError if a source lacks the column or its table is stale, UsageError if it holds no numbers."""
    import polars as pl

    from dataforge.ops.scores.table import read_scores

    for source in sources:
        kind = read_scores(source, columns=[column])[column].dtype
        if not kind.is_numeric() and kind not in (pl.Boolean, pl.Null):
            raise UsageError(f"--by-score: {column} is a text; a number is needed", place=source.place)


def put_scores(
    table: Table, column: str, sources: Sequence[Source], rows: Sequence[int], *, limited: bool
) -> dict[str, int]:
    """Make the column the score of each answer of the table; how many answers have none, by reason.

    rows: how many rows of each source were read; limited: there may be more. Raises InputError where a table has
    another number of rows than its file.
    """
    import polars as pl

    from dataforge.ops.scores.table import read_scores

    parts = []
    for source, count in zip(sources, rows, strict=True):
        values = read_scores(source, columns=[column])[column].cast(pl.Float64).fill_null(np.nan).to_numpy()
        if len(values) < count or (len(values) > count and not limited):
            message = f"score tables have {len(values):,} rows and the file {count:,}"
            raise InputError(message, place=source.place, help=HELP)
        parts.append(values[:count])
    scores = np.concatenate([*parts, np.zeros(0)])
    scores[~np.isfinite(scores)] = np.nan
    table.score = scores[table.row]
    lost = int(np.isnan(table.score).sum())
    return {f"{column}: null": lost} if lost else {}
