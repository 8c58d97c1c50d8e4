"""How a tokenizer gets the chat template it is to use, and what a manifest says of it.

Reads a tokenizer folder (or hub id) and, where asked for, a `.jinja` file; writes nothing.
Cost: opening a tokenizer takes 0.1 to 1 s, and the import of transformers 2 s.

CLI: `dataforge shard in.jsonl -o shards --tokenizer my-tokenizer --template chatml`
Python: `tokenizer = load_tokenizer("my-tokenizer", template="chatml")`
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import orjson
from xxhash import xxh3_128_hexdigest

from dataforge.errors import InputError, UsageError, did_you_mean
from dataforge.shards.chatml import CHATML, END_OF_TEXT, TURN_END, TURN_START

__all__ = ["TEMPLATES", "describe_tokenizer", "end_of_text_id", "load_tokenizer", "tokenizer_hash"]

TEMPLATES: dict[str, str] = {"chatml": CHATML}
"""Name -> Jinja text of the built-in templates."""


def _template_text(template: str) -> str:
    """The Jinja text that `--template` names: a built-in, or a file."""
    if template in TEMPLATES:
        return TEMPLATES[template]
    path = Path(template)
    if path.suffix not in (".jinja", ".jinja2", ".j2") and not path.is_file():
        raise UsageError(
            f"--template: {template!r} is neither a built-in template nor a .jinja file",
            help=did_you_mean(template, TEMPLATES),
        )
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"--template: {template} cannot be read ({error})") from error


def load_tokenizer(path: str, template: str | None = None, *, conversations: bool = True) -> Any:
    """Open a tokenizer (a folder, or a hub id as ORG/NAME) that is ready to render conversations.

    template: a built-in name or a `.jinja` file; it takes the place of the tokenizer's own.
    conversations: False where only documents will be tokenised, which need no template.
    Code that comes with a tokenizer is never run.

    Raises InputError if it cannot be opened, UsageError if it has no template and none is named.
    """
    _check_path(path)
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(path, trust_remote_code=False)
    except (OSError, ValueError, KeyError, ImportError) as error:
        first_line = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(
            f"--tokenizer: {path} cannot be opened ({first_line})",
            help="give a folder with tokenizer.json, or a hub id; `dataforge tokenizer train` makes a folder",
        ) from error
    if not getattr(tokenizer, "is_fast", False):
        raise UsageError(f"--tokenizer: {path} has no tokenizer.json (a slow tokenizer gives no character offsets)")
    if template is not None:
        text = _template_text(template)
        _check_tokens(tokenizer, path, text)
        tokenizer.chat_template = text
    if conversations and not tokenizer.chat_template:
        raise UsageError(
            f"--tokenizer: {path} has no chat template, so it is not known how to write a conversation",
            help="name one with --template (chatml, or a .jinja file)",
        )
    return tokenizer


def _check_path(path: str) -> None:
    """Refuse what is neither a folder nor a hub id, before anyone asks the hub for a folder that is misspelt."""
    first, *rest = path.split("/")
    if not os.path.isdir(path) and (len(rest) != 1 or not rest[0] or os.path.isdir(first or "/")):
        raise InputError(
            f"--tokenizer: no such folder: {path}",
            help="give a folder with tokenizer.json (`dataforge tokenizer train` makes one), or a hub id as ORG/NAME",
        )


def _check_tokens(tokenizer: Any, path: str, template: str) -> None:
    """Refuse chatml for a tokenizer that would spell its markers letter by letter."""
    known = {token.content for token in tokenizer.added_tokens_decoder.values()}
    missing = [token for token in (TURN_START, TURN_END) if template == CHATML and token not in known]
    if missing:
        raise UsageError(
            f"--template: chatml needs {' and '.join(missing)}, and {path} has no such token",
            help="use the tokenizer's own template (leave --template out), or a .jinja file written for it",
        )


def end_of_text_id(tokenizer: Any) -> int:
    """The token that ends a document: `<|endoftext|>` (or `<|end_of_text|>`) where the vocabulary has it, else eos.

    In the chatml family eos ends a turn, not a text, so eos is only the second choice.
    """
    vocab = tokenizer.get_vocab()
    for token in (END_OF_TEXT, "<|end_of_text|>"):
        if token in vocab:
            return int(vocab[token])
    if tokenizer.eos_token_id is None:
        raise UsageError("--tokenizer: it has neither <|endoftext|> nor an eos token to end a document with")
    return int(tokenizer.eos_token_id)


def tokenizer_hash(tokenizer: Any) -> str:
    """xxh3-128 (hex) of tokenizer.json in canonical form: the same for every spelling of the same tokenizer.

    Truncation and padding are states of a call, not of the vocabulary, and are left out.
    """
    value = orjson.loads(tokenizer.backend_tokenizer.to_str())
    value.pop("truncation", None)
    value.pop("padding", None)
    return xxh3_128_hexdigest(orjson.dumps(value, option=orjson.OPT_SORT_KEYS))


def describe_tokenizer(tokenizer: Any) -> dict[str, Any]:
    """What a trainer needs to see that its own tokenizer is the one of the shards."""
    template = tokenizer.chat_template
    return {
        "hash": "xxh3-128:" + tokenizer_hash(tokenizer),
        "template_hash": "xxh3-128:" + xxh3_128_hexdigest(template.encode()) if isinstance(template, str) else None,
        "size": len(tokenizer),
        "eos_id": tokenizer.eos_token_id,
        "pad_id": tokenizer.pad_token_id,
        "end_of_text_id": end_of_text_id(tokenizer),
    }
