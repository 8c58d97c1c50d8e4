"""Passages: nothing lost, nothing too long, cut where a reader would; sentences of both languages."""

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataforge.generate.documents.passages import cut, sentences

PIECES = st.sampled_from(
    ["茶叶传入日本。", "Tea came to Japan. ", "真的吗？！", "\n", "\n\n", "\r\n", " ", "Dr. Li said: “no.” ", "é", "e\u0301",
     "👩\u200d🔬", "👍🏽", "1. one\n", "，", "x" * 40, "字" * 40, "3.5", "...", "\ud800"]
)  # fmt: skip
TEXTS = st.lists(PIECES, max_size=60).map("".join)


@given(TEXTS, st.integers(1, 90))
@settings(max_examples=50, deadline=None)
def test_passages_joined_are_the_document_and_none_is_longer_than_allowed(text, size):
    passages = cut(text, size)
    assert "".join(passage.text for passage in passages) == text
    place = 0
    for passage in passages:
        assert 0 < len(passage.text) <= size
        assert (passage.start, passage.end) == (place, place + len(passage.text))
        assert text[passage.start : passage.end] == passage.text
        place = passage.end


@given(st.lists(PIECES, min_size=30, max_size=60).map("".join).filter(lambda text: len(text) > 80), st.integers(40, 90))
@settings(max_examples=50, deadline=None)
def test_no_passage_is_a_scrap(text, size):
    passages = cut(text, size)
    assert all(len(passage.text) >= size // 4 - 1 for passage in passages[:-1])
    assert len(passages) <= 4 * -(-len(text) // size)


@pytest.mark.parametrize(
    ("text", "size", "wanted"),
    [
        ("一" * 8 + "。\n\n" + "二" * 8 + "。", 15, ["一" * 8 + "。\n\n", "二" * 8 + "。"]),
        ("One two three. Four five six.\nSeven eight.", 30, ["One two three. Four five six.\n", "Seven eight."]),
        ("他来了。他走了。他又来了。他又走了。", 10, ["他来了。他走了。", "他又来了。他又走了。"]),
        ("He left. She stayed. They met. We saw.", 22, ["He left. She stayed. ", "They met. We saw."]),
        ("a hard-wrapped line that\ngoes on here. And then it\ngoes on.", 40, ["a hard-wrapped line that\ngoes on here. ", "And then it\ngoes on."]),
        ("甲甲甲甲，乙乙乙乙，丙丙丙丙", 10, ["甲甲甲甲，", "乙乙乙乙，丙丙丙丙"]),
        ("aaaa bbbb cccc dddd", 10, ["aaaa bbbb ", "cccc dddd"]),
        ("字" * 10, 5, ["字" * 5, "字" * 5]),
        ("", 5, []),
    ],
)  # fmt: skip
def test_a_cut_goes_to_the_best_place_there_is(text, size, wanted):
    assert [passage.text for passage in cut(text, size)] == wanted


def test_a_hard_cut_goes_through_no_character_of_several_code_points():
    for text in ("e\u0301" * 30, "👍🏽" * 30, "👩\u200d🔬" * 20):
        for passage in cut(text, 25):
            assert unicodedata.category(passage.text[0]) not in ("Mn", "Cf")
            assert passage.text[0] not in "\u200d🏽" and passage.text[-1] != "\u200d"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("茶传入日本。是真的吗？“是的！”他说", ["茶传入日本。", "是真的吗？", "“是的！”", "他说"]),
        ("Dr. Smith paid $3.50, e.g. for tea. He left.", ["Dr. Smith paid $3.50, e.g. for tea.", "He left."]),
        ("It ended in 1990. Then 25. Then U.S. troops came.", ["It ended in 1990.", "Then 25.", "Then U.S. troops came."]),
        ("1. Boil water.\n2. Add tea.", ["1. Boil water.", "2. Add tea."]),
        ("第一行\n\n第二行", ["第一行", "第二行"]),
        ("Is it? (Yes.) Go!", ["Is it?", "(Yes.)", "Go!"]),
        (" \n ", []),
    ],
)  # fmt: skip
def test_sentences_end_where_people_end_them(text, wanted):
    assert sentences(text) == wanted


@given(TEXTS)
@settings(max_examples=50, deadline=None)
def test_sentences_lose_nothing_but_white_space(text):
    assert "".join("".join(sentences(text)).split()) == "".join(text.split())
