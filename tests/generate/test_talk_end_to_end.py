"""answers, dialogue and replay as users run them: files in, a server over real sockets, files out."""

import importlib.util
import json
import re
from pathlib import Path

import pytest

import dataforge
from dataforge.errors import UsageError

PLACE = Path(__file__).resolve().parent.parent / "llm" / "server.py"
SPEC = importlib.util.spec_from_file_location("misbehaving_server", PLACE)
server_module = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(server_module)

QUESTIONS = ["绿茶怎么泡？", "Name a river.", "一加一等于几？", "What is 2 + 2?"]


def reply(body):
    """A model that says something of its own to everything, in the language it is spoken to."""
    if "prompt" in body:
        return f"How is tea number {body.get('seed') or len(json.dumps(body))} brewed?"
    last = body["messages"][-1]["content"]
    if "<conversation>" in last or "<对话>" in last:
        spoken = len(re.findall(r"^(?:User:|用户：)", last, re.MULTILINE))
        return f"那第{spoken}步呢？" if "<对话>" in last else f"And step {spoken}?"
    zh = re.search("[\u4e00-\u9fff]", last) is not None
    return f"<think>想</think>回答：{last}" if zh else f"{body['model']} answers: {last}"


@pytest.fixture
def server():
    with server_module.Server(answer=reply) as one:
        yield one


@pytest.fixture
def rows(tmp_path):
    path = tmp_path / "rows.jsonl"
    lines = [json.dumps({"id": n, "question": q, "answer": "old"}, ensure_ascii=False) for n, q in enumerate(QUESTIONS)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def read(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_answers_of_two_models_read_back_as_candidates_with_their_names(rows, server, tmp_path):
    out = tmp_path / "out.jsonl"
    result = dataforge.answers(
        rows, out, model="small", also_model=["large"], with_original=True, at_least=3, base_url=server.url, quiet=True
    )
    assert result.ok and result.data["asked"] == 8
    # In Chinese both models say the same: one is dropped, and the row has too few.
    assert result.data["dropped"] == {"same_answer": 2, "too_few_answers": 2} and result.counts.rows_out == 2
    assert [row["id"] for row in read(out)] == [1, 3]
    for record, question in zip(dataforge.read_records([str(out)]), QUESTIONS[1::2], strict=True):
        assert record.turns[0].text == question
        assert [c.model for c in record.candidates] == ["source", "small", "large"]
        assert [c.turns[0].text for c in record.candidates][1:] == [
            f"{m} answers: {question}" for m in ("small", "large")
        ]


def test_rows_that_are_not_novel_lose_all_of_their_answers(rows, server, tmp_path):
    both = tmp_path / "both.jsonl"
    both.write_bytes(rows.read_bytes() * 2)
    settings = {"model": "small", "also_model": ["large"], "base_url": server.url, "novelty": 0.9, "quiet": True}
    result = dataforge.answers(both, tmp_path / "out.jsonl", **settings)
    assert result.data["asked"] == 16 and result.data["kept"] == 6 and result.counts.rows_out == 4
    assert result.data["dropped"] == {"not_novel": 6, "same_answer": 4}


def test_dialogues_grow_by_the_exchanges_asked_for_in_the_language_of_their_row(rows, server, tmp_path):
    out = tmp_path / "out.jsonl"
    result = dataforge.dialogue(rows, out, model="m", turns=2, base_url=server.url, quiet=True)
    assert result.ok and result.counts.kept == 4
    chinese, english = read(out)[:2]
    assert [m["content"] for m in chinese["messages"]][2:5] == ["那第1步呢？", "回答：那第1步呢？", "那第2步呢？"]
    assert [m["content"] for m in english["messages"]][2:5] == ["And step 1?", "m answers: And step 1?", "And step 2?"]
    assert chinese["provenance"]["prompt"].startswith("dialogue/user.zh@") and chinese["id"] == 0


def test_replay_of_rows_keeps_the_thinking_apart_and_from_nothing_needs_no_input(rows, server, tmp_path):
    result = dataforge.replay(rows, tmp_path / "rows_out.jsonl", model="m", base_url=server.url, quiet=True)
    assert result.ok and result.counts.kept == 4
    assert read(tmp_path / "rows_out.jsonl")[0]["messages"][1] == {
        "role": "assistant",
        "content": "回答：绿茶怎么泡？",
        "reasoning_content": "想",
    }
    out = tmp_path / "out.jsonl"
    settings = {"model": "m", "base_url": server.url, "pre_query": r"<user>\n", "quiet": True, "from_nothing": True}
    result = dataforge.replay(output=out, n=1, **settings)
    assert result.ok and result.counts.generated == 1 and result.counts.rows_in == 0
    assert read(out)[0]["provenance"]["prompt"].startswith("replay/query.en@")
    short = dataforge.replay(output=out, n=2, patience=2, force=True, **settings)
    assert short.exit_code == 1 and "1 of 2 rows were made" in " ".join(short.problems)
    with pytest.raises(UsageError, match="no input"):
        dataforge.replay(output=out, model="m", base_url=server.url)


def test_a_row_that_cannot_be_asked_is_a_rejected_row_with_its_rule(server, tmp_path):
    path = tmp_path / "mixed.jsonl"
    path.write_text('{"text": "一篇文章。"}\n{"question": "Name a river.", "answer": "x"}\n', encoding="utf-8")
    out = tmp_path / "out.jsonl"
    result = dataforge.answers(path, out, model="m", base_url=server.url, on_error="reject", quiet=True)
    assert result.counts.errors == 1 and result.counts.kept == 1
    assert read(tmp_path / "out.jsonl.forge" / "rejects.jsonl")[0]["rule"] == "not_a_conversation"
