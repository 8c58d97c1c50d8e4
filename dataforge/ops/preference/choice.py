"""Answers that stand to choice: what every source of preferences becomes before pairs are made.

Python: `Choice(prompt, [Entry(good, score=4.5), Entry(bad, score=1.0)])`
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from dataforge.record import Turn

__all__ = ["Choice", "Entry", "Vote"]


@dataclass(slots=True)
class Entry:
    """One answer.

    answer: its turns. score: higher is better; None if there is none, or none that is a number. rank: 0 is the best.
    label: `chosen` or `rejected`. model: who wrote it. lost: why it has no score although it should ("N/A", a text).
    """

    answer: list[Turn]
    score: float | None = None
    rank: int | None = None
    label: str | None = None
    model: str | None = None
    lost: str = ""


class Vote(NamedTuple):
    """A comparison of two entries of a choice. won: 1.0 if the first is better, 0.0 if the second is, 0.5 a tie.

    first: the entry that was shown first (for position bias). judge: who compared.
    """

    first: int
    second: int
    won: float
    judge: str = ""


@dataclass(slots=True)
class Choice:
    """Answers to one prompt that are compared with one another.

    prompt: the turns before them. joined: False, they are compared among themselves alone (ranks and labels of one row
    mean nothing beside those of another); True, answers of other rows to the same prompt compete too (one row an
    answer, verdicts, votes). key: what joins rows instead of the prompt's content (a pair_id, a --group-by column);
    "" for the prompt. media: the row's lists of images, videos and audios, which are part of the prompt.
    place: where in the row the answers stand (`$.conversations[3]`); "" for the row itself.
    """

    prompt: list[Turn]
    entries: list[Entry]
    tools: list[Any] | None = None
    joined: bool = False
    key: str = ""
    place: str = ""
    votes: list[Vote] = field(default_factory=list)
    media: dict[str, Any] | None = None
