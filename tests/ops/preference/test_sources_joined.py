"""Rows that are joined: one answer a row, verdicts, votes; by prompt, pair_id or a column."""

import pytest
from asking import choice, choices, known, refused, texts, told

from dataforge.ops.preference.choice import Vote

HELPSTEER = {"prompt": "说一种茶。", "response": "龙井。", "helpfulness": 4, "correctness": 3, "verbosity": 1}


# One row an answer


def test_a_row_of_helpsteer_is_one_answer_with_the_score_that_is_asked_for():
    one = choice(HELPSTEER)
    assert (told(one.prompt), texts(one), one.joined, one.key) == ([("user", "说一种茶。")], ["龙井。"], True, "")
    assert known(one, "score") == [(4.0,)]
    for score, value in (("mean", 8 / 3), ("verbosity", 1.0), ("0.65*helpfulness+0.8*correctness-0.4*verbosity", 4.6)):
        assert known(choice(HELPSTEER, score=score), "score") == [(pytest.approx(value),)]


def test_a_score_beside_a_plain_answer_counts_only_if_the_user_names_it():
    row = {"instruction": "问", "output": "答", "score": 4, "generator": "gpt4", "id": 7}
    assert known(choice(row), "score", "model", "lost") == [(None, "gpt4", "")]
    assert known(choice(row, score="score"), "score") == [(4.0,)]
    assert known(choice({**row, "score": "N/A"}, score="score"), "score", "lost") == [(None, "score: N/A")]
    assert known(choice({"问": "问", "答": "答", "评分": "5"}, score="评分"), "score") == [(5.0,)]


def test_the_model_is_what_the_row_says_or_else_what_the_caller_says():
    row = {"messages": [{"role": "user", "content": "问"}, {"role": "assistant", "content": "答"}]}
    assert known(choice(row, model="claude"), "model") == [("claude",)]
    assert known(choice({**row, "model": "甲"}, model="claude"), "model") == [("甲",)]
    assert known(choice(row), "model") == [(None,)]


def test_a_column_of_score_tables_is_the_score_of_the_row():
    row = {"instruction": "问", "output": "答"}
    assert known(choice(row, value=0.5, score_column="reward"), "score", "lost") == [(0.5, "")]
    assert known(choice(row, value=None, score_column="reward"), "score", "lost") == [(None, "reward: null")]


def test_the_answer_is_all_after_the_last_turn_of_the_user_tool_turns_included():
    call = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    talk = [
        {"role": "user", "content": "一"},
        {"role": "assistant", "content": "二"},
        {"role": "user", "content": "三"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "content": "四", "tool_call_id": "a"},
        {"role": "assistant", "content": "五"},
    ]
    one = choice({"messages": talk})
    assert told(one.prompt) == [("user", "一"), ("assistant", "二"), ("user", "三")]
    assert [turn.role for turn in one.entries[0].answer] == ["assistant", "tool", "assistant"]
    assert choices({"messages": talk[:3]}) == []


def test_rows_are_joined_by_their_prompt_or_a_column_of_theirs():
    row = {"instruction": "问", "output": "答", "id": 7}
    assert choice(row).key == choice(row, group_by="prompt").key == ""
    assert choice(row, group_by="id").key == "id=7"
    assert choice({**row, "id": "7"}, group_by="id").key == 'id="7"'
    rule, path, help = refused({"instruction": "问", "output": "答", "编号": 7}, group_by="id")
    assert (rule, path) == ("no_group", "$.id") and "编号" in help


def test_a_rank_beside_one_answer_needs_a_direction():
    row = {"instruction": "问", "output": "答", "rank": 2}
    assert refused(row)[:2] == ("rank_direction", "$.rank")
    assert known(choice(row, rank_best="low"), "rank", "score") == [(2, None)]
    assert known(choice(row, rank_best="high"), "rank", "score") == [(None, 2.0)]
    assert known(choice({**row, "rank": 1.5}, rank_best="low"), "rank", "lost") == [(None, "rank: 1.5")]
    assert known(choice({**row, "评分": 3}, score="评分"), "rank", "score") == [(None, 3.0)]


