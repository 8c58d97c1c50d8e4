"""Comparisons of two answers: who was shown first, who won, who judged. Each row gives votes.

Rows on one prompt pool their votes, so that many comparisons of many models become one order (Bradley-Terry). With a
score that the user asks for, the answers of a row are compared by it alone.

alpaca-eval: preference p from 1 to 2; output_1 won 2 - p of a vote (1: all of it, 1.5: a tie, 1.9375: 0.0625). 0, null
and other values say nothing and are counted. Its annotators are shown the two in random order, which the rows do not
keep: output_1 stands first, and is the same model all through a file.
webgpt: the higher score of the two wins, equal ones tie. summarize: `choice`. arena: `winner`, every kind of tie is
one; only the rounds that were judged (`turn`) are compared. cherry-reviews: two scores for each of two orders, so two
votes; a review without two scores (-1) is none.

Python: `comparison(alpaca_eval.read(row, Spelling()), "alpaca-eval", SourceOptions())`
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from dataforge.errors import shorten
from dataforge.formats.cherry_reviews import REVIEWS, review_scores
from dataforge.formats.pairs import shared_turns
from dataforge.ops.preference.answers import group_key
from dataforge.ops.preference.choice import Choice, Entry, Vote
from dataforge.ops.preference.listed import listed_entry
from dataforge.ops.preference.options import SourceOptions
from dataforge.ops.preference.ratings import number_of
from dataforge.record import Candidate, Record, Turn

__all__ = ["COMPARED", "comparison"]

SHOWN = 30
TIES = ("tie", "tie (bothbad)")
SAME = "votes: an answer beside itself"


class Verdicts(NamedTuple):
    """The votes of a row, and why there are fewer than it has comparisons."""

    votes: list[Vote]
    lost: str = ""


def comparison(record: Record, dialect: str, options: SourceOptions) -> Choice:
    """The two answers of a row of one of COMPARED, with its votes."""
    extras = record.extras or {}
    prompt, candidates = record.turns, record.candidates or []
    if dialect == "arena":
        prompt, candidates = _judged(prompt, candidates, extras.get("turn"))
    one, other = candidates
    same = one.turns == other.turns and one.model == other.model
    found = Verdicts([], SAME) if same else COMPARED[dialect](candidates, extras)
    if options.explicit:
        entries = [listed_entry(candidate, candidate.turns, options) for candidate in candidates]
        return Choice(prompt, entries, record.tools, votes=found.votes)
    entries = [Entry(candidate.turns, model=candidate.model, lost=found.lost) for candidate in candidates]
    return Choice(prompt, entries, record.tools, True, group_key(extras, options), votes=found.votes)


def _judge(extras: Mapping[str, Any], key: str) -> str:
    name = extras.get(key)
    return name if isinstance(name, str) else ""


def _alpaca_eval(candidates: list[Candidate], extras: Mapping[str, Any]) -> Verdicts:
    judge = _judge(extras, "annotator")
    if "preference" not in extras and candidates[0].label is not None:  # 1 or 2, which the dialect took for labels
        return Verdicts([Vote(0, 1, float(candidates[0].label == "chosen"), judge)])
    given = extras.get("preference")
    number = None if isinstance(given, str) else number_of(given)
    if number is None or not 1 <= number <= 2:
        shown = "null" if given is None else shorten(given, SHOWN)
        return Verdicts([], f"preference: {shown}")
    return Verdicts([Vote(0, 1, 2.0 - number, judge)])


def _webgpt(candidates: list[Candidate], extras: Mapping[str, Any]) -> Verdicts:
    first, second = (candidate.score for candidate in candidates)
    if first is None or second is None:
        return Verdicts([], "score: absent")
    return Verdicts([Vote(0, 1, _won(first, second))])


def _summarize(candidates: list[Candidate], extras: Mapping[str, Any]) -> Verdicts:
    if candidates[0].label is None:
        return Verdicts([], "choice: null")
    return Verdicts([Vote(0, 1, float(candidates[0].label == "chosen"), _judge(extras, "worker"))])


def _judged(prompt: list[Turn], candidates: list[Candidate], rounds: Any) -> tuple[list[Turn], list[Candidate]]:
    """The prompt and the answers of as many rounds as were judged, if the row says how many."""
    if isinstance(rounds, bool) or not isinstance(rounds, int) or rounds < 1:
        return prompt, candidates
    talks = []
    for candidate in candidates:
        talk = [*prompt, *candidate.turns]
        asked = [place for place, turn in enumerate(talk) if turn.role == "user"]
        talks.append(talk[: asked[rounds]] if len(asked) > rounds else talk)
    start = shared_turns(talks[0], talks[1])
    pairs = zip(candidates, talks, strict=True)
    return talks[0][:start], [replace(candidate, turns=talk[start:]) for candidate, talk in pairs]


def _arena(candidates: list[Candidate], extras: Mapping[str, Any]) -> Verdicts:
    judge = _judge(extras, "judge")
    if candidates[0].label is not None:
        return Verdicts([Vote(0, 1, float(candidates[0].label == "chosen"), judge)])
    winner = extras.get("winner")
    if winner in TIES:
        return Verdicts([Vote(0, 1, 0.5, judge)])
    return Verdicts([], f"winner: {'null' if winner is None else shorten(winner, SHOWN)}")


def _reviews(candidates: list[Candidate], extras: Mapping[str, Any]) -> Verdicts:
    votes, lost = [], []
    for key, (first, second) in REVIEWS.items():
        scores = review_scores(extras.get(key))
        if scores is None:
            given = extras.get(key)
            lost.append(f"{key}: {'null' if given is None else shorten(given, SHOWN)}")
        else:
            votes.append(Vote(first, second, _won(*scores)))
    return Verdicts(votes, "; ".join(lost))


def _won(first: float, second: float) -> float:
    return 0.5 if first == second else float(first > second)


COMPARED: dict[str, Callable[[list[Candidate], Mapping[str, Any]], Verdicts]] = {
    "alpaca-eval": _alpaca_eval,
    "webgpt": _webgpt,
    "summarize": _summarize,
    "arena": _arena,
    "cherry-reviews": _reviews,
}
"""Dialect of comparisons -> the votes of its rows."""
