"""Signals of texts against a plain-Python reference, and by hand in English and Chinese."""

import pytest
import signals_reference as reference
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dataforge.ops.signals import lines, repeats, texts, words
from dataforge.ops.signals.answers import Sides, brackets_open, fence_open, is_cut, marks
from dataforge.ops.signals.characters import CLOSERS, STOPS
from dataforge.ops.signals.documents import total
from dataforge.ops.signals.function_words import BOILERPLATE, EIGHT
from dataforge.ops.signals.languages import mismatches, scripts
from dataforge.ops.signals.sections import batches
from dataforge.ops.terms import Terms

WORDS = st.sampled_from(
    ["the", "The", "cat", "sat", "on", "a", "mat", "is", "x1", "42", "3.5", "well-known", "a", "b", "naïve", "Straße"]
)
CHINESE = st.sampled_from(
    ["的", "是", "猫", "坐在", "垫子上", "今天天气很好", "一二", "第一条", "人工智能", "ひらがな", "。。。", "ＡＢ"]
)
SIGNS = st.sampled_from(
    [
        *". ! ? , ; : # ## … ... - * / { } ( ) [ ] \" ' 。 ！ ？ ， ； ： 、 （ ） “ ” 《 》 ＃ ① • |".split(),
        "😀",
        "😀😀",
    ]
)
GAPS = st.sampled_from(
    [" ", " ", "", "\n", "\n", "\n\n", " \n \n", "\t", "\n- ", "\n1. ", "\n（一）", "\n1、", "\r\n", "　"]
)
TEXTS = st.lists(st.one_of(WORDS, CHINESE, SIGNS, GAPS, GAPS), max_size=60).map("".join)
REPEATING = st.tuples(TEXTS, st.integers(2, 5), TEXTS).map(lambda some: some[0] * some[1] + some[2])


@settings(max_examples=50, deadline=None)
@given(st.lists(st.one_of(TEXTS, REPEATING), min_size=1, max_size=6))
@example(["", "a", "你", " \n ", "。", "- ", "(", "（一", "1.", "...", "#", "-", "“”"])
@example(["a a a a a a", "哈哈哈哈哈哈哈哈哈哈哈哈", "x\n\nx\n\nx", "one. two.three.  four!\nfive?”"])
def test_the_kernels_agree_with_the_plain_reference(some):
    found = total(some)
    for row, text in enumerate(some):
        expected = reference.measure(text)
        assert {name: found[name][row] for name in expected} == expected


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.one_of(TEXTS, REPEATING), st.one_of(TEXTS, REPEATING)), min_size=1, max_size=5))
def test_what_an_answer_takes_from_its_question_agrees_with_the_reference(pairs):
    pairs = [*pairs, *((one, one + " " + other) for one, other in pairs)]
    tokens = [[reference.terms(text) for text in pair] for pair in pairs]
    words = [[[token[1] for token in side] for side in pair] for pair in tokens]
    together = [([*pair], Sides(*pair, acts=False, asked=0, said=1)) for pair in pairs]
    alone = [(["another text"], Sides(*pair, acts=False)) for pair in pairs]
    for rows in (together, alone):
        (some,) = batches(rows)
        found = repeats.of_answers(some, repeats.measure(some.whole))
        assert found["echo"].tolist() == pytest.approx([reference.echo(*pair) for pair in pairs])
        assert found["repeated"].tolist() == pytest.approx(
            [reference.repeated(side, 5) / max(reference.size(side), 1) for _, side in tokens]
        )
        assert found["loop"].tolist() == pytest.approx(
            [reference.loop(side) / max(sum(token[0] != "symbol" for token in side), 1) for _, side in tokens]
        )
        assert found["equal"].tolist() == [
            asked == said and bool(reference.grams(side, 4))
            for (asked, said), (side, _) in zip(words, tokens, strict=True)
        ]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.one_of(TEXTS, REPEATING, st.text("()[]{}（）【】`~<>a中\n", max_size=30)), min_size=1, max_size=6))
