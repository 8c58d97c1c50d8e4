"""Position bias of a judge: what it says of two answers that it was shown in both orders.

Of each two answers that were compared both ways round, the judgement of an order is the mean of its votes (1: the
answer shown first won, 0: the second, 0.5: a tie). A judge without bias says the same of the answers in both orders.
What a row gives as the first answer counts as shown first.

Cost: a sort of the votes.
Python: `position_bias(table.votes)["first_twice"]`
"""

from __future__ import annotations

import numpy as np

from dataforge.ops.preference.table import VoteColumns

__all__ = ["position_bias"]


def position_bias(votes: VoteColumns | None) -> dict[str, float | int] | None:
    """How judgements depend on the order; None where no two answers were compared in both orders.

    both_orders: pairs of answers that were; consistent: the same answer won, or both orders tie; first_twice,
    second_twice: the answer shown first (second) won in both, whichever it was; half_tied: one order ties, the other
    does not. first_share: of their votes the share that the answer shown first won, a tie half (0.5: no bias).
    """
    if votes is None:
        return None
    apart = votes.first != votes.second
    first, second, won = votes.first[apart], votes.second[apart], votes.won[apart]
    if not len(first):
        return None
    size = int(max(first.max(), second.max())) + 1
    low, high = np.minimum(first, second), np.maximum(first, second)
    _, pair = np.unique(low * size + high, return_inverse=True)
    place = 2 * pair.reshape(-1) + (first > second)
    shape = (-1, 2)
    cells = 2 * (int(place.max()) // 2 + 1)
    count = np.bincount(place, minlength=cells).reshape(shape)
    total = np.bincount(place, won, cells).reshape(shape)
    both = (count > 0).all(axis=1)
    if not both.any():
        return None
    one, other = np.sign(2 * total[both] - count[both]).T
    return {
        "both_orders": int(both.sum()),
        "consistent": int((one == -other).sum()),
        "first_twice": int(((one > 0) & (other > 0)).sum()),
        "second_twice": int(((one < 0) & (other < 0)).sum()),
        "half_tied": int(((one == 0) != (other == 0)).sum()),
        "first_share": round(float(total[both].sum() / count[both].sum()), 6),
    }
