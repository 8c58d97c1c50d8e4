"""Answers of one row: labelled places, pairs, ranked lists; and what no row of another shape may turn them into."""

import json
from pathlib import Path

import dialect_rows
import hypothesis.strategies as st
import pytest
from asking import choice, choices, known, refused, texts, told
from hypothesis import given, settings
from strategies import LAW, dump

from dataforge.errors import NotRepresentable, RowError, UsageError
from dataforge.formats.detect import find
from dataforge.formats.pairs import SIDES
from dataforge.formats.sharegpt_labelled import labelled_places
from dataforge.formats.spelling import Spelling
from dataforge.io import jsontext
from dataforge.ops.preference.sources import SourceOptions, choices_of
from dataforge.record import Record, ToolCall, record_id
from dataforge.registry import DIALECTS, load_dialect

AS_IS = Spelling()
FEW = settings(LAW, max_examples=50)
SAMPLES = Path(__file__).resolve().parents[3] / "samples" / "dialects"


def human(text):
    return {"from": "human", "value": text}


def gpt(text, **more):
    return {"from": "gpt", "value": text, **more}


TALK = {
    "system": "简短。",
    "conversations": [
        human("水几度？"),
        gpt("一百二十度。", label="rejected", score=1),
        gpt("八十度。", label="chosen", score=9, model="甲"),
        human("泡多久？"),
        {"from": "gpt", "candidates": [{"value": "三分钟。", "label": "chosen"}, {"value": "随便。"}]},
        human("谢谢"),
        gpt("不客气。", label="chosen"),
        gpt("哼。", label="rejected"),
        gpt("……", label="rejected"),
    ],
}


def test_every_labelled_place_is_a_choice_whose_history_holds_the_chosen_answers_before_it():
    first, second, third = choices(TALK)
    system, asked = ("system", "简短。"), ("user", "水几度？")
    assert told(first.prompt) == [system, asked]
    assert known(first, "label", "score", "model") == [("rejected", 1, None), ("chosen", 9, "甲")]
    assert texts(first) == ["一百二十度。", "八十度。"]
    assert told(second.prompt) == [system, asked, ("assistant", "八十度。"), ("user", "泡多久？")]
    assert texts(second) == ["三分钟。", "随便。"]
    assert told(third.prompt)[-3:] == [("user", "泡多久？"), ("assistant", "三分钟。"), ("user", "谢谢")]
    assert known(third, "label") == [("chosen",), ("rejected",), ("rejected",)]
    places = [one.place for one in (first, second, third)]
    assert places == ["$.conversations[2]", "$.conversations[4].candidates[0]", "$.conversations[6]"]
    assert not any(one.joined or one.key or one.votes for one in (first, second, third))


@FEW
@given(row=dialect_rows.ROWS["sharegpt-labelled"])
def test_choices_of_labelled_places_hold_the_pairs_that_the_dialect_gives(row):
    record = load_dialect("sharegpt-labelled").read(jsontext.decode(dump(row).encode()), AS_IS)
    pairs = []
    for one in choices_of(record, "sharegpt-labelled", SourceOptions()):
        chosen = [entry.answer for entry in one.entries if entry.label == SIDES[0]]
        rejected = [entry.answer for entry in one.entries if entry.label == SIDES[1]]
        pairs += [(one.prompt, good, bad) for good in chosen for bad in rejected]
    assert pairs == [(history, good.turns, bad.turns) for history, good, bad in labelled_places(record)]


def comparable(record, dialect, options):
    """Choices by content, without the place, which is that of a row; None where no one says what a rank means."""
    try:
        found = choices_of(record, dialect, options)
    except RowError as fault:
        assert fault.rule == "rank_direction"
        return None
    return [
        (
            record_id(Record(one.prompt, tools=one.tools)),
            [(record_id(Record(e.answer)), e.score, e.rank, e.label, e.model) for e in one.entries],
            one.joined,
        )
        for one in found
    ]


LISTS = sorted(set(DIALECTS) - {"oasst-tree", "alpaca-eval", "webgpt", "summarize", "cherry-reviews", "seeds", "arena"})


