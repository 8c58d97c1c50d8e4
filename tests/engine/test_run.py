"""Runs: the same bytes whatever the workers and chunks, manifests that fit their schema, and what a run refuses."""

import gzip
import json
import os
import shutil
from pathlib import Path

import dirty
import jsonschema
import pytest

import dataforge
from dataforge.config import RunOptions
from dataforge.engine.portable import portable
from dataforge.engine.run import Run
from dataforge.errors import ConfigError, InputError, OutputError, RowError, UsageError

ROOT = Path(__file__).resolve().parent.parent.parent
SCHEMA = json.loads((ROOT / "schemas" / "manifest.schema.json").read_text(encoding="utf-8"))


def corpus():
    """Rows of several dialects in both languages, faulty ones, blank lines and duplicates: some 300 lines."""
    lines = []
    for number in range(60):
        lines += [
            dirty.line_of({"instruction": f"Ask {number % 40}", "input": "", "output": "Answer"}),
            dirty.line_of({"问题": f"第{number % 7}问", "答案": "答案"}),
            dirty.line_of({"conversations": [{"from": "human", "value": "喂"}, {"from": "gpt", "value": f"{number}"}]}),
            b'{"text": "cut' if number % 5 == 0 else b"",
            dirty.line_of({"messages": [{"role": "user", "content": f"{number % 3}"}]}),
        ]
    return b"\n".join(lines) + b"\n"


@pytest.fixture
def place(tmp_path):
    (tmp_path / "a.jsonl").write_bytes(corpus())
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(corpus()[:4000]))
    tea = [{"question": f"茶 {n}", "answer": "tea " * (n % 5)} for n in range(40)]
    (tmp_path / "tea.json").write_text(json.dumps(tea, ensure_ascii=False), encoding="utf-8")
    return tmp_path


def left_by(out):
    """Everything that must be the same in every run: output, manifest, rejects (bytes) and ledger (content)."""
    forge = dirty.out_of(out)
    rejects = forge / "rejects.jsonl"
    return {
        "output": out.read_bytes(),
        "manifest": (forge / "manifest.json").read_bytes(),
        "rejects": rejects.read_bytes() if rejects.exists() else None,
        "ledger": dirty.ledger_of(forge),
    }


COMMANDS = {
    "convert": lambda place, out, **more: dataforge.convert(
        [place / "a.jsonl", place / "b.jsonl.gz"], output=out, to="sharegpt", on_error="reject", **more
    ),
    "validate": lambda place, out, **more: dataforge.validate(
        [place / "a.jsonl", place / "b.jsonl.gz", place / "tea.json"], output=out, **more
    ),
    "dedup": lambda place, out, **more: dataforge.dedup(
        [place / "a.jsonl", place / "b.jsonl.gz"], output=out, on_error="reject", keep_dropped=True, **more
    ),
    "mix": lambda place, out, **more: dataforge.mix(
        output=out, domain=[place / "tea.json"], general=[place / "a.jsonl"], on_error="reject", by="chars", **more
    ),
}


@pytest.mark.parametrize("name", ["out.jsonl", "out.json", "out.jsonl.gz", "out.jsonl.zst"])
@pytest.mark.parametrize("command", COMMANDS)
def test_workers_and_chunk_sizes_do_not_show(command, name, place, small_chunks):
    run, seen = COMMANDS[command], []
    small_chunks(1 << 20)
    run(place, place / name, workers=1)
    seen.append(left_by(place / name))
    for size in (1, 700):
        small_chunks(size)
        run(place, place / name, workers=1, force=True)
        seen.append(left_by(place / name))
    if name == "out.jsonl":
        for workers in (2, 3):
            run(place, place / name, workers=workers, force=True)
            seen.append(left_by(place / name))
    for other in seen[1:]:
        for what, value in seen[0].items():
            assert other[what] == value, what


def test_a_table_does_not_show_chunk_sizes(place, small_chunks):
    tables = []
    for size in (1, 500, 1 << 20):
        small_chunks(size)
        dataforge.convert(place / "a.jsonl", output=place / "t.csv", to="qa", on_error="reject", workers=1, force=True)
        tables.append(left_by(place / "t.csv"))
    assert tables[0] == tables[1] == tables[2]


def test_a_gzip_output_holds_no_time(place):
    dataforge.convert(place / "tea.json", output=place / "out.jsonl.gz", to="qa")
    data = (place / "out.jsonl.gz").read_bytes()
    assert data[4:8] == b"\0\0\0\0"
    assert data[3] == 0  # no file name either
    assert gzip.decompress(data).count(b"\n") == 40


