"""convert: containers and back, tables and their limits, forced dialects, limits, and rows that cannot be carried."""

import csv
import gzip
import json

import dirty
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

import dataforge
from dataforge.errors import NotRepresentable, RowError, UsageError
from dataforge.formats.spelling import Spelling
from dataforge.record import record_id
from dataforge.registry import load_dialect

QA = [{"question": "How long?", "answer": "Three minutes."}, {"question": "多久？", "answer": "三分钟，\n不要超过。"}]


def write(path, rows):
    path.write_bytes(b"".join(dirty.line_of(row) + b"\n" for row in rows))
    return path


def read(path):
    """The rows of an output, by the standard library."""
    data = path.read_bytes()
    if path.suffix == ".gz":
        data = gzip.decompress(data)
    if path.suffix == ".zst":
        data = zstandard.ZstdDecompressor().stream_reader(data).read()
    text, name = data.decode(), path.name
    if ".csv" in name or ".tsv" in name:
        return list(csv.DictReader(text.splitlines(keepends=True), delimiter="\t" if ".tsv" in name else ","))
    if ".txt" in name:
        return [{"text": line} for line in text.split("\n")[:-1]]
    return (
        json.loads(text) if ".json" in name and ".jsonl" not in name else [json.loads(x) for x in text.split("\n")[:-1]]
    )


NAMES = ["o.jsonl", "o.ndjson", "o.json", "o.csv", "o.tsv", "o.jsonl.gz", "o.json.zst", "o.csv.gz", "O.JSONL"]


@pytest.mark.parametrize("name", NAMES)
def test_rows_come_back_from_every_container(name, tmp_path):
    source = write(tmp_path / "rows.jsonl", QA)
    dataforge.convert(source, output=tmp_path / name, to="qa")
    if name != "O.JSONL":
        assert read(tmp_path / name) == QA
    dataforge.convert(tmp_path / name, output=tmp_path / "back.jsonl", to="qa")
    assert read(tmp_path / "back.jsonl") == QA


CELLS = st.text(st.sampled_from(list("a,;\"\t\n\r'\\ 茶，\ufeff\x00\x0b\x85\u2028 #=")), max_size=6)


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(st.builds(lambda q, a: {"question": q, "answer": a}, CELLS, CELLS), min_size=1, max_size=5),
    name=st.sampled_from(["o.csv", "o.tsv", "o.json", "o.jsonl.gz"]),
)
def test_no_text_is_too_wild_for_a_container(rows, name, tmp_path_factory):
    folder = tmp_path_factory.mktemp("wild")
    source = write(folder / "rows.jsonl", rows)
    dataforge.convert(source, output=folder / name, to="qa", workers=1)
    dataforge.convert(folder / name, output=folder / "back.jsonl", to="qa", workers=1)
    assert read(folder / "back.jsonl") == rows


@settings(max_examples=40, deadline=None)
@given(texts=st.lists(CELLS, min_size=1, max_size=6))
def test_a_text_file_gives_back_its_documents_or_says_why_it_cannot_hold_them(texts, tmp_path_factory):
    folder = tmp_path_factory.mktemp("txt")
    source = write(folder / "rows.jsonl", [{"text": text} for text in texts])
    result = dataforge.convert(source, output=folder / "o.txt", to="text", on_error="reject", workers=1)
    ledger = dirty.ledger_of(folder / "o.txt.forge")
    held = [text for text, row in zip(texts, ledger, strict=True) if row["fate"] == "kept"]
    assert all("\n" in t or "\r" in t or not t.strip() or t[0] == "\ufeff" for t in texts if t not in held)
    assert result.counts.kept == len(held)
    if held:
        dataforge.convert(folder / "o.txt", output=folder / "back.jsonl", to="text", workers=1)
        assert [row["text"] for row in read(folder / "back.jsonl")] == held


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(st.one_of(dirty.ALPACA, dirty.QA, dirty.SHAREGPT), min_size=1, max_size=6),
    target=st.sampled_from(["alpaca", "qa", "sharegpt", "openai"]),
)
def test_what_a_table_holds_reads_as_the_same_record(rows, target, tmp_path_factory):
    folder = tmp_path_factory.mktemp("table")
    source = write(folder / "rows.jsonl", rows)
    result = dataforge.convert(source, output=folder / "o.csv", to=target, on_error="reject", workers=1)
    ids = [row["id"] for row in dirty.ledger_of(folder / "o.csv.forge") if row["fate"] == "kept"]
    assert len(ids) == result.counts.kept
    if ids:
        dataforge.validate(folder / "o.csv", output=folder / "v.jsonl", workers=1)
        dataforge.convert(folder / "o.csv", output=folder / "back.jsonl", to="openai", workers=1)
        assert [row["id"] for row in dirty.ledger_of(folder / "back.jsonl.forge")] == ids