@example(["```\na", "`", "``", "`` `", "~~~", "（【】", "}{[["])
def test_brackets_and_fences_of_sections_are_those_of_their_texts(some):
    (found,) = batches([([text], Sides("", text, acts=False, said=0)) for text in some])
    brackets, fences = marks(found.parts, found.said)
    assert brackets.tolist() == list(map(brackets_open, some))
    assert fences.tolist() == ["```" in text or "~~~" in text for text in some]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(TEXTS, TEXTS, TEXTS), min_size=1, max_size=5))
@example([("", "", ""), ("a", "", "b"), ("你好", "再见", "")])
def test_a_row_of_sections_is_measured_as_its_text_is(rows):
    (some,) = batches([([*row], None) for row in rows])
    (plain,) = batches([(["\n".join(row)], None) for row in rows])
    for name in ("hashes", "kinds", "offsets"):
        assert getattr(some.whole.terms, name).tolist() == getattr(plain.whole.terms, name).tolist()
    n = plain.whole.offsets[-1]
    assert some.whole.codes[:n].tolist() == plain.whole.codes[:n].tolist()


@settings(max_examples=30, deadline=None)
@given(st.lists(TEXTS, max_size=5), st.integers(8, 40))
def test_a_long_text_is_measured_in_pieces_and_nothing_is_lost(some, size):
    before = texts.PIECE, texts.BATCH
    texts.PIECE, texts.BATCH = size, 3 * size
    try:
        pieces = [list(texts.pieces_of(text)) for text in some]
        assert ["".join(parts) for parts in pieces] == some
        assert all(len(part) <= size for parts in pieces for part in parts)
        found = total(some) if some else {}
        for name in ("words", "lines", "repeated_5", "gram_chars", "sentences"):
            expected = [sum(reference.measure(part)[name] for part in parts) for parts in pieces]
            assert found.get(name, [] if not some else None) == pytest.approx(expected)
    finally:
        texts.PIECE, texts.BATCH = before


def test_pieces_are_cut_at_line_ends_where_there_are_some(monkeypatch):
    monkeypatch.setattr(texts, "PIECE", 10)
    assert list(texts.pieces_of("12345678\n12345678\n1")) == ["12345678\n", "12345678\n1"]
    assert list(texts.pieces_of("今" * 25)) == ["今" * 10, "今" * 10, "今" * 5]


def test_ten_words_of_english_and_fifteen_characters_of_chinese_are_one_ten_gram():
    english = "one two three four five six seven eight nine ten "
    chinese = "这是一个用来测试的句子它有十五"
    assert len(chinese) == 15
    counts = total([english * 2, chinese * 2, english + "other " + english[:-5], chinese + "啊" + chinese[:-1]])
    assert (counts["repeated_10"] > 0).tolist() == [True, True, False, False]
    assert counts["repeated_10"][:2].tolist() == [len(english.replace(" ", "")), 15]


@pytest.mark.parametrize(
    "line",
    [
        "- milk",
        "* milk",
        "• milk",
        "1. milk",
        "12) milk",
        "(3) milk",
        "一、总则",
        "（一）总则",
        "1、总则",
        "①总则",
        "-总则",
        "十二、附则",
    ],
)
def test_items_of_lists_are_bullets(line):
    assert total([line])["bullets"][0] == 1


@pytest.mark.parametrize(
    "line", ["-5 degrees", "3.14 is pi", "第一条 总则", "一个人", "2024 was", "**bold**", "(see)", "十分好", "1.5万"]
)
def test_numbers_and_words_are_no_bullets(line):
    assert total([line])["bullets"][0] == 0


@pytest.mark.parametrize(
    ("line", "terminal", "ellipsis"),
    [
        ("It ends.", 1, 0),
        ('"It ends."', 1, 0),
        ("他说：“结束了。”", 1, 0),
        ("（结束。）", 1, 0),
        ("下列行为：", 1, 0),
        ("一项；", 1, 0),
        ("等等……", 1, 1),
        ("Read more...", 1, 1),
        ("然后。。。", 1, 1),
        ("هل هذا صحيح؟", 1, 0),
        ("Home | About", 0, 0),
        ("首页", 0, 0),
        ("（附件）", 0, 0),
    ],
)
def test_how_lines_end(line, terminal, ellipsis):
    counts = total([line])
    assert (counts["terminals"][0], counts["ellipsis_lines"][0]) == (terminal, ellipsis)


