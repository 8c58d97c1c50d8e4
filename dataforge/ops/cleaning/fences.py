"""Fenced code blocks of Markdown, which repairs leave as they stand.

A fence is a line of at most three blanks and at least three backticks or tildes; its block ends at a line of at least
as many of the same sign and nothing else, or with the text (CommonMark 0.31, section 4.5).

Python: `outside(text, str.upper)`
"""

from __future__ import annotations

import re
from collections.abc import Callable

__all__ = ["has_fence", "outside"]

_OPEN = re.compile(r"^ {0,3}(`{3,}(?=[^`\n]*$)|~{3,})[^\n]*$", re.MULTILINE)


def has_fence(text: str) -> bool:
    """True if there may be a fenced code block."""
    return "```" in text or "~~~" in text


def outside(text: str, change: Callable[[str], str]) -> str:
    """The text with `change` applied to each stretch that is not in a fenced code block."""
    if not has_fence(text):
        return change(text)
    parts, seen = [], 0
    while (opening := _OPEN.search(text, seen)) is not None:
        sign = opening[1]
        closing = re.compile(rf"^ {{0,3}}{re.escape(sign[0])}{{{len(sign)},}}[ \t]*$", re.MULTILINE)
        match = closing.search(text, opening.end())
        end = match.end() if match else len(text)
        parts += [change(text[seen : opening.start()]), text[opening.start() : end]]
        seen = end
    parts.append(change(text[seen:]) if seen < len(text) else "")
    return "".join(parts)