def test_a_table_takes_its_columns_from_its_first_rows_and_refuses_others_with_a_reason(tmp_path):
    rows = [{"question": "q", "answer": "a"}] * 1000 + [{"question": "q", "answer": "a", "level": "hard"}]
    source = write(tmp_path / "rows.jsonl", rows)
    with pytest.raises(RowError) as fault:
        dataforge.convert(source, output=tmp_path / "o.csv", to="qa")
    assert fault.value.place == f"{source}:1001: $.level"
    assert "'level', which is no column of its first rows" in fault.value.message
    assert not (tmp_path / "o.csv").exists()
    dataforge.convert(source, output=tmp_path / "o.csv", to="qa", on_error="reject")
    assert dirty.ledger_of(tmp_path / "o.csv.forge")[1000]["rule"] == "not_representable:a table"
    mixed = write(tmp_path / "mixed.jsonl", rows[-2:])
    dataforge.convert(mixed, output=tmp_path / "m.csv", to="qa")
    assert read(tmp_path / "m.csv") == [{**rows[0], "level": ""}, rows[-1]]


@pytest.mark.parametrize(
    ("row", "target", "reason"),
    [
        ({"instruction": "a", "output": "b", "history": [["问", "答"]]}, "alpaca", "'history', which is a list"),
        ({"instruction": "a", "output": None}, "alpaca", "'output', which is null"),
        ({"conversations": [{"from": "human", "value": "x"}]}, "openai", "'messages', which is a list"),
    ],
)
def test_what_would_not_come_back_from_a_table_is_refused(row, target, reason, tmp_path):
    source = write(tmp_path / "rows.jsonl", [row])
    with pytest.raises(RowError, match=reason) as fault:
        dataforge.convert(source, output=tmp_path / "o.csv", to=target)
    assert fault.value.rule == "not_representable:a table"


def test_a_table_of_two_spellings_does_not_lose_the_second(tmp_path):
    source = write(tmp_path / "rows.jsonl", [{"question": "q", "answer": "a"}, {"问题": "问", "答案": "答"}])
    with pytest.raises(RowError, match="columns that other rows have"):
        dataforge.convert(source, output=tmp_path / "o.csv", to="qa")
    dataforge.convert(source, output=tmp_path / "o.csv", to="alpaca")
    assert [row["output"] for row in read(tmp_path / "o.csv")] == ["a", "答"]


def test_numbers_and_blanks_of_unknown_keys_stand_in_a_table_as_json(tmp_path):
    row = {"question": "q", "answer": "a", "n": 5, "x": 0.5, "ok": True, "none": None, "big": 10**30, "l": [1, "茶"]}
    dataforge.convert(write(tmp_path / "rows.jsonl", [row]), output=tmp_path / "o.csv", to="qa")
    (cells,) = read(tmp_path / "o.csv")
    assert cells == {**row, "n": "5", "x": "0.5", "ok": "true", "none": "", "big": str(10**30), "l": '[1,"茶"]'}


def test_a_table_of_no_readable_row_has_the_headers_of_its_dialect(tmp_path):
    source = write(tmp_path / "rows.jsonl", [{"headline": 1}])
    dataforge.convert(source, output=tmp_path / "o.csv", to="alpaca", on_error="reject")
    assert (tmp_path / "o.csv").read_text() == "instruction,input,output\n"
    with pytest.raises(RowError, match="no dialect has these keys") as fault:
        dataforge.convert(source, output=tmp_path / "p.csv", to="alpaca")
    assert fault.value.place == f"{source}:1"


def test_the_header_of_a_limited_table_comes_from_the_rows_read(tmp_path):
    source = write(tmp_path / "rows.jsonl", [*QA, {**QA[0], "level": "x"}])
    dataforge.convert(source, output=tmp_path / "o.csv", to="qa", limit=2)
    assert read(tmp_path / "o.csv") == QA


def test_chinese_headers_are_read_and_kept(tmp_path):
    (tmp_path / "t.csv").write_text("问题,答案\r\n龙井产自哪里？,杭州。\r\n", encoding="utf-8-sig", newline="")
    dataforge.convert(tmp_path / "t.csv", output=tmp_path / "o.tsv", to="qa")
    assert (tmp_path / "o.tsv").read_text(encoding="utf-8") == "问题\t答案\n龙井产自哪里？\t杭州。\n"


def test_documents_go_to_txt_and_conversations_do_not(tmp_path):
    source = write(
        tmp_path / "rows.jsonl", [{"text": "茶。"}, {"text": "two\nlines"}, {"text": " "}, {"text": "a", "id": 1}]
    )
    result = dataforge.convert(source, output=tmp_path / "o.txt", to="text", on_error="reject")
    assert (tmp_path / "o.txt").read_text(encoding="utf-8") == "茶。\n"
    assert dict(result.counts.rules) == {("error", "not_representable:txt"): 3}
    with pytest.raises(UsageError, match="documents only"):
        dataforge.convert(source, output=tmp_path / "p.txt", to="qa")
    with pytest.raises(UsageError, match="documents only"):
        dataforge.convert(source, output=tmp_path / "p.txt", to="qa", dry_run=True)


