"""The answer of a row beside its question: empty, refusing, cut off, left open, in another language.

The answer is the text of the last assistant turn (of the best candidate, where there are some), without its reasoning;
the question is the text of the last user turn before it. A document has neither; a row without an assistant turn (a
prompt to be answered) has no answer.

Python: `is_cut("The three reasons are rain, wind and")  # True`
"""

from __future__ import annotations

import re
from typing import NamedTuple

from dataforge.ops.rowtext import best_candidate
from dataforge.record import Media, Reasoning, Record, ToolCall, Turn

__all__ = ["Sides", "brackets_open", "fence_open", "is_cut", "sides"]


class Sides(NamedTuple):
    """What is answered, the answer, and whether the answer is more than its text (a tool call, a picture)."""

    question: str
    answer: str
    acts: bool


def sides(record: Record) -> Sides | None:
    """Question and answer of a row; None for a document and a row without an answer."""
    if record.is_document:
        return None
    turns = record.turns
    if record.candidates:
        last, said = len(turns), best_candidate(record.candidates).turns
    else:
        last = len(turns) - 1
        while last >= 0 and turns[last].role != "assistant":
            last -= 1
        if last < 0:
            return None
        said = [turns[last]]
    asked = last - 1
    while asked >= 0 and turns[asked].role != "user":
        asked -= 1
    question = _said(turns[asked]) if asked >= 0 else ""
    if len(said) == 1:
        return Sides(question, _said(said[0]), _acts(said[0]))
    answer = "\n".join(_said(turn) for turn in said if turn.role == "assistant")
    return Sides(question, answer, any(map(_acts, said)))


def _said(turn: Turn) -> str:
    """The text of a turn, reasoning and calls left out."""
    parts = turn.parts
    if len(parts) == 1 and type(parts[0]) is str:
        return parts[0]
    return "\n".join(part for part in parts if isinstance(part, str))


def _acts(turn: Turn) -> bool:
    parts = turn.parts
    if len(parts) == 1 and type(parts[0]) is str:
        return False
    return any(isinstance(part, (ToolCall, Media)) for part in parts if not isinstance(part, Reasoning))


_FENCE = re.compile(r"^[ \t>]*(```+|~~~+)([^\n]*)", re.MULTILINE)


def fence_open(text: str) -> bool:
    """True if a code fence of Markdown (``` or ~~~) is opened and not closed."""
    if "```" not in text and "~~~" not in text:
        return False
    opened = ""
    for found in _FENCE.finditer(text):
        mark, rest = found.groups()
        if not opened:
            if "`" not in rest or mark[0] == "~":  # ```code``` in one line opens nothing
                opened = mark
        elif mark.startswith(opened) and not rest.strip():
            opened = ""
        elif mark == opened and rest.strip():
            return True  # another fence opens before this one closes
    return bool(opened)


BRACKETS = ("()", "[]", "{}", "（）", "［］", "【】", "《》", "「」", "『』", "〔〕")


def brackets_open(text: str) -> int:
    """Brackets that are opened and not closed: over all kinds, how many more of them open than close."""
    pairs = BRACKETS[:3] if text.isascii() else BRACKETS
    return sum(max(0, text.count(pair[0]) - text.count(pair[1])) for pair in pairs if pair[0] in text)


_TAIL = 400
_BLANK = " \t\r\n\x0b\x0c\xa0\u3000\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"
_CLOSERS = " \t\r\n)]}）］｝】〕〉》」』〗”’\"'»›*_`~>"
_ENDS = ".!?。！？…;；:：؟۔।॥။។։｡．~～"
_OPEN_END = re.compile(
    r"(?:[,，、(\[{（［【《〈「『“‘]|(?<=\w)[-–—]|"
    r"\b(?:the|an?|of|and|or|but|to|with|for|from|by|as|at|into|that|which|because|is|are|was|were|their|its|your|my|our|"
    r"such as|including)|(?:以及|或者|并且|而且|因为|所以|但是|例如|比如|包括|和|与|及|的是))$"
)
_LAST = 16
"""Ends after which more must come, and how many characters they may have; in lower case, for "Plan A" is whole."""
_ITEM = re.compile(
    r"\s*(?:[-*+•·●○▪–—#|>]|\(?\d{1,3}[.)、．]|[（(]?[一二三四五六七八九十\d]{1,3}[)）、.]|[a-zA-Z][.)。、]|[①-⓿]|"
    r"<|\$|\\|```|\t|  )"
    r"|.*\s{2,}[-•*]\s"
)
"""An item of a list, a heading, a table, a formula, markup, or an indented line."""
_STOP = re.compile(r"(?<!\b[A-Z])[.!?](?=\s|[\"'”’)\]*_])|[。！？؟।]")
_CODE = re.compile(r"[={}<>|\\/;@$^#+%]|\d\W*$|\w\(|::|->|\w\.\w+\W*$")
SALUTATION = 60
LEAST_LINE, LEAST_REST = 40, 20
"""Widths, in letters; a Chinese character is 2.5 wide here."""


def is_cut(text: str) -> bool:
    """True if an answer ends where something must follow.

    Either after a comma, an opening bracket or a word such as "and", "the", 以及, 和; or without a full stop in prose:
    after its last full stop, the last line goes on for 20 letters (8 Chinese characters) or more; or it is a line of
    its own of 40 letters (16) or more, the line before it ends in a full stop, and there are several such. Lists,
    headings, tables, code, formulas, addresses, salutations, signatures and single names, numbers and titles are whole.
    """
    tail = text[-_TAIL:].rstrip(_BLANK)
    bare = tail.rstrip(_CLOSERS)
    if not bare or bare != tail or bare[-1] in _ENDS:
        return False
    lines = tail.rsplit("\n", 2)
    last = lines[-1]
    if _ITEM.match(last) or _CODE.search(last[-40:]):
        return False
    if _OPEN_END.search(bare[-_LAST:]) is not None:
        return _is_long(last) and not (bare[-1] in ",，" and _width(last) < SALUTATION and not _STOP.search(last))
    stops = list(_STOP.finditer(last))
    if stops:
        rest = last[stops[-1].end() :].lstrip(_CLOSERS)
        return _width(rest) >= LEAST_REST and rest[0] not in "-–—("
    before = lines[-2].rstrip() if len(lines) > 1 else ""
    return (
        _width(last) >= LEAST_LINE
        and before[-1:] in tuple(".!?。！？")
        and _ITEM.match(before) is None
        and len(_STOP.findall(text[-2000:])) > 1
    )


def _width(text: str) -> float:
    return len(text) + 1.5 * sum(ord(char) > 0x2E7F for char in text)


def _is_long(text: str) -> bool:
    """Four words, or six Chinese characters."""
    return len(text.split(None, 4)) > 3 or sum(ord(char) > 0x2E7F for char in text) >= 6
