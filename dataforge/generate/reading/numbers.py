"""Numbers of a text, however they are written: 1,000; １０００; twelve; 三十二; half a million is not tried.

An answer may write 32 where its source writes 三十二 or thirty-two, and the other way round. A number of several parts
(2024-05-01, 10:30, 1949.10.1) also counts as its parts, so that 1949年10月1日 is found in 1949.10.1.

Python: `sorted(numbers("第三十二条, thirty-two, 3.5"))  # ['3', '3.5', '32', '5']`
"""

from __future__ import annotations

import re
import unicodedata

from dataforge.generate.reading.quantity import read_han

__all__ = ["foreign", "numbers"]

_DIGITS = re.compile(r"\d+(?:[.,:/-]\d+)*")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_LISTED = re.compile(r"^[ \t>*#(-]*\d{1,3}[.)、:](?=\s|\D)")
_HAN = re.compile("[零〇一二两三四五六七八九十百千万亿]+")
_SMALL = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
).split()
_DECADES = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_WORDS = {word: value for value, word in enumerate(_SMALL)} | {
    word: 10 * value for value, word in enumerate(_DECADES, start=2)
}
_WORD = re.compile(rf"\b({'|'.join(_DECADES)})(?:[ -]({'|'.join(_SMALL[1:10])}))?\b|\b({'|'.join(_SMALL)})\b", re.I)


def numbers(text: str) -> set[str]:
    """All numbers of a text, in digits: as written, their parts, and those written in words."""
    return _whole(text) | {part for number in _whole(text) for part in re.split(r"[.,:/-]", number)} | _spelled(text)


def foreign(answer: str, known: set[str]) -> list[str]:
    """The numbers in digits of an answer that are not among the known ones, in order; list numbers are left out."""
    plain = "\n".join(_LISTED.sub("", line) for line in _plain(answer).splitlines())
    found = [_bare(number) for number in _DIGITS.findall(_THOUSANDS.sub("", plain))]
    parts = [[number] if number in known else re.split(r"[,:/-]", number) for number in found]
    return [part for several in parts for part in several if part not in known]


def _plain(text: str) -> str:
    return text if text.isascii() else unicodedata.normalize("NFKC", text)


def _bare(number: str) -> str:
    """Without zeros that say nothing: 05 is 5, 3.50 is 3.5."""
    if "." in number and number.count(".") == 1 and number.replace(".", "").isdecimal():
        number = number.rstrip("0").rstrip(".")
    return number.lstrip("0") or "0" if number.isdecimal() else number


def _whole(text: str) -> set[str]:
    return {_bare(number) for number in _DIGITS.findall(_THOUSANDS.sub("", _plain(text)))}


def _spelled(text: str) -> set[str]:
    found = {str(han) for run in _HAN.findall(text) if (han := read_han(run)) is not None}
    for decade, unit, small in _WORD.findall(text):
        value = _WORDS[small.lower()] if small else _WORDS[decade.lower()] + (_WORDS[unit.lower()] if unit else 0)
        found.add(str(value))
    return found
