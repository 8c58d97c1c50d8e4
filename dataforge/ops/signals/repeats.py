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

from collections.abc import Sequence
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dataforge.ops.signals.texts import PIECE, Texts
from dataforge.ops.terms import CHAR, SYMBOL

__all__ = ["ECHO", "MEASURES", "REPEATED", "TOP", "echo", "equal", "measure", "of_answers"]

TOP = (2, 3, 4)
REPEATED = (5, 6, 7, 8, 9, 10)
ECHO = 4
MEASURES = (*(f"top_{n}" for n in TOP), *(f"repeated_{n}" for n in REPEATED), "loop", "gram_chars", "said")
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
def _slot(keys: Any, stamps: Any, stamp: Any, mask: Any, key: Any) -> Any:
    """Where a key is, or may be put (then its stamp is another)."""
    slot = np.int64((key >> np.uint64(7)) & mask)
    while stamps[slot] == stamp and keys[slot] != key:
        slot = (slot + 1) & np.int64(mask)
    return slot


@njit(cache=True, nogil=True)
def _mask(size: Any) -> Any:
    """One less than the slots of a table for `size` keys, of which at most half are taken."""
    mask = np.uint64(15)
    while mask < np.uint64(2 * size):
        mask = mask * np.uint64(2) + np.uint64(1)
    return mask


@njit(cache=True, nogil=True)
def _top(rolled: Any, thirds: Any, length: Any, powers: Any, n: Any, table: Any, stamp: Any, mask: Any) -> Any:
    """Characters that the n-gram which covers most covers."""
    keys, stamps, covered, lasts = table
    best, end, size = 0, 0, len(thirds) - 1
    for begin in range(size):
        while end <= size and thirds[end] - thirds[begin] < n * _WORD:
            end += 1
        if end > size:
            break
        key = _key(rolled, powers, begin, end)
        slot = _slot(keys, stamps, stamp, mask, key)
        if stamps[slot] != stamp:
            stamps[slot], keys[slot], covered[slot], lasts[slot] = stamp, key, length[end] - length[begin], end
        elif begin >= lasts[slot]:
            covered[slot] += length[end] - length[begin]
            lasts[slot] = end
            best = max(best, covered[slot])
    return best


@njit(cache=True, nogil=True)
def _repeated(rolled: Any, thirds: Any, length: Any, powers: Any, n: Any, table: Any, stamp: Any, mask: Any) -> Any:
    """Characters in n-grams that stood before."""
    keys, stamps = table[0], table[1]
    found, begin, end, size = 0, 0, 0, len(thirds) - 1
    while begin < size:
        while end <= size and thirds[end] - thirds[begin] < n * _WORD:
            end += 1
        if end > size:
            break
        key = _key(rolled, powers, begin, end)
        slot = _slot(keys, stamps, stamp, mask, key)
        if stamps[slot] == stamp:
            found += length[end] - length[begin]
            begin = end
        else:
            stamps[slot], keys[slot] = stamp, key
            begin += 1
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
def _measure(
    hashes: Any, kinds: Any, chars: Any, offsets: Any, powers: Any, room: Any, table: Any, few: Any, out: Any
) -> None:
    """Fill `out` (pieces x MEASURES); of the shares of n-grams, if `few`, only top_2 and repeated_5."""
    stamp = np.uint32(0)
    for piece in range(len(offsets) - 1):
        begin, stop = offsets[piece], offsets[piece + 1]
        size = stop - begin
        rolled, thirds, length = room[0][: size + 1], room[1][: size + 1], room[2][: size + 1]
        _prefix(hashes, kinds, chars, begin, stop, rolled, thirds, length)
        out[piece, 10] = length[size]
        for k in range(begin, stop):
            out[piece, 11] += kinds[k] != SYMBOL
        mask = _mask(size)
        for column in range(9):
            # Where no shorter n-gram stands twice, no longer one does.
            if column > 0 and out[piece, 0 if column == 3 else column - 1] == 0:
                continue
            if few and column != 0 and column != 3:
                continue
            n = column + 2
            stamp += np.uint32(1)
            if column < 3:
                out[piece, column] = _top(rolled, thirds, length, powers, n, table, stamp, mask)
            else:
                out[piece, column] = _repeated(rolled, thirds, length, powers, n, table, stamp, mask)
        out[piece, 9] = _loop(hashes, kinds, begin, stop, rolled) if out[piece, 3] > 0 else 0


