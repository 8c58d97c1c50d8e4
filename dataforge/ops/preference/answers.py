"""Rows of one answer: conversations with a verdict (KTO), and plain ones that compete with those of other rows.

The answer is the completion where the row has one, else all that follows the last turn of the user. Rows are joined
by the content of their prompts, by a column (`--group-by`), or, verdicts, by their pair_id. The score of an answer is
what --score says of its row's keys, or a column of score tables; HelpSteer2 needs neither. The model stands under
generator, model or model_name; else the caller may give one for the whole file.

CLI: `dataforge pair gpt4.json claude.json --score rating --group-by prompt --to dpo`
Python: `one_answer(helpsteer2.read(row, Spelling()), SourceOptions(score="mean"))`
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dataforge.errors import RowError, shorten
from dataforge.formats.candidates import understood
from dataforge.formats.whole import split_answer
from dataforge.io import jsontext
from dataforge.ops.preference.choice import Choice, Entry
from dataforge.ops.preference.listed import HELP_RANK
from dataforge.ops.preference.options import PROMPT, SourceOptions
from dataforge.ops.preference.ratings import measure_of, number_of
from dataforge.record import Record

__all__ = ["group_key", "one_answer"]

MODELS = ("generator", "model", "model_name")
PAIR_ID = "pair_id"
PARTED = frozenset(("trl-unpaired", "trl-completion"))
COMPLETION = "$.completion"
NOTHING: dict[str, Any] = {}


def one_answer(record: Record, options: SourceOptions, score: float | None = None, model: str = "") -> Choice | None:
    """The answer of a row as a Choice of one entry that those of other rows join; None if it has no prompt or answer.

    score: the value of `options.score_column`. model: who answers in rows that do not say it.
    """
    turns = record.turns
    start = _start(record)
    if not 0 < start < len(turns) or record.is_document:
        return None
    extras = record.extras or NOTHING
    entry = Entry(turns[start:])
    named = next((extras[key] for key in MODELS if isinstance(extras.get(key), str)), model)
    entry.model = named or None
    verdict = isinstance(record.label, bool)
    if verdict:
        entry.label = "chosen" if record.label else "rejected"
    if options.score_column is not None:
        entry.score = None if score is None else number_of(score)
        entry.lost = "" if entry.score is not None else f"{options.score_column}: null"
    else:
        entry.score, entry.lost = measure_of(options.score).score(None, extras, listed=False)
    _rank(entry, extras, options)
    return Choice(turns[:start], [entry], record.tools, True, group_key(extras, options, verdict=verdict))


def _start(record: Record) -> int:
    """Where the answer begins: where the row itself parts it from its prompt, else after the last turn of the user."""
    layout = record.layout
    if layout is not None and layout["dialect"] in PARTED:
        places = layout["places"]
        return next((index for index, place in enumerate(places) if place.startswith(COMPLETION)), len(places))
    return split_answer(record.turns)


def group_key(extras: Mapping[str, Any], options: SourceOptions, *, verdict: bool = False) -> str:
    """What joins a row with others instead of its prompt; "" for the prompt. RowError for a row without the column."""
    column = options.group_by
    if column == PROMPT:
        return ""
    if column is None:
        return _text(PAIR_ID, extras[PAIR_ID]) if verdict and extras.get(PAIR_ID) is not None else ""
    if extras.get(column) is None:
        known = ", ".join(shorten(key, 30) for key in list(extras)[:8]) or "none"
        help = f"--group-by prompt joins rows by their prompts; keys of this row beside its texts: {known}"
        raise RowError("no_group", f"no value under {shorten(column)!r}", path=f"$.{column}", help=help)
    return _text(column, extras[column])


def _text(column: str, value: Any) -> str:
    """The key of a value: the column with it, as JSON, so that 1 and "1" stay apart."""
    return f"{column}={jsontext.encode(value).decode(errors='surrogatepass')}"


def _rank(entry: Entry, extras: Mapping[str, Any], options: SourceOptions) -> None:
    """A rank beside an answer, if the user says which end is the best; RowError if nothing else tells answers apart."""
    given = extras.get(options.rank)
    if given is None:
        return
    if options.rank_best is None:
        if number_of(given) is not None and entry.label is None and entry.score is None and not options.explicit:
            what = f"{options.rank} {shorten(given)} does not say which end is the best"
            raise RowError("rank_direction", what, path=f"$.{options.rank}", help=HELP_RANK)
        return
    rank = understood("rank", number_of(given))
    if rank is None:
        entry.lost = entry.lost or f"{options.rank}: {shorten(given, 30)}"
    elif options.rank_best == "low":
        entry.rank = rank
    elif not options.explicit:  # a rank of which the highest is the best is a score
        entry.score = float(rank)
