"""Models: loaded with float32 weights, made from a config, given adapters, and saved as safetensors.

Reads a model folder, an adapter folder, a hub id or a JSON config; writes a model or adapter folder.
Cost: float32 weights and AdamW need 16 bytes a parameter (LoRA: 4, and 16 for each of its own).

CLI: `dataforge train sft shards -o tuned --model my-model --lora-r 16`
Python: `model = load_model("my-model")`

Weights are float32 whatever the checkpoint stores: with bfloat16 weights and a learning rate of 1e-6, 98 % of the
weights do not move at all in 100 steps, as the step is smaller than their spacing. Code that comes with a model is
never run, and a checkpoint that lacks weights is refused instead of being filled up with random numbers.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import transformers
from xxhash import xxh3_128

from dataforge.errors import InputError, UsageError
from dataforge.train.attention import DOCUMENTS
from dataforge.train.config import TrainConfig

__all__ = [
    "add_adapters",
    "check_vocabulary",
    "count_parameters",
    "init_model",
    "load_model",
    "model_config",
    "resolve_attention",
    "save_model",
    "weights_hash",
]

ADAPTER = "adapter_config.json"


def resolve_attention(attention: str, device: torch.device) -> str:
    """The attention that `auto` stands for: documents on a CPU, where a mask of the whole row is slow; else sdpa."""
    if attention != "auto":
        return attention
    return DOCUMENTS if device.type == "cpu" else "sdpa"


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _hush() -> None:
    """No progress bars of transformers: dataforge shows its own, and only on a terminal."""
    transformers.utils.logging.disable_progress_bar()


def _check_attention(error: Exception, attention: str | None) -> None:
    """Raise UsageError where transformers says that a model does not have an attention."""
    if "attention implementation" in str(error):
        message = _first_line(error).partition(" yet.")[0]
        raise UsageError(
            f"--attention {attention}: {message}", help="--attention eager works with every model"
        ) from error


@contextmanager
def _peft_warnings() -> Iterator[None]:
    """Hide what PEFT does with an old name of transformers, which no user can do anything about."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)
        yield


def load_model(name: str, *, attention: str | None = None) -> Any:
    """A causal language model with float32 weights; an adapter folder gives its base model with the adapters on it.

    attention: None leaves the choice to transformers. Raises InputError if the model cannot be opened or lacks weights,
    UsageError if it does not have this attention.
    """
    if (Path(name) / ADAPTER).is_file():
        from peft import PeftModel

        base = json.loads((Path(name) / ADAPTER).read_text(encoding="utf-8"))["base_model_name_or_path"]
        inner = load_model(base, attention=attention)
        with _peft_warnings():
            return PeftModel.from_pretrained(inner, name)
    _hush()
    try:
        model, info = transformers.AutoModelForCausalLM.from_pretrained(
            name, dtype=torch.float32, attn_implementation=attention, trust_remote_code=False, output_loading_info=True
        )
    except (OSError, ValueError, KeyError) as error:
        _check_attention(error, attention)
        raise InputError(
            f"--model: {name} cannot be opened ({_first_line(error)})", help="give a model folder or a hub id"
        ) from error
    wrong = [*info["missing_keys"], *(key for key, *_ in info["mismatched_keys"])]
    if wrong:
        raise InputError(
            f"--model: {name} lacks {len(wrong)} of its weights, or has other shapes (first: {sorted(wrong)[0]})",
            help="is it the folder of this architecture?",
        )
    model.config.use_cache = False
    return model


def model_config(config: TrainConfig, tokenizer: Any) -> Any:
    """The transformers config of `--model` or `--init` (the latter with the tokenizer's size and special tokens)."""
    if config.init is None:
        name = str(config.model)
        if (Path(name) / ADAPTER).is_file():
            raise UsageError(
                f"--model: {name} holds adapters", help="merge them into their base first, or train its base model"
            )
        try:
            return transformers.AutoConfig.from_pretrained(name, trust_remote_code=False)
        except (OSError, ValueError, KeyError) as error:
            raise InputError(
                f"--model: {name} cannot be opened ({_first_line(error)})", help="give a model folder or a hub id"
            ) from error
    values = _read_config(config.init)
    values.setdefault("vocab_size", len(tokenizer))
    values.update(
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id
    )
    kind = values.pop("model_type")
    return transformers.AutoConfig.for_model(kind, **values)


