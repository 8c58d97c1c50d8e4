"""The ledger and the rejects on disk: one Parquet row for each input row, and the faulty rows as they stood.

ledger.parquet: source, ordinal, line, id (16 bytes, null where unread), fate, rule, n_out, keeper_source,
keeper_ordinal (the row that made this one a duplicate), position (row of the output), detail, and columns of the
command's own (`extra`: name -> float32, float64, int64, or the names that its numbers stand for).
rejects.jsonl: `{"source", "line", "rule", "path", "detail", "raw"}`, `raw_base64` where the bytes are no UTF-8.

Cost: about 20 bytes and 0.3 microseconds a row; rows are written in groups of 256k.
Python: `polars.read_parquet("out.jsonl.forge/ledger.parquet")`
"""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dataforge.engine.batch import NO_ID, Note
from dataforge.engine.linesfile import LinesFile
from dataforge.engine.outputs import out_of_space
from dataforge.ledger import FATES, Counts

__all__ = ["LedgerFile", "RejectsFile", "Rows"]

GROUP = 1 << 16
_ID = np.dtype([("a", "<u8"), ("b", "<u8")])


class Rows:
    """Fates of consecutive rows of one source, as columns. Every row starts as kept, written once.

    first: ordinal of the first row. lines: line of each row. ids: 16 bytes a row.
    """

    def __init__(self, source: int, first: int, lines: NDArray[np.int64], ids: bytes) -> None:
        n = len(lines)
        self.source, self.first, self.lines, self.ids = source, first, lines, ids
        self.fates: NDArray[np.uint8] = np.zeros(n, dtype=np.uint8)
        self.rules: list[str] = [""]
        self.rule_of: NDArray[np.int32] = np.zeros(n, dtype=np.int32)
        self.n_out: NDArray[np.int32] = np.ones(n, dtype=np.int32)
        self.details: dict[int, str] = {}
        self.keeper_source: NDArray[np.int32] | None = None
        self.keeper_ordinal: NDArray[np.int64] | None = None
        self.position: NDArray[np.int64] | None = None
        self.extra: dict[str, NDArray[Any]] = {}

    def __len__(self) -> int:
        return len(self.lines)

    def mark(self, rows: Any, fate: int, rule: str, n_out: int = 0) -> None:
        """Give rows (an index or a mask) a fate by a rule."""
        if rule not in self.rules:
            self.rules.append(rule)
        self.fates[rows] = fate
        self.rule_of[rows] = self.rules.index(rule)
        self.n_out[rows] = n_out

    def note(self, notes: list[Note]) -> None:
        """Give rows the fates that a worker noted."""
        for note in notes:
            self.mark(note.row, note.fate, note.rule, note.n_out)
            if note.detail:
                self.details[note.row] = f"{note.path}: {note.detail}" if note.path != "$" else note.detail

    def count(self, counts: Counts) -> None:
        """Add these rows to the counts of the run."""
        key = self.rule_of.astype(np.int64) * len(FATES) + self.fates
        for value, rows in zip(*np.unique(key, return_counts=True), strict=True):
            n_out = int(self.n_out[key == value].sum())
            counts.add(int(value) % len(FATES), self.rules[int(value) // len(FATES)], rows=int(rows), n_out=n_out)


class LedgerFile:
    """Writes ledger.parquet row group by row group."""

    def __init__(
        self, path: Path, sources: list[str], extra: Mapping[str, str | tuple[str, ...]] | None = None
    ) -> None:
        self._path = path
        self._sources = sources
        self._extra = dict(extra or {})
        self._writer: Any = None
        self._held: list[Rows] = []
        self._count = 0
        try:
            self._file = open(path, "wb")
        except OSError as fault:
            raise out_of_space(fault, str(path)) from None

    def _open(self) -> None:
        """Begin the Parquet file; late, so that pyarrow is imported while the workers already work."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        self._pa = pa
        text = pa.dictionary(pa.int32(), pa.string())
        self.schema = pa.schema(
            [
                ("source", text),
                ("ordinal", pa.int64()),
                ("line", pa.int64()),
                ("id", pa.binary(16)),
                ("fate", text),
                ("rule", text),
                ("n_out", pa.int32()),
                ("keeper_source", text),
                ("keeper_ordinal", pa.int64()),
                ("position", pa.int64()),
                ("detail", pa.string()),
                *(
                    (name, text if isinstance(kind, tuple) else getattr(pa, kind)())
                    for name, kind in self._extra.items()
                ),
            ]
        )
        self._writer = pq.ParquetWriter(
            self._file,
            self.schema,
            use_dictionary=[field.name for field in self.schema if field.type == text],
            column_encoding={"ordinal": "DELTA_BINARY_PACKED", "line": "DELTA_BINARY_PACKED"},
            compression={name: "none" if name == "id" else "zstd" for name in self.schema.names},
            write_statistics=["ordinal", "line", "fate", "rule"],
        )

    def name_sources(self, names: Sequence[str]) -> int:
        """Take further names that keepers may have; the number of the first of them."""
        first = len(self._sources)
        self._sources = [*self._sources, *names]
        return first

    def add(self, rows: Rows) -> None:
        """Append the fates of one chunk."""
        self._held.append(rows)
        self._count += len(rows)
        if self._count >= GROUP:
            self._flush()

    def _flush(self) -> None:
        try:
            if self._writer is None:
                self._open()
            if self._held:
                self._writer.write_table(self._pa.Table.from_arrays(self._columns(), schema=self.schema))
        except OSError as fault:
            raise out_of_space(fault, str(self._path)) from None
        self._held, self._count = [], 0

    def _columns(self) -> list[Any]:
        # Arrays are made from buffers: pyarrow.array imports pandas, where there is one, which takes longer than this.
        pa, held = self._pa, self._held
        names: list[str] = []
        for rows in held:
            names += [rule for rule in rows.rules if rule not in names]
        rules = [np.array([names.index(rule) for rule in rows.rules], np.int32)[rows.rule_of] for rows in held]
        ids = b"".join(rows.ids for rows in held)
        unread = np.frombuffer(ids, _ID) == np.frombuffer(NO_ID, _ID)
        keeper = _joined([rows.keeper_source for rows in held], held, np.int32)
        keeper_ordinal = _joined([rows.keeper_ordinal for rows in held], held, np.int64)
        position = _joined([rows.position for rows in held], held, np.int64)
        sources = _texts(pa, self._sources)
        ordinals = [np.arange(rows.first, rows.first + len(rows), dtype=np.int64) for rows in held]

        def named(indices: NDArray[np.int32], texts: Any, missing: NDArray[np.bool_] | None = None) -> Any:
            return pa.DictionaryArray.from_arrays(_array(pa, pa.int32(), indices, missing), texts)

        return [
            named(np.concatenate([np.full(len(rows), rows.source, np.int32) for rows in held]), sources),
            _array(pa, pa.int64(), np.concatenate(ordinals)),
            _array(pa, pa.int64(), np.concatenate([rows.lines for rows in held])),
            _array(pa, pa.binary(16), ids, unread),
            named(np.concatenate([rows.fates for rows in held]).astype(np.int32), _texts(pa, FATES)),
            named(np.concatenate(rules), _texts(pa, names)),
            _array(pa, pa.int32(), np.concatenate([rows.n_out for rows in held])),
            named(keeper, sources, keeper < 0),
            _array(pa, pa.int64(), keeper_ordinal, keeper_ordinal < 0),
            _array(pa, pa.int64(), position, position < 0),
            self._details(),
            *(self._more(name, kind) for name, kind in self._extra.items()),
        ]

    def _more(self, name: str, kind: str | tuple[str, ...]) -> Any:
        """A column of the command's own: null where a number is NaN or -1, and where a chunk has none."""
        dtype = np.dtype(np.int32 if isinstance(kind, tuple) else kind)
        blank = np.nan if dtype.kind == "f" else -1
        columns = [rows.extra.get(name, np.full(len(rows), blank, dtype)).astype(dtype) for rows in self._held]
        values = np.concatenate(columns)
        if isinstance(kind, tuple):
            indices = _array(self._pa, self._pa.int32(), values, values < 0)
            return self._pa.DictionaryArray.from_arrays(indices, _texts(self._pa, kind))
        return _array(
            self._pa, getattr(self._pa, kind)(), values, np.isnan(values) if dtype.kind == "f" else values < 0
        )

    def _details(self) -> Any:
        """The details, null for the many rows without one."""
        lengths = np.zeros(self._count, np.int32)
        texts = []
        base = 0
        for rows in self._held:
            for row in sorted(rows.details):
                texts.append(rows.details[row].encode(errors="replace"))
                lengths[base + row] = len(texts[-1])
            base += len(rows)
        return _strings(self._pa, lengths, b"".join(texts), lengths == 0)

    def close(self) -> None:
        """Write what is held and end the file."""
        self._flush()
        try:
            self._writer.close()
            self._file.close()
        except OSError as fault:
            raise out_of_space(fault, str(self._path)) from None

    def give_up(self) -> None:
        """Close a file that nobody will read; nothing to do after `close`."""
        if self._file.closed:
            return
        if self._writer is not None:
            with contextlib.suppress(OSError):
                self._writer.close()
            self._writer.is_open = False  # it would else try to write its footer when it is collected
        with contextlib.suppress(OSError):
            self._file.close()


def _joined(columns: list[Any], held: list[Rows], dtype: type) -> NDArray[Any]:
    """Optional columns end to end, -1 where a chunk has none."""
    return np.concatenate(
        [np.full(len(rows), -1, dtype) if c is None else c for c, rows in zip(columns, held, strict=True)]
    )


def _validity(pa: Any, missing: NDArray[np.bool_] | None) -> Any:
    """The bitmap of values that are there; None where all are."""
    if missing is None or not missing.any():
        return None
    return pa.py_buffer(np.packbits(~missing, bitorder="little").tobytes())


def _array(pa: Any, kind: Any, values: Any, missing: NDArray[np.bool_] | None = None) -> Any:
    """A column of numbers or of fixed-size bytes."""
    count = len(values) if isinstance(values, np.ndarray) else len(values) // 16
    return pa.Array.from_buffers(kind, count, [_validity(pa, missing), pa.py_buffer(values)])


def _strings(pa: Any, lengths: NDArray[np.int32], data: bytes, missing: NDArray[np.bool_] | None = None) -> Any:
    """A column of texts, from their lengths and their bytes end to end."""
    offsets = np.zeros(len(lengths) + 1, np.int32)
    np.cumsum(lengths, out=offsets[1:])
    buffers = [_validity(pa, missing), pa.py_buffer(offsets), pa.py_buffer(data)]
    return pa.Array.from_buffers(pa.string(), len(lengths), buffers)


def _texts(pa: Any, texts: Sequence[str]) -> Any:
    encoded = [text.encode() for text in texts]
    return _strings(pa, np.array([len(text) for text in encoded], np.int32), b"".join(encoded))


class RejectsFile(LinesFile):
    """Writes rejects.jsonl."""

    def add(self, source: str, notes: list[Note]) -> None:
        """Append the faulty rows of one chunk."""
        self.write(_reject(source, note) for note in notes)


def _reject(source: str, note: Note) -> dict[str, Any]:
    """The line of one row."""
    row: dict[str, Any] = {"source": source, "line": note.line, "rule": note.rule}
    row |= {"path": note.path, "detail": note.detail}
    raw = note.raw or b""
    try:
        row["raw"] = raw.decode()
    except UnicodeDecodeError:
        row["raw_base64"] = base64.b64encode(raw).decode()
    return row
