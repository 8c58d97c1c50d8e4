"""filter: score and select in one go; presets whose rules, counts and page agree; streams; tables kept or not."""

import json
import tempfile
from pathlib import Path

import dirty
import polars as pl
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import dataforge
from dataforge.errors import ConfigError, InputError, UsageError
from dataforge.ops.scorers import owner_of
from dataforge.ops.scores.making import Plan
from dataforge.ops.scores.table import file_entry, read_scores, write_scores
from dataforge.ops.selection import presetpage
from dataforge.ops.selection.expressions import Condition
from dataforge.ops.selection.presets import PRESETS

SAMPLES = Path(__file__).resolve().parent.parent.parent / "samples"
ROWS = [
    {"question": "What is green tea?", "answer": "A tea that is not oxidised, from the leaves of Camellia sinensis."},
    {"question": "绿茶是什么？", "answer": "绿茶是未经发酵的茶，保留了鲜叶的天然物质，产于中国各地。"},
    {"question": "?", "answer": ""},
    {"text": "天"},
    {"text": "A document about the history of tea, " * 8},
]


@pytest.fixture
def rows(tmp_path):
    (tmp_path / "rows.jsonl").write_bytes(b"".join(dirty.line_of(row) + b"\n" for row in ROWS))
    return tmp_path / "rows.jsonl"


def run(source, folder, **options):
    out = folder / "out.jsonl"
    result = dataforge.filter(source, output=out, force=True, workers=1, **options)
    return result, dirty.audit(out, {source.name: source.read_bytes()})


@pytest.mark.parametrize("preset", PRESETS)
def test_a_row_goes_exactly_where_a_rule_of_the_preset_does_not_hold(preset, rows):
    _, ledger = run(rows, rows.parent, preset=preset)
    scores = read_scores(str(rows))
    expected = []
    for row in range(len(ROWS)):
        alone = scores.slice(row, 1)  # aggregates aside, a rule looks at one row
        failed = [
            f"{preset}:{rule.name}"
            for rule in PRESETS[preset].rules
            if not Condition.of(rule.keep).aggregates
            and alone.with_columns(Condition.of(rule.keep).expression.alias(" met"))[" met"].to_list() == [False]
        ]
        expected.append(failed[:1])
    assert [[row["rule"]] if row["rule"] else [] for row in ledger] == expected


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_uses_the_scorers_that_it_names_and_gives_sources(preset):
    named = PRESETS[preset]
    assert named.name == preset and named.help
    used = {column for rule in named.rules for column in Condition.of(rule.keep).columns}
    assert {owner_of(column) for column in used} == set(named.scorers)
    names = [rule.name for rule in named.rules]
    assert len(names) == len(set(names)) and all(rule.source and rule.why for rule in named.rules)


def test_the_page_of_presets_is_made_from_them():
    page = (Path(__file__).parents[2] / "docs" / "presets.md").read_text(encoding="utf-8")
    assert page == presetpage.page()


def test_the_list_says_every_rule_and_its_source(cli):
    said = cli("filter", "--list")
    assert said.code == 0
    for preset in PRESETS.values():
        for rule in preset.rules:
            assert rule.keep in said.out.decode() and rule.source in said.out.decode()
    listed = json.loads(cli("filter", "--list", "--json").out)
    assert [entry["preset"] for entry in listed] == list(PRESETS)


def test_one_rule_can_be_left_out_or_replaced(rows):
    preset, rule = "sft", PRESETS["sft"].rules[0]
    for name in (rule.name, f"sft:{rule.name}"):
        result, _ = run(rows, rows.parent, preset=preset, without=name, where="n_chars >= 2")
        assert f"sft:{rule.name}" not in {entry["rule"] for entry in result.report["rules"]}
        assert result.counts.rules["dropped", "where:n_chars >= 2"] <= 2
    with pytest.raises(ConfigError, match="'too_shrot' is no rule of the preset sft"):
        run(rows, rows.parent, preset=preset, without="too_shrot")
    with pytest.raises(ConfigError, match="--without needs a --preset"):
        run(rows, rows.parent, where="n_chars > 1", without="too_short")


