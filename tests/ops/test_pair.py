"""pair, as it is called: rows in, pairs, ledger and report out.

Oracles are written here in plain Python over the JSON that went in and came out. What single parts do (ratings, trees,
guards, strengths, balancing) is tested in tests/ops/preference.
"""

import json
import os
import random
import tempfile
from collections import Counter
from math import log
from pathlib import Path

import dirty
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import dataforge
from dataforge.errors import DataforgeError, InputError, OutputError, RowError, UsageError
from dataforge.ops.pair import PairConfig, refuse_target
from dataforge.registry import DIALECTS

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "samples" / "dialects"
DATA = Path(os.environ.get("DATAFORGE_DATA", ROOT.parent / "shared" / "data")) / "preference"
STRATEGIES = ("best-worst", "best-random", "adjacent", "best-vs-all", "all")


def write(path, rows):
    path.write_bytes(b"".join(dirty.line_of(row) + b"\n" for row in rows))
    return path


def read(path):
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def paired(folder, rows, to="dpo", **options):
    """(rows written, the report's `pairs`) of a run over rows, which must lose nothing."""
    source = write(folder / "in.jsonl", rows)
    out = folder / "out.jsonl"
    result = dataforge.pair(source, output=out, to=to, **{"workers": 1, "force": True, **options})
    made = read(out)
    conserved(out, len(rows), made, result.data)
    return made, result.data


def conserved(out, rows, made, account):
    """Every row has one fate, every answer one use, and every written row is owned by an input row."""
    ledger = dirty.ledger_of(dirty.out_of(out))
    assert len(ledger) == rows
    assert sum(row["n_out"] for row in ledger) == len(made)
    assert {row["fate"] for row in ledger} <= {"kept", "unused", "error"}
    assert all(row["n_out"] == 0 for row in ledger if row["fate"] != "kept")
    assert all((row["rule"] == "") == (row["n_out"] > 0) for row in ledger)
    assert {row["rule"] for row in ledger if row["fate"] == "kept"} <= {"", "as_rejected"}
    assert sum(account["answers_by_use"].values()) == account["answers"]
    assert "" not in account["answers_by_use"]
    kept = {row["line"] for row in ledger if row["fate"] == "kept"}
    assert {line for one in made for _, line in one["pair"]["sources"]} <= kept


def text(turns):
    return turns if isinstance(turns, str) else "|".join(turn["content"] or "" for turn in turns)


def trio(row):
    """(prompt, chosen, rejected) of a pair, as texts."""
    return text(row["prompt"]), text(row["chosen"]), text(row["rejected"])


def trios(rows):
    return sorted(map(trio, rows))


def ranked(prompt, *answers):
    return {
        "prompt": prompt,
        "responses": [dict(zip(("content", "score"), answer, strict=False)) for answer in answers],
    }


def scored_rows(count, answers=4):
    """Rows of several scored answers that differ in everything."""
    draw = random.Random(5)
    return [
        ranked(
            f"问 {n}?",
            *((f"{chr(97 + a)} 答 {n} " + "x" * draw.randrange(9), draw.randrange(10)) for a in range(answers)),
        )
        for n in range(count)
    ]


# --- laws -----------------------------------------------------------------------------------------------------------

PROMPTS = st.sampled_from(["What is tea?", "茶是什么？"])
ANSWERS = st.sampled_from(["A leaf.", "一种叶子。", "A leaf. Of a plant.", "A  leaf.", "Coffee!", "咖啡", "no"])
GRADES = st.sampled_from([0, 1, 2, 2.5, 5])
ROWS = st.one_of(
    st.builds(ranked, PROMPTS, st.tuples(ANSWERS, GRADES), st.tuples(ANSWERS, GRADES), st.tuples(ANSWERS, GRADES)),
    st.builds(
        lambda prompt, answer, grade, other: {
            "prompt": prompt, "response": answer, "helpfulness": grade, "correctness": other, "coherence": 3,
            "complexity": 1, "verbosity": 2,
        },
        PROMPTS, ANSWERS, st.integers(0, 4), st.integers(0, 4),
    ),
    st.builds(lambda prompt, one, two: {"prompt": prompt, "chosen": one, "rejected": two}, PROMPTS, ANSWERS, ANSWERS),
    st.builds(lambda prompt, one, sure: {"prompt": prompt, "completion": one, "label": sure}, PROMPTS, ANSWERS, st.booleans()),
    st.builds(
        lambda prompt, one, two, says: {
            "instruction": prompt, "output_1": one, "generator_1": "a", "output_2": two, "generator_2": "b",
            "annotator": "j", "preference": says,
        },
        PROMPTS, ANSWERS, ANSWERS, st.sampled_from([1, 2, 1.5, 0, None]),
    ),
)  # fmt: skip
OPTIONS = st.fixed_dictionaries(
    {"strategy": st.sampled_from(STRATEGIES), "seed": st.integers(0, 3)},
    optional={
        "min_margin": st.sampled_from([0.5, 1.0, 2.0]),
        "max_pairs_per_prompt": st.integers(1, 3),
        "max_length_ratio": st.sampled_from([1.5, 3.0]),
        "balance_length": st.just(True),
        "min_chosen_score": st.sampled_from([1.0, 3.0]),
    },
)


