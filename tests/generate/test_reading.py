"""Replies as chat models write them: what is taken off, what is cut apart, and what is refused."""

import json

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataforge.generate.reading.replies import PARTS, Unreadable, fields, json_reply, numbered, plain

ANY = {}
ROWS = {"type": "array", "items": {"type": "object", "required": ["q"], "properties": {"q": {"type": "string"}}}}
TASKS = {
    "type": "object",
    "required": ["tasks"],
    "properties": {"tasks": {"type": "array", "items": {"type": "object"}}},
}


def refused(text, schema=ANY):
    with pytest.raises(Unreadable) as fault:
        json_reply(text, schema)
    return fault.value.rule


# thinking and fences


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        ("  Green tea.\n", "Green tea."),
        ("<think>\nhm, tea\n</think>\n\n绿茶。", "绿茶。"),
        ("<think>a</think><think>b</think>tea", "tea"),
        ("<thinking>a</thinking>tea", "tea"),
        ("<think>it never ends", ""),
        ("let me see ...\n</think>\n\n绿茶", "绿茶"),
        ("Tea.\n<think>again\n</think>\nMore.", "Tea.\n\nMore."),
        ("Tea.\n<think>and then the server cut", "Tea."),
        ("Write `<think>` before and `</think>` after.", "Write `<think>` before and `</think>` after."),
        ("```html\n<think>x</think>\n```\nis a block.", "```html\n<think>x</think>\n```\nis a block."),
        ("```\ntea\n```", "tea"),
        ("```markdown\n# 茶\n```python\nx = 1\n```\nend\n```", "# 茶\n```python\nx = 1\n```\nend"),
        ("```python\nx = 1\n```", "```python\nx = 1\n```"),
        ("```\na\n```\nand\n```\nb\n```", "```\na\n```\nand\n```\nb\n```"),
        ("```text\ncut before its e", "cut before its e"),
        ("~~~\ntea\n~~~", "tea"),
        ("\ufefftea\r\nwater", "tea\nwater"),
        ("", ""),
    ],
)
def test_a_reply_is_what_stands_within_its_wrapping(reply, said):
    assert plain(reply) == said


WORDS = st.text(alphabet="abcdeX茶水。，.!?() 0123456789\n", max_size=60)


@settings(max_examples=50, deadline=None)
@given(WORDS, st.sampled_from(["", "text", "markdown"]))
def test_a_text_that_is_wrapped_comes_out_as_it_was(text, word):
    assert plain(f"<think>I should wrap it</think>\n```{word}\n{text}\n```\n") == text.strip()
    assert plain(text) == text.strip()


# numbered lists


@pytest.mark.parametrize(
    ("reply", "items"),
    [
        ("9. Write a poem.\n10) Name a river.\n11.Brew tea.", ["Write a poem.", "Name a river.", "Brew tea."]),
        ("Sure! Here are 2 tasks:\n\n1. a\n2. b\n\nLet me know if you need more!", ["a", "b"]),
        ("好的，以下是任务：\n\n１．写一首诗\n２、泡茶\n\n希望这些任务对你有帮助！", ["写一首诗", "泡茶"]),
        ("**1.** a\n**2. b**\n**3. Title:** rest", ["a", "b", "Title: rest"]),
        ("(1) 甲\n（2）乙\n[3] 丙\n【4】丁", ["甲", "乙", "丙", "丁"]),
        ("第1条 甲\n第2条：乙\n第三条、丙", ["甲", "乙", "丙"]),
        ("一、甲\n二、乙\n三、丙", ["甲", "乙", "丙"]),
        ("九、甲\n十、乙\n十一、丙\n十二、丁", ["甲", "乙", "丙", "丁"]),
        ("①甲\n② 乙", ["甲", "乙"]),
        ("### 1. a\nmore of a\n\n### 2. b", ["a\nmore of a", "b"]),
        ("Task 1: a\nTask 2: b", ["a", "b"]),
        ("任务9：甲\n任务10：乙", ["甲", "乙"]),
        ("**Task 3:** a\n**Task 4:** b", ["a", "b"]),
        ("1. Task: a\n2. Task: b", ["a", "b"]),
        ("1. 指令：甲\n2. 指令：乙", ["甲", "乙"]),
        ("1. Task: a\n2. b", ["Task: a", "b"]),
        (" 9. a\n10. b", ["a", "b"]),
        ("10. Name:\n    - tea\n    - 茶\n11. b", ["Name:\n- tea\n- 茶", "b"]),
        ("- a\n- b\n  - c\n- d", ["a", "b\n- c", "d"]),
        ("• 甲\n• 乙", ["甲", "乙"]),
        ("<think>1. no\n2. no</think>\n1. yes", ["yes"]),
        ("Here:\n```\n1. a\n2. b\n```\nDone.", ["a", "b\n```\nDone."]),
        ("There is no list here.", []),
        ("", []),
    ],
)
def test_lists_are_read_in_the_ways_that_models_number_them(reply, items):
    assert numbered(reply) == items


