"""Conditions over scores: cut at their ANDs without a change of meaning, read as expressions, never as queries."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataforge.errors import UsageError
from dataforge.ops.selection.apply import where_clauses
from dataforge.ops.selection.decision import decide, parse_top
from dataforge.ops.selection.expressions import Condition, split_clauses

CUT = {
    "n >= 20 and ppl < quantile(ppl, 0.9)": ["n >= 20", "ppl < quantile(ppl, 0.9)"],
    "a BETWEEN 1 AND 2 AND b": ["a BETWEEN 1 AND 2", "b"],
    "a not between 1 and 2 and b between 3 and 4": ["a not between 1 and 2", "b between 3 and 4"],
    "a and b or c": ["a and b or c"],
    "(a or b) and c": ["(a or b)", "c"],
    "case when a and b then c end and d": ["case when a and b then c end", "d"],
    "lang = 'a and b' and \"x and y\" = 1": ["lang = 'a and b'", '"x and y" = 1'],
    "说 = '甲 and 乙' AND  长度 > 3": ["说 = '甲 and 乙'", "长度 > 3"],
    "a > 1 -- and not this\n and b": ["a > 1", "b"],
    "a /* and */ > 1": ["a > 1"],
    "land and sand": ["land", "sand"],
    "a and": ["a and"],
}


@pytest.mark.parametrize("text", CUT)
def test_a_condition_is_cut_at_its_top_level_ands(text):
    assert split_clauses(text) == CUT[text]


NUMBERS = st.sampled_from(["a", "b", "1", "2.5", "abs(a)", "a + b", "quantile(a, 0.5)", "avg(b)", "max(a)"])
SIMPLE = st.one_of(
    st.builds("{} {} {}".format, NUMBERS, st.sampled_from(["<", ">=", "=", "<>"]), NUMBERS),
    st.builds("{} between {} and {}".format, NUMBERS, NUMBERS, NUMBERS),
    st.sampled_from(["a is null", "t = '甲 and 乙'", "t in ('x', '甲')", "f", "not f"]),
)
TEXTS = st.recursive(
    SIMPLE,
    lambda inner: st.one_of(
        st.builds("({})".format, inner),
        st.builds("{} {} {}".format, inner, st.sampled_from(["and", "AND", "or", "\nand "]), inner),
        st.builds("case when {} then {} else {} end".format, inner, inner, inner),
    ),
    max_leaves=5,
)
VALUES = st.fixed_dictionaries(
    {
        "a": st.one_of(st.none(), st.integers(-2, 4)),
        "b": st.one_of(st.none(), st.floats(-2, 4)),
        "t": st.sampled_from(["x", "甲", "甲 and 乙", None]),
        "f": st.sampled_from([True, False, None]),
    }
)
SCHEMA = {"a": pl.Int64, "b": pl.Float64, "t": pl.String, "f": pl.Boolean}


@settings(max_examples=50, deadline=None)
@given(text=TEXTS, rows=st.lists(VALUES, min_size=1, max_size=6))
def test_the_parts_together_hold_exactly_where_the_whole_holds(text, rows):
    frame = pl.DataFrame(rows, schema=SCHEMA)
    whole = frame.with_columns(Condition.of(text).expression.alias("met"))["met"].fill_null(False).to_list()
    assert decide(frame, where_clauses([text], keep_null=False)).stays.tolist() == whole


@settings(max_examples=50, deadline=None)
@given(
    values=st.lists(st.one_of(st.none(), st.floats(-100, 100)), min_size=1, max_size=20),
    q=st.sampled_from([0, 0.1, 0.5, 0.9, 0.99, 1]),
)
def test_a_quantile_is_numpys_over_the_values_that_are_there(values, q):
    frame = pl.DataFrame({"ppl": values}, schema={"ppl": pl.Float64})
    there = [value for value in values if value is not None]
    (part,) = Condition.of(f"ppl <= quantile(ppl, {q})").aggregates
    value = frame.select(part.expression).item()
    assert value == pytest.approx(np.quantile(there, q)) if there else value is None


@pytest.mark.parametrize(
    "query",
    [
        "n in (select n from read_csv('{path}'))",
        "n in (SELECT n FROM '{path}')",
        "n > (Select /* x */ max(n) from read_csv('{path}'))",
        "exists(select 1)",
        "select * from read_csv('{path}')",
        "n > 1; drop table scores",
        "(table scores)",
        "read_csv('{path}')",
    ],
)
def test_a_query_is_refused_and_opens_no_file(query, tmp_path):
    (tmp_path / "secret.csv").write_text("n\n1\n")
    with pytest.raises(UsageError):
        Condition.of(query.format(path=tmp_path / "secret.csv"))


def test_words_of_queries_may_stand_in_texts_and_in_quoted_names():
    condition = Condition.of("t = 'select it' and \"table\" > 1")
    assert condition.columns == ("t", "table")


@pytest.mark.parametrize("text", ["", "n >", "n > 1, n > 2", "foo(n) > 1", "quantile(n, 2) > 1", "n >> '", "和 >"])
def test_what_cannot_be_read_is_said_with_the_text(text):
    with pytest.raises(UsageError, match="cannot be used") as fault:
        Condition.of(text)
    assert text in fault.value.message and fault.value.help


@pytest.mark.parametrize(("text", "what"), [("n + 1", "a number"), ("t", "a text"), ("quantile(n, 0.5)", "a number")])
def test_what_is_no_condition_is_refused(text, what):
    frame = pl.DataFrame({"n": [1, 2], "t": ["a", "茶"]})
    with pytest.raises(UsageError, match=f"is no condition, it gives {what}"):
        decide(frame, where_clauses([text], keep_null=False))


def test_a_comparison_that_makes_no_sense_is_refused():
    with pytest.raises(UsageError, match="cannot be used: .*string"):
        decide(pl.DataFrame({"n": [1, 2]}), where_clauses(["n > 'a'"], keep_null=False))


def test_a_condition_without_columns_holds_for_all_or_none():
    frame = pl.DataFrame({"n": [1, 2, 3]})
    assert decide(frame, where_clauses(["1 > 0", "count(*) = 3"], keep_null=False)).stays.tolist() == [True] * 3
    assert decide(frame, where_clauses(["avg(n) > 5"], keep_null=False)).stays.tolist() == [False] * 3


@pytest.mark.parametrize("top", ["", "ten", "-3", "5%%", "120%", "%", "1.5"])
def test_an_amount_that_is_none_is_refused(top):
    with pytest.raises(UsageError, match="no number of rows and no share"):
        parse_top(top, "n", False)


@pytest.mark.parametrize(
    ("top", "count", "share"),
    [("10000", 10000, None), (5, 5, None), ("10,000", 10000, None), ("10%", None, 0.1), ("2.5 %", None, 0.025)],
)
def test_an_amount_is_a_number_or_a_share(top, count, share):
    best = parse_top(top, "n", False)
    assert (best.count, best.share) == (count, pytest.approx(share) if share else None)
