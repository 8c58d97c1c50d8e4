"""Files to chunks: whole rows as bytes, cut at row boundaries, in bounded memory.

A chunk of a plain file names its range, and the worker reads it; chunks of compressed files, streams and tables carry
their bytes. Lines and JSON arrays are streamed, never loaded whole. Tables (csv, tsv) become JSON lines, every cell a text.
The bytes of each file are hashed (xxh3-128) on the way.

Python: `for chunk in read_chunks(source, 0, open_reading(source)): ...`
"""

from __future__ import annotations

import csv
import gzip
import io
import os
import stat
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO, cast

import orjson
from xxhash import xxh3_128

from dataforge.errors import InputError
from dataforge.io import scan
from dataforge.io.paths import STDIN, Source

__all__ = ["CHUNK_BYTES", "Chunk", "Reading", "open_reading", "read_chunks"]

CHUNK_BYTES = 1 << 20
UTF8_BOM = b"\xef\xbb\xbf"
LINES, ARRAY, VALUES, TEXT = "lines", "array", "values", "text"


@dataclass
class Chunk:
    """A stretch of one source that holds whole rows.

    kind: lines (JSON a line), array (values separated by commas), values (concatenated objects), text (a document a line).
    Either `data` is set, or `path`, `offset` and `length` say where to read it.
    line: number of the first line (1-based). lines: line of each row, where rows were made from a table.
    faults: rows (by position in the chunk) that the container itself could not read, with the reason.
    limit: at most so many rows of it are wanted.
    keep: one byte a row, 1 where the row is to be written (an earlier decision); None for all.
    """

    source: int
    kind: str
    line: int
    length: int
    path: str | None = None
    offset: int = 0
    data: bytes | None = None
    lines: list[int] | None = None
    faults: dict[int, str] = field(default_factory=dict)
    limit: int | None = None
    keep: bytes | None = None

    def read(self) -> bytes:
        """The bytes of the chunk."""
        if self.data is not None:
            return self.data
        assert self.path is not None
        with open(self.path, "rb", buffering=0) as file:
            file.seek(self.offset)
            data = file.read(self.length)
            while len(data) < self.length:
                more = file.read(self.length - len(data))
                if not more:
                    raise InputError("the file became shorter while it was read", place=self.path)
                data += more
        return data


class Reading:
    """What reading a source found out: its size and hash, complete once the chunks have been read to the end."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._hash = xxh3_128()
        self.bytes = 0

    def read(self, size: int = -1) -> bytes:
        """Read, count and hash."""
        data = self._file.read(size)
        self.bytes += len(data)
        self._hash.update(data)
        return data

    def readable(self) -> bool:
        """Part of the file protocol that decompressors ask for."""
        return True

    def finish(self) -> None:
        """Read what is left, so that size and hash are those of the whole file."""
        while self.read(CHUNK_BYTES):
            pass

    def close(self) -> None:
        """Close the file; standard input stays open."""
        if self._file is not sys.stdin.buffer:
            self._file.close()

    @property
    def hash(self) -> str:
        """`xxh3-128:` and 32 hexadecimal digits."""
        return "xxh3-128:" + self._hash.hexdigest()


def _open(source: Source) -> BinaryIO:
    if source.path == STDIN:
        return sys.stdin.buffer
    try:
        return open(source.path, "rb", buffering=0)
    except OSError as fault:
        raise InputError(f"cannot be read: {fault.strerror}", place=source.path) from None


def open_reading(source: Source) -> Reading:
    """A Reading of a source; its bytes are those on disk (compressed, if the file is)."""
    return Reading(_open(source))


def _decompressed(reading: Reading, source: Source) -> Any:
    if source.compression == "gz":
        return gzip.GzipFile(fileobj=cast(BinaryIO, reading))
    if source.compression == "zst":
        import zstandard

        return zstandard.ZstdDecompressor().stream_reader(cast(BinaryIO, reading), read_across_frames=True)
    return reading


def read_chunks(source: Source, index: int, reading: Reading, size: int = CHUNK_BYTES) -> Iterator[Chunk]:
    """The chunks of a source in order. `index` is its number in the run. Raises InputError for broken containers."""
    stream = _decompressed(reading, source)
    try:
        if source.container in ("csv", "tsv"):
            yield from _table(stream, source, index, size)
            return
        head = stream.read(size)
        skipped = 0
        if head.startswith(UTF8_BOM):
            head, skipped = head[3:], 3
        elif head[:2] in (b"\xff\xfe", b"\xfe\xff"):
            raise InputError("is UTF-16 text, not UTF-8", place=source.path, help="iconv -f UTF-16 -t UTF-8 FILE")
        kind = _kind(source, head)
        plain = source.path if source.compression is None and _seekable(source) else None
        cutter = _lines if kind in (LINES, TEXT) else _values
        for chunk in cutter(stream, source, head, skipped, kind, size):
            chunk.source = index
            if plain is not None:
                chunk.path, chunk.data = plain, None
            yield chunk
    except (gzip.BadGzipFile, EOFError) as fault:
        raise InputError(f"is no whole gzip file: {fault}", place=source.path) from None
    except OSError as fault:
        raise InputError(f"cannot be read: {fault.strerror or fault}", place=source.path) from None
    except Exception as fault:
        if type(fault).__name__ == "ZstdError":
            raise InputError(f"is no whole zstd file: {fault}", place=source.path) from None
        raise


def _seekable(source: Source) -> bool:
    return source.path != STDIN and stat.S_ISREG(os.stat(source.path).st_mode)


def _kind(source: Source, head: bytes) -> str:
    """What the bytes are, whatever the suffix promised: JSON files often hold lines, and .jsonl files arrays."""
    if source.container == "txt":
        return TEXT
    start = head.lstrip()
    if start.startswith(b"["):
        first = start.split(b"\n", 1)[0].strip()
        # A line that is a whole array among other lines is a (faulty) row of a jsonl file, not the whole file.
        return LINES if source.container == "jsonl" and b"\n" in start.rstrip() and _parses(first) else ARRAY
    if source.container == "json" and start.startswith(b"{"):
        return LINES if _parses(start.split(b"\n", 1)[0]) else VALUES
    return LINES


def _parses(text: bytes) -> bool:
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return True


def _lines(stream: Any, source: Source, head: bytes, offset: int, kind: str, size: int) -> Iterator[Chunk]:
    line = 1
    rest: list[bytes] = []  # the beginning of a row whose end is still to come
    block = head
    while block:
        cut = block.rfind(b"\n") + 1
        if cut:
            data = b"".join([*rest, block[:cut]])
            yield Chunk(0, kind, line, len(data), offset=offset, data=data)
            offset += len(data)
            line += data.count(b"\n")
            rest = [block[cut:]]
        else:
            rest.append(block)
        block = stream.read(size)
    data = b"".join(rest)
    if data:
        yield Chunk(0, kind, line, len(data), offset=offset, data=data)


def _values(stream: Any, source: Source, head: bytes, offset: int, kind: str, size: int) -> Iterator[Chunk]:
    """Chunks of a JSON array (or of concatenated objects), cut between values."""
    line, data, closed = 1, head, False
    commas = kind == ARRAY
    if commas:
        start = data.index(b"[") + 1
        line += data[:start].count(b"\n")
        data, offset = data[start:], offset + start
    while True:
        stop, follow, end = scan.last_boundary(scan.structure(data), commas=commas)
        if end >= 0:
            stop, follow, closed = end, end + 1, True
        if stop >= 0:
            if stop or closed:
                yield Chunk(0, kind, line, stop, offset=offset, data=data[:stop])
            line += data[:follow].count(b"\n")
            offset += follow
            data = data[follow:]
        block = stream.read(max(size, len(data)))
        if closed or not block:
            yield from _tail(data + block, stream, source, kind, line, offset, closed)
            return
        data += block


def _tail(data: bytes, stream: Any, source: Source, kind: str, line: int, offset: int, closed: bool) -> Iterator[Chunk]:
    """What stands after the last whole value: nothing, or a value that the file's end cuts off."""
    if closed:
        while data:
            if data.strip():
                at = line + data[: len(data) - len(data.lstrip())].count(b"\n")
                raise InputError("there is text after the end of the JSON array", place=f"{source.path}:{at}")
            line += data.count(b"\n")
            data = stream.read(CHUNK_BYTES)
        return
    if data.strip():
        yield Chunk(0, kind, line, len(data), offset=offset, data=data)
    if kind == ARRAY:
        raise InputError(
            "the JSON array is not closed; the file may be cut",
            place=f"{source.path}:{line + data.count(10)}",
            help="fetch the file again, or mend its end",
        )


