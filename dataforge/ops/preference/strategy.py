"""What the user asks of pairs, as the decision takes it.

Python: `Strategy("best-worst", min_margin=1.0)`
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["BY", "STRATEGIES", "UNUSED", "Decided", "Strategy"]

STRATEGIES = ("best-worst", "best-random", "adjacent", "best-vs-all", "all", "threshold")
BY = ("auto", "label", "score", "rank", "votes")
UNUSED = (
    "",
    "alone",  # no other answer to this prompt
    "not_comparable",  # no label, score, rank or vote that says anything
    "tie",  # as good as every answer that it could have been paired with
    "same_answer",  # identical, or identical but for white space, to every better or worse one
    "prefix",  # one is the beginning of the other
    "min_margin",
    "min_chosen_score",
    "max_length_ratio",
    "threshold",  # between the thresholds, or nothing on the other side
    "contradiction",  # another group of the same prompt says the opposite about the same two answers
    "not_selected",  # the strategy had no need of it
    "repeated",  # the same pair of answers to the same prompt is there already
    "max_pairs_per_prompt",
    "balance_length",
    "not_representable",  # the dialect that is written has no place for its pairs
)
"""Why an answer is in no pair; index = code. The last guard that took its last possible pair names it."""


@dataclass(frozen=True)
class Strategy:
    """How pairs are made within a group.

    by: what says which answer is better; auto takes, group by group, the first of label, score, rank, votes in which
    two answers differ. threshold: of `threshold`: chosen >= high, rejected <= low. margins are differences of scores
    (of ranks where ranks decide; 1 where labels do; of ln strengths where votes do). random choices depend on seed and
    content alone, so that neither the order of the input nor the number of workers matters.
    """

    name: str = "best-worst"
    by: str = "auto"
    min_margin: float = 0.0
    min_chosen_score: float | None = None
    max_pairs_per_prompt: int | None = None
    max_length_ratio: float | None = None
    balance_length: bool = False
    high: float | None = None
    low: float | None = None
    seed: int = 0


@dataclass
class Decided:
    """The pairs: entries chosen and rejected (numbers in the table), the margin, what decided (index into BY).

    Sorted by (first row of the group, chosen entry, rejected entry). unused: uint8, a code of UNUSED for each entry (0:
    it is in a pair). report: counts by guard and the like, and `lengths`, the table of chosen minus rejected length
    `before` and `after` balancing (`--balance-length`); see `decision.decide`.
    """

    chosen: NDArray[np.int64]
    rejected: NDArray[np.int64]
    margin: NDArray[np.float64]
    by: NDArray[np.int8]
    unused: NDArray[np.uint8]
    report: dict[str, Any] = field(default_factory=dict)
