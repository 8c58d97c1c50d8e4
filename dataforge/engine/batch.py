"""One chunk in a worker: its rows decoded once, and what became of each.

A task gets a Batch, walks `values()` or `records()`, and leaves behind encoded rows (`out`), columns (`payload`),
counts (`stats`) and a fate for every row that was not simply kept. `Result` is that, ready to cross a pipe: a JSON head
and raw bytes, no pickle.

Python: `batch = Batch(chunk); task(batch); result = batch.result()`
"""

from __future__ import annotations

import base64
import bisect
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from dataforge.errors import RowError, shorten
from dataforge.formats import folded
from dataforge.formats.detect import dialect, find, preferences
from dataforge.formats.spelling import Spelling
from dataforge.io import jsontext, scan
from dataforge.io.chunks import Chunk
from dataforge.ledger import DROPPED, ERROR, KEPT, REPAIRED
from dataforge.record import Record

__all__ = ["NO_ID", "Batch", "Note", "Result", "sniff"]

NO_ID = bytes(16)
MARKED = 1
"""The byte of `Chunk.keep` that asks for a row."""
SNIFFED = 200


@dataclass(slots=True)
class Note:
    """The fate of one row that was not simply kept.

    row: its number in the chunk. line: in the file. raw: its bytes, for rejects.
    """

    row: int
    line: int
    fate: int
    rule: str
    n_out: int = 0
    detail: str = ""
    path: str = "$"
    help: str = ""
    raw: bytes | None = None


@dataclass
class Result:
    """What came of one chunk: rows seen, rows written, ids (16 bytes a row), notes, columns and counts."""

    n_in: int
    n_out: int
    out: bytes = b""
    ids: bytes = b""
    lines: list[int] | None = None
    notes: list[Note] = field(default_factory=list)
    stats: dict[str, Any] = field(default_factory=dict)
    payload: dict[str, bytes] = field(default_factory=dict)

    def frames(self) -> list[bytes]:
        """The result as a JSON head and raw bytes."""
        notes = [[n.row, n.line, n.fate, n.rule, n.n_out, n.detail, n.path, n.help, _b64(n.raw)] for n in self.notes]
        sizes = {name: len(data) for name, data in self.payload.items()}
        head = {
            "n_in": self.n_in,
            "n_out": self.n_out,
            "lines": self.lines,
            "notes": notes,
            "stats": self.stats,
            "payload": sizes,
        }
        return [jsontext.encode(head), self.out, self.ids, *self.payload.values()]

    @classmethod
    def from_frames(cls, frames: list[bytes]) -> Result:
        """The inverse of `frames`."""
        head = jsontext.decode(frames[0], exact=False)
        notes = [Note(*fields) for fields in head["notes"]]
        for note, fields in zip(notes, head["notes"], strict=True):
            note.raw = _unb64(fields[-1])
        payload = dict(zip(head["payload"], frames[3:], strict=True))
        return cls(head["n_in"], head["n_out"], frames[1], frames[2], head["lines"], notes, head["stats"], payload)


def _printable(text: str) -> str:
    """The text with lone surrogates as escapes: ledgers and terminals have no place for them."""
    return text.encode(errors="backslashreplace").decode()


def _b64(raw: bytes | None) -> str | None:
    return None if raw is None else base64.b64encode(raw).decode()


def _unb64(text: str | None) -> bytes | None:
    return None if text is None else base64.b64decode(text)


