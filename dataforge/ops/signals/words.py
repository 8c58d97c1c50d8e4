"""Words: how many, how long, with or without letters, function words among them, and phrases of page furniture.

Words are runs of letters, marks and digits of scripts with spaces; a character of a script without spaces (Han, kana,
Thai) counts two thirds of a word (see `dataforge.ops.signals.repeats`).

Sources: Gopher (Rae et al. 2021, table A1), C4 (Raffel et al. 2020, section 2.2). Gopher's words are what white space
separates, with the punctuation on them; ours are without, which makes them 0.3 characters shorter on web pages.

Cost: about 300 MB/s a core.
Python: `measure(texts)["words"]`
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dataforge.ops.signals import characters
from dataforge.ops.signals.function_words import PHRASES, eight_words, phrases
from dataforge.ops.signals.texts import Texts
from dataforge.ops.terms import CHAR, WORD

__all__ = ["find_phrases", "function_words", "has_phrase", "measure"]

LETTER, ELLIPSIS, PARTICLE = map(np.uint16, (characters.LETTER, characters.ELLIPSIS, characters.PARTICLE))
COUNTED = ("words", "chars", "symbols", "word_chars", "lettered", "particles", "han", "kana", "listed")
SIGNS = ("hashes", "ellipses", "curly")
_SLOTS = 4096


@cache
def _lookup(name: str) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """A hash table from the first hash of each entry to the entry's number + 1 (0: an empty slot)."""
    if name == "words":
        firsts = eight_words()[0]
    else:
        hashes, offsets = phrases(PHRASES[name])
        firsts = hashes[offsets[:-1]]
    keys, numbers = np.zeros(_SLOTS, np.uint64), np.zeros(_SLOTS, np.int64)
    for number, key in enumerate(firsts.tolist()):
        slot = key % _SLOTS
        while numbers[slot]:
            slot = (slot + 1) % _SLOTS
        keys[slot], numbers[slot] = key, number + 1
    return keys, numbers


@njit(cache=True, nogil=True)
def _function_words(
    hashes: Any, offsets: Any, keys: Any, numbers: Any, starts: Any, languages: Any, bits: Any, out: Any
) -> None:
    """The bits of the words of each language that each piece has (pieces x languages)."""
    for piece in range(len(offsets) - 1):
        for k in range(offsets[piece], offsets[piece + 1]):
            slot = np.int64(hashes[k] & np.uint64(_SLOTS - 1))
            while numbers[slot] != 0:
                if keys[slot] == hashes[k]:
                    number = numbers[slot] - 1
                    for use in range(starts[number], starts[number + 1]):
                        out[piece, languages[use]] |= bits[use]
                    break
                slot = (slot + 1) & (_SLOTS - 1)


@njit(cache=True, nogil=True)
def _find_phrases(
    hashes: Any, offsets: Any, keys: Any, numbers: Any, phrase_hashes: Any, phrase_offsets: Any, out: Any
) -> None:
    """Mark the terms at which a phrase begins. Phrases with one first term stand in neighbouring slots."""
    for piece in range(len(offsets) - 1):
        stop = offsets[piece + 1]
        for k in range(offsets[piece], stop):
            slot = np.int64(hashes[k] & np.uint64(_SLOTS - 1))
            while numbers[slot] != 0:
                if keys[slot] == hashes[k]:
                    first, last = phrase_offsets[numbers[slot] - 1], phrase_offsets[numbers[slot]]
                    at = 0
                    while first + at < last and k + at < stop and hashes[k + at] == phrase_hashes[first + at]:
                        at += 1
                    if first + at == last:
                        out[k] = True
                slot = (slot + 1) & (_SLOTS - 1)


