r"""Documents cut into passages that a model can be asked about, at the ends of paragraphs and sentences.

Passages joined give the document, character by character: nothing is stripped, nothing overlaps. A document of L
characters and a longest passage of P needs ceil(L / P) passages; each cut is looked for between half and all of that
even share (or, where there is none, up to P), so that no scrap is left at the end. Of the places there, the best kind
wins, and of these the nearest to the even share:

    1 the end of a paragraph (a blank line)           4 the end of any other line
    2 the end of a line that ends a sentence          5 the end of a clause (， ； 、 ： , ; :), then of a word
    3 the end of a sentence: . ! ? before a blank,    6 anywhere but inside a character of several code points
      。！？ anywhere, closing quotes and brackets
      with it

Reads and writes nothing; about 10 MB/s.
Python: `[passage.text for passage in cut("第一段。\n\n第二段。", 5)]  # ['第一段。\n', ...]`
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Passage", "cut", "sentences"]

_CLOSING = "[\"'”’」』）)\\]》〉】*_]*"
_STOP = re.compile(rf"[。！？｡]+{_CLOSING}|[.!?．]+{_CLOSING}(?=\s|$)")
_ABBREVIATED = re.compile(
    r"(?:^|[\s(（\"“'‘])(?:(?:[A-Za-z]\.)*[A-Za-z]|Dr|Mr|Mrs|Ms|Prof|Sr|Jr|St|Gen|Col|Capt|Lt|Sen|Rep|Gov|vs|etc|cf|"
    r"eg|ie|al|approx|no|No|Nos|vol|Vol|pp|Fig|fig|figs|Figs|Eq|eq|Sec|sec|Art|art|ca|Inc|Ltd|Co|Corp|Jan|Feb|Mar|Apr|"
    r"Jun|Jul|Aug|Sep|Sept|Oct|Nov|Dec|\d{1,3})$"
)
"""What stands before a full stop that ends no sentence: titles, initials, the number of a list item at a line start."""
_NUMBERED = re.compile(r"(?:^|[\r\n]|[.!?;:。！？；：]\s)[ \t>*#-]*\d{1,3}$")
_WHITE = re.compile(r"\s+")
_PARAGRAPH = re.compile(r"\r?\n[^\S\n]*\n\s*")
_SENTENCE_LINE = re.compile(rf"[.!?．。！？｡]{_CLOSING}[^\S\r\n]*[\r\n]\s*")
_LINE = re.compile(r"[\r\n]\s*")
_CLAUSE = re.compile(r"[，；、：]|[,;:]\s+")
LOOK_BACK = 24
"""Characters before a full stop that are looked at for an abbreviation."""


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of a document: `text == document[start:end]`, offsets in characters (code points)."""

    text: str
    start: int
    end: int


def cut(document: str, size: int) -> list[Passage]:
    """The passages of a document, each of at most `size` characters (1 or more). An empty document has none."""
    passages = []
    start = 0
    while start < len(document):
        end = _end(document, start, size)
        passages.append(Passage(document[start:end], start, end))
        start = end
    return passages


def _end(document: str, start: int, size: int) -> int:
    """Where the passage that begins at `start` ends."""
    rest = len(document) - start
    if rest <= size:
        return len(document)
    share = -(-rest // -(-rest // size))
    window = document[start : start + size + 1]  # one more, to see what follows the last place
    for find in _PLACES:
        inside = [place for place in find(window) if share // 2 < place <= size]
        if inside:
            return start + min(inside, key=lambda place: (abs(place - share), place))
    return start + _whole(window, share)


def _whole(text: str, place: int) -> int:
    """The place, moved back to where no character of several code points is cut (forward where there is none)."""
    for back in range(place, max(place - 32, 0), -1):
        char, before = text[back], text[back - 1]
        joined = unicodedata.category(char) in ("Mn", "Me", "Mc") or char == "\u200d" or before == "\u200d"
        skin = "\U0001f3fb" <= char <= "\U0001f3ff"
        if not joined and not skin and not (before == "\r" and char == "\n"):
            return back
    return place


def _stops(text: str) -> list[int]:
    """Where sentences end, in order; white space after a sentence belongs to it."""
    ends = []
    for found in _STOP.finditer(text):
        place = found.start()
        if text[place] == "." and found.group()[:2] != ".." and _goes_on(text, place):
            continue
        white = _WHITE.match(text, found.end())
        ends.append(white.end() if white else found.end())
    return ends


def _goes_on(text: str, place: int) -> bool:
    """True for the full stop of an abbreviation or a list number."""
    before = text[max(place - LOOK_BACK, 0) : place]
    found = _ABBREVIATED.search(before)
    if found is None:
        return False
    word = before[found.start() :].strip(" \t\r\n(（\"“'‘")
    if word.isdecimal():
        return _NUMBERED.search(before) is not None or place - len(word) == 0
    return True


def _ends(kind: re.Pattern[str]) -> Callable[[str], list[int]]:
    return lambda text: [found.end() for found in kind.finditer(text)]


_PLACES = (*map(_ends, (_PARAGRAPH, _SENTENCE_LINE)), _stops, *map(_ends, (_LINE, _CLAUSE, _WHITE)))
"""Kinds of places to cut at, the best first."""


def sentences(text: str) -> list[str]:
    """The sentences of a text, without white space around them; a line ends one too. What is blank is left out."""
    found = []
    for line in text.splitlines():
        bounds = [0, *_stops(line), len(line)]
        found += [line[start:end].strip() for start, end in zip(bounds, bounds[1:], strict=False)]
    return [sentence for sentence in found if sentence]
