"""Which pairs may stand: each strictly ordered pair of a group passes all guards, or falls to the first that it fails.

In this order:
- `threshold` (only for that strategy): chosen >= high and rejected <= low.
- `same_answer`: the answers are identical. `white_space`: but for white space.
- `min_margin`: the difference is less. `min_chosen_score`: the chosen answer's score is less, or it has none.
- `max_length_ratio`: longer / shorter length, in characters, is more.
- `contradiction`: somewhere under the same prompt the same two answers are ordered the other way; both pairs fall.
- `prefix`: one text is the beginning of the other, white space left out. Only this one needs texts, and asks for them
  only where all else is passed and the openings (`Table.opening`) agree. An empty text is the beginning of nothing.

Cost: about 0.2 us a pair.
Python: `codes = Guards(table, order, strategy).codes(chosen, rejected)  # places in the order`
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dataforge.ops.preference.compare import Order
from dataforge.ops.preference.draws import dense, draw
from dataforge.ops.preference.strategy import BY, UNUSED, Strategy
from dataforge.ops.preference.table import Table

__all__ = ["GUARDS", "REASON", "Guards", "worse"]

GUARDS = (
    "",
    "threshold",
    "same_answer",
    "white_space",
    "min_margin",
    "min_chosen_score",
    "max_length_ratio",
    "contradiction",
    "prefix",
)
"""Names of the guards; index = code, 0: the pair passes."""
REASON = np.array([UNUSED.index({"white_space": "same_answer"}.get(name, name)) for name in GUARDS], np.uint8)
"""The code of UNUSED that goes with each guard."""
ASKED = 4096
"""Pairs whose texts are looked at together."""
HELD = 1 << 23
"""Characters of texts (each counted as 100 more) that are kept in memory for the next pairs of their group."""
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


def worse(order: Order, chosen: Ints, limit: int) -> Iterator[tuple[Ints, Ints]]:
    """All pairs of the given places (ascending) with every strictly worse place of their arena, in blocks.

    A block has whole rows, all pairs of a chosen place, and at most `limit` pairs unless one row alone has more.
    """
    count = order.stop[chosen] - order.below[chosen]
    chosen, count = chosen[count > 0], count[count > 0]
    ends = np.cumsum(count)
    at = 0
    while at < len(chosen):
        done = int(ends[at - 1]) if at else 0
        to = max(at + 1, int(np.searchsorted(ends, done + limit, "right")))
        sizes = count[at:to]
        starts = order.below[chosen[at:to]] - (ends[at:to] - sizes - done)
        rejected = np.arange(int(sizes.sum())) + np.repeat(starts, sizes)
        yield np.repeat(chosen[at:to], sizes), rejected
        at = to


class Guards:
    """What guards look at, by place in the order. content: number of (prompt, answer). length: in characters."""

    def __init__(self, table: Table, order: Order, strategy: Strategy) -> None:
        entry = order.entry
        self._table, self._order, self._strategy = table, order, strategy
        key = draw(0, table.prompt[:, 0], table.prompt[:, 1], table.answer[:, 0], table.answer[:, 1])
        self.key = key[entry]
        self.content = dense(self.key)
        self.length: Ints = table.length[entry]
        self.score = table.score[entry]
        self._plain = draw(0, table.plain[entry, 0], table.plain[entry, 1])
        self._opening = None if table.opening is None else table.opening[entry]
        self._labelled: Bools = order.measure[table.group[entry]] == BY.index("label")
        self._heard = _Heard(order, self.content)
        self._read: dict[int, str] = {}
        self._weight = 0

    def codes(self, chosen: Ints, rejected: Ints) -> NDArray[np.uint8]:
        """Of each pair the first guard that it fails (index into GUARDS), 0 if it passes all."""
        codes = np.zeros(len(chosen), np.uint8)
        for code, fails in self._cheap(chosen, rejected):
            codes[fails & (codes == 0)] = code
        for name, look in (("contradiction", self._heard.contradicted), ("prefix", self._prefixes)):
            left = np.flatnonzero(codes == 0)
            codes[left[look(chosen[left], rejected[left])]] = GUARDS.index(name)
        return codes

    def repeats(self, chosen: Ints, rejected: Ints) -> Bools:
        """Where an answer of a pair stands more than once under its prompt: only such pairs can be there twice."""
        many = self._heard.many
        found: Bools = many[self.content[chosen]] | many[self.content[rejected]]
        return found

    def pair_key(self, chosen: Ints, rejected: Ints) -> Ints:
        """The same number for the same two answers to the same prompt, the same way round."""
        key: Ints = self.content[chosen] * len(self.content) + self.content[rejected]
        return key

    def pair_draw(self, chosen: Ints, rejected: Ints) -> NDArray[np.uint64]:
        """A number for each pair, from seed, prompt and both answers."""
        return draw(self._strategy.seed, self.key[chosen], self.key[rejected])

    def margin(self, chosen: Ints, rejected: Ints) -> NDArray[np.float64]:
        """By how much the chosen answers are better; of labelled ones, by how much scores that agree say so, else 1."""
        margin = _gap(self._order.value[chosen], self._order.value[rejected])
        if self._labelled.any():
            gap = _gap(self.score[chosen], self.score[rejected])
            margin = np.where(self._labelled[chosen] & (gap > 0), gap, margin)
        return margin

    def _cheap(self, chosen: Ints, rejected: Ints) -> Iterator[tuple[int, Bools]]:
        strategy, value = self._strategy, self._order.value
        if strategy.name == "threshold":
            high, low = float(strategy.high or 0.0), float(strategy.low or 0.0)
            yield 1, ~((value[chosen] >= high) & (value[rejected] <= low))
        yield 2, self.content[chosen] == self.content[rejected]
        yield 3, self._plain[chosen] == self._plain[rejected]
        if strategy.min_margin > 0:
            noise = 1e-9 * np.maximum(1.0, strategy.min_margin)  # 4.3 - 4.0 is 0.3, whatever binary digits say
            yield 4, self.margin(chosen, rejected) < strategy.min_margin - noise
        if strategy.min_chosen_score is not None:
            yield 5, ~(self.score[chosen] >= strategy.min_chosen_score)
        if strategy.max_length_ratio is not None:
            one, other = self.length[chosen], self.length[rejected]
            yield 6, np.maximum(one, other) > strategy.max_length_ratio * np.minimum(one, other)

    def _prefixes(self, chosen: Ints, rejected: Ints) -> Bools:
        found = np.zeros(len(chosen), bool)
        if self._table.texts is None:
            return found
        asked = np.arange(len(chosen))
        if self._opening is not None:
            good, bad = self._opening[chosen], self._opening[rejected]
            asked = np.flatnonzero((good == bad) | (good == 0) | (bad == 0))
        for at in range(0, len(asked), ASKED):
            some = asked[at : at + ASKED]
            places, where = np.unique(np.append(chosen[some], rejected[some]), return_inverse=True)
            texts = self._texts(places.tolist())
            one, other = where.reshape(2, -1)
            found[some] = [_begins(texts[i], texts[j]) for i, j in zip(one.tolist(), other.tolist(), strict=True)]
        return found

    def _texts(self, places: list[int]) -> list[str]:
        """The texts of places without white space; those read lately are not read again."""
        if self._weight > HELD:
            self._read, self._weight = {}, 0
        new = [place for place in places if place not in self._read]
        texts = self._table.texts(self._order.entry[new]) if new else []
        for place, text in zip(new, texts, strict=True):
            self._read[place] = plain = "".join(text.split())
            self._weight += len(plain) + 100
        return [self._read[place] for place in places]


def _gap(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    """The difference, at most the largest number."""
    most = np.finfo(np.float64).max
    with np.errstate(over="ignore"):
        gap: NDArray[np.float64] = np.clip(one - other, -most, most)
    return gap


def _begins(one: str, other: str) -> bool:
    short, long = (one, other) if len(one) < len(other) else (other, one)
    return bool(short) and long.startswith(short)


class _Heard:
    """All that is said about the order of two answers: the best and the worst level of each content in each arena."""

    def __init__(self, order: Order, content: Ints) -> None:
        self._content, self._arenas = content, int(order.arena[-1]) + 1 if len(content) else 1
        contents = int(content.max()) + 1 if len(content) else 0
        self.many: Bools = np.bincount(content, minlength=contents) > 1
        turn = np.lexsort((order.level, order.arena, content))
        key = content[turn] * self._arenas + order.arena[turn]
        first = np.flatnonzero(np.append(True, key[1:] != key[:-1])[: len(key)])
        last = np.append(first, len(key))[1:] - 1
        self._key = key[first]
        self._best, self._worst = order.level[turn][first], order.level[turn][last]

    def contradicted(self, chosen: Ints, rejected: Ints) -> Bools:
        """Where some arena has an answer with the rejected one's content strictly above one with the chosen one's."""
        good, bad = self._content[chosen], self._content[rejected]
        found = np.zeros(len(good), bool)
        doubtful = np.flatnonzero(self.many[good] | self.many[bad])
        if not len(doubtful):
            return found
        size = len(self.many)
        pairs, where = np.unique(good[doubtful] * size + bad[doubtful], return_inverse=True)
        found[doubtful] = self._opposed(pairs // size, pairs % size)[where.reshape(-1)]
        return found

    def _opposed(self, good: Ints, bad: Ints) -> Bools:
        begin = np.searchsorted(self._key, good * self._arenas)
        count = np.searchsorted(self._key, (good + 1) * self._arenas) - begin
        owner = np.repeat(np.arange(len(good)), count)
        seen = np.arange(len(owner)) - np.repeat(np.cumsum(count) - count, count) + begin[owner]
        wanted = bad[owner] * self._arenas + self._key[seen] % self._arenas
        other: Any = np.minimum(np.searchsorted(self._key, wanted), len(self._key) - 1)
        opposed = (self._key[other] == wanted) & (self._best[other] < self._worst[seen])
        found = np.zeros(len(good), bool)
        found[owner[opposed]] = True
        return found
