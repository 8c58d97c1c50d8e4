"""Token-weighted loss: the same for every batch size, packed or not."""

from __future__ import annotations

import json
import math

import pytest
import torch
from conftest import CPU

import dataforge
from dataforge.engine.records import read_records
from dataforge.errors import DataError, RowError, UsageError
from dataforge.shards.render import Renderer
from dataforge.train.model import load_model
from dataforge.train.scoring import score_file


@pytest.fixture(scope="module")
def model(places):
    return load_model(places.model, attention="documents")


def by_hand(path, model, tokenizer):
    """Sum of losses and number of tokens, one row at a time, through the model's own forward pass."""
    model.set_attn_implementation("eager")
    nll, tokens = 0.0, 0
    for record in read_records([path]):
        rendered = Renderer(tokenizer).render(record)
        ids = torch.tensor(rendered.ids)[None]
        with torch.no_grad():
            logits = model(input_ids=ids, use_cache=False).logits[0, :-1].double()
        losses = torch.nn.functional.cross_entropy(logits, ids[0, 1:], reduction="none")
        wanted = torch.tensor(rendered.mask[1:]).bool()
        nll += float(losses[wanted].sum())
        tokens += int(wanted.sum())
    model.set_attn_implementation("documents")
    return nll, tokens


@pytest.mark.parametrize("rows", ["chat", "texts"])
def test_the_loss_is_that_of_each_row_alone_whatever_the_batch_and_attention(rows, places, model, tokenizer):
    path = getattr(places, rows)
    nll, tokens = by_hand(path, model, tokenizer)
    for attention in ("documents", "sdpa"):
        model.set_attn_implementation(attention)
        for batch_tokens in (1, 70, 200, 100000):
            score = score_file(path, model, tokenizer, CPU, attention=attention, batch_tokens=batch_tokens)
            assert score.tokens == tokens
            assert score.loss == pytest.approx(nll / tokens, abs=1e-6)
    model.set_attn_implementation("documents")


def test_a_mean_of_batch_means_would_be_another_number(places, model, tokenizer):
    """The negative control: what other trainers report depends on the batch size."""
    rows = list(read_records([places.chat]))
    means = []
    for record in rows:
        path = places.root / "one.jsonl"
        texts = [{"role": turn.role, "content": turn.text} for turn in record.turns]
        path.write_text(json.dumps({"messages": texts}) + "\n")
        means.append(score_file(str(path), model, tokenizer, CPU).loss)
    whole = score_file(places.chat, model, tokenizer, CPU).loss
    assert abs(sum(means) / len(means) - whole) > 1e-4


def test_shards_score_as_the_rows_they_were_made_from(places, model, tokenizer, tmp_path):
    dataforge.shard(places.chat, str(tmp_path / "s"), tokenizer=places.tokenizer, max_length=128, workers=1, quiet=True)
    packed = score_file(str(tmp_path / "s"), model, tokenizer, CPU)
    rows = score_file(places.chat, model, tokenizer, CPU)
    assert packed.loss == pytest.approx(rows.loss, abs=1e-6)
    assert (packed.tokens, packed.documents, packed.text_bytes) == (rows.tokens, rows.documents, rows.text_bytes)


def test_perplexity_and_bits_per_byte_follow_from_the_loss(places, model, tokenizer):
    score = score_file(places.chat, model, tokenizer, CPU)
    answers = "".join(record.turns[-1].text for record in read_records([places.chat]))
    assert score.text_bytes == len(answers.encode())
    assert score.perplexity == pytest.approx(math.exp(score.loss))
    assert score.bits_per_byte == pytest.approx(score.nll / math.log(2) / len(answers.encode()))


def test_long_documents_are_cut_and_long_conversations_left_out_and_counted(places, model, tokenizer):
    cut = score_file(places.texts, model, tokenizer, CPU, max_length=20)
    whole = score_file(places.texts, model, tokenizer, CPU)
    assert cut.documents > whole.documents
    assert whole.tokens - cut.tokens == cut.documents - whole.documents
    short = score_file(places.chat, model, tokenizer, CPU, max_length=30)
    assert short.too_long > 0 and short.documents + short.too_long == 8


def test_the_command_measures_each_file(places):
    result = dataforge.eval([places.chat, places.texts], model=places.model, quiet=True)
    assert [score["file"] for score in result.data] == ["chat.jsonl", "texts.jsonl"]
    assert result.lines[0].split() == ["file", "loss", "ppl", "bits/byte", "tokens", "documents"]
    assert f"{result.data[0]['loss']:.4f}" in result.lines[1]


def test_nothing_to_measure_faulty_rows_and_no_input_are_errors(places, tmp_path):
    asked = tmp_path / "asked.jsonl"
    asked.write_text('{"messages": [{"role": "user", "content": "hi"}]}\n')
    with pytest.raises(DataError, match="nothing to measure"):
        dataforge.eval([str(asked)], model=places.model, quiet=True)
    faulty = tmp_path / "faulty.jsonl"
    faulty.write_text('{"messages": [{"role": "user", "content": 3}]}\n')
    with pytest.raises(RowError):
        dataforge.eval([str(faulty)], model=places.model, quiet=True)
    with pytest.raises(UsageError, match="no input"):
        dataforge.eval([], model=places.model)


def test_models_are_compared_on_the_same_files(places, tmp_path):
    settings = {"model": places.model, "max_steps": 3, "learning_rate": 1e-2, "quiet": True, "workers": 1}
    dataforge.train_sft(places.chat, str(tmp_path / "tuned"), **settings)
    tuned, before = str(tmp_path / "tuned"), places.model
    result = dataforge.eval([places.chat], model=tuned, against=[before], must_fall=True, quiet=True)
    (other,) = result.data[0]["against"].values()
    assert other == dataforge.eval([places.chat], model=before, quiet=True).data[0]["loss"]
    assert f"{result.data[0]['loss'] - other:+.4f}" in result.lines[-1]
    with pytest.raises(DataError, match="is not below that of"):
        dataforge.eval([places.chat], model=before, against=[tuned], must_fall=True, quiet=True)
    with pytest.raises(UsageError, match="--must-fall needs --against"):
        dataforge.eval([places.chat], model=before, must_fall=True)
