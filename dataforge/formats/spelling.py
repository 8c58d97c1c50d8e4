"""What dialects share: key order, extras, tool calls as text, and the place of a turn in its source row.

A dialect is a module with `NAME`, `EXAMPLE`, `RULES`, `detect(row)`, `read(row, options)` and `write(record, options)`.
`read` raises RowError for a row that is not of the dialect; `write` raises NotRepresentable for what it cannot carry.
Layouts are plain JSON values. Where a source spelled something in a way the record does not keep (the white space of a
tool call's JSON, content as a list), the layout keeps the source value, and `write` uses it if it still reads as the
record says: an edited record is never overruled by its old spelling.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import orjson

from dataforge.errors import NotRepresentable, RowError, shorten
from dataforge.io import jsontext
from dataforge.record import Record, ToolCall, Turn

__all__ = [
    "Spelling",
    "assemble",
    "calls_of",
    "calls_text",
    "expect_text",
    "extras_of",
    "same_json",
    "text_of",
    "tools_of",
    "turn_path",
    "wrap_tools",
]

LISTS = {"sharegpt": "conversations", "openai": "messages"}


@dataclass(frozen=True)
class Spelling:
    """Choices of spelling. joiner: what stands between an alpaca instruction and its input."""

    joiner: str = "\n"


def expect_text(value: Any, path: str, what: str) -> str:
    """The value if it is a text; RowError otherwise."""
    if type(value) is str:
        return value
    kind = "null" if value is None else type(value).__name__
    raise RowError("not_text", f"{what} must be a text, not {kind} {shorten(value)}", path=path)


def extras_of(row: dict[str, Any], known: Iterable[str]) -> dict[str, Any] | None:
    """The keys of a row that its dialect does not know, verbatim and in order; None if there are none."""
    extras = {key: value for key, value in row.items() if key not in known}
    return extras or None


def assemble(fields: dict[str, Any], keys: Iterable[str] | None, extras: dict[str, Any] | None, dialect: str) -> dict[str, Any]:
    """A row from its fields and extras, in the order of `keys` (the source's order), or fields first."""
    if extras:
        clash = fields.keys() & extras.keys()
        if clash:
            raise NotRepresentable(dialect, f"the extra key {min(clash)!r}, which has a meaning of its own there")
        fields = {**fields, **extras}
    if keys is None:
        return fields
    ordered = {key: fields[key] for key in keys if key in fields}
    if len(ordered) != len(fields):
        ordered.update(fields)
    return ordered


def turn_path(record: Record, index: int) -> str:
    """The JSON path of a turn in the row the record was read from."""
    layout = record.layout or {}
    name = LISTS.get(layout.get("dialect", ""))
    if name is None:
        return f"$.turns[{index}]"
    offset = 1 if layout.get("system") == "column" else 0
    return f"$.{name}[{index - offset}]" if index >= offset else "$.system"


def text_of(record: Record, index: int, dialect: str) -> str:
    """The text of a turn that holds text alone; NotRepresentable otherwise."""
    turn = record.turns[index]
    parts = turn.parts
    if len(parts) == 1 and type(parts[0]) is str:
        return parts[0]
    kinds = {"str": "text"}
    found = " + ".join(kinds.get(type(part).__name__, type(part).__name__) for part in parts) or "no content"
    raise NotRepresentable(dialect, f"{turn.role} turn with {found}", path=turn_path(record, index))


def same_json(one: str, other: str) -> bool:
    """True if two texts are the same, or hold the same JSON value."""
    if one == other:
        return True
    try:
        return bool(orjson.loads(one) == orjson.loads(other))
    except orjson.JSONDecodeError:
        return False


def calls_of(text: str) -> list[ToolCall]:
    """The tool calls in a JSON text `{"name", "arguments"}` or a list of such; a call without a name if it is none."""
    unreadable = [ToolCall(None, text)]
    try:
        value = jsontext.decode(text.encode())
    except (ValueError, UnicodeEncodeError):
        return unreadable
    calls = []
    for item in value if isinstance(value, list) else [value]:
        if not isinstance(item, dict) or not isinstance(item.get("name"), str) or item.keys() - {"name", "arguments"}:
            return unreadable
        arguments = item.get("arguments", {})
        calls.append(ToolCall(item["name"], arguments if isinstance(arguments, str) else jsontext.encode(arguments).decode()))
    return calls or unreadable


def calls_text(calls: list[ToolCall]) -> str:
    """Tool calls as the JSON text that ShareGPT rows hold: one object, or a list of several."""
    if len(calls) == 1 and calls[0].name is None:
        return calls[0].arguments
    values = [{"name": call.name, "arguments": _json_or_text(call.arguments)} for call in calls]
    return jsontext.encode(values if len(values) > 1 else values[0]).decode()


def _json_or_text(text: str) -> Any:
    try:
        value = jsontext.decode(text.encode())
    except (ValueError, UnicodeEncodeError):
        return text
    return value if isinstance(value, dict) else text


def tools_of(value: Any, path: str) -> list[Any] | None:
    """Function specifications from a list, an object or their JSON text; each without its `type: function` wrapper."""
    if isinstance(value, str):
        try:
            value = jsontext.decode(value.encode())
        except (ValueError, UnicodeEncodeError) as fault:
            raise RowError("bad_tools", f"tools is a text that is no JSON: {fault}", path=path) from None
    if isinstance(value, dict):
        value = [value]
    if not isinstance(value, list):
        raise RowError("bad_tools", f"tools must be a list, not {shorten(value)}", path=path)
    return [
        item["function"] if isinstance(item, dict) and item.keys() == {"type", "function"} and item["type"] == "function" else item
        for item in value
    ]


def wrap_tools(tools: list[Any]) -> list[Any]:
    """Function specifications as OpenAI writes them, each in `{"type": "function", "function": ...}`."""
    return [
        {"type": "function", "function": item} if isinstance(item, dict) and "name" in item else item for item in tools
    ]


def expect_plain(turn: Turn, record: Record, index: int, dialect: str) -> None:
    """NotRepresentable if a turn has a name, a weight or unknown keys, for which flat dialects have no place."""
    for what, value in (("name", turn.name), ("weight", turn.weight), ("extra keys", turn.extras)):
        if value is not None:
            raise NotRepresentable(dialect, f"{what} of a turn", path=turn_path(record, index))
