"""Each repair by itself: what it mends, and above all what it leaves alone."""

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataforge.ops.cleaning import (
    boilerplate,
    chinese,
    composition,
    control,
    html,
    mojibake,
    repeats,
    spaces,
    zero_width,
)
from dataforge.ops.cleaning.changes import shown
from dataforge.ops.cleaning.fences import outside
from dataforge.ops.cleaning.order import DEFAULTS, NAMES, Cleaner
from dataforge.ops.cleaning.repair import Settings

INNOCENT = [
    "", "好", "你好", "谢谢。", "x", "OK", "👨‍👩‍👧‍👦", "❤️", "ℹ️", "“\ufe01中”\ufe01", "1️⃣", "👩🏽‍💻", "🏳️‍🌈", "🇨🇳", "👍🏿",
    "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f", "می‌خواهم یک کتاب", "क्‍ष नमस्ते", "ไทย\u200bภาษา",
    "שלום \u200fabc", "パパとばば", "ﾊﾟﾊﾟ", "葛󠄀城市", "　　中文首行缩进。", "联通", "①㎏½，。！", "naïve café É’s", "СОБАКА ёлка",
    "def f():\n    if x:\n\treturn  1\n\n\nclass A:\n    pass", "a  b   c", "it’s “fine” … – yes", "École é’",
]  # fmt: skip


def repaired(module, text, name=None, **told):
    """What a module's repair makes of a text, if it says that it is needed."""
    repair = next(one for one in module.REPAIRS if name in (None, one.name))
    return repair.repair(text, Settings(**told), Cleaner().found) if repair.needed(text) else text


@pytest.mark.parametrize("text", INNOCENT)
def test_innocent_text_stays(text):
    cleaner = Cleaner()
    assert cleaner.clean(text) == text
    assert cleaner.rule == ""


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("schÃ¶n", "schön"), ("â€œquoteâ€\x9d", "“quote”"), ("ä½\xa0å¥½ï¼Œä¸–ç•Œ", "你好，世界"), ("Ð¿Ñ€Ð¸Ð²ÐµÑ‚", "привет"),
        ("浣犲ソ", "你好"), ("他说浣犲ソ", "他说浣犲ソ"), ("浣犲ソ锛屼笘鐣�", "你好，世�"), ("Â£5 and 你好", "£5 and 你好"), ("锟斤拷", "锟斤拷"),
        ("first\nschÃ¶n\nnaïve", "first\nschön\nnaïve"),
    ],
)  # fmt: skip
def test_mojibake_is_undone(text, wanted):
    assert repaired(mojibake, text) == wanted


@settings(max_examples=50)
@given(
    st.text(
        st.sampled_from("的一是不了人我在有他这中大来上国个到说们为子和你地出道也时年得就那要下以生会"),
        min_size=4,
        max_size=30,
    )
)
def test_utf8_read_as_gbk_comes_back_or_stays_as_it_is(text):
    try:
        wrong = text.encode().decode("gbk")
    except UnicodeDecodeError:
        return
    assert repaired(mojibake, wrong) in (text, wrong)
    assert repaired(mojibake, text) == text


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("a\x00b\x07", "ab"), ("\x1b[31;1mred\x1b[0m", "red"), ("wait\x85", "wait…"), ("a\x0cb", "a\nb"), ("x\ud83dy", "x�y"),
        ("\x0crac{1}{2} \x08eta", "\\frac{1}{2} \\beta"), ("tab\tand\r\nline", "tab\tand\r\nline"), ("中\x08文", "中文"), ("a\uffff", "a�"),
    ],
)  # fmt: skip
def test_control_characters_go_and_what_they_meant_comes_back(text, wanted):
    assert repaired(control, text) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("a\u200bb", "ab"), ("你\u200b\u200b好", "你好"), ("\ufeff你好", "你好"), ("x\u200dy", "xy"), ("co\u00adoperate", "cooperate"), ("abc\u200f", "abc"),
        ("\u202eabc\u202c", "abc"), ("a\ufe0fb", "ab"), ("pro-\u00adrata", "pro-rata"), ("rm \u00adrf ntfs\u00ad3g", "rm -rf ntfs-3g"), ("👍\u200b", "👍"),
        ("ماه\u200c", "ماه"), ("👩\u200d", "👩"),
    ],
)  # fmt: skip
def test_invisible_characters_without_a_meaning_go(text, wanted):
    assert repaired(zero_width, text) == wanted


