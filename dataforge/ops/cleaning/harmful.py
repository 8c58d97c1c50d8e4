"""Word lists: which rows hold a word of a list, without taking innocent words for it.

Two lists come with the package, `en` and `zh`; any other name is a file. A list has a word or phrase a line; `# ...` is
a comment, and a line that begins with `!` is an exception: where it stands, the words inside it do not count.

Case and width of letters do not count. Words of spaced scripts match whole words only (Scunthorpe is no hit, nor is
`class`), with any white space or hyphen between the words of a phrase; words with Chinese, Japanese or Korean
characters match anywhere, as these scripts have no spaces, and need their exceptions.

Cost: a set look-up a word and a pair of characters, whatever the length of the list.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from dataforge.errors import InputError, UsageError

__all__ = ["BUILT_IN", "WordList", "load", "parse"]

BUILT_IN = ("en", "zh")
_UNSPACED = re.compile("[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U000323af]")
_WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)*")


@dataclass(frozen=True)
class WordList:
    """A list, ready to be asked.

    phrases: the first word of each phrase of a spaced script -> the phrases. parts: the first two characters of each
    unspaced word (the first, where there is one) -> the words. exceptions: likewise.
    """

    name: str
    phrases: dict[str, tuple[tuple[str, ...], ...]]
    parts: dict[str, tuple[str, ...]]
    exceptions: tuple[str, ...]

    def find(self, text: str) -> str | None:
        """The first word of the list that the text holds, or None."""
        text = _folded(text)
        hit = self._spaced(text) if self.phrases else None
        return hit or (self._unspaced(text) if self.parts and not text.isascii() else None)

    def _spaced(self, text: str) -> str | None:
        if not self.phrases.keys() & set(_WORD.findall(text)):
            return None
        words = list(_WORD.finditer(text))
        for at, word in enumerate(words):
            for phrase in self.phrases.get(word[0], ()):
                run = words[at : at + len(phrase)]
                if tuple(one[0] for one in run) != phrase or not _is_joined(text, run):
                    continue
                if not self._is_excepted(text, word.start(), run[-1].end()):
                    return " ".join(phrase)
        return None

    def _unspaced(self, text: str) -> str | None:
        present = set(text)
        present.update(map("".join, zip(text, text[1:], strict=False)))
        for start in self.parts.keys() & present:
            for word in self.parts[start]:
                at = text.find(word)
                while at >= 0:
                    if not self._is_excepted(text, at, at + len(word)):
                        return word
                    at = text.find(word, at + 1)
        return None

    def _is_excepted(self, text: str, start: int, end: int) -> bool:
        """True if an exception stands around this place."""
        for exception in self.exceptions:
            at = text.find(exception, max(0, end - len(exception)), start + len(exception))
            if 0 <= at <= start and at + len(exception) >= end:
                return True
        return False


def _folded(text: str) -> str:
    return text.lower() if text.isascii() else unicodedata.normalize("NFKC", text).casefold()


def _is_joined(text: str, run: list[re.Match[str]]) -> bool:
    """True if nothing but white space and hyphens stands between the words."""
    gaps = (text[one.end() : two.start()] for one, two in zip(run, run[1:], strict=False))
    return all(not gap.strip(" \t\n-\u2010\u2011") for gap in gaps)


def parse(name: str, text: str) -> WordList:
    """A list from its lines."""
    phrases: dict[str, list[tuple[str, ...]]] = {}
    parts: dict[str, list[str]] = {}
    exceptions = []
    for line in text.splitlines():
        word = _folded(line.strip())
        if not word or word[0] == "#":
            continue
        if word[0] == "!":
            exceptions.append(word[1:].strip())
        elif _UNSPACED.search(word):
            parts.setdefault(word[:2], []).append(word)
        elif words := tuple(_WORD.findall(word)):
            phrases.setdefault(words[0], []).append(words)
    return WordList(
        name,
        {first: tuple(found) for first, found in phrases.items()},
        {first: tuple(found) for first, found in parts.items()},
        tuple(exceptions),
    )


@cache
def load(name: str) -> WordList:
    """A list of the package, or a file; raises UsageError or InputError if there is none, or no word in it."""
    if name in BUILT_IN:
        path = Path(__file__).with_name("words") / f"{name}.txt"
    else:
        path = Path(name)
    try:
        words = parse(path.stem, path.read_text(encoding="utf-8-sig"))
    except OSError as fault:
        help = f"the package has the lists {', '.join(BUILT_IN)}; any other is a file with a word a line"
        raise UsageError(f"--harmful: {name!r} cannot be read ({fault.strerror})", help=help) from None
    except UnicodeDecodeError:
        raise InputError("is no UTF-8 text", place=name) from None
    if not words.phrases and not words.parts:
        raise InputError("holds no words", place=name, help="a list has a word or phrase a line")
    return words
