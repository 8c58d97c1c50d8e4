"""`back`: instruction back-translation: a document is the answer, and a model writes the instruction for it.

Source: Li et al., Self-Alignment with Instruction Backtranslation (Humpback, arXiv 2308.06259). The paper tunes a model
for writing instructions; here any instruction-tuned model writes them from a prompt. Its second half, curation, lets a
model mark each pair on a 5-point scale and keeps the best; here `--curate MODEL` (or self) and `--min-score`. It is off
unless asked for, since it costs a second request as long as the first.

The answer of a row is its document, or its last assistant turn (whose instruction is then written anew). An answer must
be whole, so one longer than `--max-chars` is dropped and never cut.
Rules: empty_answer, too_short, too_long; empty, holds_answer (the instruction copies the answer: half of the answer's
3-grams, or 30 terms in a row), not_self_contained (it points at "this text"), low_score.

Cost: one request a row, two with curation. Novelty (`--novelty`) is that of the instructions.
CLI: `dataforge back articles.jsonl -o pairs.jsonl --model gpt-4o-mini --curate self --max-cost 5`
Python: `dataforge.back("articles.jsonl", output="pairs.jsonl", model="gpt-4o-mini", curate="self")`
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from dataforge.config import RunOptions, check, option
from dataforge.errors import UsageError, shorten
from dataforge.generate.asking import ask, whole
from dataforge.generate.chain import Chain, Made, Sink
from dataforge.generate.documents.selfcontained import references
from dataforge.generate.documents.support import Source, longest_copy, terms_of
from dataforge.generate.judging import judge
from dataforge.generate.method import GENERATION_OPTIONS, GenerationConfig, Method, Stage
from dataforge.generate.reading.replies import Unreadable
from dataforge.generate.running.run import make_rows
from dataforge.generate.talk.conversation import model_name
from dataforge.generate.task import Task
from dataforge.ledger import Result
from dataforge.llm.request import Failure, Reply
from dataforge.ops.rowtext import answer_text, row_text
from dataforge.record import Record, Turn
from dataforge.registry import Operation

__all__ = ["METHOD", "NAME", "OPERATION", "BackConfig", "back", "expand", "faulty", "read_score", "stages", "written"]

NAME = "back"
HELD = 0.5
"""An instruction with this share of the answer's 3-grams holds the answer."""
COPIED = 30
"""So does one with so many terms of it in a row: longer than the title of any Chinese statute."""
_LABEL = re.compile(
    r"\s*(?:(?:sure|certainly|of course|okay)[!,.]?\s*)?(?:here(?:'s| is) )?(?:#+\s*)?(?:\*\*|__)?"
    r"(?:(?:the|an|a possible) )?(?:instruction|prompt)\s*(?:\*\*|__)?\s*:\s*(?:\*\*|__)?\s*"
    r"|\s*(?:好的[，,。]?\s*)?(?:#+\s*)?(?:\*\*)?(?:这条|该)?(?:指令|提示词?)(?:如下|是|为)?(?:\*\*)?\s*[:：]\s*(?:\*\*)?\s*",
    re.IGNORECASE,
)
_PREAMBLE = re.compile(
    r"\s*(?:(?:sure|certainly|of course|okay)[!,.]?\s*)?"
    r"(?:here(?:['’]s| is) (?:an?|the|one) (?:\w+ ){0,2}(?:instruction|prompt)\b"
    r"|based on (?:the|this) answer\b[^\n:]{0,40}\b(?:instruction|prompt|request)\b"
    r"|the (?:\w+ )?(?:instruction|prompt) (?:could|might|may|would|was|is|that)\b)[^\n:]{0,80}:[ \t*_]*\n+\s*"
    r"|\s*(?:好的[，,。]?\s*)?(?:以下|下面)[是为][^\n:：]{0,20}(?:指令|提示词)[^\n:：]{0,20}[:：][ \t*]*\n+\s*"
    r"|\s*(?:根据|从)(?:上面|以上|上述|这个|这份|这段|该|所给)?的?回答[^\n:：]{0,20}(?:指令|提示词)[^\n:：]{0,20}[:：]\s*"
    r"|\s*(?:好的[，,。]?\s*)?(?:(?:以下|下面)[是为])?(?:可能|对应|相应|原始?|推断出?|还原出?|用户)(?:的|是)?(?:用户)?指令[^\n:：]{0,6}[:：]\s*",
    re.IGNORECASE,
)
"""A sentence before the instruction, as chat models write it; without "possible" and the like, on a line of its own."""
_TAGGED = re.compile(r"\s*<(?P<tag>instruction|prompt|指令)>(?P<inside>.*?)</(?P=tag)>\s*", re.DOTALL | re.IGNORECASE)
_QUOTES = (('"', '"'), ("'", "'"), ("“", "”"), ("「", "」"), ("『", "』"))


@dataclass(frozen=True, kw_only=True)
class BackConfig(GenerationConfig):
    """Settings of back."""

    least_chars: int = option(40, help="shortest answer", unit="characters", minimum=1)
    max_chars: int = option(
        8000,
        help="longest answer; longer rows are dropped, since an answer must be whole",
        unit="characters",
        minimum=1,
    )
    curate: str | None = option(
        None, help="model that marks each pair from 1 to 5, or self (--model); without it no pair is marked"
    )
    min_score: int = option(4, help="least mark of a pair (with --curate)", minimum=1, maximum=5)

    def __post_init__(self) -> None:
        check(self)
        if self.curate == "":
            raise UsageError("--curate: no model is named", help="name one, or self for --model")
        if self.least_chars > self.max_chars:
            raise UsageError(
                f"--least-chars {self.least_chars} is more than --max-chars {self.max_chars}",
                help="every row would be dropped",
            )