class Batch:
    """The rows of one chunk and their fates.

    spelling: how dialects are read. source_dialect: the dialect of every row, or None to detect each.
    """

    def __init__(
        self,
        chunk: Chunk,
        spelling: Spelling | None = None,
        source_dialect: str | None = None,
    ) -> None:
        self.chunk = chunk
        self.spelling = spelling or Spelling()
        self.source_dialect = source_dialect
        self.out: list[bytes] = []
        self.payload: dict[str, bytes] = {}
        self.stats: Counter[str] = Counter()
        self.notes: dict[int, Note] = {}
        self.n_in = 0
        self._raw: list[bytes] = []
        self._lines: list[int] = []
        self.ids: list[bytes] = []
        self._exact: frozenset[int] | None = None
        self._starts: list[int] = []
        self._split(chunk.read())

    def _split(self, data: bytes) -> None:
        """Cut the chunk into rows, blank ones left out; `_lines` stays empty where rows and lines are one to one."""
        chunk = self.chunk
        if chunk.kind in ("lines", "text"):
            rows = data.split(b"\n")
            if not rows[-1]:
                rows.pop()
            if not all(rows) or any(map(bytes.isspace, rows)):
                pairs = [(row, n) for n, row in enumerate(rows, chunk.line) if row and not row.isspace()]
                rows, self._lines = [row for row, _ in pairs], [n for _, n in pairs]
            if chunk.lines is not None:
                self._lines = chunk.lines
        else:
            rows = self._split_json(data)
        if chunk.limit is not None:
            rows, self._lines = rows[: chunk.limit], self._lines[: chunk.limit]
        self._raw = rows
        self.n_in = len(rows)
        self.ids = [NO_ID] * len(rows)
        self._data = data

    def _find_exact(self) -> frozenset[int]:
        """The rows whose numbers orjson might round."""
        if self._exact is None:
            self._exact = frozenset(self._at(jsontext.may_round(self._data)))
        return self._exact

    def _at(self, places: Sequence[int]) -> Iterator[int]:
        """The rows at places of the chunk's bytes, which ascend."""
        if self.chunk.kind != "lines":
            yield from (bisect.bisect_right(self._starts, place) - 1 for place in places)
            return
        line, seen, numbers = 0, 0, set()
        for place in places:
            line += self._data.count(b"\n", seen, place)
            seen = place
            numbers.add(line)
        if self._lines and self.chunk.lines is None:  # blank lines were left out
            first = self.chunk.line
            yield from (row for row, number in enumerate(self._lines) if number - first in numbers)
        else:
            yield from numbers

    def _split_json(self, data: bytes) -> list[bytes]:
        starts, ends = scan.split_values(data, commas=self.chunk.kind == "array")
        last = ends[-1] if ends else 0
        if data[last:].strip():
            starts, ends = [*starts, last], [*ends, len(data)]  # a value that the file's end cuts off
        rows, lines, seen, line = [], [], 0, self.chunk.line
        for start, end in zip(starts, ends, strict=True):
            row = data[start:end]
            lead = len(row) - len(row.lstrip())
            line += data.count(b"\n", seen, start + lead)
            seen = start + lead
            rows.append(row.strip())
            lines.append(line)
            self._starts.append(start)
        self._lines = lines
        return rows

    def ends(self) -> NDArray[np.uint32] | None:
        """Where each row ends, its newline included; None unless the chunk is rows and plain newlines, nothing else."""
        data = self._data
        if self.chunk.kind != "lines" or self._lines or self.chunk.limit is not None or b"\r" in data:
            return None
        lengths = np.fromiter(map(len, self._raw), np.uint32, self.n_in)
        ends = np.cumsum(lengths + np.uint32(1), dtype=np.uint32)
        return ends if self.n_in and ends[-1] == len(data) else None

    def line(self, row: int) -> int:
        """The line (1-based) on which a row begins."""
        return self._lines[row] if self._lines else self.chunk.line + row

    def raw(self, row: int) -> bytes:
        """The bytes of a row, without its line end."""
        return self._raw[row].removesuffix(b"\r")

    def values(self, *, marked: bool = False) -> Iterator[tuple[int, dict[str, Any]]]:
        """(row, JSON object) of every readable row (that `Chunk.keep` marks); unreadable ones become errors."""
        rows = self._marked() if marked else enumerate(self._raw)
        if self.chunk.kind == "text":
            yield from self._texts(rows)
            return
        exact, faults = self._find_exact(), self.chunk.faults
        loads = orjson.loads
        for index, raw in rows:
            try:
                value = loads(raw) if index not in exact else jsontext.decode(raw)
            except orjson.JSONDecodeError:
                value = self._slowly(index, raw)
                if value is None:
                    continue
            except ValueError as fault:
                self._unreadable(index, fault)
                continue
            if type(value) is dict:
                yield index, value
            elif index in faults:
                self.error(index, "bad_table", faults[index])
            else:
                shown = shorten(raw.decode(errors="replace").strip())
                self.error(index, "not_an_object", f"a row must be a JSON object, not {shown}")

    def _slowly(self, index: int, raw: bytes) -> Any:
        """A row that orjson refuses: lone surrogates are read, the rest is an error."""
        try:
            value = jsontext.decode_exact(raw)
        except ValueError as fault:
            self._unreadable(index, fault)
            return None
        if value is None:
            self.error(index, "not_an_object", "a row must be a JSON object, not null")
        return value

    def _unreadable(self, index: int, fault: ValueError) -> None:
        if isinstance(fault, UnicodeDecodeError):
            help = "iconv -f GB18030 -t UTF-8, if it is Chinese in another encoding"
            self.error(index, "invalid_utf8", f"invalid UTF-8 at byte {fault.start} of the row", help=help)
            return
        message = str(fault).replace("line 1 column", "column")
        self.error(index, "broken_json", f"broken JSON: {message}")

    def _marked(self) -> Iterable[tuple[int, bytes]]:
        """The rows that `Chunk.keep` marks. They are often few, so numbers are looked at in these alone."""
        keep = self.chunk.keep or b""
        rows = [(index, self._raw[index]) for index in range(self.n_in) if keep[index] == MARKED]
        self._exact = frozenset(index for index, raw in rows if jsontext.may_round(raw))
        return rows

    def _texts(self, rows: Iterable[tuple[int, bytes]]) -> Iterator[tuple[int, dict[str, Any]]]:
        for index, _ in rows:
            try:
                yield index, {"text": self.raw(index).decode()}
            except UnicodeDecodeError as fault:
                self._unreadable(index, fault)

    def module(self, row: dict[str, Any]) -> Any:
        """The dialect module of a row; RowError if there is none."""
        return find(row, self.chunk.prefer) if self.source_dialect is None else dialect(self.source_dialect)

    def read(self, row: dict[str, Any]) -> Record:
        """The record of a row, or of the source row folded into it; RowError if it is faulty.

        A layout that no longer fits its row is passed over (`convert` and `validate` say so).
        """
        spelling = self.spelling
        if folded.KEY in row:
            unfolded = folded.unfold(row)
            if unfolded.source is not None:
                source = unfolded.source
                return source.read(spelling)
            row = unfolded.row
        module = self.module(row)
        try:
            record: Record = module.read(row, spelling)
        except KeyError as fault:
            raise RowError("missing_key", f"{module.NAME} needs the key {fault}") from None
        return record

    def records(self, *, marked: bool = False) -> Iterator[tuple[int, Record]]:
        """(row, Record) of every (or every marked) row that its dialect can read; the others become errors."""
        read = self.read
        for index, value in self.values(marked=marked):
            try:
                record = read(value)
            except RowError as fault:
                self.fault(index, fault)
                continue
            yield index, record

    def error(self, row: int, rule: str, detail: str, path: str = "$", help: str = "") -> None:
        """Give a row the fate `error`."""
        detail, path, help = map(_printable, (detail, path, help))
        self.notes[row] = Note(row, self.line(row), ERROR, rule, 0, detail, path, help, self.raw(row))

    def fault(self, row: int, fault: RowError) -> None:
        """Give a row the fate `error`, from an exception."""
        self.error(row, fault.rule, fault.message, fault.path, fault.help)

    def drop(self, row: int, rule: str, detail: str = "") -> None:
        """Give a row the fate `dropped`."""
        self.notes[row] = Note(row, self.line(row), DROPPED, rule, 0, detail, raw=self.raw(row))

    def repaired(self, row: int, rule: str, detail: str = "") -> None:
        """Give a row the fate `repaired`; it still goes out once."""
        self.notes[row] = Note(row, self.line(row), REPAIRED, rule, 1, detail)

    def result(self) -> Result:
        """What came of the chunk."""
        lost = sum(1 for note in self.notes.values() if note.fate not in (KEPT, REPAIRED))
        notes = [self.notes[row] for row in sorted(self.notes)]
        lines = self._lines if self._lines and self.n_in else None
        return Result(
            self.n_in,
            self.n_in - lost,
            b"".join(self.out),
            b"".join(self.ids),
            lines,
            notes,
            dict(self.stats),
            self.payload,
        )


def sniff(chunk: Chunk) -> list[str]:
    """The dialects of the first rows of a chunk, the commonest first."""
    if chunk.kind == "text":
        return []
    rows = [row for _, row in islice(Batch(chunk).values(), SNIFFED)]
    return preferences(folded.unfold(row).row if folded.KEY in row else row for row in rows)