@pytest.mark.parametrize("score", ["auto", "mean"])
@FEW
@given(data=st.data())
def test_a_row_written_in_another_dialect_that_carries_it_offers_the_same_choices(score, data):
    source = data.draw(st.sampled_from(["ranked", "nectar", "ultrafeedback", "sharegpt-labelled", "swift", "argilla"]))
    row = jsontext.decode(dump(data.draw(dialect_rows.ROWS[source])).encode())
    record = load_dialect(source).read(row, AS_IS)
    options = SourceOptions(score=score)
    here = comparable(record, source, options)
    record.layout = None
    for target in LISTS:
        module = load_dialect(target)
        try:
            again = module.read(module.write(record, AS_IS), AS_IS)
        except NotRepresentable:
            continue
        there = comparable(again, target, options)
        if record_id(again) == record_id(record) and None not in (here, there):
            assert there == here, target


def test_every_sample_row_of_every_dialect_offers_choices_or_is_refused_by_name():
    seen = {}
    for path in sorted(SAMPLES.glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            record = load_dialect(path.stem).read(row, AS_IS)
            found = choices_of(record, path.stem, SourceOptions())
            seen[path.stem] = seen.get(path.stem, 0) + len(found)
            for one in found:
                assert one.entries and all(entry.label in (None, *SIDES) for entry in one.entries)
                assert one.prompt or path.stem in ("trl-preference", "hh-rlhf", "argilla", "ranked", "orca-dpo")
    assert {name for name, count in seen.items() if not count} == {
        "oasst",
        "text",
        "trl-prompt",
        "trl-stepwise",
    }


# Pairs


def test_a_pair_is_a_choice_of_two_labels_and_an_inverted_score_does_not_turn_it():
    one = choice(
        {"prompt": "说一种茶。", "chosen": "龙井。", "rejected": "水。", "score_chosen": 2, "score_rejected": 8}
    )
    assert told(one.prompt) == [("user", "说一种茶。")]
    assert known(one, "label", "score") == [("chosen", 2), ("rejected", 8)]
    assert (one.joined, one.key) == (False, "")


def test_a_redundant_question_and_whole_conversations_give_the_shared_prompt_once():
    talk = [
        {"role": "user", "content": "问"},
        {"role": "assistant", "content": "答"},
        {"role": "user", "content": "再问"},
    ]
    sides = {side: [*talk, {"role": "assistant", "content": side}] for side in SIDES}
    one = choice({"prompt": "再问", **sides})
    assert told(one.prompt) == [("user", "问"), ("assistant", "答"), ("user", "再问")]
    assert texts(one) == ["chosen", "rejected"]


def turn(role, content, **more):
    return {"role": role, "content": content, **more}


def test_answers_that_part_in_mid_conversation_leave_what_they_share_to_the_prompt_and_keep_their_tails_whole():
    call = {"id": "a", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Oslo"}'}}
    shared = [turn("assistant", "Where?"), turn("user", "Oslo.")]
    good = [*shared, turn("assistant", None, tool_calls=[call]), turn("tool", "rain", tool_call_id="a")]
    row = {
        "prompt": "Will it rain?",
        "responses": [
            {"content": [*good, turn("assistant", "Yes.")], "score": 2},
            {"content": [*good, turn("assistant", "No.")], "score": 1},
            {"content": [*shared, turn("assistant", "I do not know.")], "score": 0},
        ],
        "tools": [{"type": "function", "function": {"name": "weather"}}],
    }
    one = choice(row)
    assert told(one.prompt) == [("user", "Will it rain?"), ("assistant", "Where?"), ("user", "Oslo.")]
    assert [[t.role for t in entry.answer] for entry in one.entries] == [
        ["assistant", "tool", "assistant"],
        ["assistant", "tool", "assistant"],
        ["assistant"],
    ]
    assert isinstance(one.entries[0].answer[0].parts[0], ToolCall) and one.tools == [{"name": "weather"}]


# Ranks


def nectar(*ranks):
    answers = [{"answer": f"第{rank}名", "model": str(rank), "rank": rank} for rank in ranks]
    return {"prompt": "\n\nHuman: 问\n\nAssistant: ", "answers": answers}


def test_rank_1_of_nectar_is_the_best_and_nothing_may_say_otherwise():
    one = choice(nectar(3.0, 1.0, 2.0))
    assert known(one, "rank", "model") == [(2, "3.0"), (0, "1.0"), (1, "2.0")]
    assert known(choice(nectar(2.0, 1.0), rank_best="low"), "rank") == [(1,), (0,)]
    assert refused(nectar(2.0, 1.0), rank_best="high")[:2] == ("rank_direction", "$.answers[0]")


def test_equal_ranks_stay_equal_and_a_rank_between_two_is_none():
    row = json.loads((SAMPLES / "nectar.jsonl").read_text(encoding="utf-8").splitlines()[3])
    assert known(choice(row), "rank", "lost") == [(0, ""), (0, ""), (None, "rank: 1.5")]


def unproven(*ranks, **more):
    return {"user_input": "说一种茶", "responses_and_scores": [{"response": str(r), "rank": r, **more} for r in ranks]}


def test_a_rank_of_which_no_one_says_the_direction_is_refused_until_it_is_declared():
    rule, path, help = refused(unproven(1, 2, 3))
    assert (rule, path) == ("rank_direction", "$.responses_and_scores[0].rank")
    assert "--rank-best low" in help and "--rank-best high" in help
    assert known(choice(unproven(1, 2, 4), rank_best="low"), "rank") == [(0,), (1,), (3,)]
    assert known(choice(unproven(1, 2, 4), rank_best="high"), "rank") == [(3,), (2,), (0,)]
    assert known(choice(unproven("2", "第一", None, 1), rank_best="low"), "rank", "lost") == [
        (1, ""),
        (None, "rank: 第一"),
        (None, ""),
        (0, ""),
    ]


def test_a_rank_without_a_direction_counts_for_nothing_where_scores_tell_the_answers_apart():
    row = unproven(1, 2)
    for place, entry in enumerate(row["responses_and_scores"]):
        entry["score"] = place
    assert known(choice(row), "rank", "score") == [(None, 0), (None, 1)]


def test_ranks_under_another_name_are_taken_when_they_are_named():
    row = {"instruction": "问", "completions": [{"response": "a", "名次": 2}, {"response": "b", "名次": 1}]}
    assert known(choice(row), "rank") == [(None,), (None,)]
    assert known(choice(row, rank="名次", rank_best="low"), "rank") == [(1,), (0,)]


@FEW
@given(ranks=st.lists(st.integers(0, 99), min_size=2, max_size=6), best=st.sampled_from(["low", "high"]))
def test_the_best_of_declared_ranks_has_rank_0_and_the_order_is_theirs(ranks, best):
    got = [entry.rank for entry in choice(unproven(*ranks), rank_best=best).entries]
    sign = 1 if best == "low" else -1
    assert min(got) == 0
    for i, one in enumerate(ranks):
        for j, other in enumerate(ranks):
            assert got[i] - got[j] == sign * (one - other)


# Options and rows with nothing to choose from


@pytest.mark.parametrize(
    ("options", "flag"),
    [
        ({"rank_best": "best"}, "--rank-best"),
        ({"tree_roles": "user"}, "--tree-roles"),
        ({"group_by": ""}, "--group-by"),
        ({"score": "mean", "score_column": "n_chars"}, "--by-score"),
        ({"score": "2*3"}, "--score"),
    ],
)
def test_options_that_cannot_be_meant_are_refused_by_name(options, flag):
    with pytest.raises(UsageError, match=flag):
        SourceOptions(**options)


def test_seed_tasks_documents_prompts_and_single_messages_offer_nothing():
    instances = [{"input": "温暖", "output": "寒冷"}, {"input": "大", "output": "小"}]
    assert choices({"instruction": "写出反义词。", "instances": instances}) == []
    assert choices({"text": "茶叶。"}) == []
    assert choices({"prompt": "问", "completions": ["一", "二"], "labels": [True, False]}) == []
    assert choices({"conversations": [human("有人吗？")]}) == []
    assert choices({"prompt": "问", "responses": []}) == []


def test_a_score_of_the_row_does_not_tell_several_answers_apart():
    row = {"prompt": "问", "chosen": "好", "rejected": "坏"}
    assert refused(row, value=1.0, score_column="quality")[0] == "many_answers"
    assert find(row).NAME == "trl-preference"
