"""The record: one conversation or document, with what is needed to write its row back exactly.

Reads and writes nothing itself; dialects in `dataforge.formats` make records and spell them.
A text part is a plain `str`, so that the common row (two turns of text) costs three small objects.

Python: `Record([Turn("user", ["hi"]), Turn("assistant", ["hello"])])`
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import orjson
from xxhash import xxh3_128_digest

__all__ = ["ROLES", "Candidate", "Media", "Part", "Reasoning", "Record", "ToolCall", "ToolResult", "Turn", "record_id"]

ROLES = ("system", "developer", "user", "assistant", "tool", "document")
"""Roles of a turn. `document` is a text without a speaker (continued pre-training), alone in its record."""


@dataclass(slots=True)
class Reasoning:
    """Thinking of the assistant, apart from its answer."""

    text: str


@dataclass(slots=True)
class ToolCall:
    """A call of a tool by the assistant.

    `arguments` is JSON text, compared by value; `name` is None where the source held no readable call
    (then `arguments` is its text, and only the dialect it came from can carry it).
    """

    name: str | None
    arguments: str
    id: str | None = None


@dataclass(slots=True)
class ToolResult:
    """What a tool answered; `call_id` names the call where the dialect has ids."""

    content: str
    call_id: str | None = None


@dataclass(slots=True)
class Media:
    """A part that is no text (image, audio, video), kept verbatim as the JSON value of its source."""

    value: Any


Part = str | Reasoning | ToolCall | ToolResult | Media


@dataclass(slots=True)
class Turn:
    """One turn: a role and its ordered parts; `weight` 0 keeps it out of the loss; `extras` are unknown keys, verbatim."""

    role: str
    parts: list[Part]
    name: str | None = None
    weight: float | None = None
    extras: dict[str, Any] | None = None

    @property
    def text(self) -> str:
        """The text parts, joined without a separator."""
        parts = self.parts
        if len(parts) == 1 and type(parts[0]) is str:
            return parts[0]
        return "".join(part for part in parts if isinstance(part, str))


@dataclass(slots=True)
class Candidate:
    """One of several answers to the record's turns, with what is known about its quality."""

    turns: list[Turn]
    score: float | None = None
    rank: int | None = None
    label: str | None = None
    model: str | None = None


@dataclass(slots=True)
class Record:
    """A row in memory.

    turns: the conversation, or one `document` turn.
    extras: unknown keys of the row, ordered and verbatim (media lists too).
    layout: how the source spelled the row (JSON-able; `layout["dialect"]` names who can read it); None for new rows.
    tools: function specifications (parsed), or None.
    candidates: answers to choose from (preference data); None for ordinary rows.
    label, weight: verdict and loss weight of the row where the dialect has them.
    parents: ids of the records this one was made from.
    """

    turns: list[Turn]
    extras: dict[str, Any] | None = None
    layout: dict[str, Any] | None = None
    tools: list[Any] | None = None
    candidates: list[Candidate] | None = None
    label: bool | str | None = None
    weight: float | None = None
    parents: tuple[str, ...] = ()

    @property
    def is_document(self) -> bool:
        """True for a text without speakers."""
        return len(self.turns) == 1 and self.turns[0].role == "document"


def _value(text: str) -> Any:
    """The JSON value of `text`, or the text itself where it is no JSON."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text


def _part(part: Part, calls: dict[str, int], answered: list[int]) -> Any:
    if isinstance(part, str):
        return part
    if isinstance(part, Reasoning):
        return {"reasoning": part.text}
    if isinstance(part, Media):
        return {"media": part.value}
    if isinstance(part, ToolCall):
        if part.id is not None:
            calls[part.id] = len(calls)
        return {"call": part.name, "arguments": _value(part.arguments)}
    expected = answered[0]
    answered[0] += 1
    index = calls.get(part.call_id, expected) if part.call_id is not None else expected
    return {"result": part.content} if index == expected else {"result": part.content, "of": index}


def _turns(turns: list[Turn]) -> list[Any]:
    calls: dict[str, int] = {}
    answered = [0]
    out: list[Any] = []
    for turn in turns:
        entry: list[Any] = [turn.role, [_part(part, calls, answered) for part in turn.parts]]
        if turn.name is not None:
            entry.append(turn.name)
        out.append(entry)
    return out


def _content(record: Record) -> Any:
    """The record's content in one canonical JSON value: no layout, source, dialect, call ids or unknown keys.

    Text-only conversations are a flat list `[role, text, role, text]`; all others an object. Call ids differ between
    dialects, so a result names its call by position, and only where that is not the natural one.
    """
    if record.tools is None and record.candidates is None and record.label is None:
        flat: list[str] = []
        for turn in record.turns:
            parts = turn.parts
            if turn.name is not None or len(parts) != 1 or type(parts[0]) is not str:
                break
            flat.append(turn.role)
            flat.append(parts[0])
        else:
            return flat
    content: dict[str, Any] = {"turns": _turns(record.turns)}
    if record.tools is not None:
        content["tools"] = record.tools
    if record.candidates is not None:
        content["candidates"] = [
            [_turns(c.turns), c.score, c.rank, c.label, c.model] for c in record.candidates
        ]
    if record.label is not None:
        content["label"] = record.label
    return content


def record_id(record: Record) -> bytes:
    """The 16-byte content hash of a record (xxh3-128 of its canonical content): the same in every dialect."""
    content = _content(record)
    try:
        return xxh3_128_digest(orjson.dumps(content))
    except TypeError:
        # Lone surrogates and integers beyond 64 bits have no orjson form; escaped ASCII JSON is as unambiguous.
        return xxh3_128_digest(json.dumps(content, ensure_ascii=True, default=_fragment).encode())


def _fragment(value: Any) -> Any:
    if isinstance(value, orjson.Fragment):
        contents = value.contents
        return {"number": contents.decode() if isinstance(contents, bytes) else contents}
    raise TypeError(f"no canonical form for {type(value).__name__}")
