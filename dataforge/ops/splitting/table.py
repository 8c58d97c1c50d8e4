"""What is known of all rows of a split, as columns, and the groups that they make.

Cost: 80 bytes of memory a row at the most, beside the 37 that the engine keeps for the ledger.
Python: `rows = collect(run, parts, None, "rows", None); groups = rows.groups()`
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from dataforge.engine.run import Part, Run
from dataforge.ledger import KEPT
from dataforge.ops.duplicates.keys import KEY
from dataforge.ops.splitting.clusters import Clusters, unite
from dataforge.ops.splitting.decision import Groups, Ints, numbered

__all__ = ["MOST_STRATA", "Table", "collect"]

MOST_STRATA = 10_000
"""Strata from which a column tells rows apart more than it sorts them."""


@dataclass
class Table:
    """Columns with a value for each sound row (those of faulty rows are left out).

    row: its number over all inputs. group: its group. keys: the smallest key of each group. amount: in the unit of the
    split. chars: of its text. stratum: number in `strata`. count: rows with the faulty ones. apart: groups before
    clusters joined them. found: rows that the ledger of clusters knows.
    """

    row: Ints
    group: Ints
    keys: NDArray[Any]
    amount: Ints
    chars: Ints
    stratum: NDArray[np.int32]
    strata: list[str]
    count: int
    apart: int
    found: int

    def groups(self) -> Groups:
        """The groups with their amounts, each in the stratum of most of its rows (of equals, the first by name)."""
        amount = np.bincount(self.group, weights=self.amount, minlength=len(self.keys)).astype(np.int64)
        home = np.zeros(len(self.keys), np.int64)
        if len(self.strata) > 1:
            both, count = np.unique(self.group * len(self.strata) + self.stratum, return_counts=True)
            group, stratum = np.divmod(both, len(self.strata))
            order = np.lexsort((stratum, -count, group))
            _, first = np.unique(group[order], return_index=True)
            home = stratum[order][first]
        return Groups(self.keys, amount, home)

    def firsts(self) -> Ints:
        """The number of the first row of each group, by which the ledger names it."""
        first = np.zeros(len(self.keys), np.int64)
        first[self.group[::-1]] = self.row[::-1]
        return first


def collect(run: Run, parts: Sequence[Part], clusters: Clusters | None, unit: str, stratify: str | None) -> Table:
    """The table of all parts, amounts in `unit` (rows, chars, tokens); the payloads are taken from the parts."""
    count = sum(len(part.rows) for part in parts)
    row = np.flatnonzero(_joined([part.rows.fates == KEPT for part in parts], bool))
    sound = slice(None) if len(row) == count else row  # no copy where all rows are sound
    keys = _column(parts, "keys", KEY)[sound]
    chars = _column(parts, "chars", np.int64)[sound]
    tokens = _column(parts, "amounts", np.int64)
    stratum, strata = _strata(run, parts, stratify)
    stratum, strata = _used(stratum[row], strata)
    group, distinct = numbered(keys)
    apart, found = len(distinct), 0
    if clusters is not None:
        ids = np.frombuffer(b"".join(part.rows.ids for part in parts), KEY)[row]
        label, known = unite(group, ids, clusters)
        lowest, number = np.unique(label, return_inverse=True)
        group, distinct, found = number.astype(np.int64)[group], distinct[lowest], int(known.sum())
    amount = tokens[sound] if unit == "tokens" else chars if unit == "chars" else np.broadcast_to(np.int64(1), len(row))
    return Table(row, group, distinct, amount, chars, stratum, strata, count, apart, found)


def _column(parts: Sequence[Part], name: str, dtype: Any) -> NDArray[Any]:
    return np.frombuffer(b"".join(part.result.payload.pop(name, b"") for part in parts), dtype)


def _joined(columns: list[NDArray[Any]], dtype: Any) -> NDArray[Any]:
    return np.concatenate([np.zeros(0, dtype), *columns])


def _strata(run: Run, parts: Sequence[Part], stratify: str | None) -> tuple[NDArray[np.int32], list[str]]:
    """(stratum of each row, names of all strata)."""
    if stratify is None:
        return np.zeros(sum(len(part.rows) for part in parts), np.int32), [""]
    names: dict[str, int] = {}
    columns = []
    for part in parts:
        if stratify == "source":
            number = names.setdefault(run.sources[part.rows.source].name, len(names))
            columns.append(np.full(len(part.rows), number, np.int32))
        else:
            own = [names.setdefault(name, len(names)) for name in orjson.loads(part.result.payload.pop("names"))]
            columns.append(np.array(own, np.int32)[np.frombuffer(part.result.payload.pop("strata"), np.int32)])
    return _joined(columns, np.int32).astype(np.int32), list(names)


def _used(stratum: NDArray[np.int32], strata: list[str]) -> tuple[NDArray[np.int32], list[str]]:
    """Strata numbered by name, without those that only faulty rows were put into."""
    there = np.zeros(len(strata), bool)
    there[stratum] = True
    names = sorted(name for name, used in zip(strata, there.tolist(), strict=True) if used)
    rank = {name: number for number, name in enumerate(names)}
    return np.array([rank.get(name, -1) for name in strata], np.int32)[stratum], names
