"""Which pairs are made: against a slow oracle, and against the faults that other tools are known for."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from slow_decision import TEXTS, Answer, Slow, answers_strategy, table_of

from dataforge.errors import DataError, UsageError
from dataforge.ops.preference import decision
from dataforge.ops.preference.decision import decide
from dataforge.ops.preference.strategy import BY, STRATEGIES, UNUSED, Strategy

SETTINGS = st.builds(
    Strategy,
    st.sampled_from([name for name in STRATEGIES if name != "threshold"]),
    st.sampled_from(["auto", "label", "score", "rank"]),
    min_margin=st.sampled_from([0.0, 0.0, 1.0, 2.5]),
    min_chosen_score=st.sampled_from([None, None, 2.5]),
    max_pairs_per_prompt=st.sampled_from([None, None, 1, 2]),
    max_length_ratio=st.sampled_from([None, None, 1.0, 2.0]),
    seed=st.integers(-3, 3),
)
THRESHOLDS = st.builds(
    Strategy, st.just("threshold"), high=st.sampled_from([2.0, 4.0]), low=st.sampled_from([1.0, 2.0]), seed=st.just(7)
)


def pairs_of(answers, name="best-worst", votes=(), **more):
    """(chosen, rejected) numbers of answers."""
    decided = decide(table_of(answers, votes), Strategy(name, **more))
    return list(zip(decided.chosen.tolist(), decided.rejected.tolist(), strict=True))


def fates(decided):
    return [UNUSED[code] for code in decided.unused]


def contents(answers, decided):
    return sorted(
        (answers[c].asked, answers[c].text, answers[r].text, m)
        for c, r, m in zip(decided.chosen, decided.rejected, decided.margin.round(9).tolist(), strict=True)
    )


@settings(max_examples=50, deadline=None)
@given(answers_strategy(), st.one_of(SETTINGS, SETTINGS, THRESHOLDS), st.booleans())
def test_the_decision_is_what_the_slow_oracle_says(answers, strategy, opening):
    decided = decide(table_of(answers, opening=opening), strategy)
    slow = Slow(answers, strategy)
    pairs = list(zip(decided.chosen.tolist(), decided.rejected.tolist(), strict=True))
    assert sorted(slow.content(pair) for pair in pairs) == sorted(slow.content(pair) for pair in slow.pairs)
    assert sorted(map(slow.margin, pairs)) == sorted(map(slow.margin, slow.pairs))
    assert {k: v for k, v in decided.report["guards"].items() if v} == slow.fallen
    if len({(a.set, a.text) for a in answers}) == len(answers) and not decided.report["repeated"]:
        assert sorted(pairs) == sorted(slow.pairs)
        assert fates(decided) == slow.fate


@settings(max_examples=50, deadline=None)
@given(answers_strategy(), st.one_of(SETTINGS, THRESHOLDS), st.booleans())
def test_every_answer_has_one_fate_and_every_pair_is_in_order(answers, strategy, balance):
    decided = decide(table_of(answers), replace(strategy, balance_length=balance))
    used = {*decided.chosen.tolist(), *decided.rejected.tolist()}
    assert [fate == "" for fate in fates(decided)] == [number in used for number in range(len(answers))]
    report = decided.report
    assert sum(report["unused"].values()) + len(used) == report["entries"] == len(answers)
    seen = set()
    for c, r, margin, by in zip(decided.chosen, decided.rejected, decided.margin, decided.by, strict=True):
        good, bad = answers[c], answers[r]
        assert good.set == bad.set and good.plain != bad.plain
        better = {"score": "score", "rank": "rank", "label": "label"}[BY[by]]
        values = [getattr(a, better) for a in (good, bad)]
        assert None not in values
        if better == "score":
            assert margin == values[0] - values[1] > 0
        else:
            assert values == ["chosen", "rejected"] if better == "label" else margin == values[1] - values[0] > 0
        assert margin >= strategy.min_margin
        assert (good.asked, good.text, bad.text) not in seen and (good.asked, bad.text, good.text) not in seen
        seen.add((good.asked, good.text, bad.text))


@settings(max_examples=50, deadline=None)
@given(answers_strategy(), st.one_of(SETTINGS, THRESHOLDS), st.booleans(), st.randoms(use_true_random=False))
def test_the_order_of_the_input_changes_nothing(answers, strategy, balance, chance):
    strategy = replace(strategy, balance_length=balance)
    mixed = answers[:]
    chance.shuffle(mixed)
    one, other = decide(table_of(answers), strategy), decide(table_of(mixed), strategy)
    assert contents(answers, one) == contents(mixed, other)
    for name in ("guards", "ordered", "tied", "lengths", "balance_length", "repeated", "max_pairs_per_prompt"):
        assert one.report[name] == other.report[name]


@pytest.mark.parametrize("strategy", [Strategy(name, max_pairs_per_prompt=2) for name in STRATEGIES[:5]], ids=str)
def test_small_blocks_change_nothing(strategy, monkeypatch):
    rng = np.random.default_rng(3)
    answers = [
        Answer(int(rng.integers(8)), f"回答 {n % 90} {'x' * int(rng.integers(9))}", int(rng.integers(5)))
        for n in range(120)
    ]
    whole = decide(table_of(answers), strategy)
    monkeypatch.setattr(decision, "BLOCK", 7)
    monkeypatch.setattr(decision, "MANY", 11)
    parts = decide(table_of(answers), strategy)
    assert np.array_equal(whole.chosen, parts.chosen) and np.array_equal(whole.rejected, parts.rejected)
    assert whole.report == parts.report and np.array_equal(whole.unused, parts.unused)


def test_pairs_come_in_the_order_of_the_input():
    answers = [Answer(g, f"{g}第{n}个", score=s) for n, s in enumerate((1, 5, 3)) for g in (2, 0, 1)]
    decided = decide(table_of(answers), Strategy("all"))
    firsts = [answers[c].set for c in decided.chosen]
    assert firsts == [2, 2, 2, 0, 0, 0, 1, 1, 1]
    assert decided.chosen.tolist() == [3, 3, 6, 4, 4, 7, 5, 5, 8]


# What is known of other tools


@pytest.mark.parametrize("ranks", [(0, 1, 2, 3), (3, 2, 1, 0), (2, 0, 3, 1), (1, 2, 3, 4)])
def test_the_answer_of_the_best_rank_is_chosen_and_that_of_the_worst_rejected(ranks):
    """A reader of nectar elsewhere sorts by rank, and takes the last as chosen and the one before it as rejected."""
    answers = [Answer("q", f"第{rank}名的回答", rank=rank) for rank in ranks]
    assert pairs_of(answers) == [(ranks.index(min(ranks)), ranks.index(max(ranks)))]
    line = sorted(range(4), key=lambda n: ranks[n])
    assert pairs_of(answers, "adjacent") == sorted(zip(line, line[1:], strict=False))


@pytest.mark.parametrize("seed", range(20))
def test_a_random_rejected_answer_is_never_ranked_above_the_chosen(seed):
    """Elsewhere chosen and rejected are drawn apart from each other, and may stand the wrong way round."""
    answers = [Answer("q", f"answer {rank}", rank=rank) for rank in (6, 2, 0, 5, 1, 3, 4)]
    ((chosen, rejected),) = pairs_of(answers, "best-random", seed=seed)
    assert answers[chosen].rank == 0 and answers[rejected].rank > 0


def test_random_rejected_answers_are_spread_evenly():
    answers = [Answer(g, f"{n}: {g}", rank=n) for g in range(600) for n in range(4)]
    counts = np.bincount([answers[r].rank for _, r in pairs_of(answers, "best-random")], minlength=4)
    assert counts[0] == 0 and counts.sum() == 600 and (abs(counts[1:] - 200) < 60).all()
    assert pairs_of(answers, "best-random") != pairs_of(answers, "best-random", seed=1)


@pytest.mark.parametrize("name", STRATEGIES[:5])
@pytest.mark.parametrize("score", [0.0, 3.0, -1.0, float("inf")])
def test_answers_that_tie_make_no_pair(name, score):
    """Elsewhere the first of equals is chosen and rejected at once."""
    answers = [Answer("q", text, score=score) for text in ("一", "two", "三", "four")]
    decided = decide(table_of(answers), Strategy(name))
    assert len(decided.chosen) == 0 and fates(decided) == ["tie"] * 4 and decided.report["tied"] == 6


def test_sums_that_differ_in_the_last_digit_tie():
    answers = [Answer("q", "甲", score=0.1 + 0.2 + 0.3), Answer("q", "乙", score=0.3 + 0.2 + 0.1)]
    assert answers[0].score != answers[1].score and pairs_of(answers) == []
    tiny = [Answer("q", "甲", score=3e-20), Answer("q", "乙", score=1e-20)]
    assert pairs_of(tiny) == [(0, 1)]


def test_a_margin_of_three_tenths_is_three_tenths():
    answers = [Answer("q", "甲", score=4.3), Answer("q", "乙", score=4.0)]
    assert answers[0].score - answers[1].score < 0.3
    assert pairs_of(answers, min_margin=0.3) == [(0, 1)] and pairs_of(answers, min_margin=0.31) == []


def test_an_answer_without_a_score_is_in_no_pair():
    """Elsewhere a rating that could not be read counts as -1, or stops the run."""
    answers = [
        Answer("q", "甲", score=4),
        Answer("q", "乙"),
        Answer("q", "丙", score=2),
        Answer("p", "丁"),
        Answer("p", "戊"),
    ]
    decided = decide(table_of(answers), Strategy("all"))
    assert decided.chosen.tolist() == [0] and decided.rejected.tolist() == [2]
    assert fates(decided) == ["", "not_comparable", "", "not_comparable", "not_comparable"]


def test_a_single_rated_answer_is_not_paired_with_itself():
    assert pairs_of([Answer("q", "甲", score=4), Answer("q", "乙")]) == []
    decided = decide(table_of([Answer("q", "甲", score=4)]), Strategy())
    assert fates(decided) == ["alone"]


def test_the_second_shown_is_chosen_when_the_votes_say_so():
    """Elsewhere a verdict for the second of two was never applied, and the first was always chosen."""
    answers = [Answer("q", "甲"), Answer("q", "乙")]
    assert pairs_of(answers, votes=[(0, 1, 0.0)]) == [(1, 0)]
    assert pairs_of(answers, votes=[(0, 1, 1.0)]) == [(0, 1)]
    decided = decide(table_of(answers, [(0, 1, 1.0), (1, 0, 1.0)]), Strategy())
    assert fates(decided) == ["tie", "tie"]


def test_dropped_rows_do_not_move_others_to_a_wrong_prompt():
    """Elsewhere rows without ratings were dropped, and the rest joined to prompts by their old places."""
    answers = []
    for g in range(50):
        score = (None, None) if g % 3 == 0 else (1.0 + g % 2, 2.0 - g % 2)
        answers += [Answer(g, f"{g} 甲", score=score[0]), Answer(g, f"{g} 乙", score=score[1])]
    answers = answers[::2] + answers[1::2]
    pairs = pairs_of(answers)
    assert len(pairs) == sum(g % 3 != 0 for g in range(50))
    assert all(answers[c].set == answers[r].set and answers[c].score == 2 for c, r in pairs)


def test_counts_of_pairs_by_strategy():
    """Max against all lower gives three pairs, max against min one, all six, neighbours three."""
    answers = [Answer("q", f"答 {s}", score=s) for s in (7.0, 9.0, 2.0, 5.0)]
    counts = {name: len(pairs_of(answers, name)) for name in STRATEGIES[:5]}
    assert counts == {"best-worst": 1, "best-random": 1, "adjacent": 3, "best-vs-all": 3, "all": 6}
    assert pairs_of(answers, "threshold", high=7, low=5) == [(0, 2), (0, 3), (1, 2), (1, 3)]
    assert pairs_of(answers, "threshold", high=7, low=5, max_pairs_per_prompt=1) == [(1, 2)]


def test_several_best_answers_have_one_that_speaks_for_them():
    answers = [
        Answer(g, f"{g} {t}", score=s) for g in range(200) for t, s in (("甲", 5), ("乙", 5), ("丙", 1), ("丁", 1))
    ]
    for name, pairs in (("best-worst", 1), ("best-vs-all", 2), ("adjacent", 1)):
        found = pairs_of(answers, name)
        assert len(found) == 200 * pairs and len({c for c, _ in found}) == 200
        assert 60 < sum(answers[c].text.endswith("甲") for c, _ in found) / pairs < 140


# Measures


def test_auto_takes_the_first_measure_that_tells_answers_apart_and_mixes_none():
    answers = [
        *(Answer("labels", t, label=lab, score=s) for t, lab, s in (("甲", "rejected", 9), ("乙", "chosen", 1))),
        *(Answer("scores", t, label="chosen", score=s, rank=r) for t, s, r in (("甲", 1, 0), ("乙", 2, 1))),
        *(Answer("ranks", t, score=3, rank=r) for t, r in (("甲", 4), ("乙", 1))),
        Answer("mixed", "甲", score=5), Answer("mixed", "乙", score=4), Answer("mixed", "丙", rank=0),
    ]  # fmt: skip
    decided = decide(table_of(answers), Strategy("all"))
    assert decided.chosen.tolist() == [1, 3, 5, 6] and decided.rejected.tolist() == [0, 2, 4, 7]
    assert [BY[code] for code in decided.by] == ["label", "score", "rank", "score"]
    assert decided.margin.tolist() == [1.0, 1.0, 3.0, 1.0]
    assert fates(decided)[-1] == "not_comparable"
    assert decided.report["groups_by"] == {"label": 1, "score": 2, "rank": 1, "votes": 0}


def test_a_measure_that_was_asked_for_is_the_only_one():
    answers = [Answer("q", "甲", label="chosen", score=1), Answer("q", "乙", label="rejected", score=2)]
    assert pairs_of(answers, by="score") == [(1, 0)]
    assert pairs_of(answers, by="label") == [(0, 1)]
    assert fates(decide(table_of(answers), Strategy(by="rank"))) == ["not_comparable"] * 2


def test_answers_to_different_prompts_are_never_paired_even_where_a_key_joins_them():
    answers = [Answer("k", "甲", score=1, prompt="一"), Answer("k", "乙", score=5, prompt="二")]
    decided = decide(table_of(answers), Strategy())
    assert len(decided.chosen) == 0 and decided.report["groups_of_several_prompts"] == 1


def test_a_repeated_pair_is_made_once():
    answers = [
        Answer(g, t, score=s, prompt="同一个问题")
        for g, gap in ((0, 1), (1, 3))
        for t, s in (("甲", 5), ("乙", 5 - gap))
    ]
    decided = decide(table_of(answers), Strategy())
    assert decided.chosen.tolist() == [2] and decided.margin.tolist() == [3.0]
    assert fates(decided) == ["repeated", "repeated", "", ""] and decided.report["repeated"] == 1


def test_nothing_in_gives_nothing():
    decided = decide(table_of([]), Strategy("all", balance_length=True))
    assert (
        len(decided.chosen) == 0 and decided.report["pairs"] == 0 and decided.report["lengths"]["after"] == {"pairs": 0}
    )


def test_a_run_that_would_never_end_is_refused(monkeypatch):
    monkeypatch.setattr(decision, "MOST", 100)
    answers = [Answer("", f"{n} 号", score=n) for n in range(40)]
    with pytest.raises(DataError, match="more than 100 pairs"):
        decide(table_of(answers), Strategy("all"))
    assert len(pairs_of(answers)) == 1


@pytest.mark.parametrize(
    "settings",
    [
        {"name": "worst-best"}, {"by": "votum"}, {"high": 3.0}, {"name": "threshold"},
        {"name": "threshold", "high": 1.0, "low": 2.0}, {"name": "threshold", "high": 2.0, "low": float("nan")},
        {"name": "threshold", "high": 2.0, "low": 1.0, "by": "rank"}, {"min_margin": -1.0}, {"min_margin": float("nan")},
        {"max_length_ratio": 0.5}, {"max_pairs_per_prompt": 0}, {"min_chosen_score": float("nan")},
    ],
    ids=str,
)  # fmt: skip
def test_settings_without_sense_are_refused(settings):
    with pytest.raises(UsageError):
        decide(table_of([Answer("q", text, score=n) for n, text in enumerate(TEXTS)]), Strategy(**settings))
