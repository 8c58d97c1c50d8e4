r"""All signals of whole texts, added up over their pieces.

Cost: 15 to 30 MB/s a core; memory bounded whatever the length of a text (see `dataforge.ops.signals.texts`).
Python: `total(["Hello, world.\nHello, world."])["repeated_lines"]  # array([1.])`
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dataforge.ops.signals import lines, repeats, words
from dataforge.ops.signals.sections import Sections, batches
from dataforge.ops.signals.texts import Texts

__all__ = ["Sums", "total"]

_BITS = np.array([byte.bit_count() for byte in range(256)], np.uint8)
"""Bits that are set in a byte."""


def total(texts: Sequence[str]) -> dict[str, NDArray[np.float64]]:
    """For each text the counts of `words.measure`, `lines.measure` and `repeats.measure`, and three more.

    stop_words: the most distinct ones of the eight function words of one language. boilerplate: lines with a phrase of
    page furniture. lorem: occurrences of "lorem ipsum".
    """
    sums = Sums(len(texts))
    for some in batches(([text], None) for text in texts):
        sums.add(some)
    return sums.done()


class Sums:
    """The counts of `n` rows, added up batch by batch."""

    def __init__(self, n: int) -> None:
        self.n = n
        self._sums: dict[str, NDArray[np.float64]] = {}
        self._bits: NDArray[np.uint8] | None = None

    def add(self, some: Sections) -> dict[str, NDArray[Any]]:
        """Add the counts of a batch; gives those of its pieces."""
        rows = some.whole.rows
        measured = _measure(some.whole)
        one_each = np.array_equal(rows, np.arange(self.n))
        for name, counts in measured.items():
            if not one_each:
                counts = np.bincount(rows, weights=counts, minlength=self.n)
            self._sums[name] = self._sums[name] + counts if name in self._sums else counts.astype(np.float64)
        found = words.function_words(some.whole)
        if self._bits is None:
            self._bits = np.zeros((self.n, found.shape[1]), np.uint8)
        firsts = np.flatnonzero(np.diff(rows, prepend=-1))
        if len(firsts) < len(found):
            found = np.bitwise_or.reduceat(found, firsts, axis=0)
        self._bits[rows[firsts]] |= found
        return measured

    def done(self) -> dict[str, NDArray[np.float64]]:
        """The sums, by name; nothing where there was no row."""
        if self._bits is not None:
            self._sums["stop_words"] = _BITS[self._bits].max(axis=1).astype(np.float64)
        return self._sums


def _measure(texts: Texts) -> dict[str, NDArray[Any]]:
    """The counts of each piece."""
    found = lines.find_lines(texts)
    begins = texts.offsets[:-1]
    return {
        **words.measure(texts),
        **lines.measure(texts, found),
        **repeats.measure(texts),
        "boilerplate": _marked_lines(found, words.find_phrases(texts, "boilerplate"), len(texts)),
        "lorem": np.bincount(
            np.searchsorted(begins, words.find_phrases(texts, "lorem"), side="right") - 1, minlength=len(texts)
        ),
    }


def _marked_lines(found: lines.Lines, places: NDArray[np.int64], pieces: int) -> NDArray[np.int64]:
    """Lines of each piece in which one of the places is."""
    marked = np.unique(np.searchsorted(found.begins, places, side="right") - 1)
    return np.bincount(found.home[marked], minlength=pieces)
