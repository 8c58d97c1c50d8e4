"""The worker tasks behind near-duplicate search: signatures of all rows, shingle sets of the rows that need them.

`signed`: options of `Scheme`, `bands` and `band_rows`, `fields`, `normalise`, `save`. Payload: `keys` (16 bytes a row,
as in `keys.py`), `chars` (int64), `shingles` (int64, 0 for a row that says nothing), `bands` (uint64, `bands` a row),
and with `save` `signatures` (uint32).
With `only_marked`: the rows that `Chunk.keep` marks; payload: `counts` (int64 a marked row), `values` (uint64,
ascending sets), `signatures`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from dataforge.engine.batch import NO_ID, Batch
from dataforge.ops.duplicates.keys import cleaner, row_key
from dataforge.ops.duplicates.minhash import Scheme, band_keys
from dataforge.ops.rowtext import row_text
from dataforge.ops.terms import pack
from dataforge.record import record_id

__all__ = ["open_shingled", "open_task"]


def _scheme(options: dict[str, Any]) -> Scheme:
    return Scheme(options["permutations"], options["words"], options["chars"], options["seed"])


def open_task(options: dict[str, Any]) -> Callable[[Batch], None]:
    """The task that signs, or, with `only_marked`, the one that makes shingle sets."""
    if options.get("only_marked"):
        return open_shingled(options)
    scheme, fields = _scheme(options), options["fields"]
    clean = cleaner(options["normalise"])

    def run(batch: Batch) -> None:
        keys = [NO_ID] * batch.n_in
        texts = [""] * batch.n_in
        for index, record in batch.records():
            batch.ids[index] = record_id(record)
            keys[index] = row_key(record, fields, clean)
            texts[index] = row_text(record, fields)
        packed = pack(texts)
        signatures, shingles = scheme.sign(packed)
        batch.payload = {
            "keys": b"".join(keys),
            "chars": np.fromiter(map(len, texts), np.int64, len(texts)).tobytes(),
            "shingles": shingles.tobytes(),
            "bands": band_keys(signatures, options["bands"], options["band_rows"]).tobytes(),
        }
        if options["save"]:
            batch.payload["signatures"] = signatures.tobytes()

    return run


def open_shingled(options: dict[str, Any]) -> Callable[[Batch], None]:
    """The task that makes the shingle sets of marked rows."""
    scheme, fields = _scheme(options), options["fields"]

    def run(batch: Batch) -> None:
        packed = pack([row_text(record, fields) for _, record in batch.records(marked=True)])
        sets = scheme.shingles(packed)
        batch.payload = {
            "counts": np.diff(sets.offsets).tobytes(),
            "values": sets.values.tobytes(),
            "signatures": scheme.sign(packed)[0].tobytes(),
        }

    return run
