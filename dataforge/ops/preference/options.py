"""How rows of preferences are understood: what the user declares where a dialect does not say it.

Python: `SourceOptions(score="0.65*helpfulness + 0.8*correctness", group_by="prompt")`
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dataforge.errors import UsageError, did_you_mean
from dataforge.ops.preference.ratings import AUTO, measure_of

__all__ = ["PROMPT", "RANK_BEST", "TREE_ROLES", "SourceOptions"]

RANK_BEST = ("low", "high")
TREE_ROLES = ("assistant", "all")
PROMPT = "prompt"


@dataclass(frozen=True)
class SourceOptions:
    """What says how good an answer is.

    score: auto (the score that the dialect has), overall (the same, and it must be there), mean (of the ratings), the
    name of a rating, or arithmetic over names (`ratings.py`). score_column: a column of score tables that is the score
    instead; its values come from the caller. rank: the key of ranks that the dialect leaves alone. rank_best: low or
    high, the end of those at which the best stands. group_by: what joins rows of one answer: prompt (or None), or a key
    of the row. tree_roles: whose replies in trees are answers.
    """

    score: str = AUTO
    rank_best: str | None = None
    group_by: str | None = None
    tree_roles: str = "assistant"
    score_column: str | None = None
    rank: str = "rank"

    def __post_init__(self) -> None:
        measure_of(self.score)
        for flag, value, known in (
            ("--rank-best", self.rank_best or "low", RANK_BEST),
            ("--tree-roles", self.tree_roles, TREE_ROLES),
        ):
            if value not in known:
                raise UsageError(f"{flag}: {value!r} is not one of {', '.join(known)}", help=did_you_mean(value, known))
        for flag, text in (("--group-by", self.group_by), ("--by-score", self.score_column), ("--rank", self.rank)):
            if text == "":
                raise UsageError(f"{flag}: the name of a column is empty")
        if self.score_column is not None and self.score != AUTO:
            raise UsageError("--by-score and --score both say what the score is", help="give one of them")

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> SourceOptions:
        """The options that a worker was sent; `dataclasses.asdict` is the inverse."""
        return cls(**values)

    @property
    def explicit(self) -> bool:
        """True if the user said what the score is."""
        return self.score != AUTO or self.score_column is not None
