"""Real preference files: what they offer to choose from, counted again by a few lines that know nothing of dataforge."""

import json
import os
from collections import Counter
from pathlib import Path

import pytest
from asking import choice

DATA = Path(os.environ.get("DATAFORGE_DATA", Path(__file__).resolve().parents[4] / "shared" / "data")) / "preference"
if not DATA.is_dir():
    pytest.skip("no real data here; DATAFORGE_DATA names its folder", allow_module_level=True)


def rows_of(name):
    text = (DATA / name).read_text(encoding="utf-8")
    rows = [json.loads(line) for line in text.splitlines()] if name.endswith("jsonl") else json.loads(text)
    return rows["data"] if isinstance(rows, dict) else rows


ANNOTATIONS = [f"alpaca_eval__{name}__annotations.json" for name in ("alpaca-7b", "claude-2", "gpt4", "zephyr-7b-beta")]


@pytest.mark.parametrize("name", ANNOTATIONS)
def test_preferences_of_alpaca_eval_are_as_many_votes_as_they_say_something(name):
    rows = rows_of(name)
    said = Counter({1: 1.0, 2: 0.0, 1.5: 0.5}.get(row["preference"]) for row in rows)
    found = [choice(row) for row in rows]
    votes = Counter(one.votes[0].won if one.votes else None for one in found)
    assert votes == said and sum(votes.values()) == 300
    assert all(one.votes or all(entry.lost for entry in one.entries) for one in found)
    assert {entry.model for one in found for entry in one.entries} == {rows[0]["generator_1"], rows[0]["generator_2"]}


def test_outputs_and_annotations_of_the_same_model_are_the_same_answers_to_the_same_prompts():
    outputs, annotated = (
        rows_of("alpaca_eval__gpt4__model_outputs.json"),
        rows_of("alpaca_eval__gpt4__annotations.json"),
    )
    single = {(one.prompt[0].text, e.answer[0].text, e.model) for one in map(choice, outputs) for e in one.entries}
    second = {
        (one.prompt[0].text, one.entries[1].answer[0].text, one.entries[1].model) for one in map(choice, annotated)
    }
    assert single == {(row["instruction"], row["output"], row["generator"]) for row in outputs}
    assert second == {(row["instruction"], row["output_2"], row["generator_2"]) for row in annotated}


def test_reviews_in_both_orders_are_two_votes_each_and_their_outcomes_add_up():
    rows = rows_of("cherry_llm__vicuna_wrap_reviews_gpt4.json")
    expected = Counter()
    for row in rows:
        (a, b), (y, x) = json.loads(row["scores"]), json.loads(row["scores_reverse"])
        expected[(a > b) - (a < b), (x > y) - (x < y)] += 1
    got = Counter()
    for one in map(choice, rows):
        forward, backward = one.votes
        assert (forward.first, forward.second, backward.first, backward.second) == (0, 1, 1, 0)
        got[int(2 * forward.won - 1), int(1 - 2 * backward.won)] += 1
    assert got == expected and sum(got.values()) == 80


@pytest.mark.parametrize("name", ["lf_dpo_en_demo.json", "lf_dpo_zh_demo.json"])
def test_pairs_keep_their_sides(name):
    for row in rows_of(name):
        one = choice(row)
        assert len(one.prompt) == len(row["conversations"])
        sides = {entry.label: entry.answer[0].text for entry in one.entries}
        assert sides == {side: row[side]["value"] for side in ("chosen", "rejected")}


def test_verdicts_are_as_many_of_each_kind_as_the_file_has():
    rows = rows_of("lf_kto_en_demo.json")
    labels = Counter(choice(row).entries[0].label for row in rows)
    assert labels == {
        "chosen": sum(row["label"] is True for row in rows),
        "rejected": sum(not row["label"] for row in rows),
    }


def test_pairs_of_whole_conversations_keep_the_shared_beginning_as_the_prompt():
    for row in rows_of("lf_v1_dpo_demo.jsonl"):
        one = choice(row)
        assert [len(one.prompt) + len(entry.answer) for entry in one.entries] == [
            len(row["chosen_messages"]),
            len(row["rejected_messages"]),
        ]
