"""The index of reference items: what `decontaminate` looks for in rows, as arrays in a file that all workers map.

A *part* is a distinct sequence of terms: an item's prompt, its answer, or both. What stands in more than `common` parts
(instructions that every item begins with) is template: it is cut out, and weighs nothing. What is left of a part is
found by its grams; a stretch shorter than a gram is found whole; a part that is shorter than `shortest`, or template
from end to end, only where a turn or a row is exactly that. Coverage is counted in weight (a word 2, a character 1)
over what is left of the part.

For containment each part has its shingles (template left out) and a sketch of them, if there are enough.

Cost: about 200 bytes a term of the references while it is made, 120 in the file; 2 s for a million terms.
Python: `build(texts, roles, Sizes()).save("folder")`, `Index.load("folder")`
"""

from __future__ import annotations

import os
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dataforge.ops.decontamination.loops import (
    ANCHOR,
    GRAM,
    SEQUENCE,
    SHINGLE,
    Prefixes,
    Table,
    powers,
    runs_of,
    windows,
)
from dataforge.ops.terms import Terms

__all__ = ["Index", "Sizes", "build"]

SKETCH = 64
"""Shingles of a sketch: the standard error of a containment c is sqrt(c (1 - c) / 64), at most 0.06."""
FEWEST = 12
"""Shingles below which a share of them says little."""


@dataclass(frozen=True)
class Sizes:
    """Weights of grams (a word weighs 2, a character 1), and the number of parts beyond which a gram is template."""

    gram: int = 16
    shortest: int = 10
    shingle: int = 6
    common: int = 10


@dataclass(frozen=True)
class Index:
    """What is looked for. weight: of each part, template left out. length: its terms. found: how it can be found.

    cumulative, bounds: the weight of a part's first t terms is cumulative[bounds[part] + part + t].
    whole, whole_part: hashes (ascending) of the parts that are found only whole, and those parts.
    shingles, shingle_bounds: all shingles of each part, ascending.
    """

    table: Table
    sizes: Sizes
    weight: NDArray[np.int64]
    length: NDArray[np.int64]
    cumulative: NDArray[np.int32]
    bounds: NDArray[np.int64]
    whole: NDArray[np.uint64]
    whole_part: NDArray[np.int32]
    shingles: NDArray[np.uint64]
    shingle_bounds: NDArray[np.int64]
    found: NDArray[np.uint8]

    def save(self, folder: str) -> None:
        """Write the arrays into a folder."""
        for name, array in self._arrays().items():
            np.save(os.path.join(folder, f"{name}.npy"), array)

    @classmethod
    def load(cls, folder: str) -> Index:
        """The index in a folder, mapped and not read."""
        names = [entry[:-4] for entry in os.listdir(folder) if entry.endswith(".npy")]
        arrays = {name: np.asarray(np.load(os.path.join(folder, f"{name}.npy"), mmap_mode="r")) for name in names}
        table = Table(**{name[6:]: array for name, array in arrays.items() if name.startswith("table_")})
        sizes = Sizes(*arrays.pop("sizes").tolist())
        return cls(table, sizes, **{name: array for name, array in arrays.items() if not name.startswith("table_")})

    def _arrays(self) -> dict[str, NDArray[Any]]:
        arrays = {f"table_{f.name}": getattr(self.table, f.name) for f in fields(Table)}
        arrays |= {f.name: getattr(self, f.name) for f in fields(self) if f.name not in ("table", "sizes")}
        return arrays | {"sizes": np.array([getattr(self.sizes, f.name) for f in fields(Sizes)])}


TOO_SHORT, WHOLE, STRETCHES = range(3)
"""How a part is found (`Index.found`): not at all, only where a turn or a row is exactly it, by stretches of it."""


_Anchors = tuple[NDArray[np.uint64], NDArray[np.int64], NDArray[np.int64]]
"""Small grams: the hash and the end of the one that begins at each term, and in how many parts it occurs."""


