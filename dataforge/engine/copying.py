"""Rows that a decision keeps, copied as they stand: the last pass of dedup, select and filter.

Where the first pass noted the ends of rows (`ends` in its task's options; lines of JSON and nothing else), kept
stretches of each chunk are written as they are, which costs little more than reading. All else goes through the task
`rows`: arrays, tables and packed files, other outputs than lines, and runs that want to know the dropped rows' bytes.

Python: `for number, done in copied(run, parts, keep): ...`
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dataforge.engine.batch import Note
from dataforge.engine.run import Part, Run
from dataforge.engine.worker import Task

__all__ = ["SLOWLY", "Copied", "copied", "kept_stretches", "row_ends"]

STAY = 1
SLOWLY = 8
"""Chunks without noted ends that may be copied here, one after the other."""


class Copied(NamedTuple):
    """What came of a part: rows written, and notes on its dropped rows where these are kept."""

    written: int
    notes: list[Note]


def copied(run: Run, parts: Sequence[Part], keep: Callable[[int], bytes]) -> Iterator[tuple[int, Copied]]:
    """Write the rows of each part that `keep(number)` marks with 1; (number of the part, what came of it), in order."""
    ends = [row_ends(part) for part in parts]
    task = {"encode": "jsonl", "drops": run.options.keep_dropped}
    plain = run.output.container in ("jsonl", "json") and not run.options.keep_dropped and run.options.limit is None
    if not plain or sum(own is None for own in ends) > SLOWLY:
        for number, done in enumerate(run.parts("rows", task, keep=keep)):
            run.output.write(done.result.out)
            yield number, Copied(done.result.stats["written"], done.result.notes)
        return
    slow = Task("rows", task)
    for number, chunk in enumerate(run.chunks()):
        marks, own = keep(number), ends[number]
        if own is None:
            chunk.keep = marks
            result = slow.run(chunk)
            run.output.write(result.out)
            yield number, Copied(result.stats["written"], [])
        else:
            out = kept_stretches(chunk.read(), own, np.frombuffer(marks, np.uint8) == STAY)
            run.output.write(out)
            yield number, Copied(out.count(b"\n"), [])  # what is there, not what should be: the run compares


def row_ends(part: Part) -> NDArray[np.uint32] | None:
    """Where each row of a part ends, taken from its payload; None where the first pass could not say."""
    ends = part.result.payload.pop("ends", None)
    return None if ends is None else np.frombuffer(ends, np.uint32)


def kept_stretches(data: bytes, ends: NDArray[np.uint32], stays: NDArray[np.bool_]) -> bytes:
    """The stretches of rows that stay."""
    if stays.all():
        return data
    edges = np.flatnonzero(np.diff(stays, prepend=False, append=False))
    places = np.concatenate([[0], ends])[edges].tolist()
    view = memoryview(data)
    return b"".join([view[start:stop] for start, stop in zip(places[::2], places[1::2], strict=True)])
