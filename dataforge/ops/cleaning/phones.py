"""Telephone numbers: Chinese mobiles and fixed lines, numbers of North America, international ones that begin with +.

Chinese mobiles are 1[3-9] and nine digits, with or without +86, in one piece or as 3-4-4 with blanks or hyphens; fixed
lines need an area code that begins with 0, and a separator. Numbers of North America need their separators (NXX NXX
XXXX with N from 2 to 9), others a plus sign and a country code (E.164: at most 15 digits), so that dates, ISBNs, order
numbers, decimals and version numbers stay. An order number of eleven digits that begins like a mobile is taken for one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from dataforge.ops.cleaning.runs import matches

__all__ = ["spans"]

_CHINESE = re.compile(
    r"(?<![0-9A-Za-z_.,/=#-])(?:(?:[(（]?(?:\+|00)86[)）]?)[ -]?)?1[3-9]\d([ -]?)\d{4}\1\d{4}"
    r"(?![0-9A-Za-z_]|[.,/-]\d| ?(?:[bB]ytes|字节|[KMG]i?B\b|元|km|rows|行))"
)
_FIXED = re.compile(
    r"(?<![0-9A-Za-z_.,/+-])(?:(?:\+|00)86[ -]?)?(?:[(（]0\d{2,3}[)）] ?|0\d{2,3}[- ])[2-8]\d{2,3}[ -]?\d{4}"
    r"(?![0-9A-Za-z_]|[./]\d|-\d{5})"
)
_AMERICAN = re.compile(
    r"(?<![0-9A-Za-z_.,/+(-])(?:\+?1[-. ]?)?"
    r"(?:\([2-9]\d{2}\)[ -]?[2-9]\d{2}[-. ]\d{4}|[2-9]\d{2}([-.])[2-9]\d{2}\1\d{4})(?![0-9A-Za-z_]|[./-]\d)"
)
_CODES = (
    r"(?:1|7|2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]"
    r"|2[1-689]\d|3[578]\d|42[013]|50\d|59\d|67\d|68\d|69[0-2]|85[02356]|88[06]|96\d|97[0-7]|99[2-68])"
)
_ABROAD = re.compile(
    rf"(?<![0-9A-Za-z_.+*/)\]-])\+{_CODES}(?:[ .-]?\(\d{{1,4}}\)|[ .-]?\d{{1,5}}){{1,6}}(?![0-9A-Za-z_]|[.,/]\d)"
)
FEWEST, MOST = 9, 15
"""Digits of an international number, country code included."""


def spans(text: str) -> Iterator[tuple[int, int]]:
    """(start, end) of every telephone number, in no order."""
    if "+" in text:
        for match in matches(_ABROAD, text):
            if FEWEST <= sum(map(str.isdigit, match[0])) <= MOST:
                yield match.span()
    for pattern in (_CHINESE, _FIXED, _AMERICAN):
        yield from (match.span() for match in matches(pattern, text))
