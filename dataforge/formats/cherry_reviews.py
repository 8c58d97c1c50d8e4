"""Reviews of two answers in both orders: `{"text", "Answer1", "Answer2", "review", "scores", "review_reverse", ...}`.

`scores` says what the first and the second answer got in the order Answer1, Answer2 (a list, or a text of one: "[9.0,
8.5]"); `scores_reverse` the same where Answer2 stood first, so its first number is that of Answer2. Scores of -1 are
of reviews that could not be read. No answer is labelled: the two orders may disagree. `pair` takes each order for a
vote; review, scores and other keys are extra keys. The files have their rows in a list under `data`, beside
`Meta_Info`: `jq -c '.data[]' reviews.json > reviews.jsonl` gives the rows. Fields after
github.com/tianyi-lab/Cherry_LLM (evaluation); the samples are new rows of that shape.

CLI: `dataforge pair reviews.jsonl --to dpo`
Python: `review_scores("[9.0, 8.5]")  # (9.0, 8.5)`
"""

from __future__ import annotations

from typing import Any

from dataforge.errors import NotRepresentable
from dataforge.formats.candidates import answer_text, expect_answers, question_text, write_candidate
from dataforge.formats.detect import SURE
from dataforge.formats.spelling import Spelling, assemble, expect_text, extras_of
from dataforge.formats.whole import source_row, whole
from dataforge.io import jsontext
from dataforge.record import Candidate, Record, Turn

__all__ = ["COLUMNS", "EXAMPLE", "NAME", "REVIEWS", "RULES", "detect", "read", "review_scores", "write"]

NAME = "cherry-reviews"
COLUMNS = ("text", "Answer1", "Answer2")
EXAMPLE = {
    "text": "Name a green tea.",
    "Answer1": "Longjing.",
    "Answer2": "Tea is green.",
    "review": "9 3\nThe first names one.",
    "scores": "[9.0, 3.0]",
    "review_reverse": "2 9\nThe second names one.",
    "scores_reverse": "[2.0, 9.0]",
}
RULES = (
    "scores are those of Answer1 and Answer2, scores_reverse those of Answer2 and Answer1; neither is a label",
    "carries: one question and two answers of one turn of text, of which nothing more is known",
)
REVIEWS = {"scores": (0, 1), "scores_reverse": (1, 0)}
"""Key of the scores of a review -> the answers in the order in which they were shown."""


def detect(row: dict[str, Any]) -> int:
    """SURE: no other dialect has such keys."""
    return SURE


def review_scores(value: Any) -> tuple[float, float] | None:
    """The two scores of a review, if they are two numbers from 0 on; None for all else (-1: a review that failed)."""
    if isinstance(value, str):
        try:
            value = jsontext.decode(value.encode())
        except (ValueError, RecursionError):
            return None
    if not isinstance(value, list) or len(value) != 2:
        return None
    if not all(isinstance(one, int | float) and not isinstance(one, bool) and one >= 0 for one in value):
        return None
    return float(value[0]), float(value[1])


def read(row: dict[str, Any], options: Spelling) -> Record:
    """One question and two answers; RowError for a value that is no text."""
    question = Turn("user", [expect_text(row["text"], "$.text", "text")])
    answers = [Turn("assistant", [expect_text(row[key], f"$.{key}", key)]) for key in COLUMNS[1:]]
    layout = whole(NAME, row, ("$.text",), [f"$.{key}" for key in COLUMNS[1:]])
    return Record([question], extras_of(row, COLUMNS), layout, candidates=[Candidate([answer]) for answer in answers])


def write(record: Record, options: Spelling) -> dict[str, Any]:
    """The row of two answers to one question; NotRepresentable for other records, and for what is known of answers."""
    row = source_row(record, NAME, read, options)
    if row is not None:
        return row
    candidates = expect_answers(record, NAME, 2)
    fields = {"text": question_text(record, NAME)}
    for key, candidate in zip(COLUMNS[1:], candidates, strict=True):
        fields |= write_candidate({key: answer_text(record, candidate, NAME)}, candidate, record, {}, NAME)
        if candidate.extras:
            raise NotRepresentable(NAME, "the extra keys of a candidate")
    return assemble(fields, None, record.extras, NAME, reserved=frozenset(COLUMNS))
