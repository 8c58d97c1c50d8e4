"""Numbers drawn from content: the same content and seed give the same number, in whatever order rows come.

Each column is mixed in by splitmix64's finaliser (Steele, Lea, Flood 2014): z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9,
z = (z ^ z >> 27) * 0x94d049bb133111eb, z ^ z >> 31, all modulo 2**64.

Cost: about 10 ns a value.
Python: `draw(seed, table.prompt[:, 0], table.answer[:, 0])`
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["dense", "draw"]

STEP = np.uint64(0x9E3779B97F4A7C15)
FIRST, SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
Ints = NDArray[np.int64]


def draw(seed: int, *columns: NDArray[Any]) -> NDArray[np.uint64]:
    """A number for each row of the columns (uint64, all of one length), as good as random."""
    state = np.full(len(columns[0]), seed % 2**64, np.uint64)
    for column in columns:
        state = (state + STEP) ^ column
        state = (state ^ (state >> np.uint64(30))) * FIRST
        state = (state ^ (state >> np.uint64(27))) * SECOND
        state ^= state >> np.uint64(31)
    return state


def dense(keys: NDArray[Any]) -> Ints:
    """Each key's number among all different keys, in ascending order."""
    found: Ints = np.unique(keys, return_inverse=True)[1].astype(np.int64).reshape(-1)
    return found
