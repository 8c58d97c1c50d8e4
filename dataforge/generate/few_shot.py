"""`few-shot`: variants of rows with worked examples before the question, or with reasoning before the answer.

--shots K puts K other rows of the input (or of --examples) before each question: as text of the same turn, in the form
of the prompt file `few-shot/shots`, or with --as-turns as earlier turns. The examples are of the row's language and
drawn by seed; no model is asked. --cot asks a model for the reasoning that leads to the row's answer, and keeps it only
if it does (`reasoned.py`, `finalanswer.py`). Both may be given. In answers with a line `#### X` (GSM8K) the reasoning
takes the place of what stands before that line; a row's own reasoning part is replaced.

Reads conversations; writes `--variants` rows for each. Rows without an answer are faulty here, and so are rows of
several exchanges with --shots. Cost: reading the file once more for --shots; one request an attempt for --cot.

CLI: `dataforge few-shot gsm8k.jsonl -o worked.jsonl --cot --model gpt-4o-mini --hint retry`
Python: `dataforge.few_shot("rows.jsonl", output="shots.jsonl", shots=4)`
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from dataforge.config import RunOptions, check, option
from dataforge.errors import RowError, UsageError
from dataforge.generate.chain import Chain, Made, Sink
from dataforge.generate.method import GENERATION_OPTIONS, GenerationConfig, Method, Stage
from dataforge.generate.running.run import make_rows
from dataforge.generate.talk.exchange import Exchange, after, last_exchange
from dataforge.generate.task import Task, language_of
from dataforge.generate.worked.examples import Example, draw, gather
from dataforge.generate.worked.finalanswer import without_working
from dataforge.generate.worked.reasoned import HINTS, Reasoned, Rejected, hints, reason
from dataforge.ledger import Result
from dataforge.llm.request import Failure
from dataforge.ops.rowtext import row_text
from dataforge.record import Part, Reasoning, Record, Turn
from dataforge.registry import Operation

__all__ = ["METHOD", "NAME", "OPERATION", "FewShotConfig", "expand", "few_shot", "stages"]

NAME = "few-shot"


@dataclass(frozen=True, kw_only=True)
class FewShotConfig(GenerationConfig):
    """Settings of few-shot."""

    shots: int = option(0, help="worked examples before each question", unit="examples", minimum=0, maximum=256)
    variants: int = option(
        1, help="rows made of each row, each with other examples", unit="rows", minimum=1, maximum=1000
    )
    as_turns: bool = option(False, help="examples as earlier turns, and not in the text of the question")
    examples: str | None = option(None, help="rows that examples are drawn from (default: the input)", path=True)
    pool: int = option(10_000, help="examples to draw from, of each language", unit="examples", minimum=1)
    example_chars: int = option(2000, help="longest example, question and answer", unit="characters", minimum=1)
    cot: bool = option(False, help="ask the model for the reasoning that leads to the row's answer")
    hint: str = option("always", help="show the model that answer: always, in a last attempt, or never", choices=HINTS)
    attempts: int = option(1, help="replies asked for until one leads to the answer", minimum=1, maximum=100)
    overlap: float = option(0.5, help="least F1 of a long answer with the row's", minimum=0.0, maximum=1.0)
    judge: str | None = option(None, help="model that compares long answers instead, or self (--model)")
    reasoning: str = option(
        "part", help="reasoning as a part of its own, or before the answer's text", choices=("part", "inline")
    )
    model: str = option("", help="model that writes the reasoning of --cot: a name, NAME@URL or local:FOLDER")

    def __post_init__(self) -> None:
        check(self)
        if not self.shots and not self.cot:
            raise UsageError("nothing to do: neither examples nor reasoning are asked for", help="--shots 4, or --cot")
        if self.cot and not self.model:
            raise UsageError("--cot: a model has to write the reasoning", help="--model NAME")
        if self.model and not self.cot:
            raise UsageError("--model: examples are drawn without a model", help="leave it out, or add --cot")
        if self.judge is not None and not (self.judge and self.cot):
            raise UsageError(
                "--judge: no model is named, or nothing is to be judged", help="--cot --judge NAME (or self)"
            )
        if self.novelty is not None:
            raise UsageError("--novelty: the questions stay what they are", help="`dataforge dedup` finds those alike")
        if self.examples is not None and not self.shots:
            raise UsageError("--examples: how many of them?", help="--shots 4")


def prepare(config: FewShotConfig, records: Iterator[Record], seed: int) -> dict[str, list[Example]]:
    """The examples to draw from, by language."""
    if not config.shots:
        return {}
    if config.examples is not None:
        from dataforge.engine.records import read_records

        records = iter(read_records((config.examples,)))
    return gather(records, seed=seed, most=config.pool, longest=config.example_chars)


def expand(task: Task, sink: Sink) -> Chain[None]:
    """The variants of one row; raises RowError for rows without an answer of plain text."""
    source = last_exchange(task.record)
    if source.answer is None or not source.answer.text.strip():
        raise RowError("no_answer", "the row has no answer, which variants of it need", help="`answers` asks for one")
    if task.config.shots and any(turn.role in ("user", "assistant") for turn in source.before):
        raise RowError(
            "several_exchanges", "examples cannot stand before the last of several questions", help="leave --shots out"
        )
    for variant in range(task.config.variants):
        sink.asked()
        going = yield from _variant(task, sink, source, variant)
        if not going:
            break


def _variant(task: Task, sink: Sink, source: Exchange, variant: int) -> Chain[bool]:
    """Make one variant; False where the budget has ended."""
    config = task.config
    examples: list[Example] = []
    if config.shots:
        pool = (task.shared or {}).get(language_of(row_text(task.record)), [])
        examples = draw(pool, config.shots, task.rng, own=task.id, question=source.question)
        if len(examples) < config.shots:
            detail = f"{len(examples)} of {config.shots} examples are there in the row's language"
            sink.drop("too_few_examples", source.question, detail)
            return True
    outcome: Reasoned | None = None
    if config.cot:
        first = variant * len(hints(config.hint, config.attempts))
        found = yield from reason(task, source, sample=first)
        if isinstance(found, Failure):
            sink.failed(found, source.question)
            return found.rule != "budget"
        if isinstance(found, Rejected):
            sink.drop(found.rule, found.text, found.detail)
            return True
        outcome = found
        sink.count("reasoned with the answer shown" if found.hinted else "reasoned without the answer shown")
    sink.keep(_made(task, source, examples, outcome))
    return True


def _made(task: Task, source: Exchange, examples: list[Example], outcome: Reasoned | None) -> Made:
    """The row of a variant, and where it comes from."""
    turns, prompt = _question(task, source, examples)
    turns.append(_answer(source, outcome, task.config.reasoning))
    more: dict[str, Any] = (
        {"shots": len(examples), "examples": [example.id for example in examples]} if examples else {}
    )
    if outcome is None:
        provenance = {"method": NAME, **({"prompt": prompt} if prompt else {}), "parents": [task.id], **more}
    else:
        compared = outcome.comparison
        more |= {"hinted": outcome.hinted, "attempt": outcome.attempt, "agrees_by": compared.kind}
        more |= {"agreement": round(compared.score, 4)}
        provenance = task.provenance(outcome.asked.reply, outcome.asked.request, **more)
    record = Record(turns, extras=task.record.extras, parents=(task.id,))
    return Made(record, provenance)


def _question(task: Task, source: Exchange, examples: list[Example]) -> tuple[list[Turn], str]:
    """The turns up to the question, with the examples; and the prompt file that put them together, if one did."""
    asked = Turn("user", [source.question])
    if not examples:
        return [*source.before, asked], ""
    if task.config.as_turns:
        pairs = [(Turn("user", [one.question]), Turn("assistant", [one.answer])) for one in examples]
        return [*source.before, *(turn for pair in pairs for turn in pair), asked], ""
    values = [{"question": one.question, "answer": one.answer} for one in examples]
    request = after(source.before, task.request(f"{NAME}/shots", examples=values, question=source.question))
    return [Turn(m["role"], [m["content"]]) for m in request.messages], request.prompt


def _answer(source: Exchange, outcome: Reasoned | None, form: str) -> Turn:
    """The row's answer, after the new reasoning where there is some."""
    answer = source.answer or Turn("assistant", [])
    if outcome is None:
        return answer
    kept = without_working(answer.text)
    parts: list[Part] = [Reasoning(outcome.reasoning), kept] if form == "part" else [f"{outcome.reasoning}\n\n{kept}"]
    return Turn("assistant", parts)


def stages(config: FewShotConfig) -> list[Stage]:
    """What a row costs: typical figures of GSM8K's rows; each attempt after the first is needed by half of the rows."""
    if not config.cot:
        return []
    calls = [0.5**number for number in range(len(hints(config.hint, config.attempts)))]
    shown = hints(config.hint, config.attempts)
    found = []
    for name, hinted in (("solve", False), ("explain", True)):
        share = sum(call for call, flag in zip(calls, shown, strict=True) if flag is hinted) * config.variants
        found += [Stage(f"{NAME}/{name}", share, 220, 250)] if share else []
    return found


METHOD = Method(NAME, expand=expand, stages=stages, to="openai", prepare=prepare)


def few_shot(inputs: tuple[str, ...], output: str | None, config: FewShotConfig, options: RunOptions) -> Result:
    """Make variants of the rows of files; raises the errors of `dataforge.errors`."""
    return make_rows(METHOD, inputs, output, config, options)


OPERATION = Operation(name=NAME, config=FewShotConfig, run=few_shot, options=GENERATION_OPTIONS)
