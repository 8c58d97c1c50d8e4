"""Where JSON values begin and end, told by the standard library."""

import json

import hypothesis.strategies as st
import pytest
from hypothesis import given
from strategies import LAW, TEXTS, VALUES, dump, exactly

from dataforge.io import scan

SPACE = st.text(" \n\t\r", max_size=3)
TRICKY = st.one_of(TEXTS, st.text('"\\{}[],:\n', max_size=8))
NESTED = st.recursive(
    st.one_of(st.none(), st.integers(0, 9), TRICKY),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TRICKY, inner, max_size=3)),
    max_leaves=8,
)


@st.composite
def stretches(draw, values, separator):
    """(text of values one after another with random white space, the values)."""
    found = draw(st.lists(values, min_size=1, max_size=6))
    texts = [
        draw(SPACE) + dump(value, draw(st.sampled_from([(",", ":"), (" , ", " :\n")]))) + draw(SPACE) for value in found
    ]
    return separator.join(texts).encode(), found


@LAW
@given(stretches(NESTED, ","))
def test_values_between_commas_are_cut_where_json_ends_them(stretch):
    data, values = stretch
    starts, ends = scan.split_values(data)
    assert [json.loads(data[start:end]) for start, end in zip(starts, ends, strict=True)] == [
        json.loads(dump(value)) for value in values
    ]


@LAW
@given(stretches(st.dictionaries(TRICKY, NESTED, max_size=3), ""))
def test_objects_one_after_another_are_cut_where_json_ends_them(stretch):
    data, values = stretch
    starts, ends = scan.split_values(data, commas=False)
    assert [exactly(data[start:end]) for start, end in zip(starts, ends, strict=True)] == [
        exactly(dump(value).encode()) for value in values
    ]


@LAW
@given(st.lists(VALUES, max_size=3), st.integers(0, 200))
def test_a_boundary_is_found_in_any_beginning_of_an_array_and_whole_values_stand_before_it(values, cut):
    data = dump(values, (",", ":")).encode()[1:][:cut]
    stop, follow, end = scan.last_boundary(scan.structure(data), commas=True)
    if stop >= 0:
        assert data[stop : stop + 1] == b"," and follow == stop + 1
        assert len(json.loads(b"[" + data[:stop] + b"]")) == len(scan.split_values(data[:stop])[0])
    if end >= 0:
        assert data[end : end + 1] == b"]" and end == len(dump(values, (",", ":")).encode()) - 2
    whole = json.loads(b"[" + data[: max(stop, 0)] + b"]")
    assert whole == json.loads(dump(values))[: len(whole)]


@pytest.mark.parametrize(
    ("text", "open_string"),
    [
        ('{"a": "b"}', False),
        ('{"a": "b', True),
        ('"\\"', True),
        ('"\\\\"', False),
        ('"\\\\\\"', True),
        ("", False),
        ("茶", False),
    ],
)
def test_an_open_string_is_noticed_behind_any_run_of_backslashes(text, open_string):
    assert scan.structure(text.encode()).open_string is open_string


def test_a_stretch_without_a_whole_value_has_none():
    assert scan.split_values(b' {"a": 1', commas=False) == ([], [])
    assert scan.split_values(b" x ", commas=False) == ([], [])
    assert scan.last_boundary(scan.structure(b'{"a": [1, 2'), commas=True) == (-1, -1, -1)
    assert scan.last_boundary(scan.structure(b'{"a": [1, 2'), commas=False) == (-1, -1, -1)
