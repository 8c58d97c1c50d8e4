from __future__ import annotations

import json

import pytest

from dataforge.shards.chatml import render_chatml
from dataforge.shards.messages import messages_of


def test_render_chatml_writes_what_the_jinja_template_writes(tokenizer, conversation):
    messages, tools = messages_of(conversation)
    assert render_chatml(messages, tools) == tokenizer.apply_chat_template(messages, tools=tools, tokenize=False)


def test_chatml_grows_only_at_its_end(tokenizer, conversation):
    messages, tools = messages_of(conversation)
    whole = tokenizer.apply_chat_template(messages, tools=tools, tokenize=False)
    for count in range(1, len(messages)):
        assert whole.startswith(tokenizer.apply_chat_template(messages[:count], tools=tools, tokenize=False))


def test_chatml_says_a_tool_call_as_json_in_tags(tokenizer):
    call = {"function": {"name": "查天气", "arguments": {"城市": "北京"}}}
    text = tokenizer.apply_chat_template([{"role": "assistant", "content": None, "tool_calls": [call]}], tokenize=False)
    inside = text.split("<tool_call>\n")[1].split("\n</tool_call>")[0]
    assert json.loads(inside) == {"name": "查天气", "arguments": {"城市": "北京"}}
    assert "北京" in inside


def test_chatml_takes_arguments_that_are_json_text_already(tokenizer):
    call = {"function": {"name": "f", "arguments": '{"a": 1}'}}
    messages = [{"role": "assistant", "content": "x", "tool_calls": [call]}]
    text = tokenizer.apply_chat_template(messages, tokenize=False)
    assert '{"name": "f", "arguments": {"a": 1}}' in text
    assert text == render_chatml(messages)


def test_chatml_refuses_a_role_it_does_not_know(tokenizer):
    with pytest.raises(Exception, match='chatml has no role "critic"'):
        tokenizer.apply_chat_template([{"role": "critic", "content": "hm"}], tokenize=False)
