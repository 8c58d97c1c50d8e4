"""`self-instruct`: from some tasks that people wrote to many that a model wrote, with instances, each a row.

--recipe self-instruct follows Self-Instruct (Y. Wang et al., 2022, arXiv 2212.10560) in four steps, --recipe alpaca
asks for whole tasks in one reply; numbers, filters and deviations are in docs/self-instruct.md. -n counts instructions
that made it to the end with at least one good instance. The run ends when there are n, or when `--patience` rounds in
a row brought none. All choices come from the seed and the order of requests, so the same answers give the same rows.

Reads the seed files; writes OUT (alpaca rows unless --to) with the folder OUT.forge.
Cost: about 2.5 requests an instruction, or 0.1 with --recipe alpaca; the pool is held in memory.
CLI: `dataforge self-instruct --seeds seeds.jsonl -n 1000 --model gpt-4o-mini -o out.jsonl`
Python: `dataforge.self_instruct(output="out.jsonl", seeds=["seeds.jsonl"], n=1000, model="gpt-4o-mini")`
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dataforge.config import RunOptions, check, option
from dataforge.errors import DataError, RowError, UsageError
from dataforge.generate.chain import Chain, Made, Sink
from dataforge.generate.method import GENERATION_OPTIONS, GenerationConfig, Method, Stage
from dataforge.generate.running.run import make_rows
from dataforge.generate.selfinstruct.seeds import SHAPE, Seed, check_seeds, one_exchange, seed_of
from dataforge.generate.task import Task, language_of
from dataforge.ledger import Result
from dataforge.record import Record
from dataforge.registry import Operation

__all__ = ["METHOD", "OPERATION", "SelfInstructConfig", "self_instruct", "stages", "start"]

NAME = "self-instruct"
SHOWN = {"self-instruct": (6, 2), "alpaca": (3, 0)}
"""Human and machine tasks of a prompt, by recipe."""
ASKED_FOR = {"self-instruct": 8, "alpaca": 17}
"""New tasks that a prompt asks for: numbers 9 to 16, and 4 to 20, as the references do."""


@dataclass(frozen=True, kw_only=True)
class SelfInstructConfig(GenerationConfig):
    """Settings of self-instruct."""

    seeds: tuple[str, ...] = option(help="file of seed tasks: instruction, input, output (repeatable)", path=True)
    n: int = option(help="instructions to make, each with at least one good instance", minimum=1, flags=("-n",))
    recipe: str = option(
        "self-instruct",
        help="instructions first and instances afterwards, or whole tasks in one reply",
        choices=("self-instruct", "alpaca"),
    )
    style: str | None = option(
        None,
        help="ask a chat model, or let a model continue a text (default: chat; with --compat reference: completion)",
        choices=("chat", "completion"),
    )
    compat: str = option(
        "dataforge",
        help="reference: read and judge replies exactly as the reference program does, faults included (English)",
        choices=("dataforge", "reference"),
    )
    human: int | None = option(None, help="seeds in each prompt (default: 6; alpaca: 3)", minimum=1, maximum=100)
    machine: int | None = option(
        None, help="tasks of the model in each prompt (default: 2; alpaca: 0)", minimum=0, maximum=100
    )
    tasks: int | None = option(
        None, help="new tasks to ask for at a time (default: 8; alpaca: 17)", minimum=1, maximum=100
    )
    round: int = option(16, help="requests for new tasks before the pool moves on", minimum=1, maximum=4096)
    patience: int = option(
        5, help="end after so many rounds in a row that brought nothing new", unit="rounds", minimum=1
    )
    examples: int | None = option(
        None,
        help="most instances to ask for, for each instruction (default: 5; 2 where only the first good one is kept)",
        minimum=1,
        maximum=100,
    )
    instances: str = option(
        "first", help="rows of an instruction: its first good instance, or all of them", choices=("first", "all")
    )
    novelty: float = option(
        0.7, help="drop an instruction nearer (ROUGE-L) than this to a seed or an earlier one", minimum=0.0, maximum=1.0
    )
    only_classification: bool = option(False, help="ask for classification tasks, and show only seeds that are some")
    allow_keywords: bool = option(False, help="keep instructions about images, files, maps and their like")
    with_seeds: bool = option(False, help="write the seeds too, before all other rows")

    def __post_init__(self) -> None:
        check(self)
        if not self.seeds:
            raise UsageError("--seeds: a file of seed tasks is needed")
        if self.compat == "reference":
            refuse_chinese(self.lang)
            if self.style == "chat" and self.recipe == "alpaca":
                raise UsageError(
                    "--compat reference: Alpaca's reader knows completions only", help="--style completion"
                )

    @property
    def completion(self) -> bool:
        """True if a text is to be continued, False if a chat model is asked."""
        return (self.style or ("completion" if self.compat == "reference" else "chat")) == "completion"

    @property
    def shown_human(self) -> int:
        """Seeds in each prompt."""
        return SHOWN[self.recipe][0] if self.human is None else self.human

    @property
    def shown_machine(self) -> int:
        """Tasks of the model in each prompt, once there are enough."""
        return SHOWN[self.recipe][1] if self.machine is None else self.machine

    @property
    def most(self) -> int:
        """Instances to ask for, for each instruction: the reference's 5, or one and another to fall back on."""
        if self.examples is not None:
            return self.examples
        return 2 if self.instances == "first" and self.compat != "reference" else 5

    @property
    def asked_for(self) -> int:
        """New tasks that a prompt asks for."""
        return ASKED_FOR[self.recipe] if self.tasks is None else self.tasks


