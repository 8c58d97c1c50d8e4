"""A column of a score table: its kind and its meaning."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["KINDS", "Column"]

KINDS = ("int", "float", "bool", "text")
"""Kinds of columns: int64, float64, true or false, UTF-8 text. Each may be null."""


@dataclass(frozen=True)
class Column:
    """One value a row. kind: one of KINDS. help: what it says, its unit, and when it is null."""

    kind: str
    help: str

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"{self.kind!r} is no kind of column ({', '.join(KINDS)})")
