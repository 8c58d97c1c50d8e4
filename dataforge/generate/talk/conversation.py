"""Rows as chats: what of a row is asked, how it is put to a model, and what its reply says.

Reads and writes nothing. Cost: a few microseconds a row.

Python: `request = chat(task, opening(task.record), stage="answers/answer", max_tokens=512)`
"""

from __future__ import annotations

import os
import re
from typing import NamedTuple

from dataforge.errors import RowError
from dataforge.generate.reading.wrapping import without_thinking
from dataforge.generate.task import Task
from dataforge.llm.address import parse_spec
from dataforge.llm.request import Message, Reply, Request, message
from dataforge.ops.rowtext import prompt_turns
from dataforge.record import Part, Reasoning, Record, Turn
from dataforge.shards.messages import messages_of

__all__ = ["LONGEST_ANSWER", "Said", "chat", "messages", "model_name", "opening", "say", "said", "with_system"]

LONGEST_ANSWER = 2048
"""Tokens of an answer unless --reply-tokens says otherwise: few answers are longer, and those are seen to be cut."""
THOUGHT = re.compile(r"<(?:seed:)?think(?:ing)?>(.*?)(?:</(?:seed:)?think(?:ing)?>|\Z)", re.DOTALL)
ENDED_THOUGHT = re.compile(r"\A(.*?)</(?:seed:)?think(?:ing)?>", re.DOTALL)
"""Templates that open the thinking in the prompt leave only its end in the reply."""
ROLES = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}


class Said(NamedTuple):
    """A reply taken apart: the answer, and the thinking before it ("" where there is none); no blanks around them."""

    text: str
    reasoning: str


def opening(record: Record, *, answered: bool = False) -> list[Turn]:
    """The turns of a row that are put to a model: those before its last answer, or all of them if `answered`.

    A conversation that ends with the user's turn waits for its answer, and is put as a whole too.
    Raises RowError for what a chat of texts cannot carry (tools, media), and for a row without a question.
    """
    if record.is_document:
        raise RowError(
            "not_a_conversation", "a document asks nothing", help="`grounded` and `back` make rows of documents"
        )
    waiting = bool(record.turns) and record.turns[-1].role == "user"
    turns = record.turns[:] if answered or waiting else prompt_turns(record)
    messages(Record(turns, extras=record.extras, tools=record.tools))
    asked = [turn for turn in turns if turn.role not in ("system", "developer")]
    if not asked or (not answered and asked[-1].role != "user"):
        raise RowError("no_question", "no turn of the user stands before the answer")
    if not any(turn.text.strip() for turn in asked if turn.role == "user"):
        raise RowError("empty_question", "what the user says is empty")
    return turns


def messages(record: Record) -> tuple[Message, ...]:
    """The chat that says what a record says; RowError for tools and media.

    Reasoning of earlier turns is left out, as chat templates do. A developer's turn is a system message: few servers
    know the other name.
    """
    if record.tools:
        raise RowError("has_tools", "the row offers tools, which a chat of texts does not carry", path="$.tools")
    try:
        found = messages_of(record)[0]
    except RowError as fault:
        if fault.rule == "has_media":  # there it is told of shards
            fault.message = "the row holds images, audio or video, which a chat of texts does not carry"
        raise
    chat = []
    for one in found:
        if one["role"] not in ROLES or "tool_calls" in one:
            raise RowError("has_tools", "the row holds calls or results of tools, which a chat of texts does not carry")
        chat.append(message(ROLES[one["role"]], one["content"]))
    return tuple(chat)


def with_system(turns: list[Turn], system: str | None) -> list[Turn]:
    """The turns with this system text in place of their own; None leaves them as they are, "" takes theirs away."""
    if system is None:
        return turns
    rest = [turn for turn in turns if turn.role not in ("system", "developer")]
    return [Turn("system", [system]), *rest] if system else rest


def chat(
    task: Task,
    turns: list[Turn],
    *,
    stage: str,
    sample: int = 0,
    model: str = "",
    temperature: float | None = None,
    max_tokens: int = LONGEST_ANSWER,
) -> Request:
    """The request that puts the turns themselves to a model; the user's own settings come before these."""
    config = task.config
    return Request(
        messages(Record(turns)),
        model=model,
        max_tokens=max_tokens if config.reply_tokens is None else config.reply_tokens,
        temperature=temperature if config.temperature is None else config.temperature,
        top_p=config.top_p,
        sample=sample,
        stage=stage,
        prompt="row",
    )


def said(reply: Reply) -> Said:
    """What a reply says, its thinking apart: as the server sends it, or between <think> marks in the text."""
    answer = without_thinking(reply.text).strip()
    thoughts = [reply.reasoning]
    if answer != reply.text.strip():
        thoughts += THOUGHT.findall(reply.text) or ENDED_THOUGHT.findall(reply.text)
    return Said(answer, "\n\n".join(filter(None, map(str.strip, thoughts))))


def say(answer: Said, *, reasoning: bool = True) -> Turn:
    """The assistant's turn, with its reasoning as a part of its own unless that is not wanted."""
    parts: list[Part] = [Reasoning(answer.reasoning)] if reasoning and answer.reasoning else []
    return Turn("assistant", [*parts, answer.text])


def model_name(spec: str) -> str:
    """How a row names a model: without the address of its server, and without the folders above its own."""
    parsed = parse_spec(spec)
    return os.path.basename(os.path.normpath(parsed.folder)) if parsed.folder else parsed.name
