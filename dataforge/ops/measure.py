"""The worker task that measures rows: one length each, in rows, characters or tokens.

Options: `by` (rows, chars, tokens), `tokenizer`, `template`. Tokens are those that `shard` would make of the row: the
whole conversation through the chat template, or the document with its end-of-text token.
Payload: `lengths`, 8 bytes a row (int64, 0 for faulty rows).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from dataforge.engine.batch import Batch
from dataforge.errors import RowError
from dataforge.record import Record, record_id

__all__ = ["characters", "open_measure", "open_task"]


def characters(record: Record) -> int:
    """Characters (Unicode code points) of all text parts of a record."""
    return sum(len(turn.text) for turn in record.turns)


def open_measure(options: dict[str, Any]) -> Callable[[Record], int]:
    """The function that gives a record's length in the unit `by`."""
    if options["by"] == "rows":
        return lambda record: 1
    if options["by"] == "chars":
        return characters
    from dataforge.shards.render import Renderer
    from dataforge.shards.template import load_tokenizer

    renderer = Renderer(load_tokenizer(options["tokenizer"], options.get("template"), conversations=False))
    return lambda record: len(renderer.render(record).ids)


def open_task(options: dict[str, Any]) -> Callable[[Batch], None]:
    """The task for these options."""
    measure = open_measure(options)

    def run(batch: Batch) -> None:
        lengths = np.zeros(batch.n_in, dtype=np.int64)
        for index, record in batch.records():
            batch.ids[index] = record_id(record)
            try:
                lengths[index] = measure(record)
            except RowError as fault:
                batch.fault(index, fault)
        batch.payload["lengths"] = lengths.tobytes()

    return run
