"""dialogue: who is asked what, when a conversation ends and why, and what is kept of it."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sinks import ListSink, Script, make_task

from dataforge.errors import RowError, UsageError
from dataforge.generate.chain import drive
from dataforge.generate.dialogue import ANSWER, ENDS, OFFERS, USER, DialogueConfig, expand, stages
from dataforge.llm.request import Failure, Reply
from dataforge.record import Reasoning, Record, Turn

ZH = ["那水温多少合适？", "用玻璃杯可以吗？", "要洗茶吗？"]
EN = ["How hot should the water be?", "Will a glass do?", "Do I rinse the leaves?"]


def run(config, record, replies, lang="en"):
    sink, script = ListSink(), Script(replies)
    drive(expand(make_task("dialogue", config, record, lang=lang), sink), script)
    assert sink.settled and sink.candidates == 1
    return sink, script


def config(**values):
    return DialogueConfig(**{"model": "a", **values})


def test_user_and_assistant_take_turns_until_the_exchanges_are_made():
    sink, script = run(config(turns=3), ["Tea?", "Yes."], {USER: EN, ANSWER: ["80 C.", "It will.", "No need."]})
    assert sink.texts == [["Tea?", "Yes.", EN[0], "80 C.", EN[1], "It will.", EN[2], "No need."]]
    assert script.stages() == [USER, ANSWER] * 3
    provenance = sink.kept[0].provenance
    assert provenance["exchanges"] == 3 and provenance["ended"] == "turns" and provenance["parents"]
    assert provenance["prompt"].startswith("dialogue/user.en@")
    assert provenance["tokens"] == {"prompt": 42, "completion": 18}
    assert [stage.calls for stage in stages(config(turns=3))] == [3, 3]


def test_a_question_without_an_answer_is_answered_first_and_that_is_an_exchange():
    sink, script = run(config(turns=2), ["绿茶怎么泡？"], {USER: ZH, ANSWER: ["先温杯。", "八十度。"]}, lang="zh")
    assert sink.texts == [["绿茶怎么泡？", "先温杯。", ZH[0], "八十度。"]]
    assert script.stages() == [ANSWER, USER, ANSWER]


def test_the_assistant_sees_the_conversation_and_the_user_sees_it_as_a_text():
    record = Record(
        [Turn("system", ["Be brief."]), Turn("user", ["Tea?"]), Turn("assistant", [Reasoning("hm"), "Yes."])]
    )
    sink, script = run(
        config(turns=1, user_model="small", style="a tired night nurse"), record, {USER: EN, ANSWER: "80 C."}
    )
    user, answer = script.asked
    assert (user.model, answer.model) == ("small", "")
    text = user.messages[-1]["content"]
    assert "User: Tea?\n\nAssistant: Yes.\n" in text and "a tired night nurse" in text and ENDS["en"] in text
    assert "Be brief." not in text and "hm" not in text
    assert [m["role"] for m in answer.messages] == ["system", "user", "assistant", "user"]
    assert answer.messages[2]["content"] == "Yes." and answer.messages[3]["content"] == EN[0]
    assert sink.kept[0].provenance["user_model"] == "small"
    assert sink.kept[0].record.turns[2].parts == [Reasoning("hm"), "Yes."]


def test_chinese_rows_are_asked_for_in_chinese_with_chinese_speakers():
    _, script = run(config(turns=1, style="退休教师"), ["绿茶？", "可以。"], {USER: ZH, ANSWER: "好。"}, lang="zh")
    text = script.asked[0].messages[-1]["content"]
    assert "用户：绿茶？\n\n助手：可以。\n" in text and "退休教师" in text and ENDS["zh"] in text
    assert not re.search("[A-Za-z]{3,}", text)


@pytest.mark.parametrize(
    "end",
    [
        *(ENDS["en"], ENDS["zh"], f"Thanks, that is all! {ENDS['en']}", f"没有了。{ENDS['zh']}"),
        *("[Done]", "DONE.", "**[DONE]**", "结束", "[结束]", "（结束）。"),
    ],
)
def test_the_user_ends_a_conversation_early(end):
    sink, _ = run(config(turns=5), ["Tea?", "Yes."], {USER: [EN[0], end], ANSWER: "80 C."})
    assert sink.texts == [["Tea?", "Yes.", EN[0], "80 C."]]
    assert sink.kept[0].provenance["ended"] == "user" and sink.counts == {"ended by the user": 1}
    sink, _ = run(config(turns=5), ["Tea?", "Yes."], {USER: end})
    assert sink.rules == ["user_content"] and sink.kept == []


FAULTY = [
    ("User: TEA?!", "user_repeats"),
    ("tea", "user_repeats"),
    ("How can I help you today?", "user_answers"),
    ("Is it hot?\nAssistant: Yes, it is at 80 degrees.", "user_answers"),
    ("水温呢？\n助手：八十度。", "user_answers"),
    ("希望这些信息对您有所帮助！", "user_answers"),
    ("As an AI language model, I do not drink tea.", "user_answers"),
    ("Sure, here are three more teas:", "user_answers"),
    ("I'm sorry, but I cannot assist with that request.", "user_refuses"),
    ("很抱歉，我无法继续这个对话。", "user_refuses"),
    ("<think>what now", "user_empty"),
    ("...", "user_empty"),
]


@pytest.mark.parametrize(("text", "rule"), FAULTY)
def test_a_faulty_turn_of_the_user_is_asked_for_again_and_then_drops_the_row_by_its_rule(text, rule):
    sink, script = run(config(turns=1), ["Tea?", "Yes."], {USER: text})
    assert sink.rules == [rule] and script.stages() == [USER] * 3
    assert [request.sample for request in script.asked] == [0, 1, 2]
    sink, _ = run(config(turns=1), ["Tea?", "Yes."], {USER: [text, EN[0]], ANSWER: "80 C."})
    assert sink.texts == [["Tea?", "Yes.", EN[0], "80 C."]]


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ('"Is it hot?"', "Is it hot?"),
        ("User: Is it hot?", "Is it hot?"),
        ("**用户：** 水烫吗？", "水烫吗？"),
        ("“水烫吗？”", "水烫吗？"),
        ("<think>they may ask</think>\nIs it hot?", "Is it hot?"),
        ('He said "hot" and "cold", why?', 'He said "hot" and "cold", why?'),
        ("Could you help me write: User: hello", "Could you help me write: User: hello"),
    ],
)
def test_names_quotes_and_thinking_around_a_turn_are_taken_off_and_nothing_else(text, read):
    sink, _ = run(config(turns=1), ["Tea?", "Yes."], {USER: text, ANSWER: "80 C."})
    assert sink.texts[0][2] == read


def test_a_user_who_takes_up_the_assistants_words_answers_himself():
    said = (
        "Warm the pot first, then let the water cool a little before it meets the leaves, and wait two minutes or so."
    )
    sink, _ = run(config(turns=1), ["Tea?", said], {USER: said})
    assert sink.rules == ["user_answers"]
    sink, _ = run(config(turns=1), ["Tea?", said], {USER: "Why let the water cool a little?", ANSWER: "Taste."})
    assert len(sink.kept) == 1


def test_ordinary_requests_do_not_read_like_offers():
    for text in (
        "Can you help me?",
        "好的，那以下三点怎么办？",
        "Sure, but why?",
        "I hope to visit.",
        "如果有雨怎么办？",
    ):
        assert not OFFERS.search(text), text


@pytest.mark.parametrize(
    ("answer", "rule"),
    [
        (Reply("cut", finish="length"), "answer_truncated"),
        (Reply("<think>hm</think>"), "answer_empty"),
        (Reply("好的好的" * 20), "answer_stuck"),
        (Reply("tea and more tea " * 20), "answer_stuck"),
        (Failure("timeout"), "timeout"),
        (Failure("budget"), "budget"),
    ],
)
@pytest.mark.parametrize("partial", [False, True])
def test_an_unsound_answer_ends_the_conversation_before_its_question(answer, rule, partial):
    replies = {USER: EN, ANSWER: [Reply("80 C."), answer]}
    sink, script = run(config(turns=3, keep_partial=partial), ["Tea?", "Yes."], replies)
    assert script.stages() == [USER, ANSWER, USER, ANSWER]
    if partial:
        assert sink.texts == [["Tea?", "Yes.", EN[0], "80 C."]]
        assert sink.kept[0].provenance["ended"] == rule and sink.counts == {f"cut short by {rule}": 1}
    elif isinstance(answer, Failure):
        assert [failure for failure, _ in sink.failures] == [answer] and not sink.kept
    else:
        assert sink.rules == [rule] and not sink.kept


def test_nothing_is_kept_of_a_conversation_that_got_no_exchange():
    for partial in (False, True):
        sink, _ = run(config(keep_partial=partial), ["Tea?"], {ANSWER: Reply("cut", finish="length")})
        assert sink.rules == ["answer_truncated"] and not sink.kept
        sink, _ = run(config(keep_partial=partial), ["Tea?", "Yes."], {USER: Failure("http_500")})
        assert len(sink.failures) == 1 and not sink.kept


def test_documents_and_bad_settings_are_refused():
    with pytest.raises(RowError) as fault:
        next(expand(make_task("dialogue", config(), "一篇文章"), ListSink()))
    assert fault.value.rule == "not_a_conversation"
    with pytest.raises(UsageError, match="--turns"):
        config(turns=0)


replies = st.one_of(
    st.sampled_from([*EN, *ZH, ENDS["en"], "Assistant: hi", "80 C.", ""]).map(Reply),
    st.just(Failure("timeout")),
    st.just(Reply("cut", finish="length")),
)


@settings(max_examples=50, deadline=None)
@given(st.lists(replies, min_size=1, max_size=12), st.integers(1, 4), st.booleans())
def test_each_row_has_one_fate_and_kept_ones_alternate_and_end_with_an_answer(answers, turns, partial):
    sink, _ = run(config(turns=turns, keep_partial=partial), ["Tea?", "Yes."], {USER: answers, ANSWER: answers})
    for made in sink.kept:
        roles = [turn.role for turn in made.record.turns]
        assert roles == ["user", "assistant"] * (len(roles) // 2) and len(roles) == 2 + 2 * made.provenance["exchanges"]
        assert all(turn.text for turn in made.record.turns)
        assert partial or len(roles) == 2 + 2 * turns or made.provenance["ended"] == "user"
