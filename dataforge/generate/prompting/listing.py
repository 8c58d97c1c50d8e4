"""`prompts ls`: the prompts that generation methods ask with; with --prompts, the user's files are checked and marked.

Reads the prompt files; writes nothing. Cost: a fraction of a second.
CLI: `dataforge prompts ls evol`
Python: `[entry["name"] for entry in dataforge.list_prompts("evol").data]`
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dataforge.config import RunOptions, check, option
from dataforge.generate.prompting.promptset import PromptSet
from dataforge.ledger import Result
from dataforge.registry import Operation

__all__ = ["OPERATION", "PromptListConfig", "list_prompts"]


@dataclass(frozen=True)
class PromptListConfig:
    """Settings of prompts ls."""

    prompts: str | None = option(None, help="folder of changed prompt files, to be checked and marked", path=True)

    def __post_init__(self) -> None:
        check(self)


def list_prompts(inputs: tuple[str, ...], output: str | None, config: PromptListConfig, options: RunOptions) -> Result:
    """All prompts, or those of a method; `data` holds name, languages, description, values, and languages changed.

    UsageError for a method that has no prompts, and for what is wrong in the user's folder.
    """
    prompts = PromptSet(config.prompts)
    chosen = prompts.of(inputs[0]) if inputs else prompts.names()
    entries = [_entry(prompts, name) for name in dict.fromkeys(name for name, _ in chosen)]
    width = max((len(entry["name"]) for entry in entries), default=0) + 2
    lines = []
    for entry in entries:
        changed = f" (changed: {', '.join(entry['changed'])})" if entry["changed"] else ""
        lines.append(f"{entry['name']:<{width}}{' '.join(entry['languages']):<7}{entry['description']}{changed}")
    return Result("prompts ls", data=entries, lines=lines)


def _entry(prompts: PromptSet, name: str) -> dict[str, Any]:
    languages = prompts.languages(name)
    each = [prompts.get(name, lang) for lang in languages]
    return {
        "name": name,
        "languages": languages,
        "description": each[0].description,
        "values": sorted(set().union(*(prompt.values for prompt in each))),
        "changed": [lang for lang in languages if (name, lang) in prompts.changed],
    }


OPERATION = Operation(
    name="prompts ls",
    config=PromptListConfig,
    run=list_prompts,
    inputs="optional",
    output="none",
    options=("json",),
    prints=True,
)
