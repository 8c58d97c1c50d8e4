"""Clusters of near duplicates, from the ledger of `dedup`, so that none is on two sides of a split.

A row is found in the ledger by its id, which is that of its content: the ledger of any file with the same rows does, in
any order, container or dialect. Groups that a cluster has rows of become one group, and so on from cluster to cluster
(connected components; the smallest label goes along all edges until none changes).

Cost: 50 bytes of memory a row of the ledger; about a second a million rows.
Python: `clusters = read_clusters("unique.jsonl.forge"); label, found = unite(group, ids, clusters)`
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from xxhash import xxh3_128

from dataforge.errors import InputError
from dataforge.ops.duplicates.keys import KEY
from dataforge.ops.splitting.decision import numbered

__all__ = ["Clusters", "components", "read_clusters", "unite"]

Ints = NDArray[np.int64]
LEDGER = "ledger.parquet"


@dataclass
class Clusters:
    """What a ledger says: the id of each row that could be read (of KEY), and its cluster, -1 if it is in none.

    entry: the ledger's name and hash, for the manifest.
    """

    ids: NDArray[Any]
    cluster: Ints
    entry: dict[str, Any]

    @property
    def count(self) -> int:
        """How many clusters there are."""
        return len(np.unique(self.cluster[self.cluster >= 0]))


def read_clusters(path: str) -> Clusters:
    """The clusters of a ledger.parquet, or of the forge folder that it is in.

    Raises InputError if there is none, if it is damaged, or if another command left it.
    """
    file = Path(path) / LEDGER if Path(path).is_dir() else Path(path)
    if not file.is_file():
        raise InputError("no such ledger", place=str(file), help="name the OUT.forge folder that dedup left")
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        names = pq.read_schema(file).names
        if "cluster" not in names or "id" not in names:
            raise InputError(
                "is no ledger of dedup: it has no column 'cluster'",
                place=str(file),
                help="dataforge dedup --method minhash leaves one",
            )
        table = pq.read_table(file, columns=["id", "cluster"])
    except (pa.ArrowException, OSError) as fault:
        raise InputError(f"is no sound Parquet file: {str(fault).splitlines()[0]}", place=str(file)) from None
    table = table.filter(table["id"].is_valid())
    cluster = table["cluster"].fill_null(-1).to_numpy().astype(np.int64)
    ids = b"".join(_values(chunk) for chunk in table["id"].chunks)
    with open(file, "rb") as stream:
        digest = hashlib.file_digest(stream, xxh3_128).hexdigest()
    entry = {"name": file.name, "hash": f"xxh3-128:{digest}", "rows": len(cluster)}
    return Clusters(np.frombuffer(ids, KEY), cluster, entry)


def _values(chunk: Any) -> bytes:
    """The bytes of a column of ids without nulls."""
    return bytes(chunk.buffers()[1])[16 * chunk.offset : 16 * (chunk.offset + len(chunk))]


def components(count: int, one: Ints, other: Ints) -> Ints:
    """The smallest node that each node is connected with, by edges between `one` and `other` (nodes 0 to count - 1)."""
    label = np.arange(count)
    while True:
        a, b = label[one], label[other]
        parted = a != b
        if not parted.any():
            return label
        a, b = a[parted], b[parted]
        one, other = one[parted], other[parted]
        np.minimum.at(label, np.maximum(a, b), np.minimum(a, b))
        while not np.array_equal(further := label[label], label):
            label = further


def unite(group: Ints, ids: NDArray[Any], clusters: Clusters) -> tuple[Ints, NDArray[np.bool_]]:
    """Groups of rows (numbers from 0 on) joined by clusters: (the smallest group that each is with, rows found)."""
    number, distinct = numbered(np.concatenate([clusters.ids, ids]))
    theirs, ours = number[: len(clusters.ids)], number[len(clusters.ids) :]
    known, clustered = np.zeros(len(distinct), bool), np.zeros(len(distinct), bool)
    known[theirs] = True
    inside = clusters.cluster >= 0
    clustered[theirs[inside]] = True
    groups = int(group.max(initial=-1)) + 1
    _, cluster = np.unique(clusters.cluster[inside], return_inverse=True)
    rows = clustered[ours]
    # Nodes: groups, then ids, then clusters.
    one = np.concatenate([group[rows], groups + theirs[inside]])
    other = np.concatenate([groups + ours[rows], groups + len(distinct) + cluster.astype(np.int64)])
    count = groups + len(distinct) + int(cluster.max(initial=-1)) + 1
    return components(count, one, other)[:groups], known[ours]