def test_a_forced_dialect_reads_every_row_or_says_what_is_missing(tmp_path):
    both = {"instruction": "a", "output": "b", "question": "问", "answer": "答"}
    source = write(tmp_path / "rows.jsonl", [both, {"text": "x"}])
    result = dataforge.convert(source, output=tmp_path / "o.jsonl", to="openai", source_dialect="qa", on_error="reject")
    (row,) = read(tmp_path / "o.jsonl")
    assert [message["content"] for message in row["messages"]] == ["问", "答"]
    assert result.counts.errors == 1
    dataforge.convert(source, output=tmp_path / "p.jsonl", to="openai", on_error="reject", **{"from": "alpaca"})
    assert [message["content"] for message in read(tmp_path / "p.jsonl")[0]["messages"]] == ["a", "b"]
    bare = write(tmp_path / "bare.jsonl", [{"foo": 1}])
    for dialect in ("alpaca", "sharegpt", "openai", "text"):
        with pytest.raises(RowError) as fault:
            dataforge.convert(bare, output=tmp_path / "q.jsonl", to="openai", source_dialect=dialect)
        assert fault.value.place == f"{bare}:1"
        assert "needs the key" in fault.value.message


@pytest.mark.parametrize("joiner", ["\n", "\n\n", "", " ：", "|"])
def test_the_joiner_stands_between_instruction_and_input(joiner, tmp_path):
    source = write(tmp_path / "rows.jsonl", [{"instruction": "翻译", "input": "茶", "output": "tea"}])
    dataforge.convert(source, output=tmp_path / "o.jsonl", to="openai", joiner=joiner)
    assert read(tmp_path / "o.jsonl")[0]["messages"][0]["content"] == "翻译" + joiner + "茶"
    dataforge.convert(source, output=tmp_path / "same.jsonl", to="alpaca", joiner=joiner)
    assert read(tmp_path / "same.jsonl") == [{"instruction": "翻译", "input": "茶", "output": "tea"}]


def test_what_the_target_cannot_carry_stops_or_is_rejected_with_a_reason(tmp_path):
    rows = [{"question": "q", "answer": "a"}, {"text": "文"}, {"question": "r", "answer": "b"}]
    source = write(tmp_path / "rows.jsonl", rows)
    with pytest.raises(RowError) as fault:
        dataforge.convert(source, output=tmp_path / "o.jsonl", to="sharegpt")
    assert fault.value.place.startswith(f"{source}:2")
    assert "rejects.jsonl" in fault.value.help
    result = dataforge.convert(source, output=tmp_path / "o.jsonl", to="sharegpt", on_error="reject")
    assert result.exit_code == 1
    assert len(read(tmp_path / "o.jsonl")) == 2
    (reject,) = dirty.rejects_of(tmp_path / "o.jsonl.forge")
    assert (reject["rule"], reject["bytes"]) == ("not_representable:sharegpt", '{"text": "文"}'.encode())


def test_an_unreadable_row_of_an_array_is_placed_by_its_line(tmp_path):
    (tmp_path / "rows.json").write_text('[\n {"text": "a"},\n {"text":\n  5},\n {"text": "b" "c"}\n]', encoding="utf-8")
    result = dataforge.convert(tmp_path / "rows.json", output=tmp_path / "o.jsonl", to="text", on_error="reject")
    assert [(row["line"], row["fate"]) for row in dirty.ledger_of(tmp_path / "o.jsonl.forge")] == [
        (2, "kept"),
        (3, "error"),
        (5, "error"),
    ]
    assert f"{tmp_path}/rows.json:5: broken JSON" in result.problems[1]


def test_big_numbers_and_lone_surrogates_survive(tmp_path):
    raw = b'{"question": "\\ud83d", "answer": "a", "n": 1234567890123456789012345678901, "f": 0.12345678901234567890}\n'
    (tmp_path / "rows.jsonl").write_bytes(raw)
    dataforge.convert(tmp_path / "rows.jsonl", output=tmp_path / "o.jsonl", to="sharegpt")
    dataforge.convert(tmp_path / "o.jsonl", output=tmp_path / "back.jsonl", to="qa")
    text = (tmp_path / "back.jsonl").read_text()
    assert "1234567890123456789012345678901" in text and "0.12345678901234567890" in text and "\\ud83d" in text
    with pytest.raises(RowError, match="lone surrogate"):
        dataforge.convert(tmp_path / "rows.jsonl", output=tmp_path / "o.csv", to="qa")


@settings(max_examples=40, deadline=None)
@given(row=dirty.GOOD)
def test_a_record_has_the_same_id_in_every_dialect_that_carries_it(row, tmp_path_factory):
    folder = tmp_path_factory.mktemp("ids")
    source = write(folder / "rows.jsonl", [row])
    ids = set()
    for name in ("alpaca", "sharegpt", "openai", "qa", "text"):
        out = folder / f"{name}.jsonl"
        result = dataforge.convert(source, output=out, to=name, on_error="reject", workers=1)
        (entry,) = dirty.ledger_of(dirty.out_of(out))
        ids.add(entry["id"])
        if result.ok:
            assert record_id(load_dialect(name).read(read(out)[0], Spelling())) == entry["id"]
    assert len(ids) == 1


def test_table_is_named_in_the_rule_of_a_refusal():
    assert NotRepresentable("a table", "x").rule == "not_representable:a table"
