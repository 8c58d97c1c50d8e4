"""`answers`: several answers to each prompt, from one model or several, for pairs to be made of.

Reads rows of any conversation dialect (also with candidates), takes of each what comes before its last answer, and
writes it with the answers of the models as candidates, in the order (model, sample); with one answer from one model, as
a plain conversation. Rows are `ranked` (it carries answers with their models and without a score), or `openai` for the
plain ones. Cost: `--samples` requests for each row and model.

CLI: `dataforge answers questions.jsonl --model small --also-model large --samples 4 -o answers.jsonl`
Python: `dataforge.answers("questions.jsonl", "answers.jsonl", model="small", samples=4, at_least=2)`

Each answer asked for has one fate: in the row, or dropped by `empty`, `truncated`, `same_answer` (blanks apart, it is
one that the row has already) or `too_few_answers` (the row has fewer than `--at-least`), or failed. Drawn answers
differ only above temperature 0, so with several samples it is 1.0 unless given.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from dataforge.config import RunOptions, check, option
from dataforge.errors import UsageError
from dataforge.generate.chain import Chain, Made, Sink
from dataforge.generate.method import GENERATION_OPTIONS, GenerationConfig, Method, Stage
from dataforge.generate.running.run import make_rows
from dataforge.generate.talk.conversation import Said, chat, model_name, opening, said, say, with_system
from dataforge.generate.task import Task
from dataforge.ledger import Result
from dataforge.llm.request import Answer, Failure, Reply, Request
from dataforge.ops.rowtext import turn_text
from dataforge.record import Candidate, Record, Turn
from dataforge.registry import Operation

__all__ = ["METHOD", "NAME", "OPERATION", "SOURCE", "AnswersConfig", "answers", "expand", "stages"]

NAME = "answers"
STAGE = "answers/answer"
SOURCE = "source"
"""The model of an answer that the input row had."""


@dataclass(frozen=True, kw_only=True)
class AnswersConfig(GenerationConfig):
    """Settings of answers."""

    samples: int = option(1, help="answers to each prompt from each model", unit="answers", minimum=1, maximum=1024)
    also_model: tuple[str, ...] = option(
        (), help="a further model that answers, written like --model; may be given several times"
    )
    with_original: bool = option(False, help=f"keep the row's own answers as candidates too (model: {SOURCE})")
    at_least: int = option(
        1, help="drop rows with fewer different answers than this (pairs need 2)", unit="answers", minimum=1
    )
    system: str | None = option(None, help="system text, in place of the row's own (an empty one: none at all)")
    keep_truncated: bool = option(False, help="keep answers that were cut at --reply-tokens")
    reasoning: str = option("keep", help="what the model thought before its answer", choices=("keep", "drop"))

    def __post_init__(self) -> None:
        check(self)
        models = (self.model, *self.also_model)
        twice = next((model for model in models if models.count(model) > 1), None)
        if twice is not None:
            raise UsageError(
                f"--also-model: {model_name(twice)!r} is given twice", help="for more answers use --samples"
            )
        if self.samples > 1 and self.temperature == 0.0:
            raise UsageError(f"--temperature: at 0 all {self.samples} samples are the same", help="give more than 0")
        most = self.samples * len(models)
        if self.at_least > most and not self.with_original:
            raise UsageError(f"--at-least: {self.at_least} of {most} answers", help="raise --samples, or add a model")

    @property
    def choice(self) -> bool:
        """True if rows hold answers to choose from, and are no plain conversations."""
        return self.samples > 1 or bool(self.also_model) or self.with_original


def expand(task: Task, sink: Sink) -> Chain[None]:
    """Ask all models for all samples at once; RowError for a row that no chat can carry."""
    config: AnswersConfig = task.config
    turns = with_system(opening(task.record), config.system)
    requests = list(_requests(task, turns))
    replies = yield requests
    sink.asked(len(requests))
    old = _originals(task.record) if config.with_original else []
    known = {_plain(one.turns) for one in old}
    new = []
    for request, answer in zip(requests, replies, strict=True):
        spoken = _sound(task, request, answer, sink)
        if spoken is None:
            continue
        turn = say(spoken, reasoning=config.reasoning == "keep")
        if _plain([turn]) in known:
            sink.drop("same_answer", spoken.text, f"an answer of {_name(task, request)} that the row has already")
            continue
        known.add(_plain([turn]))
        new.append((request, answer, turn))
    if new and len(new) + len(old) < config.at_least:
        for _, _, turn in new:
            detail = f"{len(new) + len(old)} different answers, {config.at_least} are asked for"
            sink.drop("too_few_answers", turn.text, detail)
    elif new:
        sink.keep(_row(task, turns, old, new))


def _requests(task: Task, turns: list[Turn]) -> Iterator[Request]:
    """In the order (model, sample)."""
    config = task.config
    temperature = 1.0 if config.samples > 1 else None
    for model in ("", *config.also_model):
        for sample in range(config.samples):
            yield chat(task, turns, stage=STAGE, sample=sample, model=model, temperature=temperature)


def _name(task: Task, request: Request) -> str:
    return model_name(request.model or task.config.model)


def _sound(task: Task, request: Request, answer: Answer, sink: Sink) -> Said | None:
    """What an answer says; None where it got its verdict here."""
    if isinstance(answer, Failure):
        sink.failed(answer)
        sink.count(f"failed answers of {_name(task, request)}")
        return None
    spoken = said(answer)
    if answer.truncated and not (task.config.keep_truncated and spoken.text):
        sink.drop("truncated", answer.text, "cut at its longest length; --reply-tokens allows longer ones")
        return None
    if not spoken.text:
        sink.drop("empty", answer.text, "thinking and no answer" if spoken.reasoning else "")
        return None
    return spoken


def _plain(turns: list[Turn]) -> str:
    """What is compared: the answer without its reasoning, runs of blanks as one."""
    texts = (turn.text or turn_text(turn) for turn in turns)
    return " ".join("\n".join(texts).split())


def _originals(record: Record) -> list[Candidate]:
    """The answers that the row came with; what is said behind the last one is no answer and stays out."""
    if record.candidates is not None:
        return [replace(one, model=one.model or SOURCE) for one in record.candidates]
    before = len(opening(record))
    return [Candidate(record.turns[before : before + 1], model=SOURCE)] if before < len(record.turns) else []


def _row(task: Task, turns: list[Turn], old: list[Candidate], new: list[tuple[Request, Answer, Turn]]) -> Made:
    replies = [(request, answer, turn) for request, answer, turn in new if isinstance(answer, Reply)]
    first_request, first, turn = replies[0]
    more: dict[str, Any] = {}
    if task.config.choice:
        made = [Candidate([turn], model=_name(task, request)) for request, _, turn in replies]
        record = Record(turns, task.record.extras, candidates=[*old, *made])
        more["answers"] = [_account(task, request, reply) for request, reply, _ in replies]
    else:
        record = Record([*turns, turn], task.record.extras)
    provenance = task.provenance(first, first_request, **more)
    if more:  # what is said of each answer is not said of the first one alone
        provenance = {key: value for key, value in provenance.items() if key not in ("model", "finish", "tokens")}
    return Made(record, provenance, novel=turn_text(turns[-1]), candidates=len(new))


def _account(task: Task, request: Request, reply: Reply) -> dict[str, Any]:
    return {
        "model": reply.model or _name(task, request),
        "sample": request.sample,
        "finish": reply.finish,
        "tokens": {"prompt": reply.prompt_tokens, "completion": reply.completion_tokens},
    }


def stages(config: AnswersConfig) -> list[Stage]:
    """What is asked for each row."""
    return [Stage(STAGE, config.samples * (1 + len(config.also_model)), 120, 400)]


METHOD = Method(NAME, expand=expand, stages=stages, to="openai")


def answers(inputs: tuple[str, ...], output: str | None, config: AnswersConfig, options: RunOptions) -> Result:
    """Answer the prompts of the rows and write them with their answers."""
    method = replace(METHOD, to="ranked") if config.choice else METHOD
    return make_rows(method, inputs, output, config, options)


OPERATION = Operation(name=NAME, config=AnswersConfig, run=answers, options=GENERATION_OPTIONS)
