"""Seed tasks: what people wrote, and new tasks are made after.

A seed is an instruction with inputs and outputs. Rows of seed files (Self-Instruct, Alpaca, BELLE: `instruction`,
`instances`) have them as they are; so do alpaca rows; of other dialects (question and answer, one exchange of a chat)
the user's turn is the instruction. Rows of several exchanges, with a system turn or without an answer are no seeds.

Reads: the seed files. Cost: the seeds are held in memory.
Python: `check_seeds(("seeds.jsonl",))[0].instruction`
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from dataforge.engine.batch import Batch
from dataforge.errors import DataError, NotRepresentable, RowError, UsageError
from dataforge.formats import alpaca
from dataforge.formats import seeds as seed_rows
from dataforge.formats.spelling import Spelling
from dataforge.io.chunks import open_reading, read_chunks
from dataforge.io.paths import find_sources
from dataforge.record import Record, record_id

__all__ = ["SHAPE", "Seed", "check_seeds", "one_exchange", "seed_of"]

SHAPE = "a seed is an instruction with an output, and an input where it needs one"


@dataclass(frozen=True, slots=True)
class Seed:
    """A task that a person wrote.

    id: content hash of its row, hex. name: the row's own `id`, or else the hash. instances: (input, output) pairs.
    classification: what the row says of itself; None where it says nothing.
    """

    id: str
    name: str
    instruction: str
    instances: tuple[tuple[str, str], ...]
    classification: bool | None = None


def seed_of(record: Record) -> Seed:
    """The seed of a row; RowError for a row that is none."""
    row = _task_row(record)
    instruction = row["instruction"]
    instances = tuple((one.get("input") or "", one["output"]) for one in row["instances"])
    if not instruction.strip():
        raise RowError("no_instruction", "the seed has no instruction", path="$.instruction", help=SHAPE)
    for index, (_, output) in enumerate(instances):
        if not output or not output.strip():
            place = f"$.instances[{index}].output" if _dialect(record) == seed_rows.NAME else "$.output"
            raise RowError("empty_output", "the output of the seed is empty", path=place, help=SHAPE)
    id = record_id(record).hex()
    extras = record.extras or {}
    name, told = extras.get("id"), extras.get("is_classification")
    named = str(name) if isinstance(name, str | int) and not isinstance(name, bool) else id
    return Seed(id, named, instruction, instances, told if isinstance(told, bool) else None)


def _dialect(record: Record) -> str:
    return str((record.layout or {}).get("dialect", ""))


def _task_row(record: Record) -> dict[str, Any]:
    """The record as a seed row."""
    try:
        if _dialect(record) == seed_rows.NAME or record.candidates is not None:
            return seed_rows.write(record, Spelling())
        row = alpaca.write(record, Spelling())
    except NotRepresentable as fault:
        raise RowError("no_seed", f"this row is no seed task: {fault.message}", help=SHAPE) from None
    row = {alpaca.CHINESE.get(key, key): value for key, value in row.items()}
    if row.get("system") or row.get("history"):
        what = "a system text" if row.get("system") else "earlier exchanges"
        raise RowError("no_seed", f"this row is no seed task: it has {what}", help=SHAPE)
    return {"instruction": row["instruction"], "instances": [{"input": row.get("input"), "output": row["output"]}]}


def one_exchange(instruction: str, given: str, output: str) -> Record:
    """A new row: one task with one instance, which alpaca spells as instruction, input and output."""
    return alpaca.read({"instruction": instruction, "input": given, "output": output}, Spelling())


def check_seeds(paths: Sequence[str], limit: int | None = None, *, strict: bool = True) -> list[Seed]:
    """The seeds of these files; raises RowError (file, line, path) for the first row that is none, if `strict`.

    Raises UsageError for standard input (seeds are read twice), DataError if there is no seed at all.
    """
    if "-" in paths:
        raise UsageError("--seeds: a file is needed, not standard input")
    found: list[Seed] = []
    for index, source in enumerate(find_sources(list(paths))):
        with closing(open_reading(source)) as reading:
            for chunk in read_chunks(source, index, reading):
                found += _seeds_of(Batch(chunk), source.place, strict=strict)
                if limit is not None and len(found) >= limit:
                    return found[:limit]
    if not found:
        raise DataError("there is no seed task", place=", ".join(paths), help=SHAPE)
    return found


def _seeds_of(batch: Batch, place: str, *, strict: bool) -> Iterable[Seed]:
    for row, record in list(batch.records()):
        try:
            yield seed_of(record)
        except RowError as fault:
            batch.fault(row, fault)
    for row in sorted(batch.notes) if strict else ():
        note = batch.notes[row]
        raise RowError(note.rule, note.detail, path=note.path, help=note.help).at(place, note.line)
