"""dataforge: dataset engineering for tuning language models, with a thin trainer, in English and Chinese.

Every command of the command line is a function here, with the same name and the same options:

    import dataforge
    result = dataforge.convert("rows.jsonl", output="chat.jsonl", to="sharegpt", workers=2)
    result.counts.kept
"""

from __future__ import annotations

from typing import Any

__version__ = "0.1.0"

TWINS = {
    "convert": "convert",
    "validate": "validate",
    "inspect": "inspect",
    "diff": "diff",
    "head": "head",
    "clean": "clean",
    "dedup": "dedup",
    "decontaminate": "decontaminate",
    "score": "score",
    "select": "select",
    "filter": "filter",
    "self_instruct": "self-instruct",
    "grounded": "grounded",
    "back": "back",
    "evol": "evol",
    "few_shot": "few-shot",
    "answers": "answers",
    "dialogue": "dialogue",
    "replay": "replay",
    "pair": "pair",
    "mix": "mix",
    "split": "split",
    "train_tokenizer": "tokenizer train",
    "shard": "shard",
    "export": "export",
    "train_cpt": "train cpt",
    "train_sft": "train sft",
    "eval": "eval",
    "answer_prompts": "generate",
    "run": "run",
    "list_formats": "formats",
    "list_prompts": "prompts ls",
    "show_prompt": "prompts show",
    "copy_prompts": "prompts copy",
}
"""Function -> command. `formats` and `generate` are packages of this one, so two functions have other names."""

__all__ = [*TWINS, "read_records"]  # noqa: PLE0604


def __getattr__(name: str) -> Any:
    if name in TWINS:
        from dataforge.twins import twin

        return twin(name, TWINS[name])
    if name == "read_records":
        from dataforge.engine.records import read_records

        return read_records
    raise AttributeError(f"module 'dataforge' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
