"""Packed rows from tokens on disk: documents gathered bin by bin, and labels made.

Reads the marked tokens of all rows (a memory map); yields batches of packed rows for `write_shards`.
Cost: memory of one batch (about 1 M tokens); the speed of random reads of whole documents.

CLI: `dataforge shard in.jsonl -o shards --tokenizer my-tokenizer`
Python: `for rows in packed_rows(tokens, row_starts, pieces, bins): ...`
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from dataforge.shards.pack import Bins, Pieces
from dataforge.shards.store import NOT_TRAINED, PackedRows

__all__ = ["BATCH_TOKENS", "packed_rows"]

BATCH_TOKENS = 1 << 20


def packed_rows(
    tokens: NDArray[np.int32],
    row_starts: NDArray[np.int64],
    pieces: Pieces,
    bins: Bins,
    batch_tokens: int = BATCH_TOKENS,
) -> Iterator[PackedRows]:
    """Gather the bins in order, some at a time.

    tokens: marked tokens (`shards.tokenise.marked`) of all rows. row_starts: where each row begins among them.
    """
    begins = row_starts[pieces.row] + pieces.start
    lengths = pieces.length
    sizes = np.add.reduceat(lengths[bins.order], bins.offsets[:-1]) if len(bins) else np.empty(0, dtype=np.int64)
    reach = np.cumsum(sizes)
    first = 0
    while first < len(bins):
        done = int(reach[first - 1]) if first else 0
        last = max(first + 1, int(np.searchsorted(reach, done + batch_tokens, side="right")))
        order = bins.order[bins.offsets[first] : bins.offsets[last]]
        parts = [
            tokens[begin : begin + length]
            for begin, length in zip(begins[order].tolist(), lengths[order].tolist(), strict=True)
        ]
        marks = np.concatenate(parts)
        ids = np.where(marks < 0, ~marks, marks)
        labels = np.where(marks < 0, np.int32(NOT_TRAINED), marks)
        # Nothing stands before the first token of a document, so nothing can be asked to predict it.
        labels[np.cumsum(lengths[order]) - lengths[order]] = NOT_TRAINED
        yield PackedRows(
            ids, labels, lengths[order].astype(np.int32), sizes[first:last], np.diff(bins.offsets[first : last + 1])
        )
        first = last
