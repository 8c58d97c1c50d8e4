"""OpenAI chat: `{"messages": [{"role", "content"}, ...]}` with optional `tools`, `tool_calls`, `tool_call_id`.

Content is a text, null or a list of parts; text parts become text, other parts are kept verbatim. `weight`, `name`,
`reasoning_content`, the legacy `function_call` and role `function` are understood. Call ids that the source lacks are
made from the position (`call_0`, `call_1`), so that the same row always gets the same ids. Shape after the Chat
Completions reference and the OpenAI cookbook's data preparation checks.

CLI: `dataforge convert rows.jsonl --to openai`
"""

from __future__ import annotations

from typing import Any

from dataforge.errors import NotRepresentable, RowError, did_you_mean, shorten
from dataforge.formats.spelling import Spelling, assemble, expect_text, extras_of, tools_of, turn_path, wrap_tools
from dataforge.io import jsontext
from dataforge.record import Media, Part, Reasoning, Record, ToolCall, ToolResult, Turn

__all__ = ["COLUMNS", "EXAMPLE", "NAME", "ROLES", "RULES", "detect", "read", "write"]

NAME = "openai"
COLUMNS = ("messages",)
EXAMPLE = {
    "messages": [
        {"role": "system", "content": "You answer briefly."},
        {"role": "user", "content": "Which is the largest planet?"},
        {"role": "assistant", "content": "Jupiter."},
    ]
}
RULES = (
    "content is a text, null (beside tool_calls) or a list of parts",
    "tool_calls hold arguments as JSON text or object; a tool message names its call by tool_call_id",
    "carries: every order of roles, text, reasoning, calls, results and media",
)
ROLES = {
    "system": "system",
    "developer": "developer",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
    "function": "tool",
}
KNOWN = frozenset({"messages", "tools"})
PAIR = ("role", "content")
MESSAGE = frozenset({"role", "content", "name", "weight", "tool_calls", "tool_call_id", "function_call", "reasoning_content"})


def detect(row: dict[str, Any]) -> bool:
    """True if the row has `messages`."""
    return "messages" in row


def read(row: dict[str, Any], options: Spelling) -> Record:
    """A record from a chat row; raises RowError for unknown roles and values of the wrong type."""
    messages = row["messages"]
    if not isinstance(messages, list) or not messages:
        raise RowError("bad_messages", f"must be a list of messages, not {shorten(messages)}", path="$.messages")
    layout: dict[str, Any] = {"dialect": NAME, "keys": tuple(row)}
    turns = []
    for index, message in enumerate(messages):
        if type(message) is dict and tuple(message) == PAIR and type(message["content"]) is str:
            role = message["role"]
            if role == "user" or role == "assistant" or role == "system":
                turns.append(Turn(role, [message["content"]]))
                continue
        turns.append(_turn(message, index, layout))
    if len(row) == 1:
        return Record(turns, None, layout)
    record = Record(turns, extras_of(row, KNOWN), layout)
    if "tools" in row:
        layout["tools"] = row["tools"]
        if row["tools"]:
            record.tools = tools_of(row["tools"], "$.tools")
    return record


def _turn(message: Any, index: int, layout: dict[str, Any]) -> Turn:
    """Any message but a plain text one; the message itself goes into the layout, to be written back as it was."""
    path = f"$.messages[{index}]"
    if not isinstance(message, dict) or "role" not in message:
        raise RowError("bad_message", f"a message needs 'role' and 'content', not {shorten(message)}", path=path)
    spelled = message["role"]
    role = ROLES.get(spelled) if isinstance(spelled, str) else None
    if role is None:
        raise RowError(
            "unknown_role",
            f"{shorten(spelled)!r} is not a role of openai",
            path=f"{path}.role",
            help=did_you_mean(str(spelled), ROLES),
        )
    layout.setdefault("raw", {})[str(index)] = message
    return _parse(message, role, path)


