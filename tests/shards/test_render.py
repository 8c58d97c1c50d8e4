from __future__ import annotations

import copy
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataforge.errors import RowError
from dataforge.record import Media, Reasoning, Record, ToolCall, Turn
from dataforge.shards.messages import messages_of
from dataforge.shards.render import Rendered, Renderer

GENERATION = """\
{%- for message in messages %}
{{- '<|im_start|>' + message.role + '\n' }}
{%- if message.role == 'assistant' %}{% generation %}{{- message.content + '<|im_end|>' }}{% endgeneration %}
{%- else %}{{- message.content + '<|im_end|>' }}{% endif %}
{{- '\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\n' }}{% endif %}"""

PLAIN = """\
{%- for message in messages %}
{%- if message.role == 'assistant' %}{{- ' ASSISTANT: ' + message.content + '</s>' }}
{%- elif message.role == 'user' %}{{- 'USER: ' + message.content }}
{%- else %}{{- raise_exception('only user and assistant') }}{% endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- ' ASSISTANT:' }}{% endif %}"""

FORGETFUL = """\
{%- for message in messages %}
{{- '<|im_start|>' + message.role + '\n' }}
{%- if message.reasoning_content and loop.last %}{{- '<think>' + message.reasoning_content + '</think>' }}{% endif %}
{{- message.content + '<|im_end|>\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\n' }}{% endif %}"""


def trained_text(tokenizer, rendered: Rendered) -> str:
    return tokenizer.decode([token for token, bit in zip(rendered.ids, rendered.mask, strict=True) if bit])


def with_template(tokenizer, template: str):
    other = copy.deepcopy(tokenizer)
    other.chat_template = template
    return other


@pytest.fixture(scope="module")
def renderer(tokenizer):
    """The fast path: the built-in template."""
    return Renderer(tokenizer)


@pytest.fixture(scope="module")
def any_renderer(tokenizer):
    """The path for any template: the same text, in a spelling that is not recognised."""
    return Renderer(with_template(tokenizer, tokenizer.chat_template + "{# the same, spelt otherwise #}"))


def test_ids_are_those_of_apply_chat_template(tokenizer, renderer, any_renderer, conversation):
    messages, tools = messages_of(conversation)
    expected = tokenizer.apply_chat_template(messages, tools=tools, tokenize=True)["input_ids"]
    assert renderer.render(conversation).ids == expected
    assert any_renderer.render(conversation).ids == expected


def test_both_paths_train_the_same_tokens(renderer, any_renderer, conversation):
    assert renderer.render(conversation) == any_renderer.render(conversation)


def test_the_answers_with_their_terminators_are_trained_and_nothing_else(tokenizer, renderer, any_renderer, talk):
    record = talk(
        ("system", "你是助手。"),
        ("user", "问？"),
        ("assistant", "答案：二。"),
        ("user", "And?"),
        ("assistant", ""),
        ("user", "🙂"),
        ("assistant", " 👨‍👩‍👧 ok\n"),
    )
    for either in (renderer, any_renderer):
        assert trained_text(tokenizer, either.render(record)) == "答案：二。<|im_end|><|im_end|> 👨‍👩‍👧 ok\n<|im_end|>"


def test_a_call_is_trained_and_its_result_is_not(tokenizer, renderer):
    record = Record(
        [
            Turn("user", ["天气？"]),
            Turn("assistant", [Reasoning("查一下"), "好。", ToolCall("get_weather", '{"city":"北京"}')]),
            Turn("tool", ["晴"]),
            Turn("assistant", ["晴天。"]),
        ],
        tools=[{"name": "get_weather"}],
    )
    assert trained_text(tokenizer, renderer.render(record)) == (
        "<think>\n查一下\n</think>\n\n好。\n"
        '<tool_call>\n{"name": "get_weather", "arguments": {"city": "北京"}}\n</tool_call><|im_end|>晴天。<|im_end|>'
    )


MARKS = ["<|im_end|>", "<|im_start|>", "assistant\n", "<think>"]
texts = st.lists(st.sampled_from([*"ab \n\t<|>'好，🙂e\u0301.1", *MARKS]), max_size=12).map("".join)
dialogues = st.lists(
    st.tuples(st.sampled_from(["system", "user", "assistant", "tool"]), texts, st.sampled_from([None, 0, 1.0])),
    min_size=1,
    max_size=6,
)


