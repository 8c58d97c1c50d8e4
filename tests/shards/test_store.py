from __future__ import annotations

import json

import datasets
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataforge.errors import InputError
from dataforge.shards import store
from dataforge.shards.assemble import packed_rows
from dataforge.shards.pack import cut, pack
from dataforge.shards.store import open_shards, write_shards
from dataforge.shards.tokenise import marked


def rows_of(rows: list[tuple[list[int], list[int]]], max_length: int, batch_tokens: int = 50):
    """(batches, number of packed rows, tokens) of rows given as (ids, mask)."""
    lengths = np.array([len(ids) for ids, _ in rows], dtype=np.int32)
    tokens = np.concatenate([marked(ids, mask) for ids, mask in rows])
    pieces = cut(lengths, max_length)
    bins = pack(pieces.length, max_length, seed=0)
    starts = np.cumsum(lengths, dtype=np.int64) - lengths
    return packed_rows(tokens, starts, pieces, bins, batch_tokens), len(bins), int(lengths.sum())


ROWS = [([10 * n + k for k in range(n)], [int(k > n // 2) for k in range(n)]) for n in range(1, 25)]


@pytest.fixture()
def folder(tmp_path):
    """A written folder of three files."""
    batches, rows, tokens = rows_of(ROWS, 32)
    made = tmp_path / "shards"
    made.mkdir()
    write_shards(made, batches, rows=rows, tokens=tokens, manifest={"stage": "sft", "说明": "测试"})
    return made


@pytest.fixture(autouse=True)
def small_files(monkeypatch):
    monkeypatch.setattr(store, "FILE_TOKENS", 120)


def test_what_is_written_is_what_is_read(folder):
    shards = open_shards(folder)
    found = []
    for ids, labels, lengths in shards:
        assert ids.dtype == labels.dtype == lengths.dtype == np.int32
        assert lengths.sum() == len(ids) == len(labels) <= 32
        for part, label in zip(
            np.split(ids, np.cumsum(lengths)[:-1]), np.split(labels, np.cumsum(lengths)[:-1]), strict=True
        ):
            found.append((part.tolist(), label.tolist()))
    expected = [
        (ids, [-100] + [i if bit else -100 for i, bit in zip(ids[1:], mask[1:], strict=True)]) for ids, mask in ROWS
    ]
    assert sorted(found) == sorted(expected)
    assert shards.manifest["说明"] == "测试"


def test_datasets_opens_the_folder(folder):
    shards = open_shards(folder)
    dataset = datasets.load_from_disk(str(folder))
    assert dataset.column_names == ["input_ids", "labels", "seq_lengths"]
    assert len(dataset) == len(shards) > 0
    assert dataset.features["input_ids"].feature.dtype == "int32"
    for index, (ids, labels, lengths) in enumerate(shards):
        assert dataset[index] == {"input_ids": ids.tolist(), "labels": labels.tolist(), "seq_lengths": lengths.tolist()}


def test_rows_stand_in_several_files_of_nearly_equal_size(folder):
    entries = open_shards(folder).manifest["files"]
    assert [entry["name"] for entry in entries] == [f"data-{n:05d}-of-00003.arrow" for n in range(3)]
    assert max(entry["rows"] for entry in entries) - min(entry["rows"] for entry in entries) <= 1


def test_row_lengths_are_known_without_reading_rows(folder):
    shards = open_shards(folder)
    assert shards.row_lengths.tolist() == [len(ids) for ids, _, _ in shards]


def test_the_first_token_of_every_document_has_no_label(folder):
    for _, labels, lengths in open_shards(folder):
        assert (labels[np.cumsum(lengths) - lengths] == -100).all()


def test_rows_are_read_only_views(folder):
    ids, _, _ = open_shards(folder).row(0)
    with pytest.raises(ValueError, match="read-only"):
        ids[0] = 1


def test_a_row_that_does_not_exist_is_an_index_error(folder):
    shards = open_shards(folder)
    for index in (-1, len(shards)):
        with pytest.raises(IndexError):
            shards.row(index)


def test_a_folder_without_its_manifest_is_refused(folder):
    (folder / "shards.json").unlink()
    with pytest.raises(InputError, match=r"has no shards\.json, so it is no complete shard folder"):
        open_shards(folder)
    with pytest.raises(InputError, match="is no folder"):
        open_shards(folder / "不存在")


def test_changed_data_are_refused(folder):
    needle = np.array([201, 202, 203], dtype=np.int32).tobytes()
    path = next(file for file in sorted(folder.glob("*.arrow")) if needle in file.read_bytes())
    path.write_bytes(path.read_bytes().replace(needle, needle[::-1]))
    with pytest.raises(InputError, match="changed since it was written") as caught:
        open_shards(folder)
    assert caught.value.place == str(path)
    assert len(open_shards(folder, verify=False)) > 0


def test_a_file_that_is_no_arrow_is_refused_even_unverified(folder):
    path = folder / "data-00000-of-00003.arrow"
    path.write_bytes("坏".encode() * (path.stat().st_size // 3) + b"x" * (path.stat().st_size % 3))
    with pytest.raises(InputError, match="cannot be read"):
        open_shards(folder, verify=False)


def test_cut_data_are_refused_even_unverified(folder):
    path = folder / "data-00002-of-00003.arrow"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(InputError, match="is missing, or was changed"):
        open_shards(folder, verify=False)


def test_another_format_and_a_broken_manifest_are_refused(folder):
    manifest = json.loads((folder / "shards.json").read_text())
    (folder / "shards.json").write_text(json.dumps({**manifest, "schema": "dataforge.shards/9"}))
    with pytest.raises(InputError, match=r"format 'dataforge\.shards/9'"):
        open_shards(folder)
    (folder / "shards.json").write_text("{")
    with pytest.raises(InputError, match="cannot be read"):
        open_shards(folder)


def test_more_rows_than_announced_are_an_error(tmp_path):
    batches, rows, tokens = rows_of(ROWS, 32)
    with pytest.raises(ValueError, match="more than the"):
        write_shards(tmp_path, batches, rows=rows - 1, tokens=tokens, manifest={})


def test_the_same_rows_give_the_same_bytes(tmp_path):
    for name in ("一", "two"):
        (tmp_path / name).mkdir()
        batches, rows, tokens = rows_of(ROWS, 32)
        write_shards(tmp_path / name, batches, rows=rows, tokens=tokens, manifest={})
    one, other = ({f.name: f.read_bytes() for f in (tmp_path / name).iterdir()} for name in ("一", "two"))
    assert one == other


row = st.lists(st.tuples(st.integers(0, 2**31 - 1), st.integers(0, 1)), min_size=1, max_size=40)


@given(st.lists(row, min_size=1, max_size=20), st.integers(2, 16), st.integers(1, 60))
def test_packing_loses_no_token_and_adds_none(rows, max_length, batch_tokens):
    given_rows = [([token for token, _ in r], [bit for _, bit in r]) for r in rows]
    batches, count, _ = rows_of(given_rows, max_length, batch_tokens)
    seen, packed = [], 0
    for batch in batches:
        packed += len(batch.tokens_in)
        assert batch.tokens_in.max() <= max_length
        assert batch.documents_in.sum() == len(batch.seq_lengths)
        assert batch.tokens_in.sum() == batch.seq_lengths.sum() == len(batch.input_ids)
        seen += list(zip(batch.input_ids.tolist(), batch.labels.tolist(), strict=True))
    assert packed == count
    expected = []
    for ids, mask in given_rows:
        expected += [
            (i, i if bit and k % max_length else -100) for k, (i, bit) in enumerate(zip(ids, mask, strict=True))
        ]
    assert sorted(seen) == sorted(expected)
