"""Texts that say a thing again: loops that a model fell into, and texts that repeat other texts.

Terms are those of novelty (`nearest/terms.py`): words, and single characters of scripts without spaces.

    loop      share of the terms in the longest stretch that says one thing of at most 64 terms three times or more
    repeated  share of the runs of five terms that stood before in the same text
    taken     share of the runs of three terms that another text has too

The limits of `stuck` are those of the preset for answers (`docs/presets.md`: loop 0.3, repeated 0.6), there measured on
Alpaca in both languages; texts of fewer than 20 terms are never stuck, for a chorus is no fault.

Reads and writes nothing. Cost: about a millisecond for a text of 500 terms that repeats itself, far less for others.
Python: `stuck("the same again " * 20)  # "loops: 100 % of it says one thing again and again"`
"""

from __future__ import annotations

from dataforge.generate.nearest.terms import read_terms

__all__ = ["loop", "repeated", "same", "stuck", "taken"]

LONGEST_PERIOD = 64
LOOPS = 3
RUN, SHARED = 5, 3
LEAST = 20
MOST_LOOP, MOST_REPEATED = 0.3, 0.6
NEAR = 0.8


def _runs(words: list[str], length: int) -> list[tuple[str, ...]]:
    return list(zip(*(words[start:] for start in range(length)), strict=False))


def repeated(words: list[str]) -> float:
    """Share of the runs of five terms that stood before (0 to 1)."""
    runs = _runs(words, RUN)
    return 1 - len(set(runs)) / len(runs) if runs else 0.0


def loop(words: list[str]) -> float:
    """Share of the terms in the longest stretch that says one thing three times or more in a row (0 to 1)."""
    longest = 0
    for period in range(1, min(LONGEST_PERIOD, len(words) // LOOPS) + 1):
        alike = 0
        for index in range(len(words) - period):
            alike = alike + 1 if words[index] == words[index + period] else 0
            if alike >= (LOOPS - 1) * period and alike + period > longest:
                longest = alike + period
    return longest / len(words) if words else 0.0


def stuck(text: str) -> str | None:
    """What shows that a model fell into a loop, or None."""
    words = read_terms(text)
    if len(words) < LEAST:
        return None
    again = repeated(words)
    if again < MOST_LOOP / 2:  # a loop of a tenth of the text, three times, repeats more than this
        return None
    share = loop(words)
    if share > MOST_LOOP:
        return f"loops: {share:.0%} of it says one thing again and again"
    return f"repeats: {again:.0%} of it was said before in it" if again > MOST_REPEATED else None


def taken(text: str, other: str) -> float:
    """Share of the runs of three terms of a text that another has too; of a shorter text, whether the other has it."""
    words, theirs = read_terms(text), read_terms(other)
    length = min(SHARED, len(words))
    if not length:
        return 0.0
    known = set(_runs(theirs, length))
    runs = _runs(words, length)
    return sum(run in known for run in runs) / len(runs)


def same(text: str, other: str) -> bool:
    """True if texts are the same but for case, blanks and punctuation, or nearly so (0.8 of the runs, both ways)."""
    words, theirs = read_terms(text), read_terms(other)
    if words == theirs:
        return bool(words) or text.split() == other.split()
    return min(len(words), len(theirs)) >= 2 * SHARED and min(taken(text, other), taken(other, text)) >= NEAR
