r"""Whole tasks (instruction, input and output) read from one reply: in marked lines, or as JSON.

Marks of both languages, colons of both widths, bold, headings and numbers are read; `###` between tasks may be missing.

Python: `marked_items("4. Instruction: Name a tea.\n4. Input:\n<noinput>\n4. Output:\nSencha")`
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from dataforge.generate.reading.replies import Unreadable, fields, json_reply
from dataforge.generate.selfinstruct.instances import given_of

__all__ = ["Item", "json_items", "marked_items"]

BEGINNINGS = tuple(
    re.compile(
        rf"^[ \t]*(?:[#>*_\-]+[ \t]*)*(?:\d{{1,4}}[ \t]*[.、)）:：][ \t]*)?"
        rf"[#*_\[【]*[ \t]*(?:{words})[ \t]*\d*[*_\]】]*[ \t]*[:：]",
        re.IGNORECASE | re.MULTILINE,
    )
    for words in ("Instruction|指令", "Task|任务")
)
"""Where a task begins; the second counts only in replies without the first."""
END = re.compile(r"(?:\s*^[ \t]*(?:#{2,}|-{3,}|\*{3,})[ \t]*(?:\d{1,4}[.、)）]?)?[ \t]*$)+\s*\Z", re.MULTILINE)


PARTS = ("instruction", "input", "output")
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "tasks": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {part: {"type": "string"} for part in PARTS},
                "required": [*PARTS],
            },
        }
    },
    "required": ["tasks"],
}
"""What a JSON reply must be, whatever schema the prompt file asks the server for."""
BOLD_NUMBER = re.compile(r"^[ \t]*(\*\*|__)(\d{1,4}[.、)）])[ \t]*", re.MULTILINE)


class Item(NamedTuple):
    """A task as it stood in a reply. raw: its text, where it lacks an instruction or an output; else ""."""

    instruction: str
    input: str = ""
    output: str = ""
    raw: str = ""


def marked_items(text: str) -> list[Item]:
    """The tasks of a reply in marked lines; Unreadable if there is none."""
    starts = next((found for mark in BEGINNINGS if (found := [m.start() for m in mark.finditer(text)])), [])
    if not starts:
        raise Unreadable("no_task", f"no task in the reply: {text.strip()[:80]!r}")
    return [_item(text[start:end]) for start, end in zip(starts, [*starts[1:], len(text)], strict=True)]


def _item(text: str) -> Item:
    parts = fields(BOLD_NUMBER.sub(r"\2 \1", END.sub("", text)))
    if not parts.get("instruction") or "output" not in parts:
        return Item("", raw=text.strip())
    return Item(parts["instruction"], given_of(parts.get("input", "")), parts["output"])


def json_items(text: str) -> list[Item]:
    """The tasks of a reply in JSON, `{"tasks": [...]}`; Unreadable if it is none."""
    value = json_reply(text, SCHEMA)
    return [Item(one["instruction"].strip(), given_of(one["input"]), one["output"].strip()) for one in value["tasks"]]
