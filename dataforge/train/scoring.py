"""How well a model predicts a file: the sum of its losses over the number of tokens, never a mean of batch means.

Reads rows of any dialect, or shards; writes nothing. Cost: a third of training on the same tokens; one forward pass of
`batch_tokens` in memory.

CLI: `dataforge eval domain.jsonl general.jsonl --model tuned`
Python: `score_file("domain.jsonl", model, tokenizer, runtime)`

Conversations count by their answers, documents by all their tokens. Losses are added up in float64, so that the
result does not depend on how documents are batched. The mean of batch means that other trainers report moves by 0.05
nat with the batch size on ragged data, which is as much as a model forgets in a typical LoRA run.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from dataforge.engine.records import read_records
from dataforge.errors import DataError, RowError
from dataforge.shards.pack import cut
from dataforge.shards.render import Rendered, Renderer
from dataforge.shards.store import MANIFEST, NOT_TRAINED, open_shards
from dataforge.train.attention import DOCUMENTS
from dataforge.train.device import Runtime
from dataforge.train.model import resolve_attention
from dataforge.train.packed import Row, base_model, collate, packed_token_losses
from dataforge.train.plan import group

__all__ = ["Score", "score_file", "score_rows"]

BLOCK = 512
"""Records tokenised, and rows sorted by length, at a time."""


@dataclass(frozen=True)
class Score:
    """What a model made of a file.

    nll: sum of losses in nat. tokens: supervised tokens. documents: rows, or pieces of long documents. text_bytes:
    UTF-8 bytes of the supervised text without special tokens. too_long: conversations left out, as they exceed the
    model's length.
    """

    name: str
    nll: float
    tokens: int
    documents: int
    text_bytes: int
    too_long: int = 0

    @property
    def loss(self) -> float:
        """Mean loss of a token, in nat."""
        return self.nll / self.tokens

    @property
    def perplexity(self) -> float:
        """exp(loss)."""
        return math.exp(self.loss) if self.loss < 700 else math.inf

    @property
    def bits_per_byte(self) -> float | None:
        """Bits for each byte of text: comparable between tokenizers."""
        return self.nll / math.log(2) / self.text_bytes if self.text_bytes else None

    def as_dict(self) -> dict[str, Any]:
        """The score as a JSON value."""
        return {
            "file": self.name,
            "loss": self.loss,
            "perplexity": self.perplexity,
            "bits_per_byte": self.bits_per_byte,
            "tokens": self.tokens,
            "documents": self.documents,
            "too_long": self.too_long,
        }


@dataclass
class _Reader:
    """Rows of a file as packed rows of one document each, with a count of what was left out."""

    renderer: Renderer
    max_length: int
    too_long: int = 0

    def rows(self, path: str) -> Iterator[Row]:
        records = read_records([path])
        while block := list(islice(records, BLOCK)):
            for record, rendered in zip(block, self.renderer.render_many(block), strict=True):
                if isinstance(rendered, RowError):
                    raise rendered.at(path, 0)
                if len(rendered.ids) <= self.max_length:
                    yield _row(rendered, 0, len(rendered.ids))
                elif record.is_document:
                    pieces = cut(np.array([len(rendered.ids)]), self.max_length)
                    for start, length in zip(pieces.start.tolist(), pieces.length.tolist(), strict=True):
                        yield _row(rendered, start, length)
                else:
                    self.too_long += 1


def _row(rendered: Rendered, start: int, length: int) -> Row:
    ids = np.array(rendered.ids[start : start + length], np.int32)
    labels = np.where(np.array(rendered.mask[start : start + length], np.bool_), ids, np.int32(NOT_TRAINED))
    labels[0] = NOT_TRAINED  # nothing stands before it to predict it from
    return ids, labels, np.array([length], np.int32)


def score_file(
    path: str,
    model: Any,
    tokenizer: Any,
    runtime: Runtime,
    *,
    attention: str = "auto",
    max_length: int | None = None,
    batch_tokens: int = 4096,
) -> Score:
    """Score a file of rows or a shard folder. max_length: default the model's own.

    Raises RowError at a faulty row, DataError if nothing in the file is supervised.
    """
    limit = (
        max_length or getattr(base_model(model).config.get_text_config(), "max_position_embeddings", None) or 1 << 20
    )
    reader = _Reader(Renderer(tokenizer), limit)
    rows = open_shards(path) if (Path(path) / MANIFEST).is_file() else reader.rows(path)
    nll, tokens, documents, size = score_rows(
        rows, model, tokenizer, runtime, attention=attention, batch_tokens=batch_tokens
    )
    if not tokens:
        raise DataError(
            "nothing to measure: no token of this file is supervised", place=path, help="conversations need answers"
        )
    return Score(Path(path).name, nll, tokens, documents, size, reader.too_long)


def score_rows(
    rows: Iterable[Row],
    model: Any,
    tokenizer: Any,
    runtime: Runtime,
    *,
    attention: str = "auto",
    batch_tokens: int = 4096,
) -> tuple[float, int, int, int]:
    """(sum of losses, supervised tokens, documents, bytes of supervised text) of packed rows."""
    attention = resolve_attention(attention, runtime.device)
    was_training = model.training
    model.eval()
    nll, tokens, documents, size = 0.0, 0, 0, 0
    stream = iter(rows)
    while block := list(islice(stream, BLOCK)):
        if attention != DOCUMENTS:  # other attentions pad, and waste less on rows of like length
            block.sort(key=lambda row: len(row[0]))
        for part in group(np.array([len(row[0]) for row in block]), batch_tokens):
            batch = collate(block[part], attention=attention).to(runtime.device)
            with runtime.autocast():
                losses = packed_token_losses(model, batch)
            nll += float(losses.cpu().double().sum())
            tokens += batch.trained
        documents += sum(len(row[2]) for row in block)
        size += sum(_text_bytes(row, tokenizer) for row in block)
    model.train(was_training)
    return nll, tokens, documents, size


def _text_bytes(row: Row, tokenizer: Any) -> int:
    trained = row[1][row[1] != NOT_TRAINED].tolist()
    return len(tokenizer.decode(trained, skip_special_tokens=True).encode()) if trained else 0