@dataclass(frozen=True)
class _Text:
    """The parts as terms. owner: the part of each term. cumulative: the weight before each term."""

    prefixes: Prefixes
    bounds: NDArray[np.int64]
    owner: NDArray[np.int64]
    power: NDArray[np.uint64]
    cumulative: NDArray[np.int64]

    def weigh(self, starts: NDArray[np.int64], ends: NDArray[np.int64]) -> NDArray[np.int64]:
        """The weight of runs of terms."""
        return self.cumulative[ends] - self.cumulative[starts]


def build(texts: list[str], alone: NDArray[np.bool_], sizes: Sizes) -> tuple[Index, NDArray[np.int64]]:
    """(the index, the part of each text). alone: texts that may be found whole however short they are (prompts)."""
    terms = Terms.of(texts)
    prefixes = Prefixes.of(terms)
    bounds = terms.offsets
    power = powers(max(int(np.diff(bounds).max(initial=0)), sizes.gram, sizes.shingle))
    hashes = runs_of(prefixes, bounds[:-1], bounds[1:], power) + np.diff(bounds).astype(np.uint64)
    _, first, part_of = np.unique(hashes, return_index=True, return_inverse=True)
    order = np.argsort(first)  # parts in the order of their first texts
    rank = np.argsort(order)
    part_of, first = rank[part_of], first[order]
    if len(first) < len(texts):
        terms = Terms.of([texts[i] for i in first])
        prefixes, bounds = Prefixes.of(terms), terms.offsets
    whole = np.zeros(len(first), bool)
    np.logical_or.at(whole, part_of, alone)
    cumulative = np.concatenate([[0], np.cumsum(prefixes.weights, dtype=np.int64)])
    owner = np.repeat(np.arange(len(first)), np.diff(bounds))
    return _index(_Text(prefixes, bounds, owner, power, cumulative), whole, sizes), part_of.astype(np.int64)


def _index(text: _Text, alone: NDArray[np.bool_], sizes: Sizes) -> Index:
    n = len(alone)
    grams, ends = windows(text.prefixes, text.bounds, text.power, sizes.gram, GRAM)
    frequency = _frequency(grams, ends > 0, text.owner)
    template = _covered(ends, (ends > 0) & (frequency > sizes.common))
    starts, stops = _stretches(template, text)
    weights = text.weigh(starts, stops)
    entries = _Entries(text)
    entries.grams(grams, ends, starts[weights >= sizes.gram], stops[weights >= sizes.gram])
    # Where both have one size, the anchors are the grams, and one pass over the rows finds both.
    anchors = (grams, ends, frequency) if sizes.shortest == sizes.gram else _anchors(text, sizes)
    usable = weights >= sizes.gram
    short = np.flatnonzero((weights >= sizes.shortest) & ~usable)
    usable[short[entries.sequences(starts[short], stops[short], anchors, sizes.common)]] = True
    weight = np.zeros(n, np.int64)
    np.add.at(weight, text.owner[starts[usable]], weights[usable])

    low, high = text.bounds[:-1], text.bounds[1:]
    total = text.weigh(low, high)
    lone = np.flatnonzero((weight == 0) & (total > 0))  # nothing but template, or short: sought whole
    anchored = lone[entries.sequences(low[lone], high[lone], anchors, sizes.common)]
    found = np.full(n, TOO_SHORT, np.uint8)
    found[weight > 0] = STRETCHES
    found[anchored] = STRETCHES
    exact_only = lone[alone[lone] & (found[lone] == TOO_SHORT)]
    found[exact_only] = WHOLE
    weight[lone] = total[lone]
    entries.wholes(grams, ends, template, np.flatnonzero(found == STRETCHES), anchored)
    shingles, shingle_bounds = entries.sketches(template, sizes, found)
    hashes = runs_of(text.prefixes, low[exact_only], high[exact_only], text.power)
    order = np.argsort(hashes)
    return Index(
        table=Table.of(*entries.columns(), text.power),
        sizes=sizes,
        weight=weight,
        length=np.diff(text.bounds),
        cumulative=_own_weights(text),
        bounds=text.bounds,
        whole=hashes[order],
        whole_part=exact_only[order].astype(np.int32),
        shingles=shingles,
        shingle_bounds=shingle_bounds,
        found=found,
    )


