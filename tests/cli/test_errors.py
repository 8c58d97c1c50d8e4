"""Bad input through the real command line: one line with the place, one with the help, the right exit code."""

import json
import os
import resource
import subprocess
import sys

import dirty
import pytest

GOOD = b'{"question": "How long?", "answer": "Three minutes."}\n{"question": "\xe5\xa4\x9a\xe4\xb9\x85", "answer": "\xe4\xb8\x89\xe5\x88\x86\xe9\x92\x9f"}\n'


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows.jsonl").write_bytes(GOOD)
    return tmp_path


def refused(said, code, *parts):
    """One `error:` line that holds all the parts, at most one `help:` line, and nothing else."""
    lines = said.err.strip().split("\n")
    assert said.code == code, said
    assert lines[0].startswith("error: ") and len(lines) <= 2, said.err
    assert len(lines) == 1 or lines[1].startswith("  help: "), said.err
    for part in parts:
        assert part in said.err
    assert said.out == b""
    return lines


def left(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["convert", "row.jsonl", "--to", "qa"], ["row.jsonl: no such file", "did you mean 'rows.jsonl'?"]),
        (["convert", "x/y.jsonl", "--to", "qa"], ["x/y.jsonl: no such file", "looked in"]),
        (["convert", "*.parquet", "--to", "qa"], ["*.parquet: no file matches this pattern"]),
        (["convert", "rows.jsonl", "--to", "sharegtp"], ["--to", "did you mean 'sharegpt'?"]),
        (["convert", "rows.jsonl", "--to", "qa", "--on-error", "rejct"], ["--on-error", "did you mean 'reject'?"]),
        (["convert", "rows.jsonl"], ["Missing option '--to'", "dataforge convert --help"]),
        (["convert", "rows.jsonl", "--to", "qa", "--limt", "3"], ["No such option '--limt'", "--limit"]),
        (["convert", "rows.jsonl", "--to", "qa", "--limit", "x"], ["'x' is not a valid whole number"]),
        (["convert", "rows.jsonl", "--to", "qa", "--limit", "-1"], ["--limit", "x>=0"]),
        (["convert", "rows.jsonl", "--to", "qa", "-j", "0"], ["-j", "1<=x<=1024"]),
        (["convert", "rows.jsonl", "--to", "qa", "-o", ""], ["the name of the output is empty"]),
        (["convert", "rows.jsonl", "--to", "qa", "-o", "no/o.jsonl"], ["no: no such folder", "mkdir -p no"]),
        (["convert", "rows.jsonl", "--to", "qa", "-o", "."], [".: is a folder; a file is needed"]),
        (["convert", "rows.jsonl", "--to", "qa", "-o", "o.jsnl"], ["o.jsnl: the suffix names no", "'.jsonl'"]),
        (["convert", "rows.jsonl", "--to", "qa", "-o", "rows.jsonl", "--force"], ["rows.jsonl: is also the output"]),
        (["convert", "rows.jsonl", "--to", "qa", "-o", "/dev/null", "-f"], ["/dev/null: is a device"]),
        (["dedup", "rows.jsonl", "-o", "o.csv"], ["dedup writes rows as they are"]),
        (["mix", "--domain", "rows.jsonl", "--general", "./rows.jsonl"], ["domain and general at once"]),
        (["mix", "rows.jsonl", "--domain", "rows.jsonl", "--general", "x"], ["unexpected extra argument"]),
        (["conver", "rows.jsonl"], ["'conver' is not a command", "did you mean 'convert'?"]),
        (["train", "spt"], ["'train spt' is not a command", "did you mean 'sft'?"]),
        (["formats", "sharegtp"], ["'sharegtp' is not a known dialect", "did you mean 'sharegpt'?"]),
        (["validate", "rows.jsonl", "--schema", "no.json"], ["no.json: cannot be read: No such file"]),
        (["head", "rows.parquet"], ["rows.parquet: no such file"]),
    ],
)
def test_what_cannot_run_says_why_and_what_to_do(words, parts, place, cli):
    refused(cli(*words), 2, *parts)
    assert left(place) == ["rows.jsonl"]