def test_a_rule_that_does_not_apply_does_not_remove_a_row_but_a_where_does(rows, monkeypatch):
    from dataforge.ops.selection.presets import Preset, Rule

    monkeypatch.setitem(PRESETS, "sft", Preset("sft", "x", ("length",), (Rule("r", "answer_chars >= 5", "s", "w"),)))
    _, ledger = run(rows, rows.parent, preset="sft")
    assert [row["rule"] for row in ledger] == ["", "", "sft:r", "", ""]
    assert ledger[2]["detail"] == "answer_chars = 0"
    _, ledger = run(rows, rows.parent, where="answer_chars >= 5")
    assert [row["rule"].partition(":")[0] for row in ledger] == ["", "", "where", "where_null", "where_null"]
    result, _ = run(rows, rows.parent, preset="sft", explain=True)
    assert {"  source: s", "  why: w", "  keeps: answer_chars >= 5"} <= set(result.lines)


def test_tables_are_kept_and_another_threshold_scores_nothing(rows, monkeypatch):
    run(rows, rows.parent, where="n_chars >= 10")
    table = rows.parent / "rows.jsonl.scores" / "length.parquet"
    before = table.stat().st_mtime_ns
    tasks = []
    make = Plan.make
    monkeypatch.setattr(Plan, "make", lambda self, *rest: tasks.append(self.scorers) or make(self, *rest))
    result, _ = run(rows, rows.parent, where="n_chars >= 20")
    assert tasks == [[]] and table.stat().st_mtime_ns == before
    assert not any("scored" in line for line in result.lines)
    rows.write_bytes(rows.read_bytes() + b'{"text": "new"}\n')
    result, ledger = run(rows, rows.parent, where="n_chars >= 20")
    assert tasks[1:] == [["length"]] and len(ledger) == 6  # a stale table is made anew
    assert read_scores(str(rows)).height == 6


@pytest.mark.parametrize("options", [{"save_scores": False}, {"limit": 3}, {"dry_run": True}])
def test_tables_are_not_kept_where_they_must_not_be(rows, options):
    dataforge.filter(rows, output=rows.parent / "out.jsonl", where="n_chars >= 10", **options)
    assert not (rows.parent / "rows.jsonl.scores").exists()


def test_a_dry_run_scores_and_decides_and_leaves_nothing(rows):
    result = dataforge.filter(
        rows,
        output=rows.parent / "out.jsonl",
        where="n_chars >= 10",
        dry_run=True,
        explain=True,
        forge=rows.parent / "f",
    )
    assert (result.data["rows"], result.data["keep"]) == (5, 3)
    assert [row["text"] for row in result.data["rules"][0]["examples"]] == ["?\\n", "天"]
    assert [path.name for path in rows.parent.iterdir()] == ["rows.jsonl"]


def test_streams_are_filtered_and_their_examples_named(cli):
    data = b"".join(dirty.line_of(row) + b"\n" for row in ROWS)
    said = cli("filter", "--where", "n_chars >= 10", "--explain", stdin=data)
    assert said.code == 0
    assert said.out == b"".join(data.splitlines(keepends=True)[n] for n in (0, 1, 4))
    assert "stdin:4: n_chars = 1: 天" in said.err and "no tables are kept" in said.err
    said = cli("filter", "-", "--where", "n_chars >= 10", "--explain", "--dry-run", stdin=data)
    assert said.code == 0 and said.out == b"" and "would keep 3 of 5 rows" in said.err


