"""Prompts to answers: batched decoding with padding on the left and a mask that hides it.

Reads and writes nothing. Cost: one forward pass of the batch per token, with a cache of keys and values.

CLI: `dataforge generate --model tuned --prompt "How is green tea brewed?"`
Python: `answers = decode(model, prompts, Sampling(max_new_tokens=64), stop={2}, pad=0)`
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers import GenerationConfig

from dataforge.record import Record, Turn
from dataforge.shards.messages import messages_of
from dataforge.shards.render import Renderer
from dataforge.shards.template import end_of_text_id
from dataforge.train.packed import base_model

__all__ = ["Sampling", "decode", "prompt_ids", "stop_ids"]


@dataclass(frozen=True)
class Sampling:
    """How the next token is chosen; temperature 0 takes the likeliest."""

    max_new_tokens: int = 256
    temperature: float = 0.0
    top_p: float = 1.0


def prompt_ids(tokenizer: Any, record: Record) -> list[int]:
    """The tokens a model sees before it answers: a conversation with the opening of the answer, or a text as it is."""
    if record.is_document:
        ids: list[int] = tokenizer(record.turns[0].text, add_special_tokens=True)["input_ids"]
        return ids
    messages, tools = messages_of(record)
    text = tokenizer.apply_chat_template(messages, tools=tools, tokenize=False, add_generation_prompt=True)
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    return ids


def stop_ids(tokenizer: Any, model: Any) -> set[int]:
    """The tokens that end an answer: eos of tokenizer and model, end of text, and the template's own end of a turn."""
    stops = {end_of_text_id(tokenizer)}
    known = getattr(getattr(base_model(model), "generation_config", None), "eos_token_id", None)
    for value in (tokenizer.eos_token_id, *(known if isinstance(known, list) else [known])):
        if value is not None:
            stops.add(int(value))
    if tokenizer.chat_template:
        rendered = Renderer(tokenizer).render(Record([Turn("user", ["a"]), Turn("assistant", ["b"])]))
        last = max(index for index, trained in enumerate(rendered.mask) if trained)
        if rendered.ids[last] in tokenizer.all_special_ids or rendered.ids[last] in tokenizer.added_tokens_decoder:
            stops.add(rendered.ids[last])
    return stops


def decode(
    model: Any,
    prompts: Sequence[list[int]],
    sampling: Sampling,
    *,
    stop: set[int],
    pad: int,
    batch_size: int = 8,
    seed: int = 0,
) -> Iterator[list[int]]:
    """The answer to each prompt, in order, without the token that ended it.

    Greedy answers do not depend on the batch (but for ties within rounding); drawn ones depend on seed and batch size.
    """
    torch.manual_seed(seed)
    model.eval()
    for start in range(0, len(prompts), batch_size):
        yield from _decode_batch(model, prompts[start : start + batch_size], sampling, stop, pad)


@torch.no_grad()
def _decode_batch(
    model: Any, prompts: Sequence[list[int]], sampling: Sampling, stop: set[int], pad: int
) -> list[list[int]]:
    device = base_model(model).get_input_embeddings().weight.device
    width = max(len(ids) for ids in prompts)
    ids = torch.tensor([[pad] * (width - len(p)) + p for p in prompts], device=device)
    mask = torch.tensor([[0] * (width - len(p)) + [1] * len(p) for p in prompts], device=device)
    drawn = sampling.temperature > 0
    settings = GenerationConfig(
        max_new_tokens=sampling.max_new_tokens,
        do_sample=drawn,
        temperature=sampling.temperature if drawn else None,
        top_p=sampling.top_p if drawn else None,
        top_k=0 if drawn else None,
        eos_token_id=sorted(stop),
        pad_token_id=pad,
        use_cache=True,
    )
    output = model.generate(input_ids=ids, attention_mask=mask, generation_config=settings)
    return [_until(row[width:].tolist(), stop) for row in output]


def _until(ids: list[int], stop: set[int]) -> list[int]:
    for index, token in enumerate(ids):
        if token in stop:
            return ids[:index]
    return ids
