"""dedup: the first of each group of equal rows stays, by an oracle that knows no hash; nothing else goes."""

import json
import re
import tempfile
import unicodedata
from pathlib import Path

import dirty
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import dataforge
from dataforge.errors import RowError, UsageError
from dataforge.formats.detect import find
from dataforge.formats.spelling import Spelling
from dataforge.ops.dedup import first_of_each
from dataforge.ops.duplicates.keys import FIELDS, NORMALISE
from dataforge.record import Record, ToolCall

SAMPLES = Path(__file__).resolve().parent.parent.parent / "samples"


def record_of(row):
    module = find(row)
    return module.read(row, Spelling())


def cleaned(text, normalise):
    """What `normalise` makes of a text, written in another way than the package writes it."""
    if normalise == "spaces":
        return re.sub(r"\s+", " ", unicodedata.normalize("NFC", text)).strip()
    if normalise == "words":
        letters = unicodedata.normalize("NFKC", text).casefold()
        return "".join(c for c in letters if c.isalnum() or unicodedata.category(c) in ("Mn", "Mc"))
    return text


def canonical(record: Record, fields, normalise):
    """The content of a record as a value that can be compared: turns as (role, text), and tools."""
    turns = [(turn.role, tuple(turn.parts)) for turn in record.turns]
    answers = [n for n, (role, _) in enumerate(turns) if role == "assistant"]
    last = answers[-1] if answers else len(turns)
    chosen = {"all": turns, "prompt": turns[:last], "answer": turns[last : last + 1]}[fields] or turns
    tools = json.dumps(record.tools) if fields != "answer" and record.tools is not None else None
    texts = [
        (role, tuple(cleaned(p, normalise) if isinstance(p, str) else repr(p) for p in parts)) for role, parts in chosen
    ]
    return tuple(texts), tools


def keepers(records, fields, normalise):
    """For each record the index of the first one with the same content; a dict does the work."""
    first = {}
    return [first.setdefault(canonical(r, fields, normalise), n) for n, r in enumerate(records)]


SAME = st.sampled_from(
    ["tea", "Tea", " tea ", "te\na", "ｔｅａ", "茶", "茶。", "喝茶!", "喝 茶！", "\u00e9", "e\u0301", "", "?", "1+1"]
)
ROWS = st.one_of(
    st.builds(lambda q, a: {"question": q, "answer": a}, SAME, SAME),
    st.builds(lambda q, a: {"instruction": q, "output": a}, SAME, SAME),
    st.builds(lambda q, i, a: {"instruction": q, "input": i, "output": a}, SAME, SAME, SAME),
    st.builds(
        lambda q, a: {"messages": [{"role": "user", "content": q}, {"role": "assistant", "content": a}]}, SAME, SAME
    ),
    st.builds(lambda q: {"messages": [{"role": "user", "content": q}]}, SAME),
    st.builds(lambda a: {"messages": [{"role": "assistant", "content": a}]}, SAME),
    st.builds(lambda q, a: {"conversations": [{"from": "human", "value": q}, {"from": "gpt", "value": a}]}, SAME, SAME),
    st.builds(
        lambda q, t: {"conversations": [{"from": "human", "value": q}, {"from": "gpt", "value": "x"}], "tools": t},
        SAME,
        st.sampled_from(['[{"name": "a"}]', '[{"name": "b"}]']),
    ),
    st.builds(lambda t: {"text": t}, SAME),
)


@settings(max_examples=80, deadline=None)
@given(
    rows=st.lists(ROWS, min_size=1, max_size=14), fields=st.sampled_from(FIELDS), normalise=st.sampled_from(NORMALISE)
)
def test_the_keeper_is_the_first_equal_row(rows, fields, normalise):
    with tempfile.TemporaryDirectory() as folder:
        source, out = Path(folder, "rows.jsonl"), Path(folder, "out.jsonl")
        lines = [dirty.line_of(row) for row in rows]
        source.write_bytes(b"\n".join(lines) + b"\n")
        dataforge.dedup(source, output=out, fields=fields, normalise=normalise, workers=1)
        first = keepers([record_of(row) for row in rows], fields, normalise)
        for number, (row, keeper) in enumerate(zip(dirty.ledger_of(dirty.out_of(out)), first, strict=True)):
            assert row["fate"] == ("kept" if keeper == number else "dropped"), (number, rows)
            assert row["keeper_ordinal"] == (None if keeper == number else keeper)
        stay = [line for number, line in enumerate(lines) if first[number] == number]
        assert out.read_bytes() == b"".join(line + b"\n" for line in stay)  # the order, and the bytes, are the input's


