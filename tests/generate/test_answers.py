"""answers: what is asked, what becomes of each answer, and rows that read back with the names of their models."""

import json
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sinks import ListSink, Script, make_task

from dataforge.errors import RowError, UsageError
from dataforge.formats.spelling import Spelling
from dataforge.generate.answers import METHOD, AnswersConfig, expand, stages
from dataforge.generate.chain import drive
from dataforge.generate.talk.conversation import messages, model_name, opening, said, with_system
from dataforge.llm.request import Failure, Reply
from dataforge.record import Candidate, Media, Reasoning, Record, ToolCall, Turn
from dataforge.registry import load_dialect


def run(config, record, replies):
    """(sink, script) after one row."""
    sink, script = ListSink(), Script(replies)
    drive(expand(make_task("answers", config, record), sink), script)
    assert sink.settled
    return sink, script


def numbered(request):
    name = request.model.partition("@")[0] or "first"
    return Reply(f"{name} says {request.sample}")


def test_every_model_is_asked_for_every_sample_in_the_order_of_model_and_sample():
    config = AnswersConfig(model="a", also_model=("b", "c@http://u:secret@h:1/v1"), samples=3)
    sink, script = run(config, ["绿茶怎么泡？"], numbered)
    asked = [(request.model, request.sample, request.temperature) for request in script.asked]
    assert asked == [(model, sample, 1.0) for model in ("", *config.also_model) for sample in range(3)]
    assert all(request.messages == ({"role": "user", "content": "绿茶怎么泡？"},) for request in script.asked)
    (made,) = sink.kept
    assert [one.model for one in made.record.candidates] == ["a"] * 3 + ["b"] * 3 + ["c"] * 3
    assert [one.turns[0].text for one in made.record.candidates][2:4] == ["first says 2", "b says 0"]
    assert made.candidates == 9 and "secret" not in repr(made)
    assert [one["sample"] for one in made.provenance["answers"]] == [0, 1, 2] * 3
    assert stages(config)[0].calls == 9


def test_the_rows_read_back_with_answers_models_and_reasoning():
    config = AnswersConfig(model="a", also_model=("b",))
    replies = [Reply("<think>想一想</think>\n先温杯。"), Reply("Warm the pot.", reasoning="hm")]
    sink, _ = run(config, ["泡茶？", "旧的"], replies)
    record = sink.kept[0].record
    row = json.loads(json.dumps(load_dialect("ranked").write(record, Spelling()), ensure_ascii=False))
    back = load_dialect("ranked").read(row, Spelling())
    assert back.turns == [Turn("user", ["泡茶？"])]
    assert [(one.model, one.turns[0].parts) for one in back.candidates] == [
        ("a", [Reasoning("想一想"), "先温杯。"]),
        ("b", [Reasoning("hm"), "Warm the pot."]),
    ]
    assert all(one.score is None and one.rank is None for one in back.candidates)


def test_one_answer_of_one_model_makes_a_plain_conversation():
    config = AnswersConfig(model="a", reasoning="drop")
    record = Record([Turn("user", ["Hi"]), Turn("assistant", ["old"])], extras={"id": 7})
    sink, script = run(config, record, "<think>hm</think>new")
    (made,) = sink.kept
    assert made.record == Record([Turn("user", ["Hi"]), Turn("assistant", ["new"])], extras={"id": 7})
    assert script.asked[0].temperature is None and made.provenance["finish"] == "stop"
    assert made.provenance["parents"] and METHOD.to == "openai" and not config.choice


def test_everything_before_the_last_answer_is_the_prompt():
    turns = ["first", "one", "second", "two"]
    assert [turn.text for turn in opening(Record(_talk(turns)))] == ["first", "one", "second"]
    for waiting in (["only"], ["first", "one", "second"]):
        assert [turn.text for turn in opening(Record(_talk(waiting)))] == waiting
    both = Record([Turn("user", ["q"])], candidates=[Candidate([Turn("assistant", ["x"])])])
    assert [turn.text for turn in opening(both)] == ["q"]
    assert [turn.text for turn in opening(Record(_talk(turns)), answered=True)] == turns


def _talk(texts):
    return [Turn("assistant" if i % 2 else "user", [text]) for i, text in enumerate(texts)]


@pytest.mark.parametrize(
    ("record", "rule"),
    [
        (Record([Turn("document", ["文章"])]), "not_a_conversation"),
        (Record([Turn("system", ["s"]), Turn("assistant", ["a"])]), "no_question"),
        (Record([Turn("user", ["  "]), Turn("assistant", ["a"])]), "empty_question"),
        (Record([Turn("user", ["q"])], tools=[{"name": "f"}]), "has_tools"),
        (Record([*_talk(["q"]), Turn("assistant", [ToolCall("f", "{}")]), Turn("user", ["r"])]), "has_tools"),
        (Record([Turn("user", ["看", Media({"type": "image_url"})])]), "has_media"),
        (Record([Turn("user", ["<image>看"])], extras={"images": ["a.png"]}), "has_media"),
    ],
)
def test_rows_that_no_chat_of_texts_carries_are_refused_by_name_before_anything_is_asked(record, rule):
    chain = expand(make_task("answers", AnswersConfig(model="a"), record), ListSink())
    with pytest.raises(RowError) as fault:
        next(chain)
    assert fault.value.rule == rule and "shards" not in fault.value.message