class _Entries:
    """The entries of the table, gathered kind by kind."""

    def __init__(self, text: _Text) -> None:
        self._text = text
        self._keys: list[NDArray[np.uint64]] = []
        self._columns: list[dict[str, NDArray[Any]]] = []

    def _add(
        self,
        kind: int,
        keys: NDArray[np.uint64],
        starts: NDArray[np.int64],
        ends: NDArray[np.int64],
        back: Any = 0,
        index: Any = 0,
    ) -> None:
        """Entries for runs of terms; `back` from the run's start to its gram."""
        text, n = self._text, len(keys)
        owner = text.owner[starts]
        self._keys.append(keys)
        check = runs_of(text.prefixes, starts, ends, text.power) if kind == SEQUENCE else np.zeros(n, np.uint64)
        self._columns.append(
            {
                "kind": np.full(n, kind, np.uint8),
                "part": owner.astype(np.int32),
                "start": (starts - text.bounds[owner]).astype(np.int32),
                "end": (ends - text.bounds[owner]).astype(np.int32),
                "back": np.broadcast_to(np.asarray(back, np.int32), n),
                "check": check,
                "index": np.broadcast_to(np.asarray(index, np.int16), n),
            }
        )

    def columns(self) -> tuple[NDArray[np.uint64], dict[str, NDArray[Any]]]:
        """(key of each entry, its columns)."""
        joined = {name: np.concatenate([one[name] for one in self._columns]) for name in self._columns[0]}
        return np.concatenate(self._keys), joined

    def grams(
        self, grams: NDArray[np.uint64], ends: NDArray[np.int64], starts: NDArray[np.int64], stops: NDArray[np.int64]
    ) -> None:
        """Every gram that lies within a stretch."""
        limit = np.zeros(len(ends), np.int64)  # the end of the stretch that a term lies in
        for_each = np.repeat(stops, stops - starts)
        limit[_ranges(starts, stops)] = for_each
        inside = np.flatnonzero((ends > 0) & (ends <= limit))
        self._add(GRAM, grams[inside], inside, ends[inside])

    def sequences(
        self, starts: NDArray[np.int64], stops: NDArray[np.int64], anchors: _Anchors, common: int
    ) -> NDArray[np.int64]:
        """Runs that are found whole, each by its rarest small gram; those (by number) that have one that is rare."""
        small, ends, frequency = anchors
        run = np.repeat(np.arange(len(starts)), stops - starts)
        places = _ranges(starts, stops)
        usable = (ends[places] > 0) & (ends[places] <= stops[run]) & (frequency[places] <= common)
        run, places = run[usable], places[usable]
        order = np.lexsort((places, frequency[places], run))
        chosen, first = np.unique(run[order], return_index=True)
        anchor = places[order][first]
        self._add(SEQUENCE, small[anchor], starts[chosen], stops[chosen], anchor - starts[chosen])
        return chosen

    def wholes(
        self,
        grams: NDArray[np.uint64],
        ends: NDArray[np.int64],
        template: NDArray[np.bool_],
        parts: NDArray[np.int64],
        anchored: NDArray[np.int64],
    ) -> None:
        """Whole parts, each by its first gram that is no template, so that a copy of all of it is known as one."""
        text = self._text
        free = np.flatnonzero((ends > 0) & ~template)
        owners, first = np.unique(text.owner[free], return_index=True)
        place = free[first]
        wanted = np.isin(owners, parts) & ~np.isin(owners, anchored)
        owners, place = owners[wanted], place[wanted]
        low, high = text.bounds[owners], text.bounds[owners + 1]
        self._add(SEQUENCE, grams[place], low, high, place - low)

    def sketches(
        self, template: NDArray[np.bool_], sizes: Sizes, found: NDArray[np.uint8]
    ) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
        """A sketch for each part with enough shingles; all shingles by part, and where each part's begin."""
        text = self._text
        shingles, ends = windows(text.prefixes, text.bounds, text.power, sizes.shingle, SHINGLE)
        good = (ends > 0) & ~template & (_frequency(shingles, ends > 0, text.owner) <= sizes.common)
        places = np.flatnonzero(good)
        order = places[np.lexsort((shingles[places], text.owner[places]))]
        new = np.ones(len(order), bool)
        new[1:] = (text.owner[order][1:] != text.owner[order][:-1]) | (shingles[order][1:] != shingles[order][:-1])
        order = order[new]
        counts = np.bincount(text.owner[order], minlength=len(found))
        enough = (counts >= FEWEST) & (found == STRETCHES)
        order = order[enough[text.owner[order]]]
        bounds = np.concatenate([[0], np.cumsum(np.where(enough, counts, 0))]).astype(np.int64)
        rank = np.arange(len(order)) - bounds[text.owner[order]]
        sketch = rank < SKETCH
        chosen = order[sketch]
        self._add(SHINGLE, shingles[chosen], chosen, ends[chosen], 0, rank[sketch])
        return shingles[order], bounds