# Verdicts


KTO = {"prompt": "问", "completion": "答", "label": True}


@pytest.mark.parametrize(
    "row",
    [
        KTO,
        {"instruction": "问", "output": "答", "kto_tag": True},
        {"conversations": [{"from": "human", "value": "问"}, {"from": "gpt", "value": "答"}], "kto_tag": True},
        {"messages": [{"role": "user", "content": "问"}, {"role": "assistant", "content": "答"}], "label": True},
    ],
)
def test_a_verdict_is_a_label_and_false_is_not_lost(row):
    one = choice(row)
    assert (told(one.prompt), texts(one), one.joined) == ([("user", "问")], ["答"], True)
    assert known(one, "label") == [("chosen",)]
    tag = "kto_tag" if "kto_tag" in row else "label"
    assert known(choice({**row, tag: False}), "label") == [("rejected",)]


def test_verdicts_are_joined_by_their_pair_id_where_they_have_one():
    assert choice(KTO).key == ""
    assert choice({**KTO, "pair_id": "对1"}).key == 'pair_id="对1"'
    assert choice({**KTO, "pair_id": None}).key == ""
    assert choice({**KTO, "pair_id": "a"}, group_by="prompt").key == ""
    assert choice({**KTO, "pair_id": "a", "id": 3}, group_by="id").key == "id=3"


def test_the_completion_of_a_verdict_is_its_answer_however_many_turns_it_has():
    tail = [
        {"role": role, "content": text}
        for role, text in (("assistant", "哪里？"), ("user", "奥斯陆"), ("assistant", "雨"))
    ]
    one = choice({"prompt": [{"role": "user", "content": "下雨吗？"}], "completion": tail, "label": True, "pair_id": 1})
    assert told(one.prompt) == [("user", "下雨吗？")] and texts(one) == ["哪里？|奥斯陆|雨"]


# Votes


def annotation(preference, **more):
    row = {
        "instruction": "说一种茶。",
        "output_1": "龙井。",
        "generator_1": "小",
        "output_2": "水。",
        "generator_2": "大",
    }
    return {**row, "annotator": "评委", "preference": preference, **more}


@pytest.mark.parametrize(
    ("preference", "won"), [(1, 1.0), (1.0, 1.0), (2, 0.0), (2.0, 0.0), (1.5, 0.5), (1.9375, 0.0625), (1.25, 0.75)]
)
def test_a_preference_of_alpaca_eval_is_a_vote(preference, won):
    one = choice(annotation(preference))
    assert one.votes == [Vote(0, 1, won, "评委")]
    assert known(one, "label", "score", "rank", "model", "lost") == [(None,) * 3 + (m, "") for m in ("小", "大")]
    assert one.joined


@pytest.mark.parametrize(("preference", "why"), [(0, "0"), (None, "null"), ("1", "1"), (3, "3"), (True, "True")])
def test_what_says_nothing_is_no_vote_and_is_named_by_its_value(preference, why):
    one = choice(annotation(preference))
    assert one.votes == [] and known(one, "lost") == [(f"preference: {why}",)] * 2


def test_an_answer_beside_itself_gives_no_vote():
    same = annotation(1, output_2="龙井。", generator_2="小")
    assert choice(same).votes == []
    assert len(choice(annotation(1, output_2="龙井。")).votes) == 1


def test_votes_are_joined_by_a_column_too():
    assert choice(annotation(1, id=3), group_by="id").key == "id=3"
    assert refused(annotation(1), group_by="id")[0] == "no_group"


def webgpt(first, second):
    row = {"question": {"full_text": "问"}, "answer_0": "甲", "answer_1": "乙"}
    return row | {f"score_{place}": value for place, value in enumerate((first, second)) if value != ""}


