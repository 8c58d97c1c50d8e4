"""Final answers and when two are the same, against Fraction, Decimal and what people write."""

import json
import os
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataforge.generate.reading.quantity import read_han, read_quantity, same_quantity
from dataforge.generate.worked.finalanswer import compare, final_answer, kind_of, split_final, without_working

DATA = Path(os.environ.get("DATAFORGE_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [
        *(("$1,800", 1800, "dollar"), ("18 dollars", 18, "dollar"), ("18美元", 18, "dollar"), ("¥5.50", "5.5", "yuan")),
        *(
            ("20 %", 20, "%"),
            ("百分之二十", 20, "%"),
            ("20 percent", 20, "%"),
            ("3/4", "3/4", ""),
            ("1 1/2", "3/2", ""),
        ),
        *(
            (r"\frac{3}{4}", "3/4", ""),
            (r"$\dfrac{1}{2}$", "1/2", ""),
            ("三分之一", "1/3", ""),
            ("１．５万", 15000, ""),
        ),
        *(("十八元", 18, "yuan"), ("两千零五", 2005, ""), ("一万二千", 12000, ""), ("二〇二四年", 2024, "年")),
        *(("三点一四", "3.14", ""), ("-5", -5, ""), ("−5 °c", -5, "°c"), ("-$5", -5, "dollar"), ("$-5", -5, "dollar")),
        *(
            ("3×10^8 m/s", 300000000, "m/s"),
            ("1e-3", "1/1000", ""),
            (".5", "1/2", ""),
            ("18.", 18, ""),
            ("x = 7", 7, ""),
        ),
        *(("eighteen", 18, ""), ("twenty-five apples", 25, "apple"), ("one hundred and five", 105, "")),
        *(
            ("5千米", 5, "公里"),
            ("3 kilograms", 3, "公斤"),
            ("$5 million", 5000000, "dollar"),
            ("1.5亿元", 150000000, "yuan"),
        ),
        *(("约18个苹果", 18, "个苹果"), ("about 3 apples per day", 3, "apple per day"), ("**18**", 18, "")),
    ],
)
def test_quantities_are_read_however_they_are_written(text, value, unit):
    found = read_quantity(text)
    assert found is not None and (found.value, found.unit) == (Fraction(value), unit)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Apollo 11",
        "2024年5月1日",
        "18 and 20",
        "2,3",
        "1,2345",
        "10:30",
        "3.14.15",
        "万",
        "点五",
        "1/0",
        "B",
        "1e999",
        "9" * 300,
    ],
)
def test_what_is_no_single_number_is_no_quantity(text):
    assert read_quantity(text) is None


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10**12 - 1))
def test_chinese_numerals_are_read_back(number):
    assert read_han(in_chinese(number)) == number
    assert read_quantity(f"{in_chinese(number)}元").value == number


def in_chinese(number):
    """An integer below 10^12 in Chinese characters (the plain way, with 零 for gaps)."""
    digits, text = "零一二三四五六七八九", ""
    for size, name in ((10**8, "亿"), (10**4, "万"), (1, "")):
        part, number = divmod(number, size)
        if part:
            said = "".join(
                digits[d] + unit if d else "零"
                for d, unit in zip(map(int, f"{part:04}"), ("千", "百", "十", ""), strict=True)
            )
            text += said.strip("零" if not text else "").rstrip("零") + name
        elif text and number:
            text += "零"
    return text or "零"


@settings(max_examples=50, deadline=None)
@given(st.decimals(-(10**9), 10**9, places=2), st.decimals(-(10**9), 10**9, places=2))
def test_numbers_are_the_same_if_their_values_are(one, other):
    same = compare(f"#### {one:,}", f"The answer is ${other}.").same
    near = abs(one - other) <= max(abs(one), abs(other)) * Decimal("1e-6")
    assert same == near
    assert compare(str(one), f"{one}元").same and compare(f"{one}%", str(one / 100)).same


def test_units_part_quantities_only_where_both_have_one():
    def same(a, b):
        return same_quantity(read_quantity(a), read_quantity(b))

    assert same("18", "18 dollars") and same("18个", "18个苹果") and same("5 km", "5 公里") and same("20%", "0.2")
    assert (
        not same("18 dollars", "18元")
        and not same("5 km", "5 m")
        and not same("20%", "0.02")
        and not same("20%", "20元")
    )
    assert same("1/3", "0.3333333") and not same("1/3", "0.33")


@pytest.mark.parametrize(
    ("text", "before", "answer"),
    [
        ("16 - 7 = 9\n#### 18", "16 - 7 = 9", "18"),
        ("a #### 1\n#### 2 ", "a #### 1", "2"),
        ("First.\nSo the answer is 18.", "First.", "18"),
        ("First.\n**Answer:** 18", "First.", "18"),
        ("First.\n\n**Answer**: B", "First.", "B"),
        ("First.\n### Final Answer: B", "First.", "B"),
        ("先算九。\n\n**答案**：18元。", "先算九。", "18元"),
        ("先算九。\n**最终答案：** 18元。", "先算九。", "18元"),
        ("先算九。\n答案是：18元。", "先算九。", "18元"),
        ("先看选项。故选B。", "先看选项。", "B"),
        ("因此，正确答案为 A、C", "因此，", "A、C"),
        (r"Then \boxed{\frac{1}{2}} follows.", "Then", r"\frac{1}{2}"),
        ("Line.\nIt is $\\boxed{7}$", "Line.", "7"),
    ],
)
def test_the_answer_that_a_text_ends_with_is_found(text, before, answer):
    found = split_final(text)
    assert found == (before, answer)


