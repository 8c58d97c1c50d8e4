"""The worker task of `tokenizer train`: all text of the rows of a chunk.

Reads the records of a batch; leaves in its payload `texts`, a JSON list: every turn of every row with its reasoning,
calls and tool results, the functions on offer, and every candidate. Counts `characters`.

Cost: the speed of reading the rows. CLI: `dataforge tokenizer train corpus.jsonl -o my-tokenizer`
Python: `texts = texts_of(record)`
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson

from dataforge.engine.batch import Batch
from dataforge.errors import RowError
from dataforge.io import jsontext
from dataforge.record import Media, Record, ToolCall, ToolResult, Turn, record_id

__all__ = ["open_task", "texts_of"]


def open_task(options: dict[str, Any]) -> Callable[[Batch], None]:
    """The task; it has no options."""
    return _task


def _task(batch: Batch) -> None:
    texts: list[str] = []
    for index, record in batch.records():
        batch.ids[index] = record_id(record)
        found = texts_of(record)
        try:
            "".join(found).encode()
        except UnicodeEncodeError:
            batch.fault(index, RowError("lone_surrogate", "the row holds half of a surrogate pair"))
            continue
        texts += found
        batch.stats["characters"] += sum(map(len, found))
    batch.payload["texts"] = orjson.dumps(texts)


def texts_of(record: Record) -> list[str]:
    """Every text of a record, in order; empty ones left out."""
    texts = [jsontext.encode(tool).decode() for tool in record.tools or ()]
    turns = [*record.turns, *(turn for candidate in record.candidates or () for turn in candidate.turns)]
    texts += [text for turn in turns for text in _of_turn(turn)]
    return [text for text in texts if text]


def _of_turn(turn: Turn) -> list[str]:
    texts = []
    for part in turn.parts:
        if isinstance(part, str):
            texts.append(part)
        elif isinstance(part, ToolCall):
            texts += [part.name or "", part.arguments]
        elif isinstance(part, ToolResult):
            texts.append(part.content)
        elif not isinstance(part, Media):
            texts.append(part.text)
    return texts