@settings(max_examples=25, deadline=None)
@given(rows=st.lists(ROWS, min_size=1, max_size=8), options=OPTIONS, chance=st.randoms(use_true_random=False))
def test_order_changes_nothing_and_pairs_are_what_was_asked_for(rows, options, chance):
    with tempfile.TemporaryDirectory() as name:
        made, account = paired(Path(name), rows, **options)
        turned = chance.sample(rows, len(rows))
        again, _ = paired(Path(name), turned, **options)
    assert trios(made) == trios(again)
    assert {(row["pair_id"], row["margin"]) for row in made} == {(row["pair_id"], row["margin"]) for row in again}
    pairs = set(trios(made))
    assert len(pairs) == len(made) == account["pairs"]
    assert not any((prompt, worse, better) in pairs for prompt, better, worse in pairs)
    for row in made:
        _, better, worse = trio(row)
        one, other = "".join(better.split()), "".join(worse.split())
        assert not one.startswith(other) and not other.startswith(one)
        assert row["margin"] > 0 and row["margin"] >= options.get("min_margin", 0) - 1e-9
        assert row["pair"]["by"] != "score" or row["score_chosen"] - row["score_rejected"] == row["margin"]
        assert row.get("score_chosen", 9) >= options.get("min_chosen_score", 0)
        assert max(len(better), len(worse)) <= options.get("max_length_ratio", 99) * min(len(better), len(worse))
    most = Counter(prompt for prompt, _, _ in pairs).values()
    assert max(most, default=0) <= options.get("max_pairs_per_prompt", 99)


@settings(max_examples=25, deadline=None)
@given(
    rows=st.lists(ROWS, min_size=1, max_size=6), strategy=st.sampled_from(["best-worst", "best-random", "best-vs-all"])
)
def test_pairs_as_verdicts_and_back_are_the_same_pairs(rows, strategy):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made, _ = paired(folder, rows, strategy=strategy)
        verdicts, account = paired(folder, rows, strategy=strategy, to="kto")
        assert account["verdicts"]["wanted"] == account["verdicts"]["unwanted"] == len(made)
        if verdicts:
            back, _ = paired(folder, verdicts)
            assert trios(back) == trios(made)
            assert sorted(row["pair_id"] for row in back) == sorted(row["pair_id"] for row in made)


@st.composite
def trees(draw, depth=3, role="prompter", name="0"):
    """A message of an OASST tree, partly ranked; rank 0 is the best, texts name their place."""
    other = "assistant" if role == "prompter" else "prompter"
    count = draw(st.integers(0, 3)) if depth else 0
    ranks = draw(st.permutations(range(count)))
    known = [draw(st.sampled_from([True, True, False])) for _ in ranks]
    replies = [draw(trees(depth - 1, other, f"{name}.{n}")) for n in range(count)]
    for reply, rank, told in zip(replies, ranks, known, strict=True):
        reply["rank"] = rank if told else None
    return {"message_id": name, "text": f"讯 {name} 完", "role": role, "lang": "zh", "rank": None, "replies": replies}


