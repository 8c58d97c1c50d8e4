"""Repair `html`: markup to text, on request. Parsed by selectolax (lexbor, an HTML5 parser), walked once.

Blocks become lines, list items `- ` or numbers, table cells ` | `, images their alternative text; `<pre>` becomes a
fenced code block with its indentation, `<code>` stands in backticks. Scripts, styles and templates go; of a whole page,
navigation, header and footer too. Fenced and inline code that the text has already is left alone, and so is what only
looks like markup: `a < b`, `vector<int>`, and tags that are spoken of rather than used (`the <b> tag`, never closed).
A text that begins with a tag is taken for HTML, where white space means nothing; in any other, its line ends stay, and
so does code that is set in by four blanks.
In a turn of a conversation, markup may be the answer itself: a text with the tags of a page, a form or a script, or
with tags that are set in, is code, and stays as it is. Markup of scraped answers has neither.
"""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from dataforge.ops.cleaning.fences import outside
from dataforge.ops.cleaning.repair import Repair, Settings

__all__ = ["REPAIRS", "to_text"]

VOID = frozenset("area base br col embed hr img input link meta source track wbr".split())
OPEN_ENDED = frozenset("p li dt dd tr td th thead tbody tfoot option colgroup".split())
DROPPED = frozenset(
    "script style noscript template svg iframe object canvas head select button textarea video audio math map".split()
)
PAGE_ONLY = frozenset("nav header footer aside form".split())
SPACED = frozenset("p h1 h2 h3 h4 h5 h6 ul ol dl table blockquote pre figure".split())
LINES = frozenset(
    "div section article main address center details summary li dt dd tr caption figcaption hr fieldset legend tbody"
    " thead tfoot html body nav header footer aside form".split()
)
INLINE = frozenset(
    "a abbr acronym b bdi bdo big cite code data del dfn em font i ins kbd label mark q s samp small span strike strong"
    " sub sup tt u var ruby rt rp rb time picture title meter output td th".split()
)
KNOWN = VOID | OPEN_ENDED | DROPPED | PAGE_ONLY | SPACED | LINES | INLINE
_TAG = re.compile(r"<(/?)([A-Za-z][A-Za-z0-9]*)(?=[\s/>])((?:[^<>\"']|\"[^\"<]*\"|'[^'<]*')*)>")
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z][A-Za-z0-9]{1,30});")
_CODE = re.compile(r"(`+)(?!`)[^\n]*?(?<!`)\1(?!`)")
_OTHER = re.compile(r"<!--(?s:.*?)-->|<!(?:doctype|DOCTYPE)[^<>]*>|<(?!\x00)")
_AUTHORED = re.compile(
    r"(?i)<(?:!doctype|html|head|body|script|style|form|input|button|canvas|svg|meta|link|title|nav|header|footer)[\s>]"
    r"|\n[ \t]+</?[a-z][a-z0-9]*[\s>]"
)
_INDENTED = re.compile(r"(?:\A|(?<=\n\n))(?:(?: {4}|\t)[^\n]*(?:\n|\Z)(?:[ \t]*\n(?= {4}|\t))*)+")
_WHITE = re.compile(r"\s+")


def needed(text: str) -> bool:
    """True if there is a tag or an entity."""
    if "<" in text and _TAG.search(text):
        return True
    return "&" in text and _ENTITY.search(text) is not None


def repair(text: str, settings: Settings, found: Counter[str]) -> str:
    """The text without markup."""
    if settings.talk and _AUTHORED.search(text):
        return text
    if text.lstrip().startswith("<"):
        return outside(text, to_text)
    return outside(text, lambda stretch: "".join(_around_code(stretch)))


def _around_code(text: str) -> Iterator[str]:
    """The plain text of what is not indented code, and the code."""
    seen = 0
    for match in _INDENTED.finditer(text):
        yield to_text(text[seen : match.start()])
        yield match[0]
        seen = match.end()
    yield to_text(text[seen:]) if seen else to_text(text)


def to_text(text: str) -> str:
    """The plain text of some HTML."""
    marked = _escaped(text)
    if "<" not in marked:
        return html.unescape(text) if _CODE.search(text) is None else html.unescape(marked)
    from selectolax.lexbor import LexborHTMLParser

    bare = text.lstrip()
    lead = text[: len(text) - len(bare)]
    is_page = re.match(r"(?i)<(?:!doctype|html|head|body)\b", bare) is not None
    walk = _Walk(is_markup=marked.lstrip().startswith("<"), is_page=is_page)
    body = LexborHTMLParser(marked[len(lead) :]).body
    if body is not None:
        walk.over(body)
    trail = text[len(text.rstrip()) :]
    return lead + walk.text() + trail


