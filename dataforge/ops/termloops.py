"""The compiled loops behind terms, shingles and signatures; `terms.py` and `minhash.py` are their Python faces.

All loops that walk terms stand in this one file: numba's cache looks at the file of the function it compiles, not at
those of the functions it calls. Terms are found `BLOCK` at a time, so no loop needs memory that grows with a text: a
signature is made shingle by shingle, whatever the length of the row.

A shingle is n terms in a row (kinds as in `terms.py`): n words of English, n characters of Chinese, and both in mixed
text, so that a changed word counts as much there. A text of fewer than n terms is one shingle.
A text without any term is one shingle of its folded code points that are no white space; nothing gives no shingle.
Its hash is mix(t1 * P^(n-1) + ... + tn) modulo 2^64, P being an odd constant.

The `Tables` argument is `terms.tables()`: fold and kind of each code point, and `fast` for bytes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

__all__ = ["count_loop", "find_loop", "mix", "permute", "shingle_loop", "sign_loop"]

WORD, CHAR, SYMBOL, IGNORED = np.uint8(1), np.uint8(2), np.uint8(3), np.uint8(4)
PRIME = np.uint64(0x100000001B3)
BASIS = np.uint64(0xCBF29CE484222325)
BASE = np.uint64(0x9E3779B97F4A7C15)
"""P of the formula above: 2^64 divided by the golden ratio, which is odd."""
BLOCK = 512
NOT_ASCII = np.uint8(254)
HIGHEST = np.uint32(0xFFFFFFFF)


@njit(cache=True, nogil=True, inline="never")
def _decode(data: Any, pos: Any) -> Any:
    """(code point, position after it) of well-formed UTF-8."""
    first = np.uint32(data[pos])
    if first < 0x80:
        return first, pos + 1
    if first < 0xE0:
        return ((first & np.uint32(0x1F)) << np.uint32(6)) | (np.uint32(data[pos + 1]) & np.uint32(0x3F)), pos + 2
    second, third = np.uint32(data[pos + 1]) & np.uint32(0x3F), np.uint32(data[pos + 2]) & np.uint32(0x3F)
    if first < 0xF0:
        return ((first & np.uint32(0xF)) << np.uint32(12)) | (second << np.uint32(6)) | third, pos + 3
    fourth = np.uint32(data[pos + 3]) & np.uint32(0x3F)
    high = ((first & np.uint32(7)) << np.uint32(18)) | (second << np.uint32(12))
    return high | (third << np.uint32(6)) | fourth, pos + 4


@njit(cache=True, nogil=True)
def mix(h: Any) -> Any:
    """The finaliser of MurmurHash3 for 64 bits, a bijection."""
    h ^= h >> np.uint64(33)
    h *= np.uint64(0xFF51AFD7ED558CCD)
    h ^= h >> np.uint64(33)
    h *= np.uint64(0xC4CEB9FE1A85EC53)
    return h ^ (h >> np.uint64(33))


@njit(cache=True, nogil=True)
def _letter(byte: Any) -> Any:
    return (65 <= byte <= 90) or (97 <= byte <= 122)


@njit(cache=True, nogil=True)
def _symbol_end(data: Any, begin: Any, start: Any, pos: Any, stop: Any) -> Any:
    """Where a run of one symbol ends; `start` for a hyphen between two letters, which is none."""
    width = pos - start
    if data[start] == 45 and begin < start and pos < stop and _letter(data[start - 1]) and _letter(data[pos]):
        return start
    while pos + width <= stop:
        for k in range(width):
            if data[start + k] != data[pos + k]:
                return pos
        pos += width
    return pos


@njit(cache=True, nogil=True)
def _fill(data: Any, begin: Any, pos: Any, stop: Any, tables: Any, block: Any) -> Any:  # noqa: C901
    """Find terms from `pos` until the block is full or the text ends: (position reached, terms found).

    One long function on purpose: a call a term would take more time than finding it.
    """
    fold, kind, fast = tables
    hashes, kinds, starts, ends = block
    n = 0
    while pos < stop and n < len(hashes):
        quick = fast[data[pos]]
        if quick == 0:
            pos += 1
            continue
        start, what, h = pos, WORD, BASIS
        if quick < NOT_ASCII:
            h = (h ^ np.uint64(quick)) * PRIME
            pos += 1
        else:
            first = np.uint32(data[pos])
            if 0xE0 <= first < 0xF0:  # as in _decode, for most of Chinese
                low = (np.uint32(data[pos + 1]) & np.uint32(0x3F)) << np.uint32(6)
                code = (first & np.uint32(0xF)) << np.uint32(12) | low | np.uint32(data[pos + 2]) & np.uint32(0x3F)
                pos += 3
            else:
                code, pos = _decode(data, pos)
            what = kind[code]
            if what == 0 or what == IGNORED:
                continue
            h = (h ^ np.uint64(fold[code])) * PRIME
        end = pos
        if what == WORD:
            while pos < stop:
                quick = fast[data[pos]]
                if quick == 0:
                    break
                if quick < NOT_ASCII:
                    h = (h ^ np.uint64(quick)) * PRIME
                    pos += 1
                    end = pos
                else:
                    code, after = _decode(data, pos)
                    more = kind[code]
                    if more == WORD:
                        h = (h ^ np.uint64(fold[code])) * PRIME
                        end = after
                    elif more != IGNORED:
                        break
                    pos = after
        elif what == SYMBOL:
            end = _symbol_end(data, begin, start, pos, stop)
            if end == start:
                continue
            pos = end
        hashes[n], kinds[n], starts[n], ends[n] = mix(h), what, start, end
        n += 1
    return pos, n


@njit(cache=True, nogil=True)
def _block() -> Any:
    return np.empty(BLOCK, np.uint64), np.empty(BLOCK, np.uint8), np.empty(BLOCK, np.int64), np.empty(BLOCK, np.int64)


@njit(cache=True, nogil=True)
def count_loop(data: Any, offsets: Any, tables: Any, counts: Any) -> None:
    """Count the terms of each text by kind, into `counts` (texts, 3)."""
    block = _block()
    kinds = block[1]
    for i in range(len(offsets) - 1):
        pos, begin, stop = offsets[i], offsets[i], offsets[i + 1]
        while pos < stop:
            pos, n = _fill(data, begin, pos, stop, tables, block)
            for j in range(n):
                counts[i, kinds[j] - 1] += 1


@njit(cache=True, nogil=True)
def find_loop(data: Any, offsets: Any, tables: Any, hashes: Any, kinds: Any, starts: Any, ends: Any) -> None:
    """Write down all terms of all texts, into columns of the right length."""
    n = 0
    for i in range(len(offsets) - 1):
        pos, begin, stop = offsets[i], offsets[i], offsets[i + 1]
        while pos < stop and n < len(hashes):
            pos, more = _fill(data, begin, pos, stop, tables, (hashes[n:], kinds[n:], starts[n:], ends[n:]))
            n += more


@njit(cache=True, nogil=True)
def _power(n: Any) -> Any:
    value = np.uint64(1)
    for _ in range(n):
        value *= BASE
    return value


@njit(cache=True, nogil=True)
def _roll(block: Any, n: Any, ring: Any, state: Any, power: Any, out: Any) -> Any:
    """Take the n terms of a block; write the shingles that they complete, and how many.

    ring: the last terms. state: polynomial of these, number of terms so far.
    """
    hashes = block[0]
    value, seen, size = state[0], int(state[1]), len(ring)
    place, m = seen % size, 0
    for j in range(n):
        h = hashes[j]
        value = value * BASE + h - ring[place] * power  # the ring begins with zeros
        ring[place] = h
        place = 0 if place + 1 == size else place + 1
        seen += 1
        if seen >= size:
            out[m] = mix(value)
            m += 1
    state[0], state[1] = value, seen
    return m


@njit(cache=True, nogil=True)
def _rest(data: Any, begin: Any, stop: Any, tables: Any, ring: Any, state: Any, out: Any) -> Any:
    """Write the one shingle of a text with too few terms, and how many that makes; make ring and state new."""
    seen, m = state[1], 0
    if 0 < seen < len(ring):
        out[0] = mix(state[0])
        m = 1
    ring[:] = 0
    state[:] = 0
    if seen == 0:
        h, pos, blank = BASIS, begin, True
        while pos < stop:
            code, pos = _decode(data, pos)
            if code > 32 and code != 0x3000 and code != 0xA0:
                h, blank = (h ^ np.uint64(tables[0][code])) * PRIME, False
        if not blank:
            out[0] = mix(h)
            m = 1
    return m


@njit(cache=True, nogil=True)
def shingle_loop(data: Any, offsets: Any, tables: Any, size: Any, out: Any, found: Any) -> None:
    """Write all shingles (uint64, repeats too) of all texts into `out`, and how many of each text into `found`.

    size: terms in a shingle. `out` holds one more than there are terms and texts.
    """
    ring, state, power, block = np.zeros(size, np.uint64), np.zeros(2, np.uint64), _power(size), _block()
    n = 0
    for i in range(len(offsets) - 1):
        pos, begin, stop, before = offsets[i], offsets[i], offsets[i + 1], n
        while pos < stop:
            pos, terms = _fill(data, begin, pos, stop, tables, block)
            n += _roll(block, terms, ring, state, power, out[n:])
        n += _rest(data, begin, stop, tables, ring, state, out[n:])
        found[i] = n - before


@njit(cache=True, nogil=True)
def _premix(shingle: Any) -> Any:
    """The upper half of a shingle, through the finaliser of MurmurHash3 for 32 bits (as affine32 asks)."""
    h = np.uint32(shingle >> np.uint64(32))
    h ^= h >> np.uint32(16)
    h = np.uint32(h * np.uint32(0x85EBCA6B))
    h ^= h >> np.uint32(13)
    h = np.uint32(h * np.uint32(0xC2B2AE35))
    return np.uint32(h ^ (h >> np.uint32(16)))


@njit(cache=True, nogil=True)
def permute(shingles: Any, n: Any, a: Any, b: Any, signature: Any) -> None:
    """Lower the signature to the least of a * h + b modulo 2^32 over the shingles, four at a time."""
    i = 0
    while i + 4 <= n:
        h0, h1, h2, h3 = (
            _premix(shingles[i]),
            _premix(shingles[i + 1]),
            _premix(shingles[i + 2]),
            _premix(shingles[i + 3]),
        )
        for k in range(len(a)):
            v0, v1 = np.uint32(a[k] * h0 + b[k]), np.uint32(a[k] * h1 + b[k])
            v2, v3 = np.uint32(a[k] * h2 + b[k]), np.uint32(a[k] * h3 + b[k])
            signature[k] = min(signature[k], min(min(v0, v1), min(v2, v3)))
        i += 4
    while i < n:
        h = _premix(shingles[i])
        for k in range(len(a)):
            signature[k] = min(signature[k], np.uint32(a[k] * h + b[k]))
        i += 1


@njit(cache=True, nogil=True)
def sign_loop(data: Any, offsets: Any, tables: Any, size: Any, a: Any, b: Any, out: Any, found: Any) -> None:
    """Write the signature of every text into `out` (texts, permutations), its number of shingles into `found`."""
    ring, state, power, block = np.zeros(size, np.uint64), np.zeros(2, np.uint64), _power(size), _block()
    held = np.empty(BLOCK, np.uint64)
    for i in range(len(offsets) - 1):
        pos, begin, stop, count = offsets[i], offsets[i], offsets[i + 1], 0
        signature = out[i]
        signature[:] = HIGHEST
        while pos < stop:
            pos, terms = _fill(data, begin, pos, stop, tables, block)
            n = _roll(block, terms, ring, state, power, held)
            permute(held, n, a, b, signature)
            count += n
        n = _rest(data, begin, stop, tables, ring, state, held)
        permute(held, n, a, b, signature)
        found[i] = count + n
