"""The table of length differences: how much longer chosen answers are than rejected ones, in characters.

A model that learns from pairs whose chosen answer is mostly the longer one learns to be long.

Cost: a sort of the differences.
Python: `length_table(chosen_lengths, rejected_lengths)["longer"]`
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["QUANTILES", "length_table"]

QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)


def length_table(chosen: NDArray[np.int64], rejected: NDArray[np.int64]) -> dict[str, float | int | None]:
    """How the lengths of pairs differ; lengths are characters.

    pairs; longer, shorter, equal: shares of pairs (0 to 1) whose chosen answer is so; q0 ... q100: quantiles of chosen
    minus rejected length; mean: of that difference; ratio: mean chosen / mean rejected length (None if that is 0).
    Without pairs there is nothing but `pairs`: 0.
    """
    if not len(chosen):
        return {"pairs": 0}
    difference = chosen - rejected
    table: dict[str, float | int | None] = {"pairs": len(chosen)}
    for name, kind in (("longer", difference > 0), ("shorter", difference < 0), ("equal", difference == 0)):
        table[name] = round(float(kind.mean()), 6)
    for share, value in zip(QUANTILES, np.quantile(difference, QUANTILES), strict=True):
        table[f"q{round(100 * share)}"] = round(float(value), 3)
    table["mean"] = round(float(difference.mean()), 3)
    below = float(rejected.mean())
    table["ratio"] = round(float(chosen.mean()) / below, 6) if below else None
    return table
