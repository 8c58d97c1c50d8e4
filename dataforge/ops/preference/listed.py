"""Answers that stand in one row: pairs, ranked and scored lists, labelled places of a conversation.

A row's answers are compared among themselves alone. Labels and scores are those of the dialect (or what --score
says). Ranks have a direction: dialects with ranks of their own say that the lowest is the best (nectar 1, ranked 0),
and nothing may say otherwise; a `rank` in other dialects counts only if --rank-best says which end is the best, and a
row with nothing else to go by is faulty without it. Answers that begin alike give their common turns, up to the last
that is no answer, to the prompt; what follows is the answer, tool turns included.

Python: `listed_choices(sharegpt_labelled.read(row, Spelling()), "sharegpt-labelled", SourceOptions())`
"""

from __future__ import annotations

from typing import Any

from dataforge.errors import RowError, shorten
from dataforge.formats.candidates import understood
from dataforge.formats.pairs import SIDES, candidate_path, shared_turns
from dataforge.formats.places import MARK, bare, mid_place, read_answer
from dataforge.formats.spelling import Spelling, turn_path
from dataforge.ops.preference.choice import Choice, Entry
from dataforge.ops.preference.options import SourceOptions
from dataforge.ops.preference.ratings import measure_of, number_of
from dataforge.record import Candidate, Record, Turn

__all__ = ["HELP_RANK", "RANKED", "has_places", "listed_choices", "listed_entry"]

RANKED = frozenset(("ranked", "nectar", "sharegpt-labelled"))
"""Dialects of lists whose ranks are their own: the lowest is the best."""
PLACES = "sharegpt-labelled"
HELP_RANK = "--rank-best low (1 is better than 2) or --rank-best high says it"
SIBLING = {"from": "gpt", "value": ""}
AS_IS = Spelling()


def has_places(record: Record) -> bool:
    """True if a turn in mid-conversation has other answers beside it."""
    for turn in record.turns:
        if turn.extras is not None and MARK in turn.extras and mid_place(turn, SIBLING) is not None:
            return True
    return False


def listed_choices(record: Record, dialect: str, options: SourceOptions) -> list[Choice]:
    """A Choice for every place of the row at which answers stand, its history the chosen answers before it.

    Raises RowError `rank_direction` where ranks are all there is and nothing says which end is the best.
    """
    choices: list[Choice] = []
    history = record.turns
    if has_places(record):
        history = []
        for index, turn in enumerate(record.turns):
            answers = mid_place(turn, SIBLING)
            if answers is None:
                history.append(turn)
                continue
            candidates = [read_answer(answer, AS_IS) for answer in answers]
            for candidate in candidates:
                if candidate.label == SIDES[0]:
                    candidate.turns = [bare(turn)]
            place = turn_path(record, index)
            choices.append(_choice(record, list(history), candidates, PLACES, options, place))
            history.append(bare(turn))
    if record.candidates:
        place = candidate_path(record, record.candidates[0]) if dialect == PLACES else ""
        choices.append(_choice(record, history, record.candidates, dialect, options, place))
    return choices


def _choice(
    record: Record,
    history: list[Turn],
    candidates: list[Candidate],
    dialect: str,
    options: SourceOptions,
    place: str,
) -> Choice:
    start = _shared(candidates)
    prompt = history + candidates[0].turns[:start] if start else history
    entries = [listed_entry(one, one.turns[start:] if start else one.turns, options) for one in candidates]
    try:
        _rank(entries, candidates, dialect, options)
    except _NoDirection as fault:
        path = candidate_path(record, candidates[fault.entry])
        where = (place if path == "$" else path) + fault.key
        raise RowError("rank_direction", fault.what, path=where, help=fault.help) from None
    return Choice(prompt, entries, record.tools, place=place)


def _shared(candidates: list[Candidate]) -> int:
    """How many first turns all answers share that belong to the prompt."""
    first = candidates[0].turns
    if len(candidates) < 2 or any(len(candidate.turns) < 2 for candidate in candidates):
        return 0
    return min(shared_turns(first, candidate.turns) for candidate in candidates[1:])


def listed_entry(candidate: Candidate, answer: list[Turn], options: SourceOptions) -> Entry:
    """The entry of a candidate, without ranks that its dialect left alone."""
    scored = measure_of(options.score).score(candidate.score, candidate.extras)
    return Entry(answer, scored.score, candidate.rank, candidate.label, candidate.model, scored.lost)


class _NoDirection(Exception):
    """Nothing says which end of the ranks is the best, or two things do. entry: whose rank, key: where it stands."""

    def __init__(self, entry: int, key: str, what: str, help: str) -> None:
        super().__init__(what)
        self.entry, self.key, self.what, self.help = entry, key, what, help


def _rank(entries: list[Entry], candidates: list[Candidate], dialect: str, options: SourceOptions) -> None:
    """Give ranks that the dialect left alone to the entries; _NoDirection where theirs is not known, or denied."""
    if options.rank_best == "high":
        told = next((index for index, entry in enumerate(entries) if entry.rank is not None), None)
        if told is not None:
            what = f"--rank-best high, but in {dialect} the lowest rank is the best"
            raise _NoDirection(told, "", what, "leave the option out, or rename the key")
    left = [None if one.extras is None else one.extras.get(options.rank) for one in candidates]
    place = next((index for index, value in enumerate(left) if value is not None), None)
    if place is None:
        return
    if dialect in RANKED and options.rank == "rank":
        for entry, value in zip(entries, left, strict=True):
            if value is not None:
                entry.lost = entry.lost or f"rank: {shorten(value, 30)}"
    elif options.rank_best is not None:
        _declared(entries, left, options)
    elif not options.explicit and all(entry.score is None and entry.label is None for entry in entries):
        what = f"{options.rank} {shorten(left[place])} does not say which end is the best"
        raise _NoDirection(place, f".{options.rank}", what, HELP_RANK)


def _declared(entries: list[Entry], left: list[Any], options: SourceOptions) -> None:
    """Ranks of which the user says the direction, counted from 0 for the best that is there."""
    ranks = [understood("rank", number_of(value), -(2**31)) for value in left]
    known = [rank for rank in ranks if rank is not None]
    for entry, value, rank in zip(entries, left, ranks, strict=True):
        if rank is not None:
            entry.rank = rank - min(known) if options.rank_best == "low" else max(known) - rank
        elif value is not None:
            entry.lost = entry.lost or f"{options.rank}: {shorten(value, 30)}"
