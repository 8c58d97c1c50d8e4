"""The compiled loops of near-duplicate search: band keys, sorted sets, exact Jaccard, and the walk that decides.

Jaccard(A, B) = |A intersect B| / |A unite B| over sets of 64-bit shingles, by merging two ascending lists.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from dataforge.ops.termloops import HIGHEST, permute

__all__ = ["band_loop", "collapse_loop", "jaccard", "sort_loop", "walk_loop"]

ALL, WITHIN, ACROSS = range(3)
"""Which rows are compared: any two, those of one source, those of different sources."""


@njit(cache=True, nogil=True)
def band_loop(signatures: Any, rows: Any, out: Any) -> None:
    """Hash `rows` values of a signature into each band key (multiply and xor-shift, 64 bits)."""
    for i in range(len(signatures)):
        for band in range(out.shape[1]):
            h = np.uint64(0x9E3779B97F4A7C15) * np.uint64(band + 1)
            for k in range(band * rows, band * rows + rows):
                h = (h ^ np.uint64(signatures[i, k])) * np.uint64(0xFF51AFD7ED558CCD)
                h ^= h >> np.uint64(32)
            out[i, band] = h


@njit(cache=True, nogil=True)
def _wide_blank(data: Any, pos: Any) -> Any:
    """Bytes of the white space beyond ASCII (as str.split sees it) that begins here; 0 if none does."""
    byte, last = data[pos], data[pos + 1]
    if byte == 0xC2:  # U+0085, U+00A0
        return 2 if last == 0x85 or last == 0xA0 else 0
    if byte == 0xE1:  # U+1680
        return 3 if last == 0x9A and data[pos + 2] == 0x80 else 0
    if byte == 0xE2:  # U+2000 to U+200A, U+2028, U+2029, U+202F, U+205F
        if last == 0x80:
            last = data[pos + 2]
            return 3 if last <= 0x8A or last == 0xA8 or last == 0xA9 or last == 0xAF else 0
        return 3 if last == 0x81 and data[pos + 2] == 0x9F else 0
    return 3 if last == 0x80 and data[pos + 2] == 0x80 else 0  # 0xE3: U+3000


BLANKS = np.zeros(256, np.uint8)
"""For each byte: 1 if it is white space, 2 if white space beyond ASCII may begin with it."""
BLANKS[[*range(9, 14), *range(28, 33)]] = 1
BLANKS[[0xC2, 0xE1, 0xE2, 0xE3]] = 2


@njit(cache=True, nogil=True)
def collapse_loop(data: Any, offsets: Any, out: Any, ends: Any) -> None:
    """Write each text with every run of white space as one blank, and none at its ends, to out[offsets[i]:ends[i]]."""
    for i in range(len(offsets) - 1):
        begin, stop = offsets[i], offsets[i + 1]
        pos, write, before = begin, begin, 1
        while pos < stop:
            byte = data[pos]
            blank, width = int(BLANKS[byte]), 1
            if blank == 2:
                wide = _wide_blank(data, pos)
                blank, width = (1, wide) if wide else (0, 1)
            out[write] = 32 if blank else byte  # no branch: a wrong guess a word would take more time than all else
            write += 1 - (blank & before)
            before = blank
            pos += width
        if write > begin and before:
            write -= 1
        ends[i] = write


@njit(cache=True, nogil=True)
def sort_loop(values: Any, found: Any, offsets: Any) -> Any:
    """Make each text's shingles an ascending set in place, moved together; the number of values left."""
    read, write = 0, 0
    for i in range(len(found)):
        own = np.sort(values[read : read + found[i]])
        read += found[i]
        for k in range(len(own)):
            if k == 0 or own[k] != own[k - 1]:
                values[write] = own[k]
                write += 1
        offsets[i + 1] = write
    return write


@njit(cache=True, nogil=True)
def jaccard(a: Any, b: Any) -> Any:
    """Exact Jaccard similarity of two ascending sets; 1 for two empty ones."""
    i, j, both = 0, 0, 0
    while i < len(a) and j < len(b):
        x, y = a[i], b[j]
        both += x == y
        i += x <= y
        j += y <= x
    union = len(a) + len(b) - both
    return both / union if union else 1.0


@njit(cache=True, nogil=True)
def _agree(one: Any, other: Any, a: Any, b: Any, held: Any) -> Any:
    """The share of permutations in which the signatures of two sets agree. held: room for both signatures."""
    held[:] = HIGHEST
    permute(one, len(one), a, b, held[0])
    permute(other, len(other), a, b, held[1])
    same = 0
    for k in range(len(a)):
        same += held[0, k] == held[1, k]
    return same / len(a)


@njit(cache=True, nogil=True)
def walk_loop(  # noqa: C901
    buckets: Any,
    n_buckets: Any,
    values: Any,
    starts: Any,
    ends: Any,
    a: Any,
    b: Any,
    keys: Any,
    source: Any,
    settled: Any,
    scope: Any,
    threshold: Any,
    verify: Any,
    keeper: Any,
    estimate: Any,
    exact: Any,
) -> Any:
    """Decide rows in the order given (the order of keeping); the number of pairs compared.

    buckets: (rows, bands) int32, the bucket of each band, -1 where no other row is in it. The shingles of a row are
    values[starts:ends], ascending; a and b make its signature. keys: equal for rows that are alike whatever their
    shingles say. The first `settled` rows are kept, whatever they are like. A later row whose similarity with an
    already kept row of one of its buckets reaches the threshold gets the most similar of these (of equals the earlier)
    as its keeper, with the estimated similarity and, if verified, the exact one. A kept row has keeper -1.
    """
    n, bands = buckets.shape
    head = np.full(n_buckets, -1, np.int32)
    follow = np.full((n, bands), -1, np.int32)
    stamp = np.full(n, -1, np.int32)
    held = np.empty((2, len(a)), np.uint32)
    compared = 0
    for row in range(n):
        best, most = -1, -1.0
        own = ends[row] - starts[row]
        for band in range(bands if row >= settled else 0):
            bucket = buckets[row, band]
            other = head[bucket] if bucket >= 0 else -1
            while other >= 0:
                if stamp[other] != row:
                    stamp[other] = row
                    apart = source[other] != source[row]
                    if scope == ALL or (scope == WITHIN and not apart) or (scope == ACROSS and apart):
                        there = ends[other] - starts[other]
                        equal = keys[other] == keys[row]
                        # a quotient as `jaccard` makes it: threshold * max would be rounded another way
                        if equal or not verify or min(own, there) / max(own, there, 1) >= threshold:
                            compared += 1
                            if equal:
                                alike = 1.0
                            elif verify:
                                alike = jaccard(values[starts[row] : ends[row]], values[starts[other] : ends[other]])
                            else:
                                alike = _agree(
                                    values[starts[row] : ends[row]], values[starts[other] : ends[other]], a, b, held
                                )
                            if alike > most or (alike == most and other < best):
                                best, most = other, alike
                other = follow[other, band]
        if best >= 0 and most >= threshold:
            keeper[row] = best
            estimate[row] = _agree(values[starts[row] : ends[row]], values[starts[best] : ends[best]], a, b, held)
            exact[row] = most if verify else np.nan
        else:
            keeper[row] = -1
            for band in range(bands):
                bucket = buckets[row, band]
                if bucket >= 0:
                    follow[row, band] = head[bucket]
                    head[bucket] = row
    return compared
