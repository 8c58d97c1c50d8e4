"""The rules by which evolved instructions fall, against what the paper says of them and against real answers."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataforge.generate.elimination import (
    eliminated_answer,
    eliminated_instruction,
    marked,
    reads_same,
    tokens,
    word_count,
)
from dataforge.generate.prompting.promptset import PromptSet
from dataforge.generate.reading.replies import Unreadable
from dataforge.llm.request import Reply

DATA = Path(os.environ.get("DATAFORGE_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))
PROMPTS = PromptSet()


def asked(text, name="deepen", lang="en"):
    return PROMPTS.get(f"evol/{name}", lang).request({"instruction": text, "before": []})


def fault(new, old, lang="en", history=()):
    found = eliminated_instruction(new, old, asked(old, lang=lang), lang, history)
    return found and found[0]


@pytest.mark.parametrize(
    ("new", "old", "lang"),
    [
        ("Describe  TEA, please!", "describe tea please", "en"),
        ("请介绍一下：泡茶", "请介绍一下泡茶。", "zh"),
        ("Ｗｒｉｔｅ ａ ｐｏｅｍ", "write a poem", "en"),
    ],
)
def test_an_instruction_of_the_same_words_is_unchanged(new, old, lang):
    assert fault(new, old, lang) == "unchanged"


@pytest.mark.parametrize(
    ("new", "old"), [("What is 1 - 1?", "What is 1 + 1?"), ("a*b", "a/b"), ("计算 3+4", "计算 3×4"), ("100 €", "100 $")]
)
def test_other_symbols_are_another_task(new, old):
    assert fault(new, old) is None


@pytest.mark.parametrize(
    ("text", "lang"),
    [
        ("#Rewritten Prompt#: describe green tea and its history", "en"),
        ("Answer the Given Prompt for green tea", "en"),
        ("改写后的指令：介绍绿茶及其历史", "zh"),
        ("根据给定的提示，介绍绿茶的制作", "zh"),
        ("<task>Describe green tea", "en"),
    ],
)
def test_words_of_evolving_prompts_are_found(text, lang):
    assert fault(text, "Describe tea" if lang == "en" else "介绍茶", lang) == "copies_prompt"
    assert fault(text, text + " at length", lang) is None  # the row itself speaks of prompts


@pytest.mark.parametrize("name", ["constraints", "deepen", "concretise", "reasoning", "input", "breadth"])
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_sentence_of_any_of_our_prompts_is_found_in_its_reply(name, lang):
    old = "Describe how tea is brewed." if lang == "en" else "介绍怎样泡茶。"
    request = asked(old, name, lang)
    lines = request.messages[-1]["content"].splitlines()
    for line in (lines[0], lines[3]):
        found = eliminated_instruction(f"{old} {line}", old, request, lang)
        assert found and found[0] == "copies_prompt", line
    own = f"{old} 请写给第一次喝绿茶的人看。" if lang == "zh" else f"{old} Write it for people new to green tea."
    assert eliminated_instruction(own, old, request, lang) is None


def test_a_conversation_may_be_quoted():
    said = "My grandmother used to dry the leaves on the roof of her house for several days every spring"
    request = PROMPTS.get("evol/deepen", "en").request(
        {"instruction": "Why did she?", "before": [{"role": "user", "text": said}]}
    )
    new = f"Why did she? I said: {said}. Give two reasons."
    assert eliminated_instruction(new, "Why did she?", request, "en", [said]) is None
    assert eliminated_instruction(new, "Why did she?", request, "en")[0] == "copies_prompt"


@pytest.mark.parametrize(
    ("answer", "careful", "paper"),
    [
        ("I'm sorry, but I cannot do that.", True, True),
        ("Sorry, this needs a picture, which the model cannot draw.", True, True),
        ("I apologize, I am unable to find it.", True, False),
        ("Better safe than sorry.", False, True),
        ("Dear customer, we are sorry for the delay. Your parcel is on its way.", False, True),
        ("很抱歉，我无法完成这个任务。", True, True),
        ("抱歉，此任务涉及模型无法生成的视觉输出。", True, True),
        ("对不起，我昨天不该那样说，希望你能原谅我。", False, True),
        ("I cannot " + "recommend any of these teas to a beginner " * 12, False, False),
        ("很抱歉，我无法" + "详细说明每一种茶叶的来历与制法，" * 9, False, False),
        ("Green tea is brewed at 80 °C.", False, False),
    ],
)
def test_a_short_answer_that_says_it_cannot_is_no_answer(answer, careful, paper):
    for refusals, falls in (("careful", careful), ("paper", paper)):
        found = eliminated_answer(answer, "Do it.", refusals=refusals)
        assert (found and found[0]) == ("cannot_answer" if falls else None)


def test_an_apology_that_was_asked_for_is_an_answer():
    letter = "I am sorry that I was late; I could not find the door, and you cannot imagine the rain."
    assert eliminated_answer(letter, "Say sorry for being late") is None
    assert eliminated_answer(letter, "Write a line")[0] == "cannot_answer"
    assert eliminated_answer("抱歉我迟到了，路上堵得没办法。", "写一句道歉的话，用上“抱歉”") is None


def test_eighty_words_are_the_limit_and_120_characters_of_chinese():
    refusal = "Sorry, I cannot. "
    assert eliminated_answer(refusal + "tea " * 76, "x")[0] == "cannot_answer"  # 79 words
    assert eliminated_answer(refusal + "tea " * 77, "x") is None
    assert eliminated_answer("抱歉，我无法。" + "茶" * 114, "x")[0] == "cannot_answer"  # 119 characters
    assert eliminated_answer("抱歉，我无法。" + "茶" * 115, "x") is None
    assert word_count("绿茶茶 green tea") == 4


@pytest.mark.parametrize("answer", ["", "...", "It is.", "。。。！", "这就了的。", "But, and so on", "—"])
def test_an_answer_of_stop_words_is_none(answer):
    assert eliminated_answer(answer, "x")[0] == "empty_answer"


@pytest.mark.parametrize("answer", ["Yes.", "No", "是的。", "不", "42", "A", "√", "👍", "x", "not", "否"])
def test_a_short_answer_that_says_something_is_one(answer):
    assert eliminated_answer(answer, "x") is None


@pytest.mark.parametrize(
    ("text", "same"),
    [
        *(
            ("SAME", True),
            ("Different.", False),
            ("They look the same, but are DIFFERENT", False),
            ("不同的说法，意思相同", True),
            ("not equal", False),
        ),
        *(
            ("相同", True),
            ("不同。", False),
            ("这两个任务并不相同", False),
            ("没有什么不同，相同", True),
            ("没有区别", True),
            ("两者并无不同", True),
            ("没有实质性的差异", True),
            ("无明显区别", True),
            ("有不同", False),
        ),
        *(("They are not really different.", True), ("There is no real difference", True), ("not the same", False)),
        *(("<think>they look different</think>SAME", True), ("**Equal**", True), ("不一样", False)),
    ],
)
def test_verdicts_are_read_in_both_languages(text, same):
    assert reads_same(Reply(text)) is same


@pytest.mark.parametrize("text", ["", "I think so", "好的", "<think>same"])
def test_a_reply_without_a_verdict_is_unreadable(text):
    with pytest.raises(Unreadable):
        reads_same(Reply(text))


def test_a_verdict_that_was_cut_is_unreadable():
    with pytest.raises(Unreadable) as fault:
        reads_same(Reply("Both set the same limits; but as to how deep", finish="length"))
    assert fault.value.rule == "truncated"


@pytest.mark.parametrize(
    ("reply", "text"),
    [
        (Reply("Sure!\n<task>\n泡 一壶茶\n</task> Done."), "泡 一壶茶"),
        (Reply("<think><task>no</task></think><task>yes</task>"), "yes"),
        (Reply("<task>Write XML: <task>a</task> twice.</task>"), "Write XML: <task>a</task> twice."),
        (Reply("<task>no end mark"), "no end mark"),
        (Reply("```\n<task>in a fence</task>\n```"), "in a fence"),
        (Reply("<task>whole</task> and then cut", finish="length"), "whole"),
    ],
)
def test_the_marked_text_is_read(reply, text):
    assert marked(reply, "task") == text


@pytest.mark.parametrize(
    ("reply", "rule"),
    [
        (Reply("Describe tea."), "no_mark"),
        (Reply("<task> \n</task>"), "empty"),
        (Reply("<task>half a ta", finish="length"), "truncated"),
    ],
)
def test_unmarked_empty_and_cut_replies_are_unreadable(reply, rule):
    with pytest.raises(Unreadable) as found:
        marked(reply, "task")
    assert found.value.rule == rule


@settings(max_examples=50, deadline=None)
@given(st.text(alphabet=st.sampled_from("ab Z茶水，.5'-\n<>#"), max_size=60), st.text(max_size=30))
def test_laws_of_elimination(text, other):
    found = eliminated_instruction(text, text, asked(text), "en")
    assert found is not None and found[0] == "unchanged"  # a text is never a gain over itself
    long = eliminated_answer(text * 200, other)
    assert long is None or long[0] == "empty_answer" or word_count(text * 200) < 80
    assert tokens(text + "\n" + other) == tokens(text) + tokens(other)


def test_the_figures_of_the_documentation_hold_on_alpaca():
    files = sorted((DATA / "instruct").glob("alpaca_en_*.json"))
    if len(files) < 4:
        pytest.skip("no real data here; DATAFORGE_DATA names its folder")
    rows = [row for file in files[:2] for row in json.loads(file.read_text()) if "sorry" in row["output"].casefold()]
    texts = [(row["output"], row["instruction"] + "\n" + row["input"]) for row in rows]
    paper = [eliminated_answer(a, q, refusals="paper") for a, q in texts]
    careful = [eliminated_answer(a, q) for a, q in texts]
    assert sum(found is not None for found in paper) > 3 * max(1, sum(found is not None for found in careful))
    assert all(one is not None for one, other in zip(paper, careful, strict=True) if other is not None)
