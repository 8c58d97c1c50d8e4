"""`train sft` and `train cpt` from rows to a model folder."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import dataforge
from dataforge.errors import DataError, DataforgeError, InputError, OutputError, UsageError
from dataforge.train.model import load_model, weights_hash

QUICK = {"max_length": 64, "tokens_per_step": 96, "learning_rate": 1e-2, "quiet": True, "workers": 1}


def sft(places, output, rows=None, **settings):
    settings = {"model": places.model, **QUICK, **settings}
    return dataforge.train_sft(rows or places.chat, str(output), **settings)


@pytest.fixture(scope="module")
def shards(places):
    folder = str(places.root / "shards")
    dataforge.shard(places.chat, folder, tokenizer=places.tokenizer, max_length=64, workers=1, quiet=True)
    return folder


def test_rows_become_a_model_folder_with_all_that_describes_it(places, tmp_path):
    result = sft(places, tmp_path / "out", epochs=3)
    out = tmp_path / "out"
    assert {"config.json", "model.safetensors", "tokenizer.json", "metrics.jsonl", "run.json"} <= set(os.listdir(out))
    run = json.loads((out / "run.json").read_text())
    assert run == result.data
    steps = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in steps] == list(range(1, run["steps"] + 1))
    assert steps[-1]["loss"] < steps[0]["loss"]
    assert (
        run["trained_tokens"] == 3 * run["data"]["tokens"]["trained"] == sum(line["trained_tokens"] for line in steps)
    )
    tokens = run["data"]["tokens"]
    assert tokens["in"] == tokens["trained"] + tokens["masked"] + tokens["truncated"] + tokens["dropped"]
    assert run["model"]["weights_after"] == weights_hash(load_model(str(out)))
    assert not (tmp_path / "out.forge" / "partial").exists()
    assert json.loads((tmp_path / "out.forge" / "report.json").read_text())["tokens_per_second"] > 0


def test_the_same_run_gives_the_same_bytes_and_no_absolute_path(places, tmp_path):
    for name in ("a", "b"):
        sft(places, tmp_path / name)
    for file in ("run.json", "model.safetensors"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
    assert str(places.root) not in (tmp_path / "a" / "run.json").read_text()
    assert (tmp_path / "a" / "run.json").read_text().count("seconds") == 0


def test_shards_and_the_rows_they_were_made_from_train_the_same_model(places, shards, tmp_path):
    one, other = sft(places, tmp_path / "rows"), sft(places, tmp_path / "shards", rows=shards)
    assert one.data["model"]["weights_after"] == other.data["model"]["weights_after"]


def test_random_weights_from_a_config_learn_documents(places, tmp_path):
    settings = {**QUICK, "init": places.config, "tokenizer": places.tokenizer, "epochs": 4}
    result = dataforge.train_cpt(places.texts, str(tmp_path / "out"), eval=[places.texts, places.chat], **settings)
    learned, other = result.data["eval"]
    assert learned["after"] < learned["before"] - 0.5
    assert (learned["file"], other["file"]) == ("texts.jsonl", "chat.jsonl")
    assert learned["after"] == pytest.approx(
        dataforge.eval([places.texts], model=str(tmp_path / "out"), quiet=True).data[0]["loss"], abs=1e-6
    )
    assert any("texts.jsonl" in line and "before" in line for line in result.lines)


def test_adapters_are_written_as_adapters_or_merged(places, tmp_path):
    sft(places, tmp_path / "adapter", lora_r=4, lora_dropout=0.1)
    assert (tmp_path / "adapter" / "adapter_model.safetensors").is_file()
    assert not (tmp_path / "adapter" / "model.safetensors").exists()
    sft(places, tmp_path / "merged", lora_r=4, lora_dropout=0.1, merge=True)
    files = [str(tmp_path / "adapter"), str(tmp_path / "merged")]
    losses = [dataforge.eval([places.chat], model=file, quiet=True).data[0]["loss"] for file in files]
    assert losses[0] == pytest.approx(losses[1], abs=1e-5)


def test_no_steps_save_the_untrained_model(places, tmp_path):
    result = sft(places, tmp_path / "out", max_steps=0)
    assert result.data["steps"] == 0 and result.data["last_loss"] is None
    assert weights_hash(load_model(str(tmp_path / "out"))) == weights_hash(load_model(places.model))


def test_an_existing_output_is_refused_and_kept(places, tmp_path):
    sft(places, tmp_path / "out", max_steps=1)
    before = (tmp_path / "out" / "model.safetensors").read_bytes()
    with pytest.raises(OutputError, match="exists already"):
        sft(places, tmp_path / "out", max_steps=2)
    assert (tmp_path / "out" / "model.safetensors").read_bytes() == before
    sft(places, tmp_path / "out", max_steps=2, force=True)
    assert (tmp_path / "out" / "model.safetensors").read_bytes() != before
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("keep me")
    with pytest.raises(OutputError, match="not replaced"):
        sft(places, tmp_path / "mine", force=True)
    assert (tmp_path / "mine" / "thesis.txt").exists()


def test_a_dry_run_says_what_would_happen_and_writes_nothing(places, tmp_path):
    result = sft(places, tmp_path / "out", dry_run=True, lora_r=2)
    text = "\n".join(result.lines)
    assert result.data["rows"] >= 1 and result.data["trained_parameters"] < result.data["parameters"]
    assert f"{result.data['steps']} steps" in text
    assert "masked   <|im_start|>user" in text and "<|im_end|>" in text.split("trained  ")[1]
    assert os.listdir(tmp_path) == []


def test_what_does_not_belong_together_is_refused(places, shards, tmp_path, tokenizer):
    out = tmp_path / "out"
    settings = {**QUICK, "model": places.model}
    with pytest.raises(UsageError, match="made for stage sft, not cpt"):
        dataforge.train_cpt(shards, str(out), **settings)
    from dataforge.shards.train_tokenizer import train_bpe

    train_bpe(["another text"], vocab_size=280).save_pretrained(tmp_path / "other")
    with pytest.raises(UsageError, match="another tokenizer"):
        sft(places, out, rows=shards, tokenizer=str(tmp_path / "other"))
    train_bpe(["many different words, 很多不同的词" * 9] * 3, vocab_size=len(tokenizer) + 1000)
    template = tmp_path / "own.jinja"
    template.write_text("{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n\n{% endfor %}")
    with pytest.raises(UsageError, match="another chat template"):
        sft(places, out, rows=shards, template=str(template))
    with pytest.raises(UsageError, match="one shard folder"):
        dataforge.train_sft([shards, places.chat], str(out), **settings)
    with pytest.raises(InputError, match="cannot be opened"):
        sft(places, out, model=str(tmp_path / "nowhere"), tokenizer=places.tokenizer)
    assert not out.exists() and not (tmp_path / "out.forge").exists()


def test_rows_without_an_answer_are_no_training_data(places, tmp_path):
    rows = tmp_path / "asked.jsonl"
    rows.write_text('{"messages": [{"role": "user", "content": "hi"}]}\n')
    with pytest.raises((DataError, InputError)) as caught:
        sft(places, tmp_path / "out", rows=str(rows))
    assert "\n" not in caught.value.message
    assert not (tmp_path / "out.forge").exists()


def test_a_run_whose_loss_explodes_leaves_nothing_behind(places, tmp_path):
    broken = tmp_path / "broken"
    shutil.copytree(places.model, broken)
    model = load_model(places.model)
    with torch.no_grad():
        model.lm_head.weight.mul_(1e38)
    model.save_pretrained(broken)
    with pytest.raises(DataforgeError):
        sft(places, tmp_path / "out", model=str(broken))
    assert not (tmp_path / "out").exists() and not (tmp_path / "out.forge").exists()


KILLED = """
import os, sys, signal, torch
torch.set_num_threads(1)
import dataforge
from dataforge.train import loop
make, count, after = loop._make_step, [0], int(sys.argv[1])
def step(*args):
    if after and count[0] == after:
        os.kill(os.getpid(), signal.SIGKILL)
    count[0] += 1
    return make(*args)
