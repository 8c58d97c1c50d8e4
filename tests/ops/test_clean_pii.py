"""Personal data: what is found, what only looks like it, and that nothing of it is written anywhere."""

import datetime
import json
import random
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import dataforge
from dataforge.ops.cleaning.harmful import load, parse
from dataforge.ops.cleaning.order import Cleaner
from dataforge.ops.cleaning.personal import KINDS, is_identity_number, passes_luhn
from dataforge.ops.cleaning.repair import Settings
from dataforge.ops.cleaning.secrets import entropy

KEY = "sk-" + "abcDEF1234567890" + "zyXWVu9876"  # in two pieces, as scanners of repositories look for whole ones


def masked(text, *kinds):
    return Cleaner(["pii"], Settings(kinds or tuple(KINDS))).clean(text)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("write to a.b+c@gmail.com, 或zhang@163.com。", "write to [EMAIL], 或[EMAIL]。"),
        ("手机13812345678，138-1234-5678，+86 138 1234 5678", "手机[PHONE]，[PHONE]，[PHONE]"),
        ("(415) 555-2671 or 415-555-2671 or +1 415 555 2671", "[PHONE] or [PHONE] or [PHONE]"),
        ("+44 20 7946 0958; 010-62345678；（021）6234 5678", "[PHONE]; [PHONE]；[PHONE]"),
        ("身份证:11010519491231002X。", "身份证:[ID_CARD]。"),
        ("card 4111 1111 1111 1111 or 6222021234567890128", "card [BANK_CARD] or [BANK_CARD]"),
        ("from 74.125.224.72, 2606:4700:4700::1111; IP: 8.8.8.8", "from [IP], [IP]; IP: [IP]"),
        (f"key {KEY}", "key [SECRET]"),
        ("AKIA" + "IOSFODNN7EXAMPLE", "[SECRET]"),
        ('api_key="a8Fk39dKq0Zp' + 'Lm72xRtY"', 'api_key="[SECRET]"'),
        ("密码: Abcd1234efgh" + "5678XyZ9", "密码: [SECRET]"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----", "[SECRET]"),
        ("eyJhbGciOiJIUzI1NiJ9." + "eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N", "[SECRET]"),
        ("a@b.com b@c.org c@d.net", "[EMAIL] [EMAIL] [EMAIL]"),
    ],
)  # fmt: skip
def test_personal_data_becomes_a_placeholder_of_its_kind(text, wanted):
    assert masked(text) == wanted


@pytest.mark.parametrize(
    "text",
    [
        "git@github.com:org/repo", "user@example.com", "icon@2x.png", "@pytest.fixture", "a @ b", "foo@1.2.3", "微信号@张三",
        "订单号20231201138123456789", "2023-12-01 10:20:30", "3.1415926535", "ISBN 978-3-16-148410-0", "1,234,567,890", "1234567890", "1609459200000",
        "2020-2021", "版本 1.2.3.4", "v10.20.30.40", "VoltDB 2.1.3.1版", "3.1.2.1 重建和拆除", "192.168.1.1", "10.0.0.1", "100.200.300.400", "2001:db8::1", "std::map a::b",
        "18:30:45", "110105194912310021", "99010519491231002X", "11010519491331002X", "4111111111111112", "0.4111111111111111", "+12345678", "+08:00",
        "api_key = os.environ['OPENAI_API_KEY']", "token: str", "password: correct-horse-battery", "the secret is to keep going", "sk-learn is a library for learning",
        "uuid 550e8400-e29b-41d4-a716-446655440000", "sha256 2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c", "19327352832 bytes", "$555-123-4567", "公元1949年10月1日", "12345678901234567890",
    ],
)  # fmt: skip
def test_what_only_looks_like_it_stays(text):
    assert masked(text) == text


def test_only_the_kinds_that_were_asked_for_go():
    assert masked("a@b.com 13812345678", "email") == "[EMAIL] 13812345678"


@settings(max_examples=50)
@given(st.integers(0, 10**15 - 1))
def test_luhn_agrees_with_the_check_digit_worked_out_by_trial(number):
    digits = f"{number:015d}"
    assert sum(passes_luhn(digits + str(check)) for check in range(10)) == 1


