"""Terms and shingle sets written out in plain Python, as an oracle for the compiled loops: no hash, no bytes."""

import unicodedata
from functools import cache

from dataforge.ops.terms import UNSPACED

WORD, CHAR, SYMBOL = 1, 2, 3
SYMBOLS = "*/%&#@\\-"


@cache
def folded(char):
    plain = unicodedata.normalize("NFKC", char)
    plain = plain if len(plain) == 1 else char
    lower = plain.casefold()
    return lower if len(lower) == 1 else plain


@cache
def kind(char):
    """Kind of a code point after folding: "" separates, None is passed over."""
    char = folded(char)
    code, category = ord(char), unicodedata.category(char)
    if char in SYMBOLS:
        return SYMBOL
    if category == "Cf" or 0xFE00 <= code <= 0xFE0F or 0xE0000 <= code <= 0xE0FFE:
        return None
    if category == "Cn" and 0x20000 <= code <= 0x323AF:
        return CHAR  # what will be assigned there is Han
    if category[0] in "LMN" or category in ("Pc", "Cs", "Co"):
        return CHAR if any(low <= code <= high for low, high in UNSPACED) else WORD
    return SYMBOL if category[0] == "S" else ""


def ascii_letter(char):
    return char.isascii() and char.isalpha()


def terms(text):
    """[(kind, folded text)] of a text."""
    text = unicodedata.normalize("NFC", text)
    found, place = [], 0
    while place < len(text):
        char, what = text[place], kind(text[place])
        start, place = place, place + 1
        if what == WORD:
            word = folded(char)
            while place < len(text) and kind(text[place]) in (WORD, None):
                word += folded(text[place]) if kind(text[place]) == WORD else ""
                place += 1
            found.append((WORD, word))
        elif what == CHAR:
            found.append((CHAR, folded(char)))
        elif what == SYMBOL:
            between = start > 0 and place < len(text) and ascii_letter(text[start - 1]) and ascii_letter(text[place])
            if char == "-" and between:
                continue
            while place < len(text) and text[place] == char:
                place += 1
            found.append((SYMBOL, folded(char)))
    return found


def shingles(text, n=5):
    """The shingle set of a text, as tuples of texts."""
    stream = [word for _, word in terms(text)]
    found = {tuple(stream[i : i + n]) for i in range(len(stream) - n + 1)}
    if stream and not found:
        found = {tuple(stream)}
    bare = tuple(folded(c) for c in unicodedata.normalize("NFC", text) if ord(c) > 32 and c not in "\u3000\xa0")
    return found or ({("bare", *bare)} if bare else set())


def jaccard(one, other):
    return len(one & other) / len(one | other) if one | other else 1.0
