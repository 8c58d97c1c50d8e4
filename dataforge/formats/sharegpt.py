"""ShareGPT: `{"conversations": [{"from", "value"}, ...]}` with optional `system` and `tools`.

Roles: human, user -> user; gpt, assistant, chatgpt, bard, bing, model -> assistant; system; function_call (an assistant
turn of tool calls, as JSON text); observation, tool, function_response -> tool. The spelling met is kept. Shape after
FastChat (Vicuna); `system`, `tools`, function_call and observation as LLaMA-Factory's data/README.md has them.

CLI: `dataforge convert rows.jsonl --to sharegpt`
"""

from __future__ import annotations

from typing import Any

from dataforge.errors import NotRepresentable, RowError, did_you_mean, shorten
from dataforge.formats.spelling import (
    Spelling,
    assemble,
    calls_of,
    calls_text,
    expect_text,
    extras_of,
    text_of,
    tools_of,
    turn_path,
)
from dataforge.io import jsontext
from dataforge.record import Part, Record, ToolCall, ToolResult, Turn

__all__ = ["COLUMNS", "EXAMPLE", "NAME", "ROLES", "RULES", "detect", "read", "write"]

NAME = "sharegpt"
COLUMNS = ("conversations",)
EXAMPLE = {
    "conversations": [
        {"from": "human", "value": "你好！"},
        {"from": "gpt", "value": "你好，有什么可以帮你？"},
    ]
}
RULES = (
    "a function_call turn holds {\"name\", \"arguments\"} (or a list of them) as JSON text",
    "tools is a JSON text; a system turn may be a column or the first turn",
    "carries: every order of roles; text, tool calls and tool results, one kind in a turn",
)
ROLES = {
    "human": "user",
    "gpt": "assistant",
    "system": "system",
    "function_call": "assistant",
    "observation": "tool",
    "user": "user",
    "assistant": "assistant",
    "chatgpt": "assistant",
    "bard": "assistant",
    "bing": "assistant",
    "model": "assistant",
    "tool": "tool",
    "function_response": "tool",
}
SPELLED = {"user": "human", "assistant": "gpt", "system": "system", "tool": "observation"}
CANONICAL = frozenset(("human", "gpt", "system", "function_call", "observation"))
KNOWN = frozenset({"conversations", "system", "tools"})
PAIR = ("from", "value")


def detect(row: dict[str, Any]) -> bool:
    """True if the row has `conversations`."""
    return "conversations" in row


def read(row: dict[str, Any], options: Spelling) -> Record:
    """A record from a ShareGPT row; raises RowError for unknown roles and values of the wrong type."""
    conversations = row["conversations"]
    if not isinstance(conversations, list) or not conversations:
        raise RowError(
            "bad_conversations", f"must be a list of turns, not {shorten(conversations)}", path="$.conversations"
        )
    layout: dict[str, Any] = {"dialect": NAME, "keys": tuple(row)}
    turns: list[Turn] = []
    if row.get("system"):
        layout["system"] = "column"
        turns.append(Turn("system", [expect_text(row["system"], "$.system", "system")]))
    for index, entry in enumerate(conversations):
        if type(entry) is dict and len(entry) == 2 and type(entry.get("value")) is str:
            spelled = entry.get("from")
            if spelled == "human":
                turns.append(Turn("user", [entry["value"]]))
                continue
            if spelled == "gpt":
                turns.append(Turn("assistant", [entry["value"]]))
                continue
        turns.append(_turn(entry, index, layout))
    if len(row) == 1:
        return Record(turns, None, layout)
    record = Record(turns, extras_of(row, KNOWN), layout)
    blank = {key: row[key] for key in ("system", "tools") if key in row and not row[key]}
    if blank:
        layout["blank"] = blank
    if row.get("tools"):
        record.tools = tools_of(row["tools"], "$.tools")
        layout["tools"] = row["tools"]
    return record


