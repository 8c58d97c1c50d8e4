r"""What chat models put around their reply: thinking, code fences.

Python: `plain("<think>hm</think>\n```\nGreen tea.\n```")` gives `"Green tea."`
"""

from __future__ import annotations

import re

__all__ = ["Unreadable", "after_thinking", "fenced", "plain", "without_thinking"]

TAGS = r"(?:seed:)?think(?:ing)?"
FIRST = re.compile(rf"\s*<(?P<tag>{TAGS})>(?:.*?</(?P=tag)>|.*\Z)", re.DOTALL)
LATER = re.compile(
    rf"(?P<code>^[ \t]*(?P<fence>`{{3,}}|~{{3,}}).*?(?:^[ \t]*(?P=fence)[`~]*[ \t]*$|\Z)|`[^`\n]+`)"
    rf"|<(?P<tag>{TAGS})>.*?</(?P=tag)>|^[ \t]*<{TAGS}>.*\Z",
    re.DOTALL | re.MULTILINE,
)
CLOSED = re.compile(rf"\A(?P<thought>.*?)</{TAGS}>[ \t]*(?:\n|\Z)", re.DOTALL)
OPENER = re.compile(rf"<{TAGS}>")
OUTER = re.compile(r"(?P<fence>`{3,}|~{3,})[ \t]*(?P<word>[\w+-]*)[ \t]*\n")
FENCE = re.compile(r"[ \t]*(?:\d+[.)、．][ \t]*)?(`{3,}|~{3,})([^`]*)$")
WRAPPING = ("", "text", "txt", "plaintext", "plain", "markdown", "md")


class Unreadable(Exception):
    """A reply that cannot be read soundly. rule: a short name (`no_json`, `cut`, `schema`, ...). detail: one line."""

    def __init__(self, rule: str, detail: str = "") -> None:
        super().__init__(f"{rule}: {detail}" if detail else rule)
        self.rule = rule
        self.detail = detail


def after_thinking(text: str) -> str:
    """The text after the `<think>` block that it begins with, without byte order mark and carriage returns.

    A block that does not end takes all that follows; an end without a beginning (some servers send none) takes all
    that stands before it.
    """
    text = text.replace("\r\n", "\n").lstrip("\ufeff")
    while found := FIRST.match(text):
        text = text[found.end() :]
    lone = CLOSED.match(text)
    if lone and not OPENER.search(lone["thought"]) and lone["thought"].count("`") % 2 == 0:
        text = text[lone.end() :]
    return text


def without_thinking(text: str) -> str:
    """The text without `<think>` blocks anywhere, as `after_thinking`; `<think>` within code stays."""
    text = after_thinking(text)
    if "<" not in text or not OPENER.search(text):
        return text
    return LATER.sub(lambda found: found["code"] or "", text)


def plain(text: str) -> str:
    """The reply itself: without thinking, without a code fence around all of it, without blanks at its ends.

    The fence of a language (```` ```python ````) is content and stays; a bare one, or one of text or Markdown, goes.
    """
    text = without_thinking(text).strip()
    found = OUTER.match(text)
    if not found or found["word"].lower() not in WRAPPING:
        return text
    body = text[found.end() :]
    fence = found["fence"]
    marks = list(re.finditer(rf"^{re.escape(fence)}(?P<rest>[^\n]*)$", body, re.MULTILINE))
    if not marks:
        return body.strip()  # the reply was cut before the fence closed
    last = marks[-1]
    if len(marks) % 2 and last.end() == len(body) and not last["rest"].strip() and all(_paired(marks[:-1])):
        return body[: last.start()].strip()
    return text


def _paired(marks: list[re.Match[str]]) -> list[bool]:
    """Whether fences inside of the outer one open with a language and close bare, in turn."""
    return [bool(mark["rest"].strip()) == (index % 2 == 0) for index, mark in enumerate(marks)]


def fenced(lines: list[str]) -> list[bool]:
    """For each line, whether it belongs to a code fence, its marks included; a fence that never closes is none."""
    inside = [False] * len(lines)
    fence, begun = "", 0
    for index, line in enumerate(lines):
        found = FENCE.match(line)
        if not fence:
            fence, begun = (found[1], index) if found else ("", 0)
        elif found and found[1].startswith(fence) and not found[2].strip():
            inside[begun : index + 1] = [True] * (index + 1 - begun)
            fence = ""
    return inside