def _read_config(path: str) -> dict[str, Any]:
    """The JSON of a model config, with its `model_type` checked."""
    file = Path(path) / "config.json" if Path(path).is_dir() else Path(path)
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"--init: {file} cannot be read ({_first_line(error)})") from error
    kind = values.get("model_type") if isinstance(values, dict) else None
    if kind not in transformers.models.auto.modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES:
        raise InputError(
            f"--init: {file} names no causal language model (model_type {kind!r})",
            help='for example {"model_type": "llama", ...}',
        )
    return dict(values)


def init_model(settings: Any, *, seed: int, attention: str | None = None) -> Any:
    """A model with random float32 weights, the same for the same config and seed."""
    torch.manual_seed(seed)
    try:
        model = transformers.AutoModelForCausalLM.from_config(
            settings, dtype=torch.float32, attn_implementation=attention
        )
    except ValueError as error:
        _check_attention(error, attention)
        raise
    model.config.use_cache = False
    return model


def check_vocabulary(settings: Any, tokenizer: Any) -> None:
    """Raise UsageError if the tokenizer has ids that the model has no embedding for."""
    size = settings.get_text_config().vocab_size
    if len(tokenizer) > size:
        raise UsageError(
            f"the tokenizer has {len(tokenizer):,} tokens and the model {size:,} embeddings",
            help="use the tokenizer that belongs to the model (--tokenizer)",
        )


def add_adapters(model: Any, config: TrainConfig, *, seed: int) -> Any:
    """The model with LoRA adapters (float32) as its only trainable weights, or unchanged without `--lora-r`.

    W' = W + alpha / r * B A, with B = 0 at the start; by default on all linear layers but the output layer.
    """
    if config.lora_r is None:
        return model
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(seed)
    lora = LoraConfig(
        r=config.lora_r,
        lora_alpha=2 * config.lora_r if config.lora_alpha is None else config.lora_alpha,
        lora_dropout=config.lora_dropout,
        target_modules=list(config.lora_targets) or "all-linear",
        task_type="CAUSAL_LM",
    )
    try:
        with _peft_warnings():
            return get_peft_model(model, lora)
    except ValueError as error:
        raise UsageError(f"--lora-targets: {_first_line(error)}") from error


def count_parameters(model: Any) -> tuple[int, int]:
    """(all parameters, trainable parameters); shared ones count once."""
    sizes = [(p.numel(), p.requires_grad) for p in model.parameters()]
    return sum(size for size, _ in sizes), sum(size for size, trainable in sizes if trainable)


def weights_hash(model: Any) -> str:
    """xxh3-128 of all parameters by name: the same for the same weights, wherever they came from."""
    digest = xxh3_128()
    for name, parameter in sorted(model.named_parameters()):
        digest.update(name.encode())
        digest.update(parameter.detach().cpu().contiguous().numpy().data)
    return "xxh3-128:" + digest.hexdigest()


def save_model(model: Any, tokenizer: Any, folder: Path, *, merge: bool = False) -> None:
    """Write weights (safetensors), config and tokenizer; with adapters only these, unless they are to be merged."""
    _hush()
    if merge:
        model = model.merge_and_unload()
    is_adapter = hasattr(model, "get_base_model")
    config = (model.get_base_model() if is_adapter else model).config
    config.use_cache = True  # off while training only; a saved model is for use
    if is_adapter:
        model.save_pretrained(folder, save_embedding_layers=False)
        (folder / "README.md").unlink(missing_ok=True)  # a form with nothing filled in
    else:
        model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
