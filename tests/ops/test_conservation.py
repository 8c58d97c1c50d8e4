"""No row is lost silently: every command, over good, broken, rare and blank lines, audited from outside."""

import json
import tempfile
from pathlib import Path

import dirty
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import dataforge
from dataforge import registry
from dataforge.engine import copying
from dataforge.engine.rowstream import encoded_rows
from dataforge.errors import ConservationError, DataError, InputError, RowError
from dataforge.formats.spelling import Spelling
from dataforge.ops import check, mix, rows
from dataforge.record import record_id
from dataforge.registry import load_dialect

RUNS = settings(max_examples=60, deadline=None)


def write_all(folder, files):
    """The files in a folder of their own; {name: bytes} in the order they are read."""
    inputs = {f"{number}.jsonl": data for number, data in enumerate(files)}
    for name, data in inputs.items():
        assume(data.strip() != b"[]")  # a file that is one array holds its items, not a row `[]`
        Path(folder, name).write_bytes(data)
    return inputs


def has_rows(inputs):
    return any(dirty.rows_of(data) for data in inputs.values())


def run(command, folder, inputs, **options):
    """Run a command over the files of a folder; the output's path, or None where the input holds no row at all."""
    out = Path(folder, "out.jsonl")
    paths = [Path(folder, name) for name in inputs]
    if not has_rows(inputs):
        with pytest.raises(InputError, match="holds no rows"):
            getattr(dataforge, command)(paths, output=out, workers=1, **options)
        assert not out.exists()
        assert not dirty.out_of(out).exists()
        return None
    getattr(dataforge, command)(paths, output=out, workers=1, **options)
    return out


@RUNS
@given(st.lists(dirty.FILES, min_size=1, max_size=3), st.sampled_from(sorted(registry.DIALECTS)))
def test_convert_gives_every_row_one_fate(files, target):
    with tempfile.TemporaryDirectory() as folder:
        inputs = write_all(folder, files)
        out = run("convert", folder, inputs, to=target, on_error="reject")
        if out is None:
            return
        ledger = dirty.audit(out, inputs)
        written = [json.loads(line) for line in out.read_bytes().splitlines()]
        kept = [row for row in ledger if row["fate"] == "kept"]
        assert len(written) == len(kept)
        for row, mark in zip(written, kept, strict=True):
            assert record_id(load_dialect(target).read(row, Spelling())) == mark["id"]


@RUNS
@given(st.lists(dirty.FILES, min_size=1, max_size=3))
def test_validate_gives_every_row_one_fate_and_copies_the_good_ones(files):
    with tempfile.TemporaryDirectory() as folder:
        inputs = write_all(folder, files)
        out = run("validate", folder, inputs)
        if out is None:
            return
        ledger = dirty.audit(out, inputs)
        raws = [raw for data in inputs.values() for _, raw in dirty.rows_of(data)]
        good = [raw for raw, row in zip(raws, ledger, strict=True) if row["fate"] == "kept"]
        assert out.read_bytes() == b"".join(raw + b"\n" for raw in good)


@RUNS
@given(st.lists(dirty.FILES, min_size=1, max_size=3), st.booleans())
def test_dedup_gives_every_row_one_fate(files, keep_dropped):
    with tempfile.TemporaryDirectory() as folder:
        inputs = write_all(folder, files)
        out = run("dedup", folder, inputs, on_error="reject", keep_dropped=keep_dropped)
        if out is None:
            return
        ledger = dirty.audit(out, inputs, dropped_in_rejects=keep_dropped)
        places = {(row["source"], row["ordinal"]): row for row in ledger}
        for row in ledger:
            if row["fate"] == "dropped":
                keeper = places[row["keeper_source"], row["keeper_ordinal"]]
                assert keeper["fate"] == "kept"
            else:
                assert row["keeper_source"] is None and row["keeper_ordinal"] is None


@RUNS
@given(dirty.FILES, dirty.FILES, st.sampled_from([0.0, 0.1, 0.3, 0.5]), st.sampled_from(["rows", "chars"]))
def test_mix_gives_every_row_one_fate(domain, general, replay, unit):
    with tempfile.TemporaryDirectory() as folder:
        inputs = write_all(folder, [domain, general])
        out = Path(folder, "out.jsonl")
        pools = {"domain": [f"{folder}/0.jsonl"], "general": [f"{folder}/1.jsonl"]}
        try:
            dataforge.mix(output=out, **pools, replay=replay, by=unit, on_error="reject", workers=1)
        except (DataError, InputError):
            assert not out.exists()
            assert not dirty.out_of(out).exists()
            return
        ledger = dirty.audit(out, inputs)
        lines = out.read_bytes().splitlines()
        raws = {(name, line): raw for name, data in inputs.items() for line, raw in dirty.rows_of(data)}
        for row in ledger:
            if row["fate"] == "kept":
                assert lines[row["position"]] == raws[row["source"], row["line"]]
            else:
                assert row["position"] is None
                assert row["fate"] == "error" or row["source"] == "1.jsonl"


