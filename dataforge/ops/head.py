"""`head`: the first rows of any file, readable, or as they stand.

CLI: `dataforge head chat.jsonl --rows 2`
Python: `dataforge.head("chat.jsonl", rows=2).data`
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Any

from dataforge.config import RunOptions, check, option
from dataforge.engine.batch import Batch
from dataforge.errors import InputError
from dataforge.io import jsontext
from dataforge.io.chunks import open_reading, read_chunks
from dataforge.io.paths import STDIN, find_sources
from dataforge.ledger import Result
from dataforge.ops.inspect import describe
from dataforge.registry import Operation

__all__ = ["OPERATION", "HeadConfig", "head"]

FIRST_BYTES = 1 << 18


@dataclass(frozen=True)
class HeadConfig:
    """Settings of head."""

    rows: int = option(3, help="rows to print", unit="rows", minimum=0, flags=("-n",))
    raw: bool = option(False, help="print rows as JSON lines")
    width: int = option(200, help="characters of a text to print", unit="characters", minimum=10)

    def __post_init__(self) -> None:
        check(self)


def head(inputs: tuple[str, ...], output: str | None, config: HeadConfig, options: RunOptions) -> Result:
    """The first rows over all inputs; `data` holds them as JSON values. Faulty rows are shown as what they are."""
    result = Result("head", data=[])
    left = config.rows
    for index, source in enumerate(find_sources(inputs)):
        if left <= 0:
            break
        with contextlib.closing(open_reading(source)) as reading:
            chunks = read_chunks(source, index, reading, FIRST_BYTES)
            while left > 0 and (chunk := next(chunks, None)) is not None:
                chunk.limit = left
                batch = Batch(chunk)
                left -= batch.n_in
                _show(batch, "stdin" if source.path == STDIN else source.path, config, result)
    if result.counts.rows_in == 0 and config.rows > 0:
        places = ", ".join("stdin" if path == STDIN else path for path in inputs)
        raise InputError("holds no rows", place=places, help="is it the right file?")
    return result


def _show(batch: Batch, path: str, config: HeadConfig, result: Result) -> None:
    values: dict[int, Any] = dict(batch.values())
    records = {} if config.raw else dict(batch.records())
    for row in range(batch.n_in):
        place = f"{path}:{batch.line(row)}"
        if row in batch.notes:
            note = batch.notes[row]
            result.counts.add(note.fate, note.rule)
            result.problems.append(f"{place}: {note.detail}")
        else:
            result.counts.add(0)
        if row not in values:
            continue
        result.data.append(values[row])
        if config.raw:
            result.lines.append(jsontext.encode(values[row]).decode())
        elif row in records:
            layout = records[row].layout or {}
            result.lines.append(f"{place}  ({layout.get('dialect')})")
            result.lines += [f"  {line}" for line in describe(records[row], config.width)]


OPERATION = Operation(name="head", config=HeadConfig, run=head, output="none", options=("json",), prints=True)
