"""The loop: token weighting, conservation, resume to the bit."""

from __future__ import annotations

import json
import math
import shutil

import pytest
import torch
from conftest import CPU, MemoryRows, packed_row, small_model

from dataforge.errors import ConservationError, DataError
from dataforge.train.checkpoint import last_checkpoint
from dataforge.train.config import TrainConfig
from dataforge.train.loop import Task, make_optimizer, train_loop
from dataforge.train.model import add_adapters
from dataforge.train.plan import make_plan

ROWS = MemoryRows(
    packed_row(*lengths, seed=n) for n, lengths in enumerate([(9, 4), (16,), (2, 2, 3), (11, 5), (5,), (8, 8)])
)


def task(model=None, *, rows=ROWS, trained=None, **settings):
    config = TrainConfig(model="m", **{"learning_rate": 1e-2, "warmup": 0.2, "tokens_per_step": 40, **settings})
    model = add_adapters(small_model() if model is None else model, config, seed=0)
    plan = make_plan(
        rows.row_lengths,
        tokens_per_step=config.tokens_per_step,
        epochs=config.epochs,
        max_steps=config.max_steps,
        seed=5,
    )
    return Task(model, rows, plan, config, CPU, "documents", rows.trained if trained is None else trained)


def weights(model):
    return {name: parameter.detach().clone() for name, parameter in model.named_parameters()}


