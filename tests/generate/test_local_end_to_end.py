"""A model in this process makes rows; a resumed run makes the same ones, whatever part of a batch was journaled."""

import json
import shutil

import pytest
from small_models import save_small_model

import dataforge
from dataforge.errors import UsageError


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return save_small_model(tmp_path_factory.mktemp("local") / "model")


@pytest.fixture
def questions(tmp_path):
    texts = ["What is the capital of France?", "天空是什么颜色？", "How is green tea brewed?", "一加一等于几？", "So?"]
    rows = [{"messages": [{"role": "user", "content": text}]} for text in texts]
    path = tmp_path / "in.jsonl"
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    return path


def test_a_local_model_answers_and_a_resumed_run_leaves_the_same_bytes(model, questions, tmp_path):
    values = {"model": f"local:{model}", "samples": 3, "reply_tokens": 8, "batch_size": 4, "threads": 1}
    values |= {"keep_truncated": True}
    result = dataforge.answers(questions, tmp_path / "whole.jsonl", **values)
    assert result.counts.kept == 5 and result.data["asked"] == 15
    whole = (tmp_path / "whole.jsonl").read_bytes()
    row = json.loads(whole.splitlines()[1])
    assert (
        row["prompt"][0]["content"] == "天空是什么颜色？"
        and row["provenance"]["answers"][0]["tokens"]["completion"] <= 8
    )
    assert (
        str(tmp_path) not in json.dumps(row) and model not in (tmp_path / "whole.jsonl.forge/manifest.json").read_text()
    )
    journal = (tmp_path / "whole.jsonl.forge" / "journal.jsonl").read_bytes().splitlines(keepends=True)
    for lines in (1, 3, 6, 11):
        folder = tmp_path / "part.jsonl.forge" / "partial"
        folder.mkdir(parents=True)
        (folder / "journal.jsonl").write_bytes(b"".join(journal[:lines]) + b'{"id": "torn')
        resumed = dataforge.answers(questions, tmp_path / "part.jsonl", resume=True, **values)
        assert (tmp_path / "part.jsonl").read_bytes() == whole
        assert resumed.report["client"]["requests"] == 0
        (tmp_path / "part.jsonl").unlink()
        shutil.rmtree(tmp_path / "part.jsonl.forge")


def test_budgets_of_money_are_refused_where_nothing_is_paid(model, questions, tmp_path):
    for limit in ({"max_requests": 5}, {"max_tokens": 100}, {"max_cost": 1.0}):
        with pytest.raises(UsageError, match="not paid for"):
            dataforge.answers(questions, tmp_path / "out.jsonl", model=f"local:{model}", **limit)


@pytest.mark.slow
def test_a_real_server_answers_and_structured_replies_that_it_cannot_give_are_accounted_for(
    transformers_server, questions, tmp_path
):
    values = {
        "model": transformers_server.model,
        "base_url": transformers_server.url,
        "cache": "none",
        "concurrency": 2,
        "reply_tokens": 8,
    }
    result = dataforge.answers(questions, tmp_path / "out.jsonl", keep_truncated=True, temperature=0.0, **values)
    assert result.counts.kept == 5 and result.report["client"]["tokens"] > 0
    made = dataforge.grounded(questions, tmp_path / "grounded.jsonl", **values | {"reply_tokens": 32})
    assert made.exit_code == 1 and made.data["asked"] == made.data["kept"] + sum(made.data["dropped"].values()) + sum(
        made.data["failed"].values()
    )
