"""Records and their ids: the same content, the same id; other content, another id."""

import json
import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import hypothesis.strategies as st
import orjson
import pytest
from hypothesis import given
from strategies import LAW, NUMBERS, TEXTS
from xxhash import xxh3_128_digest

from dataforge.errors import RowError
from dataforge.record import (
    CallOrder,
    Candidate,
    Media,
    Reasoning,
    Record,
    ToolCall,
    ToolResult,
    Turn,
    exact_number,
    record_id,
)

ROOT = Path(__file__).resolve().parent.parent


def talk(*texts, **more):
    roles = ("user", "assistant")
    return Record([Turn(roles[index % 2], [text]) for index, text in enumerate(texts)], **more)


def called(arguments, name="f"):
    return Record([Turn("assistant", [ToolCall(name, arguments)])])


def test_the_id_of_a_conversation_is_the_hash_of_its_roles_and_texts():
    record = talk("你好", "Hi")
    assert record_id(record) == xxh3_128_digest('["user","你好","assistant","Hi"]'.encode())


@LAW
@given(st.lists(TEXTS, min_size=1, max_size=3), st.lists(TEXTS, min_size=1, max_size=3))
def test_two_conversations_share_an_id_only_if_they_say_the_same(one, other):
    assert (record_id(talk(*one)) == record_id(talk(*other))) == (one == other)


def test_every_part_of_the_content_counts_and_what_is_beside_it_does_not():
    same = [
        talk("问", "答"),
        talk("问", "答", extras={"id": 1}, layout={"dialect": "qa", "pair": ("问题", "答案")}, parents=("x",)),
        Record([Turn("user", ["问"], weight=0), Turn("assistant", ["答"], extras={"note": 1})]),
        Record([Turn("user", ["问"]), Turn("assistant", [Reasoning(""), "答"])]),
    ]
    assert len({record_id(record) for record in same}) == 1
    others = [
        talk("问", "答"),
        talk("答", "问"),
        talk("问答"),
        talk("问", "答 "),
        Record([Turn("user", ["问"]), Turn("system", ["答"])]),
        Record([Turn("user", ["问"], name="小明"), Turn("assistant", ["答"])]),
        Record([Turn("user", ["问"]), Turn("assistant", [Reasoning("答")])]),
        Record([Turn("user", ["问"]), Turn("assistant", [Reasoning("想"), "答"])]),
        Record([Turn("user", ["问"]), Turn("assistant", ["答", Media("答")])]),
        Record([Turn("user", ["问"]), Turn("assistant", ["", "答"])]),
        Record([Turn("user", ["问"]), Turn("tool", [ToolResult("答")])]),
        Record([Turn("user", ["问"]), Turn("assistant", [ToolCall("答", "{}")])]),
        talk("问", "答", tools=[{"name": "f"}]),
        talk("问", "答", tools=[{"name": "f", "strict": True}]),
        talk("问", "答", label=True),
        talk("问", "答", label=False),
        talk("问", "答", candidates=[]),
        talk("问", "答", candidates=[Candidate([Turn("assistant", ["答"])], score=1.0)]),
        talk("问", "答", candidates=[Candidate([Turn("assistant", ["答"])], score=2.0)]),
    ]
    assert len({record_id(record) for record in others}) == len(others)


def test_arguments_count_by_their_value_and_not_by_their_spelling():
    same = ['{"城市": "北京", "n": 1e5}', '{"n":100000.0,"城市":"\\u5317\\u4eac"}', ' {"n" : 1E5,\n"城市":"北京"} ']
    assert len({record_id(called(text)) for text in same}) == 1
    others = [
        '{"n": 1}',
        '{"n": 1.0}',
        '{"n": "1"}',
        '{"n": true}',
        '{"n": null}',
        "{}",
        "",
        "[]",
        "not JSON",
        '{"n": [1]}',
    ]
    assert len({record_id(called(text)) for text in others}) == len(others)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("123456789012345678901234567890", "123456789012345678901234567891"),
        ("0.1000000000000000055511151231257827", "0.1"),
        ("1e400", "1e401"),
        ("1e-400", "0.0"),
        ("9007199254740993e0", "9007199254740992.0"),
        ("18446744073709551616", "18446744073709551617"),
    ],
)
def test_arguments_that_a_float_would_make_equal_are_told_apart(one, other):
    ids = {record_id(called(f'{{"n": {number}}}')) for number in (one, other)}
    assert len(ids) == 2
    assert record_id(called(f'{{"n":{one} }}')) in ids