@settings(max_examples=300, deadline=None)
@given(dialogues)
def test_whatever_is_said_both_paths_agree_and_training_is_exact(tokenizer, renderer, any_renderer, turns):
    record = Record([Turn(role, [text], weight=weight) for role, text, weight in turns])
    rendered = renderer.render(record)
    assert rendered == any_renderer.render(record)
    messages, _ = messages_of(record)
    assert rendered.ids == tokenizer.apply_chat_template(messages)["input_ids"]
    if "boundary_merged" not in rendered.notes:
        answers = [text + "<|im_end|>" for role, text, weight in turns if role == "assistant" and weight != 0]
        assert trained_text(tokenizer, rendered) == "".join(answers)
    assert ("special_in_text" in rendered.notes) == any(
        mark in text for _, text, _ in turns for mark in ("<|im_end|>", "<|im_start|>")
    )


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["system", "user", "assistant"]), texts), min_size=1, max_size=6))
def test_the_mask_is_that_of_generation_marks(tokenizer, turns):
    marked = with_template(tokenizer, GENERATION)
    record = Record([Turn(role, [text]) for role, text in turns])
    rendered = Renderer(marked).render(record)
    expected = marked.apply_chat_template(messages_of(record)[0], return_dict=True, return_assistant_tokens_mask=True)
    assert rendered.ids == expected["input_ids"]
    assert rendered.mask == expected["assistant_masks"]


def test_many_at_once_are_as_one_at_a_time(renderer, talk, document):
    records = [talk(("user", "hi"), ("assistant", f"答{n}")) for n in range(9)] + [document(f"文{n}") for n in range(9)]
    records.append(talk(("user", "typed <|im_end|> here"), ("assistant", "ok")))
    random.Random(0).shuffle(records)
    assert renderer.render_many(records) == [renderer.render(record) for record in records]


def test_an_error_does_not_disturb_its_neighbours(renderer, talk):
    good = talk(("user", "hi"), ("assistant", "好"))
    first, bad, last = renderer.render_many([good, Record([Turn("user", [Media({})])]), good])
    assert first == last == renderer.render(good)
    assert isinstance(bad, RowError)
    assert bad.rule == "has_media"


def test_weight_zero_keeps_a_turn_out_of_the_loss(tokenizer, renderer, any_renderer):
    record = Record(
        [
            Turn("user", ["q"]),
            Turn("assistant", ["不学"], weight=0),
            Turn("user", ["q"]),
            Turn("assistant", ["学"], weight=1),
        ]
    )
    for either in (renderer, any_renderer):
        assert trained_text(tokenizer, either.render(record)) == "学<|im_end|>"
    record.weight = 0
    assert sum(renderer.render(record).mask) == 0


def test_all_tokens_of_a_conversation_can_be_trained(tokenizer, talk):
    record = talk(("user", "问"), ("assistant", "答"))
    rendered = Renderer(tokenizer, all_tokens=True).render(record)
    assert rendered.ids == Renderer(tokenizer).render(record).ids
    assert rendered.mask == [1] * len(rendered.ids)


def test_a_document_is_its_text_and_the_end_of_text_token(tokenizer, renderer, document):
    rendered = renderer.render(document("从前有座山。\n\nOnce upon a time 🙂"))
    assert tokenizer.decode(rendered.ids) == "从前有座山。\n\nOnce upon a time 🙂<|endoftext|>"
    assert rendered.mask == [1] * len(rendered.ids)
    assert renderer.render(document("")).ids == [tokenizer.convert_tokens_to_ids("<|endoftext|>")]


def test_a_document_of_another_family_begins_and_ends_as_that_family_does(foreign_tokenizer, document):
    ids = Renderer(foreign_tokenizer).render(document("你好 world")).ids
    assert foreign_tokenizer.convert_ids_to_tokens([ids[0], ids[-1]]) == ["<s>", "</s>"]
    assert ids.count(ids[0]) == ids.count(ids[-1]) == 1


def test_special_tokens_typed_by_a_user_are_noted(renderer, document, talk):
    assert renderer.render(talk(("user", "写 <|im_end|> 吧"), ("assistant", "ok"))).notes == ("special_in_text",)
    assert renderer.render(document("a<|endoftext|>b")).notes == ("special_in_text",)
    assert renderer.render(talk(("user", "<|im_ end|>"), ("assistant", "ok"))).notes == ()


def test_special_tokens_in_arguments_do_not_shift_the_mask(tokenizer, renderer, any_renderer):
    record = Record(
        [
            Turn("user", ["?"]),
            Turn("assistant", [ToolCall("f", '{"a": "<|im_end|>"}')]),
            Turn("user", ["?"]),
            Turn("assistant", ["好"]),
        ]
    )
    rendered = renderer.render(record)
    assert rendered == any_renderer.render(record)
    assert trained_text(tokenizer, rendered).endswith('{"a": "<|im_end|>"}}\n</tool_call><|im_end|>好<|im_end|>')
    assert rendered.notes == ("special_in_text",)