@pytest.mark.parametrize("command", ["convert", "validate", "inspect", "head", "dedup"])
@pytest.mark.parametrize(
    ("name", "data", "part"),
    [
        ("empty.jsonl", b"", "empty.jsonl: holds no rows"),
        ("blank.jsonl", b"\n\n", "blank.jsonl: holds no rows"),
        ("empty.json", b"[]", "empty.json: holds no rows"),
        ("cut.json", b'[{"text": "a"}, {"text": "b"', "cut.json:1: the JSON array is not closed"),
        ("cut.jsonl.gz", b"\x1f\x8b\x08\x00", "cut.jsonl.gz: is no whole gzip file"),
        ("no.jsonl.zst", b"{}", "no.jsonl.zst: is no whole zstd file"),
        ("wide.jsonl", "\ufeff{}".encode("utf-16"), "wide.jsonl: is UTF-16 text"),
        ("folder", None, "folder: no data files in this folder"),
        ("twice.csv", b"a,a\n1,2\n", "twice.csv:1: the column 'a' stands twice"),
    ],
)
def test_an_input_that_holds_nothing_to_read_is_named(command, name, data, part, place, cli):
    if data is None:
        (place / name).mkdir()
    else:
        (place / name).write_bytes(data)
    words = [command, name] + (["--to", "text"] if command == "convert" else [])
    if command in ("convert", "dedup"):
        words += ["-o", "o.jsonl"]
    said = cli(*words)
    if command == "head" and name == "cut.json":  # its first rows may well be looked at
        assert said.code in (1, 2)
        return
    refused(said, 2, part)
    assert left(place) == sorted(["rows.jsonl", name])


@pytest.mark.parametrize(
    ("line", "parts"),
    [
        (b'{"question": "cut', ["rows.jsonl:17: broken JSON: "]),
        (b'{"headline": "x"}', ["rows.jsonl:17: no dialect has these keys: headline", "`dataforge formats`"]),
        (b'{"question": "\xff", "answer": "a"}', ["rows.jsonl:17: invalid UTF-8 at byte 14", "iconv"]),
        (b'{"question": "q", "answer": 5}', ["rows.jsonl:17: $.answer: answer must be a text, not int 5"]),
        (
            '{"conversations": [{"from": "茶", "value": "x"}]}'.encode(),
            ["rows.jsonl:17: $.conversations[0].from: '茶'"],
        ),
        (b"[1, 2]", ["rows.jsonl:17: a row must be a JSON object, not [1, 2]"]),
    ],
)
def test_a_faulty_row_is_named_by_file_line_and_path(line, parts, place, cli):
    (place / "rows.jsonl").write_bytes(GOOD * 8 + line + b"\n" + GOOD)
    refused(cli("convert", "rows.jsonl", "--to", "openai", "-o", "o.jsonl"), 1, *parts)
    refused(cli("dedup", "rows.jsonl", "-o", "o.jsonl"), 1, *parts)
    assert left(place) == ["rows.jsonl"]
    said = cli("convert", "rows.jsonl", "--to", "openai", "-o", "o.jsonl", "--on-error", "reject")
    assert said.code == 1
    assert parts[0] in said.err and "18 kept, 1 errors" in said.err
    assert "rejected rows: o.jsonl.forge/rejects.jsonl" in said.err
    (reject,) = dirty.rejects_of(place / "o.jsonl.forge")
    assert (reject["line"], reject["bytes"]) == (17, line)


def test_a_byte_order_mark_is_no_fault(place, cli):
    (place / "rows.jsonl").write_bytes(b"\xef\xbb\xbf" + GOOD)
    (place / "rows.csv").write_bytes("\ufeff问题,答案\n茶,好\n".encode())
    said = cli("convert", "rows.jsonl", "rows.csv", "--to", "qa")
    assert (said.code, said.out.count(b"\n")) == (0, 3)


def test_an_output_that_exists_is_left_alone_without_force(place, cli):
    (place / "o.jsonl").write_bytes(b"precious")
    refused(cli("convert", "rows.jsonl", "--to", "qa", "-o", "o.jsonl"), 2, "o.jsonl: exists already", "--force")
    assert (place / "o.jsonl").read_bytes() == b"precious"
    assert cli("convert", "rows.jsonl", "--to", "qa", "-o", "o.jsonl", "-f").code == 0
    assert (place / "o.jsonl").read_bytes().count(b"\n") == 2


