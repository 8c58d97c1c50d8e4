"""Signatures kept beside the file they describe, so that another threshold needs no hashing: `IN.scores/minhash/`.

Columns: `signatures` (uint32) and `shingles` (int64) of every row; the sets of the rows that had candidates: `set_rows`
(int64, ordinals), `set_sizes` (int64), `set_values` (uint64). They belong to the bytes of the input, and to one scheme.

CLI: `dataforge dedup chat.jsonl -o a.jsonl --method minhash --save-scores`, then `... -o b.jsonl --from-scores`
Python: `Sketches.open("chat.jsonl.scores/minhash").column("signatures")`
"""

from __future__ import annotations

import dataclasses
import unicodedata
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dataforge import __version__
from dataforge.engine.run import Part
from dataforge.errors import InputError, OutputError
from dataforge.io.paths import Source
from dataforge.ops.duplicates.decision import Table
from dataforge.ops.duplicates.described import Described
from dataforge.ops.duplicates.minhash import Scheme, band_keys
from dataforge.ops.duplicates.sketches import Sketches, SketchWriter
from dataforge.ops.scores.table import folder_of

__all__ = ["Saved"]

SCHEMA = "dataforge.signatures/1"
NAME = "minhash"


class Saved:
    """The saved signatures of the inputs of a run: `begin`, `add`, `finish`, `commit` write, `open` reads."""

    def __init__(self, sources: Sequence[Source], scheme: Scheme, fields: str) -> None:
        self._sources, self._scheme, self._fields = sources, scheme, fields
        self._folders = [folder_of(source) / NAME for source in sources]
        self._writers: list[SketchWriter] = []
        self._there: list[Sketches] = []

    def _about(self) -> dict[str, Any]:
        scheme = dataclasses.asdict(self._scheme)
        return {"schema": SCHEMA, "scheme": scheme, "fields": self._fields, "unicode": unicodedata.unidata_version}

    def begin(self, force: bool) -> None:
        """Begin to write; OutputError where there are signatures already that belong to another scheme or file."""
        for folder in self._folders:
            if folder.exists() and not force:
                help = "--from-scores uses them, --force replaces them"
                raise OutputError("holds saved signatures already", place=str(folder), help=help)
        for folder in self._folders:
            self._writers.append(SketchWriter(folder))

    def add(self, part: Part) -> None:
        """Take the signatures of a part out of its payload."""
        payload, writer = part.result.payload, self._writers[part.chunk.source]
        signatures = np.frombuffer(payload.pop("signatures"), np.uint32)
        writer.add("signatures", signatures.reshape(len(part.rows), self._scheme.permutations))
        writer.add("shingles", np.frombuffer(payload["shingles"], np.int64))

    def add_sets(self, described: Described, table: Table, n: int) -> None:
        """Take the sets of the rows that have some; n rows are of the inputs."""
        for number, writer in enumerate(self._writers):
            inside = described.rows < n
            own = np.flatnonzero(inside)
            own = own[table.source[described.rows[own]] == number]
            writer.add("set_rows", table.ordinal[described.rows[own]])
            writer.add("set_sizes", described.ends[own] - described.starts[own])
            writer.add("set_values", np.zeros(0, np.uint64))
            for place in own.tolist():
                writer.add("set_values", described.values[described.starts[place] : described.ends[place]])

    def finish(self, entries: Sequence[dict[str, Any]]) -> None:
        """End the files."""
        for writer, entry in zip(self._writers, entries, strict=True):
            writer.close({**self._about(), "input": entry, "version": __version__})

    def commit(self) -> None:
        """Put the folders into place."""
        for writer in self._writers:
            writer.commit()
        self._writers = []

    def give_up(self) -> None:
        """Remove what was not committed."""
        for writer in self._writers:
            writer.give_up()

    def open(self) -> None:
        """Open what was saved; InputError where there is nothing, or it is of another scheme."""
        for source, folder in zip(self._sources, self._folders, strict=True):
            again = f"dataforge dedup {source.spelled} --method minhash --save-scores ..."
            if not folder.is_dir():
                raise InputError("has no saved signatures", place=source.spelled, help=again)
            there = Sketches.open(folder, SCHEMA)
            for name, value in self._about().items():
                if there.about.get(name) != value:
                    what = f"was made with {name} {there.about.get(name)}, {value} is asked for"
                    raise InputError(what, place=str(folder), help=f"{again} --force")
            self._there.append(there)

    def check(self, entries: Sequence[dict[str, Any]], rows: Sequence[int]) -> None:
        """Raise InputError where an input is not the one that was signed."""
        for source, there, entry, count in zip(self._sources, self._there, entries, rows, strict=True):
            then = there.about["input"]
            if (then["hash"], then["rows"]) != (entry["hash"], count):
                help = f"dataforge dedup {source.spelled} --method minhash --save-scores --force ..."
                what = "is stale: the input has changed since, or is read in part"
                raise InputError(what, place=str(there.path), help=help)

    def sign(self, part: Part, bands: int, rows: int) -> None:
        """Put bands and numbers of shingles into the payload of a part, as if it had been signed now."""
        there = self._there[part.chunk.source]
        span = slice(part.rows.first, part.rows.first + len(part.rows))
        part.result.payload["bands"] = band_keys(there.column("signatures")[span], bands, rows).tobytes()
        part.result.payload["shingles"] = there.column("shingles")[span].tobytes()

    def describe(self, wanted: NDArray[np.bool_], table: Table, described: Described) -> NDArray[np.bool_]:
        """Give the wanted rows that have a saved set to `described`; which these are."""
        given = np.zeros(len(wanted), bool)
        for number, there in enumerate(self._there):
            if "set_values" not in there.about["columns"]:
                continue
            first = int(np.searchsorted(table.source[: len(wanted)], number))
            rows = first + np.asarray(there.column("set_rows"))
            ends = np.cumsum(there.column("set_sizes"))
            values = there.column("set_values")
            for place in np.flatnonzero(wanted[rows]).tolist():
                start, end = (int(ends[place - 1]) if place else 0), int(ends[place])
                row = int(rows[place])
                own = values[start:end]
                described.add(np.array([row]), np.array([end - start]), own)
                given[row] = True
        return given
