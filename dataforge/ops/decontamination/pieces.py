"""The texts of rows in groups of bounded size, as terms: what `matching` looks at together.

A text of more than a mebicharacter is cut into pieces that overlap, so that a row of any length takes no more memory
than others; what is found in its pieces is added up. The terms of a row's texts follow each other, as of one text.

Python: `for group in groups([Said(["How many ...?", "Four."], [0], 1)]): group.prefixes`
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dataforge.ops.decontamination.loops import Prefixes
from dataforge.ops.terms import Terms

__all__ = ["OVERLAP", "PIECE", "Group", "Ints", "Said", "groups"]

PIECE, OVERLAP = 1 << 20, 1 << 13
"""Characters of a piece, and of what two pieces of one text have in common."""
CUT = -1
"""The number of a text that is a piece of one."""
Ints = NDArray[np.int64]


class Said(NamedTuple):
    """What a row says.

    texts: of its turns. asked: the turns that are not the assistant's. prompt: how many turns precede the last answer.
    """

    texts: list[str]
    asked: list[int]
    prompt: int


class Group:
    """Texts that are looked at together: row `rows[r]` has the terms from bounds[r] to bounds[r + 1].

    home, number: of each text its row and its number there, or CUT. first: how many texts earlier groups have.
    """

    def __init__(self, texts: list[str], home: list[int], number: list[int], first: int, said: list[Said]) -> None:
        self.texts = texts
        self._first = first
        self._said = said
        self._number = np.array(number, np.int64)
        self._terms = Terms.of(texts)
        self.prefixes = Prefixes.of(self._terms)
        self.rows, self._begins = np.unique(np.array(home, np.int64), return_index=True)
        self.bounds = np.append(self._terms.offsets[self._begins], self._terms.offsets[-1])

    def columns(self, row: Ints, part: Ints, start: Ints, end: Ints, place: Ints) -> Ints:
        """Matches as columns: row, part, start, end, place (unique over groups), and the four of the span."""
        spans = self._span(place, place + end - start)
        return np.column_stack([self.rows[row], part, start, end, place + (self._first << 32), spans])

    def spans(self, row: Ints, part: Ints, share: NDArray[np.float64], low: Ints, high: Ints) -> NDArray[np.float64]:
        """Containments as columns: row, part, share, and the four of the span."""
        return np.column_stack([self.rows[row], part, share, self._span(low, high)])

    def _span(self, low: Ints, high: Ints) -> Ints:
        """Terms [low, high) as (text, byte, text, byte)."""
        terms, data = self._terms, self._terms.packed.offsets
        first = np.searchsorted(terms.offsets, low, side="right") - 1
        last = np.searchsorted(terms.offsets, high - 1, side="right") - 1
        begin, end = terms.starts[low] - data[first], terms.ends[high - 1] - data[last]
        return np.column_stack([first + self._first, begin, last + self._first, end])

    def units(self, most: int) -> tuple[Ints, Ints, Ints]:
        """(row, first term, end) of what a very short item may be: a turn, all before the answer, the row.

        most: terms of the longest unit that is wanted. Rows that were cut have none.
        """
        offsets = self._terms.offsets
        counts = np.diff(np.append(self._begins, len(self.texts)))
        said = [self._said[row] for row in self.rows.tolist()]
        whole = counts == np.array([len(one.texts) for one in said])
        whole &= np.minimum.reduceat(self._number, self._begins) == 0
        rows = np.flatnonzero(whole)
        turns = [begin + turn for begin, one in zip(self._begins.tolist(), said, strict=True) for turn in one.asked]
        asked = np.repeat(np.arange(len(said)), [len(one.asked) for one in said])
        turn = np.array(turns, np.int64)[whole[asked]]
        begins = self._begins[rows]
        prompts = np.array([one.prompt for one in said], np.int64)[rows]
        row = np.concatenate([asked[whole[asked]], rows, rows])
        low = offsets[np.concatenate([turn, begins, begins])]
        high = offsets[np.concatenate([turn + 1, begins + prompts, begins + counts[rows]])]
        real = (high > low) & (high - low <= most)
        return row[real], low[real], high[real]


def groups(rows: list[Said]) -> Iterator[Group]:
    """The rows in groups of about a piece's size."""
    texts: list[str] = []
    home: list[int] = []
    number: list[int] = []
    size = done = 0
    for row, said in enumerate(rows):
        for turn, text in enumerate(said.texts):
            cut = len(text) > PIECE
            for piece in _pieces(text) if cut else (text,):
                texts.append(piece)
                home.append(row)
                number.append(CUT if cut else turn)
                size += len(piece)
                if cut and size >= PIECE:
                    yield Group(texts, home, number, done, rows)
                    done += len(texts)
                    texts, home, number, size = [], [], [], 0
        if size >= PIECE:
            yield Group(texts, home, number, done, rows)
            done += len(texts)
            texts, home, number, size = [], [], [], 0
    if texts:
        yield Group(texts, home, number, done, rows)


def _pieces(text: str) -> Iterator[str]:
    """A text in pieces that overlap."""
    for begin in range(0, len(text) - OVERLAP, PIECE - OVERLAP):
        yield text[begin : begin + PIECE]
