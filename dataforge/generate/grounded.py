"""`grounded`: questions and answers, or conversations, made from documents and held against them.

A document is cut into passages (`passages.py`); for each, one request asks for `--per-passage` pairs (conversations of
`--turns` turns), with the place that proves each answer. Then every answer, of every turn, is held against its passage:

    containment   each sentence shares at least `--support` of its 3-grams with the passage, and has no number that
                  the passage does not have (`support.py`; how the threshold was found: docs/methods.md)
    judge         a model goes through the answers sentence by sentence (`--judge MODEL`)

Rules: short_passage, missing (fewer were written than asked for), surplus, empty, copies_question, not_self_contained
(it points at a text that the reader will not have), repeated_question, too_few_turns, unsupported. A row's provenance
has its passage: text, place in the document (characters) and the document's id; the place of the quote; the lowest
containment.

Reads rows of any dialect (documents; of conversations all that is said); a key `title` (标题) of the row is shown with
each passage. Cost: one request for each passage, with `--judge` one more for each pair that got so far.
CLI: `dataforge grounded laws.jsonl -o pairs.jsonl --model gpt-4o-mini --per-passage 3 --judge self --max-cost 5`
Python: `dataforge.grounded("laws.jsonl", output="pairs.jsonl", model="gpt-4o-mini", turns=3)`
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from dataforge.config import RunOptions, check, option
from dataforge.errors import UsageError
from dataforge.generate.asking import Asked, ask
from dataforge.generate.chain import Chain, Made, Sink, together
from dataforge.generate.documents.evidence import Evidence
from dataforge.generate.documents.exchanges import Candidate, read_dialogues, read_pairs
from dataforge.generate.documents.passages import Passage, cut
from dataforge.generate.judging import SELF, judge, read_json
from dataforge.generate.method import GENERATION_OPTIONS, GenerationConfig, Method, Stage
from dataforge.generate.reading.replies import Unreadable
from dataforge.generate.running.run import make_rows
from dataforge.generate.talk.conversation import model_name
from dataforge.generate.task import Task, language_of
from dataforge.ledger import Result
from dataforge.llm.request import Failure, Request
from dataforge.ops.rowtext import row_text
from dataforge.record import Record, Turn
from dataforge.registry import Operation

__all__ = ["METHOD", "NAME", "OPERATION", "GroundedConfig", "expand", "grounded", "stages"]

NAME = "grounded"
CONTAINMENT, JUDGE, BOTH, NOTHING = "containment", "judge", "both", "nothing"
SUPPORT = {"en": 0.4, "zh": 0.5}
"""Least containment by the language of the passage: three characters say less than three words, so chance finds them
more often; at these two thresholds as many sound answers pass and as many wrong ones fall (docs/methods.md)."""
PAIR_TOKENS = 350
"""Tokens that a pair or a turn may need; the request asks for no shorter reply than that."""


@dataclass(frozen=True, kw_only=True)
class GroundedConfig(GenerationConfig):
    """Settings of grounded."""

    per_passage: int = option(3, help="pairs (or conversations) to ask for of each passage", minimum=1, maximum=50)
    turns: int = option(
        1, help="questions with their answers in a row; 2 and more make conversations", minimum=1, maximum=20
    )
    passage_chars: int = option(2000, help="longest passage", unit="characters", minimum=100, maximum=1_000_000)
    least_chars: int = option(80, help="shortest passage; shorter ones are skipped", unit="characters", minimum=1)
    support: float | None = option(
        None,
        help="least share of a sentence's 3-grams that its passage must have (default: 0.4; of Chinese 0.5)",
        minimum=0.0,
        maximum=1.0,
    )
    free_numbers: bool = option(False, help="let answers have numbers that the passage does not have")
    judge: str | None = option(None, help="model that holds answers against their passage as well, or self (--model)")
    support_by: str | None = option(
        None,
        help="what decides that an answer is supported (default: containment; with --judge both)",
        choices=(CONTAINMENT, JUDGE, BOTH, NOTHING),
    )

    def __post_init__(self) -> None:
        check(self)
        if self.judge == "":
            raise UsageError("--judge: no model is named", help="name one, or self for --model")
        if self.judge is not None and self.support_by in (CONTAINMENT, NOTHING):
            raise UsageError(
                f"--judge {self.judge} would not be asked with --support-by {self.support_by}",
                help="leave one of them out",
            )
        if self.least_chars > self.passage_chars:
            raise UsageError(
                f"--least-chars {self.least_chars} is more than --passage-chars {self.passage_chars}",
                help="every passage would be skipped",
            )

    @property
    def ways(self) -> tuple[bool, bool]:
        """(containment decides, a judge decides)."""
        way = self.support_by or (CONTAINMENT if self.judge is None else BOTH)
        return way in (CONTAINMENT, BOTH), way in (JUDGE, BOTH)


@dataclass(frozen=True, slots=True)
class Fallen:
    """A candidate that fell to a rule."""

    rule: str
    text: str
    detail: str


Outcome = Made | Fallen | tuple[Failure, str]
"""What became of a candidate; a failure comes with the text that it is about."""


def expand(task: Task, sink: Sink) -> Chain[None]:
    """Make the rows of a document, all its passages side by side; verdicts come in the order of the passages."""
    document = row_text(task.record)
    passages = cut(document, task.config.passage_chars) or [Passage("", 0, 0)]
    title = _title(task.record)
    found = yield from together(_passage(task, passage, title) for passage in passages)
    for outcomes in found:
        for outcome in outcomes:
            sink.asked()
            if isinstance(outcome, Made):
                sink.keep(outcome)
            elif isinstance(outcome, Fallen):
                sink.drop(outcome.rule, outcome.text, outcome.detail)
            else:
                sink.failed(*outcome)


def _title(record: Record) -> str:
    """What the row says the document is called; "" if it says nothing."""
    extras = record.extras or {}
    found = (extras.get(key) for key in ("title", "标题"))
    return next((" ".join(value.split()) for value in found if isinstance(value, str) and value.strip()), "")


def _passage(task: Task, passage: Passage, title: str) -> Chain[list[Outcome]]:
    """All that comes of one passage: at least `per_passage` outcomes, or one for a passage that was skipped."""
    config = task.config
    length = len(passage.text.strip())
    if length < config.least_chars:
        detail = f"{length} characters, and --least-chars {config.least_chars}"
        return [Fallen("short_passage", passage.text, detail)]
    lang = _language(task, passage)
    request = _request(task, passage, title, lang)
    read = read_json(task, request.stage, read_pairs if config.turns == 1 else read_dialogues, lang=lang)
    asked = yield from ask(task, request, read)
    if isinstance(asked, Failure):
        return [(asked, passage.text)] * config.per_passage
    support = SUPPORT[language_of(passage.text)] if config.support is None else config.support
    evidence = Evidence(passage, title, support, free_numbers=config.free_numbers)
    checked = list(_check(config, evidence, asked.value))
    judged: list[Outcome] = yield from together(_judged(task, evidence, asked, one, lang) for one in checked)
    missing = config.per_passage - len(judged)
    detail = f"{len(judged)} of {config.per_passage} were written"
    return judged + [Fallen("missing", passage.text, detail)] * missing


def _language(task: Task, passage: Passage) -> str:
    """Of the prompts: Chinese if the document or the passage is; the rest of either may be code and addresses."""
    if task.config.lang != "auto" or task.lang == "zh":
        return task.lang
    return language_of(passage.text)


def _request(task: Task, passage: Passage, title: str, lang: str) -> Request:
    config = task.config
    name = f"{NAME}/pairs" if config.turns == 1 else f"{NAME}/dialogues"
    more = {} if config.turns == 1 else {"turns": config.turns}
    close = config.ways[0]
    text = passage.text.strip("\r\n")
    request = task.request(name, lang=lang, passage=text, title=title, number=config.per_passage, close=close, **more)
    if config.reply_tokens is not None:
        return request
    needed = PAIR_TOKENS * config.per_passage * config.turns
    return replace(request, max_tokens=max(request.max_tokens, needed))


def _check(
    config: GroundedConfig, evidence: Evidence, found: list[Candidate]
) -> Iterator[tuple[Candidate, Fallen | None]]:
    """Each candidate with the rule that it falls to, so far."""
    for number, candidate in enumerate(found):
        fault = ("surplus", f"{config.per_passage} were asked for") if number >= config.per_passage else None
        if config.turns > 1:
            candidate = replace(candidate, exchanges=candidate.exchanges[: config.turns])
            if fault is None and len(candidate.exchanges) < 2:
                fault = ("too_few_turns", f"{len(candidate.exchanges)} of {config.turns}")
        fault = fault or evidence.fault(candidate, containment=config.ways[0])
        yield candidate, fault and Fallen(fault[0], candidate.text, fault[1])


def _judged(
    task: Task, evidence: Evidence, asked: Asked[list[Candidate]], checked: tuple[Candidate, Fallen | None], lang: str
) -> Chain[Outcome]:
    """The outcome of a candidate, after the judge has seen it where one is wanted."""
    candidate, fallen = checked
    if fallen is not None:
        return fallen
    more: dict[str, Any] = evidence.provenance(candidate, task.id)
    if task.config.ways[1]:
        verdict = yield from judge(
            task,
            f"{NAME}/judge",
            task.config.judge or SELF,
            read_verdict,
            lang=lang,
            passage=evidence.passage.text.strip("\r\n"),
            title=evidence.title,
            exchanges=[{"question": question, "answer": answer} for question, answer in candidate.exchanges],
        )
        if isinstance(verdict, Failure):
            return verdict, candidate.text
        supported, sentence = verdict.value
        by = verdict.reply.model or model_name(verdict.request.model or task.config.model)
        if not supported:
            return Fallen("unsupported", candidate.text, f"{by} finds no support for: {sentence or 'the answer'}")
        more["judge"] = {"model": by, "prompt": verdict.request.prompt}
    turns = [
        Turn(role, [text])
        for exchange in candidate.exchanges
        for role, text in zip(("user", "assistant"), exchange, strict=True)
    ]
    provenance = task.provenance(asked.reply, asked.request, **more)
    return Made(Record(turns, parents=(task.id,)), provenance, novel=candidate.questions)


def read_verdict(value: Any) -> tuple[bool, str]:
    """(supported, the first sentence that is not) of a judge's JSON; raises Unreadable for anything else."""
    supported = value.get("supported") if isinstance(value, dict) else None
    if not isinstance(supported, bool):
        raise Unreadable("schema", "$.supported: true or false is needed")
    sentence = value.get("sentence")
    return supported, sentence.strip() if isinstance(sentence, str) else ""


def stages(config: GroundedConfig) -> list[Stage]:
    """What a document costs: figures of documents of 6,000 characters, of which half the pairs reach the judge."""
    passages = max(1.0, 6000 / config.passage_chars)
    passage = round(0.4 * min(config.passage_chars, 6000))
    reply = 110 * config.per_passage * config.turns
    found = [Stage(f"{NAME}/{'pairs' if config.turns == 1 else 'dialogues'}", passages, passage + 400, reply)]
    if config.ways[1]:
        found.append(Stage(f"{NAME}/judge", passages * config.per_passage, passage + 250 + 80 * config.turns, 40))
    return found


METHOD = Method(NAME, expand=expand, stages=stages, to="openai")


def grounded(inputs: tuple[str, ...], output: str | None, config: GroundedConfig, options: RunOptions) -> Result:
    """Make rows from the documents of files; raises the errors of `dataforge.errors`."""
    return make_rows(METHOD, inputs, output, config, options)


OPERATION = Operation(name=NAME, config=GroundedConfig, run=grounded, options=GENERATION_OPTIONS)
