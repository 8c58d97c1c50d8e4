"""What a generation method is: a name, its chains, the dialect of its rows, and figures for a plan.

A method is a module with `NAME`, a config (GenerationConfig and its own options), `expand` or `start`, `stages`,
`METHOD` and `OPERATION`; see `chain.py` for what a chain is.

Python: `METHOD = Method("evol", expand=expand, stages=stages, to="openai")`
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from dataforge.config import option
from dataforge.generate.chain import Chain, Sink
from dataforge.generate.task import Task
from dataforge.llm.settings import ClientConfig
from dataforge.record import Record

__all__ = ["GENERATION_OPTIONS", "GenerationConfig", "Method", "Stage"]

GENERATION_OPTIONS = (
    "resume", "force", "dry_run", "on_error", "limit", "seed", "json", "quiet", "forge", "keep_dropped",
)  # fmt: skip
"""The run options that every method takes."""


@dataclass(frozen=True, kw_only=True)
class GenerationConfig(ClientConfig):
    """What every method has."""

    lang: str = option("auto", help="language of the prompts (auto: that of the row)", choices=("auto", "en", "zh"))
    prompts: str | None = option(
        None, help="folder of changed prompt files (`dataforge prompts copy` makes one)", path=True
    )
    tries: int = option(
        3, help="times that a reply is asked for in all while it cannot be read", unit="replies", minimum=1, maximum=100
    )
    to: str | None = option(None, help="dialect of the rows (default: what fits the method)")
    novelty: float | None = option(
        None,
        help="drop rows whose text is nearer (ROUGE-L) than this to an earlier one; 0.7 is usual",
        minimum=0.0,
        maximum=1.0,
    )


@dataclass(frozen=True)
class Stage:
    """One kind of request of a method, with typical figures for the plan of `--dry-run`.

    name: as `Request.stage` says. calls: requests for one input row (pool methods: for one row made).
    prompt_tokens, reply_tokens: typical lengths.
    """

    name: str
    calls: float
    prompt_tokens: int
    reply_tokens: int


@dataclass(frozen=True)
class Method:
    """One way to make rows. Either `expand` (a chain for each input row) or `start` (one chain for the whole run).

    stages(config): what will be asked, for the plan. to: dialect of the rows unless the user names one.
    inputs(config): the files to read where they are no arguments (seeds), or none at all; None: the arguments.
    prepare(config, records, seed): reads all rows once before, and what it returns is `Task.shared`.
    wanted(config): how many rows the user asked for; None: as many as come of the input.
    A chain of `start` returns why it made fewer ("" if it did not).
    """

    name: str
    stages: Callable[[Any], list[Stage]]
    to: str
    expand: Callable[[Task, Sink], Chain[None]] | None = None
    start: Callable[[list[Record], Task, Sink], Chain[Any]] | None = None
    inputs: Callable[[Any], tuple[str, ...]] | None = None
    prepare: Callable[[Any, Iterator[Record], int], Any] | None = None
    wanted: Callable[[Any], int | None] = lambda config: None
