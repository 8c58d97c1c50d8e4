"""Answers: what a model learned it says, and stops; padding and batches do not change them."""

from __future__ import annotations

import json

import jsonschema
import pytest
import torch
from conftest import CHAT, CPU

import dataforge
from dataforge.errors import OutputError, RowError, UsageError
from dataforge.ops.schemas import asset
from dataforge.record import Record, Turn
from dataforge.train.decoding import Sampling, decode, prompt_ids, stop_ids
from dataforge.train.generate import without_answer
from dataforge.train.model import load_model

LEARN = {
    "max_length": 64,
    "tokens_per_step": 4096,
    "learning_rate": 8e-3,
    "max_steps": 120,
    "quiet": True,
    "workers": 1,
}


@pytest.fixture(scope="module")
def learned(places):
    """A model that was trained on the eight conversations until it knows them."""
    result = dataforge.train_sft(places.chat, str(places.root / "learned"), model=places.model, **LEARN)
    assert result.data["last_loss"] < 0.05
    return str(places.root / "learned")


def answers(model, questions, **settings):
    return dataforge.answer_prompts(model=model, prompt=questions, max_new_tokens=60, quiet=True, **settings).data


def test_a_model_that_learned_eight_answers_gives_them_and_stops(learned, tmp_path):
    questions = [question for question, _ in CHAT]
    out = tmp_path / "answers.jsonl"
    assert answers(learned, questions, output=str(out)) == [answer for _, answer in CHAT]
    rows = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert rows[1]["messages"] == [
        {"role": "user", "content": CHAT[1][0]},
        {"role": "assistant", "content": CHAT[1][1]},
    ]
    with pytest.raises(OutputError, match="exists already"):
        answers(learned, questions, output=str(out))


def test_answers_shuffled_among_the_questions_are_not_the_right_answers(places, tmp_path):
    """The negative control: the test above passes only for a model that saw the right pairs."""
    rows = tmp_path / "shuffled.jsonl"
    pairs = [(CHAT[i][0], CHAT[(i + 1) % len(CHAT)][1]) for i in range(len(CHAT))]
    lines = [{"messages": [{"role": "user", "content": q}, {"role": "assistant", "content": a}]} for q, a in pairs]
    rows.write_text("".join(json.dumps(line) + "\n" for line in lines))
    dataforge.train_sft(str(rows), str(tmp_path / "out"), model=places.model, **LEARN)
    given = answers(str(tmp_path / "out"), [question for question, _ in CHAT], output=str(tmp_path / "a.jsonl"))
    assert not any(own == right for own, (_, right) in zip(given, CHAT, strict=True))


def test_training_the_questions_instead_of_the_answers_teaches_no_answer(places, tmp_path):
    """The other negative control: a wrong mask."""
    rows = tmp_path / "wrong.jsonl"
    lines = [{"messages": [{"role": "assistant", "content": q}, {"role": "user", "content": a}]} for q, a in CHAT]
    rows.write_text("".join(json.dumps(line) + "\n" for line in lines))
    dataforge.train_sft(str(rows), str(tmp_path / "out"), model=places.model, **LEARN)
    given = answers(str(tmp_path / "out"), [question for question, _ in CHAT], output=str(tmp_path / "a.jsonl"))
    assert not any(own == right for own, (_, right) in zip(given, CHAT, strict=True))


def test_batches_and_padding_do_not_change_greedy_answers(learned, tmp_path):
    questions = [question for question, _ in CHAT] + ["天", "a much longer question that nobody asked before"]
    one = answers(learned, questions, batch_size=1, output=str(tmp_path / "1.jsonl"))
    assert one == answers(learned, questions, batch_size=4, output=str(tmp_path / "4.jsonl"))


