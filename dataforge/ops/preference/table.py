"""All answers of a run as columns: what the decision of pairs looks at. Texts stay on disk.

Cost: about 110 bytes an answer.
Python: `table.score[table.rows_of(group)]`
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["CHOSEN", "NO_LABEL", "REJECTED", "Table", "VoteColumns"]

NO_LABEL, REJECTED, CHOSEN = -1, 0, 1
Ints = NDArray[np.int64]


@dataclass
class VoteColumns:
    """Comparisons: entries (numbers in the table) shown first and second; won: 1.0 first, 0.0 second, 0.5 a tie."""

    first: Ints
    second: Ints
    won: NDArray[np.float64]


@dataclass
class Table:
    """Columns with one value an answer (entry), in the order of the input.

    group: number of the set within which entries are compared (0, 1, 2, ... in order of first appearance); entries of
    a group need not stand together. prompt: (n, 2) uint64, hash of the prompt's content; the same in all of a group.
    answer: (n, 2) uint64, hash of the answer's content. plain: (n, 2) uint64, hash of its text with all white space
    taken away. score: float64, NaN if none. rank: int32, -1 if none, 0 the best. label: int8 (NO_LABEL, REJECTED,
    CHOSEN). length: int64, characters of the answer's text. model: int32, index into `models`, -1 if none.
    row: int64, number of the input row over all inputs. votes: comparisons, or None.
    texts(numbers) -> list[str]: the texts of some entries, read from disk (for prefixes); None: no prefixes are looked
    for. opening: uint64, hash of the first 32 characters of the text with all white space taken away, 0 where there are
    fewer; with it texts are read only where two openings agree. None: texts of all pairs that pass all else are read.
    """

    group: Ints
    prompt: NDArray[np.uint64]
    answer: NDArray[np.uint64]
    plain: NDArray[np.uint64]
    score: NDArray[np.float64]
    rank: NDArray[np.int32]
    label: NDArray[np.int8]
    length: Ints
    model: NDArray[np.int32]
    row: Ints
    models: list[str] = field(default_factory=list)
    votes: VoteColumns | None = None
    texts: Any = None
    opening: NDArray[np.uint64] | None = None

    def __len__(self) -> int:
        return len(self.group)

    @property
    def groups(self) -> int:
        """How many groups there are."""
        return int(self.group.max()) + 1 if len(self.group) else 0
