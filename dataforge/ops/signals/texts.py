"""Texts made ready to be measured: their code points, the classes of these, and their terms, piece by piece.

A text longer than PIECE characters is measured in pieces of at most that many, cut at line ends where there is one (a
longer line counts as several). So memory stays bounded whatever the length of a row, and shares of repeated text, which
grow with the length of a text, stay comparable with those of ordinary documents. Counts of pieces are added up.

Cost: about 40 bytes of memory a character of at most BATCH + PIECE characters at a time.
Python: `Texts.of(["Hello, world 你好"], [0]).terms.kinds.tolist()  # [1, 1, 2, 2]`
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dataforge.ops.signals.characters import classes
from dataforge.ops.terms import Terms, pack, tables

__all__ = ["BATCH", "PIECE", "Texts", "pieces_of"]

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
    def of(cls, pieces: Sequence[str], rows: Sequence[int] | NDArray[np.int64]) -> Texts:
        """Pieces of the texts `rows`."""
        terms = _find_terms(pieces)
        data = terms.packed.data
        codes, kinds = np.empty(len(data), np.uint32), np.empty(len(data), np.uint16)
        starts, ends = np.empty(len(terms.starts), np.int32), np.empty(len(terms.ends), np.int32)
        offsets = np.empty(len(pieces) + 1, np.int64)
        places = terms.packed.offsets, terms.offsets, terms.starts, terms.ends
        n = _spread(data, classes(), places, codes, kinds, offsets, starts, ends)
        return cls(np.array(rows, np.int64), codes[:n], kinds[:n], offsets, terms, starts, ends)

    def joined(self, bounds: NDArray[np.int64], rows: NDArray[np.int64]) -> Texts:
        """The same in longer pieces: piece i is those from `bounds[i]` to `bounds[i + 1]`, of text `rows[i]`.

        What the bounds leave out stays in the arrays, and in no piece.
        """
        terms = replace(self.terms, offsets=self.terms.offsets[bounds])
        return replace(self, rows=rows, offsets=self.offsets[bounds], terms=terms)


def _find_terms(pieces: Sequence[str]) -> Terms:
    """`Terms.of` in one pass: with room for a term a byte, of which only what is written takes memory."""
    from dataforge.ops.termloops import find_loop

    packed = pack(pieces)
    most = len(packed.data)
    kinds = np.zeros(most, np.uint8)
    hashes, starts, ends = np.empty(most, np.uint64), np.empty(most, np.int64), np.empty(most, np.int64)
    find_loop(packed.data, packed.offsets, tables(), hashes, kinds, starts, ends)
    n = int(np.count_nonzero(kinds))
    offsets = np.searchsorted(starts[:n], packed.offsets).astype(np.int64)
    return Terms(packed, offsets, hashes[:n], kinds[:n], starts[:n], ends[:n])


@njit(cache=True, nogil=True)
def _decode(data: Any, table: Any, pos: Any, stop: Any, codes: Any, kinds: Any, n: Any) -> Any:
    """Write code points and classes of the bytes from `pos` to `stop` from place n on; gives the place after."""
    while pos < stop:
        code = np.uint32(data[pos])
        if code < 0x80:
            codes[n] = code
            kinds[n] = table[code]
            pos += 1
            n += 1
            continue
        more = 1 if code < 0xE0 else 2 if code < 0xF0 else 3
        code &= np.uint32(0x3F >> more)
        for k in range(1, more + 1):
            code = (code << np.uint32(6)) | np.uint32(data[pos + k] & 0x3F)
        codes[n] = code
        kinds[n] = table[code]
        pos += more + 1
        n += 1
    return n


@njit(cache=True, nogil=True)
def _spread(data: Any, table: Any, places: Any, codes: Any, kinds: Any, offsets: Any, starts: Any, ends: Any) -> Any:
    """Decode UTF-8 into code points and their classes; turn places in bytes into places in characters."""
    byte_offsets, term_offsets, byte_starts, byte_ends = places
    n = pos = 0
    for piece in range(len(byte_offsets) - 1):
        offsets[piece] = n
        for k in range(term_offsets[piece], term_offsets[piece + 1]):
            n = _decode(data, table, pos, byte_starts[k], codes, kinds, n)
            starts[k] = n
            pos = byte_ends[k]
            n = _decode(data, table, byte_starts[k], pos, codes, kinds, n)
            ends[k] = n
        n = _decode(data, table, pos, byte_offsets[piece + 1], codes, kinds, n)
        pos = byte_offsets[piece + 1]
    offsets[len(byte_offsets) - 1] = n
    return n


def pieces_of(text: str) -> Iterator[str]:
    """A text in pieces of at most PIECE characters, each cut after a line feed or else a blank in its second half."""
    begin = 0
    while len(text) - begin > PIECE:
        middle, most = begin + PIECE // 2, begin + PIECE
        end = text.rfind("\n", middle, most) + 1 or text.rfind(" ", middle, most) + 1 or most
        yield text[begin:end]
        begin = end
    yield text[begin:]
