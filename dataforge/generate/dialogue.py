"""`dialogue`: conversations carried on by a model that plays both sides, the user and the assistant.

Reads conversations, or single questions; each is carried on by `--turns` exchanges. The user's side has a prompt of its
own (`dialogue/user`); the assistant's side sees the conversation and nothing else. Writes the longer conversations as
`openai` rows. Cost: two requests an exchange; a question without an answer needs one for its first exchange.

CLI: `dataforge dialogue questions.jsonl --model large --user-model small --turns 3 -o talks.jsonl`
Python: `dataforge.dialogue("questions.jsonl", "talks.jsonl", model="large", turns=3, keep_partial=True)`

A user who needs nothing more ends a conversation early. These end it by a rule: `user_repeats` (what was said before,
`dataforge.generate.talk.repetition`), `user_answers` (the user speaks as the assistant, or takes up its words),
`user_refuses`, `user_empty`, `user_truncated`, `answer_empty`, `answer_truncated`, `answer_stuck` (a loop). A faulty
turn of the user is asked for again first (`--tries`). The row is dropped by that rule, or with `--keep-partial` kept up
to its last sound exchange. A row whose user needs nothing more from the beginning is dropped (`user_content`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from dataforge.config import RunOptions, check, option
from dataforge.generate.asking import Asked, ask
from dataforge.generate.chain import Chain, Made, Sink
from dataforge.generate.method import GENERATION_OPTIONS, GenerationConfig, Method, Stage
from dataforge.generate.nearest.terms import read_terms
from dataforge.generate.reading.replies import Unreadable, plain
from dataforge.generate.running.run import make_rows
from dataforge.generate.talk.conversation import chat, model_name, opening, said, say, with_system
from dataforge.generate.talk.repetition import same, stuck, taken
from dataforge.generate.task import Task
from dataforge.ledger import Result
from dataforge.llm.request import Failure, Reply, Request
from dataforge.ops.rules.answers import refuses, speaks_as_ai
from dataforge.record import Record, Turn
from dataforge.registry import Operation

__all__ = ["METHOD", "NAME", "OPERATION", "DialogueConfig", "dialogue", "expand", "stages"]

NAME = "dialogue"
USER, ANSWER = "dialogue/user", "dialogue/answer"
ENDS = {"en": "[DONE]", "zh": "【结束】"}
ENDED = re.compile(r"[\W_]*(?:done|结束)[\W_]*", re.IGNORECASE)
"""The end mark as models change it: without its brackets, in other ones, in small letters; only as the whole turn."""
SPEAKERS = {"en": {"user": "User", "assistant": "Assistant"}, "zh": {"user": "用户", "assistant": "助手"}}
OWN_LABEL = re.compile(
    r"\A\s*(?:\*\*)?(?:the )?(?:user|person|human|me|用户|人|我)(?:\*\*)?\s*[:：](?:\*\*)?\s*", re.IGNORECASE
)
OTHER_LABEL = re.compile(r"^\W*(?:(?:ai )?assistant|ai|(?:智能|ai)?助手|助理)\W*[:：]", re.IGNORECASE | re.MULTILINE)
QUOTED = re.compile(r"^(?:\"([^\"]+)\"|“([^“”]+)”|「([^「」]+)」)$")
OFFERS = re.compile(
    r"how (?:can|may) i (?:help|assist) you|i(?:['’]d| would) be (?:happy|glad) to (?:help|assist)|"
    r"(?:let me know|feel free to ask) if you|is there anything else (?:i can|you(?:['’]d| would) like)|"
    r"i hope (?:this|that) helps|^\W*(?:sure|certainly|of course|absolutely)\W+here(?:['’]s| is| are)\b(?! my\b)|"
    r"有什么(?:我)?(?:可以|能)帮(?:助)?(?:您|你|到)|很高兴(?:能)?(?:为您|为你|帮助您|帮助你)|"
    r"如果(?:您|你)(?:还)?有(?:其他|任何|更多|什么)[^。]{0,8}(?:问题|需要)|请随时(?:告诉|联系|提问|向我)|"
    r"希望(?:这|以上|我的)[^。]{0,12}(?:有所)?帮助|^\W*(?:当然|好的)[^。]{0,6}[，,！!。]\s*(?:以下|下面)是(?!我)",
    re.IGNORECASE,
)
"""What assistants say to people, and hardly ever people to assistants."""
TAKEN, TAKEN_TERMS = 0.6, 20
"""A turn of the user of so many terms takes up the assistant's words if it has so many of them from its last answer."""