@settings(max_examples=50)
@given(st.text())
def test_composition_is_nfc_and_strips_no_mark(text):
    done = repaired(composition, text, "unicode")
    assert done == unicodedata.normalize("NFC", text)
    assert unicodedata.normalize("NFD", done) == unicodedata.normalize("NFD", text)


def test_width_touches_letters_digits_and_kana_alone():
    assert repaired(composition, "Ａ１，。！（ﾊﾟｿｺﾝ）　㎏", "width") == "A1，。！（パソコン）　㎏"
    assert repaired(composition, "Ａ１，㎏", "nfkc") == "A1,kg"


def test_simplified_and_traditional_go_by_phrases():
    assert repaired(chinese, "頭髮發展，請問", "simplified") == "头发发展，请问"
    assert repaired(chinese, "头发发展", "traditional") == "頭髮發展"
    assert repaired(chinese, "國の学校へ行く", "simplified") == "國の学校へ行く"
    assert repaired(chinese, "\ud800請", "simplified") == "\ud800请"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("a  \nb\t\n", "a\nb"), ("a\r\nb\rc\u2028d", "a\nb\nc\nd"), ("a\n\n\n\n\nb", "a\n\n\nb"), ("\n \n    indented", "    indented"), ("中文　\n下一行", "中文\n下一行"),
        ("```\nx  \n\n\n\n\ny\n```  \n\nz ", "```\nx  \n\n\n\n\ny\n```  \n\nz"), ("  \n", ""), ("a\n \n \n \n \nb", "a\n\n\nb"),
    ],
)  # fmt: skip
def test_spaces_are_tidied_around_lines_and_never_in_code(text, wanted):
    assert repaired(spaces, text) == wanted


@settings(max_examples=50)
@given(st.text(st.sampled_from("ab中 \t\n\r　`~")))
def test_spaces_keep_every_visible_character_and_are_tidy_at_once(text):
    done = repaired(spaces, text)
    assert "".join(done.split()) == "".join(text.split())
    assert repaired(spaces, done) == done


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("<p>Hello <b>world</b></p><p>第二段&nbsp;文字</p>", "Hello world\n\n第二段 文字"),
        ('<pre><code class="language-python">def f():\n    return 1 &lt; 2\n</code></pre><p>x</p>', "```python\ndef f():\n    return 1 < 2\n```\n\nx"),
        ("<ul><li>a<ul><li>b</li></ul></li></ul><ol><li>x<li>y</ol>", "- a\n  - b\n\n1. x\n2. y"),
        ("<table><tr><td>1</td><td>2</td></tr><tr><td>甲</td><td>乙</td></tr></table>", "1 | 2\n甲 | 乙"),
        ("<!DOCTYPE html><html><body><nav>menu</nav><h1>标题</h1>正文<script>x()</script></body></html>", "标题\n\n正文"),
        ("Tom &amp; Jerry &lt;3", "Tom & Jerry <3"),
        ("one<br>two\n\n  three <em>four</em>", "one\ntwo\n\n  three four"),
        ("a < b && c > d, vector<int> x", "a < b && c > d, vector<int> x"),
        ("The <b> tag and the <script> tag", "The <b> tag and the <script> tag"),
        ("use `<b>x</b>` and <i>this</i>", "use `<b>x</b>` and this"),
        ("<think>\n  why\n</think>\nBecause<br/>so", "<think>\n  why\n</think>\nBecause\nso"),
        ("see\n\n```html\n<p>x</p>\n```\n<b>y</b>", "see\n\n```html\n<p>x</p>\n```\ny"),
        ("see\n\n    <p>x</p>\n\n<b>y</b>", "see\n\n    <p>x</p>\n\ny"),
        ("<div>" * 3000 + "deep" + "</div>" * 3000, "deep"),
    ],
)  # fmt: skip
def test_html_becomes_text_and_code_keeps_its_form(text, wanted):
    assert repaired(html, text).strip("\n") == wanted