def test_greedy_decoding_is_the_argmax_of_each_next_token(places, tokenizer):
    model = load_model(places.model).eval()
    prompt = prompt_ids(tokenizer, Record([Turn("user", ["Who wrote Hamlet?"])]))
    ids = list(prompt)
    for _ in range(12):
        with torch.no_grad():
            ids.append(int(model(input_ids=torch.tensor([ids]), use_cache=False).logits[0, -1].argmax()))
    (given,) = decode(model, [prompt], Sampling(max_new_tokens=12), stop={10**6}, pad=0)
    assert given == ids[len(prompt) :]


def test_drawn_answers_follow_the_seed(places, tmp_path):
    def draw(seed):
        output = str(tmp_path / f"{seed}.jsonl")
        return answers(places.model, ["hi"], temperature=1.0, top_p=0.9, seed=seed, output=output, force=True)

    assert draw(1) == draw(1) != draw(2)


def test_the_template_ends_turns_and_the_model_stops_there(places, tokenizer):
    stops = stop_ids(tokenizer, load_model(places.model))
    assert {tokenizer.convert_tokens_to_ids(name) for name in ("<|im_end|>", "<|endoftext|>")} <= stops


def test_rows_are_answered_anew_in_place_of_their_last_answer(learned, places, tmp_path):
    out = tmp_path / "out.jsonl"
    result = dataforge.answer_prompts(places.chat, str(out), model=learned, max_new_tokens=60, quiet=True)
    assert result.data == [answer for _, answer in CHAT]
    assert result.counts.kept == result.counts.rows_out == 8
    assert json.loads((tmp_path / "out.jsonl.forge" / "manifest.json").read_text())["counts"]["out"] == 8


def test_text_is_continued_with_raw(places, tmp_path):
    out = tmp_path / "out.jsonl"
    dataforge.answer_prompts(
        output=str(out), model=places.model, prompt=["The capital"], raw=True, max_new_tokens=5, quiet=True
    )
    (row,) = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert row["text"].startswith("The capital")


def test_the_prompt_of_a_row_is_all_before_its_last_answer():
    talk = Record([Turn("user", ["a"]), Turn("assistant", ["b"]), Turn("user", ["c"]), Turn("assistant", ["d"])])
    assert [turn.text for turn in without_answer(talk).turns] == ["a", "b", "c"]
    assert [turn.text for turn in without_answer(Record(talk.turns[:3])).turns] == ["a"]
    assert [turn.text for turn in without_answer(Record(talk.turns[:1])).turns] == ["a"]
    with pytest.raises(RowError, match="nothing stands before"):
        without_answer(Record([Turn("assistant", ["b"])]))
    with pytest.raises(RowError, match="no prompt"):
        without_answer(Record([Turn("document", ["t"])]))


def test_settings_that_make_no_sense_are_refused(places):
    with pytest.raises(UsageError, match="either with --prompt or as a file"):
        dataforge.answer_prompts(model=places.model)
    with pytest.raises(UsageError, match="either with --prompt or as a file"):
        dataforge.answer_prompts(places.chat, model=places.model, prompt=["hi"])
    with pytest.raises(UsageError, match="--top-p"):
        dataforge.answer_prompts(model=places.model, prompt=["hi"], top_p=0.5)


def test_the_runtime_of_these_tests_is_a_cpu_in_float32():
    assert CPU.device.type == "cpu" and CPU.dtype == torch.float32


def test_the_manifest_of_answers_is_one_of_ours(places, tmp_path):
    out = tmp_path / "answers.jsonl"
    result = dataforge.answer_prompts(
        [places.chat], str(out), model=places.model, max_new_tokens=2, limit=2, quiet=True
    )
    manifest = json.loads((tmp_path / "answers.jsonl.forge" / "manifest.json").read_text(encoding="utf-8"))
    schema = json.loads(asset("schemas", "manifest.schema.json").read_text(encoding="utf-8"))
    jsonschema.validate(manifest, schema)
    assert manifest["outputs"][0]["rows"] == 2 and manifest["inputs"][0]["hash"].startswith("xxh3-128:")
    assert any(line.strip().startswith("model: ") for line in result.lines)
