"""JSON text comes back to the digit, and no number that orjson would round escapes the check."""

import hypothesis.strategies as st
import orjson
import pytest
from hypothesis import example, given
from strategies import LAW, NUMBERS, TEXTS, VALUES, Number, decimal, dump, exactly

from dataforge.errors import RowError
from dataforge.io import jsontext

SPELLINGS = st.sampled_from([(",", ":"), (", ", ": "), (" ,\n ", "\t:\r\n")])


@LAW
@given(VALUES, SPELLINGS, st.booleans())
@example([Number("9007199254740993e0")], (",", ":"), False)
@example({"\ud800": [Number("1e400"), Number("-0")]}, (",", ":"), True)
def test_what_is_decoded_is_encoded_to_the_same_value(value, separators, ascii):
    raw = dump(value, separators, ascii).encode()
    assert exactly(jsontext.encode(jsontext.decode(raw))) == exactly(raw)
    assert exactly(jsontext.encode(jsontext.decode_exact(raw))) == exactly(raw)


DIGITS = st.text("0123456789", min_size=1, max_size=25).map(lambda text: text.lstrip("0") or "0")
WRITTEN = st.builds(
    "{}{}{}{}".format,
    st.sampled_from(["", "-"]),
    DIGITS,
    st.one_of(st.just(""), st.text("0123456789", min_size=1, max_size=22).map(".{}".format)),
    st.one_of(
        st.just(""),
        st.builds("{}{}{}".format, st.sampled_from("eE"), st.sampled_from(["", "+", "-"]), st.integers(0, 400)),
        st.sampled_from(["e-0310", "E+0", "e308", "e-307"]),
    ),
)


@LAW
@given(st.one_of(WRITTEN, NUMBERS.map(lambda number: number.text)), TEXTS)
@example("9007199254740993e0", "")
@example("1234567890123456e2", "")
@example("1.234567e-320", "")
@example("1E-400", "")
@example("123456789012345e-310", "")
def test_a_number_that_orjson_would_change_is_always_found(number, text):
    row = dump({"text": text, "n": [Number(number)]}).encode()
    try:
        fast = orjson.dumps(orjson.loads(row))
    except orjson.JSONDecodeError:
        return  # it is read on the exact path for that
    if exactly(fast) != exactly(row):
        assert jsontext.row_may_round(row)
        start = row.rindex(number.encode())
        assert any(start <= place < start + len(number) for place in jsontext.may_round(row))


def test_ordinary_rows_stay_on_the_fast_path():
    row = '{"price": 12.5, "id": 1234567890123456, "t": 1700000000.123, "x": -1.5e-10, "茶": "……………………………………"}'.encode()
    assert not jsontext.row_may_round(row)
    assert not jsontext.row_may_round(b'{"contents": "1 ............................. 5"}')


@pytest.mark.parametrize("raw", [b"NaN", b"Infinity", b"-Infinity", b'{"a": NaN}', '{"分": -Infinity}'.encode()])
def test_what_json_does_not_have_is_refused(raw):
    for read in (jsontext.decode, jsontext.decode_exact):
        with pytest.raises(ValueError, match="is not a JSON value"):
            read(raw)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b" ",
        b"{",
        b'{"a": 1,}',
        b"[1 2]",
        b"01",
        b"1.",
        b".5",
        b"+1",
        b'"\t"',
        b"'a'",
        b"{} {}",
        b"nul",
        b'"\\x"',
        b"\xff",
    ],
)
def test_what_is_no_json_is_a_value_error_on_both_paths(raw):
    for read in (jsontext.decode, jsontext.decode_exact):
        with pytest.raises(ValueError):
            read(raw)


@pytest.mark.parametrize(
    ("raw", "place"),
    [
        (b'{"a": "\xb2\xe8"}', 7),
        (b'{"a": "\xed\xa0\x80"}', 7),
        (b'{"n": 123456789012345678901, "a": "\xff"}', 35),
    ],
)
def test_bytes_that_are_no_utf8_are_named_with_their_place(raw, place):
    for read in (jsontext.decode, jsontext.decode_exact):
        with pytest.raises(UnicodeDecodeError) as caught:
            read(raw)
        assert caught.value.start == place


def test_bytes_that_look_like_utf16_are_not_taken_for_it():
    with pytest.raises(ValueError):
        jsontext.decode('{"a": 1}'.encode("utf-16-le"))


def test_text_stays_readable_and_only_lone_surrogates_are_escaped():
    assert jsontext.encode({"问": "é👍\u2028"}) == '{"问":"é👍\u2028"}'.encode()
    assert (
        jsontext.encode({"问": ["é\ud800", 2**70, "é"]})
        == '{"问":["\\u00e9\\ud800",1180591620717411303424,"é"]}'.encode()
    )
    assert jsontext.encode({"\udfff": {"é": 1}}) == '{"\\udfff":{"é":1}}'.encode()
    assert jsontext.decode(b'"\\ud83d\\ude00\\ud83d"') == "\U0001f600\ud83d"


@pytest.mark.parametrize("levels", [300, 900, 10_000, 200_000])
def test_deep_nesting_is_an_error_of_the_row_and_never_of_the_process(levels):
    raw = b'{"a":' + b"[" * levels + b"]" * levels + b"}"
    try:
        value = jsontext.decode(raw)
    except ValueError as fault:
        assert "deep" in str(fault)
        return
    with pytest.raises(RowError, match="nested deeper than 254 levels") as caught:
        jsontext.encode(value)
    assert caught.value.rule == "too_deep"


def test_what_has_no_json_form_at_all_stays_a_type_error():
    with pytest.raises(TypeError):
        jsontext.encode({"a": object()})


@LAW
@given(st.lists(NUMBERS, min_size=1, max_size=4))
def test_numbers_keep_their_value_through_python(numbers):
    raw = dump(numbers).encode()
    for number, value in zip(numbers, jsontext.decode(raw), strict=True):
        written = jsontext.encode(value).decode()
        assert decimal(written) == decimal(number.text)
