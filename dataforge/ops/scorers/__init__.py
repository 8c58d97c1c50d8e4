"""Scorers: what is measured of every row; each is a module (`NAME HELP COLUMNS open_scorer`) and a registry line.

A module is light to import, so that the names and meanings of all columns can be listed; what is heavy (numba, models)
is imported in `open_scorer`, which workers alone call.

Python: `owner_of("n_chars")  # "length"`
"""

from __future__ import annotations

from functools import cache

from dataforge.ops.scorers.column import Column
from dataforge.registry import SCORERS, load_scorer

__all__ = ["columns_of", "owner_of", "owners"]


def columns_of(scorer: str) -> dict[str, Column]:
    """The columns of a scorer; UsageError if there is none of that name."""
    columns: dict[str, Column] = load_scorer(scorer).COLUMNS
    return columns


@cache
def owners() -> dict[str, str]:
    """Column -> the scorer that makes it, over all scorers."""
    return {column: name for name in SCORERS for column in columns_of(name)}


def owner_of(column: str) -> str | None:
    """The scorer that makes a column, or None."""
    return owners().get(column)
