"""What a run says of itself: position bias, weights for KTO, and the lines that people read."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataforge.ops.preference.account import kto_weights, told
from dataforge.ops.preference.positions import position_bias
from dataforge.ops.preference.table import VoteColumns


def bias(*votes):
    first, second, won = zip(*votes, strict=True)
    return position_bias(VoteColumns(np.array(first), np.array(second), np.array(won, float)))


@settings(max_examples=50, deadline=None)
@given(wanted=st.integers(1, 10**6), unwanted=st.integers(1, 10**6))
def test_the_weights_bring_the_classes_into_the_advised_range_and_raise_the_rarer_one_only(wanted, unwanted):
    weights = kto_weights(wanted, unwanted)
    up, down = (Fraction(str(weights[name])) for name in ("desirable", "undesirable"))
    assert 1 <= up * wanted / (down * unwanted) <= Fraction(4, 3)
    assert min(up, down) == 1
    if 1 <= Fraction(wanted, unwanted) <= Fraction(4, 3):
        assert up == down == 1
    less = [(up - Fraction(1, 100), down), (up, down - Fraction(1, 100))]
    for one, other in less:
        assert min(one, other) < 1 or not 1 <= one * wanted / (other * unwanted) <= Fraction(4, 3)


@pytest.mark.parametrize(("wanted", "unwanted"), [(0, 5), (5, 0), (0, 0)])
def test_a_kind_that_is_missing_has_no_weights(wanted, unwanted):
    assert kto_weights(wanted, unwanted) is None


def test_without_both_orders_there_is_nothing_to_say_of_bias():
    assert position_bias(None) is None
    assert bias((0, 1, 1), (0, 1, 0), (2, 3, 1)) is None
    assert bias((0, 0, 1)) is None


def test_each_kind_of_outcome_of_two_orders_is_counted_once():
    found = bias(
        (0, 1, 1), (1, 0, 0),  # the same answer twice
        (2, 3, 0.5), (3, 2, 0.5),  # a tie twice
        (4, 5, 1), (5, 4, 1),  # the first twice
        (7, 6, 0), (6, 7, 0),  # the second twice
        (8, 9, 0.5), (9, 8, 1),  # a tie once
        (10, 11, 1), (12, 12, 1),  # one order alone; an answer beside itself
    )  # fmt: skip
    assert found == {
        "both_orders": 5,
        "consistent": 2,
        "first_twice": 1,
        "second_twice": 1,
        "half_tied": 1,
        "first_share": 0.55,
    }


def test_many_votes_in_one_order_are_one_judgement():
    found = bias((0, 1, 1), (0, 1, 1), (0, 1, 0), (1, 0, 0))
    assert found["consistent"] == 1 and found["first_share"] == 0.5


def test_lines_for_people_say_what_was_lost_and_what_to_do():
    account = {
        "pairs": 2, "prompts": 3, "answers": 8, "answers_by_use": {"used": 4, "tie": 4},
        "lost_scores": {"honesty: N/A": 1200}, "labels_against_scores": 1, "position_bias": None, "balance_length": None,
        "lengths": {"after": {"pairs": 0}}, "labelled": {"wanted": 1, "unwanted": 0, "weights": None},
        "verdicts": {"wanted": 2, "unwanted": 2, "weights": kto_weights(2, 2)},
    }  # fmt: skip
    assert told(account) == [
        "  2 pairs of 3 prompts; 4 of 8 answers used, unused: tie 4",
        "  left out of scores: honesty: N/A 1,200",
        "  1 pairs whose labels say the opposite of their scores",
        "  labelled answers read: 1 wanted, 0 unwanted; KTO needs both kinds",
        "  verdicts written: 2 wanted, 2 unwanted; KTO weights 1 and 1",
    ]


def test_many_kinds_of_lost_scores_are_shown_by_the_commonest():
    account = {
        "pairs": 0, "prompts": 0, "answers": 0, "answers_by_use": {}, "labels_against_scores": 0, "position_bias": None,
        "lost_scores": {f"分数: {n}": n for n in range(1, 9)}, "balance_length": None,
        "lengths": {"after": {"pairs": 0}}, "labelled": {"wanted": 0, "unwanted": 0, "weights": None},
    }  # fmt: skip
    assert "  left out of scores: 分数: 8 8, 分数: 7 7, 分数: 6 6, 分数: 5 5, 分数: 4 4 and 3 more kinds" in told(
        account
    )