loop._make_step = step
settings = eval(sys.argv[4])
dataforge.train_sft(sys.argv[2], sys.argv[3], quiet=True, workers=1, **settings)
"""


def run_killed(after, places, output, settings):
    command = [sys.executable, "-c", KILLED, str(after), places.chat, str(output), repr(settings)]
    root = str(Path(dataforge.__file__).parents[1])
    return subprocess.run(command, env={**os.environ, "PYTHONPATH": root}, capture_output=True, text=True, check=False)


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_a_killed_run_with_adapters_and_dropout_resumes_to_the_same_bits(places, tmp_path):
    settings = {k: v for k, v in QUICK.items() if k not in ("quiet", "workers")}
    settings |= {"model": places.model, "epochs": 6, "save_every": 2, "lora_r": 4, "lora_dropout": 0.2}
    killed = run_killed(5, places, tmp_path / "out", settings)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert not (tmp_path / "out").exists()
    _resume_and_compare(places, tmp_path, settings, "adapter_model.safetensors")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_a_run_killed_at_any_moment_resumes_to_the_same_bits(places, tmp_path):
    settings = {k: v for k, v in QUICK.items() if k not in ("quiet", "workers")}
    settings |= {"model": places.model, "epochs": 40, "save_every": 1, "micro_tokens": 64}
    root = str(Path(dataforge.__file__).parents[1])
    for wait in (0.05, 0.3, 0.6):
        command = [
            sys.executable,
            "-c",
            KILLED,
            "0",
            places.chat,
            str(tmp_path / "out"),
            repr({**settings, "resume": True}),
        ]
        process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": root})
        partial = tmp_path / "out.forge" / "partial"
        while not list(partial.glob("step-*")) and process.poll() is None:
            time.sleep(0.01)
        time.sleep(wait)
        process.kill()
        process.wait()
    _resume_and_compare(places, tmp_path, settings, "model.safetensors")


def _resume_and_compare(places, tmp_path, settings, file):
    settings = {**settings, "quiet": True, "workers": 1}
    if not (tmp_path / "out").exists():
        with pytest.raises(OutputError, match="unfinished run"):
            dataforge.train_sft(places.chat, str(tmp_path / "out"), **settings)
        with pytest.raises(UsageError, match="differs in learning_rate"):
            dataforge.train_sft(places.chat, str(tmp_path / "out"), **{**settings, "learning_rate": 1e-3}, resume=True)
        with pytest.raises(UsageError, match="differs in data"):
            dataforge.train_sft(places.texts, str(tmp_path / "out"), **settings, resume=True)
        dataforge.train_sft(places.chat, str(tmp_path / "out"), **settings, resume=True)
    dataforge.train_sft(places.chat, str(tmp_path / "whole"), **settings)
    resumed, whole = load_file(tmp_path / "out" / file), load_file(tmp_path / "whole" / file)
    assert resumed.keys() == whole.keys()
    assert all(torch.equal(resumed[name], whole[name]) for name in whole)
    assert (tmp_path / "out" / "run.json").read_bytes() == (tmp_path / "whole" / "run.json").read_bytes()
    losses = [
        [json.loads(line)["loss"] for line in (tmp_path / name / "metrics.jsonl").read_text().splitlines()]
        for name in ("out", "whole")
    ]
    assert losses[0] == losses[1]
    assert not list((tmp_path / "out.forge").glob("partial*"))


@pytest.mark.slow
def test_two_processes_take_the_same_steps_as_one(places, tmp_path):
    settings = {k: v for k, v in QUICK.items() if k not in ("quiet", "workers")}
    settings |= {"model": places.model, "epochs": 3, "micro_tokens": 48, "tokens_per_step": 256}
    script = tmp_path / "train.py"
    script.write_text(KILLED)
    root = str(Path(dataforge.__file__).parents[1])
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", str(script)]
    command += ["0", places.chat, str(tmp_path / "two"), repr(settings)]
    environment = {**os.environ, "PYTHONPATH": root, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    dataforge.train_sft(places.chat, str(tmp_path / "one"), quiet=True, workers=1, **settings)
    two, one = (load_file(tmp_path / name / "model.safetensors") for name in ("two", "one"))
    assert json.loads((tmp_path / "two" / "run.json").read_text())["processes"] == 2
    for name, value in one.items():
        torch.testing.assert_close(two[name], value, atol=2e-4, rtol=0)
