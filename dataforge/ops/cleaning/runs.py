"""Where numbers may stand: runs of at least seven digits with little between them, found once for all kinds of number.

The patterns of telephone, card and identity numbers are strict and slow; they are tried at these runs alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

__all__ = ["matches", "number_runs"]

_RUN = re.compile("[0-9](?:[ ()（）.+-]{0,2}[0-9]){6,}")
BEFORE, AFTER = 8, 8
"""Characters around a run that a pattern may take or look at: a sign, a bracket, what follows."""


@lru_cache(maxsize=1)
def number_runs(text: str) -> list[tuple[int, int]]:
    """(start, end) of every run."""
    return [match.span() for match in _RUN.finditer(text)]


def matches(pattern: re.Pattern[str], text: str) -> Iterator[re.Match[str]]:
    """The matches of a pattern that begin in a run or just before it."""
    for start, end in number_runs(text):
        yield from pattern.finditer(text, max(0, start - BEFORE), min(len(text), end + AFTER))
