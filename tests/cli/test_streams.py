"""Standard input and output: pipes, `-`, JSON reports, silence; standard output carries records only."""

import json

import dirty
import pytest

ROWS = b'{"question": "q", "answer": "a"}\n{"question": "\xe9\x97\xae", "answer": "\xe7\xad\x94"}\n{"question": "q", "answer": "a"}\n'


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows.jsonl").write_bytes(ROWS)
    return tmp_path


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("words", [[], ["-"], ["-o", "-"], ["-", "-o", "-"]])
def test_rows_go_through_a_pipe(words, place, cli):
    said = cli("convert", *words, "--to", "openai", stdin=ROWS)
    rows = [json.loads(line) for line in said.out.splitlines()]
    assert said.code == 0
    assert [row["messages"][0]["content"] for row in rows] == ["q", "问", "q"]
    assert "3 rows in, 3 kept; 3 out" in said.err
    assert names(place) == ["rows.jsonl"]


def test_a_pipeline_gives_what_files_give(place, shell):
    (place / "more.jsonl").write_bytes(ROWS * 50)
    line = (
        "cat more.jsonl | dataforge convert --to sharegpt -q | dataforge dedup -q | dataforge validate -q -o - > piped"
    )
    assert shell(line).code == 0
    shell("dataforge convert more.jsonl --to sharegpt -o a.jsonl && dataforge dedup a.jsonl -o b.jsonl")
    assert (place / "piped").read_bytes() == (place / "b.jsonl").read_bytes()


@pytest.mark.parametrize("command", ["dedup", "inspect", "head", "validate"])
def test_every_command_that_reads_rows_reads_standard_input(command, place, cli):
    said = cli(command, stdin=ROWS)
    assert said.code == 0
    assert cli(command, "-", stdin=ROWS).out == said.out
    if command == "dedup":
        assert said.out == b"".join(ROWS.splitlines(keepends=True)[:2])
    if command == "head":
        assert said.out.decode().startswith("stdin:1  (qa)\n  user: q\n")
    if command == "inspect":
        assert "3 in 1 file(s), 1 exact duplicates" in said.out.decode()
        assert "row 1\n  user: q\n" in said.out.decode()


def test_both_pools_of_a_mix_may_come_from_a_pipe(place, cli):
    (place / "g.jsonl").write_bytes(b'{"text": "g"}\n' * 3)
    said = cli("mix", "--domain", "-", "--general", "g.jsonl", "--replay", "0.5", stdin=ROWS)
    assert said.code == 0 and said.out.count(b"\n") == 6
    said = cli("mix", "--domain", "g.jsonl", "--general", "-", "--replay", "0.25", stdin=ROWS)
    assert said.code == 0 and said.out.count(b"\n") == 4
    assert cli("mix", "--domain", "-", "--general", "-", stdin=ROWS).code == 2


def test_a_faulty_row_of_a_pipe_is_placed_in_stdin(place, cli):
    for words in (["convert", "--to", "openai"], ["dedup"]):
        said = cli(*words, stdin=ROWS + b"[]\n")
        assert said.code == 1
        assert said.err.startswith("error: stdin:4: a row must be a JSON object")
    assert cli("convert", "--to", "qa", stdin=b"").err.startswith("error: stdin: holds no rows")


def test_forge_keeps_what_a_run_to_standard_output_leaves(place, cli):
    said = cli("convert", "--to", "openai", "--forge", "kept", "--on-error", "reject", stdin=ROWS + b"[]\n")
    assert said.out.count(b"\n") == 3
    manifest = dirty.manifest_of(place / "kept")
    assert manifest["inputs"][0]["name"] == "stdin" and manifest["outputs"] == []
    assert [row["fate"] for row in dirty.ledger_of(place / "kept")] == ["kept"] * 3 + ["error"]
    assert dirty.rejects_of(place / "kept")[0]["source"] == "stdin"
    assert "rejected rows: kept/rejects.jsonl" in said.err


def test_rejected_rows_without_a_place_to_go_are_mentioned(place, cli):
    said = cli("convert", "--to", "openai", "--on-error", "reject", stdin=ROWS + b"[]\n")
    assert "rejected rows are kept nowhere" in said.err


def test_a_reader_that_has_seen_enough_ends_the_run_quietly(place, shell):
    (place / "big.jsonl").write_bytes(ROWS * 20_000)
    for words in ("convert big.jsonl --to openai -q", "dedup big.jsonl -q", "head big.jsonl -n 50000 --raw"):
        said = shell(f"dataforge {words} | head -1; exit ${{PIPESTATUS[0]}}")
        assert (said.code, said.err, said.out.count(b"\n")) == (0, "", 1), words
    said = shell("dataforge convert big.jsonl --to openai --forge kept | head -1")
    assert said.err == "" and names(place) == ["big.jsonl", "rows.jsonl"]


def test_a_stream_without_end_can_be_limited(place, shell):
    said = shell("""yes '{"text": "茶"}' | dataforge convert --to text --limit 3""", timeout=30)
    assert said.code == 0 and said.out.count(b"\n") == 3
    said = shell("""yes '{"text": "茶"}' | dataforge head --rows 2 --raw""", timeout=30)
    assert said.code == 0 and said.out.count(b"\n") == 2


