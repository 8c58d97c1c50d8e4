"""Lines and paragraphs: how they begin and end, how short they are, and which of them stand twice.

Lines are cut at line feeds, their white space at both ends does not count, blank ones are passed over. Paragraphs are
what blank lines separate. For each text, over its lines:

    bullet        begins with • - * + (with a space), ①, 1. 1) (1) or, in Chinese, 一、 1、 （一） （1）
    ellipsis      ends in … or ... or 。。。, closing quotes and brackets after it passed over
    terminal      ends in a sentence terminal of any script (。！？ too), ；：, an ellipsis, or a closing quote 」』”"
    short         is less than 30 wide; a character of a script without spaces is 3 wide, any other one
                  (English prompts of Alpaca have 3.2 times the characters of their Chinese translations)
    repeated      is the same as an earlier line

Sources: Gopher (Rae et al. 2021, table A1), C4 (Raffel et al. 2020, section 2.2), FineWeb (Penedo et al. 2024,
section 3.5). Their lists hold for English; full-width marks and Chinese list items are ours.

Cost: about 150 MB/s a core.
Python: `measure(texts)["lines"]`
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dataforge.ops.signals import characters as c
from dataforge.ops.signals.texts import Texts

__all__ = ["SHORT", "WIDE_CHARACTER", "Lines", "find_lines", "measure"]

SHORT = 30
"""FineWeb: lines of fewer than 30 characters are short."""
WIDE_CHARACTER = 3
IS_TERMINAL, IS_ELLIPSIS, IS_BULLET, IS_FIRST = 1, 2, 4, 8
_PRIME = np.uint64(0x100000001B3)
_BASIS = np.uint64(0xCBF29CE484222325)
_SPREAD = np.uint64(0x9E3779B97F4A7C15)

NEWLINE, SPACE, LETTER, DIGIT, WIDE, STOP = (*map(np.uint16, (c.NEWLINE, c.SPACE, c.LETTER, c.DIGIT, c.WIDE, c.STOP)),)
ELLIPSIS, LIST_END, CLOSER, QUOTE = (*map(np.uint16, (c.ELLIPSIS, c.LIST_END, c.CLOSER, c.QUOTE)),)
OPENER, BULLET, DASH, COUNTER, NUMERAL = (*map(np.uint16, (c.OPENER, c.BULLET, c.DASH, c.COUNTER, c.NUMERAL)),)


@dataclass(frozen=True)
class Lines:
    """The lines of some texts that are not blank.

    home: int64, the piece of each. begins, ends: int64, in `codes`. widths: int64. flags: uint8 (IS_...). keys:
    uint64, equal for equal lines of one piece.
    """

    home: NDArray[np.int64]
    begins: NDArray[np.int64]
    ends: NDArray[np.int64]
    widths: NDArray[np.int64]
    flags: NDArray[np.uint8]
    keys: NDArray[np.uint64]


@njit(cache=True, nogil=True)
def _is_bullet(codes: Any, classes: Any, pos: Any, end: Any) -> Any:
    """Whether a line that begins at `pos` is an item of a list."""
    first = classes[pos]
    if first & (BULLET | COUNTER):
        return True
    after = pos + 1
    if first & DASH:
        return after < end and (classes[after] & (SPACE | WIDE)) != 0
    opened = (first & OPENER) != 0
    if opened:
        pos = after
    kind, start = DIGIT, pos
    if pos < end and classes[pos] & NUMERAL:
        kind = NUMERAL
    while pos < end and pos - start < 4 and classes[pos] & kind:
        pos += 1
    if pos == start or pos >= end:
        return False
    mark = codes[pos]
    if mark == 41 or mark == 0xFF09:  # ) ）
        return True
    if opened:
        return False
    if mark == 0x3001 or mark == 0xFF0E:  # 、 ．
        return True
    # "1.5" is a number, "1. five" and "1.五" are items
    return mark == 46 and kind == DIGIT and pos + 1 < end and not classes[pos + 1] & DIGIT


@njit(cache=True, nogil=True)
def _ending(codes: Any, classes: Any, begin: Any, end: Any) -> Any:
    """How the line from `begin` to `end` (not empty) ends, as flags."""
    flags = 0
    if classes[end - 1] & QUOTE:
        flags |= IS_TERMINAL
    while end > begin and classes[end - 1] & CLOSER:
        end -= 1
    if end == begin:
        return flags
    last = classes[end - 1]
    if last & (STOP | ELLIPSIS | LIST_END):
        flags |= IS_TERMINAL
    if last & ELLIPSIS:
        flags |= IS_ELLIPSIS
    elif end - begin >= 3 and (codes[end - 1] == 46 or codes[end - 1] == 0x3002):  # . 。
        if codes[end - 2] == codes[end - 1] and codes[end - 3] == codes[end - 1]:
            flags |= IS_ELLIPSIS
    return flags


@njit(cache=True, nogil=True)
def _find(
    codes: Any, classes: Any, offsets: Any, home: Any, begins: Any, ends: Any, widths: Any, flags: Any, keys: Any
) -> Any:
    """Fill the columns of Lines; gives their number."""
    n = 0
    for piece in range(len(offsets) - 1):
        pos, stop = offsets[piece], offsets[piece + 1]
        fresh = True
        while pos < stop:
            while pos < stop and classes[pos] & SPACE:
                pos += 1
            begin, end, width, h = pos, pos, 0, _BASIS
            while pos < stop and not classes[pos] & NEWLINE:
                if not classes[pos] & SPACE:
                    end = pos + 1
                pos += 1
            for k in range(begin, end):
                width += WIDE_CHARACTER if classes[k] & WIDE else 1
                h = (h ^ np.uint64(codes[k])) * _PRIME
            pos += 1
            if end == begin:
                fresh = True
                continue
            home[n], begins[n], ends[n], widths[n] = piece, begin, end, width
            flags[n] = _ending(codes, classes, begin, end)
            if _is_bullet(codes, classes, begin, end):
                flags[n] |= IS_BULLET
            if fresh:
                flags[n] |= IS_FIRST
            h ^= h >> np.uint64(29)
            keys[n] = (h + np.uint64(piece) * _SPREAD) * _PRIME
            fresh = False
            n += 1
    return n


@njit(cache=True, nogil=True)
def _sentences(codes: Any, classes: Any, offsets: Any, counts: Any) -> None:
    """Sentence ends of each piece: the last of a run of terminals; after . ! ? white space or a closer must follow."""
    for piece in range(len(offsets) - 1):
        stop = offsets[piece + 1]
        for pos in range(offsets[piece], stop):
            if classes[pos] & STOP:
                after = classes[pos + 1] if pos + 1 < stop else NEWLINE
                if not after & STOP and (codes[pos] > 0x7F or after & (SPACE | NEWLINE | CLOSER | WIDE)):
                    counts[piece] += 1


def find_lines(texts: Texts) -> Lines:
    """The lines of texts that are not blank."""
    most = int(np.count_nonzero(texts.classes == NEWLINE)) + len(texts)
    home, begins, ends, widths = (np.empty(most, np.int64) for _ in range(4))
    flags, keys = np.empty(most, np.uint8), np.empty(most, np.uint64)
    n = _find(texts.codes, texts.classes, texts.offsets, home, begins, ends, widths, flags, keys)
    return Lines(home[:n], begins[:n], ends[:n], widths[:n], flags[:n], keys[:n])


def _repeated(keys: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """True for every key that stands earlier too."""
    again = np.ones(len(keys), bool)
    again[np.unique(keys, return_index=True)[1]] = False
    return again


def measure(texts: Texts, lines: Lines) -> dict[str, NDArray[np.float64]]:
    """Counts of each piece: lines, paragraphs and sentences, and the sums behind the shares (module docstring)."""
    n = len(texts)

    def count(of: NDArray[Any], home: NDArray[np.int64] = lines.home) -> NDArray[np.float64]:
        return np.bincount(home, weights=of, minlength=n).astype(np.float64)

    chars = lines.ends - lines.begins
    again = _repeated(lines.keys)
    sentences = np.zeros(n, np.int64)
    _sentences(texts.codes, texts.classes, texts.offsets, sentences)
    firsts = np.flatnonzero(lines.flags & IS_FIRST)
    homes = lines.home[firsts]
    blocks, block_chars = _repeated(_paragraph_keys(lines.keys, firsts)), _sums(chars, firsts)
    return {
        "lines": count(np.ones(len(chars))),
        "bullets": count((lines.flags & IS_BULLET) != 0),
        "ellipsis_lines": count((lines.flags & IS_ELLIPSIS) != 0),
        "terminals": count((lines.flags & IS_TERMINAL) != 0),
        "short": count(lines.widths < SHORT),
        "line_chars": count(chars),
        "repeated_lines": count(again),
        "repeated_line_chars": count(chars * again),
        "paragraphs": count(np.ones(len(firsts)), homes),
        "repeated_paragraphs": count(blocks, homes),
        "repeated_paragraph_chars": count(block_chars * blocks, homes),
        "sentences": sentences.astype(np.float64),
    }


def _paragraph_keys(keys: NDArray[np.uint64], firsts: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Keys of paragraphs, from those of their lines and the order of these."""
    within = np.arange(len(keys)) - np.repeat(firsts, np.diff(np.append(firsts, len(keys))))
    return _sums(keys * (2 * within + 1).astype(np.uint64), firsts)


def _sums(values: NDArray[Any], firsts: NDArray[np.int64]) -> NDArray[Any]:
    """Sums of the stretches that begin at `firsts`."""
    return np.add.reduceat(values, firsts) if len(firsts) else values[:0]
