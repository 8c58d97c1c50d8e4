"""Which part each group of rows goes to: by a hash of its key and the seed, so by content alone.

Every group has a number u in [0, 1): its key and the seed, mixed by the finaliser of SplitMix64 (Steele, Lea and Flood,
2014). Neither order, workers nor the other rows change it.

- A share s takes the groups with u < s (validation) or u >= 1 - s (test): rows that come later move no older row.
- A count takes the groups of the lowest u (validation) or the highest (test) until it is full. A group that would
  overshoot is passed over; of these one is taken at the end, if that comes nearer. New rows may move rows at the edge.
- Shares within strata are counts too: s of the stratum's amount, what one stratum is short of going to the next one.
  A group belongs to the stratum of most of its rows.

Cost: a sort of the keys, a second a million rows.
Python: `decide(groups, Plan(validation=0.05, test=0.0))`
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["NAMES", "Groups", "Plan", "decide", "fill", "numbered", "positions"]

Ints = NDArray[np.int64]
Keys = NDArray[Any]
NAMES = ("train", "validation", "test")
TRAIN, VALIDATION, TEST = range(3)
_WORD = (1 << 64) - 1
_STEP, _FIRST, _SECOND = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB


@dataclass(frozen=True)
class Plan:
    """How much goes to validation and test: a share below 1, or an amount from 1 on, in the unit of the split."""

    validation: float
    test: float

    def wanted(self, part: int, total: int) -> float:
        """The amount that a part is to hold, of a total."""
        size = self.validation if part == VALIDATION else self.test
        return size * total if size < 1 else size


@dataclass
class Groups:
    """Groups of rows, in the order of their keys.

    keys: the smallest key of each group's rows (of KEY). amount: in the unit of the split. stratum: number of each
    group's stratum; all 0 where there are none.
    """

    keys: Keys
    amount: Ints
    stratum: Ints

    def __len__(self) -> int:
        return len(self.keys)


def numbered(keys: Keys) -> tuple[Ints, Keys]:
    """(number of each key, the distinct keys in ascending order): equal keys have equal numbers."""
    order = np.argsort(keys["a"], kind="stable")
    half = keys["a"][order]
    new = np.ones(len(keys), bool)
    new[1:] = half[1:] != half[:-1]
    again = np.flatnonzero(~new)
    if (keys["b"][order[again]] != keys["b"][order[again - 1]]).any():  # keys that share one half
        order = np.lexsort((keys["b"], keys["a"]))
        new[1:] = keys[order][1:] != keys[order][:-1]
    number = np.empty(len(keys), np.int64)
    number[order] = np.cumsum(new) - 1
    return number, keys[order[new]]


def _mixed(words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The finaliser of SplitMix64: every bit of the result depends on every bit of the word."""
    words = (words ^ (words >> np.uint64(30))) * np.uint64(_FIRST)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(_SECOND)
    return words ^ (words >> np.uint64(31))


def positions(keys: Keys, seed: int) -> NDArray[np.uint64]:
    """The place of each key on the line from 0 to 2**64, evenly spread; u = place / 2**64."""
    start = np.full(1, (seed * _STEP + _STEP) & _WORD, np.uint64)
    return _mixed(_mixed(keys["a"] ^ _mixed(start)) ^ keys["b"])


def fill(amounts: Ints, wanted: float) -> Ints:
    """Places of the groups that are taken to come to `wanted`: those that fit, and one more where that is nearer."""
    taken, passed, missing = [], [], wanted
    for place, amount in enumerate(amounts.tolist()):
        if missing <= 0.5:  # no amount is a fraction
            break
        if amount <= missing:
            taken.append(place)
            missing -= amount
        else:
            passed.append(place)
    if passed and missing > 0.5:
        off, place = min((abs(int(amounts[place]) - missing), place) for place in passed)
        if off < missing:
            taken.append(place)
    return np.array(sorted(taken), np.int64)


def decide(groups: Groups, plan: Plan, seed: int, *, stratified: bool = False) -> NDArray[np.int8]:
    """The part (a place in NAMES) of each group."""
    parts = np.full(len(groups), TRAIN, np.int8)
    place = positions(groups.keys, seed)
    order = np.argsort(place, kind="stable")
    for part, size in ((VALIDATION, plan.validation), (TEST, plan.test)):
        if size == 0:
            continue
        ranked = order if part == VALIDATION else order[::-1]
        if size < 1 and not stratified:
            edge = np.uint64(int(size * 2**64))
            chosen = place < edge if part == VALIDATION else ~place < edge
            parts[chosen & (parts == TRAIN)] = part
            continue
        total = int(groups.amount.sum())
        free = ranked[parts[ranked] == TRAIN]
        parts[_by_stratum(groups, free, plan.wanted(part, total) / max(total, 1))] = part
    return parts


def _by_stratum(groups: Groups, free: Ints, share: float) -> Ints:
    """Groups of each stratum that hold the share of its amount; what is missing or too much goes on to the next."""
    amount, count = _sums(groups.stratum, groups.amount), np.bincount(groups.stratum)
    of_free = free[np.argsort(groups.stratum[free], kind="stable")]
    edges = np.searchsorted(groups.stratum[of_free], np.arange(len(amount) + 1))
    taken, carry = [np.zeros(0, np.int64)], 0.0
    for stratum, (start, end) in enumerate(zip(edges[:-1], edges[1:], strict=True)):
        rows = of_free[start:end]
        wanted = share * float(amount[stratum]) + carry
        chosen = rows[fill(groups.amount[rows], wanted)]
        taken.append(chosen)
        # A stratum of one giant group must not make the next one pay for it.
        typical = max(1.0, float(amount[stratum]) / max(1, int(count[stratum])))
        carry = min(typical, max(-typical, wanted - float(groups.amount[chosen].sum())))
    return np.concatenate(taken)


def _sums(numbers: Ints, amounts: Ints) -> Ints:
    """The sum of the amounts of each number (exact below 2**53)."""
    return np.bincount(numbers, weights=amounts).astype(np.int64)
