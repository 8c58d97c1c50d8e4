"""Instances, classes and whole tasks read from replies as models write them, and the filters of instances."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataforge.generate.reading.replies import Unreadable
from dataforge.generate.selfinstruct.bootstrap import class_of
from dataforge.generate.selfinstruct.instances import given_of, item_fault, read_labelled, read_worked, sift
from dataforge.generate.selfinstruct.items import Item, json_items, marked_items
from dataforge.generate.selfinstruct.reference import (
    labelled_instances,
    split_instructions,
    split_items,
    worked_instances,
)


@pytest.mark.parametrize(
    "text",
    [
        "Yes",
        "yes.",
        " YES",
        "**Yes**",
        "Classification: Yes",
        "Yes, it asks for a label.",
        "是",
        "是的。",
        "分类任务：是",
        "“是”",
        "是分类任务。",
        "属于分类任务",
        "这是一个分类任务。",
        "该任务属于分类任务。",
        "答：是",
        "This is a classification task.",
    ],
)
def test_yes_is_read_in_both_languages(text):
    assert class_of(text) is True


@pytest.mark.parametrize(
    "text",
    [
        *(
            "No",
            "no.",
            "**No.**",
            "Answer: no",
            "No, it is open.",
            "否",
            "不是。",
            "分类任务: 否",
            "不是分类任务",
            "不属于",
        ),
        *(
            "这不是分类任务。",
            "该任务不是一个分类任务",
            "非分类任务",
            "Not a classification task.",
            "It is not a classification task",
        ),
    ],
)
def test_no_is_read_in_both_languages(text):
    assert class_of(text) is False


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Not sure",
        "Maybe yes",
        "It is classification",
        "None",
        "Yesterday",
        "是否要看情况",
        "Yes/No",
        "是／否",
        "不一定",
        "否则不行",
        "这要看",
        "这是个好问题",
        "这个任务要求写诗",
    ],
)
def test_anything_else_is_unreadable(text):
    with pytest.raises(Unreadable, match="no_class"):
        class_of(text)


EN = """Example 1
Input: The cat sleeps.
Output: The cat slept.

Example 2
Input:
We go home.
Output:
We went home."""
BOLD = """Here are the examples:

**Example 1:**
**Input:** The cat sleeps.
**Output:** The cat slept.

---

