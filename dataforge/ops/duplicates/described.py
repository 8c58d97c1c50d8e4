"""Shingle sets and signatures of chosen rows, in temporary files that are mapped: memory does not grow with the texts.

Python: `described.add(rows, counts, values, signatures); described.finish(candidates)`
"""

from __future__ import annotations

import tempfile
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from dataforge.engine.outputs import out_of_space
from dataforge.ops.duplicates.decision import Candidates

__all__ = ["Described"]


class Described:
    """Rows with their sets and signatures, in the order in which they were added.

    rows: row numbers. starts, ends: places in `values`. values (uint64), signatures (uint32): after `finish`.
    """

    def __init__(self) -> None:
        self._files: list[IO[bytes]] = []
        self._rows: list[NDArray[np.int64]] = []
        self._counts: list[NDArray[np.int64]] = []
        self._width = 1
        self.rows = self.starts = self.ends = np.zeros(0, np.int64)
        self.values: NDArray[np.uint64] = np.zeros(0, np.uint64)
        self.signatures: NDArray[np.uint32] = np.zeros((1, 1), np.uint32)

    def add(
        self,
        rows: NDArray[np.int64],
        counts: NDArray[np.int64],
        values: NDArray[np.uint64],
        signatures: NDArray[np.uint32],
    ) -> None:
        """Append rows; their sets, `counts` values each, stand end to end in `values`."""
        if not len(rows):
            return
        if not self._files:
            self._files = [tempfile.TemporaryFile(prefix="dataforge-") for _ in range(2)]
        self._rows.append(rows)
        self._counts.append(counts)
        self._width = signatures.shape[1]
        try:
            self._files[0].write(np.ascontiguousarray(values).data)
            self._files[1].write(np.ascontiguousarray(signatures).data)
        except OSError as fault:
            raise out_of_space(fault, tempfile.gettempdir()) from None

    def finish(self, candidates: Candidates) -> None:
        """Map the files, and let the candidates know where their own is; all of them must have been added."""
        if not self._rows:
            return
        self.rows = np.concatenate(self._rows)
        counts = np.concatenate(self._counts)
        self.ends = np.cumsum(counts)
        self.starts = self.ends - counts
        self.values = self._map(0, np.uint64)
        self.signatures = self._map(1, np.uint32).reshape(-1, self._width)
        order = np.argsort(self.rows, kind="stable")
        places = order[np.searchsorted(self.rows[order], candidates.rows)] if len(candidates.rows) else order[:0]
        candidates.places, candidates.starts, candidates.ends = places, self.starts[places], self.ends[places]
        candidates.values, candidates.signatures = self.values, self.signatures

    def _map(self, number: int, dtype: Any) -> NDArray[Any]:
        file = self._files[number]
        try:
            file.flush()
        except OSError as fault:
            raise out_of_space(fault, tempfile.gettempdir()) from None
        return np.memmap(file, dtype, "r") if file.tell() else np.zeros(0, dtype)

    def places(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Where rows stand among the added ones."""
        order = np.argsort(self.rows, kind="stable")
        places: NDArray[np.int64] = order[np.searchsorted(self.rows[order], rows)]
        return places

    def close(self) -> None:
        """Close the files; maps that somebody holds stay readable."""
        for file in self._files:
            file.close()