def _parse(message: dict[str, Any], role: str, path: str) -> Turn:
    parts: list[Part] = []
    reasoning = message.get("reasoning_content")
    if reasoning is not None:
        parts.append(Reasoning(expect_text(reasoning, f"{path}.reasoning_content", "reasoning_content")))
    calls = _calls(message, path)
    if "content" not in message and not calls:
        raise RowError("no_content", "a message needs 'content' (or tool_calls)", path=path)
    content = _content(message.get("content"), path)
    if role == "tool":
        text = "".join(part for part in content if isinstance(part, str))
        if any(not isinstance(part, str) for part in content):
            raise RowError("bad_content", "a tool result must be text", path=f"{path}.content")
        identity = message.get("tool_call_id")
        content = [ToolResult(text, None if identity is None else expect_text(identity, f"{path}.tool_call_id", "tool_call_id"))]
    parts += content
    parts += calls
    name = message.get("name")
    turn = Turn(role, parts, None if name is None else expect_text(name, f"{path}.name", "name"))
    weight = message.get("weight")
    if weight is not None:
        if isinstance(weight, bool) or not isinstance(weight, int | float):
            raise RowError("bad_weight", f"weight must be a number, not {shorten(weight)}", path=f"{path}.weight")
        turn.weight = weight
    turn.extras = extras_of(message, MESSAGE)
    return turn


def _content(content: Any, path: str) -> list[Part]:
    if content is None:
        return []
    if isinstance(content, str):
        return [content]
    if not isinstance(content, list):
        raise RowError("bad_content", f"content must be a text, null or a list, not {shorten(content)}", path=f"{path}.content")
    parts: list[Part] = []
    for index, part in enumerate(content):
        if not isinstance(part, dict) or "type" not in part:
            raise RowError("bad_content", f"a part needs 'type', not {shorten(part)}", path=f"{path}.content[{index}]")
        if part["type"] == "text":
            parts.append(expect_text(part.get("text"), f"{path}.content[{index}].text", "a text part"))
        else:
            parts.append(Media(part))
    return parts


def _calls(message: dict[str, Any], path: str) -> list[Part]:
    calls: list[Part] = []
    given = message.get("tool_calls")
    if given is not None and not isinstance(given, list):
        raise RowError("bad_tool_calls", f"tool_calls must be a list, not {shorten(given)}", path=f"{path}.tool_calls")
    entries = [(call, f"{path}.tool_calls[{n}]") for n, call in enumerate(given or [])]
    if message.get("function_call") is not None:
        entries.append(({"function": message["function_call"]}, f"{path}.function_call"))
    for call, where in entries:
        function = call.get("function") if isinstance(call, dict) else None
        if not isinstance(function, dict) or not isinstance(function.get("name"), str):
            raise RowError("bad_tool_calls", f"a call needs function.name, not {shorten(call)}", path=where)
        arguments = function.get("arguments", "{}")
        text = arguments if isinstance(arguments, str) else jsontext.encode(arguments).decode()
        identity = call.get("id")
        calls.append(ToolCall(function["name"], text, identity if isinstance(identity, str) else None))
    return calls


def write(record: Record, options: Spelling) -> dict[str, Any]:
    """The chat row of a record; raises NotRepresentable for documents and unreadable calls."""
    layout = record.layout
    own = layout if layout is not None and layout["dialect"] == NAME else None
    raw = own.get("raw", {}) if own is not None else {}
    ids = _Ids()
    messages = []
    for index, turn in enumerate(record.turns):
        parts = turn.parts
        message = raw.get(str(index)) if raw else None
        if message is not None and _says(message, turn, index):
            ids.seen(turn)
        elif len(parts) == 1 and type(parts[0]) is str and turn.role in PLAIN_ROLES:
            message = {"role": turn.role, "content": parts[0]}
            _decorate(message, turn)
        else:
            message = _message(record, index, ids)
            _decorate(message, turn)
        messages.append(message)
    fields: dict[str, Any] = {"messages": messages}
    if own is not None and "tools" in own and _same_tools(own["tools"], record.tools):
        fields["tools"] = own["tools"]
    elif record.tools is not None:
        fields["tools"] = wrap_tools(record.tools)
    if own is None and not record.extras:
        return fields
    return assemble(fields, own["keys"] if own is not None else None, record.extras, NAME)


