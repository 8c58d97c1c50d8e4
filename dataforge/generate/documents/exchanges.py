"""What a model wrote about a passage: candidates of one or several exchanges, read from its JSON.

Python: `read_pairs({"pairs": [{"question": "茶多少度泡？", "quote": "", "answer": "八十度。"}]})[0].exchanges`
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dataforge.generate.reading.replies import Unreadable

__all__ = ["Candidate", "read_dialogues", "read_pairs"]


@dataclass(frozen=True, slots=True)
class Candidate:
    """exchanges: (question, answer) in order. quote: the place of the passage that is to prove the answer."""

    exchanges: tuple[tuple[str, str], ...]
    quote: str = ""

    @property
    def text(self) -> str:
        """All of it, for people."""
        return "\n\n".join(text for exchange in self.exchanges for text in exchange)

    @property
    def questions(self) -> str:
        """The questions alone."""
        return "\n".join(question for question, _ in self.exchanges)


def read_pairs(value: Any) -> list[Candidate]:
    """The pairs of a reply to `grounded/pairs`; Unreadable where it holds something else."""
    found = []
    for pair in _items(value, "pairs"):
        quote = pair.get("quote") if isinstance(pair, dict) else None
        found.append(Candidate((_exchange(pair),), quote if isinstance(quote, str) else ""))
    return found


def read_dialogues(value: Any) -> list[Candidate]:
    """The conversations of a reply to `grounded/dialogues`; Unreadable where it holds something else."""
    return [Candidate(tuple(map(_exchange, _items(one, "turns")))) for one in _items(value, "dialogues")]


def _items(value: Any, key: str) -> list[Any]:
    items = value.get(key) if isinstance(value, dict) else value
    if not isinstance(items, list):
        raise Unreadable("schema", f"$.{key}: a list is needed")
    return items


def _exchange(value: Any) -> tuple[str, str]:
    question, answer = (value.get("question"), value.get("answer")) if isinstance(value, dict) else (None, None)
    if not isinstance(question, str) or not isinstance(answer, str):
        raise Unreadable("schema", "a question and an answer are needed, both texts")
    return question.strip(), answer.strip()