def test_a_system_text_stands_in_for_the_rows_own_and_an_empty_one_takes_it_away():
    turns = [Turn("developer", ["old"]), Turn("user", ["q"])]
    assert messages(Record(turns))[0] == {"role": "system", "content": "old"}
    assert with_system(turns, None) == turns
    assert with_system(turns, "") == turns[1:]
    assert with_system(turns, "新的") == [Turn("system", ["新的"]), turns[1]]
    sink, script = run(AnswersConfig(model="a", system="新的"), Record(turns), "x")
    assert [m["content"] for m in script.asked[0].messages] == ["新的", "q"]
    assert sink.kept[0].record.turns[0] == Turn("system", ["新的"])


def test_each_answer_has_one_fate_and_failures_are_counted_by_model():
    config = AnswersConfig(model="a", also_model=("local:/models/small",), samples=4)
    replies = [
        Reply("same  answer"), Reply("same answer\n"), Reply("cut", finish="length"), Reply("<think>only"),
        Failure("timeout"), Reply("别的"), Failure("budget"), Reply("<think>x</think>别的"),
    ]  # fmt: skip
    sink, _ = run(config, ["q"], replies)
    assert sink.rules == ["same_answer", "truncated", "empty", "same_answer"]
    assert [failure.rule for failure, _ in sink.failures] == ["timeout", "budget"]
    assert sink.counts == Counter({"failed answers of small": 2})
    (made,) = sink.kept
    assert [(c.model, c.turns[0].text) for c in made.record.candidates] == [("a", "same  answer"), ("small", "别的")]
    assert made.candidates == 2


def test_cut_answers_stay_if_they_are_wanted_and_say_that_they_are_cut():
    config = AnswersConfig(model="a", samples=2, keep_truncated=True)
    sink, _ = run(config, ["q"], [Reply("cut sh", finish="length"), Reply("<think>nev", finish="length")])
    assert sink.rules == ["truncated"]
    assert sink.kept[0].provenance["answers"][0]["finish"] == "length"


def test_a_row_with_too_few_different_answers_loses_all_of_them():
    config = AnswersConfig(model="a", samples=3, at_least=2)
    sink, _ = run(config, ["q"], "always this")
    assert sink.kept == [] and sink.rules == ["same_answer", "same_answer", "too_few_answers"]
    sink, _ = run(config, ["q"], ["this", "that", "this"])
    assert sink.rules == ["same_answer"] and len(sink.kept[0].record.candidates) == 2


def test_old_answers_come_first_and_count_as_answers_but_make_no_row_alone():
    config = AnswersConfig(model="a", with_original=True, at_least=2)
    sink, _ = run(config, ["问", "旧答"], "新答")
    (made,) = sink.kept
    assert [(c.model, c.turns[0].text) for c in made.record.candidates] == [("source", "旧答"), ("a", "新答")]
    assert made.candidates == 1
    sink, _ = run(config, ["问", "旧答"], "旧答")
    assert sink.kept == [] and sink.rules == ["same_answer"]
    ranked = Record(_talk(["q"]), candidates=[Candidate([Turn("assistant", ["x"])], score=3.0, model="gold")])
    sink, _ = run(config, ranked, "y")
    assert [(c.model, c.score) for c in sink.kept[0].record.candidates] == [("gold", 3.0), ("a", None)]


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"also_model": ("a",)}, "--also-model: 'a' is given twice"),
        ({"also_model": ("b", "b")}, "--also-model: 'b'"),
        ({"samples": 2, "temperature": 0.0}, "--temperature"),
        ({"samples": 2, "at_least": 3}, "--at-least: 3 of 2"),
        ({"reasoning": "maybe"}, "--reasoning"),
        ({"samples": 0}, "--samples"),
    ],
)
def test_settings_that_cannot_work_are_named(values, named):
    with pytest.raises(UsageError, match=named):
        AnswersConfig(**{"model": "a", **values})


@pytest.mark.parametrize(
    ("text", "apart", "answer", "reasoning"),
    [
        ("<think>a</think>\n\nb", "", "b", "a"),
        ("想完了</think>\n答案", "", "答案", "想完了"),
        ("<think>never ends", "", "", "never ends"),
        ("<thinking>a</thinking> b", "", "b", "a"),
        ("b", "from the server", "b", "from the server"),
        ("  no thought: `</think>` is a tag ", "", "no thought: `</think>` is a tag", ""),
    ],
)
def test_thinking_is_told_from_the_answer(text, apart, answer, reasoning):
    assert said(Reply(text, reasoning=apart)) == (answer, reasoning)


def test_names_of_models_hold_no_address_and_no_folders():
    assert model_name("m@https://user:key@host/v1?token=x") == "m"
    assert model_name("local:/home/me/models/tuned/") == "tuned"
    assert model_name("org/name") == "org/name"


answer_of = st.one_of(
    st.sampled_from(["a", "b", "丙", " a ", "<think>x</think>b", "<think>x"]).map(Reply),
    st.sampled_from(["timeout", "budget"]).map(Failure),
    st.just(Reply("cut", finish="length")),
)


@settings(max_examples=50, deadline=None)
@given(st.lists(answer_of, min_size=6, max_size=6), st.integers(1, 4), st.booleans(), st.booleans())
def test_asked_is_kept_and_dropped_and_failed_whatever_comes_back(replies, least, original, cut):
    config = AnswersConfig(
        model="a", also_model=("b",), samples=3, at_least=least, with_original=original, keep_truncated=cut
    )
    sink, script = run(config, ["q", "b"], replies)
    assert sink.candidates == len(script.asked) == 6
    for made in sink.kept:
        texts = [one.turns[0].text for one in made.record.candidates]
        assert len(set(texts)) == len(texts) >= least
        assert made.candidates == len(texts) - original >= 1
        assert all(texts)