def test_files_and_streams_together_keep_the_tables_of_files(cli, rows):
    said = cli("filter", rows, "-", "--top", "2", "--by", "n_chars", stdin=dirty.line_of({"text": "茶" * 500}))
    assert said.code == 0
    assert [json.loads(line)["text"][:4] for line in said.out.splitlines()] == ["A do", "茶茶茶茶"]
    assert read_scores(str(rows)).height == 5


def test_columns_of_ones_own_are_used_beside_those_of_scorers(rows):
    write_scores(str(rows), "ppl", {"ppl": [5.0, 1.0, 1.0, 1.0, 1.0]}, file_entry(str(rows)))
    _, ledger = run(rows, rows.parent, where="n_chars >= 10 and ppl < 2")
    assert [row["rule"] for row in ledger] == ["where:ppl < 2", "", "where:n_chars >= 10", "where:n_chars >= 10", ""]
    rows.write_bytes(rows.read_bytes() + b'{"text": "more text here"}\n')
    with pytest.raises(InputError, match="is stale"):
        run(rows, rows.parent, where="n_chars >= 10 and ppl < 2")


def test_something_must_say_which_rows_to_keep(rows):
    with pytest.raises(UsageError, match="nothing says which rows to keep"):
        run(rows, rows.parent)


def test_all_samples_can_be_filtered_by_every_preset(tmp_path):
    files = sorted(path for path in SAMPLES.iterdir() if path.suffix in (".jsonl", ".json", ".csv", ".tsv"))
    for preset in PRESETS:
        result = dataforge.filter(
            files, output=tmp_path / f"{preset}.jsonl", preset=preset, on_error="reject", save_scores=False
        )
        assert result.counts.kept > 0
    assert not list(SAMPLES.glob("*.scores"))


def test_a_score_of_true_and_false_and_of_texts_is_a_condition(rows):
    entry = file_entry(str(rows))
    write_scores(
        str(rows), "flags", {"good": [True, False, None, True, True], "tongue": ["en", "zh", None, "zh", "en"]}, entry
    )
    _, ledger = run(rows, rows.parent, where=["good", "tongue in ('zh', 'en')"], keep_null=True)
    assert [(row["rule"], row["detail"]) for row in ledger] == [
        ("", None), ("where:good", "good = false"), ("", None), ("", None), ("", None)
    ]  # fmt: skip
    _, ledger = run(rows, rows.parent, where="tongue = 'zh'")
    assert ledger[0]["detail"] == "tongue = 'en'"
    assert pl.DataFrame(ledger)["fate"].to_list().count("kept") == 2


@settings(max_examples=25, deadline=None)
@given(files=st.lists(dirty.FILES, min_size=1, max_size=3), bound=st.integers(0, 12), keep=st.booleans())
def test_every_row_of_dirty_files_has_one_fate_and_good_ones_are_copied_as_they_stand(files, bound, keep):
    assume(any(dirty.rows_of(data) for data in files) and not any(data.strip() == b"[]" for data in files))
    with tempfile.TemporaryDirectory() as folder:
        inputs = {f"{number}.jsonl": data for number, data in enumerate(files)}
        for name, data in inputs.items():
            Path(folder, name).write_bytes(data)
        out = Path(folder, "out.jsonl")
        paths = [Path(folder, name) for name in inputs]
        options = {"where": f"n_chars >= {bound}", "on_error": "reject", "keep_dropped": keep, "workers": 1}
        dataforge.filter(paths, output=out, **options)
        ledger = dirty.audit(out, inputs, dropped_in_rejects=keep)
        raw = [line for data in inputs.values() for _, line in dirty.rows_of(data)]
        stay = [line for line, row in zip(raw, ledger, strict=True) if row["fate"] == "kept"]
        assert out.read_bytes() == b"".join(line + b"\n" for line in stay)
        again = Path(folder, "again.jsonl")
        dataforge.select(paths, output=again, **options)  # by the tables that filter left
        assert again.read_bytes() == out.read_bytes() and dirty.ledger_of(dirty.out_of(again)) == ledger
