"""The worker task of `split`: what each row goes by, as columns.

Options: `group_by` (prompt, opening, none, or a column), `by`, `tokenizer`, `template` (of `ops/measure.py`),
`stratify` (dialect, lang, source, a column, or None). Payload: `keys` (16 bytes a row, zero for faulty rows), `chars`
(int64), `amounts` (int64, with tokens only), `strata` (int32 into the JSON list `names`, with `stratify` only).

The key of a prompt is that of the turns before the last answer, or before the candidates; of a document, and of a row
with nothing before its answer, that of the whole row. White space and Unicode composition are made equal first, so that
no prompt is on two sides for a blank at its end.

Cost: about 25 MB/s a core; with `lang`, 4 MB/s.
CLI: `dataforge split rows.jsonl -o parts`
Python: `key = group_key("prompt")(record, row)`
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import orjson
from xxhash import xxh3_128_digest

from dataforge.engine.batch import NO_ID, Batch
from dataforge.errors import RowError, did_you_mean, shorten
from dataforge.formats import folded
from dataforge.io import jsontext
from dataforge.ops.duplicates.keys import cleaner, row_key
from dataforge.ops.measure import open_measure
from dataforge.ops.rowtext import prompt_turns, row_text
from dataforge.record import Record, Turn, record_id

__all__ = ["NO_STRATUM", "column_value", "group_key", "open_task"]

Row = dict[str, Any]
NO_STRATUM = "(none)"
"""The stratum of rows whose column is absent or null."""
ABSENT: Any = object()


def column_value(row: Row, name: str) -> Any:
    """The value of a column: a key of the row, or a path of keys with dots between them; ABSENT if there is none."""
    if name in row:
        return row[name]
    value: Any = row
    for key in name.split("."):
        if not isinstance(value, dict) or key not in value:
            return ABSENT
        value = value[key]
    return value


def group_key(group_by: str) -> Callable[[Record, Row], bytes]:
    """The function that gives the 16 bytes which rows of one group share; it raises RowError for a row without them."""
    clean = cleaner("spaces")
    if group_by == "none":
        return lambda record, row: record_id(record)
    if group_by in ("prompt", "opening"):
        turns_of = prompt_turns if group_by == "prompt" else _opening
        return lambda record, row: row_key(_before(record, turns_of), clean)
    name = group_by.removeprefix("column:")

    def of_column(record: Record, row: Row) -> bytes:
        value = column_value(row, name)
        if value is ABSENT or value is None:
            what = "is null" if value is None else "is not there"
            near = did_you_mean(name, row) if value is ABSENT else ""
            raise RowError("no_group", f"the column {name!r} that rows are grouped by {what}", help=near)
        return xxh3_128_digest(_canonical(value))

    return of_column


def _before(record: Record, turns_of: Callable[[Record], list[Turn]]) -> Record:
    """The turns that make the prompt, as a record of their own; the record itself where there are none."""
    turns = [] if record.is_document else turns_of(record)
    return Record(turns) if turns else record


def _opening(record: Record) -> list[Turn]:
    """The turns up to the first one of the user, which all rows cut from one conversation have in common."""
    first = next((place for place, turn in enumerate(record.turns) if turn.role == "user"), None)
    return prompt_turns(record) if first is None else record.turns[: first + 1]


def _canonical(value: Any) -> bytes:
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError:  # numbers beyond 64 bits, lone surrogates
        return jsontext.encode(value)


def _measure(options: dict[str, Any]) -> Callable[[Record], int]:
    """Tokens of a row; of a row with candidates, those of its prompt with each of them, as a trainer reads it."""
    measure = open_measure(options)

    def tokens(record: Record) -> int:
        if not record.candidates:
            return measure(record)
        both = (Record([*record.turns, *candidate.turns], tools=record.tools) for candidate in record.candidates)
        return sum(map(measure, both))

    return tokens


def _stratum(stratify: str, batch: Batch, record: Record, row: Row) -> str:
    """The stratum of a row by its dialect or by a column."""
    if stratify == "dialect":
        source = folded.unfold(row).source if folded.KEY in row else None
        return str(source.dialect if source is not None else batch.module(row).NAME)
    value = column_value(row, stratify.removeprefix("column:"))
    if value is ABSENT or value is None:
        return NO_STRATUM
    text = value if isinstance(value, str) else _canonical(value).decode(errors="replace")
    return shorten(text.encode(errors="backslashreplace").decode())


def open_task(options: dict[str, Any]) -> Callable[[Batch], None]:
    """The task for these options."""
    key_of, stratify = group_key(options["group_by"]), options.get("stratify")
    measure = _measure(options) if options["by"] == "tokens" else None
    by_row = stratify is not None and stratify not in ("lang", "source")

    def run(batch: Batch) -> None:
        keys, strata, texts = [NO_ID] * batch.n_in, [""] * batch.n_in, [""] * batch.n_in
        chars, amounts = np.zeros(batch.n_in, np.int64), np.zeros(batch.n_in, np.int64)
        for index, row in batch.values():
            try:
                record = batch.read(row)
                batch.ids[index] = record_id(record)
                keys[index] = key_of(record, row)
                if measure is not None:
                    amounts[index] = measure(record)
                if by_row:
                    strata[index] = _stratum(stratify or "", batch, record, row)
            except RowError as fault:
                batch.fault(index, fault)
                continue
            text = row_text(record)
            chars[index] = len(text)
            if stratify == "lang":
                texts[index] = text
        batch.payload["keys"], batch.payload["chars"] = b"".join(keys), chars.tobytes()
        if measure is not None:
            batch.payload["amounts"] = amounts.tobytes()
        if stratify == "lang":
            strata = _languages(texts)
        if stratify not in (None, "source"):
            names = {name: number for number, name in enumerate(dict.fromkeys(strata))}
            batch.payload["names"] = orjson.dumps(list(names))
            batch.payload["strata"] = np.array([names[name] for name in strata], np.int32).tobytes()

    return run


def _languages(texts: list[str]) -> list[str]:
    from dataforge.ops.langid import detect_all

    return [told.code for told in detect_all(texts)]