PLAIN_ROLES = frozenset(("user", "assistant", "system", "developer"))


def _same_tools(raw: Any, tools: list[Any] | None) -> bool:
    return tools is None if not raw else tools_of(raw, "$.tools") == tools


def _says(message: dict[str, Any], turn: Turn, index: int) -> bool:
    """True if the source's message still reads as this turn."""
    role = ROLES[message["role"]]
    return role == turn.role and _parse(message, role, f"$.messages[{index}]") == turn


def _decorate(message: dict[str, Any], turn: Turn) -> None:
    if turn.name is not None:
        message["name"] = turn.name
    if turn.weight is not None:
        message["weight"] = turn.weight
    if turn.extras:
        clash = turn.extras.keys() & (MESSAGE | message.keys())
        if clash:
            raise NotRepresentable(NAME, f"the extra key {min(clash)!r} of a turn, which has a meaning of its own there")
        message.update(turn.extras)


class _Ids:
    """Ids for calls that have none, by position; results take the ids of the calls before them, in order."""

    def __init__(self) -> None:
        self.count = 0
        self.open: list[str] = []

    def call(self, call: ToolCall) -> str:
        identity = call.id if call.id is not None else f"call_{self.count}"
        self.count += 1
        self.open.append(identity)
        return identity

    def result(self, result: ToolResult) -> str | None:
        if result.call_id is not None:
            if result.call_id in self.open:
                self.open.remove(result.call_id)
            return result.call_id
        return self.open.pop(0) if self.open else None

    def seen(self, turn: Turn) -> None:
        for part in turn.parts:
            if isinstance(part, ToolCall):
                self.call(part)
            elif isinstance(part, ToolResult):
                self.result(part)


def _message(record: Record, index: int, ids: _Ids) -> dict[str, Any]:
    """The message of a turn that is more than one text."""
    turn = record.turns[index]
    path = turn_path(record, index)
    if turn.role not in ROLES:
        raise NotRepresentable(NAME, "a document without speakers", path=path)
    message: dict[str, Any] = {"role": turn.role, "content": None}
    if turn.role == "tool":
        return _result(turn, message, ids, path)
    reasoning = [part.text for part in turn.parts if isinstance(part, Reasoning)]
    if len(reasoning) > 1:
        raise NotRepresentable(NAME, "several reasoning parts in one turn", path=path)
    if reasoning:
        message["reasoning_content"] = reasoning[0]
    body = [part for part in turn.parts if isinstance(part, str | Media)]
    if len(body) == 1 and isinstance(body[0], str):
        message["content"] = body[0]
    elif body:
        message["content"] = [{"type": "text", "text": part} if isinstance(part, str) else part.value for part in body]
    calls = [part for part in turn.parts if isinstance(part, ToolCall)]
    if any(call.name is None for call in calls):
        raise NotRepresentable(NAME, "a tool call that is no JSON with a name", path=path)
    if calls:
        message["tool_calls"] = [
            {"id": ids.call(call), "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in calls
        ]
    if len(reasoning) + len(body) + len(calls) != len(turn.parts):
        raise NotRepresentable(NAME, f"a tool result in a {turn.role} turn", path=path)
    return message


def _result(turn: Turn, message: dict[str, Any], ids: _Ids, path: str) -> dict[str, Any]:
    if len(turn.parts) != 1 or not isinstance(turn.parts[0], ToolResult):
        raise NotRepresentable(NAME, "a tool turn that is not one result", path=path)
    identity = ids.result(turn.parts[0])
    if identity is not None:
        message["tool_call_id"] = identity
    message["content"] = turn.parts[0].content
    return message
