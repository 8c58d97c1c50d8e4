"""The settings that all training stages share, and what they mean in steps.

Reads and writes nothing; imports neither torch nor transformers, so that `--help` stays fast.

CLI: `dataforge train sft shards -o tuned --model my-model --epochs 2`
Python: `TrainConfig(model="my-model", epochs=2)`

An optimiser step takes as many whole packed rows as fit in `tokens_per_step`, and every supervised token of the step
weighs the same, however the rows are spread over micro-batches: the gradient is that of (sum of losses) / (supervised
tokens).
"""

from __future__ import annotations

import importlib.util
import math
from dataclasses import dataclass

from dataforge.config import check, option
from dataforge.errors import DependencyError, UsageError

__all__ = ["ATTENTIONS", "PRECISIONS", "TrainConfig", "learning_rate", "require_training_packages"]

ATTENTIONS = ("auto", "documents", "sdpa", "eager")
PRECISIONS = ("auto", "float32", "bfloat16")


@dataclass(frozen=True)
class TrainConfig:
    """What to train, on how much, how fast, and what to leave behind."""

    model: str | None = option(None, help="model to tune: a folder or a hub id", path=True)
    init: str | None = option(
        None, help="JSON config of a model to start from random weights, instead of --model", path=True
    )
    tokenizer: str | None = option(None, help="tokenizer folder or hub id (default: that of --model)", path=True)
    template: str | None = option(
        None, help="chat template: chatml or a .jinja file (default: the tokenizer's own)", path=True
    )
    max_length: int = option(2048, help="length of a packed row", unit="tokens", minimum=8, maximum=1 << 20)
    tokens_per_step: int = option(
        4096, help="most tokens in an optimiser step (whole rows, at least one)", unit="tokens", minimum=1
    )
    micro_tokens: int = option(
        4096,
        help="most tokens in one forward pass (whole rows, at least one); less needs less memory",
        unit="tokens",
        minimum=1,
    )
    learning_rate: float = option(2e-5, help="peak learning rate; cosine down to 0", minimum=0.0, maximum=1.0)
    warmup: float = option(0.03, help="share of the steps in which the learning rate rises", minimum=0.0, maximum=1.0)
    weight_decay: float = option(0.0, help="AdamW weight decay of matrices (never of norms and biases)", minimum=0.0)
    max_grad_norm: float = option(1.0, help="clip the gradient to this norm; 0 does not clip", minimum=0.0)
    epochs: int = option(1, help="times to see every row", minimum=1, maximum=10000)
    max_steps: int | None = option(
        None, help="stop after N steps, however many epochs that is; 0 saves the untrained model", minimum=0
    )
    lora_r: int | None = option(
        None, help="train LoRA adapters of this rank instead of all weights", minimum=1, maximum=4096
    )
    lora_alpha: float | None = option(None, help="LoRA scale (default: twice the rank)", minimum=0.0)
    lora_dropout: float = option(0.0, help="dropout before the adapters", minimum=0.0, maximum=1.0)
    lora_targets: tuple[str, ...] = option(
        (), help="names of the layers that get adapters (default: all linear layers)"
    )
    merge: bool = option(False, help="merge the adapters into the weights and save a whole model")
    eval: tuple[str, ...] = option((), help="files to measure the loss on before and after training", path=True)
    save_every: int | None = option(None, help="write a checkpoint every N steps (the last two are kept)", minimum=1)
    attention: str = option(
        "auto", help="how attention is computed; auto is documents on a CPU, sdpa elsewhere", choices=ATTENTIONS
    )
    precision: str = option(
        "auto",
        help="arithmetic of the forward pass; weights are float32 always; auto is bfloat16 on a GPU",
        choices=PRECISIONS,
    )
    gradient_checkpointing: bool = option(False, help="compute activations twice and keep fewer of them")
    threads: int | None = option(
        None, help="CPU threads of torch (default: torch's own choice)", minimum=1, maximum=1024
    )
    shards: str | None = option(
        None, help="folder to keep the shards made from plain rows in (default: inside OUT.forge)", path=True
    )

    def __post_init__(self) -> None:
        check(self)
        if (self.model is None) == (self.init is None):
            raise UsageError(
                "one of --model and --init is needed", help="--model tunes a model, --init starts from random weights"
            )
        if self.init is not None and self.tokenizer is None:
            raise UsageError("--init needs --tokenizer", help="`dataforge tokenizer train` makes one")
        if self.init is not None and self.lora_r is not None:
            raise UsageError(
                "--lora-r: adapters on random weights learn nothing useful", help="leave --lora-r out, or give --model"
            )
        if self.merge and self.lora_r is None:
            raise UsageError("--merge: there are no adapters to merge without --lora-r")

    @property
    def tokenizer_source(self) -> str:
        """Where the tokenizer comes from: `--tokenizer`, or else the model's folder."""
        return self.tokenizer or self.model or ""


def learning_rate(step: int, steps: int, config: TrainConfig) -> float:
    """The learning rate of step `step` (0-based) of `steps`: linear warm-up, then cosine down to 0.

    warm-up: peak * (step + 1) / w for step < w, w = ceil(warmup * steps)
    cosine:  peak * (1 + cos(pi * (step - w) / (steps - w))) / 2
    """
    rising = math.ceil(config.warmup * steps)
    if step < rising:
        return config.learning_rate * (step + 1) / rising
    return config.learning_rate * 0.5 * (1.0 + math.cos(math.pi * (step - rising) / max(1, steps - rising)))


def require_training_packages(purpose: str) -> None:
    """Raise DependencyError where a package of the extra `train` is missing."""
    for package in ("torch", "transformers", "tokenizers", "accelerate", "peft", "safetensors"):
        if importlib.util.find_spec(package) is None:
            raise DependencyError(package, "train", purpose)