### Example 2
**Input**: We go home.
**Output**: We went home."""
ZH = """示例1
输入：他去上班。
输出：他去上班吗？
示例2
输入：
书店开门。
输出：
书店开门吗？"""


def test_instances_are_read_as_models_write_them():
    english = [("The cat sleeps.", "The cat slept."), ("We go home.", "We went home.")]
    assert read_worked(EN) == english
    assert read_worked(BOLD) == english
    assert read_worked(re.sub(r"(?m)^Example \d\n", "", EN)) == english
    assert read_worked(ZH) == [("他去上班。", "他去上班吗？"), ("书店开门。", "书店开门吗？")]
    assert read_worked(ZH.replace("：", ":")) == read_worked(ZH)


def test_a_task_without_input_has_an_output_alone():
    for text in (
        "Example 1\nOutput: Eat well.",
        "Output: Eat well.",
        "Example 1\nInput: None\nOutput: Eat well.",
        "Answer: Eat well.",
    ):
        assert read_worked(text) == [("", "Eat well.")]
    for text in ("示例1\n输出：早睡早起。", "输入：无\n输出：早睡早起。", "输入：<无输入>\n输出：早睡早起。"):
        assert read_worked(text) == [("", "早睡早起。")]


def test_an_output_may_speak_of_inputs_and_examples():
    """The reference cuts at every "Input:" and "Example" wherever it stands."""
    text = "Example 1\nInput: a form\nOutput: Fill in Input: and Output: as in Example 2.\nExample 3 of the book helps."
    assert read_worked(text) == [
        ("a form", "Fill in Input: and Output: as in Example 2.\nExample 3 of the book helps.")
    ]
    assert worked_instances(text) != read_worked(text)
    text = "示例1\n输出：下面举例。\n例1：雨天。\n例2：晴天。"
    assert read_worked(text) == [("", "下面举例。\n例1：雨天。\n例2：晴天。")]


def test_nothing_is_taken_out_of_an_output():
    text = "Output: Use this:\n---\ntitle: tea\n---\nExample 1: warm the pot.\n### \n"
    assert read_worked(text) == [("", "Use this:\n---\ntitle: tea\n---\nExample 1: warm the pot.")]
    assert read_worked("输出：步骤如下\n例1：温杯\n任务：泡茶") == [("", "步骤如下\n例1：温杯\n任务：泡茶")]


def test_tasks_that_a_model_makes_up_after_its_own_are_left_out():
    text = "Task: Say it in French.\nExample 1\nInput: tea\nOutput: thé\n\nTask: Say it in German.\nExample 1\nInput: tea\nOutput: Tee"
    assert read_worked(text) == [("tea", "thé")]
    text = "类别标签：好评\n好吃。\n\n任务：判断对错。\n类别标签：对\n水是湿的。"
    assert read_labelled(text) == [("好吃。", "好评")]


def test_labels_come_before_their_inputs():
    english = "Class label: good\nI liked it.\nTwice.\nClass label: bad\nInput: I left."
    assert read_labelled(english) == [("I liked it.\nTwice.", "good"), ("I left.", "bad")]
    assert read_labelled("Example 1\n**Class label:** good\nFine.\n\nExample 2\n**Class label:** bad\nPoor.") == [
        ("Fine.", "good"),
        ("Poor.", "bad"),
    ]
    assert read_labelled("类别标签：好评\n好吃。\n类别标签:差评\n难吃。\n标签：内容的一部分") == [
        ("好吃。", "好评"),
        ("难吃。\n标签：内容的一部分", "差评"),
    ]
    assert read_labelled("Label: good\nFine.") == [("Fine.", "good")]


@pytest.mark.parametrize("reply", ["I cannot do that.", "抱歉，无法完成。", ""])
def test_a_reply_without_instances_is_unreadable(reply):
    for read in (read_worked, read_labelled):
        with pytest.raises(Unreadable, match="no_instance"):
            read(reply)


LINE = (
    st.text("abc 茶水，。1", min_size=1, max_size=12)
    .map(str.strip)
    .filter(lambda text: text and given_of(text) == text)
)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(LINE, LINE), min_size=1, max_size=5), st.booleans())
def test_instances_that_are_written_are_read_back(pairs, chinese):
    marks = (
        ("示例{}", "输入：", "输出：", "类别标签：")
        if chinese
        else ("Example {}", "Input: ", "Output: ", "Class label: ")
    )
    worked = "\n".join(f"{marks[0].format(n)}\n{marks[1]}{a}\n{marks[2]}{b}" for n, (a, b) in enumerate(pairs, 1))
    assert read_worked(worked) == pairs
    assert read_labelled("\n".join(f"{marks[3]}{b}\n{a}" for a, b in pairs)) == pairs


def good(sifted):
    return [one.instance for one in sifted if not one.rule]


def test_each_filter_of_instances_has_its_name():
    pairs = [("a", "a"), ("b", ""), ("c", "see:"), ("d:", "e"), ("f", "g"), ("f", "g"), ("h", "i"), ("j", "k")]
    rules = [
        "same_as_input",
        "empty_output",
        "ends_with_colon",
        "ends_with_colon",
        "",
        "same_instance",
        "beyond_most",
        "truncated",
    ]
    assert [one.rule for one in sift(pairs, most=1, truncated=True)] == rules
    assert item_fault("", "") == "empty_output"
    assert item_fault("列出", "如下：") == "ends_with_colon" and item_fault("列出", "如下：", reference=True) == ""


def test_one_input_with_two_outputs_takes_all_instances_with_it():
    pairs = [("a", "x"), ("b", "y"), ("a", "z")]
    assert [one.rule for one in sift(pairs, most=5, truncated=False)] == ["conflict"] * 3
    assert good(sift([("", "x"), ("", "z")], most=5, truncated=False)) == [("", "x"), ("", "z")], (
        "without input that is no conflict"
    )
    assert good(sift([("茶", "x"), ("水", "y"), ("茶", "x")], most=5, truncated=False)) == [("茶", "x"), ("水", "y")]


def filtered_as_reference(pairs):
    """The reference's filters on (input, output) pairs, from its description; in order, where it has a set."""
    sound = [(a, b) for a, b in pairs if a != b and b and not a.endswith(":") and not b.endswith(":")]
    for a, b in sound:
        if a and any(a == c and b != d for c, d in sound):
            return []
    return list(dict.fromkeys(sound))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(*[st.sampled_from(["", "a", "b", "c:", "茶", "水："])] * 2), max_size=6), st.booleans())