@settings(max_examples=25, deadline=None)
@given(root=trees(), strategy=st.sampled_from(STRATEGIES))
def test_in_trees_both_answers_are_children_of_one_message_and_the_chosen_one_ranks_better(root, strategy):
    row = {"message_tree_id": "t", "tree_state": "ready_for_export", "prompt": root}
    with tempfile.TemporaryDirectory() as name:
        made, _ = paired(Path(name), [row], strategy=strategy)
    nodes, pending = {}, [(root, ())]
    while pending:
        node, way = pending.pop()
        nodes[node["text"]] = (node, (*way, node["text"]))
        pending += [(reply, (*way, node["text"])) for reply in node["replies"]]
    for one in made:
        (better, way), (worse, other) = nodes[text(one["chosen"])], nodes[text(one["rejected"])]
        assert way[:-1] == other[:-1] == tuple(turn["content"] for turn in one["prompt"])
        assert better["rank"] < worse["rank"]
        assert (one["pair"]["chosen_rank"], one["pair"]["rejected_rank"]) == (better["rank"], worse["rank"])
    answered = [[r["rank"] for r in node["replies"] if r["rank"] is not None] for node, _ in nodes.values()
                if node["role"] == "prompter"]  # fmt: skip
    if strategy == "all":
        assert len(made) == sum(len(ranks) * (len(ranks) - 1) // 2 for ranks in answered)
    elif strategy == "best-worst":
        assert len(made) == sum(len(ranks) > 1 for ranks in answered)


def test_workers_and_containers_change_nothing(tmp_path):
    rows = scored_rows(60)
    files = [write(tmp_path / f"{n}.jsonl", rows[20 * n : 20 * n + 20]) for n in range(3)]
    for workers in (1, 2):
        dataforge.pair(files, output=tmp_path / f"by{workers}.jsonl", strategy="best-random", workers=workers)
    assert (tmp_path / "by1.jsonl").read_bytes() == (tmp_path / "by2.jsonl").read_bytes()
    made = read(tmp_path / "by1.jsonl")
    dataforge.pair(files[::-1], output=tmp_path / "o.parquet", strategy="best-random", workers=1)
    assert len(made) == 60 and len(pq.read_table(tmp_path / "o.parquet")) == 60
    dataforge.pair(tmp_path / "o.parquet", output=tmp_path / "again.json", workers=1)
    again = json.loads((tmp_path / "again.json").read_text(encoding="utf-8"))
    assert trios(again) == trios(made)
    assert {row["pair_id"] for row in again} == {row["pair_id"] for row in made}


def test_the_same_seed_gives_the_same_pairs_and_another_seed_others(tmp_path):
    first, second, other = (
        trios(paired(tmp_path, scored_rows(60), strategy="best-random", seed=seed)[0]) for seed in (7, 7, 8)
    )
    assert first == second != other


@pytest.mark.parametrize("to", [name for name in DIALECTS if name != "oasst-tree"])
def test_every_dialect_that_carries_pairs_gives_the_same_pairs_back(to, tmp_path):
    config = PairConfig(to=to)
    rows = [
        {"prompt": "Name a green tea.", "chosen": "Longjing.", "rejected": "Tea is green."},
        {"prompt": "乌龙茶产自哪里？", "chosen": "福建。", "rejected": "挪威。"},
    ]
    try:
        refuse_target(config)
    except UsageError:
        with pytest.raises(UsageError, match="--to"):
            paired(tmp_path, rows, to=to)
        assert not (tmp_path / "out.jsonl").exists()
        return
    scores = {"score_chosen": 2.0, "score_rejected": 1.0} if to == "webgpt" else {}
    source = write(tmp_path / "in.jsonl", [row | scores for row in rows])
    dataforge.pair(source, output=tmp_path / "there.jsonl", to=to, workers=1)
    options = {"rank_best": "low"} if to == "stackexchange" else {}
    dataforge.pair(tmp_path / "there.jsonl", output=tmp_path / "back.jsonl", workers=1, **options)
    assert trios(read(tmp_path / "back.jsonl")) == sorted((r["prompt"], r["chosen"], r["rejected"]) for r in rows)


# --- the faults that others make ------------------------------------------------------------------------------------


def nectar(*ranks):
    return {
        "prompt": "\n\nHuman: 说一种茶\n\nAssistant: ",
        "answers": [{"answer": f"answer of rank {rank:g}", "rank": rank, "model": None} for rank in ranks],
    }


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_of_ranks_the_lowest_is_chosen_and_no_rejected_answer_outranks_its_chosen_one(tmp_path, strategy):
    for ranks in ([1.0, 2.0, 3.0, 4.0], [4.0, 3.0, 2.0, 1.0], [3.0, 1.0, 4.0, 2.0]):
        made, _ = paired(tmp_path, [nectar(*ranks)], strategy=strategy)
        assert made
        assert all(row["chosen"][0]["content"] < row["rejected"][0]["content"] for row in made)
        if strategy in ("best-worst", "best-random", "best-vs-all"):
            assert {text(row["chosen"]) for row in made} == {"answer of rank 1"}


def ultrafeedback(*answers):
    """Answers (text, overall score, ratings)."""
    return {
        "instruction": "Name a tea.",
        "completions": [
            {"response": said, "model": said, "overall_score": overall, "critique": "",
             "annotations": {aspect: {"Rating": rating} for aspect, rating in zip("hit", ratings, strict=False)}}
            for said, overall, ratings in answers
        ],
    }  # fmt: skip


def test_a_ten_that_was_a_one_is_not_chosen(tmp_path):
    row = ultrafeedback(("bad", 10.0, "111"), ("good", 8.5, "444"), ("middling", 5.0, "333"))
    (made,), account = paired(tmp_path, [row])
    assert (text(made["chosen"]), text(made["rejected"])) == ("good", "middling")
    assert account["answers_by_use"] == {"used": 2, "not_comparable": 1}
    assert account["lost_scores"] == {"overall_score: 10 beside low ratings": 1}


def test_a_rating_that_is_no_number_is_left_out_of_the_mean_and_not_averaged_as_minus_one(tmp_path):
    row = ultrafeedback(("one", None, ["5", "N/A", "5"]), ("two", None, ["4", "4", "4"]))
    (made,), account = paired(tmp_path, [row], score="mean")
    assert (text(made["chosen"]), made["score_chosen"], made["margin"]) == ("one", 5.0, 1.0)
    assert account["lost_scores"] == {"i: N/A": 1}


@pytest.mark.parametrize(
    ("row", "why"),
    [
        (ultrafeedback(("only", 4.0, "4")), "alone"),
        (ultrafeedback(("rated", 4.0, "4"), ("unrated", None, "")), "not_comparable"),
        (ultrafeedback(("one", 4.0, "4"), ("two", 4.0, "4"), ("three", 4.0, "4")), "tie"),
        (ultrafeedback(("the same", 4.0, "4"), ("the  same\n", 2.0, "2")), "same_answer"),
        (ultrafeedback(("a beginning", 4.0, "4"), ("a beginning and its end", 2.0, "2")), "prefix"),
        (ultrafeedback(("same", 1.0, "4"), ("same", 5.0, "5")), "same_answer"),
    ],
)
def test_what_tells_no_two_answers_apart_gives_no_pair_and_says_why(tmp_path, row, why):
    made, account = paired(tmp_path, [row], strategy="all")
    assert made == [] and why in account["answers_by_use"] and "used" not in account["answers_by_use"]


def test_a_row_that_falls_out_moves_no_other_row_to_a_wrong_prompt(tmp_path):
    rows = scored_rows(40, answers=2)
    for number in (0, 7, 8, 39):
        rows[number] = {"prompt": f"broken {number}", "chosen": 5, "rejected": None}
    made, account = paired(tmp_path, rows, on_error="reject")
    assert account["answers"] == 72
    for row in made:
        number = trio(row)[0].removeprefix("问 ").removesuffix("?")
        assert all(f"答 {number} " in answer for answer in trio(row)[1:])
        assert row["pair"]["sources"] == [["in.jsonl", int(number) + 1]] * 2


def compared(first, second, preference, prompt="Q 问"):
    return {
        "instruction": prompt, "output_1": first, "generator_1": "m1", "output_2": second, "generator_2": "m2",
        "annotator": "judge", "preference": preference,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("preference", "chosen"),
    [(1, "one"), (1.0, "one"), (2, "two"), (2.0, "two"), (1.9, "two"), (1.5, None), (0, None), (None, None)],
)
def test_the_answer_that_the_judge_prefers_is_chosen_wherever_it_was_shown(tmp_path, preference, chosen):
    made, _ = paired(tmp_path, [compared("one", "two", preference)])
    assert [text(row["chosen"]) for row in made] == ([chosen] if chosen else [])


def test_votes_of_many_judges_make_one_order_and_best_and_worst_never_coincide(tmp_path):
    rows = [compared("a", "b", 1), compared("b", "a", 1), compared("a", "b", 1), compared("b", "c", 1)]
    made, account = paired(tmp_path, rows)
    assert trios(made) == [("Q 问", "a", "c")]
    assert account["votes"]["votes"] == 4
    made, account = paired(tmp_path, [compared("a", "b", 1), compared("b", "a", 1)])
    assert made == [] and account["answers_by_use"] == {"tie": 4}


def test_a_row_whose_votes_went_into_a_pair_of_another_row_is_kept(tmp_path):
    made, account = paired(tmp_path, [compared("a", "b", 1), compared("a", "b", 1), compared("c", "d", 1.5)])
    assert trios(made) == [("Q 问", "a", "b")] and account["answers"] == 4
    assert [row["fate"] for row in dirty.ledger_of(tmp_path / "out.jsonl.forge")] == ["kept", "kept", "unused"]


def test_two_rows_that_say_the_opposite_of_the_same_answers_give_no_pair(tmp_path):
    rows = [
        {"prompt": "茶?", "chosen": "好", "rejected": "坏"},
        {"prompt": "茶?", "chosen": "坏", "rejected": "好"},
        {"prompt": "水?", "chosen": "坏", "rejected": "好"},
    ]
    made, account = paired(tmp_path, rows)
    assert trios(made) == [("水?", "坏", "好")] and account["answers_by_use"]["contradiction"] == 4


def grade(prompt, answer, helpfulness, verbosity=2, **more):
    return {
        "prompt": prompt, "response": answer, "helpfulness": helpfulness, "correctness": 3, "coherence": 3,
        "complexity": 1, "verbosity": verbosity, **more,
    }  # fmt: skip


def test_rows_of_one_answer_are_joined_by_what_their_prompt_says_however_it_is_written(tmp_path):
    said = [{"role": "user", "content": "茶?"}]
    rows = [
        {"messages": [*said, {"role": "assistant", "content": "好"}], "grade": 4},
        {"instruction": "茶?", "input": "", "output": "坏", "grade": 1},
        {"conversations": [{"from": "human", "value": "茶?"}, {"from": "gpt", "value": "中"}], "grade": 2},
        {"messages": [{"role": "system", "content": "短"}, *said, {"role": "assistant", "content": "别"}], "grade": 0},
    ]
    made, account = paired(tmp_path, rows, score="grade")
    assert trios(made) == [("茶?", "好", "坏")]
    assert account["answers_by_use"] == {"alone": 1, "not_selected": 1, "used": 2}


def test_an_aspect_can_be_left_out_by_arithmetic(tmp_path):
    rows = [grade("Q", "short", 3, verbosity=0), grade("Q", "long and winding", 2, verbosity=4)]
    (wordy,), _ = paired(tmp_path, rows, score="mean")
    (fair,), _ = paired(tmp_path, rows, score="helpfulness + correctness - verbosity")
    assert (text(wordy["chosen"]), text(fair["chosen"])) == ("long and winding", "short")


def test_every_labelled_turn_gives_a_pair_with_its_own_history(tmp_path):
    rows = [
        {
            "conversations": [
                {"from": "human", "value": "一"},
                {"from": "gpt", "value": "好一", "label": "chosen"},
                {"from": "gpt", "value": "坏一", "label": "rejected"},
                {"from": "human", "value": "二"},
                {"from": "gpt", "value": "坏二", "label": "rejected"},
                {"from": "gpt", "value": "好二", "label": "chosen"},
            ]
        }
    ]
    made, _ = paired(tmp_path, rows)
    assert trios(made) == [("一", "好一", "坏一"), ("一|好一|二", "好二", "坏二")]


def test_branches_that_part_in_mid_conversation_keep_tools_and_whole_tails(tmp_path):
    call = {"role": "assistant", "content": None, "tool_calls": [
        {"id": "a1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "上海"}'}}]}  # fmt: skip
    start = [{"role": "user", "content": "上海下雨吗？"}]
    tail = [call, {"role": "tool", "tool_call_id": "a1", "content": "雨"}, {"role": "assistant", "content": "下。"}]
    tools = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]
    row = {"chosen": start + tail, "rejected": [*start, {"role": "assistant", "content": "不知道。"}], "tools": tools}
    (made,), _ = paired(tmp_path, [row])
    assert [turn["role"] for turn in made["chosen"]] == ["assistant", "tool", "assistant"]
    assert made["prompt"] == start and made["tools"][0].get("function", made["tools"][0])["name"] == "weather"
    assert made["chosen"][0]["tool_calls"][0]["function"]["arguments"] == '{"city": "上海"}'
    verdicts, _ = paired(tmp_path, [row], to="kto")
    assert all("tools" in verdict for verdict in verdicts)
    again, _ = paired(tmp_path, [made])
    assert {**again[0], "pair": None} == {**made, "pair": None}


# --- options --------------------------------------------------------------------------------------------------------


def test_ranks_need_a_direction_and_any_key_can_hold_them(tmp_path):
    rows = [{"prompt": "Q", "output": f"answer {place}", "platz": place} for place in (3, 1, 2)]
    with pytest.raises(RowError, match="which end"):
        paired(tmp_path, rows, rank="platz")
    (made,), _ = paired(tmp_path, rows, rank="platz", rank_best="low")
    assert (text(made["chosen"]), text(made["rejected"])) == ("answer 1", "answer 3")
    (made,), _ = paired(tmp_path, rows, rank="platz", rank_best="high")
    assert (text(made["chosen"]), text(made["rejected"])) == ("answer 3", "answer 1")


def test_score_tables_say_which_answers_are_better(tmp_path):
    source = write(
        tmp_path / "a.jsonl", [{"prompt": "问", "response": answer} for answer in ("短", "最长的回答", "中等")]
    )
    dataforge.score(source, **{"with": ("length",)})
    result = dataforge.pair(source, output=tmp_path / "o.jsonl", by_score="answer_chars", workers=1)
    (row,) = read(tmp_path / "o.jsonl")
    assert (*trio(row), row["score_chosen"], row["margin"]) == ("问", "最长的回答", "短", 5.0, 4.0)
    assert result.data["by"]["score"] == 1 and result.data["lost_scores"] == {}
    dataforge.pair(source, output=tmp_path / "two.jsonl", by_score="answer_chars", limit=2, workers=1)
    assert trios(read(tmp_path / "two.jsonl")) == [("问", "最长的回答", "短")]
    with pytest.raises(InputError, match="no score column 'loudness'"):
        dataforge.pair(source, output=tmp_path / "p.jsonl", by_score="loudness", workers=1)
    with pytest.raises(UsageError, match="two things"):
        dataforge.pair(source, output=tmp_path / "p.jsonl", by_score="answer_chars", by="rank")
    with source.open("ab") as file:
        file.write(b'{"prompt": "Q", "response": "A"}\n')
    with pytest.raises(InputError):
        dataforge.pair(source, output=tmp_path / "p.jsonl", by_score="answer_chars", workers=1)


def test_score_tables_count_more_than_the_verdicts_of_the_rows(tmp_path):
    rows = [{"prompt": "Q", "completion": said, "label": said == "short"} for said in ("short", "not so short")]
    source = write(tmp_path / "a.jsonl", rows)
    dataforge.score(source, **{"with": ("length",)})
    for options, better in (({}, "short"), ({"by_score": "answer_chars"}, "not so short")):
        dataforge.pair(source, output=tmp_path / "o.jsonl", workers=1, force=True, **options)
        assert [text(row["chosen"]) for row in read(tmp_path / "o.jsonl")] == [better]


def test_a_score_of_the_row_is_refused_where_the_row_has_several_answers(tmp_path):
    source = write(tmp_path / "a.jsonl", [{"prompt": "Q", "chosen": "a", "rejected": "b"}])
    dataforge.score(source, **{"with": ("length",)})
    with pytest.raises(RowError, match="does not tell its answers apart"):
        dataforge.pair(source, output=tmp_path / "o.jsonl", by_score="n_chars", workers=1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"strategy": "threshold"}, "go together"),
        ({"strategy": "threshold", "high": 1.0, "low": 2.0}, "smaller"),
        ({"high": 1.0}, "go together"),
        ({"to": "kto", "strategy": "adjacent"}, "both wanted and not"),
        ({"to": "alpaca-kto", "strategy": "all"}, "both wanted and not"),
        ({"to": "dpoo"}, "no dialect"),
        ({"to": "openai"}, "not representable"),
        ({"score": "1 + 1"}, "same for every answer"),
        ({"score": "mean", "by_score": "ppl"}, "--by-score and --score"),
        ({"by_score": "ppl", "by": "votes"}, "two things"),
        ({"rank": ""}, "empty"),
        ({"rank_best": "up"}, "not one of"),
        ({"min_margin": -1.0}, "min_margin"),
        ({"strategy": "best"}, "best-worst"),
    ],
)
def test_options_that_cannot_be_meant_are_refused_before_anything_is_written(tmp_path, options, message):
    with pytest.raises(DataforgeError, match=message) as caught:
        paired(tmp_path, scored_rows(2), **options)
    assert caught.value.exit_code == 2
    assert [path.name for path in tmp_path.iterdir()] == ["in.jsonl"]


