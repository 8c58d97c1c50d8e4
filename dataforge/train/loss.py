"""Cross entropy from hidden states to a loss, in chunks, for the supervised positions only.

Reads and writes nothing. Memory: the logits of 512 positions, twice (0.6 GB for a vocabulary of 150,000, where all
logits of 4,096 tokens take 2.5 GB, and as much again for their gradient). Time: no logits where there is no label,
and nothing is computed twice: the gradients of a chunk are taken while its logits are there.

CLI: `dataforge train sft shards -o tuned --model my-model`
Python: `loss = linear_cross_entropy(hidden, output_head(model), targets)`

    logits = scale * (hidden @ weight.T + bias);  logits = cap * tanh(logits / cap) where the model caps them
    loss   = sum over i of logsumexp(logits[i]) - logits[i, target[i]]

The gradient of the loss by the logits is softmax(logits) - onehot(target), times 1 - (logits / cap)^2 where capped.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch.autograd.function import once_differentiable

from dataforge.errors import UsageError

__all__ = ["Head", "linear_cross_entropy", "output_head", "token_losses"]

CHUNK = 512
"""Positions at a time: the fewest at which a product with the head runs at full speed."""


@dataclass(frozen=True)
class Head:
    """The last layer of a model: weight [vocabulary, size], bias [vocabulary] or None, and what follows it."""

    weight: torch.Tensor
    bias: torch.Tensor | None = None
    scale: float = 1.0
    softcap: float | None = None


def output_head(model: Any) -> Head:
    """The head of a causal language model of transformers (without a PEFT wrapper).

    Raises UsageError if its output layer is not a plain linear layer.
    """
    layer = model.get_output_embeddings()
    if type(layer) is not torch.nn.Linear:
        raise UsageError(
            f"the output layer of {type(model).__name__} is {type(layer).__name__}, not a linear layer",
            help="leave the output layer out of --lora-targets",
        )
    config = model.config
    scale = float(getattr(config, "logit_scale", None) or 1.0) / float(getattr(config, "logits_scaling", None) or 1.0)
    return Head(layer.weight, layer.bias, scale, getattr(config, "final_logit_softcapping", None))


def linear_cross_entropy(
    hidden: torch.Tensor, head: Head, targets: torch.Tensor, *, weight: float = 1.0, chunk: int = CHUNK
) -> torch.Tensor:
    """`weight` times the sum of cross entropies, as a float32 scalar that can be differentiated once.

    hidden: [n, size], n may be 0. targets: [n] token ids. chunk: positions at a time.
    Under autocast the products are computed in its type, the softmax always in float32.
    """
    dtype = _product_type(hidden)
    total: torch.Tensor = _LinearCrossEntropy.apply(
        hidden, head.weight, head.bias, targets, weight, head.scale, head.softcap, chunk, dtype
    )
    return total


@torch.no_grad()
def token_losses(hidden: torch.Tensor, head: Head, targets: torch.Tensor, *, chunk: int = CHUNK) -> torch.Tensor:
    """The cross entropy of each position, [n] in float32, without gradients."""
    dtype = _product_type(hidden)
    losses = torch.empty(len(targets), dtype=torch.float32, device=hidden.device)
    with torch.autocast(hidden.device.type, enabled=False):
        weight = head.weight.to(dtype)
        for start in range(0, len(targets), chunk):
            part = slice(start, start + chunk)
            logits = _logits(hidden[part].to(dtype), weight, head.bias, head.scale, head.softcap)
            losses[part] = torch.logsumexp(logits, 1) - logits.gather(1, targets[part, None]).squeeze(1)
    return losses


def _product_type(hidden: torch.Tensor) -> torch.dtype:
    kind = hidden.device.type
    return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else hidden.dtype


def _logits(
    hidden: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, scale: float, softcap: float | None
) -> torch.Tensor:
    logits = torch.mm(hidden, weight.t()).float()
    if bias is not None:
        logits.add_(bias)
    if scale != 1.0:
        logits.mul_(scale)
    if softcap is not None:
        logits.div_(softcap).tanh_().mul_(softcap)
    return logits


class _LinearCrossEntropy(torch.autograd.Function):  # type: ignore[misc]
    """Loss and gradients in one pass over the chunks; `backward` only hands the gradients out."""

    @staticmethod
    def forward(
        ctx: Any,
        hidden: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        targets: torch.Tensor,
        loss_weight: float,
        scale: float,
        softcap: float | None,
        size: int,
        dtype: torch.dtype,
    ) -> torch.Tensor:
        wants_hidden, wants_weight, wants_bias = ctx.needs_input_grad[:3]
        grad_hidden = torch.empty_like(hidden) if wants_hidden else None
        grad_weight = torch.zeros_like(weight, dtype=torch.float32) if wants_weight else None
        grad_bias = torch.zeros_like(bias, dtype=torch.float32) if bias is not None and wants_bias else None
        total = torch.zeros((), dtype=torch.float32, device=hidden.device)
        with torch.autocast(hidden.device.type, enabled=False):
            cast = weight.to(dtype)
            for start in range(0, len(targets), size):
                part = slice(start, start + size)
                rows = hidden[part].to(dtype)
                logits = _logits(rows, cast, bias, scale, softcap)
                loss, slopes = _softmax_gradient(logits, targets[part], scale, softcap)
                total += loss
                gradient = slopes.to(dtype)
                if grad_hidden is not None:
                    grad_hidden[part] = torch.mm(gradient, cast)
                if grad_weight is not None and dtype == torch.float32:
                    grad_weight.addmm_(gradient.t(), rows)
                elif grad_weight is not None:
                    grad_weight += torch.mm(gradient.t(), rows)
                if grad_bias is not None:
                    grad_bias += slopes.sum(0)
        ctx.gradients = grad_hidden, grad_weight, grad_bias
        ctx.loss_weight = loss_weight
        return total.mul_(loss_weight)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """The stored gradients times `gradient`, in place: they are big, and used once."""
        gradients, ctx.gradients = ctx.gradients, None
        factor = gradient * ctx.loss_weight
        return (*(None if stored is None else stored.mul_(factor) for stored in gradients), *(None,) * 6)


def _softmax_gradient(
    logits: torch.Tensor, targets: torch.Tensor, scale: float, softcap: float | None
) -> tuple[torch.Tensor, torch.Tensor]:
    """The sum of losses of a chunk, and the gradient before the head's scale and soft cap."""
    index = targets[:, None]
    top, target = logits.amax(1, keepdim=True), logits.gather(1, index)
    gradient = torch.softmax(logits, 1)
    # logsumexp = top - log(softmax at the top) spares a pass over the logits; that share is at least 1 / vocabulary.
    loss = (top - gradient.amax(1, keepdim=True).log() - target).sum()
    gradient.scatter_add_(1, index, gradient.new_full(index.shape, -1.0))
    if softcap is not None:
        gradient.mul_(logits.div_(softcap).square_().neg_().add_(1.0))
    if scale != 1.0:
        gradient.mul_(scale)
    return loss, gradient
