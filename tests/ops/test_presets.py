"""Presets: sound expressions over columns that exist, bad text that they catch, good text that they leave alone."""

import polars as pl
import pytest

from dataforge.ops.scorers import columns_of, rules
from dataforge.ops.scores.table import column_of
from dataforge.ops.selection.presets import PRESETS
from dataforge.record import Record, Turn

SCORE = rules.open_scorer({})
PROSE = """The river rises in the hills to the north of the town and runs for sixty miles before it meets the sea.
In spring, when the snow melts, it floods the meadows that lie along its lower course, and the farmers who have their
land there know that they must move the cattle to higher ground. The old mill, which was built by monks, still stands.
Visitors who come in the summer can walk along the bank and watch the herons that nest in the reeds near the bridge."""
ARTICLE = """这条河发源于小镇以北的群山之中，流经一百公里之后汇入大海。每年春天积雪融化的时候，下游两岸的草地都会被河水淹没，住在那里的农民知道必须把牛群赶到地势更高的地方去。
由修道士们建造的老磨坊至今仍然矗立在岸边，虽然它的水轮早已不再转动。夏天来这里的游客可以沿着河岸散步，观看在桥边芦苇丛中筑巢的苍鹭。
当地人说，这条河从来没有真正干涸过，即使在最热的年份里，人们也能听到它在石头之间流动的声音。"""
STATUTE = """第一条 为了规范水资源的管理，保护公民的合法权益，根据有关法律，制定本办法。
第二条 在本行政区域内从事下列活动，适用本办法：
（一）取水、用水；
（二）建设水工程；
（三）其他与水资源有关的活动。
第三条 县级以上人民政府应当加强对水资源工作的领导，将其所需的经费纳入本级财政预算。
第四条 违反本办法规定的，由主管部门责令改正；情节严重的，处一万元以上五万元以下的罚款。
第五条 本办法自公布之日起施行。"""

BAD = {
    "english keywords": ("cheap shoes buy online best price discount sale " * 12, "cpt", {"stop_words", "sentences"}),
    "english spam": (
        "Buy the best shoes at the lowest price of the year. " * 30,
        "cpt",
        {"dup_5_grams", "dup_10_grams"},
    ),
    "english menu": (
        "\n".join(["Home", "About us", "Products", "Contact", "Log in", "Cart"] * 12),
        "cpt",
        {"line_ends", "short_lines", "dup_lines"},
    ),
    "tags": (PROSE.replace(" ", " #"), "cpt", {"hash_ratio"}),
    "teasers": ("\n".join(f"{line}..." for line in PROSE.split(".")), "cpt", {"ellipsis_lines"}),
    "english policies": (
        "\n".join(
            [
                "Read our privacy policy.",
                "We use cookies on the site.",
                "All rights reserved by the owner.",
                "See the terms of use of that.",
            ]
            * 4
        ),
        "cpt",
        {"boilerplate"},
    ),
    "placeholder": ("Lorem ipsum dolor sit amet, the consectetur of that. " + PROSE, "cpt", {"lorem_ipsum"}),
    "numbers": ("\n".join("1929 33.5 28 17% - 44 / 56 & 12 the of" for _ in range(12)), "cpt", {"letters"}),
    "joined words": (
        " ".join(["theofandthatwithhaverunstogether"] * 60) + " the of. the of. the of.",
        "cpt",
        {"word_length"},
    ),
    "too short": ("It is of the best. It is that. It is the one.", "cpt", {"too_short"}),
    "chinese keywords": (
        "手机 电脑 相机 耳机 价格 品牌 型号 参数 图片 报价 " * 8,
        "zh-web",
        {"han_particles", "sentences", "stop_words"},
    ),
    "chinese spam": (
        "本店的手机是最好的，价格也是最低的，欢迎您来购买。" * 20,
        "zh-web",
        {"dup_5_grams", "dup_10_grams", "top_4_gram"},
    ),
    "chinese menu": (
        "\n".join(["首页", "公司简介", "新闻动态", "产品展示", "联系方式", "在线留言", "人才招聘", "下载中心"] * 6),
        "zh-web",
        {"line_ends", "short_lines", "dup_lines"},
    ),
    "chinese furniture": (
        ARTICLE
        + "\n版权所有，未经许可不得转载。\n相关阅读：更多的新闻\n上一篇：没有了\n下一篇：这是最后一篇\n关注公众号，了解更多",
        "zh-web",
        {"boilerplate"},
    ),
    "chinese teasers": (
        "\n".join(f"{line}……" for line in ARTICLE.replace("。", "，").split("，")),
        "zh-web",
        {"ellipsis_lines"},
    ),
    "english page": (PROSE, "zh-web", {"chinese"}),
    "japanese page": (
        "この川は町の北にある山から流れ出て、海に注ぐまでに百キロメートルを流れます。" * 5,
        "zh-web",
        {"chinese"},
    ),
}


