"""The rows of one source as encoded JSON lines, in order, for passes that interleave sources.

Python: `for line in encoded_rows(source, keep): ...`
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from dataforge.engine.batch import Batch
from dataforge.io import jsontext
from dataforge.io.chunks import open_reading, read_chunks
from dataforge.io.paths import Source

__all__ = ["encoded_rows"]


def encoded_rows(source: Source, keep: NDArray[np.bool_]) -> Iterator[bytes]:
    """Each row whose ordinal is marked in `keep`, as one line; rows of jsonl files as they stand."""
    first = 0
    with contextlib.closing(open_reading(source)) as reading:
        for chunk in read_chunks(source, 0, reading):
            batch = Batch(chunk)
            wanted = keep[first : first + batch.n_in]
            first += batch.n_in
            if not wanted.any():
                continue
            if chunk.kind == "lines":
                for row in np.flatnonzero(wanted).tolist():
                    yield batch.raw(row) + b"\n"
            else:
                for row, value in batch.values():
                    if wanted[row]:
                        yield jsontext.encode(value) + b"\n"
