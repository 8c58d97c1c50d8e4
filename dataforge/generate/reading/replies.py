r"""What a model's reply says: thinking and wrapping taken off, lists taken apart, fields found, JSON read.

Chat models wrap what they were asked for: `<think>` blocks, "Sure! Here are ...", code fences, bold numbers, "Let me
know ...". These functions take that off, and nothing that could be content. What they cannot read soundly they refuse
with `Unreadable`, so that the chain asks again. A reply that was cut loses its half item: half an item is never made
to look whole.

Reads and writes nothing. Cost: linear in the reply, about 0.1 ms for 1,000 characters (JSON in jsonreply.py).
Python: `numbered("Sure!\n9. 泡茶的步骤\n10) Name a river.")` gives `["泡茶的步骤", "Name a river."]`
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from dataforge.generate.reading.jsonreply import json_reply
from dataforge.generate.reading.listreply import numbered
from dataforge.generate.reading.wrapping import Unreadable, fenced, plain

__all__ = ["PARTS", "Unreadable", "fields", "json_reply", "numbered", "plain"]

PARTS: dict[str, tuple[str, ...]] = {
    "instruction": ("Instruction", "Task", "指令", "任务", "指示"),
    "input": ("Input", "输入"),
    "output": ("Output", "Response", "Answer", "输出", "回答", "回复", "答案"),
}
"""The marks of rows with an instruction, an input and an output, in both languages."""


def fields(text: str, marks: Mapping[str, Iterable[str]] = PARTS, *, ordered: bool = True) -> dict[str, str]:
    """Cut a text into parts by marks at line starts: `Instruction: ...`, `输入：...`, `**Output:** ...`, `### Output`.

    marks: name of a part -> words that begin it (upper and lower case alike). A mark needs a colon of either width,
    except as a heading or in bold on a line of its own; a list number may stand before it, another after its word
    (`1. Input:`, `Output 1:`). ordered: parts come in the order of `marks`, so that "Input:" inside of an output is
    part of it. A mark that comes again belongs to the text of its part. Marks in code fences do not count.
    Returns name -> text, stripped, in the order met; parts without a mark are left out, text before the first is "".
    """
    names = list(marks)
    words = {word.casefold(): name for name, own in marks.items() for word in own}
    if not words:
        return {"": text.strip()}
    mark = _mark(words)
    parts: dict[str, list[str]] = {"": []}
    current = ""
    lines = []
    for line in text.replace("\r\n", "\n").split("\n"):
        found = mark.match(line)
        opens = found is not None and line.startswith(("```", "~~~"), found.end())
        lines += [line[: found.end()], line[found.end() :]] if found and opens else [line]
    for line, inside in zip(lines, fenced(lines), strict=True):
        found = None if inside else mark.match(line)
        name = words[found["word"].casefold()] if found else ""
        late = ordered and current and name and names.index(name) < names.index(current)
        if found and name not in parts and not late and _counts(found):
            current = name
            parts[name] = [_after(found, line)]
        else:
            parts[current].append(line)
    if not "".join(parts[""]).strip():
        del parts[""]
    return {name: "\n".join(lines).strip() for name, lines in parts.items()}


def _mark(words: Iterable[str]) -> re.Pattern[str]:
    choice = "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))
    return re.compile(
        rf"[ \t]*(?:[-*•][ \t]+)?(?:\d+[.)、．][ \t]*)?(?P<head>#+[ \t]*)?(?P<bold>\*\*|__)?[ \t]*[【\[]?"
        rf"(?P<word>{choice})[ \t]*\d*[】\]]?[ \t]*(?P<end>\*\*|__)?[ \t]*(?P<colon>[:：])?[ \t]*"
        r"(?(bold)(?P<late>\*\*|__)?)",
        re.IGNORECASE,
    )


def _counts(found: re.Match[str]) -> bool:
    """True if the match is a mark and no word that happens to begin a line."""
    if found["colon"]:
        return True
    heading = bool(found["head"] or (found["bold"] and found["end"]))
    return heading and not found.string[found.end() :].strip()


def _after(found: re.Match[str], line: str) -> str:
    """What follows a mark on its line; bold that began before the mark and goes on ends where it closes."""
    rest = line[found.end() :]
    opened = bool(found["bold"]) and not found["end"] and not found["late"]
    return rest.replace(found["bold"], "", 1) if opened else rest