def test_a_chinese_line_of_ten_characters_is_as_wide_as_thirty_letters():
    counts = total(["x" * 29, "x" * 30, "字" * 9, "字" * 10, "字" * 9 + "abc"])
    assert counts["short"].tolist() == [1, 0, 1, 0, 0]


def test_function_words_of_each_language_are_found():
    for language, eight in EIGHT.items():
        assert total([" ".join(eight.split())])["stop_words"][0] >= 8, language
    assert total(["apple banana cherry", "手机 电脑 相机", "the of and", "我的是不"])["stop_words"].tolist() == [
        0,
        0,
        3,
        3,
    ]


def test_page_furniture_is_counted_by_lines():
    text = "Privacy Policy | Terms of use\nA text about JavaScript.\n版权所有 转载请注明出处\n正文在这里。\nPRIVACY  policy"
    counts = total([text, "privacy matters, so does policy", ""])
    assert counts["boilerplate"].tolist() == [3, 0, 0]
    assert total(["Lorem ipsum dolor", "lorem and ipsum"])["lorem"].tolist() == [1, 0]
    for phrase in BOILERPLATE:
        assert total([phrase])["boilerplate"][0] == 1, phrase


def test_equal_lines_of_different_texts_are_no_duplicates():
    counts = total(["same line\nsame line", "same line", "same line\n\nother\n\nsame line"])
    assert counts["repeated_lines"].tolist() == [1, 0, 1]
    assert counts["repeated_paragraphs"].tolist() == [0, 0, 1]


def test_paragraphs_are_equal_only_in_the_same_order_of_lines():
    assert total(["a\nb\n\nb\na\n\na\nb"])["repeated_paragraphs"][0] == 1


def test_offsets_of_lines_and_phrases_count_characters_and_not_bytes():
    one = texts.Texts.of(["汉字\n版权所有", "é版权所有"], [0, 1])
    assert words.find_phrases(one, "boilerplate").tolist() == [3, 8]
    assert lines.find_lines(one).begins.tolist() == [0, 3, 7]


def test_the_classes_of_characters_know_what_may_close_a_sentence():
    assert set("。！？.!?") <= set(STOPS) and set("」』”》）)") <= set(CLOSERS)


CUT = [
    "The sum of 14 and 6 is equal to",
    "I chose to go because",
    "First do this. Second do that. Then the whole organization of the company was",
    "There are many reasons. One of them is that the weather was too cold for the plants to survive in winter, so farmers",
    "爵士乐包含许多元素。不同的音色之间的结合是十分重要的，萨克斯、小号、",
    "首先要注意饮食。其次要坚持锻炼身体。最后每天都要保证充足的睡眠时间并且",
    "他于2020年宣誓就任总统。此后他推行了一系列旨在改善民生的经济政策",
]
WHOLE = [
    "",
    "42",
    "Paris",
    "北京",
    "你好",
    "Yes, it is.",
    "是的。",
    "Dear Joe,\n\nThank you for letting me know.\n\nBest,",
    "亲爱的史密斯博士，",
    "1. Apples\n2. Pears\n3. Plums and cherries of many different kinds",
    "- 苹果\n- 梨\n- 各种各样的水果和蔬菜以及其他食品",
    "def swap(a, b):\n    return b, a",
    "Use a loop. Here it is. print(x)\nfor i in range(10): total = total + i",
    "See the page. It is at www.example.org/a/b/c/of",
    "“成功不是终点，失败也不是致命的：重要的是继续前进的勇气。” - 温斯顿·丘吉尔",
    "The roses are red,\nthe violets blue;\nsugar is sweet\nand so are you",
    "Plan A",
    "It was done in time.\u200b",
    "What is it?\nA. Clearing\nB. Card\n\nAnswer: B. Interbank Transfer System",
    "Great! 🎉",
    "好的！😀",
    "| a | b |\n|---|---|\n| 1 | 2 |",
    "祝好！\n王小明博士",
    "All of it (every single bit of the thing that was said.)",
    "Thank you. See you soon. I look forward to it.\nSincerely yours\nMartha Jones",
]


