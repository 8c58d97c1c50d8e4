from __future__ import annotations

from dataforge.shards.spans import Edges, cut_terminator, find_span

TURNS = ["问A", "答B</s>\n", "问C", "答D</s>\n"]


def grows(count: int, prompt: bool) -> str:
    return "".join(TURNS[:count]) + (">" if prompt else "")


def with_openings(count: int, prompt: bool) -> str:
    written = "".join((">" if turn.startswith("答") else "<") + turn for turn in TURNS[:count])
    return written + (">" if prompt else "")


def test_an_answer_stands_behind_its_prompt():
    whole = with_openings(4, False)
    spans = [find_span(with_openings, index, 4, whole) for index in (1, 3)]
    assert [whole[begin:end] for begin, end in spans if begin] == ["答B</s>\n", "答D</s>\n"]


def test_a_prompt_that_is_not_in_the_whole_gives_no_span():
    assert find_span(grows, 1, 4, grows(4, False)) is None


def test_a_history_that_is_rewritten_gives_no_span():
    def rewriting(count: int, prompt: bool) -> str:
        return with_openings(count, prompt) if count < 4 else with_openings(count, prompt).replace("答B", "旧")

    assert find_span(rewriting, 1, 4, rewriting(4, False)) is None
    assert find_span(rewriting, 3, 4, rewriting(4, False)) is None


def test_an_answer_without_anything_before_it_is_found_by_its_opening():
    def first(count: int, prompt: bool) -> str:
        return "<s>" + "助手：答B</s>\n" * count + ("助手：" if prompt else "")

    assert find_span(first, 0, 1, first(1, False)) == (6, 13)
    assert first(1, False)[6:13] == "答B</s>\n"


def test_white_space_behind_the_terminator_is_cut():
    assert cut_terminator("答B</s> \n\n", (0, 9), ("</s>",)) == 6
    assert cut_terminator("答B</s>x", (0, 7), ("</s>",)) is None


def test_tokens_that_touch_a_span_are_found():
    edges = Edges([(0, 2), (2, 5), (5, 6)])
    assert edges.tokens((2, 5)) == (1, 2, False)
    assert edges.tokens((3, 5)) == (1, 2, True)
    assert edges.tokens((2, 4)) == (1, 2, True)
    assert edges.tokens((2, 2))[0] == edges.tokens((2, 2))[1]


def test_a_character_of_several_tokens_is_taken_whole():
    assert Edges([(0, 1), (1, 2), (1, 2), (1, 2), (2, 3)]).tokens((1, 2)) == (1, 4, False)


def test_white_space_that_offsets_leave_out_belongs_to_the_place_before_its_end():
    edges = Edges([(0, 1), (2, 2), (2, 3)])
    assert edges.tokens((1, 3)) == (1, 3, False)
    assert edges.tokens((2, 3)) == (2, 3, False)
