"""Which answers make pairs: the strategy's choice among the pairs that pass all guards.

Within a group answers are ordered by one measure (`compare.py`). Of all strictly ordered pairs, those stand that pass
the guards (`guards.py`), and the strategy chooses among these alone, so that a guard never spoils a group:
- `best-worst`, `best-random`, `best-vs-all`: the best answer with a pair that stands is chosen; rejected is the worst,
  one at random, or each of those it stands with.
- `adjacent`: each level of equal answers gives one pair with the nearest worse level that it stands with.
- `all`: every pair that stands. `threshold`: every one with chosen >= high and rejected <= low.
Where answers tie, their order is drawn from seed and content, and the first one that has a pair speaks for them.

Then a pair of answers that is there already under the same prompt is taken out (`repeated`), then those beyond
`max_pairs_per_prompt` (the largest margin stays first), then those that `balance_length` has to give up (`balance.py`).
An answer in no pair has one reason (`strategy.UNUSED`): if it had pairs that stood, what took the last of them;
if not, the guard that took the last of them; and otherwise why it has none.

Cost: 1.2 to 2 s for 200,000 groups of four on one core, 500 bytes an answer; all pairs of a group are looked at.
Python: `decided = decide(table, Strategy("best-worst", min_margin=1.0)); decided.report["guards"]`
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dataforge.errors import DataError, UsageError
from dataforge.ops.preference.balance import balanced
from dataforge.ops.preference.compare import Order, compare
from dataforge.ops.preference.draws import dense, draw
from dataforge.ops.preference.guards import GUARDS, REASON, Guards, worse
from dataforge.ops.preference.lengths import length_table
from dataforge.ops.preference.strategy import BY, STRATEGIES, UNUSED, Decided, Strategy
from dataforge.ops.preference.table import Table

__all__ = ["decide"]

BLOCK = 1 << 18
"""Pairs that are looked at together."""
MANY = 1 << 22
"""Pairs beyond which those over the limit of a prompt are let go before the end."""
MOST = 100_000_000
"""Pairs beyond which a run without a limit is refused."""
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


def decide(table: Table, strategy: Strategy) -> Decided:
    """The pairs of a table, the same for the same content and seed in whatever order rows come.

    Raises UsageError for settings that make no sense, DataError for more than 100 million pairs.
    report: `strategy`, `entries`, `groups`, `groups_with_pairs`, `groups_of_several_prompts`, `prompts`, `pairs`; `by`:
    groups by the measure that decided; `ordered`, `tied`: pairs of answers within groups; `guards`: ordered pairs that
    fell, by the first guard that they failed; `repeated`, `max_pairs_per_prompt`: pairs let go; `balance_length`:
    `swapped`, `dropped`, `reached`, or None; `unused`: answers by reason; `lengths`: `before` and `after` balancing;
    `votes`; `prefix_checked`: whether there were texts to look for prefixes.
    """
    _check(strategy)
    by = "score" if strategy.name == "threshold" and strategy.by == "auto" else strategy.by
    order = compare(table, by, strategy.seed)
    choosing = _Choosing(order, Guards(table, order, strategy), strategy)
    choosing.look()
    chosen, rejected = choosing.limited()
    before = choosing.lengths(chosen, rejected)
    balance: dict[str, Any] | None = None
    if strategy.balance_length:
        result = balanced(order, choosing.guards, strategy, chosen, rejected)
        choosing.let_go("balance_length", result.gone_chosen, result.gone_rejected)
        chosen, rejected, balance = result.chosen, result.rejected, result.report
    decided = _decided(table, order, choosing, chosen, rejected)
    used = np.bincount(decided.unused, minlength=len(UNUSED))
    decided.report |= {
        "strategy": strategy.name,
        "repeated": choosing.counts["repeated"],
        "max_pairs_per_prompt": choosing.counts["max_pairs_per_prompt"],
        "balance_length": balance,
        "unused": {name: int(used[code]) for code, name in enumerate(UNUSED) if code and used[code]},
        "lengths": {"before": before, "after": choosing.lengths(chosen, rejected)},
        "votes": order.votes,
        "prefix_checked": table.texts is not None,
    }
    return decided


def _check(strategy: Strategy) -> None:
    high, low, ratio, least = strategy.high, strategy.low, strategy.max_length_ratio, strategy.min_chosen_score
    most = strategy.max_pairs_per_prompt
    by_threshold, given = strategy.name == "threshold", high is not None and low is not None
    known, help = ", ".join(STRATEGIES), "give both high and low, high not below low"
    faults = (
        (strategy.name not in STRATEGIES, f"strategy {strategy.name!r} is unknown", f"it is one of {known}"),
        (strategy.by not in BY, f"by {strategy.by!r} is unknown", "it is one of " + ", ".join(BY)),
        (
            not by_threshold and (high, low) != (None, None),
            f"high or low with {strategy.name}",
            "they go with threshold",
        ),
        (by_threshold and not given, f"threshold with high {high} and low {low}", help),
        (given and not (high or 0.0) >= (low or 0.0), f"high {high} and low {low}", help),
        (by_threshold and strategy.by in ("label", "rank"), f"threshold by {strategy.by}", "go by score or votes"),
        (not 0 <= strategy.min_margin < np.inf, f"min_margin {strategy.min_margin}", "it is a number, 0 or more"),
        (ratio is not None and not ratio >= 1, f"max_length_ratio {ratio}", "longer / shorter is 1 or more"),
        (most is not None and most < 1, f"max_pairs_per_prompt {most}", "it is 1 or more"),
        (least is not None and np.isnan(least), f"min_chosen_score {least}", "it is a number"),
    )
    for wrong, message, advice in faults:
        if wrong:
            raise UsageError(message, help=advice)


class _Choosing:
    """The strategy at work on places of the order.

    passed: places with a pair that stands. worst: of each place the last guard that took a pair of it. stage: of places
    whose chosen pairs were let go, the code of UNUSED. counts: pairs let go, by reason. fallen: pairs by guard.
    """

    def __init__(self, order: Order, guards: Guards, strategy: Strategy) -> None:
        size = len(order.entry)
        self.order, self.guards, self._strategy = order, guards, strategy
        self.passed, self.worst = np.zeros(size, bool), np.zeros(size, np.uint8)
        self.stage = np.zeros(size, np.uint8)
        self.counts = {"repeated": 0, "max_pairs_per_prompt": 0, "balance_length": 0}
        self.fallen = np.zeros(len(GUARDS), np.int64)
        self._slot = order.level if strategy.name == "adjacent" else order.arena
        self._settled = np.zeros(int(self._slot[-1]) + 1 if size else 0, bool)
        self._pairs: list[tuple[Ints, Ints]] = []

    def look(self) -> None:
        """Look at all ordered pairs, and take what the strategy wants."""
        total = 0
        for chosen, rejected in worse(self.order, np.arange(len(self.order.entry)), BLOCK):
            codes = self.guards.codes(chosen, rejected)
            self.fallen += np.bincount(codes, minlength=len(GUARDS))
            fell = np.flatnonzero(codes)
            if len(fell):
                np.maximum.at(self.worst, chosen[fell], codes[fell])
                np.maximum.at(self.worst, rejected[fell], codes[fell])
                stands = codes == 0
                chosen, rejected = chosen[stands], rejected[stands]
            self.passed[chosen] = self.passed[rejected] = True
            self._pairs.append(self._picked(chosen, rejected))
            total += len(self._pairs[-1][0])
            if total > MANY and self._strategy.max_pairs_per_prompt is not None:
                self._pairs = [self.limited()]
                total = len(self._pairs[0][0])
            elif total > MOST:
                raise DataError(f"more than {MOST:,} pairs", help="limit them with max_pairs_per_prompt")

    def _picked(self, chosen: Ints, rejected: Ints) -> tuple[Ints, Ints]:
        """Of pairs that stand (whole rows, in order) those that the strategy takes."""
        name = self._strategy.name
        if name in ("all", "threshold") or not len(chosen):
            return chosen, rejected
        slot = self._slot[chosen]
        speaks = (chosen == _firsts(chosen, slot)) & ~self._settled[slot]
        self._settled[slot] = True
        chosen, rejected = chosen[speaks], rejected[speaks]
        if name == "best-vs-all" or not len(chosen):
            return chosen, rejected
        if name == "best-worst":
            level = self.order.level[rejected]
            wanted = level == _firsts(level[::-1], chosen[::-1])[::-1]
            chosen, rejected = chosen[wanted], rejected[wanted]
        elif name == "best-random":
            number = self.guards.pair_draw(chosen, rejected)
            begins = np.flatnonzero(_begins(chosen))
            least = np.minimum.reduceat(number, begins)
            wanted = number == np.repeat(least, np.diff(np.append(begins, len(chosen))))
            chosen, rejected = chosen[wanted], rejected[wanted]
        one = _begins(chosen)
        return chosen[one], rejected[one]

    def limited(self) -> tuple[Ints, Ints]:
        """The pairs so far, each once and at most so many to a prompt."""
        nothing = np.zeros(0, np.int64)
        chosen, rejected = (np.concatenate(side) for side in zip((nothing, nothing), *self._pairs, strict=True))
        for name, stays in (("repeated", self._once), ("max_pairs_per_prompt", self._within)):
            mask = stays(chosen, rejected)
            self.let_go(name, chosen[~mask], rejected[~mask])
            chosen, rejected = chosen[mask], rejected[mask]
        return chosen, rejected

    def let_go(self, name: str, chosen: Ints, rejected: Ints) -> None:
        """Note that pairs are given up for a reason; later reasons come after earlier ones in UNUSED."""
        self.counts[name] += len(chosen)
        for places in (chosen, rejected):
            self.stage[places] = np.maximum(self.stage[places], UNUSED.index(name))

    def lengths(self, chosen: Ints, rejected: Ints) -> dict[str, Any]:
        """The table of length differences of pairs."""
        return length_table(self.guards.length[chosen], self.guards.length[rejected])

    def _once(self, chosen: Ints, rejected: Ints) -> Bools:
        """Of the same two answers to the same prompt the pair with the largest margin, then the best chosen score."""
        stays = np.ones(len(chosen), bool)
        some = np.flatnonzero(self.guards.repeats(chosen, rejected))
        good, bad = chosen[some], rejected[some]
        key, margin = self.guards.pair_key(good, bad), self.guards.margin(good, bad)
        turn = np.lexsort((good, -np.nan_to_num(self.guards.score[good]), -margin, key))
        stays[some[turn[~_begins(key[turn])]]] = False
        return stays

    def _within(self, chosen: Ints, rejected: Ints) -> Bools:
        most, prompt = self._strategy.max_pairs_per_prompt, self.order.prompt[chosen]
        stays = np.ones(len(chosen), bool)
        if most is None or not len(chosen):
            return stays
        some = np.flatnonzero(np.bincount(prompt)[prompt] > most)
        good, bad = chosen[some], rejected[some]
        turn = np.lexsort((self.guards.pair_draw(good, bad), -self.guards.margin(good, bad), prompt[some]))
        place = np.arange(len(turn))
        stays[some[turn[place - _firsts(place, prompt[some][turn]) >= most]]] = False
        return stays


def _decided(table: Table, order: Order, choosing: _Choosing, chosen: Ints, rejected: Ints) -> Decided:
    """The pairs as entries of the table, in the order of the input, and each entry's fate."""
    margin = choosing.guards.margin(chosen, rejected)
    unused = order.plight.copy()
    free = unused[order.entry] == 0
    fate = np.where(choosing.passed, UNUSED.index("not_selected"), REASON[choosing.worst])
    unused[order.entry[free]] = np.where(choosing.stage, choosing.stage, fate)[free]
    chosen, rejected = order.entry[chosen], order.entry[rejected]
    unused[chosen] = unused[rejected] = 0
    first_row = np.full(table.groups, np.iinfo(np.int64).max)
    np.minimum.at(first_row, table.group, table.row)
    turn = np.lexsort((rejected, chosen, table.group[chosen], first_row[table.group[chosen]]))
    chosen, rejected = chosen[turn], rejected[turn]
    group = table.group[chosen]
    size = order.below - order.start
    prompts, several = _prompts(table)
    report: dict[str, Any] = {
        "entries": len(table),
        "groups": table.groups,
        "groups_with_pairs": len(np.unique(group)),
        "prompts": prompts,
        "groups_of_several_prompts": several,
        "pairs": len(chosen),
        "groups_by": {name: int((order.measure == code).sum()) for code, name in enumerate(BY) if code},
        "ordered": int(choosing.fallen.sum()),
        "tied": int((size - 1).sum()) // 2,
        "guards": {name: int(choosing.fallen[code]) for code, name in enumerate(GUARDS) if code},
    }
    return Decided(chosen, rejected, margin[turn], order.measure[group], unused, report)


def _prompts(table: Table) -> tuple[int, int]:
    """How many prompts there are, and how many groups have answers to more than one (which are never paired)."""
    prompt = dense(draw(0, table.prompt[:, 0], table.prompt[:, 1]))
    if not len(prompt):
        return 0, 0
    low, high = np.full(table.groups, len(prompt)), np.full(table.groups, -1)
    np.minimum.at(low, table.group, prompt)
    np.maximum.at(high, table.group, prompt)
    return int(prompt.max()) + 1, int((high > low).sum())


def _begins(values: NDArray[Any]) -> Bools:
    """Where a run of equal values begins."""
    begins = np.ones(len(values), bool)
    begins[1:] = values[1:] != values[:-1]
    return begins


def _firsts(values: Ints, runs: Ints) -> Ints:
    """For each place the value at which its run of equal `runs` begins."""
    begins = np.flatnonzero(_begins(runs))
    return np.repeat(values[begins], np.diff(np.append(begins, len(runs))))
