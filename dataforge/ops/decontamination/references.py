"""The items of reference files (benchmarks, held-out rows): what each asks and what it answers, in any dialect.

A row that a dialect reads is an item: prompt and answer as conversations have them, a document as a prompt alone. Where
the dialect knows no answer, or no dialect has such keys (a table of questions), columns are taken by their names:
question, prompt, problem, 问题, ...; answer, solution, canonical_solution, 答案, ...; options A, B, C, ... or
choices. A row with none of these names is compared by all of its texts. What was used is said for every file.

A question too short to be told apart ("which of these is true") is compared together with its options.

Cost: one pass in this process, about 40 MB/s; the texts are held until the index is made.
Python: `read_references(find_sources(["gsm8k.jsonl"]), skip_faulty=False)[0].items[0].prompt`
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from dataforge.engine.batch import Batch, sniff
from dataforge.errors import RowError
from dataforge.io.chunks import open_reading, read_chunks
from dataforge.io.paths import Source
from dataforge.ops.rowtext import answer_text, prompt_text, turn_text
from dataforge.record import Record

__all__ = ["LETTERS", "Item", "Reference", "read_item", "read_references"]

QUESTIONS = (
    *(
        "question",
        "questions",
        "prompt",
        "problem",
        "problem_description",
        "query",
        "instruction",
        "input",
        "goal",
        "stem",
    ),
    *("text", "content", "sentence", "premise", "hypothesis", "问题", "题目", "题干", "提问", "问", "指令", "输入"),
)
ANSWERS = (
    *("canonical_solution", "solution", "solutions", "answer", "answers", "output", "target", "targets", "response"),
    *("completion", "reference", "reference_answer", "ideal", "code", "explanation", "rationale"),
    *("答案", "回答", "解析", "答", "输出"),
)
OPTIONS = ("choices", "options", "endings", "选项")
LETTERS = "ABCDEFGHIJ"
Said = tuple[str, str | None, tuple[str, ...]]
"""Prompt, answer and options."""


@dataclass(frozen=True)
class Item:
    """One row of a reference file. line: 1-based; ordinal: from 0. options: of the question, without their letters."""

    line: int
    ordinal: int
    prompt: str
    answer: str | None = None
    options: tuple[str, ...] = ()


@dataclass
class Reference:
    """One reference file: its items, its size and hash, its faulty rows, and how items were read (way -> rows)."""

    name: str
    place: str
    items: list[Item] = field(default_factory=list)
    bytes: int = 0
    hash: str = ""
    rows: int = 0
    faulty: int = 0
    ways: Counter[str] = field(default_factory=Counter)


def read_references(sources: list[Source], *, skip_faulty: bool) -> list[Reference]:
    """The items of all reference files; RowError at the first faulty row, unless such are to be skipped and counted."""
    return [_read(source, index, skip_faulty) for index, source in enumerate(sources)]


def _read(source: Source, index: int, skip_faulty: bool) -> Reference:
    reference = Reference(source.name, source.place)
    with contextlib.closing(open_reading(source)) as reading:
        prefer: list[str] | None = None
        for chunk in read_chunks(source, index, reading):
            prefer = sniff(chunk) if prefer is None else prefer
            chunk.prefer = prefer
            batch = Batch(chunk)
            for row, item, way in _items(batch, reference.rows):
                reference.items.append(item)
                reference.ways[way] += 1
                batch.notes.pop(row, None)
            for note in batch.notes.values():
                if not skip_faulty:
                    fault = RowError(note.rule, note.detail, path=note.path, help=note.help).at(source.place, note.line)
                    fault.help = fault.help or "--on-error reject passes over such rows of a reference and counts them"
                    raise fault
                reference.faulty += 1
            reference.rows += batch.n_in
        reading.finish()
        reference.bytes, reference.hash = reading.bytes, reading.hash
    return reference


def _items(batch: Batch, first: int) -> Iterator[tuple[int, Item, str]]:
    for row, value in batch.values():
        record = None
        try:
            record = batch.read(value)
        except RowError as fault:
            if not _texts(value):
                batch.fault(row, fault)
                continue
        said, way = read_item(value, record)
        yield row, Item(batch.line(row), first + row, *said), way


def read_item(value: dict[str, Any], record: Record | None) -> tuple[Said, str]:
    """Prompt, answer and options of a row, and in words which parts of the row they were read from.

    record: the row as its dialect reads it; None where no dialect does.
    """
    options, used = _options(value)
    if record is None:
        return _by_names(value, options, used)
    prompt, answer, way = prompt_text(record), answer_text(record), "prompt and answer"
    if prompt is None:
        prompt, way = turn_text(record.turns[0]), "document"
    elif answer is None:
        answer, name = _named(record.extras or {}, ANSWERS)
        way = f"prompt, {name}" if name else "prompt"
    elif not prompt.strip():
        prompt, answer, way = answer, None, "answer alone"
    if used:
        way += f", {used}"
    return (prompt or "", answer, options), way


def _by_names(value: dict[str, Any], options: tuple[str, ...], used: str) -> tuple[Said, str]:
    """An item by the names of its columns; by all its texts where no name is known."""
    prompt, asked = _named(value, QUESTIONS)
    answer, answered = _named(value, ANSWERS)
    if prompt is None:
        return ("\n".join(_texts(value).values()), None, ()), "all texts: " + ", ".join(_texts(value))
    return (prompt, answer, options), ", ".join(name for name in (asked, used, answered) if name)


def _named(value: dict[str, Any], names: tuple[str, ...]) -> tuple[str | None, str]:
    """The texts under the known names, joined by newlines, and their names."""
    found = {key: _text(item) for key, item in value.items() if key.strip().casefold() in names}
    found = {key: text for key, text in found.items() if text.strip()}
    return ("\n".join(found.values()), ", ".join(found)) if found else (None, "")


def _options(value: dict[str, Any]) -> tuple[tuple[str, ...], str]:
    """The choices of a question, and the columns they stand in."""
    for key, item in value.items():
        if key.strip().casefold() in OPTIONS:
            if isinstance(item, dict):  # {"text": [...], "label": [...]}, or {"A": ..., "B": ...}
                item = item.get("text", list(item.values()))
            if isinstance(item, list) and len(item) > 1 and all(isinstance(one, str | int | float) for one in item):
                return tuple(map(str, item)), key
    letters = [letter for letter in LETTERS if isinstance(value.get(letter), str | int | float)]
    if len(letters) > 1 and letters == list(LETTERS[: len(letters)]):
        return tuple(str(value[letter]) for letter in letters), ", ".join(letters)
    return (), ""


def _texts(value: dict[str, Any]) -> dict[str, str]:
    """All texts of a row by column."""
    found = {key: _text(item) for key, item in value.items() if not isinstance(item, bool | int | float)}
    return {key: text for key, text in found.items() if any(map(str.isalpha, text))}


def _text(value: Any) -> str:
    """A value as text: a list's items joined by newlines, an object's values."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        value = list(value.values())
    return "\n".join(filter(None, map(_text, value))) if isinstance(value, list) else ""
