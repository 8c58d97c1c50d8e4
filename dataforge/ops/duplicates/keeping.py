"""The order in which rows are kept: of duplicates the one that comes first in it stays.

    first        as the rows come: earlier inputs, then earlier rows
    longest      more characters first; equals as they come
    best:COLUMN  a higher score first (score tables of the inputs), then rows without one; equals as they come

Python: `rank("longest", sources, source, np.array([3, 9, 9])).tolist()  # [2, 0, 1]`
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dataforge.errors import UsageError
from dataforge.io.paths import Source

__all__ = ["rank", "require_scores"]


def require_scores(keep: str, sources: Sequence[Source]) -> None:
    """Raise UsageError or InputError if the scores that decide are not there; before the inputs are read."""
    if keep.startswith("best:"):
        from dataforge.ops.scores.table import folder_of, refuse_missing, tables_of

        for source in sources:
            refuse_missing(source, [keep.removeprefix("best:")], tables_of(folder_of(source)))


def rank(
    keep: str, sources: Sequence[Source], source: NDArray[np.int32], chars: NDArray[np.int64]
) -> NDArray[np.int64]:
    """The rank of each row, 0 for the first to be kept. source: the number of each row's source, ascending."""
    n = len(source)
    if keep == "first":
        return np.arange(n)
    order = np.argsort(-chars if keep == "longest" else -_scores(keep.removeprefix("best:"), sources, n), kind="stable")
    places = np.empty(n, np.int64)
    places[order] = np.arange(n)
    return places


def _scores(column: str, sources: Sequence[Source], n: int) -> NDArray[np.float64]:
    """A column of the score tables of all sources, -inf where there is no score."""
    import polars as pl

    from dataforge.ops.scores.table import read_scores

    values = [read_scores(source, columns=[column])[column] for source in sources]
    if not all(value.dtype.is_numeric() or value.dtype == pl.Boolean for value in values):
        raise UsageError(f"--keep best:{column}: {column} is a text; a number is needed")
    scores = np.concatenate([value.cast(pl.Float64).fill_nan(None).fill_null(-np.inf).to_numpy() for value in values])
    if len(scores) != n:
        raise UsageError(
            f"--keep best:{column}: the score tables have {len(scores):,} rows, {n:,} were read",
            help="leave --limit out",
        )
    return scores
