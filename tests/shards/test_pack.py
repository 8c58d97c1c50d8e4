from __future__ import annotations

from bisect import bisect_left, insort

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataforge.shards.pack import cut, pack

lengths_and_capacity = st.integers(1, 40).flatmap(
    lambda capacity: st.tuples(st.lists(st.integers(1, capacity), max_size=80), st.just(capacity))
)


def bins_by_the_book(lengths: list[int], capacity: int) -> int:
    """Best-fit-decreasing, one document at a time: the number of bins."""
    spaces: list[int] = []
    bins = 0
    for length in sorted(lengths, reverse=True):
        found = bisect_left(spaces, length)
        space = spaces.pop(found) if found < len(spaces) else capacity
        bins += space == capacity
        if space > length:
            insort(spaces, space - length)
    return bins


@given(lengths_and_capacity, st.integers(0, 9))
def test_every_document_stands_in_exactly_one_bin_and_no_bin_is_overfull(case, seed):
    lengths, capacity = np.array(case[0], dtype=np.int64), case[1]
    bins = pack(lengths, capacity, seed=seed)
    assert sorted(bins.order.tolist()) == list(range(len(lengths)))
    assert all(0 < lengths[bins[index]].sum() <= capacity for index in range(len(bins)))


@given(lengths_and_capacity)
def test_as_many_bins_as_best_fit_decreasing_by_the_book(case):
    lengths, capacity = case
    assert len(pack(np.array(lengths, dtype=np.int32), capacity)) == bins_by_the_book(lengths, capacity)


@given(lengths_and_capacity, st.integers(0, 9))
def test_the_same_seed_gives_the_same_bins(case, seed):
    lengths = np.array(case[0], dtype=np.int32)
    one, other = (pack(lengths, case[1], seed=seed) for _ in range(2))
    assert one.order.tolist() == other.order.tolist()
    assert one.offsets.tolist() == other.offsets.tolist()


def test_another_seed_gives_another_order_of_as_many_bins():
    lengths = np.arange(1, 100)
    one, other = pack(lengths, 128, seed=1), pack(lengths, 128, seed=2)
    assert len(one) == len(other)
    assert one.order.tolist() != other.order.tolist()


def test_bins_are_not_sorted_by_length():
    lengths = np.random.default_rng(0).integers(1, 512, 5000)
    bins = pack(lengths, 512, seed=0)
    longest = np.array([lengths[bins[index]].max() for index in range(len(bins))])
    assert abs(np.corrcoef(longest, np.arange(len(bins)))[0, 1]) < 0.1


def test_real_lengths_fill_their_bins():
    lengths = np.clip(np.random.default_rng(0).lognormal(4.8, 0.8, 20_000).astype(int), 1, 2048)
    assert lengths.sum() / (len(pack(lengths, 2048)) * 2048) > 0.995


def test_a_length_that_fits_nowhere_is_refused():
    with pytest.raises(ValueError, match="between 1 and 8"):
        pack(np.array([3, 9]), 8)
    with pytest.raises(ValueError, match="between 1 and 8"):
        pack(np.array([0]), 8)


@given(st.lists(st.integers(1, 100), max_size=30), st.integers(2, 20))
def test_pieces_cover_every_row_end_to_end(lengths, max_length):
    pieces = cut(np.array(lengths, dtype=np.int32), max_length)
    covered: list[list[int]] = [[] for _ in lengths]
    for row, start, length in zip(pieces.row.tolist(), pieces.start.tolist(), pieces.length.tolist(), strict=True):
        assert 1 <= length <= max_length
        covered[row] += range(start, start + length)
    assert covered == [list(range(length)) for length in lengths]
    assert len(pieces.row) == sum(-(-length // max_length) for length in lengths)
