"""Opens a model folder for answering: weights, tokenizer, the tokens that end a reply, and the longest text.

Reads a folder of a model or of adapters (PEFT), in the format of transformers; writes nothing.
Cost: as long as reading the weights takes; 4 bytes of memory a parameter on a CPU (float32), 2 on a GPU (bfloat16).

Python: `opened = open_weights("my-model"); opened.model, opened.tokenizer`

Code that comes with a model is never run, and a checkpoint that lacks weights is refused.
"""

from __future__ import annotations

import importlib.util
import inspect
import json
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dataforge.errors import DataforgeError, DependencyError, InputError, UsageError, shorten

__all__ = ["Opened", "open_weights", "out_of_memory"]

PURPOSE = "a model in this process (local:FOLDER)"
ADAPTER = "adapter_config.json"
KEYS_AND_VALUES = {"full_attention", "sliding_attention", "chunked_attention"}
"""Layers whose memory is one key and one value a token, so that it can be cut and copied by token."""
ENDS = ("<|endoftext|>", "<|end_of_text|>")


@dataclass(frozen=True)
class Opened:
    """A model that is ready to answer.

    name: of the folder, without its path. stop: ids that end a reply. context: most tokens of prompt and reply
    together, None where the model sets no limit. by_token: whether its memory of a text can be cut and copied token by
    token (not so in recurrent layers). takes: names of what a forward pass takes. defaults: temperature, top_p and
    top_k that the model's makers advise.
    """

    name: str
    model: Any
    tokenizer: Any
    device: Any
    stop: frozenset[int]
    context: int | None
    by_token: bool
    takes: frozenset[str]
    defaults: dict[str, float] = field(default_factory=dict)


def open_weights(folder: str) -> Opened:
    """Open a model folder, or a folder of adapters with its base model.

    Raises InputError if it is missing or unreadable, UsageError if it is of a kind that cannot answer here,
    DependencyError without torch and transformers.
    """
    _require("torch", "transformers")
    place = Path(folder).expanduser()
    if not place.is_dir():
        raise InputError(
            f"--model local:{folder}: no such folder", help="give the folder of a model, with config.json in it"
        )
    import torch
    import transformers

    transformers.utils.logging.disable_progress_bar()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        with _quiet():
            model = _model(place, torch.float32 if device.type == "cpu" else torch.bfloat16).to(device).eval()
    except (RuntimeError, MemoryError) as error:
        short = out_of_memory(error, f"--model local:{folder} does not fit into memory")
        if short is None:
            raise
        raise short from error
    tokenizer = _tokenizer(place)
    takes = frozenset(inspect.signature(model.forward).parameters)
    if "past_key_values" not in takes:
        raise UsageError(
            f"--model local:{folder}: a {type(model).__name__} cannot be run in this process",
            help="start a server for it (`transformers serve`) and give its address as --base-url",
        )
    settings = model.config.get_text_config()
    _check_vocabulary(folder, settings, tokenizer)
    kinds = set(getattr(settings, "layer_types", None) or KEYS_AND_VALUES)
    return Opened(
        name=place.resolve().name,
        model=model,
        tokenizer=tokenizer,
        device=device,
        stop=_stop_ids(model, tokenizer),
        context=getattr(settings, "max_position_embeddings", None),
        by_token=kinds <= KEYS_AND_VALUES,
        takes=takes,
        defaults=_defaults(model),
    )


def out_of_memory(error: BaseException, message: str, help: str = "take a smaller model") -> DataforgeError | None:
    """The error to raise in place of one that says memory ran out; None if it says something else."""
    text = f"{type(error).__name__} {error}"
    signs = ("OutOfMemory", "MemoryError", "out of memory", "DefaultCPUAllocator", "not enough memory")
    if not any(sign in text for sign in signs):
        return None
    return InputError(message, help=help)


@contextmanager
def _quiet() -> Iterator[None]:
    """No tables of transformers on standard error: what is wrong with the weights, an error says in one line."""
    from transformers.utils import logging

    before = logging.get_verbosity()
    logging.set_verbosity(logging.CRITICAL)
    try:
        yield
    finally:
        logging.set_verbosity(before)


def _require(*packages: str) -> None:
    for package in packages:
        if importlib.util.find_spec(package) is None:
            raise DependencyError(package, "train", PURPOSE)


def _first_line(error: Exception) -> str:
    return shorten((str(error).splitlines() or [type(error).__name__])[0], 200)


def _model(place: Path, dtype: Any) -> Any:
    """The weights; adapters are put onto their base model."""
    if (place / ADAPTER).is_file():
        return _adapted(place, dtype)
    return _weights(str(place), dtype)


def _weights(name: str, dtype: Any) -> Any:
    import transformers

    try:
        model, info = transformers.AutoModelForCausalLM.from_pretrained(
            name, dtype=dtype, trust_remote_code=False, output_loading_info=True
        )
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise InputError(
            f"--model local:{name} cannot be opened ({_first_line(error)})",
            help="give a folder with config.json and weights as transformers saves them",
        ) from error
    except Exception as error:
        unreadable = _unreadable(name, error)
        if unreadable is None:
            raise
        raise unreadable from error
    wrong = [*info["missing_keys"], *(key for key, *_ in info["mismatched_keys"])]
    if wrong:
        raise InputError(
            f"--model local:{name} lacks {len(wrong)} of its weights, or has other shapes (first: {sorted(wrong)[0]})",
            help="is it the folder of this architecture?",
        )
    return model