def test_lone_surrogates_big_numbers_and_both_at_once_have_ids():
    big = orjson.Fragment("123456789012345678901234567890")
    records = [
        talk("\ud800"),
        talk("\udfff"),
        talk("\\ud800"),
        talk("x", tools=[{"name": "f", "n": big}]),
        talk("\ud800", tools=[{"name": "f", "n": big}]),
        talk("\ud800", tools=[{"name": "f", "n": orjson.Fragment("1e999")}]),
        talk("x", tools=[{"name": "f", "n": 2**80}]),
        called('{"a": "\\ud800"}'),
        called('{"a": "\\udfff"}'),
    ]
    assert len({record_id(record) for record in records}) == len(records)
    assert record_id(called('{"a":"\\ud800" }')) == record_id(records[-2])


def test_a_media_value_of_any_depth_has_an_id_or_a_row_error():
    deep = []
    for _ in range(300):
        deep = [deep]
    assert record_id(Record([Turn("user", [Media(deep)])])) != record_id(Record([Turn("user", [Media([deep])])]))
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(RowError, match="nested too deep"):
        record_id(Record([Turn("user", [Media(deep)])]))
    while deep:  # taken apart by hand: Python itself would recurse
        deep = deep.pop()


def test_ids_do_not_depend_on_the_process():
    code = (
        "from dataforge.record import *;"
        "turns = [Turn('user', ['你好']), Turn('assistant', [ToolCall('f', '{\"b\": 1, \"a\": 2}')])];"
        "print(record_id(Record(turns, tools=[{'b': {'y': 1, 'x': 2}, 'name': 'f'}])).hex())"
    )
    found = set()
    for seed in ("0", "1", "12345"):
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": seed}
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, env=environment, check=True)
        found.add(done.stdout)
    turns = [Turn("user", ["你好"]), Turn("assistant", [ToolCall("f", '{"a": 2, "b": 1}')])]
    here = record_id(Record(turns, tools=[{"name": "f", "b": {"x": 2, "y": 1}}])).hex()
    assert found == {here.encode() + os.linesep.encode()}


def test_a_turn_says_its_text_parts_without_a_separator():
    assert Turn("user", ["你好"]).text == "你好"
    assert Turn("user", ["你", Media({}), "好"]).text == "你好"
    assert Turn("assistant", [Reasoning("想"), ToolCall("f", "{}")]).text == ""


def test_a_document_is_one_turn_without_a_speaker():
    assert Record([Turn("document", ["茶"])]).is_document
    assert not Record([Turn("user", ["茶"])]).is_document
    assert not Record([Turn("document", ["茶"]), Turn("user", ["?"])]).is_document
    assert not Record([]).is_document


@LAW
@given(NUMBERS)
def test_a_number_is_exact_or_none(number):
    value = exact_number(number.text)
    try:
        true = Decimal(number.text)
    except ArithmeticError:
        assert value is None
        return
    if value is None:
        assert isinstance(true, Decimal)
        wide = not -(2**63) <= true < 2**64 if number.text.lstrip("-").isdecimal() else True
        assert wide
        assert number.text.lstrip("-").isdecimal() or Decimal(repr(float(number.text))) != true
    else:
        assert Decimal(repr(value)) == true
        assert isinstance(value, int) == (
            json.loads(number.text, parse_int=lambda _: True, parse_float=lambda _: False)
        )


def answers(*turns):
    order = CallOrder()
    return [order.turn(Turn("tool", list(parts))) for parts in turns]


def test_results_answer_the_first_open_call_unless_they_name_another():
    a, b = ToolCall("f", "{}", "a"), ToolCall("g", "{}", "b")
    assert answers([a, b], [ToolResult("1")], [ToolResult("2")], [ToolResult("3")]) == [
        [],
        [(0, 0)],
        [(1, 1)],
        [(None, None)],
    ]
    assert answers([a, b], [ToolResult("2", "b"), ToolResult("1", "a")]) == [[], [(1, 0), (0, 0)]]
    assert answers([a], [ToolResult("1", "unknown")]) == [[], [(0, 0)]]
    assert answers([a], [ToolResult("1", "a")], [ToolResult("1", "a")]) == [[], [(0, 0)], [(0, None)]]
    assert answers([a], ["停"], [ToolResult("1")], [ToolResult("1", "a")]) == [[], [], [(None, None)], [(0, None)]]
    assert answers([a], [a], [ToolResult("1", "a")], [ToolResult("2", "a")]) == [[], [], [(0, 0)], [(1, 1)]]
