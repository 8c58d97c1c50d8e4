"""The scorers `rules` and `lang`: what columns say of rows, in English, Chinese and other scripts, and of odd rows."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataforge.ops.rules.answers import speaks_as_ai
from dataforge.ops.scorers import column, lang, length, rules
from dataforge.record import Candidate, Media, Reasoning, Record, ToolCall, Turn

RULES, LANG = rules.open_scorer({}), lang.open_scorer({})
PLANET = "The planet turns around the sun in a year, and that is how we have the seasons. "
STATUTE = "为了规范市场秩序，保护消费者的合法权益，根据有关法律的规定，制定本办法。"


def chat(question, answer, *before):
    turns = [*before, Turn("user", [question]), Turn("assistant", [answer])]
    return Record(turns)


def document(text):
    return Record([Turn("document", [text])])


def row(record, score=RULES):
    """{column: value} of one record; NaN as None."""
    values = {name: list(found)[0] for name, found in score([record]).items()}
    return {name: None if isinstance(value, float) and math.isnan(value) else value for name, value in values.items()}


@pytest.mark.parametrize(("module", "score"), [(rules, RULES), (lang, LANG)])
def test_every_promised_column_is_given_and_documented(module, score):
    for records in ([], [document("hello")], [chat("你好", "您好！"), document("")]):
        found = score(records)
        assert found.keys() == module.COLUMNS.keys()
        assert all(len(values) == len(records) for values in found.values())
    assert all(len(one.help) > 10 and one.kind in column.KINDS for one in module.COLUMNS.values())


def test_names_of_columns_are_unique_over_all_scorers():
    names = [*rules.COLUMNS, *lang.COLUMNS, *length.COLUMNS]
    assert len(names) == len(set(names))


def test_a_word_is_one_and_a_half_han_characters():
    assert row(document("three English words"))["words"] == 3
    assert row(document("这是六个汉字"))["words"] == 4
    assert row(document("GPU 很快"))["words"] == math.ceil(1 + 2 / 1.5)
    assert row(document(""))["words"] == 0


def test_gopher_counts_of_an_english_text():
    found = row(document("# Title\n- The cat, and the dog...\n- A bird is #1 of 20 {birds}"))
    assert found["lines"] == 3 and found["curly"] == 2
    assert found["bullet_share"] == pytest.approx(2 / 3)
    assert found["ellipsis_share"] == pytest.approx(1 / 3)
    assert found["hash_ratio"] == pytest.approx(2 / 13)
    assert found["stop_words"] == 3
    assert found["word_chars"] == pytest.approx(
        sum(map(len, "Title The cat and the dog A bird is 1 of 20 birds".split())) / 13
    )
    assert found["letter_share"] == pytest.approx(11 / 17)  # four symbols, 1 and 20
    assert found["han_particles"] is None and found["cjk_share"] == 0


def test_the_same_of_a_chinese_text():
    found = row(document("一、总则\n（一）为了规范市场的秩序……\n1、这是 GPU 的说明；"))
    assert found["lines"] == 3 and found["bullet_share"] == 1
    assert found["ellipsis_share"] == pytest.approx(1 / 3)
    assert found["terminal_share"] == pytest.approx(2 / 3)
    assert found["stop_words"] == 4  # 的 了 是 这
    assert 0.1 < found["han_particles"] < 0.5
    assert found["cjk_share"] > 0.8


def test_japanese_and_thai_have_no_chinese_particles():
    assert row(document("東京は日本の首都であり、人口が多い都市です。"))["han_particles"] is None
    assert row(document("ประเทศไทยเป็นประเทศที่สวยงาม"))["han_particles"] is None


def test_scripts_without_a_list_of_function_words_have_null():
    assert row(document("საქართველო არის ქვეყანა კავკასიაში"))["stop_words"] is None
    assert row(document("Россия и мир, что это не так"))["stop_words"] == 3


def test_repeated_text_is_found_in_both_languages():
    for text in (PLANET, STATUTE):
        once, often = row(document(text)), row(document("\n".join([text.strip()] * 20)))
        assert once["dup_10_grams"] == 0 and once["dup_lines"] == 0
        assert often["dup_10_grams"] > 0.9 and often["dup_lines"] == pytest.approx(0.95)
        assert often["dup_line_chars"] == pytest.approx(0.95) and often["top_4_gram"] > 0.15


def test_columns_of_answers_are_null_for_documents_and_prompts():
    names = set(rules._ANSWER)
    for record in (document("text"), Record([Turn("user", ["hello"])])):
        found = row(record)
        assert {name for name in names if found[name] is not None} == set()
    both = RULES([document("text"), chat("a", "b")])
    assert both["answer_empty"] == [None, False] and both["answer_ratio"] == [None, 1.0]


@pytest.mark.parametrize("answer", ["", "  \n", "　"])
def test_an_answer_that_says_nothing_is_empty(answer):
    found = row(chat("问题是什么？", answer))
    assert found["answer_empty"] is True and found["answer_truncated"] is None


def test_a_tool_call_is_an_answer():
    record = Record([Turn("user", ["天气？"]), Turn("assistant", [ToolCall("weather", "{}")])])
    found = row(record)
    assert found["answer_empty"] is False and found["answer_truncated"] is None


def test_the_answer_is_judged_without_its_reasoning():
    record = Record(
        [Turn("user", ["What is the capital?"]), Turn("assistant", [Reasoning("Let me think and"), "Paris."])]
    )
    assert row(record)["answer_truncated"] is False
    assert row(record)["answer_ratio"] == pytest.approx(6 / 20)


def test_the_last_answer_counts_and_the_user_turn_before_it():
    record = chat(
        "Say it again.", "Fine.", Turn("system", ["你是助手"]), Turn("user", ["x" * 100]), Turn("assistant", [""])
    )
    assert row(record)["answer_empty"] is False
    assert row(record)["answer_ratio"] == pytest.approx(5 / 13)
    record.turns.append(Turn("user", ["and then?"]))
    assert row(record)["answer_ratio"] == pytest.approx(5 / 13)


def test_of_several_candidates_the_chosen_one_is_judged():
    bad, good = Turn("assistant", ["I'm sorry, but I cannot help with that."]), Turn("assistant", ["It is 42."])
    record = Record(
        [Turn("user", ["What is it?"])],
        candidates=[Candidate([bad], label="rejected"), Candidate([good], label="chosen")],
    )
    assert row(record)["answer_refusal"] is False
    record.candidates[0].label, record.candidates[1].label = "chosen", "rejected"
    assert row(record)["answer_refusal"] is True


@pytest.mark.parametrize(
    ("question", "answer", "column", "value"),
    [
        ("How do I do it?", "I'm sorry, but I cannot help with that.", "answer_refusal", True),
        ("怎么做？", "很抱歉，我无法回答这个问题。", "answer_refusal", True),
        ("怎么道歉？", "可以说：很抱歉让您久等了。", "answer_refusal", False),
        ("Who are you?", "As an AI language model, I have no feelings.", "answer_as_ai", True),
        ("你是谁？", "作为一个人工智能语言模型，我没有感情。", "answer_as_ai", True),
        ("什么是人工智能？", "人工智能是计算机科学的一个分支。", "answer_as_ai", False),
        ("What is the capital of France?", "what is the capital of FRANCE", "answer_copies", True),
        ("法国的首都是哪里？", "法国的首都是哪里", "answer_copies", True),
        ("法国的首都是哪里？", "法国的首都是巴黎。", "answer_copies", False),
        ("你好", "你好！", "answer_copies", False),
        ("Good morning", "Good morning!", "answer_copies", False),
        ("Write code.", "```python\nprint(1)", "fence_open", True),
        ("写代码。", "好的：\n```\nprint(1)\n```\n完成。", "fence_open", False),
        ("f?", "f(x, (y", "brackets_open", 2),
        (
            "介绍一下北京这座城市的历史吧。",
            "Beijing is a city with a history of more than three thousand years.",
            "lang_mismatch",
            True,
        ),
    ],
)
def test_what_is_wrong_with_an_answer(question, answer, column, value):
    assert row(chat(question, answer))[column] == value


def test_the_quick_look_misses_no_machine_voice():
    for text in (
        "As an AI, I cannot.",
        "I'm just an AI.",
        "As a large language model I",
        "i am only a chatbot",
        "as an llm, i",
        "作为一个AI语言模型，我无法",
        "我只是一个语言模型",
        "身为聊天机器人，我没有",
    ):
        assert bool(row(chat("x", text))["answer_as_ai"]) == (speaks_as_ai(text) is not None), text


def test_an_answer_that_got_stuck_loops():
    for text in ("and the cat ", "我真的很喜欢你"):
        found = row(chat("Tell me something.", "Well. " + text * 30))
        assert found["answer_loop"] > 0.9 and found["answer_repeats"] > 0.8
    table = "| a | b | c |\n|---|---|---|\n| 1 | 2 | 3 |"
    assert row(chat("Make a table.", table))["answer_loop"] == 0


ODD = [
    "",
    " ",
    "你好",
    "谢谢。",
    "Yes",
    "👨‍👩‍👧❤️😀😀",
    "السلام عليكم",
    "パパがﾊﾟﾊﾟ",
    "\ud800x",
    "\x00\x01",
    "\n\n\n",
    "。。。。",
    "}{" * 9,
    "a\u0301" * 5,
]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.one_of(st.sampled_from(ODD), st.text(max_size=40)), max_size=8))
def test_odd_rows_get_values_in_range_whatever_stands_beside_them(some):
    records = [document(text) if number % 2 else chat(text, text[::-1]) for number, text in enumerate(some)]
    for module, score in ((rules, RULES), (lang, LANG)):
        together = score(records)
        for number, record in enumerate(records):
            alone = score([record])
            for name in module.COLUMNS:
                one, other = list(together[name])[number], list(alone[name])[0]
                assert one == other or (one != one and other != other), name
                if name.endswith(("_share", "_gram", "_grams")) or name.startswith("dup_"):
                    assert one is None or one != one or 0 <= one <= 1, name


def test_many_equal_rows_get_equal_scores():
    found = RULES([chat("你好", "您好！有什么可以帮您？")] * 3000)
    assert all(len(set(map(str, values))) == 1 for values in found.values())


def test_a_long_row_is_measured_in_bounded_pieces():
    found = row(document(PLANET * 40_000))
    assert found["words"] == 17 * 40_000
    assert found["dup_10_grams"] > 0.99 and found["lines"] >= 12
    assert row(document("汉" * 900_000))["words"] == 600_000


def test_the_answer_of_a_picture_is_no_text():
    record = Record([Turn("user", ["Draw."]), Turn("assistant", [Media({"image": "x.png"})])])
    assert row(record)["answer_empty"] is False


def test_languages_and_scripts():
    english, chinese = row(document(PLANET), LANG), row(document(STATUTE), LANG)
    assert (english["lang"], english["latin_share"], english["han_share"]) == ("en", 1.0, 0.0)
    assert (chinese["lang"], chinese["lang_prob"], chinese["han_share"]) == ("zh", 1.0, 1.0)
    assert row(document("123 …"), LANG) | {"lang": "und"} == row(document(""), LANG)
    assert row(document("これは日本語の文章です。"), LANG)["lang"] == "ja"
    shares = row(document("abc где 汉字 ทดสอบ"), LANG)
    assert sum(shares[name] for name in lang.COLUMNS if name.endswith("_share")) == pytest.approx(1)


def test_a_long_text_has_the_scripts_of_all_of_it(monkeypatch):
    text = "汉字 and letters. " * 50
    whole = row(document(text), LANG)
    monkeypatch.setattr(lang, "BATCH", 100)
    assert row(document(text), LANG) == whole
    assert np.isclose(whole["han_share"], 2 / 12)