def _unreadable(name: str, error: Exception) -> InputError | None:
    """The error to raise where weights are cut, broken, or of other shapes than the config says; None for others."""
    if type(error).__name__ == "SafetensorError":
        message, help = f"cannot be read ({_first_line(error)})", "copy the folder anew"
    elif "mismatched_sizes" in str(error):
        message, help = (
            "have other shapes than config.json says",
            "put the config.json of these weights into the folder",
        )
    else:
        return None
    return InputError(f"--model local:{name}: its weights {message}", help=help)


def _adapted(place: Path, dtype: Any) -> Any:
    """A base model with the adapters of a folder inside its layers."""
    _require("peft")
    import peft

    inner = _weights(_adapter_base(place), dtype)
    try:
        with warnings.catch_warnings():  # peft uses an old name of transformers, which no user can do anything about
            warnings.filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)
            adapted = peft.PeftModel.from_pretrained(inner, str(place))
    except Exception as error:
        if not isinstance(error, OSError | ValueError | RuntimeError) and _unreadable(str(place), error) is None:
            raise
        raise InputError(
            f"--model local:{place}: the adapters cannot be opened ({_first_line(error)})",
            help="do they belong to the base model that adapter_config.json names?",
        ) from error
    if adapted.active_peft_config.is_prompt_learning:
        raise UsageError(
            f"--model local:{place}: {adapted.active_peft_config.peft_type} adapters are no part of the layers",
            help="LoRA and its kin can be used",
        )
    return adapted.get_base_model()


def _adapter_base(place: Path) -> str:
    """The base model that adapters name, where it stands beside them; else the name as it is."""
    try:
        base = str(json.loads((place / ADAPTER).read_text(encoding="utf-8"))["base_model_name_or_path"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"--model local:{place}: {ADAPTER} names no base model", help="merge the adapters") from error
    return str(place / base) if os.path.isdir(place / base) else base


def _tokenizer(place: Path) -> Any:
    """The tokenizer of the folder; adapters without one take that of their base."""
    import transformers

    source = str(place)
    if (place / ADAPTER).is_file() and not (place / "tokenizer_config.json").is_file():
        source = _adapter_base(place)
    try:
        return transformers.AutoTokenizer.from_pretrained(source, trust_remote_code=False)
    except (OSError, ValueError, KeyError, TypeError, ImportError, AttributeError) as error:
        raise InputError(
            f"--model local:{place} has no tokenizer that can be opened ({_first_line(error)})",
            help="put tokenizer.json and tokenizer_config.json of the model into the folder",
        ) from error


def _check_vocabulary(folder: str, settings: Any, tokenizer: Any) -> None:
    if len(tokenizer) > settings.vocab_size:
        raise UsageError(
            f"--model local:{folder}: its tokenizer has {len(tokenizer):,} tokens, the model {settings.vocab_size:,}",
            help="put the tokenizer that belongs to the model into the folder",
        )


def _stop_ids(model: Any, tokenizer: Any) -> frozenset[int]:
    """The tokens that end a reply: eos of tokenizer and model, end of text, and what the template ends a turn with."""
    known = getattr(model.generation_config, "eos_token_id", None)
    ids = {tokenizer.eos_token_id, *(known if isinstance(known, list) else [known])}
    vocabulary = tokenizer.get_added_vocab()
    ids.update(vocabulary[token] for token in ENDS if token in vocabulary)
    ids.add(_turn_end(tokenizer))
    return frozenset(int(token) for token in ids if token is not None)


def _turn_end(tokenizer: Any) -> int | None:
    """The special token that the chat template writes behind an answer, if it writes one."""
    if not tokenizer.chat_template:
        return None
    mark = "dataforge"
    chat = [{"role": "user", "content": "?"}, {"role": "assistant", "content": mark}]
    try:
        rendered: str = tokenizer.apply_chat_template(chat, tokenize=False)
    except Exception as error:
        if type(error).__name__ != "TemplateSyntaxError":
            return None  # a template that wants other messages; those that it does not take, it refuses one by one
        raise InputError(
            f"the chat template of the model cannot be read ({_first_line(error)})", help="repair chat_template.jinja"
        ) from error
    after = tokenizer(rendered.rpartition(mark)[2].lstrip(), add_special_tokens=False)["input_ids"]
    return int(after[0]) if after and after[0] in tokenizer.added_tokens_decoder else None


def _defaults(model: Any) -> dict[str, float]:
    """What generation_config.json says of drawing; it counts only where the file asks for drawing at all."""
    settings = model.generation_config
    if not getattr(settings, "do_sample", False):
        return {}
    values = {name: getattr(settings, name, None) for name in ("temperature", "top_p", "top_k")}
    return {name: float(value) for name, value in values.items() if value is not None}