@pytest.mark.parametrize("command", COMMANDS)
def test_manifests_fit_their_schema_and_tell_nothing_of_the_machine(command, place):
    out = place / "out.jsonl"
    COMMANDS[command](place, out, workers=2)
    text = (dirty.out_of(out) / "manifest.json").read_text(encoding="utf-8")
    manifest = json.loads(text)
    jsonschema.Draft202012Validator(SCHEMA).validate(manifest)
    assert str(place) not in text and str(ROOT) not in text
    for word in ("seconds", "workers", "time", os.uname().nodename):
        assert f'"{word}"' not in text
    data = out.read_bytes()
    assert manifest["outputs"] == [
        {"name": "out.jsonl", "bytes": len(data), "hash": manifest["outputs"][0]["hash"], "rows": data.count(b"\n")}
    ]
    assert all(entry["bytes"] == (place / entry["name"]).stat().st_size for entry in manifest["inputs"])


def test_the_manifest_schema_refuses_what_a_manifest_must_not_hold(place):
    COMMANDS["convert"](place, place / "out.jsonl")
    manifest = dirty.manifest_of(dirty.out_of(place / "out.jsonl"))
    validator = jsonschema.Draft202012Validator(SCHEMA)
    for spoil in (
        lambda m: m["inputs"][0].update(name="/home/me/a.jsonl"),
        lambda m: m["inputs"][0].update(rows=-1),
        lambda m: m["outputs"][0].pop("hash"),
        lambda m: m.pop("counts"),
        lambda m: m["counts"].update(kept=-1),
    ):
        spoilt = json.loads(json.dumps(manifest))
        spoil(spoilt)
        assert not validator.is_valid(spoilt)
    assert validator.is_valid(manifest)


def test_the_same_inputs_in_another_folder_give_the_same_manifest(place, tmp_path_factory, monkeypatch):
    other = tmp_path_factory.mktemp("other") / "deeper"
    shutil.copytree(place, other)
    COMMANDS["mix"](place, place / "out.jsonl")
    monkeypatch.chdir(other)
    dataforge.mix(output="out.jsonl", domain=["tea.json"], general=["../deeper/a.jsonl"], on_error="reject", by="chars")
    assert left_by(other / "out.jsonl") == left_by(place / "out.jsonl")


def test_portable_leaves_nothing_but_the_last_part_of_absolute_paths():
    value = {"a": "/home/me/rows.jsonl", "b": ["/x/y/", "rel/z"], "c": 5, "d": "茶/水"}
    assert portable(value) == {"a": "rows.jsonl", "b": ["y", "rel/z"], "c": 5, "d": "茶/水"}


def test_a_setting_that_looks_like_a_path_but_is_none_stays_whole(place):
    dataforge.convert(place / "tea.json", output=place / "out.jsonl", to="qa", joiner="/")
    assert dirty.manifest_of(dirty.out_of(place / "out.jsonl"))["options"]["joiner"] == "/"


def test_the_output_may_not_be_an_input(place):
    before = (place / "a.jsonl").read_bytes()
    (place / "link.jsonl").symlink_to(place / "a.jsonl")
    for name in ("a.jsonl", "link.jsonl"):
        with pytest.raises(InputError, match="is also the output"):
            dataforge.dedup(place / "a.jsonl", output=place / name, force=True)
    assert (place / "a.jsonl").read_bytes() == before
    assert not (place / "a.jsonl.forge").exists()


def test_an_input_without_rows_is_an_error_even_among_blank_lines(tmp_path):
    for name, data in (("a.jsonl", b""), ("b.jsonl", b"\n \n\t\n"), ("c.json", b"[]"), ("d.csv", b"question,answer\n")):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(InputError, match="holds no rows") as fault:
            dataforge.convert(tmp_path / name, output=tmp_path / "out.jsonl", to="qa")
        assert fault.value.place == str(tmp_path / name)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.jsonl", "b.jsonl", "c.json", "d.csv"]


def test_an_empty_file_among_others_is_none(place):
    (place / "empty.jsonl").touch()
    result = dataforge.convert([place / "empty.jsonl", place / "tea.json"], output=place / "out.jsonl", to="qa")
    assert result.counts.kept == 40
    assert [entry["rows"] for entry in dirty.manifest_of(place / "out.jsonl.forge")["inputs"]] == [0, 40]


def test_limit_counts_rows_over_all_inputs_and_says_what_was_read(place, small_chunks):
    for size in (50, 1 << 20):
        small_chunks(size)
        out = place / f"{size}.jsonl"
        dataforge.validate([place / "tea.json", place / "a.jsonl"], output=out, limit=45)
        assert [entry["rows"] for entry in dirty.manifest_of(dirty.out_of(out))["inputs"]] == [40, 5]
    assert (place / "50.jsonl").read_bytes() == (place / f"{1 << 20}.jsonl").read_bytes()


def test_a_limit_of_none_reads_nothing_and_is_no_error(place):
    result = dataforge.convert(place / "tea.json", output=place / "out.jsonl", to="qa", limit=0)
    assert result.counts.rows_in == 0
    assert (place / "out.jsonl").read_bytes() == b""


