"""A passage as evidence: which rule an answer made from it falls to, and what a row says of where it comes from.

Python: `Evidence(passage, "", 0.4).fault(candidate, containment=True)  # None, or ("unsupported", "...")`
"""

from __future__ import annotations

import re
from typing import Any

from dataforge.errors import shorten
from dataforge.generate.documents.exchanges import Candidate
from dataforge.generate.documents.passages import Passage
from dataforge.generate.documents.selfcontained import references
from dataforge.generate.documents.support import Source, terms_of

__all__ = ["Evidence", "Fault", "place_of"]

Fault = tuple[str, str]
"""(rule, detail)."""
MORE = 2
"""An answer that holds its question and at most so many terms more says nothing."""


class Evidence:
    """Holds what one passage gave against it, candidate by candidate, and remembers the questions.

    title: of the document; it counts as part of the source. support: least containment of a sentence.
    """

    def __init__(self, passage: Passage, title: str, support: float, *, free_numbers: bool = False) -> None:
        self.passage, self.title = passage, title
        self._support, self._free_numbers = support, free_numbers
        self._source = Source(f"{title}\n{passage.text}")
        self._asked: set[tuple[int, ...]] = set()

    def fault(self, candidate: Candidate, *, containment: bool) -> Fault | None:
        """The first rule that the candidate falls to; None for a sound one, whose question must not come again."""
        several = len(candidate.exchanges) > 1
        for number, (question, answer) in enumerate(candidate.exchanges, start=1):
            fault = self._exchange(question, answer) or (self._unsupported(answer) if containment else None)
            if fault is not None:
                return (fault[0], f"turn {number}: {fault[1]}" if several else fault[1])
        return self._repeated(candidate)

    def _exchange(self, question: str, answer: str) -> Fault | None:
        terms, answered = terms_of([question, answer])
        if not terms or not answered:
            return "empty", "the answer is empty" if terms else "the question is empty"
        if _holds(answered, terms) and len(answered) - len(terms) <= MORE:
            return "copies_question", "the answer says what the question says"
        found = references(question, deictic=True)
        if found is not None:
            return "not_self_contained", f"the question points at a text: {shorten(found)!r}"
        found = references(answer)
        if found is not None:
            return "not_self_contained", f"the answer points at a text: {shorten(found)!r}"
        return None

    def _unsupported(self, answer: str) -> Fault | None:
        weakest = self._source.weakest(answer)
        if weakest.containment < self._support:
            return "unsupported", f"containment {weakest.containment:.2f}: {shorten(weakest.sentence, 200)}"
        foreign = [] if self._free_numbers else self._source.foreign_numbers(answer)
        if foreign:
            return "unsupported", f"{foreign[0]} is not in the passage: {shorten(answer, 200)}"
        return None

    def _repeated(self, candidate: Candidate) -> Fault | None:
        (terms,) = map(tuple, terms_of([candidate.questions]))
        if terms in self._asked:
            return "repeated_question", "the same question was asked of this passage before"
        self._asked.add(terms)
        return None

    def provenance(self, candidate: Candidate, document: str) -> dict[str, Any]:
        """What a row says of its source, places in characters of the document; `quote` is None if it is not there."""
        passage = self.passage
        found: dict[str, Any] = {"document": document, **({"title": self.title} if self.title else {})}
        found |= {"start": passage.start, "end": passage.end, "text": passage.text}
        more: dict[str, Any] = {"passage": found}
        if candidate.quote:
            place = place_of(candidate.quote, passage.text)
            more["quote"] = place and [passage.start + place[0], passage.start + place[1]]
        lowest = min(self._source.weakest(answer).containment for _, answer in candidate.exchanges)
        return more | {"support": round(lowest, 4)}


def _holds(longer: list[int], shorter: list[int]) -> bool:
    """True if the terms stand in a row in the longer list."""
    size = len(shorter)
    return any(longer[start : start + size] == shorter for start in range(len(longer) - size + 1))


def place_of(quote: str, text: str) -> tuple[int, int] | None:
    """Where a quote stands in a text, white space and quotation marks around it aside; None where it does not."""
    words = quote.strip().strip("\"'“”‘’「」").split()
    found = re.search(r"\s+".join(map(re.escape, words)), text) if words else None
    return found.span() if found else None