def test_lengths_are_told_before_and_after_balancing(tmp_path):
    rows = [ranked(f"Q{n}", ("long " * 5 + str(n), 2), (f"s{n}", 1)) for n in range(30)]
    rows += [ranked(f"R{n}", (f"s{n}", 2), ("long " * 5 + str(n), 1)) for n in range(10)]
    write(tmp_path / "in.jsonl", rows)
    result = dataforge.pair(tmp_path / "in.jsonl", output=tmp_path / "o.jsonl", balance_length=True, workers=1)
    before, after = result.data["lengths"]["before"], result.data["lengths"]["after"]
    made = read(tmp_path / "o.jsonl")
    longer = sum(len(trio(row)[1]) > len(trio(row)[2]) for row in made)
    assert (before["longer"], before["pairs"], after["pairs"]) == (0.75, 40, len(made))
    assert after["longer"] == longer / len(made) and 0.48 <= after["longer"] <= 0.52
    shown = [line.split() for line in result.lines if line.strip().startswith(("before", "after"))]
    assert [line[:3] for line in shown] == [
        ["before", "40", "75.0%"],
        ["after", str(len(made)), f"{longer / len(made):.1%}"],
    ]


def test_verdicts_are_counted_by_kind_with_weights_for_kto(tmp_path):
    rows = [ranked(f"Q{n}", ("best 好", 5), ("worse", 2), ("worst", 1)) for n in range(4)]
    _, account = paired(tmp_path, rows, to="kto", strategy="best-vs-all")
    assert account["verdicts"] == {
        "wanted": 8, "unwanted": 8, "wanted_answers": 4, "unwanted_answers": 8,
        "weights": {"desirable": 1.0, "undesirable": 1.0},
    }  # fmt: skip
    verdicts = [{"prompt": f"P{n}", "completion": "答", "label": n < 3} for n in range(12)]
    _, account = paired(tmp_path, verdicts)
    assert account["labelled"] == {"wanted": 3, "unwanted": 9, "weights": {"desirable": 3.0, "undesirable": 1.0}}