def removed(record, preset):
    """The names of the rules that remove a record."""
    found = SCORE([record])
    frame = pl.DataFrame([column_of(name, list(found[name]), column) for name, column in rules.COLUMNS.items()])
    kept = frame.select(pl.sql_expr(rule.keep).fill_null(True).alias(rule.name) for rule in PRESETS[preset].rules)
    return {name for name in kept.columns if not kept[name][0]}


def document(text):
    return Record([Turn("document", [text])])


def chat(question, answer):
    return Record([Turn("user", [question]), Turn("assistant", [answer])])


@pytest.mark.parametrize("name", PRESETS)
def test_rules_have_names_of_their_own_sources_and_columns_of_their_scorers(name):
    preset = PRESETS[name]
    names = [rule.name for rule in preset.rules]
    assert len(names) == len(set(names)) and preset.name == name
    known = {column for scorer in preset.scorers for column in columns_of(scorer)}
    for rule in preset.rules:
        assert set(pl.sql_expr(rule.keep).meta.root_names()) <= known, rule.name
        assert len(rule.source) > 5 and len(rule.why) > 10


@pytest.mark.parametrize("what", BAD)
def test_planted_bad_text_is_caught_by_the_rules_made_for_it(what):
    text, preset, expected = BAD[what]
    assert expected <= removed(document(text), preset)


@pytest.mark.parametrize(
    ("preset", "text"), [("cpt", PROSE), ("cpt", ARTICLE), ("cpt", STATUTE), ("zh-web", ARTICLE), ("zh-web", STATUTE)]
)
def test_good_documents_stay(preset, text):
    assert removed(document(text), preset) == set()


@pytest.mark.parametrize(
    ("question", "answer", "rule"),
    [
        ("Convert 20 inches to centimetres", "", "answer_empty"),
        ("计算18047各位数字之和。", " ", "answer_empty"),
        ("What causes it to rain here?", "What causes it to rain here", "answer_copies"),
        ("怎么做？", "很抱歉，我无法提供这方面的帮助。", "answer_refusal"),
        ("How?", "As an AI language model, I can't say.", "answer_as_ai"),
        ("Calculate 14 + 6.", "The sum of 14 and 6 is equal to", "answer_truncated"),
        (
            "介绍爵士乐。",
            "爵士乐有许多元素。其中最重要的是即兴演奏，以及各种乐器的独特音色，例如萨克斯、小号、",
            "answer_truncated",
        ),
        ("写代码。", "```python\nprint('你好')", "fence_open"),
        (
            "列出四张披头士乐队最有名的专辑。",
            "Sure! Here is a list of four albums that were made by the band in the sixties.",
            "lang_mismatch",
        ),
        ("继续写。", "我觉得啊" + "我真的很好" * 40, "answer_loop"),
        ("Tell me.", "It is the best thing that you can do for it. " * 20, "answer_repeats"),
    ],
)
def test_bad_answers_are_caught(question, answer, rule):
    assert rule in removed(chat(question, answer), "sft")


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("你好", "你好！"),
        ("1+1=?", "2"),
        ("Translate to Chinese: good morning", "早上好"),
        ("法国的首都是哪里？", "巴黎"),
        ("List three fruits.", "1. Apple\n2. Pear\n3. Plum"),
        ("写一个交换两个变量的函数。", "```python\ndef swap(a, b):\n    return b, a\n```"),
        ("Correct the sentence: he go home", "He goes home."),
        ("Make a table.", "| a | b |\n|---|---|\n| 1 | 2 |"),
        ("Summarise.", PROSE),
    ],
)
def test_good_answers_stay(question, answer):
    assert removed(chat(question, answer), "sft") == set()


def test_rules_about_answers_do_not_remove_documents():
    assert removed(document("word"), "sft") == set()
