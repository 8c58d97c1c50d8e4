"""How the next token of a reply is chosen: penalties, temperature, top-k and top-p, then a draw of the request's own.

Reads and writes nothing. Cost: a pass over the vocabulary for each row and token; with top-p or top-k a partial sort.

Python: `chooser = Chooser([Rule(temperature=0.7, random=Random(1))], device=cpu); chooser.choose(logits)`

With c the times that a token stands in the reply so far, penalties are OpenAI's (API reference, chat completions):
    logit - presence_penalty * [c > 0] - frequency_penalty * c
Then p = softmax(logit / temperature), cut to the top-k likeliest tokens and to the nucleus: the fewest likeliest tokens
that hold a share of at least top-p (Holtzman et al. 2020); tokens as likely as the last of them stay too. The token is
the first, in order of ids, up to which p sums to more than u times its sum; u comes from the random numbers of the
request, so a row's tokens do not depend on the rows beside it. Temperature 0 takes the likeliest token.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

import torch

from dataforge.errors import DataError

__all__ = ["Chooser", "Rule", "kept_tokens"]

SORTED = 512
"""Likeliest tokens that are sorted first; the whole vocabulary only where the nucleus is larger."""


@dataclass
class Rule:
    """How one request's tokens are chosen. top_k 0 keeps all tokens."""

    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    random: Random = field(default_factory=Random)


def kept_tokens(shares: Any, top_p: float, top_k: int) -> Any:
    """Which tokens of a row may be drawn: a mask over `shares` (probabilities, one row)."""
    size = shares.shape[-1]
    first = min(size, max(SORTED, top_k))
    while True:
        values = torch.topk(shares, first).values
        short = values.cumsum(-1) < top_p
        needed = int(short.sum()) + 1
        if needed <= first or first == size:
            break
        first = size
    needed = min(needed, size, top_k or size)
    return shares >= values[needed - 1]


class Chooser:
    """Chooses the next token of each row of a batch, and remembers what rows hold already where penalties need it."""

    def __init__(self, rules: Sequence[Rule], *, device: Any) -> None:
        self.rules = list(rules)
        self.device = device
        self._counts: Any = None
        self._presence = self._column([rule.presence_penalty for rule in self.rules])
        self._frequency = self._column([rule.frequency_penalty for rule in self.rules])
        self._penalised = any(rule.presence_penalty or rule.frequency_penalty for rule in self.rules)

    def _column(self, values: list[float]) -> Any:
        return torch.tensor(values, dtype=torch.float32, device=self.device)[:, None]

    def choose(self, logits: Any) -> list[int]:
        """The next token of each row, from its logits [rows, vocabulary]; DataError where they are no numbers."""
        scores = logits.float()
        if self._penalised:
            if self._counts is None:
                self._counts = torch.zeros_like(scores)
            scores = scores - self._presence * (self._counts > 0) - self._frequency * self._counts
        best, tokens = scores.max(-1)
        if not bool(torch.isfinite(best).all()):
            raise DataError(
                "the model gives no finite numbers", help="its weights are broken, or too large for bfloat16"
            )
        for row, rule in enumerate(self.rules):
            if rule.temperature > 0:
                tokens[row] = _draw(scores[row], rule)
        if self._penalised:
            self._counts.scatter_add_(1, tokens[:, None], torch.ones_like(tokens[:, None], dtype=torch.float32))
        chosen: list[int] = tokens.tolist()
        return chosen

    def keep(self, rows: list[int]) -> None:
        """Go on with these rows only."""
        index = torch.tensor(rows, device=self.device)
        self.rules = [self.rules[row] for row in rows]
        self._presence, self._frequency = self._presence[index], self._frequency[index]
        if self._counts is not None:
            self._counts = self._counts[index]


def _draw(scores: Any, rule: Rule) -> Any:
    """One token of a row, in float64 so that the sum over a large vocabulary is sound."""
    shares = torch.softmax(scores.double() / rule.temperature, -1)
    if rule.top_p < 1 or rule.top_k:
        shares = shares * kept_tokens(shares, rule.top_p, rule.top_k)
    sums = shares.cumsum(-1)
    below = torch.nextafter(sums[-1], torch.zeros_like(sums[-1]))  # rounding must not carry the point past the last one
    point = torch.minimum(sums[-1] * rule.random.random(), below)
    return torch.searchsorted(sums, point[None], right=True)[0]
