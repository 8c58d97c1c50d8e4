"""Repair `repeats`: lines and phrases said over and over, on request.

Of a line that stands three times or more in a row the first stays; so does the first of each line of 20 characters or
more that stands four times or more anywhere, if such repetitions are a third of the text's lines or more (statutes and
forms repeat themselves, but not so much). Of a phrase of 2 to 80 characters that is said five times or more without a
break, over 60 characters or more in all, one stays. Each needs a letter, so that rules, tables of numbers and empty
lines are safe; code (fenced, or set in by four blanks or a tab) is never touched.

A phrase of p characters said five times makes 4p characters equal to those p before them. That is looked for in every
16th place for all p at once (NumPy); only lines where three such places in a row agree, and all between them, are
searched for the phrase.
"""

from __future__ import annotations

import re
from collections import Counter

import numpy as np

from dataforge.ops.cleaning.fences import outside
from dataforge.ops.cleaning.repair import Repair, Settings

__all__ = ["REPAIRS"]

IN_A_ROW, ANYWHERE, LONG_LINE = 3, 4, 20
SHARE = 1 / 3
INDENT = ("    ", "\t")
TIMES, WHOLE = 5, 60
SHORTEST, LONGEST = 2, 80
EVERY, AGREEING = 16, 3
"""Of the 48 characters that are equal at least, as many places are looked at, so far apart."""
BLOCK = 1 << 16
"""Characters that are looked at together (a multiple of EVERY): they take 80 bytes each."""
_PHRASE = re.compile(rf"(.{{{SHORTEST},{LONGEST}}}?)\1{{{TIMES - 1},}}")
_LETTER = re.compile(r"[^\W\d_]")


def _needed(text: str) -> bool:
    return len(text) >= WHOLE or text.count("\n") >= IN_A_ROW - 1


def _repair(text: str, settings: Settings, found: Counter[str]) -> str:
    """The text with one of each."""
    return outside(text, lambda stretch: _one_of_each(stretch, found))


def _one_of_each(text: str, found: Counter[str]) -> str:
    lines = text.split("\n")
    counts = Counter(line.strip() for line in lines)
    often = {line for line, n in counts.items() if n >= ANYWHERE and len(line) >= LONG_LINE and _LETTER.search(line)}
    if sum(counts[line] - 1 for line in often) < SHARE * (len(lines) - counts[""]):
        often = set()
    runs = _in_a_row(lines)
    seen: set[str] = set()
    kept = []
    for at, line in enumerate(lines):
        bare = line.strip()
        if not line.startswith(INDENT) and (at in runs or (bare in often and bare in seen)):
            found["lines"] += 1
            continue
        seen.add(bare)
        kept.append(_one_phrase(line, found) if len(line) >= WHOLE else line)
    return "\n".join(kept)


def _in_a_row(lines: list[str]) -> set[int]:
    """The lines that say what the two or more before or after them say, but for the first of each run."""
    gone: set[int] = set()
    start = 0
    for at in range(1, len(lines) + 1):
        if at == len(lines) or lines[at] != lines[start]:
            if at - start >= IN_A_ROW and _LETTER.search(lines[start]):
                gone.update(range(start + 1, at))
            start = at
    return gone


def _may_repeat(line: str) -> bool:
    """False if no phrase can be repeated so often in the line."""
    over = LONGEST + AGREEING * EVERY
    return any(_agrees(line[begin : begin + BLOCK + over]) for begin in range(0, len(line), BLOCK))


def _agrees(line: str) -> bool:
    """True if a stretch of AGREEING places in a row equals what stands as far behind it."""
    codes = np.frombuffer(line.encode("utf-32-le", errors="surrogatepass"), dtype="<u4")
    padded = np.concatenate([codes, np.full(LONGEST, 0xFFFFFFFF, dtype="<u4")])
    windows = np.lib.stride_tricks.sliding_window_view(padded, LONGEST + 1)[::EVERY]
    equal = windows[:, SHORTEST:] == windows[:, :1]
    places, lags = np.nonzero(equal[:-2] & equal[1:-1] & equal[2:])
    span = (AGREEING - 1) * EVERY + 1
    for place, lag in zip((places * EVERY).tolist(), (lags + SHORTEST).tolist(), strict=True):
        if line[place : place + span] == line[place + lag : place + lag + span]:
            return True
    return False


def _one_phrase(line: str, found: Counter[str]) -> str:
    if not _may_repeat(line):
        return line

    def once(match: re.Match[str]) -> str:
        if len(match[0]) < WHOLE or _LETTER.search(match[1]) is None:
            return match[0]
        found["phrases"] += 1
        return match[1]

    return _PHRASE.sub(once, line)


REPAIRS = (Repair("repeats", "lines and phrases said over and over", _needed, _repair),)
