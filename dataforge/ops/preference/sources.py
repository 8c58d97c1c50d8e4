"""What a row of any dialect of preferences offers to choose from.

    labelled places, pairs, ranked and scored lists   listed.py       answers of one row among themselves
    message trees                                     trees.py        replies to one message among themselves
    comparisons with votes                            comparisons.py  pooled over rows of one prompt
    verdicts (KTO), rows of one answer                answers.py      pooled over rows of one prompt or key

Rows with nothing to choose from (documents, prompts, seed tasks, steps, single messages) give no Choice.

Cost: 2 to 10 microseconds a row beside reading it.
CLI: `dataforge pair ultrafeedback.jsonl --score mean --to dpo -o pairs.jsonl`
Python: `choices_of(ranked.read(row, Spelling()), "ranked", SourceOptions())`
"""

from __future__ import annotations

from dataforge.errors import RowError
from dataforge.ops.preference.answers import one_answer
from dataforge.ops.preference.choice import Choice
from dataforge.ops.preference.comparisons import COMPARED, comparison
from dataforge.ops.preference.listed import has_places, listed_choices
from dataforge.ops.preference.options import SourceOptions
from dataforge.ops.preference.trees import tree_choices
from dataforge.record import Record

__all__ = ["SourceOptions", "choices_of"]

TREES = "oasst-tree"
EXAMPLES = frozenset(("seeds",))
"""Dialects whose several answers are examples of a task, each with an input of its own."""


MEDIA = ("images", "videos", "audios")
"""Keys of a row whose lists belong to its texts: the same text over another image is another prompt."""


def choices_of(
    record: Record, dialect: str, options: SourceOptions, *, score: float | None = None, model: str = ""
) -> list[Choice]:
    """The choices of a row; [] if it has nothing to choose from.

    score: the value of `options.score_column` for this row. model: who answers in rows of one answer that do not say
    it. Raises RowError: rank_direction, no_group, many_answers (a score of the row where it has several answers).
    """
    choices = _choices(record, dialect, options, score, model)
    media = {key: record.extras[key] for key in MEDIA if record.extras.get(key)} if record.extras else None
    if media:
        for choice in choices:
            choice.media = media
    return choices


def _choices(record: Record, dialect: str, options: SourceOptions, score: float | None, model: str) -> list[Choice]:
    several = record.candidates is not None or dialect == TREES or has_places(record)
    if several and options.score_column is not None:
        what = "a score of the row does not tell its answers apart"
        raise RowError(
            "many_answers", what, help="--by-score is for rows of one answer; --score names a key of answers"
        )
    if dialect == TREES:
        return tree_choices(record, options)
    if several:
        if dialect in EXAMPLES:
            return []
        if dialect in COMPARED and record.candidates is not None:
            return [comparison(record, dialect, options)]
        return listed_choices(record, dialect, options)
    if record.label is not None and not isinstance(record.label, bool):
        return []
    choice = one_answer(record, options, score, model)
    return [] if choice is None else [choice]
