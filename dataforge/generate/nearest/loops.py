"""The compiled loops of the novelty filter: longest common subsequences, and the search for the nearest pool member.

Texts are sequences of term numbers. The number of terms that two of them share, each as often as both have it, is never
below the length of their longest common subsequence (LCS), so `2 * shared / (m + n)` is never below their ROUGE-L. A
walk along the posting lists of a candidate's terms, the rarest first, counts what it shares with each member. The walk
ends when the terms that are left could not by themselves reach the best score found so far, which saves the long lists.
The members met are then compared from the highest bound down, those left counted as shared, until no bound reaches the
best score. Nothing is estimated: the answer is that of comparing all pairs.

LCS: bit-parallel, 64 terms a step (H. Hyyro, Bit-parallel LCS-length computation revisited, 2004, the variant
V = (V + (V & M)) | (V & ~M)); longer candidates in strips of 64 terms, with the carries of a strip kept for the next.

Postings: the k-th time that a text has a term is a feature of its own, so a shared term counts once a time. The members
of a feature stand together in `arena`, in room for a power of two of them; room that was outgrown is used again.

All loops stand in this one file, since numba's cache looks at the file of the function it compiles alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

__all__ = ["append_loop", "search_loop"]

ONES = np.uint64(0xFFFFFFFFFFFFFFFF)
MOST_MASKS = 1 << 20
"""Masks of a candidate held at once (8 bytes each). Beyond it, those of a strip are made anew for each pair."""
SLACK = 1 - 1e-12
"""Rounding moves a score by less than this: a bound below `best * SLACK` cannot be reached, one above may."""
BUCKETS = 256
STEP = 1.1
"""Members are compared during the walk only if this much nearer: long texts would be compared once a term otherwise."""


@njit(cache=True, nogil=True)
def _ones(word: Any) -> Any:
    """The number of bits that are set."""
    word -= (word >> np.uint64(1)) & np.uint64(0x5555555555555555)
    word = (word & np.uint64(0x3333333333333333)) + ((word >> np.uint64(2)) & np.uint64(0x3333333333333333))
    word = (word + (word >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return np.int64((word * np.uint64(0x0101010101010101)) >> np.uint64(56))


@njit(cache=True, nogil=True)
def _rouge_f(lcs: Any, candidate: Any, member: Any) -> Any:
    """ROUGE-L F, with the floating-point operations of rouge_score in their order. lcs > 0."""
    precision = lcs / member
    recall = lcs / candidate
    return 2 * precision * recall / (precision + recall)


@njit(cache=True, nogil=True)
def _fill_strip(terms: Any, strip: Any, slots: Any, masks: Any) -> None:
    """Set in `masks` the bit of each of the 64 terms of a strip."""
    for k in range(64 * strip, min(64 * strip + 64, len(terms))):
        masks[slots[terms[k]] - 1] |= np.uint64(1) << np.uint64(k & 63)


@njit(cache=True, nogil=True)
def _masks(terms: Any, slots: Any) -> Any:
    """Number the distinct terms of a candidate in `slots` (from 1), and make their masks (strips, distinct terms).

    One strip alone, all zero, if there would be more than MOST_MASKS.
    """
    distinct = 0
    for k in range(len(terms)):
        if slots[terms[k]] == 0:
            distinct += 1
            slots[terms[k]] = distinct
    strips = (len(terms) + 63) // 64
    if strips * distinct > MOST_MASKS:
        return np.zeros((1, distinct), np.uint64)
    masks = np.zeros((strips, distinct), np.uint64)
    for strip in range(strips):
        _fill_strip(terms, strip, slots, masks[strip])
    return masks


@njit(cache=True, nogil=True)
def _lcs(terms: Any, slots: Any, masks: Any, member: Any, row: Any, carries: Any) -> Any:
    """The length of the LCS of a candidate, prepared by `_masks`, and a member. row, carries: room for its terms."""
    n = 0
    for j in range(len(member)):
        slot = slots[member[j]]
        row[n] = slot - 1
        n += slot > 0
    strips = (len(terms) + 63) // 64
    for j in range(n if strips > 1 else 0):
        carries[j] = 0
    total = 0
    for strip in range(strips):
        made = len(masks) == strips
        mask = masks[strip if made else 0]
        if not made:
            _fill_strip(terms, strip, slots, mask)
        v = ONES
        if strips == 1:
            for j in range(n):
                u = v & mask[row[j]]
                v = (v + u) | (v - u)
        else:
            for j in range(n):
                u = v & mask[row[j]]
                low = v + u
                new = low + carries[j]
                carries[j] = np.uint64(low < v) | np.uint64(new < low)
                v = new | (v - u)
        left = len(terms) - 64 * strip
        total += _ones(~v & (ONES if left >= 64 else (np.uint64(1) << np.uint64(left)) - np.uint64(1)))
        if not made:
            for k in range(64 * strip, min(64 * strip + 64, len(terms))):
                mask[slots[terms[k]] - 1] = 0
    return total


@njit(cache=True, nogil=True)
def _beats(one: Any, best: Any, candidate: Any, exact: Any) -> Any:
    """Whether a pair (lcs, member's length, member) is nearer than the best one; of equals the earlier member is."""
    if one[0] == 0:
        return False
    if best[0] == 0:
        return True
    if exact:
        here, there = one[0] * (candidate + best[1]), best[0] * (candidate + one[1])
        return here > there or (here == there and one[2] < best[2])
    f, most = _rouge_f(one[0], candidate, one[1]), _rouge_f(best[0], candidate, best[1])
    return f > most or (f == most and one[2] < best[2])


@njit(cache=True, nogil=True)
def _nearer(ready: Any, pool: Any, i: Any, best: Any, candidate: Any, exact: Any) -> Any:
    """The pair with member i if it beats the best one, else the best one."""
    terms, slots, masks, row, carries = ready
    members, offsets = pool
    member = members[offsets[i] : offsets[i + 1]]
    one = (_lcs(terms, slots, masks, member, row, carries), len(member), i)
    return one if _beats(one, best, candidate, exact) else best


@njit(cache=True, nogil=True)
def _reached(best: Any, candidate: Any) -> Any:
    """The F of a pair."""
    return 2.0 * best[0] / (candidate + best[1])


@njit(cache=True, nogil=True)
def _bound(common: Any, candidate: Any, member: Any) -> Any:
    """No F is above this: so many terms in common at most, and never more than the member has."""
    return 2.0 * min(common, member) / (candidate + member)


@njit(cache=True, nogil=True)
def _walk(ready: Any, pool: Any, features: Any, index: Any, room: Any, candidate: Any, exact: Any) -> Any:
    """Count what members share with the candidate: (members met, features not walked, best pair, pairs compared).

    It ends when a member of nothing but the features left could not reach the best F.
    """
    arena, starts, sizes = index
    shared, _, touched = room
    offsets = pool[1]
    best, reached, top, compared = (0, 0, -1), 0.0, 0.0, 0
    met, left = 0, len(features)
    while left and 2.0 * left / (candidate + left) >= reached * SLACK:
        feature = features[len(features) - left]
        left -= 1
        for j in range(starts[feature], starts[feature] + sizes[feature]):
            i = arena[j]
            if shared[i] == 0:
                touched[met] = i
                met += 1
            shared[i] += 1
            bound = 2.0 * shared[i] / (candidate + offsets[i + 1] - offsets[i])
            if bound > top * STEP:  # so far the nearest by the terms seen: compared at once, to end the walk early
                top = bound
                if bound > reached:
                    best = _nearer(ready, pool, np.int64(i), best, candidate, exact)
                    reached = _reached(best, candidate)
                    compared += 1
    return met, left, best, compared


@njit(cache=True, nogil=True)
def _rank(touched: Any, met: Any, offsets: Any, shared: Any, left: Any, candidate: Any, reached: Any) -> Any:
    """The members met whose bound reaches an F, by falling bound (in steps of 1 / BUCKETS); the rest are forgotten."""
    ends = np.zeros(BUCKETS + 1, np.int64)
    kept = 0
    for k in range(met):
        i = touched[k]
        bound = _bound(shared[i] + left, candidate, offsets[i + 1] - offsets[i])
        if bound >= reached * SLACK:
            ends[int(bound * (BUCKETS - 1))] += 1
            touched[kept] = i
            kept += 1
        else:
            shared[i] = 0
    for b in range(BUCKETS - 1, -1, -1):
        ends[b] += ends[b + 1]
    ends[:BUCKETS] = ends[1:]  # where each bucket begins
    found = np.empty(kept, np.int32)
    for k in range(kept):
        i = touched[k]
        b = int(_bound(shared[i] + left, candidate, offsets[i + 1] - offsets[i]) * (BUCKETS - 1))
        found[ends[b]] = i
        ends[b] += 1
    return found


@njit(cache=True, nogil=True)
def search_loop(
    terms: Any, candidate: Any, features: Any, index: Any, pool: Any, room: Any, longest: Any, exact: Any
) -> Any:
    """The nearest member: (LCS length, its length, its number, pairs compared); number -1 if none shares a term.

    terms: the candidate's terms that the pool knows, in order (others match nothing). candidate: its length with all
    terms. features: those that the pool knows, the rarest first. index: (arena, starts, sizes). pool: (terms of all
    members, offsets). room: (shared, slots, touched), int32: zeros a member, zeros a term, anything a member; the zeros
    are left as they were. longest: the most terms of a member.
    """
    offsets = pool[1]
    shared, slots, touched = room
    row, carries = np.empty(longest, np.int32), np.empty(longest, np.uint64)
    ready = (terms, slots, _masks(terms, slots), row, carries)
    met, left, best, compared = _walk(ready, pool, features, index, room, candidate, exact)
    found = _rank(touched, met, offsets, shared, left, candidate, _reached(best, candidate))
    for k in range(len(found)):
        i = np.int64(found[k])
        bound = _bound(shared[i] + left, candidate, offsets[i + 1] - offsets[i])
        shared[i] = 0
        if bound >= _reached(best, candidate) * SLACK and i != best[2]:
            best = _nearer(ready, pool, i, best, candidate, exact)
            compared += 1
    for k in range(len(terms)):
        slots[terms[k]] = 0
    return best[0], best[1], best[2], compared


@njit(cache=True, nogil=True)
def append_loop(features: Any, member: Any, index: Any, used: Any, free: Any) -> Any:
    """Write a new member (the highest number so far) into the posting lists of its features; the arena's use after it.

    free: for each power of two the first outgrown stretch of that length (-1 for none); each says where the next is.
    """
    arena, starts, sizes = index
    for k in range(len(features)):
        feature = features[k]
        size, start = sizes[feature], starts[feature]
        if size & (size - 1) == 0:  # 0 or a power of two: full
            power = 0
            while size >> power:
                power += 1
            new = free[power]
            if new >= 0:
                free[power] = arena[new]
            else:
                new = used
                used += 1 << power
            for j in range(size):
                arena[new + j] = arena[start + j]
            if size:
                arena[start] = free[power - 1]
                free[power - 1] = start
            starts[feature] = new
            start = new
        arena[start + size] = member
        sizes[feature] = size + 1
    return used
