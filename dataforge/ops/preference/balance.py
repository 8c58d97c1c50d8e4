"""As many pairs whose chosen answer is longer as pairs whose rejected answer is: `--balance-length`.

Balanced means that of the pairs of unequal length between 48 and 52 of 100 have the longer answer chosen:
12 * more <= 13 * fewer. Where one kind is too frequent, as few of its pairs as will do are

1. swapped for another pair that the strategy could have taken as well: of `best-random` any worse answer that stands,
   of `best-worst` and `adjacent` answers that tie with those of the pair, so that no margin changes. Swaps of the
   frequent kind for the other come first, then swaps of equal lengths for the other kind, then swaps of the frequent
   kind for equal lengths; among these the swap that costs least margin first;
2. dropped, the smallest margin first, ties by a draw from content.

Nothing is dropped where no pair of the other kind is left: that would leave nothing at all, and is reported.

Cost: guards look again at the alternatives of the frequent kind.
Python: `balanced(order, guards, strategy, chosen, rejected).report["reached"]`
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from dataforge.ops.preference.compare import Order
from dataforge.ops.preference.guards import Guards
from dataforge.ops.preference.strategy import Strategy

__all__ = ["SWAPPING", "Balanced", "balanced", "excess"]

SWAPPING = ("best-worst", "best-random", "adjacent")
"""Strategies that can have alternatives: they take one pair where others may be as good."""
TURNED, EVEN_TURNED, EVENED = 0, 1, 2
"""Swaps: the frequent kind for the rare one; equal lengths for the rare kind; the frequent kind for equal lengths."""
BLOCK = 1 << 19
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass
class Balanced:
    """Places of the pairs that stay, swapped ones included, and those of the pairs that had to go."""

    chosen: Ints
    rejected: Ints
    gone_chosen: Ints
    gone_rejected: Ints
    report: dict[str, int | bool] = field(default_factory=dict)


def excess(more: int, fewer: int) -> int:
    """How many pairs of the frequent kind must go, if the others stay: 12 * (more - n) <= 13 * fewer."""
    return max(0, more - 13 * fewer // 12)


def balanced(order: Order, guards: Guards, strategy: Strategy, chosen: Ints, rejected: Ints) -> Balanced:
    """The pairs with their lengths balanced. chosen, rejected: places in the order."""
    sign = np.sign(guards.length[chosen] - guards.length[rejected])
    kind = 1 if (sign > 0).sum() >= (sign < 0).sum() else -1
    more, fewer = int((sign == kind).sum()), int((sign == -kind).sum())
    was_chosen, was_rejected, kept = chosen.copy(), rejected.copy(), np.ones(len(chosen), bool)
    chosen, rejected, swapped = chosen.copy(), rejected.copy(), np.zeros(len(chosen), bool)
    if excess(more, fewer) and strategy.name in SWAPPING:
        swaps = _alternatives(order, guards, strategy, chosen, rejected, kind)
        for step, (owner, good, bad) in enumerate(swaps):
            there = np.isin(guards.pair_key(good, bad), guards.pair_key(chosen, rejected))
            free = np.flatnonzero(~swapped[owner] & ~there)
            take = free[: _wanted(step, more, fewer, len(free))]
            chosen[owner[take]], rejected[owner[take]] = good[take], bad[take]
            swapped[owner[take]] = True
            more -= len(take) if step != EVEN_TURNED else 0
            fewer += len(take) if step != EVENED else 0
    dropped = excess(more, fewer) if fewer else 0
    still = np.flatnonzero(np.sign(guards.length[chosen] - guards.length[rejected]) == kind)
    kept[_least(guards, still, chosen, rejected)[:dropped]] = False
    gone = swapped | ~kept
    reached = 12 * (more - dropped) <= 13 * fewer
    report: dict[str, int | bool] = {"swapped": int(swapped.sum()), "dropped": dropped, "reached": reached}
    return Balanced(chosen[kept], rejected[kept], was_chosen[gone], was_rejected[gone], report)


def _wanted(step: int, more: int, fewer: int, free: int) -> int:
    """How many swaps of a step bring 12 * more <= 13 * fewer about, or as near as they can."""
    short = 12 * more - 13 * fewer
    if short <= 0:
        return 0
    if step == TURNED:
        return min(free, -(-short // 25), (more - fewer) // 2)
    if step == EVEN_TURNED:
        return min(free, -(-short // 13))
    return min(free, excess(more, fewer)) if fewer or free >= more else 0


def _least(guards: Guards, pairs: Ints, chosen: Ints, rejected: Ints) -> Ints:
    """The pairs by margin, the smallest first."""
    good, bad = chosen[pairs], rejected[pairs]
    return pairs[np.lexsort((guards.pair_draw(good, bad), guards.margin(good, bad)))]


def _alternatives(
    order: Order, guards: Guards, strategy: Strategy, chosen: Ints, rejected: Ints, frequent: int
) -> list[tuple[Ints, Ints, Ints]]:
    """For each kind of swap (TURNED, EVEN_TURNED, EVENED) pairs that could stand for others: (pair, chosen, rejected).

    frequent: the sign of the length difference of the frequent kind. In the order in which swaps are to be made; a pair
    comes once in each list, and no two alternatives of a list are the same, or are pairs already.
    """
    present = np.unique(guards.pair_key(chosen, rejected))
    sign = np.sign(guards.length[chosen] - guards.length[rejected])
    owners = np.flatnonzero(sign != -frequent)
    found: list[list[tuple[Ints, Ints, Ints]]] = [[(owners[:0], owners[:0], owners[:0])] for _ in range(3)]
    for row, good, bad in _products(order, strategy, chosen[owners], rejected[owners]):
        owner, kind = owners[row], np.sign(guards.length[good] - guards.length[bad])
        turns = kind == -frequent
        fits = turns | ((kind == 0) & (sign[owner] != 0))
        fits[fits] = ~np.isin(guards.pair_key(good[fits], bad[fits]), present)
        fits[fits] = guards.codes(good[fits], bad[fits]) == 0
        step = np.where(turns, np.where(sign[owner] != 0, TURNED, EVEN_TURNED), EVENED)
        for number in range(3):
            mine = fits & (step == number)
            found[number].append(_one_each(guards, owner[mine], good[mine], bad[mine]))
    return [_in_order(guards, chosen, rejected, parts) for parts in found]


def _one_each(guards: Guards, owner: Ints, good: Ints, bad: Ints) -> tuple[Ints, Ints, Ints]:
    """Of each owner's alternatives one, by draw."""
    turn = np.lexsort((guards.pair_draw(good, bad), owner))
    owner, good, bad = owner[turn], good[turn], bad[turn]
    first = np.append(True, owner[1:] != owner[:-1])[: len(owner)]
    return owner[first], good[first], bad[first]