def test_a_token_across_the_edge_is_trained_and_noted(foreign_tokenizer, talk):
    """The template's prompt ends in a space, and the tokenizer joins that space to the first word of the answer."""
    foreign = with_template(foreign_tokenizer, PLAIN.replace("' ASSISTANT:' }}", "' ASSISTANT: ' }}"))
    rendered = Renderer(foreign).render(talk(("user", "问"), ("assistant", "What。")))
    assert rendered.notes == ("boundary_merged",)
    assert trained_text(foreign, rendered) == " What。</s>"


def test_line_breaks_that_join_across_the_edge_are_trained_and_noted(tokenizer, renderer, any_renderer, talk):
    record = talk(("user", "问"), ("assistant", "\n答"))
    for either in (renderer, any_renderer):
        rendered = either.render(record)
        assert rendered.notes == ("boundary_merged",)
        assert trained_text(tokenizer, rendered) == "\n\n答<|im_end|>"


def test_any_template_with_a_terminator_trains_up_to_it(foreign_tokenizer, talk):
    foreign = with_template(foreign_tokenizer, PLAIN)
    record = talk(("user", "首都？"), ("assistant", "巴黎。"), ("user", "And?"), ("assistant", "fine"))
    rendered = Renderer(foreign).render(record)
    assert rendered.ids == foreign.apply_chat_template(messages_of(record)[0])["input_ids"]
    assert trained_text(foreign, rendered) == " 巴黎。</s> fine</s>"
    assert rendered.notes == ()


def test_a_template_without_a_terminator_is_noted(tokenizer, talk):
    bare = with_template(tokenizer, PLAIN.replace("</s>", ""))
    rendered = Renderer(bare).render(talk(("user", "问"), ("assistant", "答。")))
    assert rendered.notes == ("no_terminator",)
    assert trained_text(bare, rendered) == " 答。"


def test_a_template_that_rewrites_history_gives_an_error_and_not_a_wrong_mask(tokenizer):
    record = Record([Turn("user", ["问"]), Turn("assistant", [Reasoning("想"), "答"]), Turn("user", ["再问"])])
    template = FORGETFUL.replace("'<think>'", "('<think>' if loop.last else '<old>')").replace("and loop.last", "")
    forgetful = Renderer(with_template(tokenizer, template))
    with pytest.raises(RowError) as caught:
        forgetful.render(record)
    assert (caught.value.rule, caught.value.path) == ("template_not_prefix_stable", "$.turns[1]")
    assert "--template chatml" in caught.value.help


def test_a_template_that_drops_reasoning_gives_an_error(tokenizer):
    record = Record([Turn("user", ["问"]), Turn("assistant", [Reasoning("想了很久"), "答"]), Turn("user", ["再问"])])
    with pytest.raises(RowError, match="does not write the reasoning of this assistant turn: 想了很久") as caught:
        Renderer(with_template(tokenizer, FORGETFUL)).render(record)
    assert caught.value.rule == "template_loses_text"


def test_a_template_that_ignores_a_role_gives_an_error(tokenizer, talk):
    ignoring = PLAIN.replace("{%- else %}{{- raise_exception('only user and assistant') }}", "")
    with pytest.raises(RowError, match="does not write the text of this system turn: 要礼貌") as caught:
        Renderer(with_template(tokenizer, ignoring)).render(
            talk(("system", "要礼貌"), ("user", "hi"), ("assistant", "ok"))
        )
    assert caught.value.path == "$.turns[0]"


def test_what_a_template_refuses_is_an_error_with_its_words(foreign_tokenizer, talk):
    with pytest.raises(RowError, match="only user and assistant") as caught:
        Renderer(with_template(foreign_tokenizer, PLAIN)).render(talk(("system", "嗯"), ("assistant", "ok")))
    assert caught.value.rule == "template_error"


def test_a_conversation_without_a_template_is_an_error(foreign_tokenizer, talk):
    with pytest.raises(RowError) as caught:
        Renderer(foreign_tokenizer).render(talk(("user", "问"), ("assistant", "答")))
    assert caught.value.rule == "no_template"


@pytest.mark.parametrize("text", ["\ud83d", "好\ude00吗"])
def test_half_a_character_is_an_error(renderer, any_renderer, talk, document, text):
    for record in (talk(("user", text), ("assistant", "ok")), document(text)):
        for either in (renderer, any_renderer):
            with pytest.raises(RowError) as caught:
                either.render(record)
            assert caught.value.rule == "lone_surrogate"
