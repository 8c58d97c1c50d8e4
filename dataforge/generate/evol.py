"""`evol`: instructions made harder or rarer step by step, with elimination of the steps that failed (Evol-Instruct).

Source: Xu et al., WizardLM (arXiv 2304.12244). In depth: more constraints, a deeper question, concrete in place of
general things, more steps of reasoning, or data to work on (code, tables); in breadth: a rarer task of the same domain.
The paper draws one of the six with equal chance in each of four rounds. What falls to a rule of `elimination.py` leaves
the row at the stage before, which the next round evolves again.

The last user turn is evolved; what stands before it is kept, and shown to the model. A reply's instruction stands
between `<task>` and `</task>`. Reads conversations; writes a row for each evolution that survives (`--keep last`: the
last one of each input row), answered unless `--no-answers`, and then without the rules about answers. Cost of a row and
round: three requests (evolve, compare, answer), fewer where an evolution falls before the last.

CLI: `dataforge evol seeds.jsonl -o harder.jsonl --model gpt-4o-mini --rounds 4 --max-cost 5`
Python: `dataforge.evol("seeds.jsonl", output="harder.jsonl", model="gpt-4o-mini", rounds=4)`
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass
from typing import Any

from dataforge.config import RunOptions, check, option
from dataforge.errors import UsageError
from dataforge.generate.asking import SELF, Asked, ask, verdict
from dataforge.generate.chain import Chain, Made, Sink
from dataforge.generate.elimination import eliminated_answer, eliminated_instruction, marked, reads_same
from dataforge.generate.method import GENERATION_OPTIONS, GenerationConfig, Method, Stage
from dataforge.generate.running.run import make_rows
from dataforge.generate.talk.conversation import said, say
from dataforge.generate.talk.exchange import Exchange, after, last_exchange
from dataforge.generate.task import Task
from dataforge.ledger import Result
from dataforge.llm.request import Failure, Reply
from dataforge.record import Record, Turn
from dataforge.registry import Operation

__all__ = ["DEPTH", "METHOD", "NAME", "OPERATION", "EvolConfig", "evol", "expand", "stages"]

NAME = "evol"
DEPTH = ("constraints", "deepen", "concretise", "reasoning", "input")
BREADTH = "breadth"


@dataclass(frozen=True, kw_only=True)
class EvolConfig(GenerationConfig):
    """Settings of evol."""

    rounds: int = option(1, help="evolutions of each row, one upon the other", unit="rounds", minimum=1, maximum=100)
    operations: tuple[str, ...] = option(DEPTH, help="ways to evolve in depth (repeatable)", choices=DEPTH)
    breadth: float | None = option(
        None,
        help="share of evolutions in breadth (default: as likely as each one in depth: 1/6 beside all five)",
        minimum=0.0,
        maximum=1.0,
    )
    keep: str = option(
        "all", help="rows for all evolutions that survive, or the last of each row", choices=("all", "last")
    )
    answers: bool = option(True, help="answer the instructions; without answers only instructions are judged")
    with_original: bool = option(False, help="the row itself as well, before its evolutions")
    gain_check: bool = option(True, help="ask whether an evolved instruction asks for more than the one before it")
    judge: str = option(SELF, help="model that is asked that, or self (--model)")
    reasoning: str = option("keep", help="what the model thought before its answer", choices=("keep", "drop"))
    refusals: str = option(
        "careful",
        help="short answers that could not be given: those that say sorry and cannot, or all with sorry (paper)",
        choices=("careful", "paper"),
    )

    def __post_init__(self) -> None:
        check(self)
        if not self.operations and self.breadth != 1.0:
            raise UsageError(
                "--operations: none is left to evolve in depth", help="--breadth 1 evolves in breadth alone"
            )

    def draw(self, rng: random.Random) -> str:
        """The operation of one round."""
        ways = tuple(dict.fromkeys(self.operations))
        share = 1 / (len(ways) + 1) if self.breadth is None else self.breadth
        breadth, way = rng.random() < share, rng.random()
        return BREADTH if breadth or not ways else ways[int(way * len(ways))]


@dataclass(frozen=True, slots=True)
class Evolved:
    """An evolution that was kept: its instruction, its answer (None if none was asked for) and who wrote which."""

    instruction: str
    answer: Turn | None
    written: Asked[str]
    answered: Asked[Reply] | None


@dataclass(frozen=True, slots=True)
class Fallen:
    """An evolution that was eliminated."""

    rule: str
    text: str
    detail: str


def expand(task: Task, sink: Sink) -> Chain[None]:
    """Evolve one row; raises RowError for rows without a question of plain text."""
    source = last_exchange(task.record)
    if task.config.with_original:
        yield from _original(task, sink, source)
    instruction = source.question
    path: tuple[str, ...] = ()
    waiting: Made | None = None
    drawn: Counter[tuple[str, str]] = Counter()
    for _ in range(task.config.rounds):
        operation = task.config.draw(task.rng)
        sink.asked()
        sink.count(f"{operation}: asked for")
        again = drawn[operation, instruction]  # what fell is asked for anew, and not answered by the reply that fell
        drawn[operation, instruction] += 1
        outcome = yield from _evolve(task, source, instruction, operation, sample=again)
        if isinstance(outcome, Failure):
            sink.failed(outcome, instruction)
            if outcome.rule == "budget":
                break
        elif isinstance(outcome, Fallen):
            sink.drop(outcome.rule, outcome.text, outcome.detail)
        else:
            sink.count(f"{operation}: survived")
            instruction, path = outcome.instruction, (*path, operation)
            made = _made(task, source, outcome, path)
            if task.config.keep == "all":
                sink.keep(made)
                continue
            if waiting is not None:
                sink.drop("superseded", waiting.novel or "", "a later evolution of the row stands for it")
            waiting = made
    if waiting is not None:
        sink.keep(waiting)


def _evolve(
    task: Task, source: Exchange, old: str, operation: str, *, sample: int
) -> Chain[Evolved | Fallen | Failure]:
    """One evolution: write, compare, answer; it ends at the first rule that it falls to."""
    request = task.request(f"{NAME}/{operation}", sample=sample, instruction=old, before=source.history)
    written = yield from ask(task, request, lambda reply: marked(reply, "task"))
    if isinstance(written, Failure):
        return written
    new = written.value
    texts = [turn["text"] for turn in source.history]
    fault = eliminated_instruction(new, old, written.request, task.lang, texts)
    if fault is None and task.config.gain_check:
        compared = verdict(task, f"{NAME}/gain", task.config.judge, first=old, second=new)
        same = yield from ask(task, compared, reads_same)
        if isinstance(same, Failure):
            return same
        fault = ("no_gain", "a model finds no difference in what is asked") if same.value else None
    if fault is not None:
        return Fallen(fault[0], new, fault[1])
    if not task.config.answers:
        return Evolved(new, None, written, None)
    return (yield from _answered(task, source, new, written))


def _answered(task: Task, source: Exchange, new: str, written: Asked[str]) -> Chain[Evolved | Fallen | Failure]:
    """The last step of an evolution: its answer, and the rules about answers."""
    answer = yield from _answer(task, source, new)
    if isinstance(answer, Failure | Fallen):
        return answer
    return Evolved(new, answer[0], written, answer[1])


def _answer(task: Task, source: Exchange, question: str) -> Chain[tuple[Turn, Asked[Reply]] | Fallen | Failure]:
    """The answer to an instruction, and the reply that it is of; or the rule that it falls to."""
    request = after(source.before, task.request(f"{NAME}/answer", instruction=question))
    answered = yield from ask(task, request, lambda reply: reply)
    if isinstance(answered, Failure):
        return answered
    if answered.reply.truncated:
        return Fallen("truncated_answer", question, "the answer was cut at its longest length; see --reply-tokens")
    answer = said(answered.reply)
    fault = eliminated_answer(answer.text, question, refusals=task.config.refusals)
    if fault is not None:
        return Fallen(fault[0], question, fault[1])
    return say(answer, reasoning=task.config.reasoning == "keep"), answered


def _made(task: Task, source: Exchange, evolved: Evolved, path: tuple[str, ...]) -> Made:
    """The row of an evolution; its provenance tells of the answer, and in `evolved_by` of the instruction."""
    turns = [*source.before, Turn("user", [evolved.instruction])]
    if evolved.answer is not None:
        turns.append(evolved.answer)
    more: dict[str, Any] = {"operations": list(path), "depth": len(path)}
    last: Asked[Any] = evolved.written
    if evolved.answered is not None:
        by = task.provenance(evolved.written.reply, evolved.written.request)
        more["evolved_by"] = {key: by[key] for key in ("model", "prompt", "finish", "tokens")}
        last = evolved.answered
    provenance = task.provenance(last.reply, last.request, **more)
    return Made(Record(turns, parents=(task.id,)), provenance, novel=evolved.instruction)


def _original(task: Task, sink: Sink, source: Exchange) -> Chain[None]:
    """The row as it came; where it has no answer and answers are wanted, with one of the model."""
    sink.asked()
    answer = source.answer
    provenance: dict[str, Any] = {"method": NAME, "parents": [task.id], "operations": [], "depth": 0}
    if answer is None and task.config.answers:
        outcome = yield from _answer(task, source, source.question)
        if isinstance(outcome, Failure):
            return sink.failed(outcome, source.question)
        if isinstance(outcome, Fallen):
            return sink.drop(outcome.rule, outcome.text, outcome.detail)
        answer, answered = outcome
        provenance = task.provenance(answered.reply, answered.request, operations=[], depth=0)
    turns = [*source.before, Turn("user", [source.question]), *([answer] if answer is not None else [])]
    record = Record(turns, extras=task.record.extras, parents=(task.id,))
    return sink.keep(Made(record, provenance, novel=source.question))


def stages(config: EvolConfig) -> list[Stage]:
    """What a row costs: typical figures of Alpaca's rows, half of the evolutions falling to the comparison.

    Half is what users of the paper's rules report (WizardLM, issue 220).
    """
    ways = tuple(dict.fromkeys(config.operations))
    share = 1 / (len(ways) + 1) if config.breadth is None else config.breadth
    rounds = float(config.rounds)
    found = [Stage(f"{NAME}/{way}", rounds * (1 - share) / len(ways), 300, 120) for way in ways if share < 1]
    found += [Stage(f"{NAME}/{BREADTH}", rounds * share, 260, 80)] if share else []
    found += [Stage(f"{NAME}/gain", rounds, 320, 5)] if config.gain_check else []
    if config.answers:
        found.append(Stage(f"{NAME}/answer", rounds * (0.5 if config.gain_check else 1.0), 100, 400))
    return found


METHOD = Method(NAME, expand=expand, stages=stages, to="openai")


def evol(inputs: tuple[str, ...], output: str | None, config: EvolConfig, options: RunOptions) -> Result:
    """Evolve the rows of files; raises the errors of `dataforge.errors`."""
    return make_rows(METHOD, inputs, output, config, options)


OPERATION = Operation(name=NAME, config=EvolConfig, run=evol, options=GENERATION_OPTIONS)
