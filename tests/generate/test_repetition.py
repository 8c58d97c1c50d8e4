"""Loops and repetitions, against plain counting, in both languages."""

from hypothesis import given, settings
from hypothesis import strategies as st

from dataforge.generate.talk.repetition import loop, repeated, same, stuck, taken

POEM = "春眠不觉晓，处处闻啼鸟。夜来风雨声，花落知多少。白日依山尽，黄河入海流。欲穷千里目，更上一层楼。"
PROSE = (
    "Warm the pot first, then let the water cool a little before it meets the leaves. Two minutes are enough for most "
    "green teas; darker ones want boiling water and more time, and none of them wants to be stirred."
)


def plain_loop(words):
    """The longest stretch with a period of at most 64 that is there three times, by trying all of them."""
    best = 0
    for start in range(len(words)):
        for period in range(1, 65):
            end = start + period
            while end < len(words) and words[end] == words[end - period]:
                end += 1
            if end - start >= 3 * period:
                best = max(best, end - start)
    return best / len(words) if words else 0.0


@settings(max_examples=50, deadline=None)
@given(st.lists(st.sampled_from("abc"), max_size=40))
def test_the_longest_loop_is_the_one_that_plain_trying_finds(words):
    assert loop(words) == plain_loop(words)


def test_repeated_runs_are_counted_once_less_than_they_stand():
    words = list("abcdeabcdexyz")
    runs = [tuple(words[i : i + 5]) for i in range(len(words) - 4)]
    assert repeated(words) == 1 - len(set(runs)) / len(runs) > 0
    assert repeated(list("abcd")) == 0.0


def test_a_model_that_fell_into_a_loop_is_found_and_good_texts_are_not():
    for text in ("I am a cat. " * 20, "我是一只猫。" * 20, PROSE + " and again" * 40, POEM + "好的" * 30, "ha " * 60):
        assert stuck(text), text
    for text in (PROSE, POEM, "", "no no no", "对对对", PROSE + POEM):
        assert stuck(text) is None, text
    assert stuck("let us go on. " + PROSE + " " + "let us go on. " + PROSE + " ") is None
    many = " ".join([PROSE] + [f"{PROSE} {number}" for number in range(5)])
    assert stuck(many).startswith("repeats")


def test_what_was_taken_from_another_text_is_a_share_of_its_own_runs():
    assert taken("the water cool a little", PROSE) == 1.0
    assert taken("the water is far too hot", PROSE) == 0.0
    assert taken("黄河入海流", POEM) == 1.0 and taken("黄河结冰了", POEM) == 0.0
    assert taken("", PROSE) == 0.0 and taken("pot", PROSE) == 1.0


def test_two_texts_are_the_same_but_for_marks_case_and_a_word():
    assert same("How is tea brewed?", "how is TEA brewed")
    assert same("绿茶怎么泡？", "绿茶怎么泡")
    assert same(PROSE, PROSE.replace("stirred", "shaken"))
    assert not same("How is tea brewed?", "How is coffee brewed?")
    assert not same("绿茶怎么泡？", "红茶怎么泡？")
    assert not same("？", "！") and same("？", " ？ ")