def expand(task: Task, sink: Sink) -> Chain[None]:
    """Write the instruction of one row's answer."""
    sink.asked()
    record = task.record
    answer = (row_text(record) if record.is_document else answer_text(record)) or ""
    fault = _unfit(answer, task.config)
    if fault is not None:
        return sink.drop(fault[0], answer, fault[1])
    asked = yield from ask(task, task.request(f"{NAME}/instruction", answer=answer), written)
    if isinstance(asked, Failure):
        return sink.failed(asked, answer)
    instruction = asked.value
    fault = faulty(instruction, answer)
    if fault is not None:
        return sink.drop(fault[0], instruction, fault[1])
    curation: dict[str, Any] = {}
    if task.config.curate is not None:
        mark = yield from _curated(task, instruction, answer)
        if isinstance(mark, Failure):
            return sink.failed(mark, instruction)
        if mark["score"] < task.config.min_score:
            return sink.drop("low_score", instruction, f"{mark['score']} of 5: {mark['reason']}")
        curation = {"curation": mark}
    turns = [Turn("user", [instruction]), Turn("assistant", [answer])]
    provenance = task.provenance(asked.reply, asked.request, **curation)
    return sink.keep(Made(Record(turns, parents=(task.id,)), provenance, novel=instruction))


def _unfit(answer: str, config: BackConfig) -> tuple[str, str] | None:
    """The rule that an answer falls to before anything is asked."""
    length = len(answer)
    if not answer.strip():
        return "empty_answer", "the row has no document and no answer"
    if length < config.least_chars:
        return "too_short", f"{length} characters, and --least-chars {config.least_chars}"
    if length > config.max_chars:
        return "too_long", f"{length:,} characters, and --max-chars {config.max_chars}"
    return None


def written(reply: Reply) -> str:
    """The instruction of a reply, without a label, marks and quotation marks around it; raises Unreadable."""
    text = whole(reply)
    tagged = _TAGGED.fullmatch(text)
    text = tagged["inside"].strip() if tagged else text
    label = _LABEL.match(text) or _PREAMBLE.match(text)
    text = text[label.end() :] if label else text
    for opening, closing in _QUOTES:
        inside = text[1:-1]
        if len(text) > 2 and text[0] == opening and text[-1] == closing and not {opening, closing} & set(inside):
            text = inside.strip()
    if not text:
        raise Unreadable("empty", "the reply holds no instruction")
    return text


def faulty(instruction: str, answer: str) -> tuple[str, str] | None:
    """The rule that an instruction falls to, with the detail; None for a sound one."""
    if not any(terms_of([instruction])):
        return "empty", "the instruction has no words"
    held = Source(instruction).share(answer)
    if held >= HELD:
        return "holds_answer", f"{held:.0%} of the answer's 3-grams stand in the instruction"
    copied = longest_copy(instruction, answer)
    if copied >= COPIED:
        return "holds_answer", f"{copied} terms of the answer in a row"
    found = references(instruction)
    if found is not None:
        return "not_self_contained", f"it points at a text: {shorten(found)!r}"
    return None


def _curated(task: Task, instruction: str, answer: str) -> Chain[dict[str, Any] | Failure]:
    """The mark of a pair, with its reason and who gave it."""
    marked = yield from judge(
        task, f"{NAME}/score", task.config.curate, read_score, instruction=instruction, answer=answer
    )
    if isinstance(marked, Failure):
        return marked
    score, reason = marked.value
    by = marked.reply.model or model_name(marked.request.model or task.config.model)
    return {"score": score, "reason": reason, "model": by, "prompt": marked.request.prompt}


def read_score(value: Any) -> tuple[int, str]:
    """(mark, reason) of a curator's JSON; raises Unreadable for what is no mark from 1 to 5."""
    score = value.get("score") if isinstance(value, dict) else None
    if isinstance(score, bool) or not isinstance(score, int | float) or score not in range(1, 6):
        raise Unreadable("schema", f"$.score: a whole number from 1 to 5 is needed, not {shorten(score)}")
    reason = value.get("reason")
    return int(score), reason.strip() if isinstance(reason, str) else ""


def stages(config: BackConfig) -> list[Stage]:
    """What a row costs: figures of answers of 3,000 characters."""
    answer = round(0.3 * min(config.max_chars, 3000))
    found = [Stage(f"{NAME}/instruction", 1.0, answer + 220, 60)]
    return found + ([Stage(f"{NAME}/score", 1.0, answer + 400, 60)] if config.curate is not None else [])


METHOD = Method(NAME, expand=expand, stages=stages, to="openai")


def back(inputs: tuple[str, ...], output: str | None, config: BackConfig, options: RunOptions) -> Result:
    """Write instructions for the rows of files; raises the errors of `dataforge.errors`."""
    return make_rows(METHOD, inputs, output, config, options)


OPERATION = Operation(name=NAME, config=BackConfig, run=back, options=GENERATION_OPTIONS)
