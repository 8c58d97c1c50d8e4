"""The worker task that writes rows: read, fused row steps, one encode.

Options: `to` (dialect, or None to copy rows as they are), `from`, `joiner`, `encode` (jsonl, csv, tsv, txt), `columns`.
A row that is only copied is not decoded again where the input is lines of JSON and so is the output.

CLI: `dataforge convert in.jsonl --to sharegpt`
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from typing import Any

import orjson

from dataforge.engine.batch import Batch, detect, dialect
from dataforge.errors import NotRepresentable, RowError
from dataforge.formats.spelling import Spelling
from dataforge.io import jsontext
from dataforge.record import record_id

__all__ = ["DROP", "FAULTY", "STAY", "open_task"]

DROP, STAY, FAULTY = range(3)
"""What an earlier decision says of a row (`Chunk.keep`)."""

Encoder = Callable[[dict[str, Any]], bytes]


def open_task(options: dict[str, Any]) -> Callable[[Batch], None]:
    """The task for these options."""
    encode = _encoder(options.get("encode", "jsonl"), options.get("columns"))
    target = options.get("to")
    if target is None:
        return lambda batch: _copy(batch, encode, options.get("encode", "jsonl"))
    return lambda batch: _convert(batch, target, encode)


def _convert(batch: Batch, target: str, encode: Encoder) -> None:
    """Every row into the target dialect."""
    write, spelling, out, ids = dialect(target).write, batch.spelling, batch.out, batch.ids
    fixed = None if batch.source_dialect is None else dialect(batch.source_dialect)
    for index, value in batch.values():
        try:
            source = fixed or detect(value)
            record = source.read(value, spelling)
            ids[index] = record_id(record)
            out.append(encode(write(record, spelling)))
        except RowError as fault:
            batch.fault(index, fault)
        except KeyError as fault:
            batch.error(index, "missing_key", f"{batch.source_dialect} needs the key {fault}")


def _copy(batch: Batch, encode: Encoder, container: str) -> None:
    """The rows that an earlier decision keeps (`keep`: 1 stay, 0 dropped, 2 faulty), as they are."""
    keep = batch.chunk.keep
    out = batch.out
    if batch.chunk.kind == "lines" and container == "jsonl":
        for index in range(batch.n_in):
            if keep is None or keep[index] == STAY:
                out.append(batch.raw(index) + b"\n")
    else:
        for index, value in batch.values():
            if keep is None or keep[index] == STAY:
                try:
                    out.append(encode(value))
                except RowError as fault:
                    batch.fault(index, fault)
    if keep is not None:
        batch.notes.clear()  # what is faulty was said when the decision was made
        for index in (row for row in range(batch.n_in) if keep[row] == DROP):
            batch.drop(index, "")


def _encoder(container: str, columns: list[str] | None) -> Encoder:
    if container in ("csv", "tsv"):
        return lambda row: _cells(row, columns or list(row), "," if container == "csv" else "\t")
    if container == "txt":
        return _line
    return _json


def _json(row: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)
    except TypeError:
        return jsontext.encode(row) + b"\n"


def _cells(row: dict[str, Any], columns: list[str], delimiter: str) -> bytes:
    """One line of a table; values that are no text stand as JSON."""
    for key in row:
        if key not in columns:
            raise NotRepresentable("a table", f"the key {key!r}, which is no column of its first rows", path=f"$.{key}")
    cells = []
    for name in columns:
        value = row.get(name, "")
        cells.append(value if isinstance(value, str) else "" if value is None else jsontext.encode(value).decode())
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator="\n").writerow(cells)
    try:
        return text.getvalue().encode()
    except UnicodeEncodeError:
        raise NotRepresentable("a table", "a lone surrogate") from None


def _line(row: dict[str, Any]) -> bytes:
    """One document as one line."""
    text = row["text"]
    if "\n" in text or "\r" in text or not text.strip():
        raise NotRepresentable("txt", "a text with line ends, or without any character", path="$.text")
    if len(row) > 1:
        raise NotRepresentable("txt", f"the key {next(key for key in row if key != 'text')!r}")
    try:
        return text.encode() + b"\n"
    except UnicodeEncodeError:
        raise NotRepresentable("txt", "a lone surrogate", path="$.text") from None
