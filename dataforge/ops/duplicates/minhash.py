"""MinHash signatures and shingle sets of texts, from bytes, without a Python object a shingle.

    signature[k] = min over shingles s of (a_k * premix(s) + b_k) mod 2^32,   k = 0 .. permutations - 1

which is datasketch's scheme "affine32" (its a_k and b_k for the seed too), over the upper 32 bits of the shingle hashes
of `termloops.py`; so `lean(...)` gives sketches that datasketch compares with its own. Two texts agree in a permutation
with a probability equal to the Jaccard similarity of their shingle sets (Broder 1997).

Bands (Leskovec, Rajaraman, Ullman: Mining of Massive Datasets, 3.4): b bands of r permutations make texts of similarity
s candidates with probability 1 - (1 - s^r)^b; `bands(threshold, permutations)` takes the b and r with the least sum of
false positives below and false negatives above the threshold, as datasketch does.

Cost: about 100,000 documents of 270 words a second a core with 128 permutations; no memory beyond the result.
Python: `Scheme().sign(["To be, or not to be"]).shape  # (1, 128)`
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dataforge.ops.terms import Packed, count_terms, pack, tables

__all__ = ["Scheme", "Sets", "bands", "chance", "lean"]

NODES = 400
MUCH = 1 << 22


@dataclass(frozen=True)
class Scheme:
    """How signatures are made; signatures of equal schemes can be compared.

    permutations: length of a signature. ngram: terms in a shingle.
    """

    permutations: int = 128
    ngram: int = 5
    seed: int = 1

    def factors(self) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
        """The factors a and b of the formula above: uint32, one a permutation; a is odd."""
        return _factors(self.permutations, self.seed)

    def sign(self, texts: Sequence[str] | Packed) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
        """(signatures (texts, permutations), shingles (repeats too) of each text)."""
        from dataforge.ops.termloops import sign_loop

        packed = texts if isinstance(texts, Packed) else pack(texts)
        out = np.empty((len(packed), self.permutations), np.uint32)
        found = np.zeros(len(packed), np.int64)
        sign_loop(packed.data, packed.offsets, tables(), self.ngram, *self.factors(), out, found)
        return out, found

    def shingles(self, texts: Sequence[str] | Packed) -> Sets:
        """The shingle sets of texts."""
        from dataforge.ops.duplicates.loops import sort_loop
        from dataforge.ops.termloops import shingle_loop

        packed = texts if isinstance(texts, Packed) else pack(texts)
        # A term takes a byte at least; where that would be much room, terms are counted first.
        terms = len(packed.data) if len(packed.data) < MUCH else int(count_terms(packed).sum())
        room = terms + 2 * len(packed) + 2
        out, found = np.empty(room, np.uint64), np.zeros(len(packed), np.int64)
        shingle_loop(packed.data, packed.offsets, tables(), self.ngram, out, found)
        offsets = np.zeros(len(packed) + 1, np.int64)
        size = sort_loop(out, found, offsets)
        return Sets(out[:size].copy(), offsets)


@dataclass(frozen=True)
class Sets:
    """Sets of 64-bit shingles, each ascending: set i is `values[offsets[i]:offsets[i + 1]]`."""

    values: NDArray[np.uint64]
    offsets: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, index: int) -> NDArray[np.uint64]:
        return self.values[self.offsets[index] : self.offsets[index + 1]]


@cache
def _factors(permutations: int, seed: int) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    draw = np.random.RandomState(seed)
    a = draw.randint(0, 1 << 31, permutations, dtype=np.uint32) * np.uint32(2) + np.uint32(1)
    return a, draw.randint(0, 1 << 32, permutations, dtype=np.uint32)


def band_keys(signatures: NDArray[np.uint32], bands: int, rows: int) -> NDArray[np.uint64]:
    """A 64-bit hash of each band of each signature: an array of shape (texts, bands)."""
    from dataforge.ops.duplicates.loops import band_loop

    out = np.empty((len(signatures), bands), np.uint64)
    band_loop(signatures, rows, out)
    return out


def chance(similarity: Any, bands: int, rows: int) -> Any:
    """The probability that texts of this Jaccard similarity agree in a band: 1 - (1 - s^rows)^bands."""
    return 1 - (1 - np.asarray(similarity, float) ** rows) ** bands


@cache
def bands(threshold: float, permutations: int) -> tuple[int, int]:
    """(bands, rows) with the least integral of `chance` below the threshold plus that of 1 - `chance` above it.

    Integrals are Gauss-Legendre sums; the first of equals in the order of bands, then rows, is taken.
    """
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    below, above = (nodes + 1) / 2 * threshold, threshold + (nodes + 1) / 2 * (1 - threshold)
    best, chosen = float("inf"), (1, 1)
    for b in range(1, permutations + 1):
        for r in range(1, permutations // b + 1):
            wrong = weights @ chance(below, b, r) * threshold + weights @ (1 - chance(above, b, r)) * (1 - threshold)
            if wrong / 2 < best - 1e-12:
                best, chosen = wrong / 2, (b, r)
    return chosen


def lean(signature: NDArray[np.uint32], scheme: Scheme) -> Any:
    """The signature as a `datasketch.LeanMinHash`."""
    from datasketch import LeanMinHash

    return LeanMinHash(seed=scheme.seed, hashvalues=signature, scheme="affine32")