# --- the command ----------------------------------------------------------------------------------------------------


def test_the_command_tells_what_it_did_and_ends_with_0_1_or_2(cli, tmp_path):
    source = write(tmp_path / "in.jsonl", scored_rows(3))
    out = tmp_path / "o.jsonl"
    done = cli("pair", source, "-o", out, "--min-margin", "1", "-j", "1")
    assert done.code == 0 and done.out == b"" and "3 pairs of 3 prompts; 6 of 12 answers used" in done.err
    assert "chosen - rejected, characters" in done.err
    assert cli("pair", source, "-o", out).code == 2  # it is there
    with source.open("ab") as file:
        file.write(b'{"prompt": "cut\n')
    stopped = cli("pair", source, "-o", out, "--force", "-j", "1")
    assert stopped.code == 1 and "in.jsonl:4: broken JSON" in stopped.err and out.exists()
    going_on = cli("pair", source, "-o", out, "--force", "-j", "1", "--on-error", "reject")
    assert going_on.code == 1 and len(read(out)) == 3
    assert [row["rule"] for row in dirty.rejects_of(dirty.out_of(out))] == ["broken_json"]
    assert cli("pair", source, "-o", tmp_path / "o.csv").code == 2
    assert cli("pair", tmp_path / "absent.jsonl", "-o", tmp_path / "p.jsonl").code == 2
    assert cli("pair", source, "-o", out, "--strategy", "bset-worst").code == 2