def lines(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def test_micro_batches_change_nothing_but_memory(tmp_path):
    results = []
    for number, micro in enumerate([1, 20, 30, 1000]):
        work = task(micro_tokens=micro, epochs=4)
        train_loop(work, tmp_path / str(number))
        results.append((weights(work.model), lines(tmp_path / str(number))))
    for other, metrics in results[1:]:
        for line, first in zip(metrics, results[0][1], strict=True):
            assert line["loss"] == pytest.approx(first["loss"], abs=1e-5)
            assert line["grad_norm"] == pytest.approx(first["grad_norm"], abs=1e-4)
        for name, value in results[0][0].items():
            torch.testing.assert_close(other[name], value, atol=2e-4, rtol=0)


def test_the_loss_of_a_step_is_the_mean_over_its_supervised_tokens(tmp_path):
    """The oracle is a plain cross entropy over each document alone."""
    work = task(max_steps=1, micro_tokens=1)
    (step,) = work.plan
    total, count = 0.0, 0
    model = small_model(attention="eager")
    for index in step.rows:
        ids, labels, lengths = ROWS.row(int(index))
        start = 0
        for length in lengths:
            part = torch.from_numpy(ids[start : start + length]).long()[None]
            wanted = torch.from_numpy(labels[start : start + length]).long()
            with torch.no_grad():
                logits = model(input_ids=part, use_cache=False).logits[0, :-1]
            total += float(torch.nn.functional.cross_entropy(logits, wanted[1:], reduction="sum", ignore_index=-100))
            count += int((wanted[1:] != -100).sum())
            start += length
    train_loop(work, tmp_path)
    (line,) = lines(tmp_path)
    assert line["trained_tokens"] == count
    assert line["loss"] == pytest.approx(total / count, abs=1e-5)


def test_every_supervised_token_is_trained_once_an_epoch(tmp_path):
    totals = train_loop(task(epochs=3), tmp_path)
    assert totals.trained == 3 * ROWS.trained
    assert totals.tokens == 3 * ROWS.row_lengths.sum()
    assert sum(line["trained_tokens"] for line in lines(tmp_path)) == 3 * ROWS.trained


def test_shards_that_promise_another_number_of_trained_tokens_are_noticed(tmp_path):
    with pytest.raises(ConservationError, match="epoch 1 trained"):
        train_loop(task(trained=ROWS.trained + 1), tmp_path)


def test_a_loss_that_is_not_finite_stops_before_the_weights_are_touched(tmp_path):
    model = small_model()
    with torch.no_grad():
        model.lm_head.weight[3, 0] = math.inf
    before = weights(model)
    with pytest.raises(DataError, match=r"step 1: the loss is (nan|inf)"):
        train_loop(task(model), tmp_path)
    assert all(torch.equal(before[name], value) for name, value in weights(model).items())


def test_a_step_without_supervised_tokens_updates_nothing(tmp_path):
    rows = MemoryRows([packed_row(8, 4, trained=0.0)])
    model = small_model()
    before = weights(model)
    totals = train_loop(task(model, rows=rows, weight_decay=0.5), tmp_path)
    assert (totals.step, totals.trained, totals.loss) == (1, 0, None)
    assert lines(tmp_path)[0]["loss"] is None
    assert all(torch.equal(before[name], value) for name, value in weights(model).items())


def test_weight_decay_spares_norms_and_biases():
    optimizer = make_optimizer(small_model("gpt2"), TrainConfig(model="m", weight_decay=0.3))
    decayed, spared = optimizer.param_groups
    assert decayed["weight_decay"] == 0.3 and all(p.ndim >= 2 for p in decayed["params"])
    assert spared["weight_decay"] == 0.0 and all(p.ndim == 1 for p in spared["params"])


def test_gradients_are_clipped_to_the_norm_and_the_metrics_show_the_norm_before(tmp_path):
    unclipped, clipped = task(max_steps=1, max_grad_norm=0.0), task(max_steps=1, max_grad_norm=1e-9)
    train_loop(unclipped, tmp_path / "a")
    train_loop(clipped, tmp_path / "b")
    assert lines(tmp_path / "a")[0]["grad_norm"] == lines(tmp_path / "b")[0]["grad_norm"] > 1e-3


KINDS = {
    "full": {},
    "attention dropout": {"changes": {"attention_dropout": 0.2}},
    "lora with dropout": {"lora_r": 4, "lora_dropout": 0.3},
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("stop", [2, 5])
def test_a_run_that_goes_on_from_a_checkpoint_ends_with_the_same_bits(kind, stop, tmp_path):
    settings = {"epochs": 4, "save_every": 1, "micro_tokens": 20, **KINDS[kind]}
    changes = settings.pop("changes", {})
    whole = task(small_model(**changes), **settings)
    train_loop(whole, tmp_path / "whole")

    class Killed(Exception):
        pass

    def dies(model, batch, *, weight, calls=[0]):  # noqa: B006
        calls[0] += 1
        if calls[0] > 2 * stop:
            raise Killed
        return whole.loss(model, batch, weight=weight)

    first = task(small_model(**changes), **settings)
    with pytest.raises(Killed):
        train_loop(Task(**{**vars(first), "loss": dies}), tmp_path / "parts")
    assert last_checkpoint(tmp_path / "parts") is not None
    with open(tmp_path / "parts" / "metrics.jsonl", "a") as file:
        file.write('{"step": 99')  # a line cut short by the kill
    second = task(small_model(**changes), **settings)
    train_loop(second, tmp_path / "parts")
    for name, value in weights(whole.model).items():
        assert torch.equal(value, weights(second.model)[name]), name
    keys = ("step", "loss", "grad_norm", "learning_rate", "trained_tokens")
    kept = [[line[key] for key in keys] for line in lines(tmp_path / "parts")]
    assert kept == [[line[key] for key in keys] for line in lines(tmp_path / "whole")]


def test_dropout_makes_a_difference_in_the_test_above(tmp_path):
    one, other = task(lora_r=4, max_steps=2), task(lora_r=4, lora_dropout=0.3, max_steps=2)
    train_loop(one, tmp_path / "a")
    train_loop(other, tmp_path / "b")
    # The first step is the same for both: adapters start at zero.
    assert lines(tmp_path / "a")[1]["loss"] != lines(tmp_path / "b")[1]["loss"]


def test_only_the_last_two_checkpoints_are_kept_and_half_ones_are_ignored(tmp_path):
    train_loop(task(epochs=4, save_every=1), tmp_path)
    found = sorted(path.name for path in tmp_path.glob("step-*"))
    assert len(found) == 2
    assert last_checkpoint(tmp_path).name == found[-1]
    (tmp_path / "step-00000099.partial").mkdir()
    (tmp_path / "step-00000099.partial" / "checkpoint.json").write_text("{}")
    (tmp_path / "step-00000098").mkdir()
    assert last_checkpoint(tmp_path).name == found[-1]
    assert not list(tmp_path.rglob("*.pt")) and not list(tmp_path.rglob("*.pkl"))
    shutil.rmtree(tmp_path / found[-1])
    assert last_checkpoint(tmp_path).name == found[0]


def test_checkpoints_of_adapters_hold_the_adapters_only(tmp_path):
    from safetensors.torch import load_file

    train_loop(task(lora_r=2, max_steps=2, save_every=1), tmp_path)
    names = load_file(last_checkpoint(tmp_path) / "weights.safetensors")
    assert names and all("lora_" in name for name in names)


def test_gradient_checkpointing_changes_no_result(tmp_path):
    plain, saving = task(max_steps=3), task(max_steps=3)
    saving.model.activation_checkpointing_enable({"use_reentrant": False})
    train_loop(plain, tmp_path / "a")
    train_loop(saving, tmp_path / "b")
    for name, value in weights(plain.model).items():
        torch.testing.assert_close(weights(saving.model)[name], value, atol=1e-6, rtol=1e-5)


def test_tiny_steps_move_float32_weights_as_far_as_they_should():
    """bfloat16 weights would not move at all at this rate: their spacing is larger than the step."""
    model = small_model()
    optimizer = make_optimizer(model, TrainConfig(model="m", learning_rate=1e-6))
    before = model.lm_head.weight.detach().clone()
    for _ in range(100):
        for parameter in model.parameters():
            parameter.grad = torch.ones_like(parameter)
        optimizer.step()
    moved = float((before - model.lm_head.weight.detach()).mean())
    assert 0.9e-4 < moved < 1.1e-4
