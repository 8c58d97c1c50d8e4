"""Rows cut into sections (their turns), so that terms are found once for a row, its question and its answer.

A row is its sections with a line feed between them, exactly as `dataforge.ops.rowtext.row_text` joins them. No term
crosses a line feed, so the terms of a row are those of its sections. A question or an answer that is no section as it
stands (parts of it left out, several turns, a row longer than PIECE) is a section of its own behind all rows.

Python: `[some.whole.terms.kinds for some in batches([(["你好"], None)])]`
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dataforge.ops.rowtext import turn_text
from dataforge.ops.signals import texts as t
from dataforge.ops.signals.answers import Sides, sides
from dataforge.ops.signals.texts import Texts, pieces_of
from dataforge.record import Record

__all__ = ["Row", "Sections", "batches", "row_of"]

Row = tuple[list[str], Sides | None]
"""The sections of a row, and its question and answer (None: a document, or a prompt without an answer)."""


@dataclass(frozen=True)
class Sections:
    """Some rows, all of their sections made ready to be measured.

    whole: a piece a row (several for a long row). parts: a piece a section. For each row with an answer, in order:
    asked, said: int64, the sections of question and answer. home: int64, the piece of `whole` that both are in; -1 if
    one of them stands on its own.
    """

    whole: Texts
    parts: Texts
    asked: NDArray[np.int64]
    said: NDArray[np.int64]
    home: NDArray[np.int64]


def row_of(record: Record) -> Row:
    """The sections of a record and its sides."""
    texts = [turn_text(turn) for turn in record.turns]
    if record.candidates:
        texts += [turn_text(turn) for candidate in record.candidates for turn in candidate.turns]
    return texts or [""], sides(record)


class _Gathering:
    """What the next batch will be of."""

    def __init__(self) -> None:
        self.pieces: list[str] = []
        self.bounds: list[int] = []
        self.rows: list[int] = []
        self.extra: list[str] = [""]
        self.asked: list[int] = []
        self.said: list[int] = []
        self.home: list[int] = []
        self.size = 0

    def add(self, row: int, texts: list[str], size: int) -> None:
        """A piece of a row, in sections of `size` characters together."""
        pieces = self.pieces
        self.bounds.append(len(pieces))
        self.rows.append(row)
        self.size += size
        for text in texts:
            pieces.append(text + "\n")
        pieces[-1] = texts[-1]

    def place(self, text: str, turn: int, first: int) -> int:
        """The section of a side, which is turn `turn` of a row that begins at `first`; extra ones are below 0."""
        if turn >= 0 and first >= 0:
            return first + turn
        if not text:
            return -1
        self.extra.append(text[: t.PIECE])
        self.size += len(self.extra[-1])
        return -len(self.extra)

    def answer(self, one: Sides, whole: bool) -> None:
        """The sides of the row added last; whole: it is one piece."""
        first = self.bounds[-1] if whole else -1
        if whole and one.asked >= 0 and one.said >= 0:
            self.asked.append(first + one.asked)
            self.said.append(first + one.said)
            self.home.append(len(self.bounds) - 1)
        else:
            self.asked.append(self.place(one.question, one.asked, first))
            self.said.append(self.place(one.answer, one.said, first))
            self.home.append(-1)

    def sections(self) -> Sections:
        """What was gathered, tokenised."""
        n = len(self.pieces)
        pieces = [*self.pieces, *self.extra]
        parts = Texts.of(pieces, np.arange(len(pieces)))
        asked, said, home = (np.array(column, np.int64) for column in (self.asked, self.said, self.home))
        for column in (asked, said):
            extra = column < 0
            column[extra] = n - 1 - column[extra]
        whole = parts.joined(np.array([*self.bounds, n], np.int64), np.array(self.rows, np.int64))
        return Sections(whole, parts, asked, said, home)


def batches(rows: Iterable[Row]) -> Iterator[Sections]:
    """All rows, some at a time, in order; memory is bounded whatever their length."""
    some = _Gathering()
    for number, (texts, one) in enumerate(rows):
        size = sum(map(len, texts)) + len(texts) - 1
        whole = size <= t.PIECE
        for sections in (texts,) if whole else ([piece] for piece in pieces_of("\n".join(texts))):
            if some.size >= t.BATCH:
                yield some.sections()
                some = _Gathering()
            some.add(number, sections, min(size, t.PIECE))
        if one is not None:
            some.answer(one, whole)
    if some.rows:
        yield some.sections()
