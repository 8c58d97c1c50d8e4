"""Which rows make which step."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataforge.errors import UsageError
from dataforge.train.config import TrainConfig, learning_rate
from dataforge.train.plan import group, make_plan

LENGTHS = st.lists(st.integers(1, 50), min_size=1, max_size=40)


@given(lengths=LENGTHS, limit=st.integers(1, 120))
def test_groups_cover_all_rows_in_order_within_the_limit_and_take_as_many_as_fit(lengths, limit):
    lengths = np.array(lengths)
    runs = group(lengths, limit)
    assert [i for run in runs for i in range(run.start, run.stop)] == list(range(len(lengths)))
    for run in runs:
        size = lengths[run].sum()
        assert size <= limit or run.stop - run.start == 1
        assert run.stop == len(lengths) or size + lengths[run.stop] > limit


@given(lengths=LENGTHS, epochs=st.integers(1, 3), seed=st.integers(0, 2**40), limit=st.integers(1, 120))
def test_every_epoch_holds_every_row_once(lengths, epochs, seed, limit):
    plan = make_plan(np.array(lengths), tokens_per_step=limit, epochs=epochs, max_steps=None, seed=seed)
    steps = list(plan)
    assert [step.number for step in steps] == list(range(plan.steps))
    for epoch in range(epochs):
        rows = np.concatenate([step.rows for step in steps if step.epoch == epoch])
        assert sorted(rows.tolist()) == list(range(len(lengths)))
    assert sum(step.ends_epoch for step in steps) == epochs


@given(lengths=LENGTHS, done=st.integers(0, 30), seed=st.integers(0, 9))
def test_the_rest_of_a_plan_is_the_plan_without_its_beginning(lengths, done, seed):
    plan = make_plan(np.array(lengths), tokens_per_step=60, epochs=1, max_steps=31, seed=seed)
    whole = [step.rows.tolist() for step in plan]
    assert [step.rows.tolist() for step in plan.after(done)] == whole[done:]
    assert len(whole) == 31


def test_epochs_and_seeds_shuffle_differently():
    plan = make_plan(np.full(50, 10), tokens_per_step=500, epochs=2, max_steps=None, seed=0)
    first, second = (step.rows.tolist() for step in plan)
    other = make_plan(np.full(50, 10), tokens_per_step=500, epochs=2, max_steps=None, seed=1)
    assert first != second
    assert first != next(iter(other)).rows.tolist()


def test_the_learning_rate_rises_to_its_peak_and_falls_on_a_cosine_to_zero():
    config = TrainConfig(model="m", learning_rate=1.0, warmup=0.1)
    rates = [learning_rate(step, 100, config) for step in range(101)]
    assert rates[:10] == pytest.approx([0.1 * k for k in range(1, 11)])
    assert rates[10] == 1.0
    assert rates[55] == pytest.approx(0.5)
    assert rates[100] == pytest.approx(0.0)
    assert rates[32] == pytest.approx((1 + math.cos(math.pi * 22 / 90)) / 2)
    assert learning_rate(0, 1, TrainConfig(model="m", learning_rate=1.0, warmup=0.0)) == 1.0


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "one of --model and --init"),
        ({"model": "m", "init": "c"}, "one of --model and --init"),
        ({"init": "c"}, "--init needs --tokenizer"),
        ({"init": "c", "tokenizer": "t", "lora_r": 4}, "--lora-r"),
        ({"model": "m", "merge": True}, "--merge"),
        ({"model": "m", "epochs": 0}, "--epochs: 0 is out of range"),
        ({"model": "m", "attention": "flash"}, "--attention: 'flash' is not one of"),
    ],
)
def test_settings_that_do_not_go_together_are_refused_by_name(values, message):
    with pytest.raises(UsageError, match=message):
        TrainConfig(**values)