@pytest.mark.parametrize(
    ("reply", "items"),
    [
        ("9. Sort these:\n   1. tea\n   2. milk\n10. b", ["Sort these:\n1. tea\n2. milk", "b"]),
        ("9. Sort these:\n1. tea\n2. milk\n10. b", ["Sort these:\n1. tea\n2. milk", "b"]),
        ("1. Sort:\n1. tea\n2. milk\n2. b", ["Sort:\n1. tea\n2. milk", "b"]),
        ("1. Sort:\n1) tea\n2) milk\n2. b\n3. c", ["Sort:\n1) tea\n2) milk", "b", "c"]),
        ("1. 选择：\n(1) 红茶\n(2) 绿茶", ["选择：\n(1) 红茶\n(2) 绿茶"]),
        ("1. a\n3.14 is pi\n5. is no item\n2. b", ["a\n3.14 is pi\n5. is no item", "b"]),
        ("1. 1. tea\n2. milk\n3. 水\n2. 1. bread\n2. rice", ["1. tea\n2. milk\n3. 水", "1. bread\n2. rice"]),
        ("10. def f():\n    return 1\n11. b", ["def f():\n    return 1", "b"]),
        ("1. a 2. b", ["a 2. b"]),
        ("2024 was hot.\n1. a\n2. b", ["a", "b"]),
        ("1. Explain:\n```\n2. not an item\n```\n2. b", ["Explain:\n```\n2. not an item\n```", "b"]),
        ("1. a ``` b\n2. c", ["a ``` b", "c"]),
        ("1. def f():\ndef f():\n    return 1\n2. b", ["def f():\ndef f():\n    return 1", "b"]),
        (
            "###\n1. Instruction: a\n1. Input:\nx\n1. Output:\ny\n###\n2. Instruction: b\n2. Input:\n<noinput>\n2. Output:\nz",
            ["Instruction: a\n1. Input:\nx\n1. Output:\ny", "Instruction: b\n2. Input:\n<noinput>\n2. Output:\nz"],
        ),
        ("1. a\n\n   more of a\n\n2. b", ["a\n\nmore of a", "b"]),
        ("1. Would it rain?\n\nWould you like tea? Answer.\nThen go.", ["Would it rain?\n\nWould you like tea? Answer.\nThen go."]),
    ],
)  # fmt: skip
def test_what_does_not_go_on_counting_belongs_to_the_item(reply, items):
    assert numbered(reply) == items


def test_a_list_that_the_prompt_began_is_read_from_within_its_item():
    assert numbered(" Write a poem.\n10. Name a river.", begun=9) == ["Write a poem.", "Name a river."]
    assert numbered("Sure!\n9. Write a poem.\n10. 泡茶", begun=9) == ["Write a poem.", "泡茶"]
    assert numbered("写一首诗", begun=9) == ["写一首诗"]
    assert numbered(" Sort:\n1. tea\n2. milk\n10. b", begun=9) == ["Sort:\n1. tea\n2. milk", "b"]


