"""Guards: what each lets through, that none spoils a group, and that texts are read only where they must be."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from slow_decision import Answer, answers_strategy, table_of

from dataforge.ops.preference import guards
from dataforge.ops.preference.decision import decide
from dataforge.ops.preference.strategy import STRATEGIES, UNUSED, Strategy


def decided(answers, name="best-worst", **more):
    """Pairs as texts, fates as words, and counts of guards that took any."""
    result = decide(table_of(answers), Strategy(name, **more))
    pairs = [(answers[c].text, answers[r].text) for c, r in zip(result.chosen, result.rejected, strict=True)]
    return pairs, [UNUSED[code] for code in result.unused], {k: v for k, v in result.report["guards"].items() if v}


def scored(**texts):
    return [Answer("问", text, score=float(name[1:])) for name, text in texts.items()]


@pytest.mark.parametrize(
    ("good", "bad", "guard", "fate"),
    [
        ("好的", "好的", "same_answer", "same_answer"),
        ("好 的\n", "\t好的", "white_space", "same_answer"),
        ("a\u3000b", "ab", "white_space", "same_answer"),
        ("好的", "好的，我来", "prefix", "prefix"),
        ("好的，我来", "好的", "prefix", "prefix"),
        ("yes \n", "ye s, I do", "prefix", "prefix"),
    ],
)
def test_answers_that_say_the_same_make_no_pair(good, bad, guard, fate):
    assert decided(scored(s5=good, s1=bad)) == ([], [fate, fate], {guard: 1})


@pytest.mark.parametrize(
    ("good", "bad"), [("好的", "不好的"), ("No", "no"), ("", "我不知道"), ("是。", "是，"), ("a", "b")]
)
def test_answers_that_say_different_things_do(good, bad):
    assert decided(scored(s5=good, s1=bad)) == ([(good, bad)], ["", ""], {})


def test_the_next_best_pair_is_taken_where_a_guard_takes_the_best():
    answers = scored(s9="答案是四", s7="三", s5="五", s1="答案是四，因为二加二得四")
    assert decided(answers) == ([("答案是四", "五")], ["", "not_selected", "", "not_selected"], {"prefix": 1})
    assert decided(answers, "adjacent")[0] == [("答案是四", "三"), ("三", "五"), ("五", "答案是四，因为二加二得四")]
    assert decided(answers, "best-vs-all")[0] == [("答案是四", "三"), ("答案是四", "五")]
    spoiled = scored(s9="一 二", s5="一二", s1="一二三")
    assert decided(spoiled)[0] == [] and decided(spoiled)[2] == {"white_space": 1, "prefix": 2}
    second = scored(s9="好", s5="是的", s1="好！")
    assert decided(second) == ([("好", "是的")], ["", "", "not_selected"], {"prefix": 1})
    third = scored(s9="好", s6="是的", s1="好！")
    assert decided(third, min_margin=4.0) == ([("是的", "好！")], ["prefix", "", ""], {"min_margin": 1, "prefix": 1})


def test_the_second_best_is_chosen_where_the_best_has_no_pair_that_stands():
    answers = scored(s9="好", s8="行，没问题", s1="好的，我马上就来")
    assert decided(answers, max_length_ratio=2.0)[0] == [("行，没问题", "好的，我马上就来")]


def test_margins_below_the_least_fall_and_that_one_stands():
    answers = scored(s5="甲", s4="乙", s2="丙")
    assert decided(answers, "all", min_margin=2.0)[0] == [("甲", "丙"), ("乙", "丙")]
    assert decided(answers, "adjacent", min_margin=2.0)[0] == [("甲", "丙"), ("乙", "丙")]
    assert decided(answers, min_margin=3.5) == ([], ["min_margin"] * 3, {"min_margin": 3})
    ranked = [Answer("问", text, rank=rank) for text, rank in (("甲", 0), ("乙", 1), ("丙", 5))]
    assert decided(ranked, "all", min_margin=4.0)[0] == [("甲", "丙"), ("乙", "丙")]


def test_chosen_answers_need_their_score_and_one_without_a_score_does_not_pass():
    answers = scored(s5="甲", s4="乙", s2="丙")
    assert decided(answers, "all", min_chosen_score=5.0)[0] == [("甲", "乙"), ("甲", "丙")]
    assert decided(answers, min_chosen_score=5.1) == ([], ["min_chosen_score"] * 3, {"min_chosen_score": 3})
    ranked = [Answer("问", "甲", rank=0), Answer("问", "乙", rank=1, score=3.0), Answer("问", "丙", rank=2)]
    assert decided(ranked, by="rank", min_chosen_score=1.0)[0] == [("乙", "丙")]


def test_lengths_may_differ_by_the_ratio_and_no_more():
    answers = scored(s5="一二", s3="三四五六", s1="七八九十百")
    assert decided(answers, "all", max_length_ratio=2.0)[0] == [("一二", "三四五六"), ("三四五六", "七八九十百")]
    assert decided(scored(s2="", s1="长"), max_length_ratio=1000.0) == (
        [],
        ["max_length_ratio"] * 2,
        {"max_length_ratio": 1},
    )


def test_the_guard_that_took_the_last_possible_pair_names_it():
    answers = scored(s9="短", s5="短 ", s3="比较长的回答比较长的回答", s1="短！")
    pairs, fates, fallen = decided(answers, max_length_ratio=3.0, min_margin=3.0)
    assert pairs == []
    assert fallen == {"white_space": 1, "min_margin": 2, "max_length_ratio": 1, "prefix": 2}
    assert fates == ["prefix", "prefix", "max_length_ratio", "prefix"]


def test_thresholds_leave_out_what_lies_between():
    answers = scored(s5="甲", s4="乙", s3="丙", s2="丁")
    assert decided(answers, "threshold", high=4.0, low=2.0) == (
        [("甲", "丁"), ("乙", "丁")],
        ["", "", "threshold", ""],
        {"threshold": 4},
    )
    assert decided(answers, "threshold", high=6.0, low=2.0)[1] == ["threshold"] * 4


def test_what_two_rows_say_the_other_way_round_falls_in_both():
    rows = [(0, "甲", 5), (0, "乙", 1), (1, "乙", 4), (1, "甲", 2), (1, "丙", 1), (2, "甲", 1), (2, "乙", 9)]
    answers = [Answer(g, text, score=s, prompt="别的" if g == 2 else "同一个") for g, text, s in rows]
    pairs, fates, fallen = decided(answers, "all")
    assert pairs == [("乙", "丙"), ("甲", "丙"), ("乙", "甲")]
    assert fallen == {"contradiction": 2} and fates[:2] == ["contradiction"] * 2 and fates[2:] == [""] * 5


def test_one_group_that_says_both_ways_contradicts_itself():
    answers = [Answer("q", t, score=s) for t, s in (("甲", 5.0), ("乙", 3.0), ("甲", 1.0))]
    assert decided(answers, "all") == ([], ["contradiction"] * 3, {"same_answer": 1, "contradiction": 2})


def test_the_opposite_counts_even_where_the_strategy_would_not_have_taken_it():
    rows = [(0, "甲", 5), (0, "乙", 1), (1, "丙", 9), (1, "乙", 5), (1, "甲", 4), (1, "丁", 1)]
    answers = [Answer(g, text, score=s, prompt="同一个") for g, text, s in rows]
    assert decided(answers)[0] == [("丙", "丁")]


def test_a_tie_elsewhere_is_no_contradiction():
    rows = [(0, "甲", 5), (0, "乙", 1), (1, "乙", 4), (1, "甲", 4)]
    answers = [Answer(g, text, score=s, prompt="同一个") for g, text, s in rows]
    assert decided(answers)[0] == [("甲", "乙")]


@pytest.mark.parametrize("name", STRATEGIES[:5])
def test_the_limit_of_a_prompt_holds_over_all_its_groups(name):
    answers = [Answer(g, f"{g} 第{n}", score=float(n * (g + 1)), prompt="同一个") for g in range(3) for n in range(3)]
    pairs, fates, _ = decided(answers, name, max_pairs_per_prompt=2)
    assert len(pairs) == 2 and "max_pairs_per_prompt" in fates
    assert ("2 第2", "2 第0") in pairs or name in ("best-random", "adjacent")


def test_texts_are_read_only_where_openings_agree(monkeypatch):
    monkeypatch.setattr(guards, "ASKED", 2)
    long = "同样的开头同样的开头同样的开头同样的开头同样的开头同样的开头同样"
    answers = [
        *(Answer(0, text, score=s) for text, s in ((long + "结尾", 1.0), (long, 2.0), ("别" + long, 3.0))),
        *(Answer(1, text, score=s) for text, s in (("甲" * 40, 1.0), ("乙" * 40, 2.0), ("丙", 3.0))),
    ]
    table, plain, read = table_of(answers, opening=True), table_of(answers), []
    texts = table.texts

    def reading(numbers):
        read.append(sorted(answers[n].text[:1] for n in numbers))
        return texts(numbers)

    table.texts = reading
    result, other = decide(table, Strategy("all")), decide(plain, Strategy("all"))
    assert result.chosen.tolist() == other.chosen.tolist() and result.report == other.report
    assert result.report["guards"]["prefix"] == 1 and len(result.chosen) == 5
    assert [first for call in read for first in call] == ["丙", "乙", "同", "同", "甲"]  # 丙 is still there


def test_without_texts_prefixes_are_not_looked_for_and_the_report_says_so():
    result = decide(table_of(scored(s5="好", s1="好的"), texts=False), Strategy())
    assert len(result.chosen) == 1 and result.report["prefix_checked"] is False


@settings(max_examples=50, deadline=None)
@given(answers_strategy(), st.sampled_from(STRATEGIES[:5]), st.floats(0, 4), st.floats(1, 3))
def test_a_group_gives_a_pair_if_any_of_its_pairs_stands(answers, name, margin, ratio):
    """No guard spoils a group: `all` finds a pair in a group exactly if every other strategy does."""
    strategy = Strategy(name, min_margin=margin, max_length_ratio=ratio)
    found, whole = (decide(table_of(answers), s) for s in (strategy, replace(strategy, name="all")))
    assert found.report["guards"] == whole.report["guards"]
    kinds = [{(answers[c].set, answers[c].asked) for c in result.chosen} for result in (found, whole)]
    prompts = [{prompt for _, prompt in kind} for kind in kinds]
    assert prompts[0] == prompts[1] and (kinds[0] == kinds[1] or whole.report["repeated"] or found.report["repeated"])