@pytest.mark.parametrize("command", ["convert", "dedup"])
def test_the_first_faulty_row_stops_a_command_and_leaves_nothing(command, tmp_path):
    source = tmp_path / "rows.jsonl"
    source.write_bytes(b'{"text": "a"}\n' * 16 + b'{"text": "cut\n' + b'{"text": 5}\n')
    options = {"to": "text"} if command == "convert" else {}
    with pytest.raises(RowError) as stopped:
        getattr(dataforge, command)(source, output=tmp_path / "out.jsonl", **options)
    assert stopped.value.place == f"{source}:17"
    assert [path.name for path in tmp_path.iterdir()] == ["rows.jsonl"]


def plant(monkeypatch, module, spoil):
    """Let a worker task do its work, and spoil what it did."""
    real = module.open_task

    def open_task(options):
        task = real(options)

        def run(batch):
            task(batch)
            spoil(batch)

        return run

    monkeypatch.setattr(module, "open_task", open_task)


def forget_one(batch):
    """Write one row less than was kept, and say nothing of it."""
    batch.out.pop()
    batch.stats["written"] = len(batch.out)


@pytest.mark.parametrize(
    ("command", "options"), [("convert", {"to": "text"}), ("dedup", {"keep_dropped": True}), ("dedup", {})]
)
def test_a_row_that_a_task_forgets_is_found(command, options, tmp_path, monkeypatch):
    plant(monkeypatch, rows, forget_one)
    monkeypatch.setattr(copying, "kept_stretches", lambda data, ends, stays: data[: int(ends[-2])])
    source = tmp_path / "rows.jsonl"
    source.write_bytes(b'{"text": "a"}\n{"text": "b"}\n')
    with pytest.raises(ConservationError, match="1 written, 2 by the ledger"):
        getattr(dataforge, command)(source, output=tmp_path / "out.jsonl", workers=1, **options)
    assert [path.name for path in tmp_path.iterdir()] == ["rows.jsonl"]


def test_a_row_that_validate_forgets_to_copy_is_found(tmp_path, monkeypatch):
    plant(monkeypatch, check, forget_one)
    (tmp_path / "rows.jsonl").write_bytes(b'{"text": "a"}\n')
    with pytest.raises(ConservationError):
        dataforge.validate(tmp_path / "rows.jsonl", output=tmp_path / "out.jsonl", workers=1)


def test_a_row_that_mix_does_not_find_again_is_found(tmp_path, monkeypatch):
    monkeypatch.setattr(mix, "encoded_rows", lambda source, keep: iter(list(encoded_rows(source, keep))[1:]))
    for name in ("a", "b"):
        (tmp_path / f"{name}.jsonl").write_bytes(b'{"text": "a"}\n{"text": "b"}\n')
    with pytest.raises(ConservationError):
        dataforge.mix(
            output=tmp_path / "out.jsonl", domain=[tmp_path / "a.jsonl"], general=[tmp_path / "b.jsonl"], replay=0.5
        )
    assert not (tmp_path / "out.jsonl").exists()


VALUES = st.one_of(dirty.GOOD_LINES, dirty.GOOD_LINES, dirty.WRONG.filter(lambda line: b"} {" not in line))
GAPS = st.sampled_from([b"", b" ", b"\n", b"\r\n  "])


@RUNS
@given(
    st.lists(st.tuples(GAPS, VALUES, GAPS), min_size=1, max_size=10), st.sampled_from(["convert", "dedup", "validate"])
)
def test_an_array_gives_its_rows_the_fates_that_lines_give_them(items, command):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "a.jsonl").write_bytes(b"{}\n" + b"\n".join(value for _, value, _ in items))
        (folder / "a.json").write_bytes(b"[{}," + b",".join(b"".join(item) for item in items) + b"]\n")
        options = {"to": "openai"} if command == "convert" else {}
        fates = []
        for source in ("a.jsonl", "a.json"):
            out = folder / f"{source}.out.jsonl"
            if command != "validate":
                options["on_error"] = "reject"
            getattr(dataforge, command)(folder / source, output=out, workers=1, **options)
            ledger = dirty.ledger_of(dirty.out_of(out))
            fates.append(
                [(row["ordinal"], row["fate"], row["rule"], row["id"], row["keeper_ordinal"]) for row in ledger]
            )
            raws = [raw["bytes"] for raw in dirty.rejects_of(dirty.out_of(out))]
            assert raws == [
                ([b"{}"] + [value for _, value, _ in items])[row["ordinal"]] for row in ledger if row["fate"] == "error"
            ]
        assert fates[0] == fates[1]
        text, place = (folder / "a.json").read_bytes(), 0
        for row, value in zip(ledger, [b"{}", *(value for _, value, _ in items)], strict=True):
            place = text.index(value, place)
            assert row["line"] == 1 + text[:place].count(b"\n")
            place += len(value)