@pytest.mark.parametrize(
    ("words", "stream"),
    [
        (["convert", "rows.jsonl", "--to", "qa"], "err"),
        (["convert", "rows.jsonl", "--to", "qa", "-o", "o.jsonl"], "out"),
        (["dedup", "rows.jsonl"], "err"),
        (["validate", "rows.jsonl"], "out"),
        (["validate", "rows.jsonl", "-o", "-"], "err"),
        (["inspect", "rows.jsonl"], "out"),
        (["head", "rows.jsonl"], "out"),
        (["formats"], "out"),
        (["formats", "qa"], "out"),
        (["mix", "--domain", "rows.jsonl", "--general", "g.jsonl", "--replay", "0.5"], "err"),
        (["convert", "rows.jsonl", "--to", "qa", "--dry-run"], "out"),
    ],
)
def test_a_json_report_stands_alone_on_the_stream_without_rows(words, stream, place, cli):
    (place / "g.jsonl").write_bytes(b'{"text": "g"}\n' * 3)
    said = cli(*words, "--json")
    report, other = (said.err, said.out.decode()) if stream == "err" else (said.out.decode(), said.err)
    assert json.loads(report)
    if stream == "out":
        assert other == ""
    else:
        assert other.count("\n") == len([json.loads(line) for line in other.splitlines()]) > 0


def test_a_report_tells_counts_and_workers(place, cli):
    report = json.loads(cli("convert", "rows.jsonl", "--to", "qa", "-o", "o.jsonl", "--json", "-j", "2").out)
    assert report["counts"]["kept"] == 3 and report["workers"] == 2 and report["problems"] == []
    on_disk = json.loads((place / "o.jsonl.forge" / "report.json").read_text())
    assert on_disk["counts"] == report["counts"]


@pytest.mark.parametrize("words", [["convert", "--to", "qa"], ["dedup"], ["validate"]])
def test_quiet_means_silent(words, place, cli):
    said = cli(*words, "rows.jsonl", "-o", "o.jsonl", "--quiet")
    assert (said.code, said.out, said.err) == (0, b"", "")
    assert cli("convert", "none.jsonl", "--to", "qa", "--quiet").err.startswith("error: ")


def test_quiet_still_names_rejected_rows(place, cli):
    (place / "rows.jsonl").write_bytes(ROWS + b"[]\n")
    said = cli("convert", "rows.jsonl", "--to", "qa", "-o", "o.jsonl", "--quiet", "--on-error", "reject")
    assert (said.code, said.err) == (1, "error: rows.jsonl:4: a row must be a JSON object, not []\n")


def test_rows_that_json_writers_stumble_over_can_be_looked_at(place, cli):
    (place / "odd.jsonl").write_bytes(b'{"text": "\\ud800", "n": 123456789012345678901234567890}\n')
    for words in (
        ["head", "odd.jsonl"],
        ["head", "odd.jsonl", "--raw"],
        ["head", "odd.jsonl", "--json"],
        ["inspect", "odd.jsonl"],
    ):
        said = cli(*words)
        assert said.code == 0, said.err
    assert b"123456789012345678901234567890" in cli("head", "odd.jsonl", "--json").out
    assert json.loads(cli("head", "odd.jsonl", "--raw").out)["n"] == 123456789012345678901234567890


def test_a_dry_run_says_what_would_happen_and_does_not(place, cli):
    said = cli("convert", "rows.jsonl", "--to", "openai", "-o", "o.jsonl", "--dry-run", "-j", "2")
    assert said.code == 0 and said.out == b""
    assert said.err.splitlines() == [
        "would convert to openai:",
        f"  rows.jsonl  (jsonl, {len(ROWS)} bytes)",
        "  -> o.jsonl (jsonl), 2 workers",
    ]
    assert names(place) == ["rows.jsonl"]
    assert cli("convert", "--to", "openai", "--dry-run", stdin=ROWS).err.splitlines()[1] == "  stdin  (jsonl, a stream)"


def test_globs_and_folders_work_everywhere(place, cli):
    (place / "deep" / "er").mkdir(parents=True)
    (place / "deep" / "er" / "b.json").write_bytes(b'[{"text": "b"}]')
    (place / "deep" / "a.txt").write_text("文档\n", encoding="utf-8")
    (place / "deep" / "notes.md").write_text("no rows")
    assert cli("convert", "deep", "--to", "text").out.decode().splitlines() == ['{"text":"文档"}', '{"text":"b"}']
    assert cli("convert", "deep/**/*.json", "--to", "text").out == b'{"text":"b"}\n'
    assert "4 rows: 4 valid" in cli("validate", "rows.jsonl", "deep/er").err
    assert cli("validate", "rows.jsonl", "./rows.jsonl").err.startswith("3 rows")


def test_process_substitution_is_read_as_a_stream(place, shell):
    said = shell("dataforge convert <(cat rows.jsonl) --to qa -q")
    assert said.code == 0 and said.out.count(b"\n") == 3
    assert shell("dataforge dedup <(cat rows.jsonl) -q").out.count(b"\n") == 2


@pytest.mark.parametrize("words", ["convert rows.jsonl --to openai", "head rows.jsonl", "inspect rows.jsonl --json"])
def test_a_standard_output_that_is_closed_is_no_crash(words, place, shell):
    said = shell(f"dataforge {words} >&-")
    assert said.code == 2 and said.err.startswith("error: standard output is closed")


def test_standard_streams_that_are_closed_do_not_matter_where_they_are_not_used(place, shell):
    assert shell("dataforge convert rows.jsonl --to openai -o o.jsonl >&- 2>&- <&-").code == 0
    assert (place / "o.jsonl").read_bytes().count(b"\n") == 3
    assert shell("dataforge convert --to openai <&-").err.startswith("error: no input")
