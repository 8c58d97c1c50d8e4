"""terms: what the compiled tokeniser finds, against one written in plain Python, in many scripts."""

import unicodedata

import numpy as np
import plain_terms as plain
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataforge.ops.terms import Terms, count_terms, pack, tables

TEXTS = st.one_of(
    st.text(max_size=60),
    st.text("aZ9é ß中文。，、!-*+_\u0301\u200d\ufe0f😀かガｶﾞ한ไท ١अ़Ａ１\ud800\xa0\u3000\n", max_size=60),
    st.lists(st.sampled_from(["tea", "Tea-house", "3-4", "--", "茶叶", "絵文字", "😀😀", " ", "，", "don't"])).map(
        "".join
    ),
)


def found(text):
    """[(kind, text)] of the terms that the package finds, folded as it folds."""
    terms = Terms.of([text])
    data = terms.packed.data.tobytes()
    pieces = [data[a:b].decode(errors="surrogatepass") for a, b in zip(terms.starts, terms.ends, strict=True)]
    return list(zip(terms.kinds.tolist(), pieces, strict=True))


@settings(max_examples=200, deadline=None)
@given(st.lists(TEXTS, max_size=4))
def test_terms_are_those_of_the_plain_tokeniser(texts):
    terms = Terms.of(texts)
    assert len(terms.offsets) == len(texts) + 1
    names: dict[int, tuple] = {}
    for i, text in enumerate(texts):
        span = slice(terms.offsets[i], terms.offsets[i + 1])
        wanted = plain.terms(text)
        assert terms.kinds[span].tolist() == [what for what, _ in wanted]
        for h, (_, word) in zip(terms.hashes[span].tolist(), wanted, strict=True):
            assert names.setdefault(h, word) == word  # one hash, one term
        counts = [sum(what == k for what, _ in wanted) for k in (1, 2, 3)]
        assert count_terms(pack([text])).tolist() == [counts]
    assert len(set(names.values())) == len(names)  # one term, one hash


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Don't well-known COVID-19", ["Don", "t", "well", "known", "COVID", "-", "19"]),
        ("3-4 与 3+4", ["3", "-", "4", "与", "3", "+", "4"]),
        ("你好，world！", ["你", "好", "world"]),
        ("😀😀😀 👨\u200d👩 ❤\ufe0f", ["😀😀😀", "👨", "👩", "❤"]),
        ("パパが", ["パ", "パ", "が"]),
        ("می\u200cخواهم بروم", ["می\u200cخواهم", "بروم"]),
        ("हिन्दी भाषा", ["हिन्दी", "भाषा"]),
        ("한국어 텍스트", ["한국어", "텍스트"]),
        ("----- x", ["-----", "x"]),
        ("!!! ……。", []),
        ("", []),
        ("snake_case", ["snake_case"]),
    ],
)
def test_terms_of_many_scripts(text, wanted):
    assert [piece for _, piece in found(text)] == wanted


def test_width_case_and_composition_do_not_matter():
    assert np.array_equal(Terms.of(["Ａ１ CAFÉ"]).hashes, Terms.of(["a1 cafe\u0301"]).hashes)


def test_japanese_voiced_kana_stay_apart():
    assert not np.array_equal(Terms.of(["ばば"]).hashes, Terms.of(["はは"]).hashes)


def test_every_code_point_has_the_kind_that_the_plain_tokeniser_gives_it():
    _, kinds, _ = tables()
    names = {plain.WORD: 1, plain.CHAR: 2, plain.SYMBOL: 3, "": 0, None: 4}
    assigned = [c for c in range(0x30000) if unicodedata.category(chr(c)) != "Cn"]
    wrong = [hex(c) for c in assigned if kinds[c] != names[plain.kind(chr(c))]]
    assert wrong == []


def test_a_text_longer_than_a_block_of_terms_is_one_text():
    text = "tea 茶 " * 5000
    terms = Terms.of([text, "x"])
    assert terms.offsets.tolist() == [0, 10000, 10001]
