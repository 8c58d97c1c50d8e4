"""Strengths from votes: against closed forms and a slow fit, and what they must not do."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from slow_decision import Answer, table_of

from dataforge.errors import DataError
from dataforge.ops.preference.decision import decide
from dataforge.ops.preference.strategy import UNUSED, Strategy
from dataforge.ops.preference.votes import PRIOR, fit, linked, strengths


def fitted(answers, votes):
    table = table_of(answers, votes)
    return strengths(table, table.votes)


def many(wins, losses, ties=0):
    return [(0, 1, 1.0)] * wins + [(0, 1, 0.0)] * losses + [(1, 0, 0.5)] * ties


@pytest.mark.parametrize("counts", [(1, 0, 0), (3, 1, 0), (0, 7, 0), (2, 2, 3), (1, 0, 4), (1000, 1, 0)])
def test_two_answers_differ_by_the_log_of_their_odds(counts):
    value, component, report = fitted([Answer("q", "甲"), Answer("q", "乙")], many(*counts))
    wins, losses = counts[0] + counts[2] / 2 + PRIOR, counts[1] + counts[2] / 2 + PRIOR
    assert value[0] - value[1] == pytest.approx(math.log(wins / losses), abs=1e-8)
    assert value.sum() == pytest.approx(0, abs=1e-8) and component.tolist() == [0, 0] and report["unsettled"] == 0


def test_equal_votes_tie_exactly():
    answers = [Answer("q", text) for text in "甲乙丙"]
    circle = [(0, 1, 1.0), (1, 2, 1.0), (2, 0, 1.0)]
    value, _, _ = fitted(answers, circle)
    assert value.tolist() == [0.0, 0.0, 0.0]
    decided = decide(table_of(answers, circle), Strategy("all"))
    assert [UNUSED[code] for code in decided.unused] == ["tie"] * 3
    star = [(0, 1, 1.0), (0, 2, 1.0), (3, 0, 1.0), (3, 0, 1.0), (0, 1, 0.0), (2, 0, 1.0)]
    value, _, _ = fitted([*answers, Answer("q", "丁")], star)
    assert value[1] == value[2] and value[3] > value[0]


def test_who_won_always_stays_finite_and_first():
    answers = [Answer("q", f"{n} 号") for n in range(6)]
    votes = [(a, b, 1.0) for a in range(6) for b in range(a + 1, 6)]
    value, _, _ = fitted(answers, votes)
    assert np.isfinite(value).all() and (np.diff(value) < -0.1).all()
    decided = decide(table_of(answers, votes), Strategy())
    assert (decided.chosen.tolist(), decided.rejected.tolist()) == ([0], [5])
    assert decided.margin[0] == pytest.approx(value[0] - value[5]) and decided.report["groups_by"]["votes"] == 1


def test_answers_that_nothing_links_are_not_comparable():
    answers = [Answer("q", f"{n} 号") for n in range(5)]
    votes = [(0, 1, 1.0), (2, 3, 0.0)]
    value, component, report = fitted(answers, votes)
    assert np.isnan(value[4]) and component[0] == component[1] != component[2] == component[3]
    assert report["components"] == 2
    decided = decide(table_of(answers, votes), Strategy("all"))
    assert sorted(zip(decided.chosen.tolist(), decided.rejected.tolist(), strict=True)) == [(0, 1), (3, 2)]
    assert UNUSED[decided.unused[4]] == "not_comparable"


def test_links_over_others_make_answers_comparable():
    answers = [Answer("q", f"{n} 号") for n in range(4)]
    value, _, _ = fitted(answers, [(2, 0, 1.0), (0, 3, 1.0), (3, 1, 1.0)])
    assert np.argsort(-value).tolist() == [2, 0, 3, 1]


def test_the_same_answer_in_several_rows_is_one_player():
    answers = [Answer("q", text) for text in ("甲", "乙", "乙", "丙", "甲", "丙")]
    votes = [(0, 1, 1.0), (2, 3, 1.0), (4, 5, 1.0)]
    value, component, _ = fitted(answers, votes)
    assert value[0] == value[4] > value[1] == value[2] > value[3] == value[5] and set(component) == {0}
    decided = decide(table_of(answers, votes), Strategy("all"))
    texts = [(answers[c].text, answers[r].text) for c, r in zip(decided.chosen, decided.rejected, strict=True)]
    assert sorted(texts) == [("乙", "丙"), ("甲", "丙"), ("甲", "乙")]
    assert sorted(UNUSED[code] for code in decided.unused) == ["", "", "", "repeated", "repeated", "repeated"]


def test_a_vote_between_equal_answers_says_nothing_and_is_counted():
    answers = [Answer("q", "甲"), Answer("q", "甲"), Answer("q", "乙")]
    value, _, report = fitted(answers, [(0, 1, 1.0), (2, 2, 1.0)])
    assert report["same_answer"] == 2 and report["votes"] == 2 and value.tolist() == [0, 0, 0]
    decided = decide(table_of(answers, [(0, 1, 1.0)]), Strategy())
    assert len(decided.chosen) == 0


@pytest.mark.parametrize("vote", [(0, 2, 1.0), (0, 1, float("nan")), (0, 1, 2.0)])
def test_a_vote_without_sense_is_refused(vote):
    answers = [Answer("p", "甲"), Answer("p", "乙"), Answer("q", "丙")]
    with pytest.raises(DataError, match="vote 1 on answers 0 and"):
        decide(table_of(answers, [(0, 1, 1.0), vote]), Strategy())


def slow_fit(games, players):
    """The same likelihood climbed by Newton's method: the sum of ln p_i / (p_i + p_j) over games, prior included."""
    value = np.zeros(players)
    for _ in range(200):
        slope, bend = np.zeros(players), np.zeros((players, players))
        for (i, j), (won, lost) in games.items():
            share = 1 / (1 + math.exp(value[j] - value[i]))
            slope[[i, j]] += np.array([1, -1]) * (won - (won + lost) * share)
            bend[np.ix_([i, j], [i, j])] += np.array([[1, -1], [-1, 1]]) * (won + lost) * share * (1 - share)
        value += np.clip(np.linalg.lstsq(bend, slope, rcond=None)[0], -1, 1)
    return value - value.mean()


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), st.sampled_from([0.0, 0.5, 1.0])), min_size=1, max_size=30)
)
def test_strengths_are_those_of_the_greatest_likelihood(drawn):
    votes = [(a, b, won) for a, b, won in drawn if a != b]
    votes += [(n, n + 1, 0.5) for n in range(5)]  # all are linked
    value, _, report = fitted([Answer("q", f"{n} 号") for n in range(6)], votes)
    games = {}
    for a, b, won in votes:
        won, lost = (won, 1 - won) if a < b else (1 - won, won)
        old = games.get((min(a, b), max(a, b)), (PRIOR, PRIOR))
        games[min(a, b), max(a, b)] = (old[0] + won, old[1] + lost)
    assert value == pytest.approx(slow_fit(games, 6), abs=2e-6) and report["unsettled"] == 0


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 30), st.lists(st.tuples(st.integers(0, 29), st.integers(0, 29)), max_size=40))
def test_components_are_what_a_walk_finds(players, edges):
    edges = [(a % players, b % players) for a, b in edges]
    low, high = (np.array([edge[side] for edge in edges], np.int64) for side in (0, 1))
    found = linked(low, high, players)
    owner = list(range(players))
    for a, b in edges:
        old, new = owner[a], owner[b]
        owner = [new if number == old else number for number in owner]
    assert [[x == y for y in found] for x in found] == [[x == y for y in owner] for x in owner]


def test_a_long_chain_comes_to_rest():
    size = 60
    low = np.arange(size - 1)
    wins = np.where(low % 2, 2.0, 1.0)
    value, unsettled = fit(low, low + 1, wins, np.zeros(size - 1), np.zeros(size, np.int64))
    assert unsettled == 0
    expected = np.log((wins + PRIOR) / PRIOR)  # on a chain each link is free
    assert -np.diff(value) == pytest.approx(expected, abs=1e-5)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 9), st.integers(0, 9), st.sampled_from([0.0, 0.5, 1.0])), min_size=1, max_size=30
    ),
    st.randoms(use_true_random=False),
)
def test_the_order_of_votes_and_answers_changes_no_digit(drawn, chance):
    answers = [Answer(n // 5, f"{n} 号") for n in range(10)]
    votes = [(a, b, won) for a, b, won in drawn if a // 5 == b // 5]
    turn = list(range(10))
    chance.shuffle(turn)
    mixed, renamed = [answers[n] for n in turn], [(turn.index(a), turn.index(b), won) for a, b, won in votes]
    chance.shuffle(renamed)
    if votes:
        one, other = fitted(answers, votes)[0], fitted(mixed, renamed)[0]
        assert np.array_equal(one[turn], other, equal_nan=True)