def test_pairs_go_to_standard_output_alone_and_the_report_can_be_json(cli, tmp_path):
    lines = b"".join(dirty.line_of(row) + b"\n" for row in scored_rows(5))
    piped = cli("pair", "-", "-j", "1", "-q", stdin=lines)
    assert piped.code == 0 and piped.err == ""
    assert len([json.loads(line) for line in piped.out.splitlines()]) == 5
    source = tmp_path / "in.jsonl"
    source.write_bytes(lines)
    told = cli("pair", source, "-o", tmp_path / "o.jsonl", "--json", "-j", "1")
    assert json.loads(told.out)["pairs"] == 5
    assert json.loads((tmp_path / "o.jsonl.forge" / "report.json").read_text())["pairs"] == json.loads(told.out)


def test_a_rehearsal_writes_nothing_and_a_limit_reads_the_first_rows_alone(cli, tmp_path):
    source = write(tmp_path / "in.jsonl", scored_rows(5))
    dry = cli("pair", source, "-o", tmp_path / "o.jsonl", "--dry-run")
    assert dry.code == 0 and [path.name for path in tmp_path.iterdir()] == ["in.jsonl"]
    assert cli("pair", source, "-o", tmp_path / "o.jsonl", "--limit", "2", "-j", "1").code == 0
    assert {trio(row)[0] for row in read(tmp_path / "o.jsonl")} == {"问 0?", "问 1?"}


def test_odd_files_are_refused_or_give_nothing_and_say_so(cli, tmp_path):
    empty = tmp_path / "empty.jsonl"
    empty.write_bytes(b"")
    assert "holds no rows" in cli("pair", empty, "-o", tmp_path / "o.jsonl").err
    plain = write(tmp_path / "plain.jsonl", [{"text": "文"}, {"instruction": "Q", "input": "", "output": "A"}])
    done = cli("pair", plain, "-o", tmp_path / "o.jsonl", "-j", "1", "--force")
    assert done.code == 1 and "no pair was made" in done.err
    assert [row["rule"] for row in dirty.ledger_of(tmp_path / "o.jsonl.forge")] == ["no_candidates", "alone"]
    assert (tmp_path / "o.jsonl").read_bytes() == b""


