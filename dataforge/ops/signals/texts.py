"""Texts made ready to be measured: their code points, the classes of these, and their terms, piece by piece.

A text longer than PIECE characters is measured in pieces of at most that many, cut at line ends where there is one (a
longer line counts as several). So memory stays bounded whatever the length of a row, and shares of repeated text, which
grow with the length of a text, stay comparable with those of ordinary documents. Counts of pieces are added up.

Cost: about 40 bytes of memory a character of at most BATCH + PIECE characters at a time.
Python: `[texts.terms.kinds for texts in batches(["Hello, world 你好"])]`
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dataforge.ops.signals.characters import classes
from dataforge.ops.terms import Terms

__all__ = ["BATCH", "PIECE", "Texts", "batches", "pieces_of"]

PIECE = 1 << 18
BATCH = 1 << 20


@dataclass(frozen=True)
class Texts:
    """Pieces of some texts (all of them whole texts, but for long ones).

    rows: int64, the text that each piece is of. codes: uint32, code points of all pieces, end to end. classes: uint16,
    their classes. offsets: int64, where in `codes` each piece begins, one more than there are pieces.
    terms: as in `dataforge.ops.terms`. starts, ends: int32, where terms begin and end in `codes`.
    """

    rows: NDArray[np.int64]
    codes: NDArray[np.uint32]
    classes: NDArray[np.uint16]
    offsets: NDArray[np.int64]
    terms: Terms
    starts: NDArray[np.int32]
    ends: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.rows)

    @classmethod
    def of(cls, pieces: Sequence[str], rows: Sequence[int]) -> Texts:
        """Pieces of the texts `rows`."""
        terms = Terms.of(pieces)
        data = terms.packed.data
        codes, kinds = np.empty(len(data), np.uint32), np.empty(len(data), np.uint16)
        starts, ends = np.empty(len(terms.starts), np.int32), np.empty(len(terms.ends), np.int32)
        offsets = np.empty(len(pieces) + 1, np.int64)
        places = (terms.starts, terms.ends, terms.packed.offsets), (starts, ends, offsets)
        n = _spread(data, classes(), codes, kinds, places[0], places[1])
        return cls(np.array(rows, np.int64), codes[:n], kinds[:n], offsets, terms, starts, ends)


@njit(cache=True, nogil=True)
def _spread(data: Any, table: Any, codes: Any, kinds: Any, places: Any, out: Any) -> Any:
    """Decode UTF-8 into code points and their classes; turn ascending places in bytes into places in characters."""
    starts, ends, offsets = places
    s = e = o = n = pos = 0
    while True:
        while s < len(starts) and starts[s] == pos:
            out[0][s] = n
            s += 1
        while e < len(ends) and ends[e] == pos:
            out[1][e] = n
            e += 1
        while o < len(offsets) and offsets[o] == pos:
            out[2][o] = n
            o += 1
        if pos >= len(data):
            return n
        code = np.uint32(data[pos])
        more = 0 if code < 0x80 else 1 if code < 0xE0 else 2 if code < 0xF0 else 3
        if more:
            code &= np.uint32(0x3F >> more)
            for k in range(1, more + 1):
                code = (code << np.uint32(6)) | np.uint32(data[pos + k] & 0x3F)
        codes[n] = code
        kinds[n] = table[code]
        pos += more + 1
        n += 1


def batches(texts: Sequence[str]) -> Iterator[Texts]:
    """All pieces of all texts, some at a time, in order."""
    pieces: list[str] = []
    rows: list[int] = []
    size = 0
    for row, text in enumerate(texts):
        for piece in (text,) if len(text) <= PIECE else pieces_of(text):
            pieces.append(piece)
            rows.append(row)
            size += len(piece)
            if size >= BATCH:
                yield Texts.of(pieces, rows)
                pieces, rows, size = [], [], 0
    if pieces:
        yield Texts.of(pieces, rows)


def pieces_of(text: str) -> Iterator[str]:
    """A text in pieces of at most PIECE characters, each cut after a line feed or else a blank in its second half."""
    begin = 0
    while len(text) - begin > PIECE:
        middle, most = begin + PIECE // 2, begin + PIECE
        end = text.rfind("\n", middle, most) + 1 or text.rfind(" ", middle, most) + 1 or most
        yield text[begin:end]
        begin = end
    yield text[begin:]