def test_ten_problems_are_shown_and_the_rest_counted(tmp_path):
    (tmp_path / "rows.jsonl").write_bytes(b'{"text": "a"}\n' + b'{"text": 5}\n' * 25)
    result = dataforge.convert(tmp_path / "rows.jsonl", output=tmp_path / "o.jsonl", to="text", on_error="reject")
    assert len(result.problems) == 10
    assert result.problems[0].startswith(f"{tmp_path}/rows.jsonl:2: $.text: text must be a text, not int 5")
    assert any("15 more faulty rows" in line for line in result.lines)
    assert result.exit_code == 1


def test_rejects_that_are_kept_nowhere_are_spoken_of(tmp_path, capfdbinary):
    (tmp_path / "rows.jsonl").write_bytes(b'{"text": "a"}\n{"text": 5}\n')
    result = dataforge.convert(tmp_path / "rows.jsonl", to="text", on_error="reject")
    assert any("--forge" in line for line in result.lines)
    result = dataforge.convert(tmp_path / "rows.jsonl", to="text", on_error="reject", forge=str(tmp_path / "kept"))
    assert not any("--forge" in line for line in result.lines)
    assert dirty.rejects_of(tmp_path / "kept")[0]["bytes"] == b'{"text": 5}'


def test_a_file_that_changes_between_two_passes_is_found(tmp_path, monkeypatch):
    source = tmp_path / "rows.jsonl"
    source.write_bytes(b'{"text": "a"}\n{"text": "b"}\n')
    other = tmp_path / "other.jsonl"
    other.write_bytes(b'{"text": "x"}\n')
    parts = Run.parts

    def changing(self, task, options, **more):
        yield from parts(self, task, options, **more)
        source.write_bytes(b'{"text": "a"}\n{"text": "c"}\n')

    monkeypatch.setattr(Run, "parts", changing)
    with pytest.raises(InputError, match="changed while it was read") as fault:
        dataforge.dedup([other, source], output=tmp_path / "out.jsonl", workers=1)
    assert fault.value.place == str(source)
    assert not (tmp_path / "out.jsonl").exists()


def test_rows_of_a_named_pipe_are_read_once_and_spooled(tmp_path):
    import threading

    pipe = tmp_path / "pipe.jsonl"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_bytes(b'{"text": "a"}\n{"text": "a"}\n{"text": 5}\n'))
    writer.start()
    result = dataforge.dedup(pipe, output=tmp_path / "out.jsonl", on_error="reject")
    writer.join()
    assert (result.counts.kept, result.counts.dropped, result.counts.errors) == (1, 1, 1)
    assert result.problems[0].startswith(f"{pipe}:3: ")


def test_a_dry_run_writes_nothing_for_any_command(place):
    before = sorted(path.name for path in place.iterdir())
    for run in COMMANDS.values():
        result = run(place, place / "out.jsonl", dry_run=True, workers=1)
        assert any("tea.json" in line or "a.jsonl" in line for line in result.lines)
    assert sorted(path.name for path in place.iterdir()) == before


def test_options_that_do_not_exist_are_reported_all_at_once(place):
    with pytest.raises(ConfigError) as fault:
        dataforge.convert(place / "a.jsonl", output=place / "out.jsonl", too="qa", worker=2)
    assert len(fault.value.problems) == 2
    assert "did you mean 'to'" in fault.value.problems[0]


def test_paths_may_be_path_objects_everywhere(place):
    result = (
        dataforge.mix(output=place / "o.jsonl", domain=place / "tea.json", general=[place / "tea2.json"], replay=0)
        if (shutil.copy(place / "tea.json", place / "tea2.json"))
        else None
    )
    assert result.counts.kept == 40


def test_an_output_without_a_name_is_refused(place):
    with pytest.raises(UsageError, match="empty"):
        dataforge.convert(place / "tea.json", output="", to="qa")


def test_a_failed_run_with_force_leaves_the_older_output_whole(place):
    out = place / "out.jsonl"
    dataforge.convert(place / "tea.json", output=out, to="qa")
    before = {path.name: path.read_bytes() for path in dirty.out_of(out).iterdir()} | {"": out.read_bytes()}
    with pytest.raises(RowError):
        dataforge.convert(place / "a.jsonl", output=out, to="qa", force=True)
    with pytest.raises(OutputError, match="exists already"):
        dataforge.convert(place / "tea.json", output=out, to="sharegpt")
    assert {path.name: path.read_bytes() for path in dirty.out_of(out).iterdir()} | {"": out.read_bytes()} == before


def test_every_chunk_of_work_is_counted_in_the_stats(place, small_chunks):
    small_chunks(300)
    with Run("convert", [str(place / "tea.json")], "", RunOptions(workers=2)) as run:
        parts = list(run.parts("rows", {"to": "qa"}))
        assert len(parts) > 5
        assert run.stats["written"] == sum(part.result.n_out for part in parts) == 40
        assert [part.rows.first for part in parts] == [sum(len(p.rows) for p in parts[:n]) for n in range(len(parts))]