@njit(cache=True, nogil=True)
def _signs(codes: Any, classes: Any, offsets: Any, out: Any) -> None:
    """Of each piece: runs of #, ellipses (… or three or more of . or 。), curly brackets."""
    for piece in range(len(offsets) - 1):
        run, before = 0, np.uint32(0)
        for k in range(offsets[piece], offsets[piece + 1]):
            code = codes[k]
            if code == before:
                run += 1
            else:
                run = 1
            if code == 35 or code == 0xFF03:  # # ＃
                out[piece, 0] += run == 1
            elif classes[k] & ELLIPSIS:
                out[piece, 1] += run == 1
            elif code == 46 or code == 0x3002:  # . 。
                out[piece, 1] += run == 3
            elif code == 123 or code == 125:  # { }
                out[piece, 2] += 1
            before = code


def function_words(texts: Texts) -> NDArray[np.uint8]:
    """For each piece and language of EIGHT, which of its words the piece has, as bits."""
    _, starts, languages, bits = eight_words()
    out = np.zeros((len(texts), int(languages.max()) + 1), np.uint8)
    _function_words(texts.terms.hashes, texts.terms.offsets, *_lookup("words"), starts, languages, bits, out)
    return out


def find_phrases(texts: Texts, name: str) -> NDArray[np.int64]:
    """Where in `codes` phrases begin. name: of PHRASES."""
    found = np.zeros(len(texts.terms.hashes), bool)
    which = phrases(PHRASES[name])
    _find_phrases(texts.terms.hashes, texts.terms.offsets, *_lookup(name), *which, found)
    return texts.starts[found].astype(np.int64)


def has_phrase(texts: Texts, name: str) -> NDArray[np.bool_]:
    """Which pieces have a phrase. name: of PHRASES."""
    found = np.zeros(len(texts), bool)
    found[np.searchsorted(texts.offsets, find_phrases(texts, name), side="right") - 1] = True
    return found


@njit(cache=True, nogil=True)
def _count(kinds: Any, offsets: Any, starts: Any, ends: Any, codes: Any, classes: Any, out: Any) -> None:
    """Fill `out` (pieces x COUNTED)."""
    for piece in range(len(offsets) - 1):
        for k in range(offsets[piece], offsets[piece + 1]):
            kind, code = kinds[k], codes[starts[k]]
            if kind == WORD:
                out[piece, 0] += 1
                out[piece, 3] += ends[k] - starts[k]
                out[piece, 8] += code < 0x0980 or 0x1E00 <= code <= 0x1FFF or 0xAC00 <= code <= 0xD7A3
                for pos in range(starts[k], ends[k]):
                    if classes[pos] & LETTER:
                        out[piece, 4] += 1
                        break
            elif kind == CHAR:
                out[piece, 1] += 1
                out[piece, 8] += code >= 0x2E80 or 0x0E00 <= code <= 0x0E7F
                if 0x3400 <= code <= 0x9FFF or 0xF900 <= code <= 0xFAFF or code >= 0x20000:
                    out[piece, 6] += 1
                    if classes[starts[k]] & PARTICLE:
                        out[piece, 5] += 1
                elif 0x3041 <= code <= 0x30FF or 0xFF66 <= code <= 0xFF9D:
                    out[piece, 7] += 1
            else:
                out[piece, 2] += 1


def measure(texts: Texts) -> dict[str, NDArray[np.float64]]:
    """Counts of each piece.

    words (with spaces), chars (of scripts without), symbols; word_chars: characters of the words; lettered: words with
    a letter; han, kana, particles: Han characters, kana, Chinese function characters; listed: words
    and chars of scripts that have a language in EIGHT; hashes, ellipses, curly: signs.
    """
    terms = texts.terms
    counts, signs = np.zeros((len(texts), len(COUNTED))), np.zeros((len(texts), len(SIGNS)))
    _count(terms.kinds, terms.offsets, texts.starts, texts.ends, texts.codes, texts.classes, counts)
    _signs(texts.codes, texts.classes, texts.offsets, signs)
    return {
        **{name: counts[:, number] for number, name in enumerate(COUNTED)},
        **{name: signs[:, number] for number, name in enumerate(SIGNS)},
    }