@settings(max_examples=50)
@given(st.dates(datetime.date(1900, 1, 1), datetime.date(2020, 12, 31)), st.integers(0, 999))
def test_identity_numbers_have_one_check_digit(born, order):
    first = f"110105{born:%Y%m%d}{order:03d}"
    sound = [check for check in "0123456789X" if is_identity_number(first + check)]
    # By the standard's own congruence: sum of a_i * 2^(i-1), i counted from the right, is 1 modulo 11.
    values = [int(digit) for digit in first]
    want = [c for c in range(11) if (sum(v * 2 ** (17 - i) for i, v in enumerate(values)) + c) % 11 == 1]
    assert sound == ["X" if c == 10 else str(c) for c in want]


def test_entropy_is_shannons():
    assert entropy("aaaa") == 0 and entropy("abcd") == 2 and entropy("aabb") == 1


def test_nothing_of_what_was_found_is_in_ledger_report_or_manifest(tmp_path):
    secrets = ["13812345678", "zhang.san@163.com", "11010519491231002X", KEY]
    row = {"instruction": "联系我", "input": "", "output": "；".join(secrets)}
    (tmp_path / "in.jsonl").write_text(json.dumps(row, ensure_ascii=False) + "\n")
    result = dataforge.clean(str(tmp_path / "in.jsonl"), output=str(tmp_path / "out.jsonl"), pii="all", diff=5)
    assert json.loads((tmp_path / "out.jsonl").read_text())["output"] == "[PHONE]；[EMAIL]；[ID_CARD]；[SECRET]"
    assert result.data["found"] == {"email": 1, "id-card": 1, "phone": 1, "secret": 1}
    for file in (tmp_path / "out.jsonl.forge").iterdir():
        assert not any(secret.encode() in file.read_bytes() for secret in secrets), file
    said = repr(result)
    assert not any(secret[3:] in said for secret in secrets)


# -- word lists ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "Scunthorpe and Penistone are English towns.", "A class in analysis, a cocktail, an assassin, Dickens, Essex.", "Do not kill yourself; call a friend.",
        "sex education, breast cancer, the rape of Nanking in history books", "Nigeria and Niger are countries.", "Suicide prevention hotline",
    ],
)  # fmt: skip
def test_innocent_english_is_no_hit(text):
    assert load("en").find(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "大约炮制了三天",
        "牛肉棒和鸡肉棒",
        "双方签约炮兵",
        "性教育与乳腺癌筛查",
        "法轮常转是佛教用语",
        "小鸡巴士开往公园",
        "日本屌丝男士",
        "警方打击出售枪支的犯罪",
        "操场上",
        "阳光从容颜射出",
    ],
)
def test_innocent_chinese_is_no_hit(text):
    assert load("zh").find(text) is None


def test_words_match_whole_in_spaced_scripts_and_anywhere_in_chinese():
    words = parse("mine", "# c\nbad word\ncafé\n坏词\n!好坏词典\n")
    assert words.find("a BAD-\nWord here") == "bad word"
    assert words.find("the ＣＡＦÉ") == "café"
    assert words.find("badword, bad, words, bad. word") is None
    assert words.find("有坏词吗") == "坏词" and words.find("查好坏词典") is None
    assert words.find("查好坏词典，坏词") == "坏词"


@settings(max_examples=50)
@given(
    st.lists(st.text("abc坏词好", min_size=1, max_size=3), min_size=1, max_size=5, unique=True),
    st.text("abc坏词好 ", max_size=30),
)
def test_a_list_finds_what_a_plain_search_finds(words, text):
    han = [word for word in words if re.search("[坏词好]", word)]
    latin = [word for word in words if word not in han]
    hit = any(word in text for word in han) or bool(set(latin) & set(re.findall(r"\w+", text)))
    assert (parse("x", "\n".join(words)).find(text) is not None) == hit


def test_every_word_of_the_built_in_lists_finds_itself():
    for name in ("en", "zh"):
        words = load(name)
        entries = [" ".join(p) for ps in words.phrases.values() for p in ps] + [
            w for ws in words.parts.values() for w in ws
        ]
        random.Random(0).shuffle(entries)
        assert len(entries) == len(set(entries)) > 20
        assert all(words.find(f"前 {entry} 后") for entry in entries)


def test_any_number_of_finds_is_replaced_where_kinds_follow_each_other():
    row = f"邮箱 a@b.co 电话 13812345678, token = '{KEY}' 8.8.4.104 "
    cleaner = Cleaner(["pii"], Settings(tuple(KINDS)))
    assert cleaner.clean(row * 5000) == "邮箱 [EMAIL] 电话 [PHONE], token = '[SECRET]' [IP] " * 5000
    assert cleaner.detail == "email 5000, ip 5000, phone 5000, secret 5000"
