"""What a review of pair found: texts that only escapes can spell, no rows, margins without end, equal answers."""

import json

import numpy as np
import pytest
from slow_decision import Answer, table_of

import dataforge
from dataforge.ops.preference import guards
from dataforge.ops.preference.decision import decide
from dataforge.ops.preference.strategy import Strategy


def ranked(prompt, *answers):
    keys = ("content", "score", "model")
    return {"prompt": prompt, "responses": [dict(zip(keys, answer, strict=False)) for answer in answers]}


def paired(folder, *rows, **options):
    """The pairs of some rows, as the file has them."""
    (folder / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="ascii")
    dataforge.pair(str(folder / "in.jsonl"), str(folder / "out.jsonl"), quiet=True, force=True, **options)

    def refuse(name):
        raise AssertionError(f"{name} is no JSON")

    lines = (folder / "out.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line, parse_constant=refuse) for line in lines]


def test_half_characters_in_prompts_answers_and_models_come_through(tmp_path):
    half, opening = "\ud800", "开头" * 20
    rows = [ranked(f"问{half}", (f"{opening}{half}好", 3, f"甲{half}"), (f"{opening}{half}", 2), (f"坏{half}", 1))]
    pairs = paired(tmp_path, *rows, strategy="all")
    said = [(pair["chosen"][0]["content"], pair["rejected"][0]["content"]) for pair in pairs]
    assert sorted(said) == sorted([(f"{opening}{half}好", f"坏{half}"), (f"{opening}{half}", f"坏{half}")])
    assert {pair.get("chosen_model") for pair in pairs} == {f"甲{half}", None}
    assert {pair["prompt"][0]["content"] for pair in pairs} == {f"问{half}"}


def test_no_rows_give_no_pairs(tmp_path):
    assert paired(tmp_path, ranked("问", ("好", 2), ("坏", 1)), limit=0) == []


@pytest.mark.parametrize("strategy", ["best-worst", "all"])
def test_a_margin_is_a_finite_number(tmp_path, strategy):
    (pair,) = paired(tmp_path, ranked("问", ("好", 1e308), ("坏", -1e308)), strategy=strategy)
    assert pair["margin"] == np.finfo(np.float64).max


@pytest.mark.parametrize("turn", [1, -1])
def test_of_the_same_answer_by_several_models_one_speaks_whatever_the_order(tmp_path, turn):
    answers = [("好", 2, "甲"), ("好", 2, "乙"), ("好", 2, "丙"), ("坏", 1, "a"), ("坏", 1, "b")]
    first = paired(tmp_path, ranked("问", *answers))
    moved = paired(tmp_path, ranked("问", *np.roll(np.array(answers, object), 2 * turn, axis=0).tolist()))
    assert first == moved


def test_texts_of_a_large_group_are_read_once(monkeypatch):
    monkeypatch.setattr(guards, "ASKED", 7)
    table, read = table_of([Answer(0, f"答{n}", score=float(n)) for n in range(30)]), []
    texts = table.texts

    def reading(numbers):
        read.extend(np.asarray(numbers).tolist())
        return texts(numbers)

    table.texts = reading
    free = decide(table, Strategy("all"))
    assert sorted(read) == list(range(30))
    monkeypatch.setattr(guards, "HELD", 0)
    assert decide(table, Strategy("all")).report == free.report
