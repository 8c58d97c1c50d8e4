"""Scores of answers: ratings by aspect, arithmetic over them, and what is never taken for a number."""

import ast
import math

import hypothesis.strategies as st
import pytest
from asking import choice, known
from hypothesis import given, settings
from strategies import LAW

from dataforge.errors import UsageError
from dataforge.ops.preference.ratings import measure_of, number_of

FEW = settings(LAW, max_examples=50)


def completion(ratings, **more):
    return {"response": "答", "annotations": {aspect: {"Rating": r} for aspect, r in ratings.items()}, **more}


def feedback(*completions):
    return {"instruction": "说一种茶。", "completions": list(completions)}


RATED = feedback(
    completion({"helpfulness": "4", "honesty": "N/A", "有用性": "5"}, overall_score=7.5, **{"fine-grained_score": 4.5}),
    completion({"helpfulness": "2", "honesty": "3", "有用性": "1"}, overall_score="N/A", **{"fine-grained_score": 2.0}),
)


@pytest.mark.parametrize(
    ("score", "expected"),
    [
        ("auto", [(7.5, ""), (None, "overall_score: N/A")]),
        ("overall", [(7.5, ""), (None, "overall_score: N/A")]),
        ("mean", [(4.5, "honesty: N/A"), (2.0, "")]),
        ("helpfulness", [(4.0, ""), (2.0, "")]),
        ("honesty", [(None, "honesty: N/A"), (3.0, "")]),
        ("有用性", [(5.0, ""), (1.0, "")]),
        ("fine-grained_score", [(4.5, ""), (2.0, "")]),
        ("annotations.helpfulness.Rating", [(4.0, ""), (2.0, "")]),
        ("0.5*helpfulness - 0.25*有用性", [(0.75, ""), (0.75, "")]),
        ("2*'fine-grained_score' + 1", [(10.0, ""), (5.0, "")]),
        ("max(helpfulness, 有用性) / min(2, helpfulness)", [(2.5, ""), (1.0, "")]),
        ("-helpfulness", [(-4.0, ""), (-2.0, "")]),
        ("helpfulness + honesty", [(None, "honesty: N/A"), (5.0, "")]),
        ("helpfulness / (有用性 - 1)", [(1.0, ""), (None, "helpfulness / (有用性 - 1): no finite number")]),
        ("clarity", [(None, "clarity: absent")] * 2),
        ("overall + helpfulness", [(11.5, ""), (None, "overall_score: N/A")]),
    ],
)
def test_a_score_is_what_the_user_says_it_is(score, expected):
    assert known(choice(RATED, score=score), "score", "lost") == expected


def test_what_is_no_number_is_never_averaged_as_one_and_named_by_its_value():
    row = feedback(completion({"a": "N/A", "b": "", "c": "4/5", "d": True, "e": None, "f": "nan", "g": "5"}))
    lost = "a: N/A; b: ; c: 4/5; d: True; e: null; f: nan"
    assert known(choice(row, score="mean"), "score", "lost") == [(5.0, lost)]
    none = feedback(completion({"a": "N/A"}), completion({}), {"response": "无"})
    assert known(choice(none, score="mean"), "score", "lost") == [
        (None, "a: N/A"),
        (None, "ratings: absent"),
        (None, "ratings: absent"),
    ]


@pytest.mark.parametrize(
    ("text", "number"),
    [("4", 4.0), (" 4.50\n", 4.5), ("-1e2", -100.0), (".5", 0.5), ("4.", 4.0), (4, 4.0), (4.5, 4.5)]
    + [
        (odd, None) for odd in ("", "N/A", "4/5", "nan", "inf", "1_000", "٤", "４", "0x1", "1e999", True, None, [4], {})
    ],
)
def test_a_number_is_a_finite_number_or_a_text_of_one(text, number):
    assert number_of(text) == number


def test_a_ten_beside_low_ratings_is_the_known_fault_of_ultrafeedback_and_not_trusted():
    low, high = {"helpfulness": "1", "honesty": "2"}, {"helpfulness": "5", "honesty": "4"}
    row = feedback(
        completion(low, overall_score=10.0),
        completion(high, overall_score=10.0),
        completion({"helpfulness": "N/A"}, overall_score=10.0),
        completion(low, overall_score=9.0),
        {"response": "答", "overall_score": 10},
    )
    for score in ("auto", "overall", "overall_score", "1*overall"):
        got = known(choice(row, score=score), "score", "lost")
        assert got[0] == (None, "overall_score: 10 beside low ratings")
        assert [value for value, _ in got[1:]] == [10, 10, 9, 10]
    assert known(choice(row, score="mean"), "score")[0] == (1.5,)


def test_a_text_that_is_a_number_is_the_score_where_the_dialect_says_what_it_is():
    answers = [{"response": "yes", "score": "9"}, {"response": "no", "score": None}, {"response": "无", "score": 3}]
    row = {"user_input": "问", "responses_and_scores": answers}
    assert known(choice(row), "score", "lost") == [(9.0, ""), (None, "score: null"), (3.0, "")]


@pytest.mark.parametrize(
    "text",
    ["a +", "a ** 2", "a // b", "f(a)", "a if b else c", "[a]", "a[0]", "lambda: 1", "__import__('os')", "min()",
     "max(*a)", "min(a, key=b)", "a < b", "a and b", "(a, b)*2", "9e999*a", "", "  ", "a*" + "9" * 2000, "(" * 500],
)  # fmt: skip
def test_nothing_but_arithmetic_is_taken(text):
    with pytest.raises(UsageError, match="--score"):
        measure_of(text)


NAMES = ("helpfulness", "correctness", "有用性")
LEAVES = st.one_of(st.sampled_from(NAMES), st.integers(0, 9).map(str), st.sampled_from(["0.65", "1e-2"]))
EXPRESSIONS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from("+-*/"), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
        inner.map(lambda t: f"-{t}"),
        st.tuples(st.sampled_from(["min", "max"]), inner, inner).map(lambda t: f"{t[0]}({t[1]}, {t[2]})"),
    ),
    max_leaves=8,
)


@FEW
@given(text=EXPRESSIONS, ratings=st.fixed_dictionaries({name: st.integers(1, 5) for name in NAMES}))
def test_arithmetic_is_that_of_python(text, ratings):
    names = {node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)} & set(NAMES)
    if not names:
        with pytest.raises(UsageError, match="same for every answer"):
            measure_of(text)
        return
    try:
        expected = float(eval(text, {"min": min, "max": max, **ratings}))
    except ZeroDivisionError:
        expected = math.nan
    got = measure_of(text).score(None, {"ratings": ratings})
    if math.isnan(expected):
        assert got.score is None and "no finite number" in got.lost
    else:
        assert got.score == pytest.approx(expected) and got.lost == ""


@FEW
@given(st.lists(st.one_of(st.integers(1, 5).map(str), st.sampled_from(["N/A", None, "4/5"])), min_size=1, max_size=5))
def test_the_mean_is_that_of_the_numbers_and_every_other_value_is_named(values):
    got = measure_of("mean").score(None, {"ratings": {f"r{i}": value for i, value in enumerate(values)}})
    numbers = [int(value) for value in values if value in ("1", "2", "3", "4", "5")]
    assert got.score == (pytest.approx(sum(numbers) / len(numbers)) if numbers else None)
    assert len(list(filter(None, got.lost.split("; ")))) == len(values) - len(numbers)
