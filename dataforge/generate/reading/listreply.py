r"""Numbered lists as models write them, taken apart into their items.

Markers at line starts: `9.` `9)` `9、` `９．` `(9)` `（9）` `[9]` `9:` `#9` `⑨` `九、` `第9条` `Task 9:` `任务9：`,
bold (`**9.** ...`, `**9. ...**`) or as headings (`### 9. ...`). Where there is no number, `-`, `*`, `•`.

An item begins where the count goes on: after 9 only 10 can. A number that does not go on belongs to the item's text,
and so do deeper indented lists, lists within an item that begin anew at 1, and what stands in a code fence.

Python: `numbered("Sure! Here are two:\n1. Brew tea.\n2. 泡茶。")` gives `["Brew tea.", "泡茶。"]`
"""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

from dataforge.generate.reading.wrapping import fenced, without_thinking

__all__ = ["numbered"]

NOUN = r"(?:task|instruction|question|problem|prompt|item|example|任务|指令|问题|题目|例子|示例|例)"
DIGITS = r"(?:[0-9０-９]{1,6})"
HAN = r"(?:[一二两三四五六七八九十]{1,3})"
MARKER = re.compile(
    rf"(?P<indent>[ \t]*)(?:\#{{1,6}}[ \t]+)?(?:[-*•][ \t]+)?(?P<bold>\*\*|__)?[ \t]*(?:"
    rf"(?P<circled>[①-⑳])[ \t]*[.、．:：]?"
    rf"|[(（\[【](?P<inner>{DIGITS})[)）\]】][ \t]*[.、．:：]?"
    rf"|[(（](?P<inner_han>{HAN})[)）][ \t]*[.、．:：]?"
    rf"|第[ \t]*(?P<nth>{DIGITS}|{HAN})[ \t]*[条个题项道则][ \t]*(?:{NOUN})?[ \t]*[.、．:：)）]?"
    rf"|\#?{NOUN}[ \t]*[#＃]?[ \t]*(?P<noun>{DIGITS}|{HAN})[ \t]*(?:\*\*|__)?[ \t]*[.、．:：)）]"
    rf"|[#＃]?(?P<digits>{DIGITS})(?:[ \t]*[)）、．。:：]|\.(?![0-9]))"
    rf"|[#＃](?P<hash>{DIGITS})(?=[ \t])"
    rf"|(?P<han>{HAN})[、.．])"
    rf"[ \t]*",
    re.IGNORECASE,
)
MAYBE = re.compile(rf"[ \t]*(?:[#*_(（\[【第①-⑳0-9０-９一-十•-]|{NOUN})", re.IGNORECASE)
"""How a line with a marker begins: most lines are no such line, and this is quick to see."""
BULLET = re.compile(r"(?P<indent>[ \t]*)(?P<mark>[-*•·–+])[ \t]+(?=\S)")
PART = re.compile(r"(?:\*\*|__)?(?:input|output|response|输入|输出|回答)(?:\*\*|__)?[ \t]*\d*[:：]", re.IGNORECASE)
INNER_PART = re.compile(rf"\s*(?:{DIGITS}[.)、．])?\s*{PART.pattern}", re.IGNORECASE)
LABEL = re.compile(rf"(?:\*\*)?(?P<label>{NOUN})(?:\*\*)?[ \t]*[:：](?:\*\*)?[ \t]*", re.IGNORECASE)
EDGE = re.compile(r"[ \t]*(?:#{3,}|-{3,}|\*{3,}|={3,}|_{3,})?[ \t]*")
FAREWELL = re.compile(
    r"(?:please )?(?:let me know|(?:i )?hope (?:this|these|that)|feel free|would you like)"
    r"|if you(?:'d| would)? (?:need|like)"
    r"|希望(?:这些|以上|对你|对您|能)|如果(?:你|您)(?:还|需要|有|想)|如需|以上(?:就)?是|请告诉我|需要我",
    re.IGNORECASE,
)
ONES = {character: value for value, character in enumerate("一二三四五六七八九", 1)} | {"两": 2}


class Marker(NamedTuple):
    """A line that may begin an item.

    style: how the number is written. end: where the text begins in the line. first: (style, 1) where a list within the
    item begins on the same line ("3. 1. tea").
    """

    line: int
    number: int
    style: str
    indent: int
    end: int
    bold: str
    first: tuple[tuple[str, int], ...] = ()


def numbered(text: str, *, begun: int | None = None) -> list[str]:
    """The items of a list, in order, each stripped, without what stands before the list and without a farewell.

    begun: the number that the prompt itself ended with ("9."), so that the reply begins within that item.
    The count may begin anywhere. Later lines of an item keep their newlines; indentation that they share is taken off.
    Where all items begin with the same label (`Task: ...`), it is left out. No list: [] (with `begun`, one item).
    If the reply was cut (`Reply.truncated`), the last item is the caller's to drop.
    """
    lines = without_thinking(text).split("\n")
    inside = fenced(lines)
    starts = _starts(_markers(lines, inside), begun) or _starts(_markers(lines, [False] * len(lines)), begun)
    if not starts and begun is None:
        starts = _bullets(lines, inside)
    items = []
    if begun is not None and not (starts and _restates(lines, starts[0], begun)):
        items.append(_item(lines[: starts[0].line if starts else len(lines)], None))
    for index, start in enumerate(starts):
        end = starts[index + 1].line if index + 1 < len(starts) else len(lines)
        items.append(_item(lines[start.line : end], start))
    if items:
        items[-1] = _without_farewell(items[-1])
    return [item for item in _unlabelled(items) if item]


