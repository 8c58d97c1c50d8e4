r"""Where a JSON value begins and ends in a text that is not quite JSON, and which of its items are whole.

A scanner that knows quotes (`"`, and `'` or `“` where a value may stand), escapes and brackets. A quote within a text
that nobody escaped does not end it. What ends a text is followed by what may follow it there: a key by a colon; a
value in an object by its end, or by a comma and a key; an item of a list by its end, or by a comma and a value.

Each text found is written anew as strict JSON: inner quotes and newlines escaped, backslashes that escape nothing
doubled (LaTeX; `\b` and `\f` too, which replies never mean). Between texts, full-width colons and commas become ASCII,
a comma before a closing bracket goes, and Python's `True`, `False`, `None` are read.

Python: `find_span('x [1, {"a": 2}, {"b"', 2).whole_items()` gives `'[1, {"a": 2}]'`
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

__all__ = ["Span", "find_span"]

TOKEN = re.compile(r"""["'“{}\[\],:，：]""")
ESCAPE = re.compile(r"\\(?:u[0-9a-fA-F]{4}|.|\Z)|[\"\x00-\x1f]", re.DOTALL)
TRAILING = re.compile(r",(?=\s*[}\]])")
WORDS = {"True": "true", "False": "false", "None": "null"}
WORD = re.compile(r"\b(?:True|False|None)\b(?!\s*:)")
QUOTES = {'"': '"', "'": "'", "“": "”"}
CLOSES = {"{": "}", "[": "]"}
NARROW = str.maketrans({"：": ":", "，": ","})


@dataclass
class Level:
    """An open bracket.

    begun: where its content begins. whole: where its last item ends that is surely whole. keys: of an object, how many.
    value: in an object, whether a value comes next. bare: whether its keys have no quotes.
    """

    bracket: str
    begun: int
    whole: int
    keys: int = 0
    value: bool = False
    bare: bool = True


@dataclass
class Span:
    """A bracketed value, text[start:end] of the reply.

    open: the brackets that are open at its end, the outermost first. strict: its text with sound quotes.
    """

    text: str
    start: int
    end: int
    open: list[Level]
    strict: str

    @property
    def whole(self) -> bool:
        """True if every bracket is closed."""
        return not self.open

    def whole_items(self) -> str | None:
        """The text with the whole items of its outermost list and no more; None if there are none.

        A list within an object counts where it is all that the object has: what else it had may be missing.
        """
        for depth, level in enumerate(self.open):
            if level.bracket == "[":
                if level.whole == level.begun:
                    return None
                head = self.text[: level.whole - self.start]
                return head + "".join(CLOSES[outer.bracket] for outer in reversed(self.open[: depth + 1]))
            if level.keys != 1:
                return None
        return None


def find_span(text: str, start: int) -> Span:
    """The value whose bracket stands at `start`; to the end of the text where it does not close."""
    stack: list[Level] = []
    pieces: list[str] = []
    place, done, before = start, start, ""
    while found := TOKEN.search(text, place):
        sign, place = found[0].translate(NARROW), found.end()
        if sign in "'“" and before not in ("{", "[", ",", ":"):
            continue  # an apostrophe
        if sign in QUOTES:
            end = _end_of_text(text, place, QUOTES[sign], stack)
            if end is None:
                break
            pieces += (_between(text[done : place - 1]), _quoted(text[place : end - 1]))
            place = done = end
            stack[-1].value, stack[-1].bare = False, stack[-1].bare and stack[-1].value
            if not text[place:].strip():
                stack[-1].whole = place  # of an object, nobody asks for it
        else:
            _bracket(sign, found.start(), stack)
        if not stack:
            return Span(text[start:place], start, place, [], "".join(pieces) + _between(text[done:place]))
        before = sign
    return Span(text[start:], start, len(text), stack, "".join(pieces) + _between(text[done:]))


def _bracket(sign: str, place: int, stack: list[Level]) -> None:
    """Take account of a bracket, comma or colon at `place`."""
    if sign in "{[":
        stack.append(Level(sign, place + 1, place + 1))
        return
    level = stack[-1]
    if sign == ",":
        level.whole, level.value = place, False
    elif sign == ":":
        level.keys += level.bracket == "{"
        level.value = True
    elif CLOSES[level.bracket] == sign:
        stack.pop()
        if stack:
            stack[-1].whole, stack[-1].value = place + 1, False


@cache
def _after(bracket: str, value: bool, bare: bool, outermost: bool) -> re.Pattern[str]:
    """What follows a text that ends: a key; a value in an object, whose keys are `bare` or not; an item of a list."""
    if bracket == "{" and not value:
        return re.compile(r"\s*[:：]")
    note = r"//|/\*"
    close = "" if outermost else rf"\s*(?:[,，}}\]]|\Z|\n|{note})"
    if bracket == "{":
        key = r"""\w+\s*[:：]""" if bare else r"""["'“][^"'”\n]{0,100}(?:["'”]\s*[:：]|\Z)"""
        return re.compile(rf"\s*(?:\}}{close}|[,，]\s*(?:{key}|\}}|\Z|{note})|{note}|\Z)|[ \t]*\n\s*(?:{key})")
    item = rf"""["'“{{\[\]\d-]|true\b|false\b|null\b|True\b|False\b|None\b|\Z|{note}"""
    return re.compile(rf"""\s*(?:\]{close}|[,，]\s*(?:{item})|{note}|\Z)|[ \t]*\n\s*["'“{{]""")


def _end_of_text(text: str, place: int, quote: str, stack: list[Level]) -> int | None:
    """Where a quoted text that begins at `place` ends (after its quote); None if it does not."""
    level = stack[-1]
    after = _after(level.bracket, level.value, level.value and level.bare, len(stack) == 1)
    while place < len(text):
        sign = text[place]
        place += 2 if sign == "\\" else 1
        if sign == quote and after.match(text, place):
            return place
    return None


def _between(raw: str) -> str:
    """What stands between texts, nearer to strict JSON: ASCII colons and commas, none before a closing bracket."""
    plain = TRAILING.sub("", raw.translate(NARROW))
    return WORD.sub(lambda found: WORDS[found[0]], plain)


def _quoted(raw: str) -> str:
    """A text as strict JSON."""

    def sound(found: re.Match[str]) -> str:
        sign = found[0]
        if sign in ('\\"', "\\\\", "\\/", "\\n", "\\r", "\\t") or len(sign) == 6:
            return sign
        if sign == "\\'":
            return "'"
        if sign[0] != "\\":
            return '\\"' if sign == '"' else f"\\u{ord(sign):04x}"
        rest = sign[1:]
        return "\\\\" + (f"\\u{ord(rest):04x}" if rest and ord(rest) < 32 else rest)

    return '"' + ESCAPE.sub(sound, raw) + '"'
