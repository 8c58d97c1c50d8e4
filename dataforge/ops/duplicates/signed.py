"""The worker tasks behind near-duplicate search: signatures of all rows, shingle sets of the rows that need them.

`signed`: options of `Scheme`, `bands` and `band_rows`, `fields`, `normalise`, `save`. Payload: `keys` (16 bytes a row,
as in `keys.py`), `chars` (int64), `shingles` (int64, 0 for a row that says nothing), `bands` (uint64, `bands` a row),
and with `save` `signatures` (uint32).
With `only_marked`: the rows that `Chunk.keep` marks; payload: `counts` (int64 a marked row), `values` (uint64,
ascending sets).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from dataforge.engine.batch import NO_ID, Batch
from dataforge.ops.duplicates.keys import cleaner, is_plain, part_of, plain_key, row_key
from dataforge.ops.duplicates.minhash import Scheme, band_keys
from dataforge.ops.rowtext import row_text
from dataforge.ops.terms import Packed, pack
from dataforge.record import Record, record_id

__all__ = ["open_task"]


def _scheme(options: dict[str, Any]) -> Scheme:
    return Scheme(options["permutations"], options["ngram"], options["seed"])


def open_task(options: dict[str, Any]) -> Callable[[Batch], None]:
    """The task that signs, or, with `only_marked`, the one that makes shingle sets."""
    if options.get("only_marked"):
        return _open_shingled(options)
    scheme, fields, normalise = _scheme(options), options["fields"], options["normalise"]

    def run(batch: Batch) -> None:
        rows = _Rows(batch.n_in, normalise)
        for index, record in batch.records():
            batch.ids[index] = record_id(record)
            rows.add(index, part_of(record, fields))
        packed = rows.pack()
        signatures, shingles = scheme.sign(packed)
        batch.payload = {
            "keys": rows.keys(),
            "chars": np.array(rows.chars, np.int64).tobytes(),
            "shingles": shingles.tobytes(),
            "bands": band_keys(signatures, options["bands"], options["band_rows"]).tobytes(),
        }
        if options["save"]:
            batch.payload["signatures"] = signatures.tobytes()

    return run


class _Rows:
    """The texts of a batch, encoded once for keys and signatures; each turn is ended by a newline.

    Where only white space is normalised, a compiled loop does that for all turns of plain rows at once; the keys are
    those of `keys.row_key`.
    """

    def __init__(self, count: int, normalise: str) -> None:
        self.chars = [0] * count
        self._clean = cleaner(normalise)
        self._at_once = normalise == "spaces"
        self._keys = [NO_ID] * count
        self._pieces: list[str] = []
        self._roles: list[bytes] = []
        self._firsts = [0] * (count + 1)
        self._plain: list[int] = []
        self._added = 0

    def add(self, index: int, record: Record) -> None:
        """Take what is compared of row `index`; rows come in order, and some may be missing."""
        pieces = self._pieces
        self._skip(index)
        if self._at_once and is_plain(record):
            self._plain.append(index)
            for turn in record.turns:
                self._roles.append(turn.role.encode() + b"\x1f")
                pieces.append(turn.text)
        else:
            self._keys[index] = row_key(record, self._clean)
            self._roles.append(b"")
            pieces.append(row_text(record))
        self._added = index + 1
        own = pieces[self._firsts[index] :]
        self.chars[index] = sum(map(len, own)) + max(len(own) - 1, 0)  # the length of `row_text`

    def _skip(self, index: int) -> None:
        """Let the rows from the last one added up to `index` begin where the next piece will."""
        for row in range(self._added, index + 1):
            self._firsts[row] = len(self._pieces)

    def pack(self) -> Packed:
        """The bytes of all rows."""
        self._skip(len(self._firsts) - 1)
        self._packed = pack([piece + "\n" for piece in self._pieces])
        return Packed(self._packed.data, self._packed.offsets[self._firsts])

    def keys(self) -> bytes:
        """The keys of all rows, after `pack`."""
        from dataforge.ops.duplicates.loops import collapse_loop

        if self._plain:
            out, ends = np.empty_like(self._packed.data), np.empty(len(self._pieces), np.int64)
            collapse_loop(self._packed.data, self._packed.offsets, out, ends)
            text, begins, stops = out.tobytes(), self._packed.offsets.tolist(), ends.tolist()
            for row in self._plain:
                turns = range(self._firsts[row], self._firsts[row + 1])
                self._keys[row] = plain_key([self._roles[turn] + text[begins[turn] : stops[turn]] for turn in turns])
        return b"".join(self._keys)


def _open_shingled(options: dict[str, Any]) -> Callable[[Batch], None]:
    """The task that makes the shingle sets of marked rows."""
    scheme, fields = _scheme(options), options["fields"]

    def run(batch: Batch) -> None:
        packed = pack([row_text(part_of(record, fields)) for _, record in batch.records(marked=True)])
        sets = scheme.shingles(packed)
        batch.payload = {
            "counts": np.diff(sets.offsets).tobytes(),
            "values": sets.values.tobytes(),
        }

    return run
