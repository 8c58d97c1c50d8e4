"""Names and where they live: commands, dialects, tasks. Nothing is imported until it is asked for.

A new sibling is one file and one line here.

Python: `load_dialect("alpaca").detect(row)`
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from dataforge.errors import UsageError, did_you_mean
from dataforge.ledger import Result

__all__ = [
    "COMMANDS",
    "DIALECTS",
    "EXPORTERS",
    "SCORERS",
    "TARGETS",
    "TASKS",
    "Dialect",
    "Operation",
    "load_dialect",
    "load_exporter",
    "load_operation",
    "load_scorer",
    "load_task",
]


@dataclass(frozen=True)
class Operation:
    """A command as data: from it come the command line, the recipe step and the Python twin.

    name: as typed (`train sft`). config: its frozen dataclass. run: `(inputs, output, config, options) -> Result`.
    inputs: "many" (paths, `-`, globs, folders), "one", "optional" or "none".
    output: "file" (standard output if absent), "folder" (needed), "optional" (no rows are written if absent) or "none".
    options: the fields of RunOptions that the command takes.
    prints: its summary is its product, and goes to standard output (unless rows go there).
    metavar: what help calls its inputs, where they are no files.
    """

    name: str
    config: type
    run: Callable[[tuple[str, ...], str | None, Any, Any], Result]
    inputs: str = "many"
    output: str = "file"
    options: tuple[str, ...] = ()
    prints: bool = False
    metavar: str = ""


COMMANDS: dict[str, tuple[str, str]] = {
    "convert": ("dataforge.ops.convert", "Turn rows of any dialect into another, without loss."),
    "validate": ("dataforge.ops.validate", "Check rows against their schema and the rules beyond it."),
    "inspect": ("dataforge.ops.inspect", "Show what is in the data: dialects, roles, languages, lengths, problems."),
    "diff": ("dataforge.ops.diff", "Show which rows two data sets have in common, and what differs."),
    "head": ("dataforge.ops.head", "Print the first rows of any file, readable."),
    "clean": ("dataforge.ops.clean", "Repair texts: encodings, invisible characters, markup, personal data."),
    "dedup": ("dataforge.ops.dedup", "Remove duplicate rows."),
    "decontaminate": ("dataforge.ops.decontaminate", "Remove rows that repeat benchmark or held-out items."),
    "score": ("dataforge.ops.score", "Measure every row once: score tables beside the data."),
    "select": ("dataforge.ops.select", "Keep the rows whose scores meet a condition, or the best of them."),
    "filter": ("dataforge.ops.filter", "Score and select in one go, by named presets of rules."),
    "self-instruct": ("dataforge.generate.self_instruct", "Make tasks from a few that people wrote (Self-Instruct)."),
    "grounded": ("dataforge.generate.grounded", "Make questions and answers from documents, and check them."),
    "back": ("dataforge.generate.back", "Write the instructions that documents answer (back-translation)."),
    "evol": ("dataforge.generate.evol", "Make instructions harder or rarer, step by step (Evol-Instruct)."),
    "few-shot": ("dataforge.generate.few_shot", "Put worked examples before questions, or reasoning before answers."),
    "answers": ("dataforge.generate.answers", "Answer each prompt several times, by one model or more."),
    "dialogue": ("dataforge.generate.dialogue", "Carry conversations on: a model plays user and assistant."),
    "replay": ("dataforge.generate.replay", "Make general rows in a model's own words (replay)."),
    "pair": ("dataforge.ops.pair", "Make pairs of chosen and rejected answers."),
    "mix": ("dataforge.ops.mix", "Mix domain data with a share of general data (replay)."),
    "split": ("dataforge.ops.split", "Split rows into train, validation and test, no prompt on two sides."),
    "tokenizer train": ("dataforge.ops.tokenizer", "Train a byte-level BPE tokenizer with a chat template."),
    "shard": ("dataforge.ops.shard", "Tokenise and pack rows into Arrow shards for training."),
    "export": ("dataforge.ops.export", "Write the files that another training tool loads as they are."),
    "train cpt": ("dataforge.train.cpt", "Continue pre-training on documents (loss on all tokens)."),
    "train sft": ("dataforge.train.sft", "Tune on conversations (loss on assistant tokens only)."),
    "eval": ("dataforge.train.evaluate", "Token-weighted loss of a model on each file."),
    "generate": ("dataforge.train.generate", "Answer prompts with a model."),
    "run": ("dataforge.recipe", "Run the steps of a recipe file."),
    "formats": ("dataforge.ops.formats", "List the dialects, or show the schema and rules of one."),
    "prompts ls": ("dataforge.generate.prompting.listing", "List the prompts that generation methods ask with."),
    "prompts show": ("dataforge.generate.prompting.showing", "Print a prompt file."),
    "prompts copy": (
        "dataforge.generate.prompting.copying",
        "Copy prompt files into a folder, to be changed there.",
    ),
}
"""Command -> (module that holds its OPERATION, help line)."""


class Dialect(NamedTuple):
    """Where a dialect lives, and the keys that its rows have.

    keys: alternatives; in each, every word must be a key of the row, `a|b` means one of several names, `!a` none.
    """

    module: str
    keys: tuple[str, ...]


DIALECTS: dict[str, Dialect] = {
    "hh-rlhf": Dialect("dataforge.formats.hh_rlhf", ("chosen rejected",)),
    "argilla": Dialect(
        "dataforge.formats.argilla",
        ("instruction chosen_response rejected_response", "instruction|prompt chosen rejected"),
    ),
    "ultrafeedback-binarized": Dialect("dataforge.formats.ultrafeedback_binarized", ("prompt chosen rejected",)),
    "alpaca-preference": Dialect("dataforge.formats.alpaca_preference", ("instruction chosen rejected",)),
    "orca-dpo": Dialect(
        "dataforge.formats.orca_dpo", ("question|input chosen rejected", "system prompt chosen rejected")
    ),
    "sharegpt-preference": Dialect(
        "dataforge.formats.sharegpt_preference", ("conversations|messages chosen rejected",)
    ),
    "stackexchange": Dialect("dataforge.formats.stackexchange", ("question response_j response_k",)),
    "response-pairs": Dialect("dataforge.formats.response_pairs", ("question response_chosen response_rejected",)),
    "sharegpt-kto": Dialect("dataforge.formats.sharegpt_kto", ("conversations|messages kto_tag|label",)),
    "alpaca-kto": Dialect("dataforge.formats.alpaca_kto", ("instruction output kto_tag",)),
    "trl-prompt": Dialect("dataforge.formats.trl_prompt", ("prompt",)),
    "trl-stepwise": Dialect("dataforge.formats.trl_stepwise", ("prompt completions labels",)),
    "trl-unpaired": Dialect("dataforge.formats.trl_unpaired", ("prompt completion label",)),
    "trl-completion": Dialect("dataforge.formats.trl_completion", ("prompt completion",)),
    "trl-preference": Dialect("dataforge.formats.trl_preference", ("chosen rejected",)),
    "llamafactory-v1": Dialect("dataforge.formats.llamafactory_v1", ("messages", "chosen_messages rejected_messages")),
    "anthropic": Dialect("dataforge.formats.anthropic", ("messages",)),
    "axolotl": Dialect("dataforge.formats.axolotl", ("messages", "conversations")),
    "swift": Dialect("dataforge.formats.swift", ("messages",)),
    "react": Dialect("dataforge.formats.react", ("messages", "conversations")),
    "megatron": Dialect("dataforge.formats.megatron", ("messages",)),
    "xlam": Dialect("dataforge.formats.xlam", ("query tools answers",)),
    "glaive": Dialect("dataforge.formats.glaive", ("system chat",)),
    "dolly": Dialect("dataforge.formats.dolly", ("instruction context response",)),
    "sharegpt-labelled": Dialect("dataforge.formats.sharegpt_labelled", ("conversations",)),
    "oasst-tree": Dialect("dataforge.formats.oasst_tree", ("message_tree_id prompt",)),
    "oasst": Dialect("dataforge.formats.oasst", ("message_id text role",)),
    "ultrafeedback": Dialect("dataforge.formats.ultrafeedback", ("instruction completions",)),
    "nectar": Dialect("dataforge.formats.nectar", ("prompt answers",)),
    "ranked": Dialect("dataforge.formats.ranked", ("prompt responses",)),
    "summarize": Dialect("dataforge.formats.summarize", ("info summaries choice",)),
    "webgpt": Dialect("dataforge.formats.webgpt", ("question answer_0 answer_1",)),
    "gpt4-comparison": Dialect(
        "dataforge.formats.gpt4_comparison", ("user_input responses_and_scores", "user_input completion_a completion_b")
    ),
    "alpaca-eval": Dialect("dataforge.formats.alpaca_eval", ("instruction output_1 output_2",)),
    "arena": Dialect("dataforge.formats.arena", ("conversation_a conversation_b",)),
    "cherry-reviews": Dialect("dataforge.formats.cherry_reviews", ("text Answer1 Answer2",)),
    "helpsteer2": Dialect("dataforge.formats.helpsteer2", ("prompt response helpfulness",)),
    "seeds": Dialect("dataforge.formats.seeds", ("instruction instances",)),
    "coig": Dialect(
        "dataforge.formats.coig",
        ("textbox_question textbox_answer", "trans_instruction trans_output", "round_0|round_1"),
    ),
    "openorca": Dialect("dataforge.formats.openorca", ("system_prompt question response",)),
    "query": Dialect(
        "dataforge.formats.query",
        (
            "query|question|problem|inputs response|answer|output|targets|target|answer_key",
            "query|question|problem|inputs answers|solution|completion",
            "prompt response|answer|output|targets|target|answer_key|answers|solution",
            "instruction|input response|answer|targets|target|answer_key|answers|solution|completion",
            "input output history|system",
        ),
    ),
    "longform": Dialect("dataforge.formats.longform", ("input output !instruction",)),
    "moss": Dialect("dataforge.formats.moss", ("conversation|conversations",)),
    "chat": Dialect("dataforge.formats.chat", ("messages|conversations|conversation|dialogue|dialog",)),
    "openai": Dialect("dataforge.formats.openai", ("messages",)),
    "sharegpt": Dialect("dataforge.formats.sharegpt", ("conversations",)),
    "alpaca": Dialect("dataforge.formats.alpaca", ("instruction output", "指令 输出")),
    "qa": Dialect(
        "dataforge.formats.qa",
        ("question answer", "query response", "prompt response", "问题 答案|回答", "提问 回答", "问 答"),
    ),
    "text": Dialect("dataforge.formats.text", ("text",)),
}
"""Dialect id -> where it lives, in the order in which a row that fits several equally well is tried."""

TARGETS: dict[str, str] = {"dpo": "trl-preference", "rm": "trl-preference", "kto": "trl-unpaired"}
"""Short names of dialects to write."""

TASKS: dict[str, str] = {
    "rows": "dataforge.ops.rows",
    "check": "dataforge.ops.check",
    "choices": "dataforge.ops.preference.task",
    "cleaned": "dataforge.ops.cleaning.task",
    "compare": "dataforge.ops.compare",
    "contamination": "dataforge.ops.decontamination.task",
    "fingerprint": "dataforge.ops.duplicates.keys",
    "signed": "dataforge.ops.duplicates.signed",
    "grouped": "dataforge.ops.splitting.task",
    "measure": "dataforge.ops.measure",
    "profile": "dataforge.ops.profile",
    "scored": "dataforge.ops.scores.task",
    "texts": "dataforge.shards.texts",
    "tokenise": "dataforge.shards.tokenise",
    "export": "dataforge.exports.rows",
    "documents": "dataforge.exports.documents",
}
"""What workers do with a chunk -> module with `open_task(options)`."""

SCORERS: dict[str, str] = {
    "length": "dataforge.ops.scorers.length",
    "rules": "dataforge.ops.scorers.rules",
    "lang": "dataforge.ops.scorers.lang",
}
"""Scorer -> module with `NAME HELP COLUMNS open_scorer`."""

EXPORTERS: dict[str, str] = {
    "llamafactory": "dataforge.exports.llamafactory",
    "swift": "dataforge.exports.swift",
    "axolotl": "dataforge.exports.axolotl",
    "trl": "dataforge.exports.trl",
    "openai": "dataforge.exports.openai",
    "megatron": "dataforge.exports.megatron",
}
"""Training tool -> module that writes what it loads."""


def _module(table: dict[str, str], name: str, what: str) -> Any:
    if name not in table:
        raise UsageError(f"{name!r} is not a known {what}", help=did_you_mean(name, table))
    return importlib.import_module(table[name])


def load_dialect(name: str) -> Any:
    """The module of a dialect (`NAME`, `detect`, `read`, `write`)."""
    return _module({key: value.module for key, value in DIALECTS.items()}, name, "dialect")


def load_task(name: str) -> Callable[[dict[str, Any]], Any]:
    """The `open_task` function of a worker task."""
    opener: Callable[[dict[str, Any]], Any] = _module(TASKS, name, "task").open_task
    return opener


def load_exporter(name: str) -> Any:
    """The module of an exporter (`NAME`, `STAGES`, `MEDIA`, `write`, `config`)."""
    return _module(EXPORTERS, name, "training tool")


def load_scorer(name: str) -> Any:
    """The module of a scorer (`NAME`, `HELP`, `COLUMNS`, `open_scorer`)."""
    return _module(SCORERS, name, "scorer")


def load_operation(name: str) -> Operation:
    """The Operation of a command."""
    operation: Operation = _module({key: value[0] for key, value in COMMANDS.items()}, name, "command").OPERATION
    return operation
