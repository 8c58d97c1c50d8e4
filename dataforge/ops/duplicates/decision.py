"""Near duplicates decided: which rows stay, and for each other row its keeper and how alike the two are.

The course, on columns (a row is its number over all inputs):
1. rows of one exact key are a group; its first row in the order of keeping stands for it;
2. representatives that share a band of their signatures with another one are candidates;
3. candidates are walked in the order of keeping: one that is at least `threshold` similar to an already kept candidate
   of one of its bands gets the most similar of these as its keeper. So nothing is dropped for a row that is itself
   dropped, and similarity is no chain: every dropped row is as similar to its keeper as the ledger says.

Similarity is the exact Jaccard of shingle sets, or, unverified, the share of equal values in the signatures.
Cost: 100 to 200 bytes of memory a row; sorting once a band; about a microsecond a compared pair of short texts.
Python: `dataforge.dedup("a.jsonl", output="b.jsonl", method="minhash").decision.rethreshold(0.9).dropped()`
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dataforge.errors import UsageError
from dataforge.ops.duplicates.keys import KEY
from dataforge.ops.duplicates.minhash import Scheme

__all__ = [
    "EXACT",
    "NEAR",
    "SCOPES",
    "Candidates",
    "Decision",
    "Duplicate",
    "Table",
    "decide",
    "find_candidates",
    "representatives",
]

SCOPES = ("all", "within", "across")
EXACT, NEAR = "duplicate:exact", "duplicate:minhash"
NONE = -1


class Duplicate(NamedTuple):
    """A dropped row: row and keeper as (source, ordinal), estimated and exact Jaccard (None where not made)."""

    source: str
    ordinal: int
    keeper_source: str
    keeper_ordinal: int
    rule: str
    estimate: float | None
    similarity: float | None


@dataclass
class Table:
    """What is known of all rows, as columns of the same length.

    keys: 16 bytes. bands: uint64 (rows, bands). source, ordinal: where each row is. sound: False for faulty rows, which
    take no part. worded: False for rows without a shingle. order: rank of each row in the order of keeping, below 0 for
    rows of an index, which stay whatever they are like. names: the sources, by number.
    """

    keys: NDArray[Any]
    bands: NDArray[np.uint64]
    source: NDArray[np.int32]
    ordinal: NDArray[np.int64]
    sound: NDArray[np.bool_]
    worded: NDArray[np.bool_]
    order: NDArray[np.int64]
    names: list[str]

    def __len__(self) -> int:
        return len(self.keys)


@dataclass
class Candidates:
    """Representatives that may have a near duplicate, in the order of keeping.

    rows: their row numbers. buckets: int32 (candidates, bands), -1 where nobody shares the band. n_buckets: how many.
    values, starts, ends: their shingle sets; set i is values[starts[i]:ends[i]], ascending, and empty until made.
    factors: of the scheme, for estimates (a signature is made of a set as well as of a text).
    """

    rows: NDArray[np.int64]
    buckets: NDArray[np.int32]
    n_buckets: int
    values: NDArray[np.uint64] = field(default_factory=lambda: np.zeros(0, np.uint64))
    starts: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    ends: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    factors: tuple[NDArray[np.uint32], NDArray[np.uint32]] = field(default_factory=lambda: Scheme().factors())

    def __post_init__(self) -> None:
        if len(self.starts) == 0:
            self.starts = self.ends = np.zeros(len(self.rows), np.int64)


def representatives(table: Table, scope: str) -> NDArray[np.int64]:
    """For each row the row that stands for it: the first, in the order of keeping, of its key.

    Of its key and source, unless any two rows are compared. Rows that take no part stand for themselves.
    """
    home = np.arange(len(table))
    rows = np.flatnonzero(table.sound)
    rows = rows[np.argsort(table.order[rows], kind="stable")]
    columns = [table.keys["a"][rows], table.keys["b"][rows]]
    if scope != "all":
        columns.append(table.source[rows])
    order = np.argsort(columns[0], kind="stable")
    new = np.ones(len(rows), bool)
    new[1:] = columns[0][order][1:] != columns[0][order][:-1]
    if any((column[order][1:] != column[order][:-1])[~new[1:]].any() for column in columns[1:]):
        order = np.lexsort(columns[::-1])  # stable too; slower, and needed only where rows share half a key
        new[1:] = np.any([column[order][1:] != column[order][:-1] for column in columns], axis=0)
    starts = np.flatnonzero(new)
    home[rows[order]] = np.repeat(rows[order[starts]], np.diff(np.append(starts, len(order))))
    return home


def find_candidates(table: Table, home: NDArray[np.int64], scope: str) -> Candidates:
    """The representatives that share a band, or, where equal rows may both stand for themselves, the key."""
    rows = np.flatnonzero(table.sound & (home == np.arange(len(table))))
    rows = rows[np.argsort(table.order[rows], kind="stable")]
    columns = [table.bands[rows, band] for band in range(table.bands.shape[1])]
    worded = table.worded[rows]
    buckets = np.full((len(rows), len(columns) + 1), NONE, np.int32)
    count = 0
    for place, keys in enumerate(columns):
        count = _share(keys, np.flatnonzero(worded), buckets[:, place], count)
    if scope == "across":
        count = _share(table.keys["a"][rows] ^ table.keys["b"][rows], np.arange(len(rows)), buckets[:, -1], count)
    chosen = (buckets >= 0).any(axis=1)
    return Candidates(rows[chosen], buckets[chosen], count)


def _share(keys: NDArray[np.uint64], among: NDArray[np.int64], buckets: NDArray[np.int32], count: int) -> int:
    """Number the keys that several rows have from `count` on, into `buckets`; the next free number."""
    order = among[np.argsort(keys[among], kind="stable")]
    ranked = keys[order]
    same = ranked[1:] == ranked[:-1]
    shared, first = np.zeros(len(order), bool), np.zeros(len(order), bool)
    shared[1:], first[:-1] = same, same
    first &= ~shared
    shared |= first
    numbers = np.cumsum(first) - 1 + count
    buckets[order[shared]] = numbers[shared]
    return count + int(first.sum())


@dataclass
class Decision:
    """Who stays. Columns have a value for each row of the table.

    keeper: row number, -1 for a row that stays. estimate, similarity: of a dropped row and its keeper; NaN where not
    made. threshold: of similarity. compared: pairs looked at.
    """

    table: Table
    home: NDArray[np.int64]
    candidates: Candidates
    keeper: NDArray[np.int64]
    estimate: NDArray[np.float32]
    similarity: NDArray[np.float32]
    threshold: float
    scope: str
    verify: bool
    compared: int

    @property
    def exact(self) -> NDArray[np.bool_]:
        """Rows dropped for a row of the same key."""
        dropped = self.keeper >= 0
        dropped[dropped] = self.table.keys[dropped] == self.table.keys[self.keeper[dropped]]
        return dropped

    @property
    def cluster(self) -> NDArray[np.int64]:
        """The keeper's row number for all rows of a cluster, the keeper too; -1 for a row without a duplicate."""
        cluster = self.keeper.copy()
        keepers = self.keeper[self.keeper >= 0]
        cluster[keepers] = keepers
        return cluster

    def dropped(self) -> Iterator[Duplicate]:
        """The dropped rows in order, each with its keeper and how alike they are."""
        table, exact = self.table, self.exact
        for row in np.flatnonzero(self.keeper >= 0).tolist():
            keeper = int(self.keeper[row])
            yield Duplicate(
                table.names[table.source[row]],
                int(table.ordinal[row]),
                table.names[table.source[keeper]],
                int(table.ordinal[keeper]),
                EXACT if exact[row] else NEAR,
                _known(self.estimate[row]),
                _known(self.similarity[row]),
            )

    def rethreshold(self, threshold: float) -> Decision:
        """The decision at another threshold, from the same scores.

        Raises UsageError below the threshold that the scores were made for: such pairs were not all found.
        """
        if not self.threshold <= threshold <= 1:
            raise UsageError(
                f"the scores hold the pairs from a threshold of {self.threshold:g} on, {threshold:g} is asked for",
                help=f"dedup with --threshold {threshold:g}; saved signatures (--from-scores) need not be made again",
            )
        again = decide(self.table, self.home, self.candidates, threshold, scope=self.scope, verify=self.verify)
        again.threshold = self.threshold
        return again


