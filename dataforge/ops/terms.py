r"""Terms: what texts are compared and counted by, found in UTF-8 bytes by compiled loops.

    word     a run of letters, marks and digits of a script that puts spaces between words ("don't" is two)
    char     one character of a script that does not (Han, kana, Thai, Lao, Khmer, Burmese)
    symbol   a mathematical, currency or other symbol, an emoji, one of * / % & # @ \, and - not between two letters;
             the same one many times over is one term

Everything else (white space, punctuation) separates. Terms are compared folded: NFC, then code point by code point the
compatibility form and the case folding wherever these are one code point (The Unicode Standard, UAX #15, CaseFolding).
So "A" at any width and "a" are one word, and 1 + 1 is not 1 - 1. Zero-width characters and variation selectors are
passed over.

Cost: about 300 MB/s a core of ASCII; compiled once (some seconds), then loaded from numba's cache.
Python: `Terms.of(["Hello, world 你好"]).kinds.tolist()  # [1, 1, 2, 2]`
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

__all__ = ["CHAR", "SYMBOL", "WORD", "Packed", "Terms", "count_terms", "pack", "tables"]

BREAK, WORD, CHAR, SYMBOL, IGNORED = range(5)
"""Kinds of code points (the same numbers as in termloops); WORD, CHAR and SYMBOL are kinds of terms too."""
UNSPACED = (
    *((0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x19E0, 0x19FF)),
    *((0x2E80, 0x2FDF), (0x3005, 0x3007), (0x3031, 0x312F), (0x31A0, 0x31BF), (0x31F0, 0x31FF), (0x3400, 0x4DBF)),
    *((0x4E00, 0x9FFF), (0xA9E0, 0xA9FF), (0xAA60, 0xAA7F), (0xD800, 0xDFFF), (0xE000, 0xF8FF), (0xF900, 0xFAFF)),
    *((0xFF66, 0xFF9F), (0x1AFF0, 0x1B16F), (0x20000, 0x323AF), (0xF0000, 0x10FFFD)),
)
"""Blocks of scripts without spaces between words (Blocks.txt), and code points nobody has given a meaning."""
ASCII_SYMBOLS = "*/%&#@\\-"
LIMIT = 0x110000
_FILLED = ((0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xAC00, 0xD7A3), (0xD800, 0xF8FF), (0x20000, 0x10FFFF))
"""Blocks that are alike throughout (but for what is not assigned yet), not looked at one by one."""


@dataclass(frozen=True)
class Packed:
    """Texts end to end: `data` (uint8) and `offsets` (int64, one more than there are texts)."""

    data: NDArray[np.uint8]
    offsets: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.offsets) - 1


def pack(texts: Sequence[str]) -> Packed:
    """Texts as UTF-8 bytes in NFC, end to end; lone surrogates take three bytes."""
    encoded = [_encode(text) for text in texts]
    offsets = np.zeros(len(encoded) + 1, np.int64)
    np.cumsum(np.fromiter(map(len, encoded), np.int64, len(encoded)), out=offsets[1:])
    return Packed(np.frombuffer(b"".join(encoded), np.uint8), offsets)


def _encode(text: str) -> bytes:
    if not text.isascii() and not unicodedata.is_normalized("NFC", text):
        text = unicodedata.normalize("NFC", text)
    return text.encode(errors="surrogatepass")


@dataclass(frozen=True)
class Terms:
    """The terms of some texts, in order; text i has those from `offsets[i]` to `offsets[i + 1]`.

    hashes: uint64, equal for equal terms. kinds: uint8 (WORD, CHAR, SYMBOL). starts, ends: int64, into `packed.data`.
    """

    packed: Packed
    offsets: NDArray[np.int64]
    hashes: NDArray[np.uint64]
    kinds: NDArray[np.uint8]
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]

    @classmethod
    def of(cls, texts: Sequence[str]) -> Terms:
        """The terms of texts; 25 bytes of memory a term."""
        from dataforge.ops.termloops import find_loop

        packed = pack(texts)
        offsets = np.zeros(len(texts) + 1, np.int64)
        np.cumsum(count_terms(packed).sum(axis=1), out=offsets[1:])
        n = int(offsets[-1])
        columns = np.empty(n, np.uint64), np.empty(n, np.uint8), np.empty(n, np.int64), np.empty(n, np.int64)
        find_loop(packed.data, packed.offsets, tables(), *columns)
        return cls(packed, offsets, *columns)


def count_terms(packed: Packed) -> NDArray[np.int64]:
    """Words, chars and symbols of each text: an array of shape (texts, 3)."""
    from dataforge.ops.termloops import count_loop

    counts = np.zeros((len(packed), 3), np.int64)
    count_loop(packed.data, packed.offsets, tables(), counts)
    return counts


@cache
def tables() -> tuple[NDArray[np.uint32], NDArray[np.uint8], NDArray[np.uint8]]:
    """What each code point folds to; its kind; for each byte 0 (a break), 254, 255 (look it up), or it folded."""
    fold = np.arange(LIMIT, dtype=np.uint32)
    kind = np.zeros(LIMIT, np.uint8)
    for low, high in _FILLED:
        kind[low : high + 1] = WORD
    low = 0
    for first, last in (*_FILLED, (LIMIT, LIMIT)):
        for code in range(low, first):
            category = unicodedata.category(chr(code))
            if category != "Cn":
                fold[code] = _fold(chr(code))
                kind[code] = _kind(chr(code), category)
        low = last + 1
    for code in range(0xF900, 0xFB00):  # compatibility ideographs
        fold[code] = _fold(chr(code))
    for first, last in UNSPACED:
        block = kind[first : last + 1]
        block[(block == WORD)] = CHAR
    kind[0x323B0:0xF0000] = BREAK
    kind[0xE0000:0xE0FFF] = IGNORED
    kind = kind[fold]
    fast = np.full(256, 254, np.uint8)
    fast[:128] = np.where(kind[:128] == WORD, fold[:128], np.where(kind[:128] == SYMBOL, 255, 0))
    return fold, kind, fast


def _fold(char: str) -> int:
    plain = unicodedata.normalize("NFKC", char)
    plain = plain if len(plain) == 1 else char
    lower = plain.casefold()
    return ord(lower if len(lower) == 1 else plain)


def _kind(char: str, category: str) -> int:
    if char in ASCII_SYMBOLS:
        return SYMBOL
    if category == "Cf" or 0xFE00 <= ord(char) <= 0xFE0F:
        return IGNORED
    if category[0] in "LMN" or category == "Pc":
        return WORD
    return SYMBOL if category[0] == "S" else BREAK
