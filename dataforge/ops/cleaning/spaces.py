"""Repair `spaces`: line ends, trailing blanks, runs of empty lines, and white space around the text.

CR LF, CR and the line and paragraph separators (U+2028, U+2029) become line feeds. Outside fenced code, blanks at line
ends go (space, tab, U+00A0, U+3000) and at most two empty lines in a row stay, as Python code without a fence has them.
Indentation is never touched, nor are blanks within a line.
"""

from __future__ import annotations

import re
from collections import Counter

from dataforge.ops.cleaning.fences import outside
from dataforge.ops.cleaning.repair import Repair, Settings

__all__ = ["REPAIRS", "needed", "repair"]

BLANKS = " \t\u00a0\u3000"
_TRAILING = re.compile(f"(?<![{BLANKS}])[{BLANKS}]++(?=\n)")
_EMPTY_LINES = re.compile("\n{4,}")
_LEADING = re.compile(f"\\A(?:[{BLANKS}]*+\n)+")
_SEPARATORS = re.compile("\r\n?|[\u2028\u2029]")


def needed(text: str) -> bool:
    """True if a line end, or an end of the text, may need repair."""
    if not text:
        return False
    if text[-1].isspace() or " \n" in text or "\n\n\n\n" in text or "\t\n" in text or "\r" in text:
        return True
    if text[0].isspace() and _LEADING.match(text):
        return True
    if text.isascii():
        return False
    return "\u3000\n" in text or "\u00a0\n" in text or "\u2028" in text or "\u2029" in text


def repair(text: str, settings: Settings, found: Counter[str]) -> str:
    """The text with line feeds, without blanks before them, and without white space around it."""
    text = _SEPARATORS.sub("\n", text)
    text = outside(text, _tidy)
    return _LEADING.sub("", text).rstrip()


def _tidy(text: str) -> str:
    return _EMPTY_LINES.sub("\n\n\n", _TRAILING.sub("", text))


REPAIRS = (Repair("spaces", "line ends, trailing blanks, runs of empty lines", needed, repair, default=True),)
