"""Classes of characters that decide how lines and sentences end and begin, in every script alike.

A class is a bit; a character may be of several. Sources: The Unicode Standard 16 (general categories; PropList.txt,
Sentence_Terminal) and, for Chinese, GB/T 15834-2011 (punctuation) and the usual spellings of list items (一、 （1） ①).

Python: `bool(classes()[ord("。")] & STOP)  # True`
"""

from __future__ import annotations

import sys
import unicodedata
from functools import cache

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "BULLET",
    "CLOSER",
    "COUNTER",
    "DASH",
    "DIGIT",
    "ELLIPSIS",
    "LETTER",
    "LIST_END",
    "NEWLINE",
    "NUMERAL",
    "OPENER",
    "PARTICLE",
    "QUOTE",
    "SPACE",
    "STOP",
    "WIDE",
    "classes",
]

NEWLINE, SPACE, LETTER, DIGIT, WIDE, STOP, ELLIPSIS, LIST_END = (1 << bit for bit in range(8))
"""Line feed; other white space; letter; decimal digit; of a script without spaces; ends a sentence; …; ；：."""
CLOSER, QUOTE, OPENER, BULLET, DASH, COUNTER, NUMERAL, PARTICLE = (1 << bit for bit in range(8, 16))
"""May follow a full stop; ends a quotation; （ and ( before a number; •; - and * with a space; ①; 一二三; 的了是."""

STOPS = (
    ".!?。！？．｡﹒﹗﹖‼⁇⁈⁉"  # Latin, Cyrillic, Greek, CJK
    "؟۔؝܀܁܂"  # Arabic, Syriac
    "।॥"  # Devanagari and its neighbours
    "։።፧፨๛။៕។᠃᠉"  # Armenian, Ethiopic, Thai, Burmese, Khmer, Mongolian
)
ELLIPSES = "…⋯‥"
LIST_ENDS = "；："
CLOSERS = ")]}）］｝】〕〉》」』〗〙”’\"'»›*_`~"
QUOTES = '」』”"»'
OPENERS = "(（"
BULLETS = "•‣▪▫●○◦■□◆◇►▶▷▸➢➤✓✔✗✘☑★☆※·・‧∙⁃∎"
DASHES = "-*+–—"
COUNTERS = "".join(map(chr, (*range(0x2460, 0x2500), *range(0x2776, 0x2794), *range(0x3220, 0x322A))))
"""① ⑴ ⒈ ⓐ, ❶ ➀, ㈠."""
NUMERALS = "一二三四五六七八九十百零〇两壹贰叁肆伍陆柒捌玖拾"
PARTICLES = (
    "的一是了在和有不这我他她它们中为以也就与及或其而之于上下到被把从对等着过得地者所但因如果可会能要都还那此该并将由向给让"
    "這們為與於對著過從個个很"
)
"""Han characters that chiefly serve as particles, pronouns, prepositions and auxiliaries, in both scripts."""
_LISTED = {
    STOP: STOPS,
    ELLIPSIS: ELLIPSES,
    LIST_END: LIST_ENDS,
    CLOSER: CLOSERS,
    QUOTE: QUOTES,
    OPENER: OPENERS,
    BULLET: BULLETS,
    DASH: DASHES,
    COUNTER: COUNTERS,
    NUMERAL: NUMERALS,
    PARTICLE: PARTICLES,
}
_LETTERS = ((0x3400, 0x9FFF), (0xAC00, 0xD7A3), (0x20000, 0x323AF))
"""Blocks of letters alone (but for the hexagrams), not looked at one by one."""


@cache
def classes() -> NDArray[np.uint16]:
    """The classes of every code point, as bits."""
    from dataforge.ops.terms import CHAR, tables

    table = np.zeros(sys.maxunicode + 1, np.uint16)
    for first, last in _LETTERS:
        table[first : last + 1] = LETTER
    table[0x4DC0:0x4E00] = 0
    for code in (*range(0x3400), *range(0xA000, 0xAC00), *range(0xD7B0, 0xD800), *range(0xF900, 0x20000)):
        char = chr(code)
        category = unicodedata.category(char)
        if category[0] == "L":
            table[code] = LETTER
        elif category == "Nd":
            table[code] = DIGIT
        elif char.isspace() or code == 0xFEFF:
            table[code] = SPACE
    table[ord("\n")] = NEWLINE
    for bit, chars in _LISTED.items():
        for char in chars:
            table[ord(char)] |= bit
    table[tables()[1] == CHAR] |= WIDE
    return table
