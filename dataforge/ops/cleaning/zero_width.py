"""Repair `zero-width`: invisible characters, except where writing needs them.

What stays: joiners (ZWJ, ZWNJ) beside letters and marks of scripts that join or stack (Arabic and Persian, Indic and
others) and ZWJ between emoji; variation selectors after the characters that they vary (emoji, symbols, Han); zero width
spaces between letters of Thai, Lao, Khmer and Burmese, which write no spaces; marks of direction in texts that hold
letters from right to left; tag characters after the black flag (the flags of Scotland, Wales).
What goes: everything else of these, byte order marks, word joiners, invisible operators, and soft hyphens. But where
one soft hyphen of a text stands where no word can be broken (before -t, in ntfs-3g), all of them were hyphens before a
converter made them soft, and become hyphens again.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter

from dataforge.ops.cleaning.repair import Repair, Settings

__all__ = ["REPAIRS", "needed", "repair"]

_ANY = re.compile(
    "[\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufe00-\ufe0f\ufeff"
    "\U000e0000-\U000e007f\U000e0100-\U000e01ef]+"
)
_RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff]")
_JOINING = re.compile(
    "[\u0600-\u06ff\u0700-\u074f\u0750-\u07ff\u0840-\u08ff\u0900-\u0dff\u0f00-\u109f\u1780-\u18af\u1a20-\u1aaf"
    "\u1b00-\u1bff\ua840-\ua87f\ua8e0-\ua95f\ua980-\ua9df\uaae0-\uabff\ufb50-\ufdff\ufe70-\ufefc"
    "\U00010a00-\U00010aff\U00011000-\U00011fff\U0001e900-\U0001e95f]"
)
_UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff]")
_HAN = re.compile("[\u2e80-\u303f\u3400-\u9fff\uf900-\ufaff\U00020000-\U000323af]")
_VARIED = re.compile("[#*0-9\u2018-\u201d\u2139\u1000-\u109f\ua840-\ua87f\uaa60-\uaa7f]")
"""Characters with variants beside pictures and Han: keycaps, quotation marks, ℹ, letters of Burmese and Phags-pa."""
DIRECTIONS = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
SOFT = "\u00ad"
_BREAK = re.compile("(?<=[^\\W\\d_])\u00ad(?=[^\\W\\d_]|\\n)|(?<=[-\u2010-\u2013])\u00ad|\u00ad(?=[-\u2010])")
"""A soft hyphen where a word can be broken, or beside a hyphen."""
FLAG = "\U0001f3f4"


def needed(text: str) -> bool:
    """True if there is an invisible character."""
    return not text.isascii() and _ANY.search(text) is not None


def repair(text: str, settings: Settings, found: Counter[str]) -> str:
    """The text without the invisible characters that mean nothing where they stand."""
    if SOFT in text and SOFT in _BREAK.sub("", text):
        text = re.sub("(?<=[-\u2010-\u2013])\u00ad|\u00ad(?=-)", "", text).replace(SOFT, "-")
    rtl = _RIGHT_TO_LEFT.search(text) is not None

    def kept(match: re.Match[str]) -> str:
        before = text[match.start() - 1 : match.start()]
        after = text[match.end() : match.end() + 1]
        run = match[0]
        if before == FLAG and run[0] >= "\U000e0000":
            return run
        return "".join(sign for at, sign in enumerate(run) if _belongs(sign, run[:at], before, after, rtl))

    return _ANY.sub(kept, text)


def _belongs(sign: str, earlier: str, before: str, after: str, rtl: bool) -> bool:
    """True if a sign of a run of invisible ones, between the visible `before` and `after`, has a meaning there."""
    if not before:
        return sign in DIRECTIONS and rtl
    if sign in DIRECTIONS:
        return rtl
    if "\ufe00" <= sign <= "\ufe0f":
        return not earlier and (_is_picture(before) or bool(_VARIED.match(before) or _HAN.match(before)))
    if sign >= "\U000e0100":
        return not earlier and bool(_HAN.match(before))
    if sign == "\u200d":
        pictures = _is_picture(before) and _is_picture(after) and earlier in ("", "\ufe0f")
        return pictures or (not earlier and bool(_JOINING.match(before)))
    if sign == "\u200c":
        return not earlier and bool(_JOINING.match(before)) and bool(after)
    if sign == "\u200b":
        return not earlier and bool(_UNSPACED.match(before)) and bool(_UNSPACED.match(after))
    return False


def _is_picture(char: str) -> bool:
    """True for emoji and other symbols, and the skin colours that follow them."""
    return bool(char) and unicodedata.category(char) in ("So", "Sk", "Sm", "Po") and not char.isascii()


REPAIRS = (Repair("zero-width", "invisible characters that mean nothing where they stand", needed, repair, True),)
