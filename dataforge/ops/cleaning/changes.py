"""What a repair changed in a text, as lines for people: `[-old-]{+new+}` amid some text, invisible signs escaped.

What is equal at both ends is passed over at once, so that a long text with one change is as fast as a short one; in
between, words are compared (difflib), or whole stretches where there are too many. What became a placeholder of
personal data is masked but for its first two characters: a view on a screen is no place for it either.

Python: `shown("two  words", "two words")`
"""

from __future__ import annotations

import difflib
import itertools
import os
import re
import unicodedata
from collections.abc import Iterator

__all__ = ["shown"]

CONTEXT = 24
LONGEST = 120
MOST = 3000
"""Characters that are compared word by word."""
HUNKS = 6
_WORD = re.compile(r"\s|[A-Za-z0-9_.@+-]+|.", re.DOTALL)
_PLACEHOLDER = re.compile(r"\[[A-Z_]+\]")


def shown(before: str, after: str) -> list[str]:
    """One line a change, the first six of them."""
    start = len(os.path.commonprefix([before, after]))
    end = _common_end(before[start:], after[start:])
    old, new = before[start : len(before) - end], after[start : len(after) - end]
    start, old, new = _whole_words(before, start, end, old, new)
    pieces = list(_pieces(old, new))
    private = any(_PLACEHOLDER.search(come) for _, _, come in pieces)
    lines = [_line(before, start + at, gone, come, private) for at, gone, come in pieces[:HUNKS]]
    if len(pieces) > HUNKS:
        lines.append(f"and {len(pieces) - HUNKS:,} more changes")
    return lines


def _pieces(old: str, new: str) -> Iterator[tuple[int, str, str]]:
    """(place in old, what went, what came) of every change; long stretches are compared by lines first."""
    by_lines = max(len(old), len(new)) > MOST
    a, b = (old.splitlines(True), new.splitlines(True)) if by_lines else (_WORD.findall(old), _WORD.findall(new))
    if max(len(a), len(b)) > MOST or (by_lines and len(a) < 2):
        yield 0, old, new
        return
    starts = [0, *itertools.accumulate(map(len, a))]
    for kind, first, last, low, high in difflib.SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        if kind == "equal":
            continue
        gone, come = "".join(a[first:last]), "".join(b[low:high])
        if by_lines:
            yield from ((starts[first] + at, was, now) for at, was, now in _pieces(gone, come))
        else:
            yield starts[first], gone, come


def _common_end(one: str, two: str) -> int:
    return len(os.path.commonprefix([one[::-1], two[::-1]]))


def _whole_words(before: str, start: int, end: int, old: str, new: str) -> tuple[int, str, str]:
    """The changed stretch, widened to the words that it begins and ends in (as far as they are of ASCII)."""
    left = re.search(r"[A-Za-z0-9_.@+-]*\Z", before[max(0, start - 100) : start])
    lead = left[0] if left else ""
    right = re.match(r"[A-Za-z0-9_.@+-]{0,100}", before[len(before) - end :] if end else "")
    tail = right[0] if right else ""
    return start - len(lead), lead + old + tail, lead + new + tail


def _line(before: str, at: int, gone: str, come: str, private: bool) -> str:
    """One change amid some of the text before and after it; private: the text had personal data."""
    lead = before[max(0, at - CONTEXT) : at]
    rest = before[at + len(gone) : at + len(gone) + CONTEXT]
    if _PLACEHOLDER.search(come):
        gone = gone[:2] + "*" * max(0, len(gone) - 2)
    if private:
        rest, lead = _masked(rest), _masked(lead)
    changed = (f"[-{_visible(_cut(gone))}-]" if gone else "") + (f"{{+{_visible(_cut(come))}+}}" if come else "")
    return _visible(lead) + changed + _visible(rest)


def _masked(text: str) -> str:
    """The text with the digits and addresses hidden that may be the next find."""
    return re.sub(r"[A-Za-z0-9_.+-]*[@0-9][A-Za-z0-9_.@+-]*", lambda match: "*" * len(match[0]), text)


def _cut(text: str) -> str:
    if len(text) <= LONGEST:
        return text
    return f"{text[: LONGEST // 2]}…({len(text) - LONGEST:,} more)…{text[-LONGEST // 2 :]}"


def _visible(text: str) -> str:
    """The text with what cannot be seen as escapes."""
    return "".join(char if char == " " or _is_seen(char) else _escape(char) for char in text)


def _is_seen(char: str) -> bool:
    return char.isprintable() and unicodedata.category(char) not in ("Cf", "Mn", "Zs")


def _escape(char: str) -> str:
    return {"\n": "\\n", "\t": "\\t", "\r": "\\r"}.get(char) or (
        f"\\u{ord(char):04x}" if ord(char) < 0x10000 else f"\\U{ord(char):08x}"
    )
