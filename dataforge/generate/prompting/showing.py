"""`prompts show`: a prompt file as it stands.

CLI: `dataforge prompts show evol/deepen --lang zh`
Python: `dataforge.show_prompt("evol/deepen", lang="zh").data["text"]`
"""

from __future__ import annotations

from dataclasses import dataclass

from dataforge.config import RunOptions, check, option
from dataforge.errors import UsageError
from dataforge.generate.prompting.promptset import LANGUAGES, PromptSet
from dataforge.ledger import Result
from dataforge.registry import Operation

__all__ = ["OPERATION", "PromptShowConfig", "show_prompt"]


@dataclass(frozen=True)
class PromptShowConfig:
    """Settings of prompts show."""

    lang: str = option("en", help="language of the prompt", choices=LANGUAGES)
    prompts: str | None = option(None, help="folder of changed prompt files, which stand in for ours", path=True)

    def __post_init__(self) -> None:
        check(self)


def show_prompt(inputs: tuple[str, ...], output: str | None, config: PromptShowConfig, options: RunOptions) -> Result:
    """The prompt of that name; `data` holds name, lang, hash (as provenance has it), values and text."""
    if len(inputs) != 1:
        raise UsageError("name one prompt", help="like evol/deepen; `prompts ls` lists them")
    prompts = PromptSet(config.prompts)
    prompt = prompts.get(inputs[0], config.lang)
    data = {
        "name": prompt.name,
        "lang": prompt.lang,
        "hash": prompt.hash,
        "values": sorted(prompt.values),
        "text": prompt.text,
    }
    return Result("prompts show", data=data, lines=prompt.text.removesuffix("\n").split("\n"))


OPERATION = Operation(
    name="prompts show",
    config=PromptShowConfig,
    run=show_prompt,
    inputs="one",
    output="none",
    options=("json",),
    prints=True,
    metavar="NAME",
)