STYLES = [
    "{n}. {item}", "{n}) {item}", "{n}、{item}", "({n}) {item}", "（{n}）{item}", "第{n}条 {item}", "**{n}.** {item}", "Task {n}: {item}", "任务{n}：{item}",
]  # fmt: skip
SIGNS = "abcXYZ茶水读写0123456789.,!?()（）。，"


def lines(first):
    """Lines that begin with one of these characters, and end with no blank."""
    rest = st.text(alphabet=SIGNS + " ", max_size=29)
    return st.builds(lambda begin, more: (begin + more).rstrip(), st.sampled_from(first), rest)


LINES, WORDED = lines(SIGNS), lines("abcXYZ茶水读写")
ITEMS = st.lists(
    st.builds(
        lambda first, more: "\n".join([first, *("line " + line for line in more)]),
        WORDED,
        st.lists(LINES, max_size=2),
    ),
    min_size=1,
    max_size=12,
)


@settings(max_examples=50, deadline=None)
@given(ITEMS, st.integers(1, 300), st.sampled_from(STYLES), st.booleans(), st.booleans())
def test_a_list_that_is_written_with_numbers_is_read_back(items, first, style, chat, spaced):
    lines = [style.format(n=first + index, item=item) for index, item in enumerate(items)]
    text = ("\n\n" if spaced else "\n").join(lines)
    if chat:
        text = "Sure! Here they are:\n\n" + text + "\n\nLet me know what you think."
    assert numbered(text) == items


@settings(max_examples=50, deadline=None)
@given(ITEMS, st.integers(2, 300))
def test_lists_within_items_never_become_items(items, first):
    inner = "\n1. tea\n2. milk\n3. 水"
    text = "\n".join(f"{first + 4 + index}. {item}{inner}" for index, item in enumerate(items))
    assert numbered(text) == [item + inner for item in items]


# fields


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (
            "Instruction: Translate.\nInput: tea\nOutput: 茶",
            {"instruction": "Translate.", "input": "tea", "output": "茶"},
        ),
        (
            "**指令：** 翻译\n**输入**：你好\n### 输出\nhello",
            {"instruction": "翻译", "input": "你好", "output": "hello"},
        ),
        (
            "1. Instruction: a\nb\n1. Input:\n<noinput>\n1. Output:\nc",
            {"instruction": "a\nb", "input": "<noinput>", "output": "c"},
        ),
        ("**Instruction: do it**\nOUTPUT: done", {"instruction": "do it", "output": "done"}),
        ("【指令】：甲\n【输出】：乙", {"instruction": "甲", "output": "乙"}),
        (
            "Sure.\nInstruction: a\nOutput: Input: is a word\nInput: 5",
            {"": "Sure.", "instruction": "a", "output": "Input: is a word\nInput: 5"},
        ),
        ("Instruction: a\nTask force\nOutput: b", {"instruction": "a\nTask force", "output": "b"}),
        (
            "Instruction: a\nOutput:\n```\nOutput: x\n```\nOutput: y",
            {"instruction": "a", "output": "```\nOutput: x\n```\nOutput: y"},
        ),
        ("Input: ```\nOutput: x\n```\nOutput: y", {"input": "```\nOutput: x\n```", "output": "y"}),
        ("Input: ____ is tea.\n输出：__茶__", {"input": "____ is tea.", "output": "__茶__"}),
        ("nothing marked", {"": "nothing marked"}),
        ("", {}),
    ],
)
def test_marked_parts_are_found_at_line_starts(text, parts):
    assert fields(text) == parts