def _known(value: Any) -> float | None:
    return None if np.isnan(value) else float(value)


def decide(
    table: Table, home: NDArray[np.int64], candidates: Candidates, threshold: float, *, scope: str, verify: bool
) -> Decision:
    """Who stays. home: what `representatives` says. The candidates have their sets."""
    n = len(table)
    keeper = np.full(n, NONE, np.int64)
    estimate, similarity = np.full(n, np.nan, np.float32), np.full(n, np.nan, np.float32)
    walk = (keeper, estimate, similarity)
    compared = _walk(table, candidates, threshold, scope, verify, walk) if len(candidates.rows) else 0
    copies = home != np.arange(n)
    inherited = copies & (keeper[home] >= 0)  # a copy of a dropped row has that row's keeper, and is as similar to it
    for column in (keeper, estimate, similarity):
        column[inherited] = column[home[inherited]]
    if scope != "across":
        keeper[copies & ~inherited] = home[copies & ~inherited]
    decision = Decision(table, home, candidates, keeper, estimate, similarity, threshold, scope, verify, compared)
    estimate[decision.exact], similarity[decision.exact] = np.nan, 1.0
    return decision


def warm() -> None:
    """Decide nothing, so that the loop which decides is loaded."""
    none, bands, number = np.zeros(0, np.int64), np.zeros((0, 1), np.uint64), np.zeros(0, np.int32)
    table = Table(np.zeros(0, KEY), bands, number, none, none > 0, none > 0, none, [])
    candidates = Candidates(none, np.zeros((0, 2), np.int32), 0)
    candidates.values.flags.writeable = False  # as mapped ones are
    _walk(table, candidates, 1.0, "all", True, (none, number.astype(np.float32), number.astype(np.float32)))


def _walk(
    table: Table, candidates: Candidates, threshold: float, scope: str, verify: bool, out: tuple[NDArray[Any], ...]
) -> int:
    """Let the candidates be decided, into the columns keeper, estimate and similarity; the pairs compared."""
    from dataforge.ops.duplicates.loops import walk_loop

    rows = candidates.rows
    count = len(rows)
    keeper, estimate, exact = np.empty(count, np.int32), np.full(count, np.nan), np.full(count, np.nan)
    compared = walk_loop(
        candidates.buckets,
        candidates.n_buckets,
        candidates.values,
        candidates.starts,
        candidates.ends,
        *candidates.factors,
        table.keys["a"][rows],
        table.source[rows],
        int(np.count_nonzero(table.order[rows] < 0)),
        SCOPES.index(scope),
        threshold,
        verify,
        keeper,
        estimate,
        exact,
    )
    lost = keeper >= 0
    out[0][rows[lost]] = rows[keeper[lost]]
    out[1][rows], out[2][rows] = estimate, exact
    return int(compared)
