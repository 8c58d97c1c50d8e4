"""The answer of a row beside its question: empty, refusing, cut off, left open, in another language.

The answer is the text of the last assistant turn (of the best candidate, where there are some), without its reasoning;
the question is the text of the last user turn before it. A document has neither; a row without an assistant turn (a
prompt to be answered) has no answer.

Python: `is_cut("The three reasons are rain, wind and")  # True`
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dataforge.ops.rowtext import best_candidate
from dataforge.ops.signals.texts import Texts
from dataforge.record import Candidate, Media, Reasoning, Record, ToolCall, Turn

__all__ = ["Sides", "brackets_open", "fence_open", "is_cut", "marks", "sides"]


class Sides(NamedTuple):
    """What is answered, the answer, and whether the answer is more than its text (a tool call, a picture).

    asked, said: the turns that question and answer are, as they stand, counted through turns and candidates; -1: none.
    """

    question: str
    answer: str
    acts: bool
    asked: int = -1
    said: int = -1


def sides(record: Record) -> Sides | None:
    """Question and answer of a row; None for a document and a row without an answer."""
    if record.is_document:
        return None
    turns = record.turns
    if len(turns) == 2 and not record.candidates and turns[0].role == "user" and turns[1].role == "assistant":
        one, other = turns[0].parts, turns[1].parts
        if len(one) == 1 and len(other) == 1 and type(one[0]) is str and type(other[0]) is str:
            return Sides(one[0], other[0], False, 0, 1)  # most rows by far
    if record.candidates:
        best = best_candidate(record.candidates)
        last, said = len(turns), best.turns
        place = last + sum(len(one.turns) for one in record.candidates[: _index(record.candidates, best)])
    else:
        last = len(turns) - 1
        while last >= 0 and turns[last].role != "assistant":
            last -= 1
        if last < 0:
            return None
        place, said = last, turns[last : last + 1]
    asked = last - 1
    while asked >= 0 and turns[asked].role != "user":
        asked -= 1
    question = _said(turns[asked]) if asked >= 0 else ""
    if asked >= 0 and not _is_plain(turns[asked]):
        asked = -1
    if len(said) == 1:
        plain = _is_plain(said[0])
        return Sides(question, _said(said[0]), not plain and _acts(said[0]), asked, place if plain else -1)
    answer = "\n".join(_said(turn) for turn in said if turn.role == "assistant")
    return Sides(question, answer, any(map(_acts, said)), asked)


def _index(candidates: list[Candidate], best: Candidate) -> int:
    return next(number for number, one in enumerate(candidates) if one is best)


def _is_plain(turn: Turn) -> bool:
    parts = turn.parts
    return len(parts) == 1 and type(parts[0]) is str


def _said(turn: Turn) -> str:
    """The text of a turn, reasoning and calls left out."""
    parts = turn.parts
    if len(parts) == 1 and type(parts[0]) is str:
        return parts[0]
    return "\n".join(part for part in parts if isinstance(part, str))


def _acts(turn: Turn) -> bool:
    return any(isinstance(part, (ToolCall, Media)) for part in turn.parts if not isinstance(part, Reasoning))


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


_PAGES = (0x0000, 0x3000, 0xFF00)
"""Where all brackets are: pages of 256 characters."""


@cache
def _paged() -> NDArray[np.int8]:
    """For each character of the pages: the number of its kind of bracket if it opens, below 0 if it closes, else 0."""
    table = np.zeros(256 * len(_PAGES), np.int8)
    for number, pair in enumerate(BRACKETS, 1):
        for char, sign in zip(pair, (number, -number), strict=True):
            table[256 * _PAGES.index(ord(char) & 0xFF00) + (ord(char) & 0xFF)] = sign
    return table


@njit(cache=True, nogil=True)
def _sign(code: Any, paged: Any) -> Any:
    """What `_paged` says of a character."""
    page, place = code >> np.uint32(8), code & np.uint32(0xFF)
    if page == 0:
        return paged[place]
    if page == 0x30:
        return paged[np.uint32(256) + place]
    return paged[np.uint32(512) + place] if page == 0xFF else np.int8(0)


@njit(cache=True, nogil=True)
def _marks(codes: Any, offsets: Any, said: Any, paged: Any, open_brackets: Any, fences: Any) -> None:
    """Of each section of `said`: brackets open, and whether three ` or ~ stand in a row."""
    counts = np.zeros(len(BRACKETS), np.int64)
    for row in range(len(said)):
        counts[:] = 0
        run, before = 0, np.uint32(0)
        for k in range(offsets[said[row]], offsets[said[row] + 1]):
            code = codes[k]
            sign = _sign(code, paged)
            if sign > 0:
                counts[sign - 1] += 1
            elif sign < 0:
                counts[-sign - 1] -= 1
            elif code == 96 or code == 126:  # ` ~
                run = run + 1 if before == code and codes[k - 1] == code else 1
                before = code
                if run == 3:
                    fences[row] = True
        for kind in range(len(counts)):
            open_brackets[row] += max(0, counts[kind])


def marks(parts: Texts, said: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """`brackets_open` of each section of `said`, and whether `fence_open` may be true of it."""
    open_brackets, fences = np.zeros(len(said), np.int64), np.zeros(len(said), bool)
    _marks(parts.codes, parts.offsets, said, _paged(), open_brackets, fences)
    return open_brackets, fences


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
    if text and text[-1] in _ENDS:
        return False
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
