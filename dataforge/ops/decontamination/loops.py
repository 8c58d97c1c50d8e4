"""Where a row says what a reference item says: compiled loops over terms, behind `decontaminate`.

A *gram* is a run of terms that weighs at least a given size; a word weighs 2, a character of a script without spaces
and a symbol 1. So a gram of size 16 is 8 English words or 16 Chinese characters, and mixed text needs no other rule.
The hash of a run is a polynomial of its terms' hashes modulo 2**64, so that of any run follows from two prefixes:

    prefix[j] = sum of hash[k] * BASE**(j-1-k) for k < j;   run(i, j) = prefix[j] - prefix[i] * BASE**(j-i)

Containment of an item in a stretch of a row is |A & B| / |A|, A and B being their sets of shingles (small grams); it is
first estimated by the share of A's bottom-k sketch (its k smallest hashes; Broder, On the resemblance and containment
of documents, 1997) that occurs in the row, and where that is near the threshold counted over all of A.

Cost: three look-ups a term, about 60 MB/s a core of English text after tokenising; 50 bytes of memory a term.
Python: `Prefixes.of(terms)`, `scan(prefixes, bounds, index, size, salt)`
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dataforge.ops.terms import WORD, Terms

__all__ = [
    "ANCHOR",
    "GRAM",
    "SEQUENCE",
    "SHINGLE",
    "Prefixes",
    "Table",
    "densest",
    "powers",
    "runs_of",
    "scan",
    "shares",
    "windows",
]

BASE = 0x9E3779B97F4A7C15 | 1
GRAM, SEQUENCE, SHINGLE = range(3)
"""What an entry of the table is: a gram of an item; a whole run, found by a gram in it; a shingle of a sketch."""
ANCHOR = 3
"""The salt of the small grams by which short runs are found (the others are salted by their kind)."""
MOST = np.array([8, 8, 64], np.uint8)
"""How often an entry is noted in one row; more of the same is no more evidence."""


@dataclass(frozen=True)
class Prefixes:
    """Terms as the loops need them: prefix hashes (one more than terms) and the weight of each term."""

    hashes: NDArray[np.uint64]
    weights: NDArray[np.uint8]

    @classmethod
    def of(cls, terms: Terms) -> Prefixes:
        """The prefixes of terms."""
        return cls(_prefixes(terms.hashes), np.where(terms.kinds == WORD, 2, 1).astype(np.uint8))


@dataclass(frozen=True)
class Table:
    """Hashes of grams and the entries that have them, for look-up.

    bits: a bit for the low bits of each key, asked first. slots: an open-addressed table of indices into keys, or -1.
    keys: distinct hashes, ascending; key k has the entries from first[k] to first[k + 1].
    kind, part, start, end: an entry is terms [start, end) of a part. back: where in that run the gram begins.
    check: the hash of the run (of a sequence). index: its number among the part's sketch (of a shingle).
    """

    bits: NDArray[np.uint64]
    slots: NDArray[np.int32]
    keys: NDArray[np.uint64]
    first: NDArray[np.int64]
    kind: NDArray[np.uint8]
    part: NDArray[np.int32]
    start: NDArray[np.int32]
    end: NDArray[np.int32]
    back: NDArray[np.int32]
    check: NDArray[np.uint64]
    index: NDArray[np.int16]
    power: NDArray[np.uint64]

    @classmethod
    def of(cls, keys: NDArray[np.uint64], columns: dict[str, NDArray[Any]], power: NDArray[np.uint64]) -> Table:
        """The table of entries, given the hash of each."""
        order = np.argsort(keys, kind="stable")
        distinct, first = np.unique(keys[order], return_index=True)
        bits, slots = _tabled(distinct)
        columns = {name: column[order] for name, column in columns.items()}
        bounds = np.append(first, len(keys)).astype(np.int64)
        return cls(bits, slots, distinct, bounds, power=power, **columns)


def powers(most: int) -> NDArray[np.uint64]:
    """BASE to the power 0, 1, ... most, modulo 2**64."""
    out = np.full(most + 1, BASE, np.uint64)
    out[0] = 1
    return np.multiply.accumulate(out)


def windows(
    prefixes: Prefixes, bounds: NDArray[np.int64], power: NDArray[np.uint64], size: int, salt: int
) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """(hash, end) of the gram that begins at each term; end 0 where a text ends before the gram weighs `size`.

    bounds: text i has the terms from bounds[i] to bounds[i + 1].
    """
    return _windows(prefixes.hashes, prefixes.weights, bounds, power, size, np.uint64(salt))  # type: ignore[no-any-return]


def runs_of(
    prefixes: Prefixes, starts: NDArray[np.int64], ends: NDArray[np.int64], power: NDArray[np.uint64]
) -> NDArray[np.uint64]:
    """The hashes of runs of terms."""
    hashes: NDArray[np.uint64] = prefixes.hashes[ends] - prefixes.hashes[starts] * power[ends - starts]
    return hashes


def scan(
    prefixes: Prefixes,
    bounds: NDArray[np.int64],
    table: Table,
    size: int,
    salt: int,
    seen: NDArray[np.int64],
    base: int = 0,
) -> NDArray[np.int64]:
    """All entries whose gram occurs in the rows (row r has the terms from bounds[r] to bounds[r + 1]).

    seen: int64 of shape (entries, 2), the row that met an entry last (-1 at first) and how often; base: what is added
    to a row there, so that it is new in every call. Returns columns of shape (matches, 3): row, entry, and the term at
    which the entry's run begins. A sequence is there only if all of it is found in the row.
    """
    return _scan(  # type: ignore[no-any-return]
        prefixes.hashes, prefixes.weights, bounds, table.power, size, np.uint64(salt), MOST, seen, base,
        table.bits, table.slots, table.keys, table.first,
        table.kind, table.start, table.end, table.back, table.check,
    )  # fmt: skip


def densest(
    place: NDArray[np.int64], number: NDArray[np.int16], bounds: NDArray[np.int64], width: NDArray[np.int64], most: int
) -> NDArray[np.int64]:
    """(distinct numbers, first place, last place) of the stretch of each run that holds most distinct numbers.

    bounds: run r has the places from bounds[r] to bounds[r + 1], ascending. width: how long a stretch of it may be.
    most: numbers are below it.
    """
    return _densest(place, number, bounds, width, most)  # type: ignore[no-any-return]


def shares(
    prefixes: Prefixes,
    low: NDArray[np.int64],
    high: NDArray[np.int64],
    power: NDArray[np.uint64],
    size: int,
    sets: NDArray[np.uint64],
    begins: NDArray[np.int64],
    ends: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Of each set of shingles (begins to ends) the share that occurs in a stretch of the rows (terms low to high)."""
    return _shares(  # type: ignore[no-any-return]
        prefixes.hashes, prefixes.weights, low, high, power, size, np.uint64(SHINGLE), sets, begins, ends
    )


