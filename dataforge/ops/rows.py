"""The worker task that writes rows: read, fused row steps, one encode.

Options: `to` (dialect, or None to copy rows as they are), `encode` (the container written), `columns` (of TABLES),
`drops` (False: dropped rows are not sent back), and those of `dataforge.ops.way`. A row that is only copied is not
decoded again where the input is lines of JSON and so is the output. Stats: `written`, the rows encoded, which the run
compares with the fates (conservation); `dialect:NAME`.

CLI: `dataforge convert in.jsonl --to sharegpt`
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from typing import Any

import orjson

from dataforge.engine.batch import Batch
from dataforge.errors import NotRepresentable, RowError
from dataforge.formats.detect import dialect, find
from dataforge.formats.folded import KEY
from dataforge.formats.repairs import Drop
from dataforge.formats.spelling import Spelling
from dataforge.io import jsontext
from dataforge.io.sheetfile import check_cells
from dataforge.ops.way import Way
from dataforge.record import record_id

__all__ = ["DROP", "FAULTY", "STAY", "TABLES", "json_line", "open_task", "table_line", "too_deep"]

DROP, STAY, FAULTY = range(3)
"""What an earlier decision says of a row (`Chunk.keep`)."""

TABLES = ("csv", "tsv", "xlsx")
"""Containers whose rows are cells under a header, all of them texts."""
PLAIN = Spelling()
NO_CELL = "a .jsonl or .parquet output carries it; --on-error reject puts such rows into rejects.jsonl"
NO_PLACE = "--keep-layout carries it in the row's _layout; --on-error reject puts such rows into rejects.jsonl"
Encoder = Callable[[dict[str, Any]], bytes]


def open_task(options: dict[str, Any]) -> Callable[[Batch], None]:
    """The task for these options."""
    encode = _encoder(options.get("encode", "jsonl"), options.get("columns"))
    if options.get("to") is None:
        container, drops = options.get("encode", "jsonl"), options.get("drops", True)
        return lambda batch: _copy(batch, encode, container, drops)
    way = Way.of(options)
    return lambda batch: _convert(batch, way, encode)


def _convert(batch: Batch, way: Way, encode: Encoder) -> None:
    """Every row into the target dialect; most rows are only read and written."""
    out, ids, spelling = batch.out, batch.ids, way.spelling
    straight = way.writer()
    fixed = None if batch.source_dialect is None else dialect(batch.source_dialect)
    prefer = batch.chunk.prefer
    seen: dict[str, int] = {}
    for index, value in batch.values():
        try:
            if straight is not None and KEY not in value:
                module = fixed or find(value, prefer)
                try:
                    record = module.read(value, spelling)
                except KeyError as fault:
                    raise RowError("missing_key", f"{module.NAME} needs the key {fault}") from None
                ids[index] = record_id(record)
                out.append(encode(straight(record, spelling)))
                name = module.NAME
            else:
                done = way.turn(batch, index, value)
                out.append(encode(done.row))
                name = done.dialect
                if done.rule:
                    batch.repaired(index, done.rule, done.detail)
            seen[name] = seen.get(name, 0) + 1
        except Drop as drop:
            batch.drop(index, str(drop))
        except RowError as fault:
            if isinstance(fault, NotRepresentable):
                kept_by_layout = way.bare and fault.rule == f"not_representable:{way.to}"
                fault.help = fault.help or (NO_PLACE if kept_by_layout else NO_CELL)
            batch.fault(index, fault)
        except RecursionError:
            batch.fault(index, too_deep())
    batch.stats.update({"dialect:" + name: count for name, count in seen.items()})
    batch.stats["written"] = len(out)


def _copy(batch: Batch, encode: Encoder, container: str, drops: bool) -> None:
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
    batch.stats["written"] = len(out)
    if keep is not None:
        batch.notes.clear()  # what is faulty was said when the decision was made
        for index in (row for row in range(batch.n_in) if drops and keep[row] == DROP):
            batch.drop(index, "")


def _encoder(container: str, columns: list[str] | None) -> Encoder:
    if container in TABLES:
        return lambda row: table_line(_cells(row, columns or list(row)), columns or list(row), container)
    if container == "txt":
        return _line
    return json_line


def too_deep() -> RowError:
    """The fault of a row whose values are nested deeper than JSON writers go."""
    return RowError("too_deep", "values are nested too deep to be written (more than 254 levels)")


def json_line(row: Any) -> bytes:
    """A row (or any JSON value) as one line of JSON; raises RowError if it is nested too deep to be written."""
    try:
        return orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)
    except TypeError:
        pass  # lone surrogates and big integers take the slower way
    try:
        return jsontext.encode(row) + b"\n"
    except (TypeError, RecursionError):
        raise too_deep() from None


def table_line(cells: list[str], columns: list[str], container: str) -> bytes:
    """One line of a table; raises NotRepresentable for what no cell can hold (a lone surrogate)."""
    if container == "xlsx":
        check_cells(cells, columns)
        return orjson.dumps(cells, option=orjson.OPT_APPEND_NEWLINE)
    text = io.StringIO()
    delimiter = "," if container == "csv" else "\t"
    csv.writer(text, delimiter=delimiter, lineterminator="\r\n").writerow(cells)  # so that both are quoted in cells
    try:
        return text.getvalue()[:-2].encode() + b"\n"
    except UnicodeEncodeError:
        raise NotRepresentable("a table", "a lone surrogate") from None


def _cells(row: dict[str, Any], columns: list[str]) -> list[str]:
    """The cells of a row. Numbers, true and false stand as JSON, null and absent keys as empty cells.

    Raises NotRepresentable where the cells would not read as the same record (history, tools, an answer of null).
    """
    for key in row:
        if key not in columns:
            raise NotRepresentable("a table", f"the key {key!r}, which is no column of its first rows", path=f"$.{key}")
    if len(row) == len(columns) and all(type(value) is str for value in row.values()):
        return [row[name] for name in columns]
    cells = {name: _cell(row.get(name)) for name in columns}
    try:
        same = _content_id(cells) == _content_id(row)
    except RowError:
        same = False
    if not same:
        raise NotRepresentable("a table", _culprit(row))
    return list(cells.values())


def _cell(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else json_line(value)[:-1].decode()


def _content_id(row: dict[str, Any]) -> bytes:
    return record_id(find(row).read(row, PLAIN))


def _culprit(row: dict[str, Any]) -> str:
    """What keeps a row from coming back from a table as it was."""
    for kind, wanted in (("a list or an object", (list, dict)), ("null", (type(None),))):
        for key, value in row.items():
            if isinstance(value, wanted):
                return f"{key!r}, which is {kind} and would come back as a text"
    return "a row without the columns that other rows have"


def _line(row: dict[str, Any]) -> bytes:
    """One document as one line."""
    text = row.get("text")
    if not isinstance(text, str):
        raise NotRepresentable("txt", "a row that is no document")
    if "\n" in text or "\r" in text or not text.strip():
        raise NotRepresentable("txt", "a text with line ends, or without any character", path="$.text")
    if text.startswith("\ufeff"):
        raise NotRepresentable("txt", "a text that begins with a byte order mark", path="$.text")
    if len(row) > 1:
        raise NotRepresentable("txt", f"the key {next(key for key in row if key != 'text')!r}")
    try:
        return text.encode() + b"\n"
    except UnicodeEncodeError:
        raise NotRepresentable("txt", "a lone surrogate", path="$.text") from None