@settings(max_examples=30, deadline=None)
@given(
    rows=st.lists(ROWS, min_size=1, max_size=10), fields=st.sampled_from(FIELDS), normalise=st.sampled_from(NORMALISE)
)
def test_a_second_dedup_finds_nothing(rows, fields, normalise):
    with tempfile.TemporaryDirectory() as folder:
        source, once, twice = (Path(folder, name) for name in ("rows.jsonl", "once.jsonl", "twice.jsonl"))
        source.write_bytes(b"".join(dirty.line_of(row) + b"\n" for row in rows))
        dataforge.dedup(source, output=once, fields=fields, normalise=normalise, workers=1)
        result = dataforge.dedup(once, output=twice, fields=fields, normalise=normalise, workers=1)
        assert result.counts.dropped == 0
        assert twice.read_bytes() == once.read_bytes()


def test_the_samples_hold_the_five_pairs_that_their_readme_names(tmp_path):
    files = ["alpaca_en.jsonl", "alpaca_zh.json", "messages_en.jsonl", "messages_zh.jsonl", "qa_en.tsv", "qa_zh.csv"]
    files += ["sharegpt_en.jsonl", "sharegpt_zh.jsonl"]
    dataforge.dedup([SAMPLES / name for name in files], output=tmp_path / "out.jsonl")
    pairs = {
        ((row["keeper_source"], row["keeper_ordinal"] + 1), (row["source"], row["ordinal"] + 1))
        for row in dirty.ledger_of(tmp_path / "out.jsonl.forge")
        if row["fate"] == "dropped"
    }
    assert pairs == {
        (("alpaca_en.jsonl", 1), ("sharegpt_en.jsonl", 1)),
        (("alpaca_en.jsonl", 2), ("messages_en.jsonl", 1)),
        (("alpaca_zh.json", 1), ("qa_zh.csv", 1)),
        (("alpaca_zh.json", 2), ("sharegpt_zh.jsonl", 1)),
        (("alpaca_zh.json", 28), ("messages_zh.jsonl", 1)),
    }


@pytest.mark.parametrize(
    ("one", "other", "equal_by"),
    [
        ("绿茶好喝", "绿茶好喝", {"none", "spaces", "words"}),
        ("绿茶 好喝", "绿茶\n好喝 ", {"spaces", "words"}),
        ("绿茶，好喝！", "绿茶,好喝!", {"words"}),
        ("ＡＢＣ１２３", "abc123", {"words"}),
        ("caf\u00e9", "cafe\u0301", {"spaces", "words"}),
        ("绿茶", "红茶", set()),
        ("a b", "ab", {"words"}),
        ("\u0915\u093f", "\u0915\u093e", set()),  # two Hindi syllables that differ in a mark
        ("ok \u263a\ufe0f", "OK \u263a", {"words"}),
    ],
)
def test_normalisation_makes_equal_what_it_says(one, other, equal_by, tmp_path):
    rows = [{"question": one, "answer": "x"}, {"question": other, "answer": "x"}]
    (tmp_path / "rows.jsonl").write_bytes(b"".join(dirty.line_of(row) + b"\n" for row in rows))
    for normalise in NORMALISE:
        result = dataforge.dedup(tmp_path / "rows.jsonl", output=tmp_path / "o.jsonl", normalise=normalise, force=True)
        assert (result.counts.dropped == 1) == (normalise in equal_by), normalise


def test_rows_without_an_answer_are_compared_whole_and_not_all_alike(tmp_path):
    rows = [{"text": "one"}, {"text": "two"}, {"messages": [{"role": "user", "content": "三"}]}]
    rows += [{"messages": [{"role": "assistant", "content": text}]} for text in ("a", "b", "a")]
    (tmp_path / "rows.jsonl").write_bytes(b"".join(dirty.line_of(row) + b"\n" for row in rows))
    for fields in ("answer", "prompt"):
        for normalise in NORMALISE:
            result = dataforge.dedup(
                tmp_path / "rows.jsonl", output=tmp_path / "o.jsonl", fields=fields, normalise=normalise, force=True
            )
            assert result.counts.kept == 5, (fields, normalise)


def test_tools_and_tool_calls_tell_rows_apart(tmp_path):
    def row(name, arguments, spec):
        call = {"id": "c", "type": "function", "function": {"name": name, "arguments": arguments}}
        turns = [{"role": "user", "content": " hi "}, {"role": "assistant", "content": None, "tool_calls": [call]}]
        return {"messages": turns, "tools": [{"type": "function", "function": {"name": spec}}]}

    rows = [
        row("a", "{}", "x"),
        row("b", "{}", "x"),
        row("a", '{"q": 1}', "x"),
        row("a", "{}", "y"),
        row("a", "{ }", "x"),
    ]
    assert any(isinstance(part, ToolCall) for turn in record_of(rows[0]).turns for part in turn.parts)
    (tmp_path / "rows.jsonl").write_bytes(b"".join(dirty.line_of(r) + b"\n" for r in rows))
    result = dataforge.dedup(tmp_path / "rows.jsonl", output=tmp_path / "o.jsonl")
    assert [entry["keeper_ordinal"] for entry in dirty.ledger_of(tmp_path / "o.jsonl.forge")] == [None] * 4 + [0]
    assert result.counts.dropped == 1