def _tabled(keys: NDArray[np.uint64]) -> tuple[NDArray[np.uint64], NDArray[np.int32]]:
    """The bits and the slots of distinct keys: 16 to 32 bits and 2 to 4 slots a key."""
    width = max(6, int(len(keys)).bit_length())
    bits = np.zeros(1 << (width - 2), np.uint64)
    slots = np.full(1 << (width + 1), -1, np.int32)
    _fill(keys, bits, slots)
    return bits, slots


@njit(cache=True, nogil=True)
def _scramble(h: Any) -> Any:
    """The finaliser of MurmurHash3 for 64 bits, a bijection."""
    h ^= h >> np.uint64(33)
    h *= np.uint64(0xFF51AFD7ED558CCD)
    h ^= h >> np.uint64(33)
    h *= np.uint64(0xC4CEB9FE1A85EC53)
    return h ^ (h >> np.uint64(33))


@njit(cache=True, nogil=True)
def _prefixes(hashes: Any) -> Any:
    out = np.empty(len(hashes) + 1, np.uint64)
    h = np.uint64(0)
    out[0] = h
    for i in range(len(hashes)):
        h = h * np.uint64(BASE) + hashes[i]
        out[i + 1] = h
    return out


@njit(cache=True, nogil=True)
def _windows(prefix: Any, weights: Any, bounds: Any, power: Any, size: Any, salt: Any) -> Any:
    hashes = np.zeros(len(weights), np.uint64)
    ends = np.zeros(len(weights), np.int64)
    for t in range(len(bounds) - 1):
        j, weight = bounds[t], 0
        for i in range(bounds[t], bounds[t + 1]):
            while weight < size and j < bounds[t + 1]:
                weight += weights[j]
                j += 1
            if weight < size:
                break
            hashes[i] = _scramble((prefix[j] - prefix[i] * power[j - i]) ^ salt)
            ends[i] = j
            weight -= weights[i]
    return hashes, ends


