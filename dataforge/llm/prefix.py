"""The common beginning of a batch of prompts, run through the model once and kept for the next batches.

Reads and writes nothing. Cost: one forward pass of the tokens that are new; memory for at most `tokens` tokens of keys
and values (a 7-billion model with grouped queries: about 60 KiB a token in bfloat16).

Python: `prefixes = PrefixCache(opened); cache, known = prefixes.begin(prompts)`

A batch is padded on the left, so the common beginning of n tokens stands in another column in each row. Its keys and
values are laid into the first n columns of each row where they belong; what falls into later columns is run again with
the rest of the row. So a row looks as if it had been padded on the left and run whole, which is right for any kind of
attention, and costs no more columns than without.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import torch
from transformers import DynamicCache

from dataforge.llm.weights import Opened

__all__ = ["PrefixCache", "common_length", "forward"]

Layers = list[tuple[Any, Any]]
"""Keys and values of each layer, [1, heads, tokens, width]."""

WORTHWHILE = 16
"""Shorter beginnings are run with each row."""


def common_length(prompts: Sequence[list[int]]) -> int:
    """Tokens that all prompts begin with; at least one token of each is left over."""
    first, last = min(prompts), max(prompts)
    longest = min(len(prompt) for prompt in prompts) - 1
    for index in range(longest):
        if first[index] != last[index]:
            return index
    return longest


def forward(opened: Opened, ids: Any, mask: Any, cache: Any) -> Any:
    """Logits behind the last column, [rows, vocabulary]; `mask` covers the columns in the cache too."""
    more: dict[str, Any] = {}
    if "position_ids" in opened.takes:
        more["position_ids"] = (mask.cumsum(-1) - 1).clamp(min=0)[:, -ids.shape[1] :]
    if "logits_to_keep" in opened.takes:
        more["logits_to_keep"] = 1
    output = opened.model(input_ids=ids, attention_mask=mask, past_key_values=cache, use_cache=True, **more)
    return output.logits[:, -1, : len(opened.tokenizer)]


class PrefixCache:
    """Keys and values of beginnings, the longest unused thrown out first.

    entries, tokens: most beginnings, and most tokens of them all together. tokens=0 turns it off.
    """

    def __init__(self, opened: Opened, *, entries: int = 4, tokens: int = 8192) -> None:
        self.opened = opened
        self.entries = entries
        self.tokens = tokens
        self.ran = 0
        """Tokens of beginnings that went through the model."""
        self._kept: OrderedDict[tuple[int, ...], Layers] = OrderedDict()

    def begin(self, prompts: Sequence[list[int]]) -> tuple[Any, int]:
        """A cache for a batch padded on the left, and how many of the batch's first columns are in it."""
        if not self.opened.by_token:
            return DynamicCache(config=self.opened.model.config), 0
        shared = common_length(prompts) if self.tokens else 0
        if shared < WORTHWHILE:
            return DynamicCache(), 0
        layers = self._layers(prompts[0][:shared])
        widest = max(len(prompt) for prompt in prompts)
        padding = [widest - len(prompt) for prompt in prompts]
        return DynamicCache([_spread(keys, values, padding) for keys, values in layers]), shared

    def _layers(self, ids: list[int]) -> Layers:
        """Keys and values of exactly these tokens, from the nearest beginning that is kept."""
        known, nearest = max(((_same(ids, kept), kept) for kept in self._kept), default=(0, ()))
        layers = _cut(self._kept[nearest], known) if known else []
        if known < len(ids):
            layers = self._run(ids, known, layers)
            for kept in [kept for kept in self._kept if _same(ids, kept) == len(kept)]:
                del self._kept[kept]
            nearest = tuple(ids)
            self._kept[nearest] = layers
        self._kept.move_to_end(nearest)
        while len(self._kept) > self.entries or sum(map(len, self._kept)) > self.tokens:
            self._kept.popitem(last=False)
        return layers

    def _run(self, ids: list[int], known: int, layers: Layers) -> Layers:
        """Run what is not known through the model."""
        device = self.opened.device
        cache = DynamicCache(layers) if layers else DynamicCache()
        rest = torch.tensor([ids[known:]], device=device)
        forward(self.opened, rest, torch.ones((1, len(ids)), dtype=torch.long, device=device), cache)
        self.ran += len(ids) - known
        return [(layer.keys, layer.values) for layer in cache.layers]


def _same(ids: Sequence[int], kept: Sequence[int]) -> int:
    """Tokens that both begin with."""
    for index, (one, other) in enumerate(zip(ids, kept, strict=False)):
        if one != other:
            return index
    return min(len(ids), len(kept))


def _cut(layers: Layers, length: int) -> Layers:
    """The first tokens of kept keys and values; layers that share those of others have none of their own."""
    return [(k, v) if k is None else (k[:, :, :length], v[:, :, :length]) for k, v in layers]


def _spread(keys: Any, values: Any, padding: list[int]) -> tuple[Any, Any]:
    """One row's keys and values, moved right by each row's padding, the length kept: [rows, heads, n, width]."""
    if keys is None or padding == [0]:
        return keys, values
    length = keys.shape[2]
    shift = torch.tensor(padding, device=keys.device)[:, None]
    source = (torch.arange(length, device=keys.device)[None] - shift).clamp(min=0)
    return keys[0][:, source].transpose(0, 1), values[0][:, source].transpose(0, 1)
