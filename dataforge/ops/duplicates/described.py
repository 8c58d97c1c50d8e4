"""Shingle sets of chosen rows, in a temporary file that is mapped: memory does not grow with the texts.

Python: `described.add(rows, counts, values); described.finish(candidates)`
"""

from __future__ import annotations

import tempfile
from typing import IO

import numpy as np
from numpy.typing import NDArray

from dataforge.engine.outputs import out_of_space
from dataforge.ops.duplicates.decision import Candidates

__all__ = ["Described"]


class Described:
    """Rows with their sets, in the order in which they were added.

    rows: row numbers. starts, ends: places in `values` (uint64); all after `finish`.
    """

    def __init__(self) -> None:
        self._file: IO[bytes] | None = None
        self._rows: list[NDArray[np.int64]] = []
        self._counts: list[NDArray[np.int64]] = []
        self.rows = self.starts = self.ends = np.zeros(0, np.int64)
        self.values: NDArray[np.uint64] = np.zeros(0, np.uint64)

    def add(self, rows: NDArray[np.int64], counts: NDArray[np.int64], values: NDArray[np.uint64]) -> None:
        """Append rows; their sets, `counts` values each, stand end to end in `values`."""
        if not len(rows):
            return
        if self._file is None:
            self._file = tempfile.TemporaryFile(prefix="dataforge-")
        self._rows.append(rows)
        self._counts.append(counts)
        try:
            self._file.write(np.ascontiguousarray(values).data)
        except OSError as fault:
            raise out_of_space(fault, tempfile.gettempdir()) from None

    def finish(self, candidates: Candidates) -> None:
        """Map the sets, and let the candidates know where their own are; all of them must have been added."""
        if self._file is None:
            return
        self.rows = np.concatenate(self._rows)
        counts = np.concatenate(self._counts)
        self.ends = np.cumsum(counts)
        self.starts = self.ends - counts
        try:
            self._file.flush()
        except OSError as fault:
            raise out_of_space(fault, tempfile.gettempdir()) from None
        if self._file.tell():
            self.values = np.memmap(self._file, np.uint64, "r")
        places = self.places(candidates.rows)
        candidates.starts, candidates.ends, candidates.values = self.starts[places], self.ends[places], self.values

    def places(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Where rows stand among the added ones."""
        order = np.argsort(self.rows, kind="stable")
        places: NDArray[np.int64] = order[np.searchsorted(self.rows[order], rows)] if len(rows) else order[:0]
        return places

    def close(self) -> None:
        """Close the file; a map that somebody holds stays readable."""
        if self._file is not None:
            self._file.close()
