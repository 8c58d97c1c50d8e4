"""Repetition: n-grams of a text that stand in it again and again, what an answer takes from its question, and loops.

An n-gram is a run of n words, where a character of a script without spaces counts two thirds of a word: the shortest
run of terms that reaches n words. So ten words are ten English words or fifteen Han characters, and mixed text needs no
choice between the two. Lengths are those of terms, in characters; white space and punctuation do not count.
(Why 1.5 Han characters to a word: prompts of Alpaca have 1.45 in their Chinese translations for each English word;
jieba cuts Chinese articles and instructions into words of 1.7 to 1.8.)

    top_n         share of the characters that the n-gram which covers most covers (n = 2, 3, 4); what stands once
                  covers nothing, and overlapping occurrences count once
    repeated_n    share of the characters in n-grams that stood before (n = 5 to 10), found from left to right without
                  overlap; the first occurrence does not count
    echo          share of the characters of an answer in n-grams of four words that its question has
    loop          share of the words (no symbols, so that tables are none) in the longest stretch that says one thing
                  of at most 64 words three or more times in a row (0 where no five words are repeated)

Source: Gopher (Rae et al. 2021, table A1); the way of counting is datatrove's.

Cost: 20 to 100 MB/s a core, short texts the faster; 20 bytes of memory a term of the longest piece.
Python: `measure(texts)["repeated_5"]`
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dataforge.ops.signals.sections import Sections
from dataforge.ops.signals.texts import Texts
from dataforge.ops.terms import CHAR, SYMBOL

__all__ = ["ECHO", "MEASURES", "REPEATED", "TOP", "measure", "of_answers"]

TOP = (2, 3, 4)
REPEATED = (5, 6, 7, 8, 9, 10)
ECHO = 4
MEASURES = (*(f"top_{n}" for n in TOP), *(f"repeated_{n}" for n in REPEATED), "gram_chars")
LONGEST_PERIOD = 64
LOOPS = 3
_WORD, _CHAR = 3, 2
"""What a term counts, in thirds of a word."""
_BASE = np.uint64(0x9E3779B97F4A7C15)
_STEP = np.uint64(0xFF51AFD7ED558CCD)


@njit(cache=True, nogil=True)
def _prefix(hashes: Any, kinds: Any, chars: Any, begin: Any, stop: Any, rolled: Any, thirds: Any, length: Any) -> None:
    """Sums from the first term on: polynomial of hashes, thirds of words, characters."""
    rolled[0], thirds[0], length[0] = np.uint64(0), 0, 0
    for k in range(stop - begin):
        rolled[k + 1] = rolled[k] * _BASE + hashes[begin + k]
        thirds[k + 1] = thirds[k] + (_CHAR if kinds[begin + k] == CHAR else _WORD)
        length[k + 1] = length[k] + chars[begin + k]


@njit(cache=True, nogil=True)
def _key(rolled: Any, powers: Any, begin: Any, end: Any) -> Any:
    """The hash of the terms from `begin` to `end`; never 0."""
    h = rolled[end] - rolled[begin] * powers[end - begin]
    h ^= h >> np.uint64(32)
    h *= _STEP
    return (h ^ (h >> np.uint64(29))) | np.uint64(1)


@njit(cache=True, nogil=True)
def _mask(size: Any) -> Any:
    """One less than the slots of a table for `size` keys, of which at most half are taken."""
    mask = np.int64(15)
    while mask < 2 * size:
        mask = mask * 2 + 1
    return mask


@njit(cache=True, nogil=True)
def _slot(keys: Any, mask: Any, key: Any) -> Any:
    """Where a key is, or may be put (then 0 is there)."""
    slot = np.int64(key >> np.uint64(7)) & mask
    while keys[slot] != key and keys[slot] != 0:
        slot = (slot + 1) & mask
    return slot


@njit(cache=True, nogil=True)
def _find(sums: Any, powers: Any, n: Any, grams: Any, count: Any, table: Any) -> Any:
    """Find the n-grams that begin at the first `count` of `grams`: their number, as the last may not reach n words.

    Fills the ends and slots of `grams`, and how often each stands; `lasts` becomes 0.
    """
    rolled, thirds, _ = sums
    begins, ends, slots = grams
    keys, times, lasts, _ = table
    mask = _mask(count)
    keys[: mask + 1] = 0
    end, size = 0, len(thirds) - 1
    for i in range(count):
        begin = begins[i]
        end = max(end, begin + n)  # no term is more than a word
        while end <= size and thirds[end] - thirds[begin] < n * _WORD:
            end += 1
        if end > size:
            return i
        key = _key(rolled, powers, begin, end)
        slot = _slot(keys, mask, key)
        if keys[slot] == 0:
            keys[slot], times[slot], lasts[slot] = key, 0, 0
        times[slot] += 1
        ends[i], slots[i] = end, slot
    return count


@njit(cache=True, nogil=True)
def _keep(grams: Any, count: Any, times: Any) -> Any:
    """Leave in `grams` those that stand twice or more: none is longer and stands more often."""
    begins, ends, slots = grams
    kept = 0
    for i in range(count):
        if times[slots[i]] > 1:
            begins[kept], ends[kept], slots[kept] = begins[i], ends[i], slots[i]
            kept += 1
    return kept


@njit(cache=True, nogil=True)
def _top(length: Any, grams: Any, count: Any, table: Any) -> Any:
    """Characters that the n-gram which covers most covers, of those that stand twice."""
    begins, ends, slots = grams
    lasts, covered = table[2], table[3]
    best = 0
    for i in range(count):
        slot, begin, end = slots[i], begins[i], ends[i]
        if lasts[slot] == 0:
            covered[slot], lasts[slot] = length[end] - length[begin], end
        elif begin >= lasts[slot]:
            covered[slot] += length[end] - length[begin]
            lasts[slot] = end
            best = max(best, covered[slot])
    return best


@njit(cache=True, nogil=True)
def _repeated(length: Any, grams: Any, count: Any, table: Any) -> Any:
    """Characters in n-grams that stood before, of those that stand twice."""
    begins, ends, slots = grams
    lasts = table[2]
    found = at = 0
    for i in range(count):
        if begins[i] < at:
            continue
        if lasts[slots[i]] == 0:
            lasts[slots[i]] = 1
        else:
            found += length[ends[i]] - length[begins[i]]
            at = ends[i]
    return found


@njit(cache=True, nogil=True)
def _loop(hashes: Any, kinds: Any, begin: Any, stop: Any, said: Any) -> Any:
    """Words in the longest stretch that repeats one thing LOOPS times or more; `said` is scratch."""
    size = best = 0
    for k in range(begin, stop):
        if kinds[k] != SYMBOL:
            said[size] = hashes[k]
            size += 1
    for period in range(1, min(LONGEST_PERIOD, size // LOOPS) + 1):
        run = 0
        for k in range(period, size):
            if said[k] == said[k - period]:
                run += 1
                if run + period >= LOOPS * period and run + period > best:
                    best = run + period
            else:
                run = 0
    return best


@njit(cache=True, nogil=True)
def _begin(columns: Any, piece: Any, room: Any) -> Any:
    """Prefix sums of a piece, and all of its terms as begins of n-grams."""
    hashes, kinds, chars, offsets = columns
    begin, stop = offsets[piece], offsets[piece + 1]
    size = stop - begin
    sums = room[0][: size + 1], room[1][: size + 1], room[2][: size + 1]
    _prefix(hashes, kinds, chars, begin, stop, sums[0], sums[1], sums[2])
    for k in range(size):
        room[3][k] = k
    return sums, (room[3], room[4], room[5]), size


@njit(cache=True, nogil=True)
def _measure(columns: Any, powers: Any, room: Any, table: Any, out: Any) -> None:
    """Fill `out` (pieces x MEASURES)."""
    for piece in range(len(columns[3]) - 1):
        sums, grams, count = _begin(columns, piece, room)
        out[piece, 9] = sums[2][count]
        for column in range(9):
            n = column + 2
            count = _keep(grams, _find(sums, powers, n, grams, count, table), table[1])
            if count == 0:
                break
            if column < 3:
                out[piece, column] = _top(sums[2], grams, count, table)
            else:
                out[piece, column] = _repeated(sums[2], grams, count, table)


@njit(cache=True, nogil=True)
def _measure_answers(columns: Any, said: Any, wanted: Any, powers: Any, room: Any, table: Any, out: Any) -> None:
    """Shares of repeated n-grams of five words and of the longest loop, of those sections of `said` that are wanted."""
    hashes, kinds, _, offsets = columns
    for row in range(len(said)):
        if not wanted[row]:
            continue
        sums, grams, size = _begin(columns, said[row], room)
        count = _keep(grams, _find(sums, powers, 5, grams, size, table), table[1])
        if count == 0:
            continue
        out[row, 0] = _repeated(sums[2], grams, count, table) / max(sums[2][size], 1)
        begin, stop, words = offsets[said[row]], offsets[said[row] + 1], 0
        for k in range(begin, stop):
            words += kinds[k] != SYMBOL
        out[row, 1] = _loop(hashes, kinds, begin, stop, sums[0]) / max(words, 1)


@njit(cache=True, nogil=True)
def _echo(columns: Any, asked: Any, said: Any, wanted: Any, powers: Any, room: Any, table: Any, out: Any) -> None:
    """Share of the characters of each section of `said` in n-grams that the one of `asked` has."""
    keys = table[0]
    for row in range(len(said)):
        if not wanted[row]:
            continue
        mask = np.int64(0)
        for side in range(2):
            (rolled, thirds, length), _, size = _begin(columns, asked[row] if side == 0 else said[row], room)
            if side == 0:
                mask = _mask(size)
                keys[: mask + 1] = 0
            end = covered = found = 0
            for k in range(size):
                while end <= size and thirds[end] - thirds[k] < ECHO * _WORD:
                    end += 1
                if end > size:
                    break
                key = _key(rolled, powers, k, end)
                slot = _slot(keys, mask, key)
                if side == 0:
                    keys[slot] = key
                elif keys[slot] == key:
                    found += length[end] - length[max(k, covered)]
                    covered = end
            out[row] = found / max(length[size], 1)


@njit(cache=True, nogil=True)
def _equal(columns: Any, asked: Any, said: Any, wanted: Any, out: Any) -> None:
    """Whether the terms of two sections are the same, and are ECHO words or more."""
    hashes, kinds, _, offsets = columns
    for row in range(len(said)):
        begin, start = offsets[asked[row]], offsets[said[row]]
        size = offsets[asked[row] + 1] - begin
        same = wanted[row] and offsets[said[row] + 1] - start == size
        k = thirds = 0
        while same and k < size:
            same = hashes[begin + k] == hashes[start + k]
            thirds += _CHAR if kinds[begin + k] == CHAR else _WORD
            k += 1
        out[row] = same and thirds >= ECHO * _WORD


def _columns(texts: Texts) -> tuple[NDArray[Any], ...]:
    terms = texts.terms
    return terms.hashes, terms.kinds, texts.ends - texts.starts, terms.offsets


def _room(offsets: NDArray[np.int64]) -> tuple[tuple[NDArray[Any], ...], tuple[NDArray[Any], ...]]:
    """Scratch for the longest piece: prefix sums and n-grams; a hash table (keys, times, last ends, covered)."""
    most = int(np.diff(offsets).max(initial=0))
    slots = max(16, 1 << (2 * most).bit_length())
    sums = np.empty(most + 1, np.uint64), np.empty(most + 1, np.int64), np.empty(most + 1, np.int64)
    grams = np.empty(most, np.int64), np.empty(most, np.int64), np.empty(most, np.int64)
    table = np.empty(slots, np.uint64), np.empty(slots, np.int64), np.empty(slots, np.int64), np.empty(slots, np.int64)
    return (*sums, *grams), table


def _powers() -> NDArray[np.uint64]:
    """Powers of the base, enough for the longest n-gram (10 words, 15 characters)."""
    return np.array([pow(int(_BASE), k, 1 << 64) for k in range(16)], np.uint64)


def measure(texts: Texts) -> dict[str, NDArray[np.float64]]:
    """What repeats in each piece, as the module docstring has it, in characters. gram_chars: those of all terms."""
    columns = _columns(texts)
    out = np.zeros((len(texts), len(MEASURES)))
    _measure(columns, _powers(), *_room(columns[3]), out)
    return {name: out[:, number] for number, name in enumerate(MEASURES)}


def of_answers(some: Sections, counts: Mapping[str, NDArray[np.float64]]) -> dict[str, NDArray[Any]]:
    """`echo`, `equal`, the share of repeated n-grams of five words and of the longest loop of each answer.

    counts: of `some.whole`, by `measure`. What does not repeat in a row does not repeat in its answer, nor between this
    and the question; only the other answers are looked at. equal: whether an answer of ECHO words or more says its
    question again (case, white space and punctuation apart). Of a longer text, PIECE characters count.
    """
    columns = _columns(some.parts)
    alone = some.home < 0
    n = len(some.said)
    echoed, same, shares = np.zeros(n), np.zeros(n, bool), np.zeros((n, 2))
    room, powers = _room(columns[3]), _powers()
    both = alone | (counts[f"top_{ECHO}"][some.home] > 0)
    _echo(columns, some.asked, some.said, both, powers, *room, echoed)
    _equal(columns, some.asked, some.said, both, same)
    again = alone | (counts["repeated_5"][some.home] > 0)
    _measure_answers(columns, some.said, again, powers, *room, shares)
    return {"echo": echoed, "equal": same, "repeated": shares[:, 0], "loop": shares[:, 1]}