def _turn(entry: Any, index: int, layout: dict[str, Any]) -> Turn:
    """Any turn but the plain human and gpt ones; its spelling goes into the layout."""
    path = f"$.conversations[{index}]"
    if not isinstance(entry, dict) or "from" not in entry or "value" not in entry:
        raise RowError("bad_turn", f"a turn needs 'from' and 'value', not {shorten(entry)}", path=path)
    spelled = entry["from"]
    role = ROLES.get(spelled) if isinstance(spelled, str) else None
    if role is None:
        raise RowError(
            "unknown_role",
            f"{shorten(spelled)!r} is not a role of sharegpt",
            path=f"{path}.from",
            help=did_you_mean(str(spelled), ROLES),
        )
    value = expect_text(entry["value"], f"{path}.value", "value")
    parts: list[Part]
    if spelled == "function_call":
        parts = list(calls_of(value))
        layout.setdefault("calls", {})[str(index)] = value
    else:
        parts = [ToolResult(value)] if role == "tool" else [value]
    turn = Turn(role, parts)
    keys = tuple(entry)
    if keys != PAIR or spelled not in CANONICAL:
        layout.setdefault("turns", {})[str(index)] = {"from": spelled, "keys": keys}
    if len(keys) > 2:
        weight = entry.get("weight")
        if isinstance(weight, int | float) and not isinstance(weight, bool):
            turn.weight = weight
        turn.extras = extras_of(entry, PAIR if turn.weight is None else (*PAIR, "weight"))
    return turn


def write(record: Record, options: Spelling) -> dict[str, Any]:
    """The ShareGPT row of a record; raises NotRepresentable for parts and mixtures of parts it has no place for."""
    turns = record.turns
    layout = record.layout
    if layout is None or layout["dialect"] != NAME:
        conversations = []
        for index, turn in enumerate(turns):
            parts = turn.parts
            bare = turn.weight is None and turn.name is None and turn.extras is None
            if bare and len(parts) == 1 and type(parts[0]) is str and turn.role in SPELLED:
                conversations.append({"from": SPELLED[turn.role], "value": parts[0]})
            else:
                conversations.append(_plain(record, index))
        fields: dict[str, Any] = {"conversations": conversations}
        if record.tools is not None:
            fields["tools"] = jsontext.encode(record.tools).decode()
        return assemble(fields, None, record.extras, NAME) if record.extras else fields
    return _as_spelled(record, layout)


def _as_spelled(record: Record, layout: dict[str, Any]) -> dict[str, Any]:
    """The row in its source's spelling, as far as the record still says the same."""
    column = layout.get("system") == "column" and bool(record.turns) and record.turns[0].role == "system"
    first = 1 if column else 0
    spelled = layout.get("turns", {})
    conversations = []
    for index in range(first, len(record.turns)):
        entry = _plain(record, index)
        number = str(index - first)
        if "calls" in layout and number in layout["calls"] and calls_of(layout["calls"][number]) == record.turns[index].parts:
            entry["value"] = layout["calls"][number]
        if number in spelled:
            how = spelled[number]
            if ROLES[how["from"]] == record.turns[index].role:
                entry["from"] = how["from"]
            entry = assemble(entry, how["keys"], None, NAME)
        conversations.append(entry)
    fields: dict[str, Any] = dict(layout.get("blank", {}))
    fields["conversations"] = conversations
    if column:
        fields["system"] = text_of(record, 0, NAME)
    if record.tools is not None:
        raw = layout.get("tools")
        kept = raw is not None and tools_of(raw, "$.tools") == record.tools
        fields["tools"] = raw if kept else jsontext.encode(record.tools).decode()
    return assemble(fields, layout["keys"], record.extras, NAME)


def _plain(record: Record, index: int) -> dict[str, Any]:
    """One turn in the canonical spelling."""
    turn = record.turns[index]
    parts = turn.parts
    role = SPELLED.get(turn.role)
    if role is None:
        what = "a document without speakers" if turn.role == "document" else f"{turn.role} turns"
        raise NotRepresentable(NAME, what, path=turn_path(record, index))
    if len(parts) == 1 and type(parts[0]) is str:
        entry: dict[str, Any] = {"from": role, "value": parts[0]}
    else:
        entry = _tool_turn(record, index)
    if turn.weight is not None:
        entry["weight"] = turn.weight
    if turn.name is not None:
        raise NotRepresentable(NAME, "the name of a turn", path=turn_path(record, index))
    if turn.extras:
        entry = assemble(entry, None, turn.extras, NAME)
    return entry


def _tool_turn(record: Record, index: int) -> dict[str, Any]:
    turn = record.turns[index]
    calls = [part for part in turn.parts if isinstance(part, ToolCall)]
    if calls and len(calls) == len(turn.parts):
        return {"from": "function_call", "value": calls_text(calls)}
    if len(turn.parts) == 1 and isinstance(turn.parts[0], ToolResult):
        return {"from": "observation", "value": turn.parts[0].content}
    return {"from": SPELLED[turn.role], "value": text_of(record, index, NAME)}
