"""The worker task of `shard`: rows of a chunk to tokens, each row kept, dropped by rule, or an error.

Reads the records of a batch; leaves in its payload, for the rows that are kept and in their order: `tokens` (int32,
all rows end to end: the id where a token is trained, its complement `~id` where it is not), `lengths` (int32, tokens
a row), `trained` (int32, labels a row has while it stands in one piece), and `tokenizer` (JSON: what the manifest
says of it, so that only workers have to open it).
Counts: `tokens_in`, `tokens_masked`, `tokens_dropped`, and rows by note (`special_in_text`, `no_terminator`,
`boundary_merged`).

Cost: about 0.9 million tokens a second and core with the chatml template; memory of one chunk.
CLI: `dataforge shard in.jsonl -o shards --tokenizer my-tokenizer -j 8`
Python: `open_task({"tokenizer": "my-tokenizer", "stage": "sft", "max_length": 2048})(batch)`
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from dataforge.engine.batch import Batch
from dataforge.errors import RowError
from dataforge.record import Record, record_id
from dataforge.shards.render import Rendered, Renderer
from dataforge.shards.template import describe_tokenizer, load_tokenizer

__all__ = ["marked", "open_task"]

GROUP = 512
"""Records that are tokenised together: enough to pay for the call, few enough for memory."""


def open_task(options: dict[str, Any]) -> Callable[[Batch], None]:
    """The task for these options: tokenizer, template, stage, max_length."""
    sft = options["stage"] == "sft"
    tokenizer = load_tokenizer(options["tokenizer"], options.get("template"), conversations=sft)
    renderer = Renderer(tokenizer, all_tokens=not sft)
    max_length = options["max_length"]
    described = orjson.dumps(describe_tokenizer(tokenizer))

    def task(batch: Batch) -> None:
        _Chunk(batch, renderer, max_length, divide_all=not sft).run()
        batch.payload["tokenizer"] = described

    return task


def marked(ids: list[int], mask: list[int]) -> NDArray[np.int32]:
    """Ids and mask in one array: `id` where the mask is 1, `~id` (negative) where it is 0."""
    tokens = np.array(ids, dtype=np.int32)
    return np.where(np.array(mask, dtype=np.bool_), tokens, ~tokens)


class _Chunk:
    """A batch on its way to tokens."""

    def __init__(self, batch: Batch, renderer: Renderer, max_length: int, *, divide_all: bool) -> None:
        self._batch = batch
        self._renderer = renderer
        self._max_length = max_length
        self._divide_all = divide_all
        self._tokens: list[NDArray[np.int32]] = []
        self._trained: list[int] = []

    def run(self) -> None:
        held: list[tuple[int, Record]] = []
        for index, record in self._batch.records():
            self._batch.ids[index] = record_id(record)
            held.append((index, record))
            if len(held) == GROUP:
                self._take(held)
                held = []
        self._take(held)
        lengths = np.array([len(tokens) for tokens in self._tokens], dtype=np.int32)
        tokens = np.concatenate([np.empty(0, dtype=np.int32), *self._tokens])
        self._batch.payload = {
            "tokens": tokens.tobytes(),
            "lengths": lengths.tobytes(),
            "trained": np.array(self._trained, dtype=np.int32).tobytes(),
        }

    def _take(self, held: list[tuple[int, Record]]) -> None:
        for (index, record), rendered in zip(held, self._renderer.render_many([r for _, r in held]), strict=True):
            if isinstance(rendered, RowError):
                self._batch.fault(index, rendered)
            else:
                self._settle(index, rendered, divisible=self._divide_all or record.is_document)

    def _settle(self, index: int, rendered: Rendered, *, divisible: bool) -> None:
        batch, ids, mask = self._batch, rendered.ids, rendered.mask
        batch.stats["tokens_in"] += len(ids)
        for note in rendered.notes:
            batch.stats[note] += 1
        trained = mask.count(1) - mask[0]
        if trained == 0:
            batch.drop(index, "nothing_to_train", "no token of the row would be trained")
        elif len(ids) > self._max_length and not divisible:
            batch.drop(index, "too_long", f"{len(ids)} tokens")
        else:
            if "boundary_merged" in rendered.notes:
                batch.repaired(
                    index, "boundary_merged", "a token holds the end of the prompt and the begin of the answer"
                )
            self._tokens.append(marked(ids, mask))
            self._trained.append(trained)
            batch.stats["tokens_masked"] += mask.count(0) + mask[0]
            return
        batch.stats["tokens_dropped"] += len(ids)