def test_parts_may_come_in_any_order_where_that_is_asked_for():
    text = "Label: positive\nText: 好茶"
    marks = {"text": ("Text",), "label": ("Label",)}
    assert fields(text, marks, ordered=False) == {"label": "positive", "text": "好茶"}
    assert fields(text, marks) == {"label": "positive\nText: 好茶"}
    assert fields("x", {}) == {"": "x"}


@settings(max_examples=50, deadline=None)
@given(
    st.fixed_dictionaries({name: WORDED for name in PARTS}),
    st.integers(0, 2),
    st.sampled_from(":："),
)
def test_parts_that_are_written_with_marks_are_read_back(parts, which, colon):
    text = "\n".join(f"{own[which % len(own)]}{colon} {parts[name]}" for name, own in PARTS.items())
    assert fields(text) == parts


# JSON

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)
TEXTS = st.text(alphabet="abc茶，。“”:{}[],'\" 0", max_size=12)
OBJECTS = st.lists(
    st.dictionaries(
        st.sampled_from(["q", "a", "问题", "n"]), TEXTS | st.integers(-99, 99) | st.lists(TEXTS, max_size=2), min_size=1
    ),
    min_size=1,
    max_size=4,
)


@settings(max_examples=50, deadline=None)
@given(VALUES, st.booleans(), st.sampled_from([None, 2]))
def test_a_json_value_comes_back_from_a_fence_within_prose(value, ascii_only, indent):
    dumped = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    for reply in (
        dumped,
        f"```json\n{dumped}\n```",
        f"<think>[1] {{x}}</think>Sure! Here it is [as asked]:\n\n```json\n{dumped}\n```\nLet me know (if [more] is needed).",
    ):
        assert json_reply(reply, {"enum": [value]}) == value


@settings(max_examples=50, deadline=None)
@given(OBJECTS, st.data())
def test_a_cut_list_gives_whole_items_or_nothing(items, data):
    for schema, value in ((ROWS | {"items": {}}, items), (TASKS, {"tasks": items})):
        dumped = json.dumps(value, ensure_ascii=False)
        cut = data.draw(st.integers(0, len(dumped) - 1))
        try:
            read = json_reply(dumped[:cut], schema)
        except Unreadable:
            continue
        read = read["tasks"] if isinstance(read, dict) else read
        assert read == items[: len(read)] and read


@settings(max_examples=50, deadline=None)
@given(OBJECTS)
def test_python_spelling_is_read_as_json(items):
    reply = f"Here you are:\n{items!r}"
    assert json_reply(reply, {"type": "array"}) == items


@pytest.mark.parametrize(
    ("reply", "value"),
    [
        ('[{"q": "茶"},]', [{"q": "茶"}]),
        ("[{'q': 'it\\'s'}, {'q': 'don't'}]", [{"q": "it's"}, {"q": "don't"}]),
        ('{q: "a", n: True, m: None}', {"q": "a", "n": True, "m": None}),
        ('{"q": "he said "hi", then left"}', {"q": 'he said "hi", then left'}),
        ('{"q": "他说"你好"，然后走了。"}', {"q": '他说"你好"，然后走了。'}),
        ("{“q”：“绿茶”，“a”：“好”}", {"q": "绿茶", "a": "好"}),
        ('{"q": "use "warm", "cool" and "hot"", "a": "b"}', {"q": 'use "warm", "cool" and "hot"', "a": "b"}),
        ('[{"q": "find({a: "b"})"}, {"q": "x"}]', [{"q": 'find({a: "b"})'}, {"q": "x"}]),
        ('["say "hi" to "me"", "b"]', ['say "hi" to "me"', "b"]),
        ('{"q": "two\nlines"}', {"q": "two\nlines"}),
        (r'{"q": "\(x\) \frac{1}{2} \\ \" \u8336"}', {"q": r'\(x\) \frac{1}{2} \ " 茶'}),
        ('{"q": "a"\n"b": "c"}', {"q": "a", "b": "c"}),
        ('{"q": 1, // one\n "b": 2}', {"q": 1, "b": 2}),
        ('\ufeff{"q": 1}', {"q": 1}),
        ('{"q": "<think>kept</think>"}', {"q": "<think>kept</think>"}),
        ('{"q": "a"} {"q": "b"}', {"q": "a"}),
        ('{"q": 1, "q": 1}', {"q": 1}),
    ],
)
def test_sloppy_json_is_mended(reply, value):
    assert json_reply(reply, ANY) == value