def _escaped(text: str) -> str:
    """The text with every `<` escaped that is no tag in use, and inline code escaped whole."""
    opened: Counter[str] = Counter()
    closed: Counter[str] = Counter()
    code = [match.span() for match in _CODE.finditer(text)] if "`" in text else []
    for match in _TAG.finditer(text):
        (closed if match[1] else opened)[match[2].lower()] += 1

    def is_used(name: str) -> bool:
        return name in KNOWN and (name in VOID or name in OPEN_ENDED or opened[name] == closed[name])

    def tag(match: re.Match[str]) -> str:
        return f"<\x00{match[0][1:]}" if is_used(match[2].lower()) else match[0]

    def plain(stretch: str) -> str:
        stretch = _TAG.sub(tag, stretch.replace("\x00", ""))
        stretch = _OTHER.sub(lambda match: "&lt;" if match[0] == "<" else "", stretch)
        return stretch.replace("\x00", "")

    parts, seen = [], 0
    for start, end in code:
        parts += [plain(text[seen:start]), html.escape(text[start:end], quote=False)]
        seen = end
    return "".join([*parts, plain(text[seen:])])


class _Walk:
    """The text of a tree, gathered."""

    def __init__(self, *, is_markup: bool, is_page: bool) -> None:
        self.is_markup = is_markup
        self.skipped = DROPPED | PAGE_ONLY if is_page else DROPPED
        self.parts: list[str] = []
        self.ends = "\n\n"
        self.lists: list[int | None] = []

    def text(self) -> str:
        """What was gathered."""
        text = "".join(self.parts)
        return text.strip("\n") if self.is_markup else text.removesuffix("\n")

    def over(self, root: Any) -> None:
        """Walk below a node; with a stack, since markup may be nested deeper than Python calls go."""
        stack = [root.child]
        closing: list[str] = []
        while stack:
            node = stack.pop()
            while node is not None:
                tag = node.tag
                if tag == "-text":
                    self.put(node.text_content)
                elif tag == "pre":
                    self.code(node)
                elif tag[0] != "-" and tag not in self.skipped:
                    self.open(node, tag)
                    if node.child is not None:
                        closing.append(tag)
                        stack.append(node.next)
                        node = node.child
                        continue
                    self.close(tag)
                node = node.next
            if closing:
                self.close(closing.pop())

    def add(self, text: str) -> None:
        """Append as it is."""
        if text:
            self.parts.append(text)
            self.ends = (self.ends + text[-2:])[-2:]

    def put(self, text: str | None) -> None:
        """Append the text of a node."""
        if text and self.is_markup:
            text = _WHITE.sub(" ", text)
            if self.ends[-1].isspace():
                text = text.lstrip(" ")
        self.add(text or "")

    def lines(self, number: int) -> None:
        """End the line, with so many line ends before what comes next."""
        if self.parts and self.is_markup:
            self.parts[-1] = self.parts[-1].rstrip(" ")
            self.ends = ("\n\n" + "".join(self.parts[-3:]))[-2:] if len(self.parts) > 2 else self._end()
        have = 2 if self.ends == "\n\n" else 1 if self.ends[-1] == "\n" else 0
        if self.parts:
            self.add("\n" * max(0, number - have))

    def _end(self) -> str:
        return ("\n\n" + "".join(self.parts))[-2:]

    def open(self, node: Any, tag: str) -> None:
        """What stands before the content of an element."""
        if tag == "br":
            self.add("\n")
        elif tag == "img":
            self.put(node.attributes.get("alt"))
        elif tag in ("ul", "ol"):
            self.lines(1 if self.lists else 2)
            self.lists.append(1 if tag == "ol" else None)
        elif tag in SPACED:
            self.lines(2 if self.is_markup else 1)
        elif tag == "li":
            self.lines(1)
            self.add("  " * (len(self.lists) - 1) + self._bullet())
        elif tag in ("td", "th"):
            if node.prev is not None and self.ends[-1] != "\n":
                self.add(" | ")
        elif tag in LINES:
            self.lines(1)
        elif tag == "code":
            self.add("`")

    def _bullet(self) -> str:
        number = self.lists[-1] if self.lists else None
        if number is None:
            return "- "
        self.lists[-1] = number + 1
        return f"{number}. "

    def close(self, tag: str) -> None:
        """What stands after it."""
        if tag in ("ul", "ol"):
            self.lists.pop()
            self.lines(1 if self.lists else 2)
        elif tag in SPACED:
            self.lines(2 if self.is_markup else 1)
        elif tag in LINES:
            self.lines(1)
        elif tag == "code":
            self.add("`")

    def code(self, node: Any) -> None:
        """A block of code with its white space, in a fence longer than any in it."""
        text = node.text(deep=True, separator="", strip=False)
        fence = "`" * max([3, *(len(run) + 1 for run in re.findall("`{3,}", text))])
        inner = node.css_first("code")
        names = ((inner.attributes if inner is not None else None) or {}).get("class") or ""
        language = re.search(r"(?:^|\s)lang(?:uage)?-([\w+#-]+)", names)
        self.lines(2)
        self.add(f"{fence}{language[1] if language else ''}\n" + text.strip("\n") + f"\n{fence}")
        self.lines(2)


REPAIRS = (Repair("html", "markup to text; code blocks keep their form", needed, repair),)
