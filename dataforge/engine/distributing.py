"""Rows that a decision sends to several files, copied as they stand in one last pass (the sibling of `copying.py`).

Where the first pass noted the ends of rows, stretches of each chunk are written as they are. All else goes through the
task `rows`, whose lines are dealt out.

Cost: that of reading and writing; a few milliseconds a chunk for arrays and tables.
Python: `distribute(run, parts, lambda number: homes[number], [train, validation])`
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from dataforge.engine.copying import SLOWLY, STAY, kept_stretches, row_ends
from dataforge.engine.rowfile import RowFile
from dataforge.engine.run import Part, Run
from dataforge.engine.worker import Task
from dataforge.errors import ConservationError

__all__ = ["NOWHERE", "distribute"]

NOWHERE = -1
"""The home of a row that is not written."""
LEFT_OUT = 2
TASK = {"encode": "jsonl", "drops": False}
Homes = NDArray[np.int8]


def distribute(run: Run, parts: Sequence[Part], homes: Callable[[int], Homes], files: Sequence[RowFile]) -> None:
    """Write each row of part `n` to the file that `homes(n)` names by number, in the order of the input.

    Raises InputError if the input changed since the first pass.
    """
    ends = [row_ends(part) for part in parts]
    if run.options.limit is not None or sum(own is None for own in ends) > SLOWLY:
        for number, lines in _encoded(run, homes):
            _deal(lines, homes(number), files)
        return
    slow = Task("rows", TASK)
    for number, chunk in enumerate(run.chunks()):
        home, own = homes(number), ends[number]
        if own is None:
            chunk.keep = _keep(home)
            _deal(slow.run(chunk).out, home, files)
            continue
        data = chunk.read()
        for place, file in enumerate(files):
            there = home == place
            if there.any():
                file.write(kept_stretches(data, own, there))


def _encoded(run: Run, homes: Callable[[int], Homes]) -> Iterator[tuple[int, bytes]]:
    """(number of the part, its rows that go somewhere, a line each)."""
    for number, part in enumerate(run.parts("rows", TASK, keep=lambda number: _keep(homes(number)))):
        yield number, part.result.out


def _keep(home: Homes) -> bytes:
    return np.where(home == NOWHERE, LEFT_OUT, STAY).astype(np.uint8).tobytes()


def _deal(out: bytes, home: Homes, files: Sequence[RowFile]) -> None:
    """Lines to their files; an encoded row holds no raw newline, so every line is a row."""
    going = home[home != NOWHERE]
    lengths = np.diff(np.flatnonzero(np.frombuffer(out, np.uint8) == ord("\n")), prepend=-1)
    if len(lengths) != len(going):
        raise ConservationError(f"rows do not add up: {len(going)} are to be written, {len(lengths)} came")
    ends = np.cumsum(lengths).astype(np.uint32)
    for place, file in enumerate(files):
        there = going == place
        if there.any():
            file.write(kept_stretches(out, ends, there))
