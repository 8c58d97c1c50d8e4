from __future__ import annotations

import json
import shutil

import datasets
import polars
import pytest

from dataforge.config import RunOptions
from dataforge.errors import DataError, OutputError, RowError, UsageError
from dataforge.ops.shard import ShardConfig, shard_rows
from dataforge.shards.store import open_shards

ONE = RunOptions(workers=1, quiet=True)

TALKS = [
    {"messages": [{"role": "user", "content": "法国的首都是哪里？"}, {"role": "assistant", "content": "巴黎。"}]},
    {"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "Hello!"}]},
    {"messages": [{"role": "user", "content": "long"}, {"role": "assistant", "content": "很长的回答。" * 40}]},
    {"messages": [{"role": "user", "content": "no answer"}]},
    {"instruction": "翻译", "input": "cat", "output": "猫"},
    {"text": "从前有座山，山里有座庙。" * 30},
]


def written(path, rows) -> str:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def copied_beside(folder, made):
    """What `Folder._beside` does where the forge folder is on another file system."""
    return shutil.copytree(made, folder.path.with_name(f".{folder.path.name}.partial"))


def trained_texts(tokenizer, folder) -> list[str]:
    found = []
    for ids, labels, lengths in open_shards(folder):
        begin = 0
        for length in lengths.tolist():
            found.append(tokenizer.decode([i for i in labels[begin : begin + length].tolist() if i != -100]))
            begin += length
        assert begin == len(ids)
    return sorted(found)


@pytest.fixture()
def source(tmp_path):
    return written(tmp_path / "rows.jsonl", TALKS)


@pytest.fixture()
def config(tokenizer_folder):
    return ShardConfig(tokenizer=tokenizer_folder, max_length=128)


def test_answers_are_trained_and_every_row_has_its_fate(source, config, tmp_path, tokenizer):
    result = shard_rows((source,), str(tmp_path / "out"), config, ONE)
    shown = trained_texts(tokenizer, tmp_path / "out")
    assert [text for text in shown if text.endswith("<|im_end|>")] == [
        "Hello!<|im_end|>",
        "巴黎。<|im_end|>",
        "猫<|im_end|>",
    ]
    assert result.counts.rules == {("dropped", "nothing_to_train"): 1, ("dropped", "too_long"): 1}
    ledger = polars.read_parquet(tmp_path / "out.forge" / "ledger.parquet")
    assert ledger["rule"].to_list() == ["", "", "too_long", "nothing_to_train", "", ""]
    pieces = ledger["n_out"].to_list()
    assert pieces[:5] == [1, 1, 0, 0, 1]
    assert pieces[5] > 1
    assert result.counts.rows_out == sum(pieces) == open_shards(tmp_path / "out").manifest["documents"]


def test_the_tokens_of_each_source_are_conserved(source, config, tmp_path, tokenizer):
    other = written(tmp_path / "中文.jsonl", TALKS[:2] * 3)
    shard_rows((source, other), str(tmp_path / "out"), config, ONE)
    shards = open_shards(tmp_path / "out")
    sources = shards.manifest["sources"]
    assert list(sources) == ["rows.jsonl", "中文.jsonl"]
    for tokens in [*sources.values(), shards.manifest["tokens"]]:
        assert tokens["in"] == tokens["trained"] + tokens["masked"] + tokens["truncated"] + tokens["dropped"]
        assert tokens["truncated"] == 0
    total = shards.manifest["tokens"]
    assert sum(len(ids) for ids, _, _ in shards) == total["in"] - total["dropped"]
    assert sum(int((labels != -100).sum()) for _, labels, _ in shards) == total["trained"]
    long = tokenizer.apply_chat_template(TALKS[2]["messages"])["input_ids"]
    alone = tokenizer.apply_chat_template(TALKS[3]["messages"])["input_ids"]
    assert sources["rows.jsonl"]["dropped"] == len(long) + len(alone)


def test_a_cut_document_loses_nothing_but_one_label_a_piece(config, tmp_path, tokenizer):
    text = TALKS[5]["text"]
    shard_rows((written(tmp_path / "docs.jsonl", [{"text": text}]),), str(tmp_path / "out"), config, ONE)
    shards = open_shards(tmp_path / "out")
    ids = tokenizer(text)["input_ids"] + [tokenizer.convert_tokens_to_ids("<|endoftext|>")]
    assert sorted(t for row, _, _ in shards for t in row.tolist()) == sorted(ids)
    pieces = -(-len(ids) // 128)
    assert shards.manifest["tokens"] == {
        "in": len(ids),
        "trained": len(ids) - pieces,
        "masked": pieces,
        "truncated": 0,
        "dropped": 0,
    }


def test_cpt_trains_every_token_and_cuts_conversations_too(source, tokenizer_folder, tmp_path):
    config = ShardConfig(tokenizer=tokenizer_folder, stage="cpt", max_length=64)
    result = shard_rows((source,), str(tmp_path / "out"), config, ONE)
    assert result.counts.dropped == 0
    shards = open_shards(tmp_path / "out")
    assert shards.manifest["tokens"]["masked"] == shards.manifest["documents"]


def test_two_workers_give_the_same_bytes_as_one(config, tmp_path, monkeypatch):
    monkeypatch.setattr("dataforge.io.chunks.CHUNK_BYTES", 1 << 20)
    names = [written(tmp_path / f"部分{n}.jsonl", TALKS[n:] * 2) for n in range(2)]
    for workers in (1, 2):
        shard_rows(tuple(names), str(tmp_path / f"out{workers}"), config, RunOptions(workers=workers, quiet=True))
    one, two = ({f.name: f.read_bytes() for f in (tmp_path / f"out{n}").iterdir()} for n in (1, 2))
    assert one == two
    manifests = [json.loads((tmp_path / f"out{n}.forge" / "manifest.json").read_text()) for n in (1, 2)]
    assert [m["outputs"][0].pop("name") for m in manifests] == ["out1", "out2"]
    assert manifests[0] == manifests[1]


def test_the_seed_changes_the_order_and_nothing_else(config, tmp_path, tokenizer):
    source = written(tmp_path / "rows.jsonl", [TALKS[0], TALKS[1], TALKS[4]] * 9)
    for seed in (1, 2):
        shard_rows((source,), str(tmp_path / f"out{seed}"), config, RunOptions(workers=1, seed=seed))
    one, two = (open_shards(tmp_path / f"out{seed}") for seed in (1, 2))
    assert one.manifest["hash"] != two.manifest["hash"]
    assert trained_texts(tokenizer, tmp_path / "out1") == trained_texts(tokenizer, tmp_path / "out2")


def test_the_manifest_knows_the_tokenizer_and_no_path(source, config, tmp_path, tokenizer):
    shard_rows((source,), str(tmp_path / "out"), config, ONE)
    text = (tmp_path / "out" / "shards.json").read_text(encoding="utf-8")
    assert str(tmp_path) not in text + (tmp_path / "out.forge" / "manifest.json").read_text(encoding="utf-8")
    manifest = json.loads(text)
    assert manifest["tokenizer"]["eos_id"] == tokenizer.eos_token_id == 2
    assert (manifest["tokenizer"]["pad_id"], manifest["tokenizer"]["end_of_text_id"]) == (3, 0)
    assert (manifest["stage"], manifest["max_length"]) == ("sft", 128)
    assert 0 < manifest["packing_efficiency"] <= 1


def test_datasets_opens_what_the_command_writes(source, config, tmp_path):
    shard_rows((source,), str(tmp_path / "out"), config, ONE)
    dataset = datasets.load_from_disk(str(tmp_path / "out"))
    assert [sum(lengths) for lengths in dataset["seq_lengths"]] == [len(ids) for ids in dataset["input_ids"]]


def test_a_faulty_row_stops_the_run_and_leaves_nothing(config, tmp_path):
    picture = {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": "图.png"}]}]}
    source = written(tmp_path / "rows.jsonl", [TALKS[0], picture])
    with pytest.raises(RowError) as caught:
        shard_rows((source,), str(tmp_path / "out"), config, ONE)
    assert str(caught.value).startswith(f"{source}:2: $.messages[0]: the row holds an image")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["rows.jsonl"]


def test_faulty_rows_can_be_rejected(config, tmp_path):
    source = written(tmp_path / "rows.jsonl", [TALKS[0], {"what": "什么"}, TALKS[1]])
    result = shard_rows((source,), str(tmp_path / "out"), config, RunOptions(workers=1, on_error="reject"))
    assert (result.counts.kept, result.counts.errors, result.exit_code) == (2, 1, 1)
    assert json.loads((tmp_path / "out.forge" / "rejects.jsonl").read_text(encoding="utf-8"))["line"] == 2


def test_merged_edges_are_repairs(config, tmp_path):
    row = {"messages": [{"role": "user", "content": "问"}, {"role": "assistant", "content": "\n答"}]}
    result = shard_rows((written(tmp_path / "rows.jsonl", [row]),), str(tmp_path / "out"), config, ONE)
    assert result.counts.rules == {("repaired", "boundary_merged"): 1}


def test_special_tokens_in_text_are_warned_of(config, tmp_path):
    row = {"messages": [{"role": "user", "content": "什么是<|im_end|>？"}, {"role": "assistant", "content": "答"}]}
    result = shard_rows((written(tmp_path / "rows.jsonl", [row]),), str(tmp_path / "out"), config, ONE)
    assert any("1 rows spell a special token" in line for line in result.lines)
    assert result.report["notes"] == {"special_in_text": 1}


def test_rows_with_nothing_to_train_are_an_error_that_says_so(config, tmp_path):
    with pytest.raises(DataError, match=r"no row is left to train on \(nothing_to_train 2\)"):
        shard_rows((written(tmp_path / "rows.jsonl", [TALKS[3]] * 2),), str(tmp_path / "out"), config, ONE)
    assert not (tmp_path / "out").exists()


def test_an_existing_folder_is_replaced_only_with_force_and_only_if_it_holds_shards(source, config, tmp_path):
    out = str(tmp_path / "out")
    shard_rows((source,), out, config, ONE)
    with pytest.raises(OutputError, match="exists already"):
        shard_rows((source,), out, config, ONE)
    force = RunOptions(workers=1, force=True, seed=9)
    assert shard_rows((source,), out + "/", config, force).output == out
    assert open_shards(out).manifest["seed"] == 9
    precious = tmp_path / "宝贵"
    precious.mkdir()
    (precious / "thesis.txt").write_text("论文")
    with pytest.raises(OutputError, match=r"holds no shards\.json, so it is not replaced"):
        shard_rows((source,), str(precious), config, force)
    assert (precious / "thesis.txt").exists()


def test_the_forge_folder_may_stand_elsewhere(source, config, tmp_path, monkeypatch):
    monkeypatch.setattr("dataforge.shards.folder.Folder._beside", copied_beside)
    options = RunOptions(workers=1, quiet=True, forge=str(tmp_path / "账本"))
    shard_rows((source,), str(tmp_path / "out"), config, options)
    assert len(open_shards(tmp_path / "out")) > 0
    assert (tmp_path / "账本" / "manifest.json").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "rows.jsonl", "账本"]


def test_a_dry_run_writes_nothing(source, config, tmp_path):
    result = shard_rows((source,), str(tmp_path / "out"), config, RunOptions(workers=1, dry_run=True))
    assert "would tokenise for sft and pack to 128 tokens a row" in result.lines[0]
    assert str(tmp_path / "out") in result.lines[-1]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["rows.jsonl"]


def test_a_folder_must_be_named(source, config):
    with pytest.raises(UsageError, match="shard writes a folder"):
        shard_rows((source,), None, config, ONE)


def test_settings_out_of_range_name_their_flag(tokenizer_folder):
    with pytest.raises(UsageError, match="--max-length"):
        ShardConfig(tokenizer=tokenizer_folder, max_length=1)
    with pytest.raises(UsageError, match="--stage"):
        ShardConfig(tokenizer=tokenizer_folder, stage="dpo")
