from __future__ import annotations

import orjson
import pytest

from dataforge.errors import RowError
from dataforge.record import Candidate, Media, Reasoning, Record, ToolCall, ToolResult, Turn
from dataforge.shards.messages import messages_of, messages_with_turns


def refusal(*turns: Turn, **more: object) -> RowError:
    with pytest.raises(RowError) as caught:
        messages_of(Record(list(turns), **more))
    return caught.value


def test_plain_turns_become_role_and_content(talk):
    messages, tools = messages_of(talk(("system", "简短。"), ("user", "你好"), ("assistant", " hi\n")))
    assert messages == [
        {"role": "system", "content": "简短。"},
        {"role": "user", "content": "你好"},
        {"role": "assistant", "content": " hi\n"},
    ]
    assert tools is None


def test_an_assistant_turn_keeps_reasoning_text_and_calls():
    call = ToolCall("查", '{"n": 12345678901234567890123, "x": [1.5, null]}', "c9")
    messages, _ = messages_of(Record([Turn("assistant", [Reasoning("想"), "好的", "。", call, ToolCall("g", "")])]))
    assert messages == [
        {
            "role": "assistant",
            "content": "好的。",
            "reasoning_content": "想",
            "tool_calls": [
                {
                    "type": "function",
                    "function": {"name": "查", "arguments": {"n": 12345678901234567890123, "x": [1.5, None]}},
                    "id": "c9",
                },
                {"type": "function", "function": {"name": "g", "arguments": {}}},
            ],
        }
    ]


def test_each_tool_result_is_a_message_of_its_turn():
    record = Record([Turn("user", ["?"]), Turn("tool", [ToolResult("晴", "c1"), ToolResult("")]), Turn("tool", [])])
    messages, origin, _ = messages_with_turns(record)
    assert messages[1:] == [
        {"role": "tool", "content": "晴", "tool_call_id": "c1"},
        {"role": "tool", "content": ""},
        {"role": "tool", "content": ""},
    ]
    assert origin == [0, 1, 1, 2]


def test_names_are_kept():
    assert messages_of(Record([Turn("user", ["hi"], name="小明")]))[0][0]["name"] == "小明"


def test_tools_stand_in_the_envelope_and_exact_numbers_are_numbers():
    bare = {"name": "f", "parameters": {"maximum": orjson.Fragment(b"18446744073709551616")}}
    _, tools = messages_of(Record([Turn("user", ["?"])], tools=[bare, {"type": "custom"}]))
    assert tools == [
        {"type": "function", "function": {"name": "f", "parameters": {"maximum": 18446744073709551616}}},
        {"type": "custom"},
    ]


def test_a_picture_is_refused_with_its_place():
    error = refusal(Turn("user", ["看图"]), Turn("user", [Media({"type": "image_url"}), "?"]))
    assert (error.rule, error.path) == ("has_media", "$.turns[1]")


def test_a_row_with_media_lists_is_refused(talk):
    record = talk(("user", "<image>这是什么？"), ("assistant", "猫。"), extras={"images": ["猫.png"]})
    with pytest.raises(RowError) as caught:
        messages_of(record)
    assert (caught.value.rule, caught.value.path) == ("has_media", "$.images")
    record.extras = {"images": []}
    assert len(messages_of(record)[0]) == 2


def test_text_behind_a_call_is_refused():
    error = refusal(Turn("assistant", [ToolCall("f", "{}"), "查好了"]))
    assert error.rule == "misplaced_part"
    assert "text" in error.message


def test_reasoning_of_a_user_is_refused():
    assert "Reasoning" in refusal(Turn("user", [Reasoning("hm")])).message


def test_a_call_without_a_name_is_refused():
    assert refusal(Turn("assistant", [ToolCall(None, "不是 json")])).rule == "unreadable_call"


@pytest.mark.parametrize("arguments", ["[1]", "{", '"城市"', "3"])
def test_arguments_that_are_no_object_are_refused(arguments):
    error = refusal(Turn("assistant", [ToolCall("f", arguments)]))
    assert error.rule == "bad_arguments"
    assert arguments in error.message


def test_several_answers_are_no_conversation(talk):
    record = talk(("user", "问"))
    record.candidates = [Candidate([Turn("assistant", ["答"])])]
    with pytest.raises(RowError) as caught:
        messages_of(record)
    assert caught.value.rule == "has_candidates"


def test_no_turns_are_no_conversation():
    assert refusal().rule == "empty_conversation"


def test_a_document_among_turns_is_refused():
    assert refusal(Turn("user", ["?"]), Turn("document", ["文"])).path == "$.turns[1]"