@dataclass(frozen=True, kw_only=True)
class DialogueConfig(GenerationConfig):
    """Settings of dialogue."""

    turns: int = option(2, help="exchanges to add to each conversation", unit="exchanges", minimum=1, maximum=100)
    user_model: str | None = option(None, help="model that plays the user, written like --model (default: --model)")
    style: str | None = option(None, help="what the user is like and how they write, in a sentence or two")
    system: str | None = option(None, help="system text, in place of the row's own (an empty one: none at all)")
    keep_partial: bool = option(False, help="keep a conversation that a rule ended up to its last sound exchange")
    reasoning: str = option("keep", help="what the model thought before its answer", choices=("keep", "drop"))

    def __post_init__(self) -> None:
        check(self)


@dataclass
class Talk:
    """A conversation that grows.

    replies: all sound or unsound ones, for the account of tokens. answered: the last sound answer and its request.
    content: the user needs nothing more. rule, text, detail: what ended it before its time; failure: if no reply came.
    """

    turns: list[Turn]
    exchanges: int = 0
    replies: list[Reply] = field(default_factory=list)
    answered: tuple[Reply, Request] | None = None
    user_prompt: str = ""
    content: bool = False
    rule: str = ""
    text: str = ""
    detail: str = ""
    failure: Failure | None = None

    def end(self, rule: str, text: str, detail: str = "") -> None:
        """Let a rule end it."""
        self.rule, self.text, self.detail = rule, text, detail


def expand(task: Task, sink: Sink) -> Chain[None]:
    """Carry one conversation on; RowError for a row that no chat can carry."""
    config: DialogueConfig = task.config
    talk = Talk(with_system(opening(task.record, answered=True), config.system))
    sink.asked()
    while talk.exchanges < config.turns and not (talk.rule or talk.failure or talk.content):
        if talk.turns[-1].role != "user":
            yield from _ask_user(task, talk)
        if talk.turns[-1].role == "user":
            yield from _ask_assistant(task, talk)
    fault = talk.failure.rule if talk.failure is not None else talk.rule
    if talk.answered is not None and (not fault or config.keep_partial):
        if fault:
            sink.count(f"cut short by {fault}")
        elif talk.content:
            sink.count("ended by the user")
        sink.keep(_row(task, talk, *talk.answered, fault))
    elif talk.failure is not None:
        sink.failed(talk.failure, _last_words(talk))
    elif talk.rule:
        sink.drop(talk.rule, talk.text, talk.detail)
    else:
        sink.drop("user_content", _last_words(talk), "the user needs nothing more, and nothing was added")


def _ask_user(task: Task, talk: Talk) -> Chain[None]:
    """Let the user speak, or end the conversation."""
    speakers = SPEAKERS[task.lang]
    spoken = [
        {"speaker": speakers[turn.role], "text": turn.text.strip()} for turn in talk.turns if turn.role in speakers
    ]
    request = task.request(
        USER, model=task.config.user_model or "", turns=spoken, style=task.config.style or "", end=ENDS[task.lang]
    )
    asked = yield from ask(task, request, lambda reply: _user_turn(reply, talk))
    if isinstance(asked, Asked):
        talk.replies.append(asked.reply)
        talk.user_prompt = asked.request.prompt
        if asked.value is None:
            talk.content = True
        else:
            talk.turns.append(Turn("user", [asked.value]))
    elif asked.rule.startswith("user_"):
        talk.end(asked.rule, asked.detail)
    else:
        talk.failure = asked


