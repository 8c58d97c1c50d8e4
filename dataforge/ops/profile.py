"""The worker task behind inspect: counts of dialects, roles, turns, scripts and languages; a length for each row.

Options: `tokenizer`, `template` (for token lengths). Stats: counts under `dialect:`, `role:`, `turns:`, `script:`,
`language:`, `has:`. Payload: `chars` and, with a tokenizer, `tokens` (int64 a row, -1 for faulty rows).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from dataforge.engine.batch import Batch
from dataforge.errors import RowError
from dataforge.ops.measure import characters, open_measure
from dataforge.ops.scripts import SCRIPTS, count_scripts, language
from dataforge.record import Record, record_id

__all__ = ["open_task"]


def open_task(options: dict[str, Any]) -> Callable[[Batch], None]:
    """The task for these options."""
    tokens = open_measure({**options, "by": "tokens"}) if options.get("tokenizer") else None

    def run(batch: Batch) -> None:
        texts: list[str] = []
        chars = np.full(batch.n_in, -1, dtype=np.int64)
        lengths = np.full(batch.n_in, -1, dtype=np.int64)
        for index, record in batch.records():
            batch.ids[index] = record_id(record)
            try:
                if tokens is not None:
                    lengths[index] = tokens(record)
            except RowError as fault:
                batch.fault(index, fault)
                continue
            chars[index] = characters(record)
            texts.append("".join(turn.text for turn in record.turns))
            _count(record, batch.stats)
        _scripts(texts, batch.stats)
        batch.payload["chars"] = chars.tobytes()
        if tokens is not None:
            batch.payload["tokens"] = lengths.tobytes()

    return run


def _count(record: Record, stats: Any) -> None:
    layout = record.layout or {}
    stats["dialect:" + layout.get("dialect", "unknown")] += 1
    stats[f"turns:{len(record.turns)}"] += 1
    for turn in record.turns:
        stats["role:" + turn.role] += 1
    if record.tools is not None:
        stats["has:tools"] += 1
    if record.extras:
        stats["has:extra keys"] += 1
    if record.turns[-1].role == "assistant" and not record.turns[-1].parts:
        stats["has:null answer"] += 1
    elif record.turns[-1].role == "assistant" and record.turns[-1].parts == [""]:
        stats["has:empty answer"] += 1


def _scripts(texts: list[str], stats: Any) -> None:
    if not texts:
        return
    counts = count_scripts(texts)
    for name, number in zip(SCRIPTS, counts.sum(axis=0).tolist(), strict=True):
        if number:
            stats["script:" + name] += number
    for row in counts.tolist():
        stats["language:" + language(dict(zip(SCRIPTS, row, strict=True)))] += 1
