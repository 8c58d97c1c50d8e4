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
from dataforge.ops.signals.texts import Texts, batches

__all__ = ["total"]

_BITS = np.array([byte.bit_count() for byte in range(256)], np.uint8)
"""Bits that are set in a byte."""


def total(texts: Sequence[str]) -> dict[str, NDArray[np.float64]]:
    """For each text the counts of `words.measure`, `lines.measure` and `repeats.measure`, and three more.

    stop_words: the most distinct ones of the eight function words of one language. boilerplate: lines with a phrase of
    page furniture. lorem: occurrences of "lorem ipsum".
    """
    n = len(texts)
    sums: dict[str, NDArray[np.float64]] = {}
    bits: NDArray[np.uint8] | None = None
    for some in batches(texts):
        for name, counts in _measure(some).items():
            added = np.bincount(some.rows, weights=counts, minlength=n).astype(np.float64)
            sums[name] = sums[name] + added if name in sums else added
        found = words.function_words(some)
        bits = np.zeros((n, found.shape[1]), np.uint8) if bits is None else bits
        firsts = np.flatnonzero(np.diff(some.rows, prepend=-1))
        if len(firsts) < len(found):
            found = np.bitwise_or.reduceat(found, firsts, axis=0)
        bits[some.rows[firsts]] |= found
    if bits is not None:
        sums["stop_words"] = _BITS[bits].max(axis=1).astype(np.float64)
    return sums


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