def test_text_beside_tool_calls_is_normalised_too(tmp_path):
    def row(text):
        call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
        return {
            "messages": [
                {"role": "user", "content": text},
                {"role": "assistant", "content": text, "tool_calls": [call]},
            ]
        }

    rows = [row("喝  茶"), row("喝 茶 "), row("喝水")]
    (tmp_path / "rows.jsonl").write_bytes(b"".join(dirty.line_of(r) + b"\n" for r in rows))
    assert dataforge.dedup(tmp_path / "rows.jsonl", output=tmp_path / "o.jsonl").counts.dropped == 1


def test_dropped_rows_can_be_kept_beside(tmp_path):
    lines = [b'{"text":"a"}', b'{"text": "a"}', b"[]", b'{"text":"\\u0061"}']
    (tmp_path / "rows.jsonl").write_bytes(b"\n".join(lines))
    for keep, expected in (
        (True, [(2, "duplicate:exact"), (3, "not_an_object"), (4, "duplicate:exact")]),
        (False, [(3, "not_an_object")]),
    ):
        dataforge.dedup(
            tmp_path / "rows.jsonl", output=tmp_path / "o.jsonl", on_error="reject", keep_dropped=keep, force=True
        )
        rejects = dirty.rejects_of(tmp_path / "o.jsonl.forge")
        assert [(row["line"], row["rule"]) for row in rejects] == expected
        assert all(row["bytes"] == lines[row["line"] - 1] for row in rejects)


def test_duplicates_are_found_across_files_containers_and_chunks(tmp_path, small_chunks):
    small_chunks(64)
    pairs = [("q", "a"), ("问", "答"), ("q", "a"), ("x", "y")] * 5
    (tmp_path / "a.jsonl").write_bytes(b"".join(dirty.line_of({"question": q, "answer": a}) + b"\n" for q, a in pairs))
    (tmp_path / "b.csv").write_text("".join(f"{q},{a}\n" for q, a in [("query", "response"), *pairs]), encoding="utf-8")
    (tmp_path / "c.json").write_text(json.dumps([{"instruction": q, "output": a} for q, a in [*pairs, ("new", "n")]]))
    files = [tmp_path / name for name in ("a.jsonl", "b.csv", "c.json")]
    result = dataforge.dedup(files, output=tmp_path / "o.jsonl", workers=2)
    assert (result.counts.kept, result.counts.rows_in) == (4, 61)
    ledger = dirty.ledger_of(tmp_path / "o.jsonl.forge")
    assert {(row["keeper_source"], row["keeper_ordinal"]) for row in ledger if row["fate"] == "dropped"} == {
        ("a.jsonl", 0),
        ("a.jsonl", 1),
        ("a.jsonl", 3),
    }


def test_limit_looks_at_the_first_rows_only(tmp_path):
    (tmp_path / "rows.jsonl").write_bytes(b'{"text": "a"}\n' * 5)
    result = dataforge.dedup(tmp_path / "rows.jsonl", output=tmp_path / "o.jsonl", limit=3)
    assert (result.counts.rows_in, result.counts.dropped) == (3, 2)


def test_faulty_rows_stop_or_are_rejected_and_are_nobodys_duplicates(tmp_path):
    (tmp_path / "rows.jsonl").write_bytes(b'{"text": 1}\n{"text": 1}\n{"text": "a"}\n')
    with pytest.raises(RowError):
        dataforge.dedup(tmp_path / "rows.jsonl", output=tmp_path / "o.jsonl")
    result = dataforge.dedup(tmp_path / "rows.jsonl", output=tmp_path / "o.jsonl", on_error="reject")
    assert (result.counts.kept, result.counts.dropped, result.counts.errors) == (1, 0, 2)


def test_a_table_as_output_is_refused(tmp_path):
    (tmp_path / "rows.jsonl").write_bytes(b'{"text": "a"}\n')
    with pytest.raises(UsageError, match="dedup writes rows as they are"):
        dataforge.dedup(tmp_path / "rows.jsonl", output=tmp_path / "o.csv")


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 5), max_size=30))
def test_first_of_each_agrees_with_a_dict(keys):
    import numpy as np

    first = {}
    expected = [first.setdefault(key, n) for n, key in enumerate(keys)]
    assert first_of_each(np.array(keys, np.int64)).tolist() == expected