@pytest.mark.parametrize("text", CUT)
def test_cut_answers_are_found(text):
    assert is_cut(text)


@pytest.mark.parametrize("text", WHOLE)
def test_whole_answers_are_left_alone(text):
    assert not is_cut(text)


@pytest.mark.parametrize(
    ("text", "is_open"),
    [
        ("```python\nprint(1)\n```", False),
        ("```python\nprint(1)", True),
        ("before ``` in a line", False),
        ("````\n```\ninner\n```\n````", False),
        ("```\na\n```\n\n```\nb", True),
        ("~~~\n代码", True),
        ("- 列表\n  ```\n  x\n  ```", False),
        ("```x```", False),
        ("没有代码", False),
    ],
)
def test_fences_left_open(text, is_open):
    assert fence_open(text) is is_open


def test_brackets_left_open():
    assert brackets_open("a) b) c)") == 0
    assert brackets_open("f(x, (y") == 2
    assert brackets_open("（见《论语》「学而") == 2
    assert brackets_open(":( sad") == 1
    assert brackets_open("你好") == 0


ZH = "请介绍一下人工智能的发展历史和现状。"
EN = "Please tell me about the history of this city and what to see there."
MISMATCHES = [
    (ZH, "Artificial intelligence has a long history that goes back to the nineteen-fifties.", True),
    (EN, "这座城市有着悠久的历史，游客可以参观许多名胜古迹。", True),
    (EN, "Diese Stadt hat eine lange Geschichte, und es gibt dort sehr viele schöne alte Gebäude zu sehen.", True),
    (ZH, "人工智能的发展可以追溯到二十世纪五十年代，至今已有多次高潮。", False),
    (EN, "The city was founded a long time ago, and there is a lot to see in the old town.", False),
    ("请把这句话翻译成英文：今天天气很好。", "The weather is very nice today, and the sun is out.", False),
    ("Translate this sentence to Chinese: the weather is nice today.", "今天天气很好，阳光明媚，适合出门散步。", False),
    ("写一个计算斐波那契数列的函数。", "def fib(n):\n    return n if n < 2 else fib(n - 1) + fib(n - 2)", None),
    (
        "列出四首适合夏夜派对的流行歌曲给我听。",
        "Billie Eilish – Bad Guy, Ed Sheeran – Shape of You, Maroon 5 – Summer Nights",
        None,
    ),
    (
        "生成一个正确使用“opulent”一词的例句，要完整。",
        "The wedding was held in an opulent ballroom with crystal chandeliers.",
        False,
    ),
    (
        "有哪些与此相关的链接？请列出。",
        "相关链接包括：object oriented programming、list of morphs in scratch、morphic on wikipedia。",
        None,
    ),
    ("你好", "Hello! How can I help you with your questions today, my friend?", None),
    (ZH, "好的。", None),
    ("日本の首都について、簡単に説明してください。", "日本的首都是东京，位于关东地区，是世界上最大的城市之一。", True),
    ("", "", None),
]


@pytest.mark.parametrize(("question", "answer", "differs"), MISMATCHES)
def test_languages_of_question_and_answer(question, answer, differs):
    assert mismatches([question], [answer]) == [differs]


def test_languages_of_many_rows_are_those_of_each():
    questions, answers, differs = map(list, zip(*MISMATCHES, strict=True))
    assert mismatches(questions, answers) == differs
    assert mismatches([], []) == []


def test_scripts_that_decide_a_language():
    some = [
        ZH,
        EN,
        "東京は日本の首都であり、世界最大の都市のひとつです。",
        "오늘 날씨가 어떻습니까? 알려 주세요.",
        "Расскажите об истории этого города",
        "好",
        "A和B",
        "",
    ]
    assert scripts(some) == ["zh", "latin", "ja", "ko", "cyrillic", "und", "und", "und"]


def test_terms_of_the_reference_are_those_of_the_package():
    text = "Hello, well-known WORLD -- 你好 naïve ＡＢ #tag 😀😀 3.5 a-1"
    assert len(reference.terms(text)) == len(Terms.of([text]).hashes)