@njit(cache=True, nogil=True)
def _shares(
    prefix: Any, weights: Any, low: Any, high: Any, power: Any, size: Any, salt: Any, sets: Any, begins: Any, ends: Any
) -> Any:
    out = np.zeros(len(low), np.float64)
    for c in range(len(low)):
        first, last = low[c], high[c]
        bounds = np.array([0, last - first])
        own, _ = _windows(prefix[first : last + 1], weights[first:last], bounds, power, size, salt)
        own = np.sort(own)
        found = 0
        for s in range(begins[c], ends[c]):
            at = np.searchsorted(own, sets[s])
            found += at < len(own) and own[at] == sets[s]
        out[c] = found / (ends[c] - begins[c])
    return out


@njit(cache=True, nogil=True)
def _densest(place: Any, number: Any, bounds: Any, width: Any, most: Any) -> Any:
    out = np.zeros((len(bounds) - 1, 3), np.int64)
    for r in range(len(bounds) - 1):
        counts = np.zeros(most, np.int64)
        tail, distinct = bounds[r], 0
        for head in range(bounds[r], bounds[r + 1]):
            counts[number[head]] += 1
            distinct += counts[number[head]] == 1
            while place[head] - place[tail] > width[r]:
                counts[number[tail]] -= 1
                distinct -= counts[number[tail]] == 0
                tail += 1
            if distinct > out[r, 0]:
                out[r, 0], out[r, 1], out[r, 2] = distinct, place[tail], place[head]
    return out


@njit(cache=True, nogil=True)
def _fill(keys: Any, bits: Any, slots: Any) -> None:
    mask = np.uint64(len(slots) - 1)
    places = np.uint64(len(bits) * 64 - 1)
    for k in range(len(keys)):
        place = keys[k] & places
        bits[place >> np.uint64(6)] |= np.uint64(1) << (place & np.uint64(63))
        slot = (keys[k] >> np.uint64(20)) & mask
        while slots[slot] >= 0:
            slot = (slot + np.uint64(1)) & mask
        slots[slot] = k


@njit(cache=True, nogil=True)
def _find(key: Any, bits: Any, slots: Any, keys: Any) -> Any:
    """The index of a key, or -1."""
    place = key & np.uint64(len(bits) * 64 - 1)
    if not (bits[place >> np.uint64(6)] >> (place & np.uint64(63))) & np.uint64(1):
        return -1
    mask = np.uint64(len(slots) - 1)
    slot = (key >> np.uint64(20)) & mask
    while slots[slot] >= 0:
        if keys[slots[slot]] == key:
            return slots[slot]
        slot = (slot + np.uint64(1)) & mask
    return -1


@njit(cache=True, nogil=True)
def _times(seen: Any, entry: Any, row: Any) -> Any:
    """How often an entry was met in this row."""
    if seen[entry, 0] != row:
        seen[entry, 0], seen[entry, 1] = row, 0
    return seen[entry, 1]


@njit(cache=True, nogil=True)
def _is_run(prefix: Any, power: Any, low: Any, high: Any, begin: Any, end: Any, check: Any) -> Any:
    """True if terms [begin, end) lie within [low, high) and have this hash."""
    if begin < low or end > high:
        return False
    return prefix[end] - prefix[begin] * power[end - begin] == check


@njit(cache=True, nogil=True)
def _with_room(out: Any, n: Any) -> Any:
    """Rows of three, with room for one more after n."""
    if n < len(out):
        return out
    more = np.empty((2 * n, 3), np.int64)
    more[:n] = out
    return more


@njit(cache=True, nogil=True)
def _scan(
    prefix: Any, weights: Any, bounds: Any, power: Any, size: Any, salt: Any, most: Any, seen: Any, base: Any,
    bits: Any, slots: Any, keys: Any, first: Any,
    kind: Any, start: Any, end: Any, back: Any, check: Any,
) -> Any:  # fmt: skip
    out = np.empty((256, 3), np.int64)
    n = 0
    for row in range(len(bounds) - 1):
        low, high = bounds[row], bounds[row + 1]
        j, weight = low, 0
        for i in range(low, high):
            while weight < size and j < high:
                weight += weights[j]
                j += 1
            if weight < size:
                break
            weight -= weights[i]
            k = _find(_scramble((prefix[j] - prefix[i] * power[j - i]) ^ salt), bits, slots, keys)
            if k < 0:
                continue
            for entry in range(first[k], first[k + 1]):
                if _times(seen, entry, row + base) >= most[kind[entry]]:
                    continue
                begin = i
                if kind[entry] == SEQUENCE:
                    begin, length = i - back[entry], end[entry] - start[entry]
                    if not _is_run(prefix, power, low, high, begin, begin + length, check[entry]):
                        continue
                seen[entry, 1] += 1
                out = _with_room(out, n)
                out[n, 0], out[n, 1], out[n, 2] = row, entry, begin
                n += 1
    return out[:n]