def _anchors(text: _Text, sizes: Sizes) -> _Anchors:
    small, ends = windows(text.prefixes, text.bounds, text.power, sizes.shortest, ANCHOR)
    return small, ends, _frequency(small, ends > 0, text.owner)


def _frequency(grams: NDArray[np.uint64], valid: NDArray[np.bool_], owner: NDArray[np.int64]) -> NDArray[np.int64]:
    """In how many parts the gram at each place occurs (0 where there is none)."""
    out = np.zeros(len(grams), np.int64)
    places = np.flatnonzero(valid)
    if not len(places):
        return out
    order = places[np.argsort(grams[places], kind="stable")]
    same = grams[order][1:] == grams[order][:-1]
    fresh = np.ones(len(order), np.int64)
    fresh[1:] = ~same | (owner[order][1:] != owner[order][:-1])
    group = np.concatenate([[0], np.cumsum(~same)])
    out[order] = np.bincount(group, weights=fresh).astype(np.int64)[group]
    return out


def _covered(ends: NDArray[np.int64], chosen: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The terms that lie in one of the chosen grams."""
    step = np.zeros(len(ends) + 1, np.int64)
    places = np.flatnonzero(chosen)
    np.add.at(step, places, 1)
    np.add.at(step, ends[places], -1)
    return np.cumsum(step)[:-1] > 0


def _stretches(template: NDArray[np.bool_], text: _Text) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(starts, stops) of the runs of terms of one part that are no template."""
    free = ~template
    begins, closes = free.copy(), free.copy()
    begins[1:] &= ~free[:-1] | (text.owner[1:] != text.owner[:-1])
    closes[:-1] &= ~free[1:] | (text.owner[1:] != text.owner[:-1])
    return np.flatnonzero(begins), np.flatnonzero(closes) + 1


def _ranges(starts: NDArray[np.int64], stops: NDArray[np.int64]) -> NDArray[np.int64]:
    """All whole numbers in [start, stop), range after range."""
    lengths = stops - starts
    before = np.cumsum(lengths) - lengths
    ranges: NDArray[np.int64] = np.arange(int(lengths.sum())) - np.repeat(before - starts, lengths)
    return ranges


def _own_weights(text: _Text) -> NDArray[np.int32]:
    """For each part the weight of its first 0, 1, ... all terms, part after part."""
    n = len(text.bounds) - 1
    lengths = np.diff(text.bounds) + 1
    places = _ranges(text.bounds[:-1], text.bounds[1:] + 1)
    return (text.cumulative[places] - np.repeat(text.cumulative[text.bounds[:n]], lengths)).astype(np.int32)
