"""The ledger and the rejects on disk: every column, across row groups and chunks, and the bytes of faulty rows."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest
from dirty import rejects_of
from hypothesis import given, settings
from hypothesis import strategies as st

from dataforge.engine import ledgerfile
from dataforge.engine.batch import NO_ID, Note
from dataforge.engine.ledgerfile import LedgerFile, RejectsFile, Rows
from dataforge.errors import OutputError
from dataforge.ledger import DROPPED, ERROR, FATES, KEPT, REPAIRED, UNUSED, Counts

IDS = [bytes([n]) * 16 for n in range(1, 9)]


def made(path, chunks, sources=("a.jsonl", "文.jsonl")):
    ledger = LedgerFile(path, list(sources))
    for rows in chunks:
        ledger.add(rows)
    ledger.close()
    return pq.read_table(path).to_pylist()


def rows(count, *, source=0, first=0, line=1):
    return Rows(source, first, np.arange(line, line + count), b"".join(IDS[:count]))


def test_rows_begin_as_kept_and_written_once(tmp_path):
    table = made(tmp_path / "l.parquet", [rows(2, first=3, line=7)])
    blank = {"rule": "", "keeper_source": None, "keeper_ordinal": None, "position": None, "detail": None}
    assert table == [
        {"source": "a.jsonl", "ordinal": 3, "line": 7, "id": IDS[0], "fate": "kept", "n_out": 1, **blank},
        {"source": "a.jsonl", "ordinal": 4, "line": 8, "id": IDS[1], "fate": "kept", "n_out": 1, **blank},
    ]


def test_fates_rules_details_and_keepers_reach_their_columns(tmp_path):
    first, second = rows(3), rows(2, source=1, line=5)
    first.note([Note(1, 2, ERROR, "broken_json", 0, "坏了", "$.a[0]"), Note(2, 3, REPAIRED, "trim", 1)])
    second.mark(np.array([False, True]), DROPPED, "duplicate:exact")
    second.keeper_source = np.array([-1, 0], np.int32)
    second.keeper_ordinal = np.array([-1, 2], np.int64)
    first.position = np.array([4, -1, 0])
    table = made(tmp_path / "l.parquet", [first, second])
    assert [row["fate"] for row in table] == ["kept", "error", "repaired", "kept", "dropped"]
    assert [row["rule"] for row in table] == ["", "broken_json", "trim", "", "duplicate:exact"]
    assert [row["n_out"] for row in table] == [1, 0, 1, 1, 0]
    assert [row["detail"] for row in table] == [None, "$.a[0]: 坏了", None, None, None]
    assert [row["source"] for row in table] == ["a.jsonl"] * 3 + ["文.jsonl"] * 2
    assert [row["keeper_source"] for row in table] == [None] * 4 + ["a.jsonl"]
    assert [row["keeper_ordinal"] for row in table] == [None] * 4 + [2]
    assert [row["position"] for row in table] == [4, None, 0, None, None]


def test_an_unread_row_has_no_id(tmp_path):
    unread = Rows(0, 0, np.arange(1, 4), IDS[0] + NO_ID + IDS[1])
    assert [row["id"] for row in made(tmp_path / "l.parquet", [unread])] == [IDS[0], None, IDS[1]]


def test_chunks_without_rows_and_row_groups_make_no_difference(tmp_path, monkeypatch):
    def chunks():
        for number in range(6):
            part = rows(4 if number % 2 else 0, first=4 * (number // 2))
            if number == 3:
                part.mark(0, UNUSED, "beyond_share")
            yield part

    whole = made(tmp_path / "whole.parquet", chunks())
    monkeypatch.setattr(ledgerfile, "GROUP", 3)
    cut = made(tmp_path / "cut.parquet", chunks())
    assert whole == cut
    assert len(whole) == 12
    assert pq.ParquetFile(tmp_path / "cut.parquet").num_row_groups > 1


def test_an_empty_ledger_is_a_table_without_rows(tmp_path):
    assert made(tmp_path / "l.parquet", []) == []


def test_a_detail_with_a_lone_surrogate_can_be_written(tmp_path):
    part = rows(1)
    part.note([Note(0, 1, ERROR, "x", 0, "bad \ud800 text")])
    assert made(tmp_path / "l.parquet", [part])[0]["detail"] == "bad ? text"


FATE_NOTES = st.lists(
    st.tuples(
        st.sampled_from([KEPT, REPAIRED, DROPPED, UNUSED, ERROR]), st.sampled_from(["", "a", "b"]), st.integers(0, 3)
    ),
    max_size=8,
)


@settings(max_examples=100, deadline=None)
@given(FATE_NOTES)
def test_counts_agree_with_the_rows_one_by_one(notes):
    part = rows(len(notes))
    for number, (fate, rule, n_out) in enumerate(notes):
        part.mark(number, fate, rule, n_out)
    counts = Counts()
    part.count(counts)
    counts.rows_out = sum(n_out for _, _, n_out in notes)
    counts.check()
    assert counts.rows_in == len(notes)
    for code, name in enumerate(FATES):
        assert getattr(counts, "errors" if name == "error" else name) == sum(fate == code for fate, _, _ in notes)
        for rule in ("a", "b"):
            assert counts.rules[name, rule] == sum((fate, label) == (code, rule) for fate, label, _ in notes)


@settings(max_examples=100, deadline=None)
@given(raws=st.lists(st.binary(max_size=12).filter(lambda raw: b"\n" not in raw), min_size=1, max_size=6))
def test_rejects_give_back_the_bytes_of_every_row(raws, tmp_path_factory):
    folder = tmp_path_factory.mktemp("rejects")
    file = RejectsFile(folder / "rejects.jsonl")
    file.add("茶.jsonl", [Note(n, n + 1, ERROR, "r", 0, "d", "$.x", raw=raw) for n, raw in enumerate(raws)])
    assert file.close()
    back = rejects_of(folder)
    assert [row["bytes"] for row in back] == raws
    assert [row["line"] for row in back] == list(range(1, len(raws) + 1))
    assert {(row["source"], row["rule"], row["path"], row["detail"]) for row in back} == {("茶.jsonl", "r", "$.x", "d")}


def test_rejects_are_json_lines_and_appear_only_with_a_row(tmp_path):
    file = RejectsFile(tmp_path / "rejects.jsonl")
    assert not file.close()
    assert not (tmp_path / "rejects.jsonl").exists()
    file.add("s", [Note(0, 9, ERROR, "invalid_utf8", 0, "", raw=b"\xff\xfe")])
    file.close()
    row = json.loads((tmp_path / "rejects.jsonl").read_bytes())
    assert row["raw_base64"] == "//4=" and "raw" not in row


def test_a_folder_that_takes_no_ledger_is_an_output_error(tmp_path):
    with pytest.raises(OutputError, match="cannot be written"):
        LedgerFile(tmp_path / "no" / "ledger.parquet", [])
    with pytest.raises(OutputError, match="cannot be written"):
        RejectsFile(tmp_path / "no" / "rejects.jsonl").add("s", [Note(0, 1, ERROR, "r", raw=b"")])


def test_a_ledger_given_up_is_silent(tmp_path):
    ledger = LedgerFile(tmp_path / "l.parquet", ["a"])
    ledger.add(rows(2))
    ledger.give_up()
    ledger.give_up()
    del ledger
