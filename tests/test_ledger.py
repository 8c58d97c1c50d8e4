"""Counts: rows and tokens add up, or an error says by how much they do not."""

import hypothesis.strategies as st
import pytest
from hypothesis import given
from strategies import LAW

from dataforge.errors import ConservationError
from dataforge.ledger import DROPPED, ERROR, FATES, KEPT, REPAIRED, UNUSED, Counts, Result, TokenCounts

ADDED = st.lists(
    st.tuples(
        st.sampled_from(range(5)), st.sampled_from(["", "duplicate", "太短"]), st.integers(0, 9), st.integers(0, 9)
    ),
    max_size=8,
)


@LAW
@given(ADDED, st.integers(0, 9))
def test_counts_that_were_added_add_up_and_any_single_loss_is_found(added, generated):
    counts = Counts(generated=generated)
    for fate, rule, rows, n_out in added:
        counts.add(fate, rule, rows=rows, n_out=n_out)
    counts.rows_out = counts.sum_n_out + generated
    counts.check()
    assert counts.rows_in == sum(rows for _, _, rows, _ in added)
    for name in ("rows_in", "kept", "repaired", "dropped", "unused", "errors", "rows_out", "generated", "sum_n_out"):
        setattr(counts, name, getattr(counts, name) + 1)
        with pytest.raises(ConservationError, match="rows do not add up"):
            counts.check()
        setattr(counts, name, getattr(counts, name) - 1)
    counts.check()


def test_an_imbalance_says_both_sides():
    with pytest.raises(ConservationError, match="3 in, 2 with a fate"):
        Counts(rows_in=3, kept=2, rows_out=2, sum_n_out=2).check()
    with pytest.raises(ConservationError, match="5 written, 2 by the ledger \\+ 1 generated"):
        Counts(rows_in=2, kept=2, rows_out=5, sum_n_out=2, generated=1).check()


def test_each_fate_counts_in_its_place_and_rules_by_fate():
    counts = Counts()
    for number, fate in enumerate((KEPT, REPAIRED, DROPPED, UNUSED, ERROR), 1):
        counts.add(fate, f"规则{number}", rows=number, n_out=number if fate in (KEPT, REPAIRED) else 0)
    assert counts.as_dict() == {
        "in": 15,
        "kept": 1,
        "repaired": 2,
        "dropped": 3,
        "unused": 4,
        "errors": 5,
        "out": 0,
        "generated": 0,
        "rules": {"dropped:规则3": 3, "error:规则5": 5, "kept:规则1": 1, "repaired:规则2": 2, "unused:规则4": 4},
    }
    assert FATES[ERROR] == "error"


@LAW
@given(st.tuples(*[st.integers(0, 1000)] * 4), st.integers(-5, 5))
def test_tokens_add_up_or_name_their_source(shares, lost):
    counts = TokenCounts(sum(shares) + lost, *shares)
    if lost == 0:
        counts.check()
        assert counts.as_dict()["in"] == sum(shares)
    else:
        with pytest.raises(ConservationError, match="tokens do not add up in 茶.jsonl"):
            counts.check("茶.jsonl")


def test_a_result_is_fine_as_long_as_no_row_was_faulty():
    result = Result("convert")
    assert (result.ok, result.exit_code) == (True, 0)
    result.counts.add(DROPPED, "duplicate")
    assert (result.ok, result.exit_code) == (True, 0)
    result.counts.add(ERROR, "broken_json")
    assert (result.ok, result.exit_code) == (False, 1)