def test_the_same_rows_in_two_files_make_each_pair_once(tmp_path):
    rows = scored_rows(6)
    one, two = write(tmp_path / "a.jsonl", rows), write(tmp_path / "b.jsonl", rows)
    dataforge.pair([one, two], output=tmp_path / "o.jsonl", workers=1)
    made, account = paired(tmp_path, rows)
    assert trios(read(tmp_path / "o.jsonl")) == trios(made)
    assert account["repeated"] == 0


def test_an_output_that_cannot_be_written_leaves_nothing(tmp_path, monkeypatch):
    source = write(tmp_path / "in.jsonl", scored_rows(3))
    monkeypatch.setattr("dataforge.ops.pair.pair_lines", _interrupted)
    with pytest.raises(KeyboardInterrupt):
        dataforge.pair(source, output=tmp_path / "o.jsonl", workers=1)
    assert [path.name for path in tmp_path.iterdir()] == ["in.jsonl"]
    with pytest.raises(OutputError):
        dataforge.pair(source, output=tmp_path / "in.jsonl" / "o.jsonl", workers=1)


def _interrupted(*_args, **_options):
    yield b'{"half": '
    raise KeyboardInterrupt


# --- real files -----------------------------------------------------------------------------------------------------

real = pytest.mark.skipif(not DATA.is_dir(), reason="no real data here; DATAFORGE_DATA names its folder")
JUDGED = [
    DATA / f"alpaca_eval__{name}__annotations.json" for name in ("alpaca-7b", "claude-2", "gpt4", "zephyr-7b-beta")
]


def stand(one, other):
    """Answers that neither say the same nor begin alike from the first to the last character of one."""
    one, other = "".join(one.split()), "".join(other.split())
    return bool(one and other) and not one.startswith(other) and not other.startswith(one) if one != other else False


def real_rows(name):
    rows = json.loads((DATA / name).read_text(encoding="utf-8"))
    return rows["data"] if isinstance(rows, dict) else rows


@real
def test_four_judges_joined_give_the_pairs_that_a_plain_count_gives(tmp_path):
    votes, prompts = {}, {}
    for file in JUDGED:
        for row in real_rows(file.name):
            if row["preference"] in (None, 0):
                continue
            share = votes.setdefault((row["instruction"], row["output_2"]), [0.5, 0.5, row["output_1"]])
            share[0] += row["preference"] - 1
            share[1] += 2 - row["preference"]
    for (prompt, answer), (won, lost, reference) in votes.items():  # a star: each answer against the reference alone
        prompts.setdefault(prompt, {reference: 0.0})[answer] = round(log(won / lost), 6)
    good = {p: [(a, b) for a in v for b in v if v[a] > v[b] and stand(a, b)] for p, v in prompts.items()}
    expected = {
        "best-worst": sum(map(bool, good.values())),
        "best-random": sum(map(bool, good.values())),
        "adjacent": sum(len({prompts[p][a] for a, _ in pairs}) for p, pairs in good.items()),
        "all": sum(map(len, good.values())),
    }
    for strategy, count in expected.items():
        dataforge.pair(JUDGED, output=tmp_path / f"{strategy}.jsonl", strategy=strategy, workers=1)
        made = read(tmp_path / f"{strategy}.jsonl")
        assert len(made) == count
        assert all((row["chosen"][0]["content"], row["rejected"][0]["content"]) in good[trio(row)[0]] for row in made)


@real
def test_answers_of_two_models_join_by_prompt_and_need_something_that_says_which_is_better(tmp_path):
    names = ["alpaca_eval__gpt4__model_outputs.json", "alpaca_eval__claude-2__model_outputs.json"]
    files = [tmp_path / name for name in names]
    for name, file in zip(names, files, strict=True):
        file.write_bytes((DATA / name).read_bytes())
    told = dataforge.pair(files, output=tmp_path / "none.jsonl", group_by="prompt", workers=1).data
    assert (told["pairs"], told["prompts"], told["answers_by_use"]) == (0, 300, {"not_comparable": 600})
    dataforge.score(files, **{"with": ("length",)})
    dataforge.pair(files, output=tmp_path / "o.jsonl", by_score="answer_chars", workers=1)
    one, two = ({row["instruction"]: row["output"] for row in real_rows(name)} for name in names)
    expected = {
        (prompt, *sorted((one[prompt], two[prompt]), key=len, reverse=True))
        for prompt in one
        if len(one[prompt]) != len(two[prompt]) and stand(one[prompt], two[prompt])
    }
    assert set(trios(read(tmp_path / "o.jsonl"))) == expected