def _in_order(
    guards: Guards, chosen: Ints, rejected: Ints, parts: list[tuple[Ints, Ints, Ints]]
) -> tuple[Ints, Ints, Ints]:
    """The alternatives that cost least margin first, ties by draw; each once."""
    owner, good, bad = (np.concatenate(column) for column in zip(*parts, strict=True))
    old = guards.pair_draw(chosen[owner], rejected[owner])
    cost = guards.margin(chosen[owner], rejected[owner]) - guards.margin(good, bad)
    turn = np.lexsort((old, guards.pair_draw(good, bad), cost))
    owner, good, bad = owner[turn], good[turn], bad[turn]
    once = np.sort(np.unique(guards.pair_key(good, bad), return_index=True)[1])
    return owner[once], good[once], bad[once]


def _products(order: Order, strategy: Strategy, chosen: Ints, rejected: Ints) -> Iterator[tuple[Ints, Ints, Ints]]:
    """All pairs that are as good for the strategy as each given one: (row, chosen, rejected), in blocks of whole rows.

    A row that has nothing but the given pair itself is left out.
    """
    first, one = order.start[chosen], order.below[chosen] - order.start[chosen]
    wide = strategy.name == "best-random"
    low = order.below[chosen] if wide else order.start[rejected]
    other = (order.stop[chosen] if wide else order.below[rejected]) - low
    count = one * other
    count[count == 1] = 0
    ends = np.cumsum(count)
    at = 0
    while at < len(chosen):
        done = int(ends[at - 1]) if at else 0
        to = max(at + 1, int(np.searchsorted(ends, done + BLOCK, "right")))
        row = np.repeat(np.arange(at, to), count[at:to])
        number = np.arange(len(row)) + done - (ends - count)[row]
        yield row, first[row] + number // other[row], low[row] + number % other[row]
        at = to
