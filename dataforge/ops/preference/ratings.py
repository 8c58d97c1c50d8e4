"""The score of an answer from what is known of it: a score of its own, ratings by aspect, arithmetic over them.

Ratings stand in an object of the answer (`annotations` of UltraFeedback, `ratings`, `scores`, `labels` of
OpenAssistant), each a number, a text that is one ("4"), or an object with `Rating` or `value`; the ratings of
HelpSteer2 are keys of the row. What is no number ("N/A", "4/5", null) is never averaged: `mean` leaves it out and
says so, an expression that needs it gives no score. The higher score is the better one; a measure of which the lower
is better is written `-name`.

`overall` is the score of the dialect; of HelpSteer2 helpfulness, which its card calls the overall one. An overall_score
of 10 beside UltraFeedback ratings of less than 4 on average (of 1 to 5) is not trusted: in its first release critique
ratings of 1 had become 10, some 2,000 times, and true tens go with high ratings (OpenBMB/UltraFeedback, issue 8).

Cost: 1 to 5 microseconds an answer.
CLI: `dataforge pair ultrafeedback.jsonl --score "0.5*helpfulness + 0.5*honesty" --to dpo`
Python: `measure_of("mean").score(None, {"annotations": {"helpfulness": {"Rating": "4"}}})  # Scored(4.0, "")`
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

from dataforge.errors import UsageError, shorten
from dataforge.ops.preference.arithmetic import Arithmetic, is_name, parse_arithmetic

__all__ = ["AUTO", "MEAN", "OVERALL", "Measure", "Scored", "measure_of", "number_of", "ratings_of"]

AUTO, OVERALL, MEAN = "auto", "overall", "mean"
CONTAINERS = ("annotations", "ratings", "scores")
NAMED = (*CONTAINERS, "labels")
"""Objects in which a rating is looked for by its name; labels of OpenAssistant (spam, ...) have no mean."""
INSIDE = ("Rating", "rating", "value", "score")
OWN_SCORES = ("overall_score", "score")
"""Keys under which dialects leave a score that is no number."""
HELPSTEER = ("helpfulness", "correctness", "coherence", "complexity", "verbosity")
TEN, HIGH_ENOUGH = 10, 4.0
SHOWN = 30
NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
ABSENT = object()


class Scored(NamedTuple):
    """A score, and why there is none, or what was left out of it ("" if nothing was)."""

    score: float | None
    lost: str = ""


class _Lost(Exception):
    """A name of an expression has no number; the text says why."""


def number_of(value: Any) -> float | None:
    """A JSON number, or a text that is one, if it is finite; None for all else (true, "N/A", "4/5")."""
    if isinstance(value, str):
        if not (len(value) == 1 and value in "0123456789"):  # as most ratings are
            value = value.strip()
            if NUMBER.fullmatch(value) is None:
                return None
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    number = float(value)
    return number if math.isfinite(number) else None


def ratings_of(extras: Mapping[str, Any]) -> dict[str, Any]:
    """The ratings of an answer by aspect, as they stand (numbers or not)."""
    found: dict[str, Any] = {}
    for key in CONTAINERS:
        container = extras.get(key)
        if isinstance(container, dict):
            for aspect, rating in container.items():
                found.setdefault(aspect, _inside(rating))
    if not found and _is_helpsteer(extras):
        found = {key: extras[key] for key in HELPSTEER if key in extras}
    return found


def _is_helpsteer(extras: Mapping[str, Any]) -> bool:
    return HELPSTEER[0] in extras and any(key in extras for key in HELPSTEER[1:])


def _inside(rating: Any) -> Any:
    if not isinstance(rating, dict):
        return rating
    return next((rating[key] for key in INSIDE if key in rating), None)


@dataclass(frozen=True)
class Measure:
    """What the score of an answer is. text: as the user wrote it; arithmetic: None where it is one name."""

    text: str
    arithmetic: Arithmetic | None = None

    def score(self, own: float | None, extras: Mapping[str, Any] | None, *, listed: bool = True) -> Scored:
        """The score of an answer. own: the score that its dialect understood; extras: the keys it left alone.

        listed: the answer is one of a list whose dialect says what its score is; in rows of one answer nothing but the
        ratings of HelpSteer2 is a score unless the user names it.
        """
        extras = extras or {}
        if self.text in (AUTO, OVERALL):
            return _overall(own, extras, wanted=self.text == OVERALL, listed=listed)
        if self.text == MEAN:
            return _mean(ratings_of(extras))
        if self.arithmetic is None or _look(self.text, extras) is not ABSENT:
            return _named(self.text, own, extras)
        return _worked(self.arithmetic, own, extras)


@cache
def measure_of(text: str) -> Measure:
    """The measure of a text; UsageError for an expression that cannot be read.

    A name with a hyphen or dots (`fine-grained_score`) is a name where an answer has such a key, and arithmetic where
    none has.
    """
    if not text.strip():
        raise UsageError("--score: empty", help="overall, mean, the name of a rating, or arithmetic over names")
    if text in (AUTO, OVERALL, MEAN):
        return Measure(text)
    if is_name(text):
        return Measure(text)
    arithmetic = parse_arithmetic(text)
    if not arithmetic.names:
        raise UsageError(f"--score: {shorten(text)!r} is the same for every answer", help="name a rating")
    return Measure(text, None if arithmetic.names == (text,) else arithmetic)


def _overall(own: float | None, extras: Mapping[str, Any], *, wanted: bool, listed: bool) -> Scored:
    if own is not None:
        if own == TEN and "annotations" in extras and _mistaken_ten(extras):
            return Scored(None, f"overall_score: {TEN} beside low ratings")
        return _read(OVERALL, own)
    if not extras:
        return Scored(None, f"{OVERALL}: absent" if wanted else "")
    for key in OWN_SCORES:
        # A list's own score that its dialect took for no number, which a text may be; else what the user asks for.
        if key in extras and (wanted or (listed and not isinstance(extras[key], int | float))):
            return _read(key, extras[key])
    if _is_helpsteer(extras):
        return _read(HELPSTEER[0], extras[HELPSTEER[0]])
    return Scored(None, f"{OVERALL}: absent" if wanted else "")


def _read(name: str, value: Any) -> Scored:
    number = number_of(value)
    return Scored(number, "" if number is not None else _said(name, value))


def _named(name: str, own: float | None, extras: Mapping[str, Any]) -> Scored:
    """The number under a name."""
    value = _look(name, extras)
    if value is ABSENT and name in (OVERALL, *OWN_SCORES):
        return _overall(own, extras, wanted=True, listed=True)
    return _read(name, value)


def _mistaken_ten(extras: Mapping[str, Any]) -> bool:
    """True if ratings as UltraFeedback has them say that an overall score of 10 was a 1."""
    annotations = extras["annotations"]
    if not isinstance(annotations, dict):
        return False
    given = [one["Rating"] for one in annotations.values() if isinstance(one, dict) and "Rating" in one]
    numbers = [number for value in given if (number := number_of(value)) is not None]
    return bool(numbers) and sum(numbers) / len(numbers) < HIGH_ENOUGH


def _mean(ratings: Mapping[str, Any]) -> Scored:
    """The mean of the ratings that are numbers, and what the others say."""
    if not ratings:
        return Scored(None, "ratings: absent")
    numbers, lost = [], []
    for aspect, value in ratings.items():
        number = number_of(value)
        if number is None:
            lost.append(_said(aspect, value))
        else:
            numbers.append(number)
    mean = math.fsum(numbers) / len(numbers) if numbers else None
    return Scored(mean, "; ".join(sorted(lost)))


def _look(name: str, extras: Mapping[str, Any]) -> Any:
    """What an answer has under a name: a rating, a key of it, or what a path of keys leads to; else ABSENT."""
    for key in NAMED:
        container = extras.get(key)
        if isinstance(container, dict) and name in container:
            return _inside(container[name])
    if name in extras:
        return _inside(extras[name])
    value: Any = extras if "." in name else ABSENT
    for step in name.split("."):
        if not isinstance(value, Mapping) or step not in value:
            return ABSENT
        value = value[step]
    return _inside(value)


def _worked(arithmetic: Arithmetic, own: float | None, extras: Mapping[str, Any]) -> Scored:
    """The value of an expression, or why it has none."""

    def number(name: str) -> float:
        scored = _named(name, own, extras)
        if scored.score is None:
            raise _Lost(scored.lost)
        return scored.score

    try:
        value = arithmetic.value(number)
    except _Lost as fault:
        return Scored(None, str(fault))
    except (ZeroDivisionError, OverflowError):
        value = math.nan
    return Scored(value) if math.isfinite(value) else Scored(None, f"{shorten(arithmetic.text)}: no finite number")


def _said(name: str, value: Any) -> str:
    """`honesty: N/A`: what stands where a number should."""
    shown = "absent" if value is ABSENT else "null" if value is None else shorten(value, SHOWN)
    return f"{shorten(name)}: {shown}"