def _user_turn(reply: Reply, talk: Talk) -> str | None:
    """What the user says; None if that is the end. Raises Unreadable with the rule that the turn breaks."""
    text = OWN_LABEL.sub("", plain(reply.text).strip(), count=1) if reply.text else ""
    quoted = QUOTED.match(text)
    text = next(filter(None, quoted.groups())) if quoted else text
    if any(end in text for end in ENDS.values()) or ENDED.fullmatch(text):
        return None
    if reply.truncated:
        raise Unreadable("user_truncated", text)
    if not read_terms(text):
        raise Unreadable("user_empty", text)
    if OTHER_LABEL.search(text) or OFFERS.search(text) or speaks_as_ai(text):
        raise Unreadable("user_answers", text)
    if refuses(text):
        raise Unreadable("user_refuses", text)
    if any(same(text, turn.text) for turn in talk.turns if turn.role == "user"):
        raise Unreadable("user_repeats", text)
    answer = next((turn.text for turn in reversed(talk.turns) if turn.role == "assistant"), "")
    if len(read_terms(text)) >= TAKEN_TERMS and taken(text, answer) >= TAKEN:
        raise Unreadable("user_answers", text)
    return text


def _ask_assistant(task: Task, talk: Talk) -> Chain[None]:
    """Let the assistant answer; an answer that is not sound ends the conversation before the question."""
    request = chat(task, talk.turns, stage=ANSWER)
    (answer,) = yield [request]
    if isinstance(answer, Failure):
        talk.failure = answer
    else:
        talk.replies.append(answer)
        spoken = said(answer)
        fault = stuck(spoken.text)
        if answer.truncated:
            talk.end("answer_truncated", answer.text, "cut at its longest length; --reply-tokens allows longer ones")
        elif not spoken.text:
            talk.end("answer_empty", answer.text, "thinking and no answer" if spoken.reasoning else "")
        elif fault:
            talk.end("answer_stuck", spoken.text, fault)
        else:
            talk.turns.append(say(spoken, reasoning=task.config.reasoning == "keep"))
            talk.exchanges += 1
            talk.answered = (answer, request)
            return
    talk.turns.pop()


def _last_words(talk: Talk) -> str:
    return talk.turns[-1].text if talk.turns else ""


def _row(task: Task, talk: Talk, reply: Reply, request: Request, fault: str) -> Made:
    more: dict[str, Any] = {
        "exchanges": talk.exchanges,
        "ended": fault or ("user" if talk.content else "turns"),
        "user_model": model_name(task.config.user_model or task.config.model),
    }
    provenance = task.provenance(reply, request, **more)
    provenance["prompt"] = talk.user_prompt or provenance["prompt"]
    provenance["tokens"] = {
        "prompt": _sum([one.prompt_tokens for one in talk.replies]),
        "completion": _sum([one.completion_tokens for one in talk.replies]),
    }
    first = next(turn.text for turn in talk.turns if turn.role == "user")
    return Made(Record(talk.turns, task.record.extras), provenance, novel=first)


def _sum(counts: list[int | None]) -> int | None:
    """The sum; None where one is not known."""
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None


def stages(config: DialogueConfig) -> list[Stage]:
    """What is asked for each conversation."""
    return [Stage(USER, config.turns, 700, 60), Stage(ANSWER, config.turns, 600, 400)]


METHOD = Method(NAME, expand=expand, stages=stages, to="openai")


def dialogue(inputs: tuple[str, ...], output: str | None, config: DialogueConfig, options: RunOptions) -> Result:
    """Carry the conversations on and write them."""
    return make_rows(METHOD, inputs, output, config, options)


OPERATION = Operation(name=NAME, config=DialogueConfig, run=dialogue, options=GENERATION_OPTIONS)