def _restates(lines: list[str], first: Marker, begun: int) -> bool:
    """True if the reply writes again the number that the prompt ended with; what stands before it is chat."""
    return first.number == begun


def _number(found: re.Match[str]) -> tuple[int, str]:
    """(the number, the style in which it is written)."""
    style = found.lastgroup or ""
    for name in ("circled", "inner", "inner_han", "nth", "noun", "digits", "hash", "han"):
        if found[name]:
            style = name
    digits = unicodedata.normalize("NFKC", found[style])
    number = int(digits) if digits.isdecimal() else _han(digits)
    if style == "digits":
        style += unicodedata.normalize("NFKC", found[0].rstrip(" \t")[-1:])
    return number, style


def _han(digits: str) -> int:
    """The value of a Chinese number below 100; 0 where it is none."""
    if "十" in digits:
        tens, _, ones = digits.partition("十")
        if len(tens) > 1 or len(ones) > 1 or "十" in ones:
            return 0
        return 10 * (ONES[tens] if tens else 1) + (ONES[ones] if ones else 0)
    return ONES[digits] if len(digits) == 1 else 0


def _markers(lines: list[str], inside: list[bool]) -> list[Marker]:
    """All lines that look like the beginning of an item."""
    markers = []
    for index, line in enumerate(lines):
        found = MARKER.match(line) if not inside[index] and MAYBE.match(line) else None
        if found and not PART.match(line, found.end()):
            number, style = _number(found)
            indent = len(found["indent"].expandtabs(4))
            if number or style.startswith(("digits", "noun")):
                again = MARKER.match(line, found.end())
                first = (_number(again)[::-1],) if again and _number(again)[0] == 1 else ()
                markers.append(Marker(index, number, style, indent, found.end(), found["bold"] or "", first))
    return markers


def _starts(markers: list[Marker], begun: int | None) -> list[Marker]:
    """The markers that count upward by one, without those of lists within an item."""
    starts: list[Marker] = []
    expected = begun + 1 if begun is not None else None
    within: dict[str, int] = {}  # style of a list within the item -> the number that it has reached
    for index, marker in enumerate(markers):
        if starts and marker.indent > starts[0].indent + 1:
            continue
        if not starts and begun is not None and marker.number == begun:
            expected = begun
        if (expected is None and marker.number <= 1_000) or marker.number == expected:
            if not starts or not _inner(marker, starts, within, markers[index + 1 :]):
                starts.append(marker)
                expected = marker.number + 1
                within = dict(marker.first)
                continue
        if starts and (marker.number == 1 or marker.number == within.get(marker.style, -1) + 1):
            within[marker.style] = marker.number
    return starts


def _inner(marker: Marker, starts: list[Marker], within: dict[str, int], later: list[Marker]) -> bool:
    """True if a marker with the right number goes on with a list inside of the item."""
    base = starts[0]
    again = [m for m in later if m.number == marker.number and m.indent <= base.indent + 1]
    continues = within.get(marker.style) == marker.number - 1
    if marker.style != base.style:
        return continues or any(m.style == base.style for m in again)
    return continues and any(m.style == base.style for m in again)


def _bullets(lines: list[str], inside: list[bool]) -> list[Marker]:
    """Items of an unnumbered list: the bullets no deeper than the first, of its kind."""
    starts: list[Marker] = []
    for index, line in enumerate(lines):
        found = None if inside[index] else BULLET.match(line)
        if not found:
            continue
        indent = len(found["indent"].expandtabs(4))
        if not starts or (indent <= starts[0].indent + 1 and found["mark"] == starts[0].style):
            starts.append(Marker(index, 0, found["mark"], indent, found.end(), ""))
    return starts


def _item(lines: list[str], marker: Marker | None) -> str:
    """The text of an item: its first line after the marker, and what follows, less the indentation it shares."""
    first = lines[0][marker.end :] if marker else lines[0]
    if marker and marker.bold:
        first = first.replace(marker.bold, "", 1)  # the bold that began before the number
    rest = lines[1:]
    while rest and EDGE.fullmatch(rest[-1]):
        rest = rest[:-1]
    indents = [len(line) - len(line.lstrip(" ")) for line in rest if line.strip()]
    width = min(indents, default=0) if marker else 0
    code = first.rstrip().endswith((":", "{", "：")) and not any(
        MARKER.match(line) or BULLET.match(line) for line in rest[:1]
    )
    if marker is None or code or width not in (3, marker.end):
        width = 0
    return "\n".join([first, *(line[width:] for line in rest)]).strip()


def _without_farewell(item: str) -> str:
    """The last item without a chat model's closing words, where they are a paragraph of their own."""
    head, gap, tail = item.rpartition("\n\n")
    return head.rstrip("\n -*_#=") if gap and FAREWELL.match(tail.lstrip("*_ ")) and "\n" not in tail else item


def _unlabelled(items: list[str]) -> list[str]:
    """The items without the label that all of them begin with, unless they have further parts."""
    labels = [LABEL.match(item) for item in items]
    if not all(labels) or len({found["label"].lower() for found in labels if found}) != 1:
        return items
    if any(INNER_PART.match(line) for item in items for line in item.split("\n")):
        return items
    return [item[found.end() :].strip() for item, found in zip(items, labels, strict=True) if found]
