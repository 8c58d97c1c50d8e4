"""Where the arithmetic happens: device, precision, CPU threads, and the processes that share a run.

Reads the environment that `torchrun` or `accelerate launch` sets; writes nothing.

CLI: `torchrun --nproc-per-node 2 -m dataforge train sft shards -o tuned --model my-model`
Python: `runtime = open_runtime(precision="auto", threads=2)`

Several processes each take every n-th micro-batch of a step and add up their gradients, so that a step is the same step
on one process and on many. Weights and optimiser states are on each of them (no sharding).
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import torch
from accelerate import PartialState

from dataforge.errors import UsageError

__all__ = ["Runtime", "open_runtime"]

BUCKET_ELEMENTS = 1 << 25
"""Gradient numbers sent at a time (128 MiB)."""


@dataclass(frozen=True)
class Runtime:
    """A device, the type of its products, and this process's place among `world`."""

    device: torch.device
    dtype: torch.dtype
    rank: int = 0
    world: int = 1

    @property
    def is_main(self) -> bool:
        """True for the process that writes files."""
        return self.rank == 0

    def autocast(self) -> AbstractContextManager[Any]:
        """Products in `dtype`; float32 means no autocast at all."""
        context: AbstractContextManager[Any] = torch.autocast(
            self.device.type, dtype=torch.bfloat16, enabled=self.dtype != torch.float32
        )
        return context

    def seed(self, *numbers: int) -> None:
        """Make torch's random numbers a function of the given numbers and of the rank."""
        state = 0
        for number in (*numbers, self.rank):
            state = (state * 6364136223846793005 + number + 1442695040888963407) % 2**63
        torch.manual_seed(state)

    def total(self, *values: float) -> list[float]:
        """Each value, added up over all processes (exact for whole numbers below 2^53)."""
        if self.world == 1:
            return list(values)
        kind = torch.float32 if self.device.type == "mps" else torch.float64
        tensor = torch.tensor(values, dtype=kind, device=self.device)
        torch.distributed.all_reduce(tensor)
        return [float(value) for value in tensor.tolist()]

    def add_gradients(self, parameters: Iterable[torch.nn.Parameter]) -> None:
        """Replace each gradient by its sum over all processes."""
        if self.world == 1:
            return
        bucket: list[torch.Tensor] = []
        for parameter in parameters:
            if parameter.grad is None:  # this process had no micro-batch in the step
                parameter.grad = torch.zeros_like(parameter)
            bucket.append(parameter.grad)
            if sum(gradient.numel() for gradient in bucket) >= BUCKET_ELEMENTS:
                _reduce(bucket)
                bucket = []
        _reduce(bucket)

    def wait(self) -> None:
        """Wait until every process is here."""
        if self.world > 1:
            torch.distributed.barrier()


def _reduce(gradients: list[torch.Tensor]) -> None:
    if not gradients:
        return
    flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
    torch.distributed.all_reduce(flat)
    for gradient, part in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
        gradient.copy_(part.view_as(gradient))


def open_runtime(*, precision: str = "auto", threads: int | None = None) -> Runtime:
    """The device that accelerate finds (GPU, else CPU), with `precision` auto, float32 or bfloat16.

    Raises UsageError for bfloat16 on a GPU that does not have it.
    """
    if threads is not None:
        torch.set_num_threads(threads)
    state = PartialState(cpu=not torch.accelerator.is_available())
    device = state.device
    is_gpu = device.type == "cuda"
    if precision == "bfloat16" and is_gpu and not torch.cuda.is_bf16_supported():
        raise UsageError("--precision bfloat16: this GPU does not have it", help="--precision float32")
    wants = precision == "bfloat16" or (precision == "auto" and is_gpu and torch.cuda.is_bf16_supported())
    return Runtime(device, torch.bfloat16 if wants else torch.float32, state.process_index, state.num_processes)
