"""The pool of the novelty filter: texts as term numbers, with posting lists, in arrays that grow.

The nearest member of a candidate is found exactly (`loops.py` says how). Members have the numbers 0, 1, 2, ...
in the order in which they came.

Memory: about 200 bytes a member of 11 terms in the arrays (18 a term, room to grow included), and once each distinct
term in a dictionary: 350 bytes a member in all where 50,000 share an everyday vocabulary.
Cost: see docs/novelty.md; the first use after an installation compiles for some seconds.
Python: `pool = Pool(); pool.append(["a", "b"]); pool.nearest(["b"], exact=True)  # Nearest(member=0, lcs=1, length=2)`
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Nearest", "Pool"]

_FIRST = 1024
_POWERS = 48


class Nearest(NamedTuple):
    """The nearest member: its number, the length of the longest common subsequence with it, and its own length."""

    member: int
    lcs: int
    length: int


class Pool:
    """Texts to compare with, each a sequence of terms. Not for several threads at once."""

    def __init__(self) -> None:
        self.compared = 0
        """Pairs of texts whose longest common subsequence was measured so far (the others were ruled out)."""
        self._count = self._used = self._longest = 0
        self._numbers: dict[str | tuple[int, int], int] = {}
        self._terms: NDArray[np.int32] = np.zeros(_FIRST, np.int32)
        self._offsets: NDArray[np.int64] = np.zeros(_FIRST, np.int64)
        self._shared: NDArray[np.int32] = np.zeros(_FIRST, np.int32)
        self._touched: NDArray[np.int32] = np.zeros(_FIRST, np.int32)
        self._slots: NDArray[np.int32] = np.zeros(_FIRST, np.int32)
        self._sizes: NDArray[np.int32] = np.zeros(_FIRST, np.int32)
        self._starts: NDArray[np.int64] = np.zeros(_FIRST, np.int64)
        self._arena: NDArray[np.int32] = np.zeros(_FIRST, np.int32)
        self._free: NDArray[np.int64] = np.full(_POWERS, -1, np.int64)

    def __len__(self) -> int:
        return self._count

    @property
    def nbytes(self) -> int:
        """Bytes that the arrays take (not the dictionary of terms)."""
        members = self._terms, self._offsets, self._shared, self._touched
        return sum(array.nbytes for array in (*members, self._slots, self._sizes, self._starts, self._arena))

    def nearest(self, terms: Sequence[str], *, exact: bool) -> Nearest | None:
        """The member with the highest ROUGE-L F, the earliest of equals; None if none shares a term with the text.

        exact: compare 2 * lcs / (m + n) as fractions; else as the floating-point numbers that rouge_score gives.
        """
        from dataforge.generate.nearest.loops import search_loop

        known = [number for number in map(self._numbers.get, terms) if number is not None]
        if not known:
            return None
        features = np.array(self._features(known, add=False), np.int32)
        features = features[np.argsort(self._sizes[features], kind="stable")]
        lcs, length, member, compared = search_loop(
            np.array(known, np.int32),
            len(terms),
            features,
            (self._arena, self._starts, self._sizes),
            (self._terms, self._offsets),
            (self._shared, self._slots, self._touched),
            self._longest,
            exact,
        )
        self.compared += compared
        return Nearest(member, lcs, length) if lcs else None

    def append(self, terms: Sequence[str]) -> None:
        """Make a text the next member."""
        from dataforge.generate.nearest.loops import append_loop

        numbers = [self._numbers.setdefault(term, len(self._numbers)) for term in terms]
        features = np.array(self._features(numbers, add=True), np.int32)
        begin = int(self._offsets[self._count])
        self._make_room(begin + len(numbers), features)
        self._terms[begin : begin + len(numbers)] = numbers
        self._offsets[self._count + 1] = begin + len(numbers)
        index = (self._arena, self._starts, self._sizes)
        self._used = append_loop(features, self._count, index, self._used, self._free)
        self._longest = max(self._longest, len(numbers))
        self._count += 1

    def _features(self, numbers: list[int], *, add: bool) -> list[int]:
        """The features of term numbers: a number itself for the first time it comes, (number, times before) after it.

        Without `add`, features that no member has are left out.
        """
        if len(set(numbers)) == len(numbers):
            return numbers
        before: dict[int, int] = {}
        features = []
        for number in numbers:
            times = before.get(number, 0)
            before[number] = times + 1
            feature: int | None = number
            if times and add:
                feature = self._numbers.setdefault((number, times), len(self._numbers))
            elif times:
                feature = self._numbers.get((number, times))
            if feature is not None:
                features.append(feature)
        return features

    def _make_room(self, terms: int, features: NDArray[np.int32]) -> None:
        """See to it that the arrays have room for one member more, with so many terms in all."""
        self._terms = _grown(self._terms, terms)
        self._offsets = _grown(self._offsets, self._count + 2)
        self._shared = _grown(self._shared, self._count + 1)
        self._touched = _grown(self._touched, self._count + 1)
        self._slots = _grown(self._slots, len(self._numbers))
        self._sizes = _grown(self._sizes, len(self._numbers))
        self._starts = _grown(self._starts, len(self._numbers))
        self._arena = _grown(self._arena, self._used + 2 * int(self._sizes[features].sum()) + len(features))


def _grown(array: NDArray[Any], least: int) -> NDArray[Any]:
    """The array itself, or one half as long again (or as long as needed) that begins with it and goes on with zeros."""
    if least <= len(array):
        return array
    longer = np.zeros(max(least, len(array) * 3 // 2), array.dtype)
    longer[: len(array)] = array
    return longer