def test_markup_that_is_the_answer_of_a_conversation_stays():
    page = "<html><body><h1>Shoes</h1></body></html>"
    listing = "<ul>\n  <li>Milk</li>\n</ul>"
    assert repaired(html, page, talk=True) == page and repaired(html, listing, talk=True) == listing
    assert repaired(html, page) == "Shoes"
    assert repaired(html, "<p>You can <em>sort</em> it.</p>", talk=True) == "You can sort it."


def test_boilerplate_lines_go_and_sentences_about_them_stay():
    text = "正文。\n点击阅读全文\n版权所有 © 2020 某公司\nThis article is about cookies and why sites use them.\nAll rights reserved.\n(C) 80\n下一篇文章会讲什么？\nRead more »"
    assert (
        repaired(boilerplate, text)
        == "正文。\nThis article is about cookies and why sites use them.\n(C) 80\n下一篇文章会讲什么？"
    )
    assert repaired(boilerplate, "a\n Our Own Line \nb", lines=frozenset({"our own line"})) == "a\nb"
    assert repaired(boilerplate, "```\nRead more\n```\n    Read more") == "```\nRead more\n```\n    Read more"


def test_repeated_lines_and_phrases_are_said_once():
    assert repaired(repeats, "start\n同一行文字\n同一行文字\n同一行文字\nend") == "start\n同一行文字\nend"
    loop = "I am sorry, I cannot do that. "
    assert repaired(repeats, "Well: " + loop * 9 + "Bye") == "Well: " + loop + "Bye"
    assert repaired(repeats, "我不知道怎么办。" * 20) == "我不知道怎么办。"
    plain = " ".join(map(str, range(30_000)))  # longer than what is looked at together
    assert repaired(repeats, plain + "我不知道怎么办。" * 20) == plain + "我不知道怎么办。"


@pytest.mark.parametrize(
    "text",
    ["-" * 200, "| --- " * 30, "0.0, " * 40, "哈哈哈哈哈哈", "a\na\nb", "```\nx = x\nx = x\nx = x\n```", "    pass\n    pass\n    pass\n",
     "\n".join(f"第{n}条\n单位犯前款罪的，对单位判处罚金，并处罚。\n本条第{n}款\n另行规定{n}" for n in range(9))],
)  # fmt: skip
def test_rules_numbers_code_and_statutes_may_repeat(text):
    assert repaired(repeats, text) == text


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (" " * 300_000 + "x", " " * 300_000 + "x"),
        ("<" * 200_000, "<" * 200_000),
        ("1" * 200_000, "1" * 200_000),
        ("`" * 100_000, "`" * 100_000),
        ("@" * 50_000, "@" * 50_000),
        ("&" * 100_000, "&" * 100_000),
    ],
)
def test_long_texts_of_what_repairs_look_for_are_left_alone(text, wanted):
    """They would not end within the tests' time if a scan went back for each character."""
    names = set(NAMES) - {"traditional", "spaces", "repeats"}
    kinds = ("email", "phone", "secret", "id-card", "bank-card", "ip")
    assert Cleaner(names, Settings(kinds)).clean(text) == wanted


@settings(max_examples=50)
@given(st.text(st.sampled_from("a1@.<>&;`~\n \u200b\u00ad中Ã¶é\x00\ud800")))
def test_the_default_repairs_never_raise_and_lose_no_letter(text):
    done = Cleaner(DEFAULTS).clean(text)
    assert [c for c in done if c in "a1@中"] == [c for c in text if c in "a1@中"]


def test_outside_leaves_fenced_code_alone():
    assert outside("a\n```py\nb\n```\nc", str.upper) == "A\n```py\nb\n```\nC"
    assert outside("a\n~~~~\nb\n~~~\nc", str.upper) == "A\n~~~~\nb\n~~~\nc"
    assert outside("x ```y``` z", str.upper) == "X ```Y``` Z"


def test_changes_are_shown_with_what_cannot_be_seen():
    assert shown("see one \u200btwo", "see one two") == ["see one [-\\u200b-]two"]
    assert shown("a  \nb", "a\nb") == ["a[-  -]\\nb"]
    long = "line of text\n" * 5000
    assert len(shown(long + "x  \n" + long, long + "x\n" + long)) == 1
    (line,) = shown("call 13812345678 now", "call [PHONE] now")
    assert "12345678" not in line and "[PHONE]" in line