@real
def test_reviews_in_both_orders_make_pairs_and_tell_of_position_bias(tmp_path):
    rows = real_rows("cherry_llm__vicuna_wrap_reviews_gpt4.json")
    made, account = paired(tmp_path, rows)
    won, sums = Counter(), {}
    for row in rows:
        (a, b), (y, x) = json.loads(row["scores"]), json.loads(row["scores_reverse"])
        forward, backward = (a > b) - (a < b), (y > x) - (y < x)  # 1: the answer shown first
        won[forward, backward] += 1
        sums[row["text"], row["Answer1"], row["Answer2"]] = forward - backward
    assert len(made) == sum(total != 0 and stand(one, two) for (_, one, two), total in sums.items())
    assert all(
        sums.get(trio(row), 0) > 0 or sums.get((trio(row)[0], trio(row)[2], trio(row)[1]), 0) < 0 for row in made
    )
    bias = account["position_bias"]
    assert bias["both_orders"] == len(rows)
    assert bias["consistent"] == won[1, -1] + won[-1, 1] + won[0, 0]
    assert (bias["first_twice"], bias["second_twice"]) == (won[1, 1], won[-1, -1])
    assert bias["half_tied"] == sum(count for key, count in won.items() if (0 in key) and key != (0, 0))
    shares = [(1 + outcome) / 2 for key, count in won.items() for outcome in key for _ in range(count)]
    assert bias["first_share"] == pytest.approx(sum(shares) / len(shares), abs=1e-6)


@real
@pytest.mark.parametrize("name", ["lf_dpo_en_demo.json", "lf_dpo_zh_demo.json"])
def test_ready_made_pairs_lose_only_repeated_and_meaningless_ones(tmp_path, name):
    given = {
        ("|".join(turn["value"] for turn in row["conversations"]), row["chosen"]["value"], row["rejected"]["value"])
        for row in real_rows(name)
    }
    expected = sorted((p, a, b) for p, a, b in given if stand(a, b) and (p, b, a) not in given)
    for strategy in ("best-worst", "all"):
        made, _ = paired(tmp_path, real_rows(name), strategy=strategy)
        assert trios(made) == expected


@real
def test_verdicts_on_the_same_prompt_become_pairs(tmp_path):
    rows = real_rows("lf_kto_en_demo.json")
    sides = {}
    for row in rows:
        *prompt, answer = [turn["content"] for turn in row["messages"]]
        sides.setdefault("|".join(prompt), {True: set(), False: set()})[row["label"]].add(answer)
    expected = sum(
        any(stand(good, bad) for good in side[True] - side[False] for bad in side[False] - side[True])
        for side in sides.values()
    )
    made, account = paired(tmp_path, rows)
    assert len(made) == expected
    labels = Counter(row["label"] for row in rows)
    assert (account["labelled"]["wanted"], account["labelled"]["unwanted"]) == (labels[True], labels[False])


def test_the_margin_of_labelled_pairs_is_what_their_scores_say_where_these_agree(tmp_path):
    rows = [
        {"prompt": f"问 {n}", "chosen": "好的回答", "rejected": "差的回答", "score_chosen": a, "score_rejected": b}
        for n, (a, b) in enumerate([(4.5, 1.0), (1.0, 3.0)])
    ] + [{"prompt": "问 9", "chosen": "好", "rejected": "差"}]
    made, account = paired(tmp_path, rows)
    assert [row["margin"] for row in made] == [3.5, 1.0, 1.0] and account["labels_against_scores"] == 1


def test_verdicts_keep_the_scores_and_models_of_their_answers(tmp_path):
    rows = [
        {
            "prompt": "问",
            "responses": [{"content": "好", "score": 5, "model": "a"}, {"content": "差", "score": 1, "model": "b"}],
        }
    ]
    made, _ = paired(tmp_path, rows, to="kto")
    assert [(row["label"], row["score"], row["model"]) for row in made] == [(True, 5.0, "a"), (False, 1.0, "b")]


def test_the_same_question_about_another_picture_is_another_prompt(tmp_path):
    rows = [
        {
            "messages": [{"role": "user", "content": "<image>这是什么？"}, {"role": "assistant", "content": text}],
            "label": good,
            "images": [image],
        }
        for text, good, image in [("猫", True, "a.png"), ("狗", False, "b.png"), ("鱼", False, "a.png")]
    ]
    made, account = paired(tmp_path, rows)
    assert [(row["chosen"][0]["content"], row["rejected"][0]["content"], row["images"]) for row in made] == [
        ("猫", "鱼", ["a.png"])
    ]
    assert account["prompts"] == 2


def test_pairs_that_the_target_cannot_carry_are_rejected_by_name_and_place(tmp_path):
    call = {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "c", "type": "function", "function": {"name": "查", "arguments": "{}"}}],
    }
    rows = [
        {
            "prompt": [{"role": "user", "content": "一"}],
            "chosen": [{"role": "assistant", "content": "好"}],
            "rejected": [{"role": "assistant", "content": "差"}],
        },
        {
            "prompt": [{"role": "user", "content": "二"}],
            "chosen": [call],
            "rejected": [{"role": "assistant", "content": "差"}],
        },
    ]
    path = tmp_path / "in.jsonl"
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    with pytest.raises(RowError, match="alpaca-preference") as fault:
        dataforge.pair(path, tmp_path / "a.jsonl", to="alpaca-preference")
    assert fault.value.place.startswith(f"{path}:2") and fault.value.exit_code == 1
    result = dataforge.pair(path, tmp_path / "b.jsonl", to="alpaca-preference", on_error="reject")
    assert (result.counts.kept, result.counts.errors, result.counts.rows_out, result.exit_code) == (1, 1, 1, 1)
    reject = json.loads((tmp_path / "b.jsonl.forge" / "rejects.jsonl").read_text())
    assert reject["line"] == 2 and "二" in reject["raw"] and reject["rule"] == "not_representable:alpaca-preference"
    assert result.data["answers_by_use"]["not_representable"] == 2
