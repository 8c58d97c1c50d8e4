"""An index of rows seen before, on disk and memory-mapped: new data is compared with all that came earlier.

`DIR/index.json` names the scheme and the segments; each run that adds rows writes one segment, a folder of columns
(`sketches.py`): keys (ascending) and their rows, each band's keys (ascending) and their rows, shingle sets,
and where each row came from. Only rows that stayed are in it, and they stay: a new row is compared with all of them. A
segment is never changed. One run at a time may use an index (`DIR/.lock`); what a killed run left does not count.

Looking up n rows costs n * bands searches in each segment, and memory for the rows that match. On disk a row takes 8
bytes a shingle, 24 a band, and 60.

CLI: `dataforge dedup monday.jsonl -o monday.unique.jsonl --method minhash --index seen/`
Python: `dataforge.dedup("tuesday.jsonl", output="new.jsonl", method="minhash", index="seen")`
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import re
import shutil
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from dataforge.engine.outputs import atomic_json, out_of_space
from dataforge.engine.run import Run
from dataforge.errors import InputError, UsageError
from dataforge.ops.duplicates.decision import Decision, Table
from dataforge.ops.duplicates.described import Described
from dataforge.ops.duplicates.minhash import Scheme
from dataforge.ops.duplicates.sketches import Sketches, SketchWriter

if TYPE_CHECKING:
    from dataforge.ops.dedup import DedupConfig

__all__ = ["Index"]

SCHEMA = "dataforge.index/1"
FILE, LOCK = "index.json", ".lock"
_REST = re.compile(r"[0-9]{6}|\.lock|\..*\.partial|index\.json\.partial")


class Index:
    """The index in a folder; made by the first run that names it."""

    def __init__(self, path: str, scheme: Scheme, shape: tuple[int, int], config: DedupConfig) -> None:
        if config.scope == "within":
            raise UsageError("--index compares with other data, which --within rules out", help="leave one of them out")
        self.path = Path(path)
        self.about: dict[str, Any] = {
            "schema": SCHEMA,
            "scheme": dataclasses.asdict(scheme),
            "fields": config.fields,
            "normalise": config.normalise,
            "unicode": unicodedata.unidata_version,
            "threshold": config.threshold,
            "bands": list(shape),
            "segments": [],
        }
        self._threshold = config.threshold
        self._lock = FileLock(self.path / LOCK, timeout=0)
        self._made: list[Path] = []
        self._segments: list[Sketches] = []
        self._matched: list[tuple[int, NDArray[np.int64]]] = []
        self._writer: SketchWriter | None = None
        self._added = 0

    @property
    def shape(self) -> tuple[int, int]:
        """(bands, rows of a band) of the signatures in the index."""
        bands, rows = self.about["bands"]
        return bands, rows

    def open(self) -> None:
        """Lock the index, so that no other run adds to it meanwhile, and open what it holds."""
        if self.path.exists() and not self._is_new():
            self._load()  # what does not fit is refused before anything is written
        self._made = [folder for folder in (self.path, *self.path.parents) if not folder.exists()]
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock.acquire()
        except Timeout:
            help = "wait until it has ended, or use another index"
            raise InputError("another run is adding to this index", place=str(self.path), help=help) from None
        except OSError as fault:
            raise out_of_space(fault, str(self.path)) from None
        if not self._is_new():
            self._load()
        for rest in self.path.glob(".*.partial"):  # of a run that was killed
            shutil.rmtree(rest, ignore_errors=True)
        self._segments = [Sketches.open(self.path / entry["folder"], SCHEMA) for entry in self.about["segments"]]

    def _is_new(self) -> bool:
        """True for a folder that holds nothing but what a killed first run, or one that has just begun, leaves."""
        return self.path.is_dir() and all(_REST.fullmatch(path.name) for path in self.path.iterdir())

    def _load(self) -> None:
        """Read what the folder says; it must fit what is asked for."""
        place = str(self.path)
        try:
            there = json.loads((self.path / FILE).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            raise InputError(
                "is no index", place=place, help="name a folder that does not exist, to make one"
            ) from None
        for name in ("schema", "scheme", "fields", "normalise", "unicode"):
            if there.get(name) != self.about[name]:
                what = f"was made with {name} {there.get(name)}, {self.about[name]} is asked for"
                raise InputError(what, place=place, help="use the same settings, or another index")
        if self._threshold < there["threshold"]:
            what = f"finds rows from a similarity of {there['threshold']:g} on, {self._threshold:g} is asked for"
            raise InputError(what, place=place, help=f"--threshold {there['threshold']:g} or more, or another index")
        self.about = there

    def refuse_again(self, entries: Sequence[dict[str, Any]]) -> None:
        """Raise InputError for an input that is in the index: all of it would be found to be a duplicate of itself."""
        for entry in entries:
            for segment in self.about["segments"]:
                if any(old["hash"] == entry["hash"] for old in segment["inputs"]):
                    help = "its rows would all be duplicates of themselves; use another index"
                    raise InputError("is in the index already", place=entry["name"], help=help)

    def join(self, table: Table) -> Table:
        """The table with the rows of the index that share a key or a band with one of its rows, at its end.

        They are kept before all others. Their sources come after those of the table.
        """
        columns: list[list[NDArray[Any]]] = [[] for _ in range(6)]
        names = list(table.names)
        before = sum(segment.about["rows"] for segment in self._segments)
        for number, segment in enumerate(self._segments):
            rows = self._matches(segment, table)
            self._matched.append((number, rows))
            bands = np.asarray(segment.column("row_bands")[rows]).reshape(len(rows), self.shape[0])
            parts = (
                np.asarray(segment.column("row_keys")[rows]).view(table.keys.dtype).reshape(-1),
                bands,
                np.asarray(segment.column("source")[rows]) + np.int32(len(names)),
                np.asarray(segment.column("ordinal")[rows]),
                np.asarray(segment.column("set_sizes")[rows]) > 0,
                rows - before,
            )
            before -= segment.about["rows"]
            names += segment.about["sources"]
            for column, part in zip(columns, parts, strict=True):
                column.append(part)
        own = (table.keys, table.bands, table.source, table.ordinal, table.worded, table.order)
        keys, bands, source, ordinal, worded, order = (
            np.concatenate([mine, *theirs]) for mine, theirs in zip(own, columns, strict=True)
        )
        sound = np.concatenate([table.sound, np.ones(len(keys) - len(table), bool)])
        return Table(keys, bands, source.astype(np.int32), ordinal, sound, worded, order, names)

    def _matches(self, segment: Sketches, table: Table) -> NDArray[np.int64]:
        """The rows of a segment that share a key or a band with a row of the table, ascending."""
        found = [_look_up(segment.column("keys"), segment.column("key_rows"), table.keys["a"][table.sound])]
        asked = table.bands[table.sound & table.worded]
        keys, rows = segment.column("bands"), segment.column("band_rows")
        worded = segment.about["worded"]
        for band in range(self.shape[0]):
            span = slice(band * worded, band * worded + worded)
            found.append(_look_up(keys[span], rows[span], asked[:, band]))
        return np.unique(np.concatenate(found)).astype(np.int64)

    def describe(self, wanted: NDArray[np.int64], first: int, described: Described) -> None:
        """Give `described` the sets of wanted rows of the index; row 0 of them is row `first`."""
        begin = 0
        for number, rows in self._matched:
            segment = self._segments[number]
            own = wanted[(wanted >= begin) & (wanted < begin + len(rows))]
            ends, values = segment.column("set_ends"), segment.column("set_values")
            for place in own.tolist():
                row = int(rows[place - begin])
                start, end = (int(ends[row - 1]) if row else 0), int(ends[row])
                described.add(np.array([first + place]), np.array([end - start]), values[start:end])
            begin += len(rows)

    def prepare(self, decision: Decision, described: Described, run: Run) -> None:
        """Write the rows that stay into a new segment, under a temporary name."""
        table, n = decision.table, sum(run.input_rows)
        kept = np.flatnonzero(table.sound[:n] & (decision.keeper[:n] < 0) & (decision.home[:n] == np.arange(n)))
        self._added = len(kept)
        if not len(kept):
            return
        writer = self._writer = SketchWriter(self.path / f"{len(self._segments) + 1:06d}")
        worded = np.flatnonzero(table.worded[kept])
        bands = table.bands[kept]
        _add_sorted(writer, "keys", "key_rows", table.keys["a"][kept], np.arange(len(kept)))
        writer.add("bands", np.zeros(0, np.uint64))
        writer.add("band_rows", np.zeros(0, np.int64))
        for band in range(bands.shape[1]):
            _add_sorted(writer, "bands", "band_rows", bands[worded, band], worded)
        writer.add("row_keys", table.keys[kept].view(np.uint64).reshape(-1, 2))
        writer.add("row_bands", bands)
        writer.add("source", table.source[kept])
        writer.add("ordinal", table.ordinal[kept])
        places = described.places(kept)
        sizes = described.ends[places] - described.starts[places]
        writer.add("set_sizes", sizes)
        writer.add("set_ends", np.cumsum(sizes))
        writer.add("set_values", np.zeros(0, np.uint64))
        for place in places.tolist():
            writer.add("set_values", described.values[described.starts[place] : described.ends[place]])
        names = table.names[: len(run.sources)]
        writer.close({"schema": SCHEMA, "rows": len(kept), "worded": len(worded), "sources": names})
        self._inputs = run.entries

    def commit(self) -> None:
        """Put the new segment into place, then name it in index.json: without its name there it does not count."""
        if self._writer is None:
            return
        folder = self._writer.path.name
        self._writer.commit()
        self._writer = None
        self.about["segments"].append({"folder": folder, "rows": self._added, "inputs": list(self._inputs)})
        try:
            atomic_json(self.path / FILE, self.about)
        except OSError as fault:
            raise out_of_space(fault, str(self.path)) from None

    def lines(self) -> list[str]:
        """What became of the index, for people."""
        before = sum(segment.about["rows"] for segment in self._segments)
        return [f"  {self.path}: compared with {before:,} rows, {self._added:,} added"]

    def give_up(self) -> None:
        """Remove what was not committed."""
        if self._writer is not None:
            self._writer.give_up()
        if self._lock.is_locked:
            if self._made:
                (self.path / LOCK).unlink(missing_ok=True)
            self._lock.release()
        for folder in self._made:
            with contextlib.suppress(OSError):
                folder.rmdir()


def _look_up(keys: NDArray[np.uint64], rows: NDArray[np.int64], asked: NDArray[np.uint64]) -> NDArray[np.int64]:
    """The rows that stand at any of the asked keys, `keys` being ascending."""
    asked = np.unique(asked)
    low, high = np.searchsorted(keys, asked), np.searchsorted(keys, asked, side="right")
    counts = high - low
    places = np.repeat(low - np.concatenate([[0], np.cumsum(counts)[:-1]]), counts) + np.arange(counts.sum())
    return np.asarray(rows[places], np.int64)


def _add_sorted(
    writer: SketchWriter, keys: str, places: str, values: NDArray[np.uint64], rows: NDArray[np.int64]
) -> None:
    order = np.argsort(values, kind="stable")
    writer.add(keys, values[order])
    writer.add(places, rows[order].astype(np.int64))