def test_sifting_like_the_reference_gives_its_instances(pairs, truncated):
    expected = filtered_as_reference(pairs[:-1] if truncated else pairs)
    sifted = sift(pairs, most=5, truncated=truncated, reference=True)
    assert good(sifted) == expected[:5]
    assert [one.instance for one in sifted] == pairs, "a verdict for each"


def test_the_reference_reads_what_it_reads():
    assert split_instructions(" Explain JSON.\n10. Name a River \n11 . Go.\n12) no\n13.no") == [
        "Explain json.",
        "Name a river",
        "Go. 12) no 13.no",
    ]
    assert split_instructions("9. Name a tea.\n10. Name a river.") == ["9. name a tea.", "Name a river."], (
        "its fault with chat replies"
    )
    assert worked_instances("Example 1\nInput: a\nOutput: b\nOutput: c") == [("a", "b")]
    assert worked_instances("Output: b Input: c") == [("", "b")]
    assert worked_instances("nothing of it") == []
    assert labelled_instances("Class label: x\nthe input\nClass label: y") == [("the input", "x"), ("", "y")]
    assert labelled_instances("类别标签：x\n茶") == []


def test_the_reference_of_alpaca_wants_numbers_in_step():
    text = " A b.\n4. Input:\n<noinput>\n4. Output:\nc\n###\n5. Instruction: D\n5. Input:\ne\n5. Output:\nf\n###\n7. Instruction: G\n7. Input:\nh\n7. Output:\ni"
    found = split_items(text, 3)
    assert found[:2] == [("A b.", "", "c"), ("D", "e", "f")] and isinstance(found[2], str)


ITEMS = [Item("Name a tea.", "", "Sencha"), Item("译成英文", "茶", "tea\n(or cha)"), Item("Add.", "1\n2", "3")]


@pytest.mark.parametrize("style", ["plain", "bold", "no rule", "chinese", "chat"])
def test_whole_tasks_are_read_in_all_their_spellings(style):
    marks = (
        ("指令：", "输入：", "输出：", "<无输入>")
        if style == "chinese"
        else ("Instruction: ", "Input:", "Output:", "<noinput>")
    )
    lines = ["Sure, here you are:"] if style == "chat" else []
    for number, (task, given_text, output, _) in enumerate(ITEMS, 4):
        lines += [] if style == "no rule" else ["###"]
        lines += [
            f"{number}. {marks[0]}{task}",
            f"{number}. {marks[1]}",
            given_text or marks[3],
            f"{number}. {marks[2]}",
            output,
        ]
    text = "\n".join([*lines, "###"])
    if style == "bold":
        text = re.sub(r"(?m)^(\d\.) (\w+:)", r"**\1 \2**", text)
    assert marked_items(text) == ITEMS


def test_a_task_that_lacks_a_part_is_told_apart_and_kept_as_text():
    (first, second) = marked_items("1. Instruction: Name a tea.\n2. Instruction: Add.\n2. Input: 1\n2. Output: 1")
    assert first.raw == "1. Instruction: Name a tea." and second == Item("Add.", "1", "1")
    with pytest.raises(Unreadable, match="no_task"):
        marked_items("抱歉")


def test_json_tasks_survive_fences_prose_and_a_cut():
    text = '```json\n{"tasks": [{"instruction": "译成英文", "input": "茶", "output": "tea"}, {"instruction": "写诗", "input": "N/A", "output": "春"}]}\n```'
    assert json_items("Sure:\n" + text) == [Item("译成英文", "茶", "tea"), Item("写诗", "", "春")]
    cut = '{"tasks": [{"instruction": "译成英文", "input": "茶", "output": "tea"}, {"instruction": "写诗", "input": "", "out'
    assert json_items(cut) == [Item("译成英文", "茶", "tea")], "half an item is none"
    with pytest.raises(Unreadable):
        json_items('{"tasks": [{"instruction": "x"}]}')
    with pytest.raises(Unreadable):
        json_items("抱歉")


@pytest.mark.parametrize("text", ["<noinput>", "None", "N/A", "无", "<无输入>", "（无）", " 无输入。 "])
def test_marks_of_no_input_are_no_input(text):
    assert given_of(text) == ""


@pytest.mark.parametrize("text", ["无锡", "None of them", "0", "NaN", "无人驾驶"])
def test_inputs_that_only_look_like_such_marks_stay(text):
    assert given_of(text) == text