def test_an_output_that_may_not_be_written_is_said_so(place, environment):
    if os.geteuid() == 0:
        pytest.skip("the superuser may write everywhere")
    (place / "shut").mkdir(mode=0o500)
    done = subprocess.run(
        [sys.executable, "-m", "dataforge", "convert", "rows.jsonl", "--to", "qa", "-o", "shut/o.jsonl"],
        capture_output=True,
        env=environment,
        cwd=place,
        check=False,
    )
    assert done.returncode == 2 and b"Permission denied" in done.stderr


@pytest.mark.parametrize(
    "words", ["convert rows.jsonl --to openai", "head rows.jsonl", "inspect rows.jsonl", "formats"]
)
def test_a_full_standard_output_is_one_error_line(words, place, shell):
    said = shell(f"dataforge {words} > /dev/full")
    assert said.code == 2
    assert len(said.err.strip().split("\n")) <= 2 and "no space left" in said.err.lower()


@pytest.mark.parametrize("name", ["o.jsonl", "o.jsonl.gz"])
def test_a_file_that_may_not_grow_is_one_error_line_and_leaves_the_older_one(name, place, environment):
    (place / "big.jsonl").write_bytes(
        b"".join(dirty.line_of({"text": os.urandom(300).hex()}) + b"\n" for _ in range(900))
    )
    (place / name).write_bytes(b"precious")
    done = subprocess.run(
        [sys.executable, "-m", "dataforge", "convert", "big.jsonl", "--to", "text", "-o", name, "--force"],
        capture_output=True,
        env=environment,
        cwd=place,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)),
    )
    assert done.returncode == 2
    assert done.stderr.decode().startswith(f"error: {name}: is larger than files may be here")
    assert done.stderr.count(b"\n") == 2
    assert (place / name).read_bytes() == b"precious"
    assert left(place) == sorted(["rows.jsonl", "big.jsonl", name])


def test_a_fault_of_dataforge_is_admitted_in_one_line(place, cli, monkeypatch):
    from dataforge.ops import convert

    def broken(*words, **more):
        raise ZeroDivisionError("茶")

    monkeypatch.setattr(convert, "Run", broken)
    lines = refused(
        cli("convert", "rows.jsonl", "--to", "qa"), 2, "this is a fault of dataforge", "ZeroDivisionError: 茶"
    )
    assert "--debug" in lines[1]


def test_memory_that_runs_out_is_no_traceback(place, cli, monkeypatch):
    from dataforge.ops import convert

    def hungry(*words, **more):
        raise MemoryError

    monkeypatch.setattr(convert, "Run", hungry)
    refused(cli("convert", "rows.jsonl", "--to", "qa"), 1, "memory ran out")


def test_debug_shows_the_traceback(place, shell):
    said = shell("dataforge --debug convert none.jsonl --to qa")
    assert said.code == 1 and "Traceback" in said.err and "InputError" in said.err


def test_environment_variables_stand_behind_flags(place, cli, monkeypatch):
    monkeypatch.setenv("DATAFORGE_CONVERT_TO", "openai")
    assert b'"messages"' in cli("convert", "rows.jsonl").out
    assert b'"messages"' not in cli("convert", "rows.jsonl", "--to", "qa").out
    monkeypatch.setenv("DATAFORGE_CONVERT_TO", "nonsense")
    refused(cli("convert", "rows.jsonl"), 2, "nonsense")


def test_colour_is_for_terminals_and_those_who_ask(place, cli, monkeypatch):
    assert "\x1b[" not in cli("convert", "none.jsonl", "--to", "qa").err
    assert "\x1b[" in cli("--color", "always", "convert", "none.jsonl", "--to", "qa").err
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b[" in cli("convert", "none.jsonl", "--to", "qa").err
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[" not in cli("convert", "none.jsonl", "--to", "qa").err


def test_a_report_of_faults_stays_parseable(place, cli):
    (place / "rows.jsonl").write_bytes(GOOD + b"[]\n")
    said = cli("convert", "rows.jsonl", "--to", "qa", "--on-error", "reject", "--json")
    report = json.loads(said.err)
    assert said.code == 1 and said.out.count(b"\n") == 2
    assert report["counts"]["errors"] == 1
    assert report["problems"] == ["rows.jsonl:3: a row must be a JSON object, not []"]