def _table(stream: Any, source: Source, index: int, size: int) -> Iterator[Chunk]:
    """Rows of csv or tsv as JSON lines; every cell stays a text, as it stands in the file."""
    csv.field_size_limit(2**31 - 1)
    text = io.TextIOWrapper(
        cast(BinaryIO, io.BufferedReader(_Raw(stream))), encoding="utf-8-sig", errors="surrogateescape", newline=""
    )
    rows = csv.reader(text, delimiter="\t" if source.container == "tsv" else ",", strict=True)
    try:
        header = next(rows, None)
        if header is None:
            return
        twice = {name for name in header if header.count(name) > 1}
        if twice:
            raise InputError(f"the column {min(twice)!r} stands twice in the header", place=f"{source.path}:1")
        yield from _table_chunks(rows, header, index, size)
    except csv.Error as fault:
        raise InputError(f"is no readable table: {fault}", place=f"{source.path}:{rows.line_num}") from None


def _table_chunks(rows: Any, header: list[str], index: int, size: int) -> Iterator[Chunk]:
    out: list[bytes] = []
    lines: list[int] = []
    faults: dict[int, str] = {}
    held, line = 0, rows.line_num + 1
    for row in rows:
        if row:
            encoded, fault = _table_row(row, header)
            if fault:
                faults[len(out)] = fault
            out.append(encoded)
            lines.append(line)
            held += len(encoded)
        line = rows.line_num + 1
        if held >= size:
            data = b"\n".join(out)
            yield Chunk(index, LINES, lines[0], len(data), data=data, lines=lines, faults=faults)
            out, lines, faults, held = [], [], {}, 0
    if out:
        data = b"\n".join(out)
        yield Chunk(index, LINES, lines[0], len(data), data=data, lines=lines, faults=faults)


def _table_row(row: list[str], header: list[str]) -> tuple[bytes, str]:
    try:
        if len(row) == len(header):
            return orjson.dumps(dict(zip(header, row, strict=True))), ""
        return orjson.dumps(row), f"{len(row)} cells under {len(header)} headers"
    except TypeError:
        clean = [cell.encode(errors="surrogateescape").decode(errors="replace") for cell in row]
        return orjson.dumps(clean), "invalid UTF-8"


class _Raw(io.RawIOBase):
    """A stream with only `read` as a raw file."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)
