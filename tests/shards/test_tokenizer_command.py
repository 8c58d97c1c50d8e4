from __future__ import annotations

import json

import polars
import pytest

from dataforge.config import RunOptions
from dataforge.errors import OutputError, RowError
from dataforge.ops.tokenizer import TrainTokenizerConfig, train_tokenizer
from dataforge.record import Candidate, Media, Reasoning, Record, ToolCall, ToolResult, Turn
from dataforge.shards.template import load_tokenizer, tokenizer_hash
from dataforge.shards.texts import texts_of

ONE = RunOptions(workers=1, quiet=True)
ROWS = [
    {"text": "机器学习是人工智能的一个分支。机器学习很有用。" * 3},
    {"instruction": "Say hello", "input": "", "output": "hello hello hello"},
    {"messages": [{"role": "user", "content": "什么是机器学习？"}, {"role": "assistant", "content": "一个分支。"}]},
]


def written(path, rows) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def test_it_writes_a_folder_that_shard_can_use(tmp_path):
    source = written(tmp_path / "rows.jsonl", ROWS)
    result = train_tokenizer((source,), str(tmp_path / "tok"), TrainTokenizerConfig(vocab_size=320), ONE)
    tokenizer = load_tokenizer(str(tmp_path / "tok"))
    assert tokenizer.tokenize("机器学习").__len__() < 6
    assert result.output == str(tmp_path / "tok")
    assert result.counts.kept == 3
    manifest = json.loads((tmp_path / "tok.forge" / "manifest.json").read_text())
    assert manifest["outputs"] == [{"name": "tok", "hash": "xxh3-128:" + tokenizer_hash(tokenizer)}]
    assert manifest["inputs"][0]["rows"] == 3
    assert polars.read_parquet(tmp_path / "tok.forge" / "ledger.parquet")["n_out"].to_list() == [0, 0, 0]


def test_a_small_corpus_gives_fewer_tokens_and_says_so(tmp_path):
    source = written(tmp_path / "rows.jsonl", ROWS)
    result = train_tokenizer((source,), str(tmp_path / "tok"), TrainTokenizerConfig(vocab_size=9000), ONE)
    assert "fewer tokens than the 9,000 asked for" in result.lines[-1]


def test_a_faulty_row_stops_it_and_leaves_nothing(tmp_path):
    source = written(tmp_path / "rows.jsonl", [ROWS[0], {"text": "\ud83d坏"}])
    with pytest.raises(RowError, match=r"rows\.jsonl:2: the row holds half of a surrogate pair"):
        train_tokenizer((source,), str(tmp_path / "tok"), TrainTokenizerConfig(), ONE)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["rows.jsonl"]


def test_a_foreign_folder_is_never_replaced(tmp_path):
    source = written(tmp_path / "rows.jsonl", ROWS)
    with pytest.raises(OutputError, match=r"holds no tokenizer\.json"):
        train_tokenizer((source,), str(tmp_path), TrainTokenizerConfig(), RunOptions(force=True))


def test_every_text_of_a_record_is_learnt_from():
    record = Record(
        [
            Turn("user", ["问", Media({"type": "image"})]),
            Turn("assistant", [Reasoning("想"), "", ToolCall("查", '{"a": 1}')]),
            Turn("tool", [ToolResult("晴")]),
        ],
        tools=[{"name": "查"}],
    )
    record.candidates = [Candidate([Turn("assistant", ["好"])]), Candidate([Turn("assistant", ["bad"])])]
    assert texts_of(record) == ['{"name":"查"}', "问", "想", "查", '{"a": 1}', "晴", "好", "bad"]