@pytest.mark.parametrize("text", ["", "茶是一种饮料。", "He did not answer.", "\\boxed{7", "The answer was lost."])
def test_a_text_that_names_no_answer_is_one_itself(text):
    assert split_final(text) is None and final_answer(text) == text.strip()


def test_the_working_before_a_line_of_hashes_can_be_left_out():
    assert without_working("a\nb\n#### 18\n") == "#### 18" and without_working("看 #### 不是") == "看 #### 不是"


@pytest.mark.parametrize(
    ("known", "got", "kind", "same"),
    [
        *(
            ("B", "(b)", "letters", True),
            ("B", "选项B", "letters", True),
            ("B", "A", "letters", False),
            ("B", "故选B。", "letters", True),
        ),
        *(
            ("B. 肺胸膜", "B", "letters", True),
            ("B. 肺胸膜", "肺胸膜", "letters", True),
            ("B、肺胸膜", "A、肋胸膜", "letters", False),
        ),
        *(
            ("ACD", "A、C、D", "letters", True),
            ("ACD", "A, C", "letters", False),
            ("AC", "ACD", "letters", False),
            ("（Ｃ）", "C", "letters", True),
        ),
        *(
            ("Paris", "The answer is: paris.", "short", True),
            ("the Nile", "Nile", "short", True),
            ("Paris", "London", "short", False),
        ),
        *(
            ("北京", "答案：北京。", "short", True),
            ("是", "是的", "short", True),
            ("是", "不是", "short", False),
            ("Yes", "No", "short", False),
        ),
        *(("v3.5", "v35", "short", False), ("x + 1", "x - 1", "short", False), ("18", "twenty", "number", False)),
        *(
            ("18 dollars", "The answer is $18.00.", "number", True),
            ("五十六", "56", "number", True),
            ("70,000", "7000", "number", False),
        ),
    ],
)
def test_answers_are_compared_as_what_they_are(known, got, kind, same):
    found = compare(known, got)
    assert (found.kind, found.same) == (kind, same)


def test_long_answers_are_compared_by_the_words_they_share():
    known = "Green tea is brewed with water of eighty degrees, black tea with boiling water."
    got = "Black tea is brewed with boiling water, and green tea with water of only eighty degrees."
    found = compare(known, got)
    words = [
        known.lower().replace(",", "").replace(".", "").split(),
        got.lower().replace(",", "").replace(".", "").split(),
    ]
    common, size = sum(min(words[0].count(w), words[1].count(w)) for w in set(words[0])), sum(map(len, words))
    assert found.kind == "long" and found.score == pytest.approx(2 * common / size) and found.same
    assert not compare(known, got, threshold=0.99).same
    assert not compare("绿茶要用八十度的水冲泡，红茶要用滚水。", "太阳从东方升起，在西方落下，这是因为地球自转。").same
    assert compare("绿茶要用八十度的水冲泡，红茶要用滚水。", "红茶用滚水冲泡，绿茶要用八十度的水。").same


@settings(max_examples=50, deadline=None)
@given(st.text(min_size=1, max_size=60).filter(lambda text: text.strip()))
def test_an_answer_is_the_same_as_itself(text):
    assert kind_of(final_answer(text)) in ("number", "letters", "short", "long")
    found = compare(text, text)
    assert found.same or (found.kind == "long" and found.score == 0.0)


def test_a_line_of_blanks_costs_no_time():
    for text in (
        "A" + " " * 100_000 + "?",
        "answer is" + " " * 100_000 + "x",
        "1" * 100_000 + "!",
        "\\boxed{" * 20_000,
    ):
        assert compare(text, "B").same is False


def test_all_answers_of_gsm8k_are_numbers_and_agree_with_themselves_alone():
    path = DATA / "eval" / "gsm8k__test.jsonl"
    if not path.exists():
        pytest.skip("no real data here; DATAFORGE_DATA names its folder")
    answers = [json.loads(line)["answer"] for line in path.read_text(encoding="utf-8").splitlines()]
    plain = [answer.rpartition("#### ")[2].replace(",", "") for answer in answers]
    assert all(kind_of(final_answer(answer)) == "number" for answer in answers)
    assert all(compare(answer, f"So the answer is ${text}.").same for answer, text in zip(answers, plain, strict=True))
    for index, (answer, text) in enumerate(zip(answers, plain, strict=True)):
        other = plain[index - 1]
        assert compare(answer, other).same == (float(text) == float(other))