def test_rows_and_lists_are_taken_for_what_they_are():
    assert json_reply('{"q": "a"}\n{"q": "b"}\n{"q": "c', ROWS) == [{"q": "a"}, {"q": "b"}]
    assert json_reply('{"rows": [{"q": "a"}]}', ROWS) == [{"q": "a"}]
    assert json_reply('{"q": "a"}', ROWS) == [{"q": "a"}]
    assert json_reply('[{"q": "a"}]', TASKS) == {"tasks": [{"q": "a"}]}


@pytest.mark.parametrize(
    ("reply", "rule"),
    [
        ("I cannot do that.", "no_json"),
        ("", "no_json"),
        ("See [1].", "schema"),
        ('{"q": "a", "n": NaN}', "not_finite"),
        ('{"q": "a", "n": NaN,}', "not_finite"),
        ('{"q": "a", "n": 1e999}', "not_finite"),
        ('{"q": "a", "q": "b"}', "duplicate_key"),
        ("{'q': 'a', 'q': 'b',}", "duplicate_key"),
        ('{q: "a", q: "b"}', "bad_json"),
        ('{"q": "\\ud83c"}', "surrogate"),
        ('{"answer": "yes', "cut"),
        ('{"answer": "yes"', "cut"),
        ('{"answer": tru', "cut"),
        ('{"q": "a", "tags": ["x", "y', "cut"),
        ('{"a": [1, 2], "b": [3, 4', "cut"),
        ("[" * 100_000, "too_deep"),
        ("[" * 3_000 + "'" + "]" * 3_000, "too_deep"),
        ('[{"q": 1}]', "schema"),
        ('[{"p": "a"}]', "schema"),
    ],
)
def test_what_cannot_be_read_soundly_is_refused_by_name(reply, rule):
    assert refused(reply, {"type": "object", "required": ["q"]} if rule in ("duplicate_key", "bad_json") else ROWS | {"items": ROWS["items"]}) == rule  # fmt: skip


def test_what_was_cut_is_not_closed_as_a_repair_library_would():
    import json_repair

    cut = '[{"q": "How is green tea brewed?"}, {"q": "How is"'
    assert len(json_repair.loads(cut)) == 2  # half an item that looks whole
    assert json_reply(cut, ROWS) == [{"q": "How is green tea brewed?"}]
    assert json_reply('["a", "b", "c', {"type": "array"}) == ["a", "b"]
    assert json_reply("[1, 2, 3", {"type": "array"}) == [1, 2]
    assert refused('["a', {"type": "array"}) == "cut"


def test_the_schema_is_the_judge_and_its_fault_says_where():
    schema = {"type": "object", "properties": {"答案": {"enum": ["是", "否"]}}, "required": ["答案"]}
    assert json_reply('好的：{"答案": "是"}', schema) == {"答案": "是"}
    with pytest.raises(Unreadable, match="'也许' is not one of") as fault:
        json_reply('{"答案": "也许"}', schema)
    assert "\n" not in fault.value.detail
    assert json_reply('x lies in [0, 1), so: {"答案": "是"}', schema) == {"答案": "是"}
    jsonschema.validate(json_reply('[1] and {"答案": "否"}', schema), schema)


def test_prose_full_of_brackets_is_read_in_time_that_grows_with_its_length():
    assert refused("[a " * 10_000, ROWS) in ("no_json", "schema", "bad_json", "cut")
    assert refused("{x " * 1_000, ROWS) in ("no_json", "cut", "bad_json", "too_deep")
