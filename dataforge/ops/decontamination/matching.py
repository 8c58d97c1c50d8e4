"""Rows against an index of reference items: for every row and part that have something in common, how much it is.

coverage      weight of the part's terms that lie in grams found in the row / weight of the part (template left out)
exact         the whole part stands in the row, term by term; or, of very short parts, a turn or the row is exactly it
containment   share of the part's shingles found within one stretch of the row, at most twice as long as the part

The texts of a row are looked at as one, so that an item is found across turns.

Cost: about 40 MB/s a core; memory for one group of texts (some 100 MB), whatever the length of a row.
Python: `Matcher(index, containment=0.8).score([Said(["How many ...?", "Four."], [0], 1)])`
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dataforge.ops.decontamination.index import SKETCH, Index
from dataforge.ops.decontamination.loops import ANCHOR, GRAM, SEQUENCE, SHINGLE, densest, runs_of, scan, shares
from dataforge.ops.decontamination.pieces import Group, Ints, Said, groups
from dataforge.ops.terms import pack

__all__ = ["Hits", "Matcher"]

MARGIN = 0.2
"""How far below the threshold an estimate of containment may be and still be counted exactly (3 standard errors)."""


@dataclass
class Hits:
    """Columns, one value for each (row, part) with something in common, in their order.

    span: where the longest run of it begins (piece, byte) and ends (piece, byte). pieces: the texts.
    """

    row: Ints
    part: Ints
    coverage: NDArray[np.float64]
    exact: NDArray[np.bool_]
    containment: NDArray[np.float64]
    span: Ints
    pieces: list[str]

    def find(self, key: Ints) -> Ints:
        """The hits of pairs (as `_key` has them), -1 where there is none."""
        own = _key(self.row, self.part)
        at = np.searchsorted(own, key)
        at[at == len(own)] = -1
        return np.where(own[at] == key, at, -1) if len(own) else at

    def of(self, hit: Ints, part: Ints) -> Ints:
        """For each of some hits the hit of its row with another part, -1 where there is none."""
        return np.where(part < 0, -1, self.find(_key(self.row[hit], part)))

    def text(self, hit: int, most: int = 160) -> str:
        """What the row and the part have in common, as it stands in the row, cut to `most` characters."""
        first, begin, last, end = self.span[hit].tolist()
        if first == last:
            data = pack([self.pieces[first]]).data[begin:end].tobytes()
            found = data[: 4 * most + 4].decode(errors="ignore")
        else:
            data = pack([self.pieces[first]]).data[begin:].tobytes() + b" "
            data += b"".join(pack([self.pieces[k]]).data.tobytes() + b" " for k in range(first + 1, last))
            found = (data + pack([self.pieces[last]]).data[:end].tobytes()).decode(errors="ignore")
        found = " ".join(found.split())
        return found if len(found) <= most else found[: most - 3] + "..."


class Matcher:
    """Scores rows against an index. containment: parts are counted exactly near this share; None: without shingles."""

    def __init__(self, index: Index, containment: float | None) -> None:
        self._index = index
        self._containment = containment
        self._seen = np.full((len(index.table.kind), 2), -1, np.int64)
        self._base = 0
        self._longest = int(index.length[index.whole_part].max(initial=0))
        kinds = np.bincount(index.table.kind, minlength=3)
        sizes = index.sizes
        self._passes = [(sizes.gram, GRAM)] if kinds[GRAM] or kinds[SEQUENCE] else []
        self._passes += [(sizes.shortest, ANCHOR)] if kinds[SEQUENCE] and sizes.shortest != sizes.gram else []
        self._shingles = bool(kinds[SHINGLE]) and containment is not None

    def score(self, rows: list[Said]) -> Hits:
        """The hits of rows, numbered from 0."""
        matches: list[Ints] = []
        likely: list[NDArray[np.float64]] = []
        pieces: list[str] = []
        for group in groups(rows):
            matches += self._matches(group)
            if self._shingles:
                likely += self._contained(group)
            pieces += group.texts
            self._base += len(group.rows) + 1
        return _joined(matches, likely, self._index, pieces)

    def _matches(self, group: Group) -> Iterator[Ints]:
        """Columns of what is found: row, part, start and end in the part, place, and the span."""
        table, index = self._index.table, self._index
        for size, salt in self._passes:
            found = scan(group.prefixes, group.bounds, table, size, salt, self._seen, self._base)
            row, entry, place = found.T
            start, end = table.start[entry].astype(np.int64), table.end[entry].astype(np.int64)
            yield group.columns(row, table.part[entry].astype(np.int64), start, end, place)
        if len(index.whole):
            row, low, high = group.units(self._longest)
            hashes = runs_of(group.prefixes, low, high, table.power)
            at = np.searchsorted(index.whole, hashes)
            at[at == len(index.whole)] = 0
            same = index.whole[at] == hashes
            part = index.whole_part[at].astype(np.int64)
            same &= index.length[part] == high - low
            row, low, part = row[same], low[same], part[same]
            yield group.columns(row, part, np.zeros(len(row), np.int64), index.length[part], low)

    def _contained(self, group: Group) -> Iterator[NDArray[np.float64]]:
        """Columns of parts that are likely contained: row, part, containment, and the span."""
        index, table = self._index, self._index.table
        found = scan(group.prefixes, group.bounds, table, index.sizes.shingle, SHINGLE, self._seen, self._base)
        if not len(found):
            return
        row, entry, place = found.T
        part = table.part[entry].astype(np.int64)
        order = np.lexsort((place, part, row))
        row, part, place, number = row[order], part[order], place[order], table.index[entry[order]]
        begins = _begins(np.column_stack([row, part]))
        own, row = part[begins[:-1]], row[begins[:-1]]
        length = index.length[own]
        most, low, high = densest(place, number, begins, 2 * length, SKETCH).T
        sketch = np.minimum(SKETCH, index.shingle_bounds[own + 1] - index.shingle_bounds[own])
        likely = most >= np.maximum(1, sketch * ((self._containment or 1) - MARGIN))
        row, own, slack, low, high = row[likely], own[likely], length[likely] // 2, low[likely], high[likely]
        low = np.maximum(group.bounds[row], low - slack)
        high = np.minimum(group.bounds[row + 1], high + slack + index.sizes.shingle)
        begin, end = index.shingle_bounds[own], index.shingle_bounds[own + 1]
        share = shares(group.prefixes, low, high, table.power, index.sizes.shingle, index.shingles, begin, end)
        yield group.spans(row, own, share, low, high)


def _joined(matches: list[Ints], likely: list[NDArray[np.float64]], index: Index, pieces: list[str]) -> Hits:
    """Matches by (row, part): coverage, and the longest run; and containments beside them."""
    found = np.concatenate(matches) if matches else np.zeros((0, 9), np.int64)
    found = found[np.lexsort((found[:, 4], found[:, 4] - found[:, 2], found[:, 1], found[:, 0]))]
    begins = _begins(found)
    first, last = _longest_runs(found, begins)
    span = np.column_stack([found[first, 5:7], found[last, 7:9]]) if len(found) else np.zeros((0, 4), np.int64)
    key = found[begins[:-1], :2]
    found = found[np.lexsort((found[:, 2], found[:, 1], found[:, 0]))]
    covered, whole = _cover(found, begins, index.bounds, index.length, index.cumulative)
    part = key[:, 1]
    coverage = np.where(whole, 1.0, covered / np.maximum(index.weight[part], 1))
    hits = Hits(key[:, 0], part, np.minimum(coverage, 1.0), whole, np.zeros(len(part)), span, pieces)
    return _with_containment(hits, np.concatenate(likely)) if likely else hits


def _with_containment(hits: Hits, likely: NDArray[np.float64]) -> Hits:
    """Hits with containments: of a pair met in several pieces the highest; pairs that only these know are added."""
    order = np.lexsort((-likely[:, 2], likely[:, 1], likely[:, 0]))
    likely = likely[order]
    fresh = np.ones(len(likely), bool)
    fresh[1:] = (likely[1:, :2] != likely[:-1, :2]).any(axis=1)
    likely = likely[fresh]
    key = _key(likely[:, 0].astype(np.int64), likely[:, 1].astype(np.int64))
    homes = hits.find(key)
    old, new = homes >= 0, likely[homes < 0]
    hits.containment[homes[old]] = likely[old, 2]
    row = np.concatenate([hits.row, new[:, 0].astype(np.int64)])
    part = np.concatenate([hits.part, new[:, 1].astype(np.int64)])
    order = np.lexsort((part, row))
    zeros = np.zeros(len(new))
    return Hits(
        row[order],
        part[order],
        np.concatenate([hits.coverage, zeros])[order],
        np.concatenate([hits.exact, zeros.astype(bool)])[order],
        np.concatenate([hits.containment, new[:, 2]])[order],
        np.concatenate([hits.span, new[:, 3:7].astype(np.int64)])[order],
        hits.pieces,
    )


def _key(row: Ints, part: Ints) -> Ints:
    """A pair of row and part as one number, in the same order."""
    return (row << 32) | part


def _begins(found: Ints) -> Ints:
    """Where each (row, part) begins among sorted matches, and their number at the end."""
    if not len(found):
        return np.zeros(1, np.int64)
    changes = np.flatnonzero((found[1:, :2] != found[:-1, :2]).any(axis=1)) + 1
    return np.concatenate([[0], changes, [len(found)]]).astype(np.int64)


@njit(cache=True, nogil=True)
def _longest_runs(found: Any, begins: Any) -> Any:
    """The first and the last match of the longest run of each pair; matches in the order of diagonal and place."""
    n = len(begins) - 1
    first, last = np.zeros(n, np.int64), np.zeros(n, np.int64)
    for g in range(n):
        best = -1
        head = begins[g]
        end = found[head, 4]
        for m in range(begins[g], begins[g + 1]):
            diagonal = found[m, 4] - found[m, 2]
            length = found[m, 3] - found[m, 2]
            if diagonal != found[head, 4] - found[head, 2] or found[m, 4] > end:
                head, end = m, found[m, 4]
            end = max(end, found[m, 4] + length)
            if end - found[head, 4] > best:
                best = end - found[head, 4]
                first[g], last[g] = head, m
    return first, last


@njit(cache=True, nogil=True)
def _cover(found: Any, begins: Any, bounds: Any, lengths: Any, cumulative: Any) -> Any:
    """The weight of each pair's part that matches cover, and whether one match is all of it; in the order of start."""
    n = len(begins) - 1
    covered, whole = np.zeros(n, np.int64), np.zeros(n, np.bool_)
    for g in range(n):
        part = found[begins[g], 1]
        base = bounds[part] + part
        reach = 0
        for m in range(begins[g], begins[g + 1]):
            start, end = max(found[m, 2], reach), found[m, 3]
            if found[m, 2] == 0 and end == lengths[part]:
                whole[g] = True
            if end > start:
                covered[g] += cumulative[base + end] - cumulative[base + start]
                reach = end
    return covered, whole