@njit(cache=True, nogil=True)
def _echo(one: Any, other: Any, powers: Any, room: Any, table: Any, n: Any, out: Any) -> None:
    """Characters of each text of `other` in n-grams that the same text of `one` has, and their sum."""
    keys, stamps = table[0], table[1]
    for text in range(len(out)):
        stamp = np.uint32(text + 1)
        size = one[3][text + 1] - one[3][text]
        mask = _mask(size)
        for side in range(2):
            hashes, kinds, chars, offsets = one if side == 0 else other
            begin, stop = offsets[text], offsets[text + 1]
            size = stop - begin
            rolled, thirds, length = room[0][: size + 1], room[1][: size + 1], room[2][: size + 1]
            _prefix(hashes, kinds, chars, begin, stop, rolled, thirds, length)
            end = covered = 0
            for k in range(size):
                while end <= size and thirds[end] - thirds[k] < n * _WORD:
                    end += 1
                if end > size:
                    break
                key = _key(rolled, powers, k, end)
                slot = _slot(keys, stamps, stamp, mask, key)
                if side == 0:
                    stamps[slot], keys[slot] = stamp, key
                elif stamps[slot] == stamp:
                    out[text, 0] += length[end] - length[max(k, covered)]
                    covered = end
            out[text, 1] = length[size]


@njit(cache=True, nogil=True)
def _equal(one: Any, other: Any, least: Any, out: Any) -> None:
    """Whether the terms of two texts are the same, and are `least` words or more."""
    for text in range(len(out)):
        begin, start = one[3][text], other[3][text]
        size = one[3][text + 1] - begin
        same = other[3][text + 1] - start == size
        k = thirds = 0
        while same and k < size:
            same = one[0][begin + k] == other[0][start + k]
            thirds += _CHAR if one[1][begin + k] == CHAR else _WORD
            k += 1
        out[text] = same and thirds >= least * _WORD


def _columns(texts: Texts) -> tuple[NDArray[Any], ...]:
    terms = texts.terms
    return terms.hashes, terms.kinds, texts.ends - texts.starts, terms.offsets


def _room(most: int) -> tuple[tuple[NDArray[Any], ...], tuple[NDArray[Any], ...]]:
    """Scratch for texts of at most `most` terms: prefix sums; a hash table (keys, stamps, covered, last ends)."""
    slots = max(16, 1 << (2 * most).bit_length())
    sums = np.empty(most + 1, np.uint64), np.empty(most + 1, np.int64), np.empty(most + 1, np.int64)
    table = np.empty(slots, np.uint64), np.zeros(slots, np.uint32), np.empty(slots, np.int64), np.empty(slots, np.int64)
    return sums, table


def _powers() -> NDArray[np.uint64]:
    """Powers of the base, enough for the longest n-gram (10 words, 15 characters)."""
    return np.array([pow(int(_BASE), k, 1 << 64) for k in range(16)], np.uint64)


def measure(texts: Texts, *, few: bool = False) -> dict[str, NDArray[np.float64]]:
    """What repeats in each piece, as the module docstring has it, in characters (`loop`: in words).

    gram_chars: characters of all terms. said: words, and characters of scripts without spaces. few: leave all n-grams
    but those of 2 and 5 words at 0.
    """
    hashes, kinds, chars, offsets = _columns(texts)
    out = np.zeros((len(texts), len(MEASURES)))
    room, table = _room(int(np.diff(offsets).max(initial=0)))
    _measure(hashes, kinds, chars, offsets, _powers(), room, table, few, out)
    return {name: out[:, number] for number, name in enumerate(MEASURES)}


def echo(questions: Texts, answers: Texts) -> NDArray[np.float64]:
    """Share of the characters of each answer in n-grams of ECHO words that its question has; 0 for an empty one."""
    one, other = _columns(questions), _columns(answers)
    out = np.zeros((len(answers), 2))
    room, table = _room(max(int(np.diff(columns[3]).max(initial=0)) for columns in (one, other)))
    _echo(one, other, _powers(), room, table, ECHO, out)
    return out[:, 0] / np.maximum(out[:, 1], 1)


def equal(questions: Texts, answers: Texts) -> NDArray[np.bool_]:
    """Whether an answer of ECHO words or more says its question again (case, white space and punctuation apart)."""
    out = np.zeros(len(answers), bool)
    _equal(_columns(questions), _columns(answers), ECHO, out)
    return out


def of_answers(questions: Sequence[str], answers: Sequence[str]) -> tuple[NDArray[Any], ...]:
    """(echo, equal, share of repeated n-grams of five words, share of the longest loop) of each answer.

    Of a text longer than PIECE characters, the first PIECE are looked at.
    """
    sides = [Texts.of([text[:PIECE] for text in side], range(len(side))) for side in (questions, answers)]
    counts = measure(sides[1], few=True)
    repeated = counts["repeated_5"] / np.maximum(counts["gram_chars"], 1)
    return echo(*sides), equal(*sides), repeated, counts["loop"] / np.maximum(counts["said"], 1)