def refuse_chinese(lang: str) -> None:
    """UsageError for --compat reference with Chinese seeds."""
    if lang == "zh":
        what = "--compat reference: the reference drops every instruction that does not begin with an ASCII character"
        raise UsageError(what, help="leave out --compat reference for Chinese seeds")


def start(records: Sequence[Record], task: Task, sink: Sink) -> Chain[str]:
    """The chain of the whole run; returns why fewer instructions were made than asked for ("" if they were).

    Raises UsageError, DataError before anything is asked, where seeds and settings do not go together.
    """
    from dataforge.generate.selfinstruct.bootstrap import bootstrap_cycle
    from dataforge.generate.selfinstruct.onereply import one_reply_cycle
    from dataforge.generate.selfinstruct.work import Work

    config: SelfInstructConfig = task.config
    seeds = usable(_read(records, sink), config)
    if config.compat == "reference":
        refuse_chinese(task.lang)
    work = Work(seeds, task, sink)
    if config.with_seeds:
        _write_seeds(seeds, task, sink)
    cycle = one_reply_cycle if config.recipe == "alpaca" else bootstrap_cycle
    barren = 0
    while work.missing and not work.ended:
        before = work.kept
        work.lost.clear()
        yield from cycle(work, work.size(barren))
        barren = 0 if work.kept > before else barren + 1
        if barren == config.patience:
            why = ", ".join(f"{rule} {count:,}" for rule, count in work.lost.most_common(3)) or "empty replies"
            return f"{work.kept:,} of {config.n:,}: {barren} rounds in a row brought nothing new (in the last: {why})"
    return f"{work.kept:,} of {config.n:,}: the budget is used up" if work.missing else ""


def _read(records: Sequence[Record], sink: Sink) -> list[Seed]:
    """The seeds; rows that are none (under --on-error reject) are counted."""
    seeds = []
    for record in records:
        try:
            seeds.append(seed_of(record))
        except RowError as fault:
            sink.count(f"seeds left out: {fault.rule}")
    return seeds


def usable(seeds: list[Seed], config: SelfInstructConfig) -> list[Seed]:
    """The seeds that prompts may show; DataError if there are none."""
    if config.only_classification:
        seeds = [seed for seed in seeds if seed.classification]
        if not seeds:
            raise DataError("no seed says `is_classification: true`", help="leave out --only-classification")
    if not seeds:
        raise DataError("there is no seed task", place=", ".join(config.seeds), help=SHAPE)
    return seeds


def _write_seeds(seeds: Sequence[Seed], task: Task, sink: Sink) -> None:
    """The seeds as rows: their first instance, or all of them."""
    for seed in seeds:
        for given, output in seed.instances[: 1 if task.config.instances == "first" else None]:
            sink.asked()
            record = one_exchange(seed.instruction, given, output)
            record.parents = (seed.id,)
            sink.keep(Made(record, {"method": task.method, "seed": seed.name, "parents": [seed.id]}))


def stages(config: SelfInstructConfig) -> list[Stage]:
    """Requests for an instruction made, with typical lengths; half of what is asked for is taken to survive."""
    ending = "-text" if config.completion else ""
    calls = 1 / (0.5 * config.asked_for)
    if config.recipe == "alpaca":
        form = "alpaca-json" if config.structured != "never" and not ending else f"alpaca{ending}"
        return [Stage(f"{NAME}/{form}", calls, 700, 110 * config.asked_for)]
    return [
        Stage(f"{NAME}/tasks{ending}", calls, 420, 25 * config.asked_for),
        Stage(f"{NAME}/class{ending}", 1.2, 330, 2),
        Stage(f"{NAME}/input-first{ending}", 0.9, 620, 60 * config.most),
        Stage(f"{NAME}/output-first{ending}", 0.3, 560, 40 * config.most),
    ]


METHOD = Method(
    NAME,
    start=start,
    stages=stages,
    to="alpaca",
    inputs=lambda config: config.seeds,
    wanted=lambda config: config.n,
)


def self_instruct(
    inputs: tuple[str, ...], output: str | None, config: SelfInstructConfig, options: RunOptions
) -> Result:
    """Make instructions from seeds; a row that is no seed is an error with its place before anything is asked."""
    seeds = usable(check_seeds(config.seeds, options.limit, strict=options.on_error == "stop"), config)
    if config.compat == "reference" and config.lang == "auto":
        refuse_chinese(language_of("\n".join(seed.instruction for seed in seeds)))
    return make_rows(METHOD, inputs, output, config, options)


OPERATION = Operation(
    name=NAME, config=SelfInstructConfig, run=self_instruct, inputs="none", options=GENERATION_OPTIONS
)
