"""The text of a row, for steps that look at what a row says and not at how it says it.

Python: `row_text(record)`, `answer_text(record)  # None for a document`
"""

from __future__ import annotations

from collections.abc import Iterable

from dataforge.io import jsontext
from dataforge.record import Candidate, Reasoning, Record, ToolCall, ToolResult, Turn

__all__ = ["answer_text", "best_candidate", "prompt_text", "prompt_turns", "row_text", "turn_text"]


def row_text(record: Record, fields: str = "all") -> str:
    """All that a row says: texts, reasoning, tool calls and results of its turns and candidates, joined by newlines.

    fields: `all`; `prompt` (what comes before the last answer); `answer` (the last answer, or all candidates).
    A row without that part (a document has no answer) gives all of its text.
    """
    if fields == "prompt":
        text = prompt_text(record)
    elif fields == "answer":
        answers = [turn for c in record.candidates or () for turn in c.turns]
        text = _join(answers) if answers else answer_text(record)
    else:
        text = None
    if text is None:
        turns = record.turns
        if len(turns) == 1 and not record.candidates:
            return turn_text(turns[0])
        text = _join([*turns, *(turn for c in record.candidates or () for turn in c.turns)])
    return text


def prompt_text(record: Record) -> str | None:
    """What comes before the last assistant turn (before the candidates, where there are some).

    None for a document, and where nothing comes before it.
    """
    if record.is_document:
        return None
    before = prompt_turns(record)
    return _join(before) if before else None


def prompt_turns(record: Record) -> list[Turn]:
    """The turns before the last assistant turn: all of them where there is none, or where candidates stand for it."""
    turns = record.turns
    return turns[:] if record.candidates is not None else turns[: _last_answer(turns)]


def answer_text(record: Record) -> str | None:
    """The last assistant turn, or the best candidate; None for a document and a row without an answer."""
    if record.is_document:
        return None
    if record.candidates:
        return _join(best_candidate(record.candidates).turns)
    turns = record.turns
    last = _last_answer(turns)
    return turn_text(turns[last]) if last < len(turns) else None


def best_candidate(candidates: list[Candidate]) -> Candidate:
    """The candidate that is chosen, ranked best or scored best; the first where nothing is known."""

    def badness(candidate: Candidate) -> tuple[bool, float, float]:
        rank = float("inf") if candidate.rank is None else candidate.rank
        score = float("inf") if candidate.score is None else -candidate.score
        return (candidate.label != "chosen", rank, score)

    return min(candidates, key=badness)


def turn_text(turn: Turn) -> str:
    """All text of a turn, its parts joined by newlines; media as their JSON."""
    parts = turn.parts
    if len(parts) == 1 and type(parts[0]) is str:
        return parts[0]
    said = []
    for part in parts:
        if isinstance(part, str):
            said.append(part)
        elif isinstance(part, Reasoning):
            said.append(part.text)
        elif isinstance(part, ToolCall):
            said.append(f"{part.name or ''} {part.arguments}")
        elif isinstance(part, ToolResult):
            said.append(part.content)
        else:
            said.append(jsontext.encode(part.value).decode(errors="replace"))
    return "\n".join(said)


def _join(turns: Iterable[Turn]) -> str:
    return "\n".join(map(turn_text, turns))


def _last_answer(turns: list[Turn]) -> int:
    """The index of the last assistant turn; the number of turns if there is none."""
    return max((i for i, turn in enumerate(turns) if turn.role == "assistant"), default=len(turns))