def test_the_higher_score_of_webgpt_wins_and_equal_ones_tie():
    assert [choice(webgpt(*scores)).votes[0].won for scores in ((0.5, -0.5), (-1, 1), (0, 0))] == [1.0, 0.0, 0.5]
    one = choice(webgpt(0.5, ""))
    assert one.votes == [] and known(one, "lost", "label") == [("score: absent", None)] * 2
    scored = choice(webgpt(0.5, -0.5), score="overall")
    assert known(scored, "score") == [(0.5,), (-0.5,)] and not scored.joined


def test_the_choice_between_summaries_is_a_vote_of_its_worker():
    row = {"info": {"post": "帖子"}, "summaries": [{"text": "甲"}, {"text": "乙"}], "choice": 1, "worker": "w1"}
    assert choice(row).votes == [Vote(0, 1, 0.0, "w1")]
    nothing = choice({**row, "choice": None})
    assert nothing.votes == [] and known(nothing, "lost") == [("choice: null",)] * 2


def review(scores, reverse):
    return {"text": "问", "Answer1": "甲", "Answer2": "乙", "scores": scores, "scores_reverse": reverse}


def test_reviews_in_both_orders_are_two_votes_with_the_other_answer_first():
    one = choice(review("[9.0, 8.5]", "[8.0, 9.0]"))
    assert one.votes == [Vote(0, 1, 1.0), Vote(1, 0, 0.0)]  # the first answer won both times
    assert choice(review([8, 8], "[7, 9]")).votes == [Vote(0, 1, 0.5), Vote(1, 0, 0.0)]
    biased = choice(review("[9, 8]", "[9, 8]")).votes
    assert [vote.won for vote in biased] == [1.0, 1.0]  # whoever stood first


@pytest.mark.parametrize("odd", ["[-1, -1]", "[9]", "[9, 8, 7]", "9 8", None, [True, 1], ["9", "8"], "[NaN, 1]"])
def test_a_review_without_two_scores_is_no_vote(odd):
    one = choice(review(odd, [2, 1]))
    assert one.votes == [Vote(1, 0, 1.0)]
    assert all(lost.startswith("scores: ") for (lost,) in known(one, "lost"))
    assert known(choice(review(None, [2, 1])), "lost")[0] == ("scores: null",)


def battle(winner, turn=None, **more):
    def talk(*said):
        return [{"role": ("user", "assistant")[place % 2], "content": text} for place, text in enumerate(said)]

    row = {"conversation_a": talk("问", "甲", "再问", "子"), "conversation_b": talk("问", "乙", "再问", "丑")}
    return {**row, "model_a": "大", "model_b": "小", "winner": winner, "judge": "评委", "turn": turn, **more}


@pytest.mark.parametrize(("winner", "won"), [("model_a", 1.0), ("model_b", 0.0), ("tie", 0.5), ("tie (bothbad)", 0.5)])
def test_the_winner_of_a_battle_is_a_vote_and_a_tie_half_of_one(winner, won):
    one = choice(battle(winner))
    assert one.votes == [Vote(0, 1, won, "评委")]
    assert known(one, "model", "label", "lost") == [("大", None, ""), ("小", None, "")]
    assert (told(one.prompt), texts(one)) == ([("user", "问")], ["甲|再问|子", "乙|再问|丑"])


ROUNDS = [(1, ["甲", "乙"]), (2, ["甲|再问|子", "乙|再问|丑"]), (9, ["甲|再问|子", "乙|再问|丑"])]


@pytest.mark.parametrize(("turn", "expected"), ROUNDS)
def test_only_the_rounds_of_a_battle_that_were_judged_are_compared(turn, expected):
    one = choice(battle("model_b", turn=turn))
    assert (told(one.prompt), texts(one)) == ([("user", "问")], expected)


def test_a_battle_without_a_winner_is_no_vote():
    assert known(choice(battle(None)), "lost") == [("winner: null",)] * 2
    assert known(choice(battle("c")), "lost") == [("winner: c",)] * 2
