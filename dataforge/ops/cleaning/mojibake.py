"""Repair `mojibake`: text decoded as something else than what it was encoded in.

UTF-8 read as Windows-1252 and its kin (schÃ¶n for schön) is repaired by ftfy (Robyn Speer, ftfy: fixes text for you),
line by line, where a pair of characters looks like the bytes of one. UTF-8 read as GBK (浣犲ソ for 你好), which ftfy
does not know, is repaired where all of a stretch without ASCII turns into sound UTF-8 and holds a character that
Chinese text has not (GBK beyond GB 2312), so that innocent Chinese is safe.
What was lost on the way (锟斤拷, ?) cannot come back; of a stretch that ends in U+FFFD the rest does.
"""

from __future__ import annotations

import codecs
import re
from collections import Counter

from dataforge.ops.cleaning.repair import Repair, Settings

__all__ = ["REPAIRS", "needed", "repair"]

READ_AS = ("latin-1", "cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp1257", "mac_roman", "cp437", "iso8859_2")


def _bytes_in(first: int, last: int) -> str:
    """A character class of what the encodings make of a range of bytes."""
    signs = {bytes([code]).decode(name, errors="ignore") for name in READ_AS for code in range(first, last + 1)}
    return "[" + "".join(re.escape(sign) for sign in sorted(signs) if sign and not sign.isascii()) + "]"


def _beyond_gb2312() -> str:
    """The characters beyond GB 2312 that GBK makes of two bytes in a row of Chinese in UTF-8.

    In E4-E9 80-BF 80-BF E4-E9 ... these are a lead and a continuation, two continuations, or the other way about.
    """
    leads, others = (0xE2, 0xE3, *range(0xE4, 0xEA), 0xEF), range(0x80, 0xC0)
    pairs = [(a, b) for a in leads for b in others] + [(a, b) for a in others for b in (*leads, *others)]
    signs = {bytes(pair).decode("gbk", errors="ignore") for pair in pairs}
    rare = (sign for sign in signs if len(sign) == 1 and not sign.encode("gb2312", errors="ignore"))
    return "[" + "".join(sorted(sign for sign in rare if "\u3000" < sign < "\uf900")) + "]"


_WESTERN = re.compile(f"{_bytes_in(0xC2, 0xF4)}{_bytes_in(0x80, 0xBF)}")
_RARE = re.compile(_beyond_gb2312())
LOST = "\ufffd"
_STRETCH = re.compile("[^\x00-\x7f]{3,}")
_CHINESE = re.compile("[\u4e00-\u9fff\u3000-\u303f\uff00-\uffef\u2010-\u2026]+")


def needed(text: str) -> bool:
    """True if the text looks like it here or there."""
    return not text.isascii() and (_WESTERN.search(text) is not None or _RARE.search(text) is not None)


def repair(text: str, settings: Settings, found: Counter[str]) -> str:
    """The text as it was written."""
    if _WESTERN.search(text) is not None:
        import ftfy

        lines = text.split("\n")
        text = "\n".join(ftfy.fix_encoding(line) if _WESTERN.search(line) else line for line in lines)
    if _RARE.search(text) is not None:
        text = _STRETCH.sub(_as_utf8, text)
    return text


def _as_utf8(match: re.Match[str]) -> str:
    """A stretch that was UTF-8 read as GBK, as UTF-8; any other as it is."""
    stretch = match[0]
    if _RARE.search(stretch) is None:
        return stretch
    bare = stretch.removesuffix(LOST)
    try:
        decoder = codecs.getincrementaldecoder("utf-8")()
        meant = decoder.decode(bare.encode("gbk"), final=bare == stretch)
    except UnicodeError:
        return stretch
    return meant + stretch[len(bare) :] if _CHINESE.fullmatch(meant) else stretch


REPAIRS = (Repair("mojibake", "text decoded in the wrong encoding", needed, repair, default=True),)
