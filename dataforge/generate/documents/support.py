"""Whether a text supports an answer, told by the words they share: no model, no request.

For each sentence s of the answer and a source p, with G(x) the set of 3-grams of terms (`ops/terms.py`: words, single
characters of scripts without spaces):

    containment(s, p) = |G(s) & G(p)| / |G(s)|          sentences of fewer than 3 terms: the same over single terms

An answer is as well supported as its weakest sentence: the *lowest* containment counts, never the average, so that one
invented sentence is not hidden by three that were copied. Bare assent and denial (Yes. 是的。) says nothing that could
be looked up and is passed over beside other sentences; alone it has containment 0, and only a judge can tell.

What it finds and what it does not, with figures from real texts: docs/methods.md. It does not see that a copied
sentence has a "not" more or a name less than its source; `foreign_numbers` finds numbers that the source does not have.

Cost: about 1 ms for a source of 2,000 characters with three answers; numba's loops are loaded once (half a second).
Python: `Source("Tea is brewed at 80 degrees.").weakest("Tea is brewed at 80 degrees. It is blue.").sentence`
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from dataforge.generate.documents.passages import sentences
from dataforge.generate.reading.numbers import foreign, numbers
from dataforge.ops.terms import Terms

__all__ = ["GRAM", "Source", "Support", "longest_copy", "terms_of"]

GRAM = 3
"""Terms in a gram."""
_ASSENT = re.compile(
    r"(?:yes|yep|no|true|false|correct|right|sure|certainly|of course|indeed|absolutely|that is correct|it does|"
    r"it is|是|是的|不是|不|否|对|对的|不对|正确|没错|可以|不可以|能|不能|会|不会|有|没有|当然|错误|错)",
    re.IGNORECASE,
)
_EDGE = "\"'“”‘’「」*_.,!?;:。，！？；：… \t"


@dataclass(frozen=True, slots=True)
class Support:
    """How well a sentence of an answer stands in the source: its containment, 0 to 1."""

    sentence: str
    containment: float


def terms_of(texts: Sequence[str]) -> list[list[int]]:
    """The folded terms of each text, as hashes, in order."""
    terms = Terms.of(texts)
    hashes, bounds = terms.hashes.tolist(), terms.offsets.tolist()
    return [hashes[start:end] for start, end in zip(bounds, bounds[1:], strict=False)]


def _grams(terms: Sequence[int], size: int) -> set[tuple[int, ...]]:
    return set(zip(*(terms[shift:] for shift in range(size)), strict=False))


class Source:
    """A text that answers are held against."""

    def __init__(self, text: str) -> None:
        (terms,) = terms_of([text])
        self._grams = {size: _grams(terms, size) for size in (1, GRAM)}
        self._numbers = numbers(text)

    def supports(self, answer: str) -> list[Support]:
        """Each sentence of the answer that says something, with its containment; none for an answer of no words."""
        pieces = sentences(answer)
        facts = [piece for piece in pieces if not _ASSENT.fullmatch(piece.strip(_EDGE))]
        if not facts:
            return [Support(piece, 0.0) for piece in pieces]
        found = []
        for piece, terms in zip(facts, terms_of(facts), strict=True):
            grams = _grams(terms, GRAM if len(terms) >= GRAM else 1)
            if grams:
                size = len(next(iter(grams)))
                found.append(Support(piece, len(grams & self._grams[size]) / len(grams)))
        return found

    def weakest(self, answer: str) -> Support:
        """The sentence of the lowest containment (the first of equals); an answer of no words has containment 0."""
        return min(self.supports(answer), key=lambda support: support.containment, default=Support(answer, 0.0))

    def share(self, text: str) -> float:
        """The containment of a whole text, sentences aside; 0 for a text of no words."""
        (terms,) = terms_of([text])
        grams = _grams(terms, GRAM if len(terms) >= GRAM else 1)
        return len(grams & self._grams[len(next(iter(grams)))]) / len(grams) if grams else 0.0

    def foreign_numbers(self, answer: str) -> list[str]:
        """The numbers in digits of the answer that the source has neither in digits nor in words."""
        return foreign(answer, self._numbers)


def longest_copy(text: str, source: str) -> int:
    """The longest run of terms of a text that stands in the source as well, in terms."""
    copied, known = terms_of([text, source])
    places: dict[int, list[int]] = {}
    for place, term in enumerate(known):
        places.setdefault(term, []).append(place)
    longest, runs = 0, dict[int, int]()
    for term in copied:
        runs = {place: runs.get(place - 1, 0) + 1 for place in places.get(term, ())}
        longest = max(longest, *runs.values()) if runs else longest
    return longest
