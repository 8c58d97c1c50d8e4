"""select: the rows that stay, their rules and values, by an oracle in plain Python; nothing is lost or damaged."""

import json
import math
import tempfile
from pathlib import Path

import dirty
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import dataforge
from dataforge.errors import ConfigError, InputError, RowError, UsageError
from dataforge.ops.scorers.column import Column
from dataforge.ops.scores.making import Plan
from dataforge.ops.scores.table import file_entry, write_scores

TEXTS = ["green tea", "绿茶", "an answer of some length", "一个更长的回答，关于茶", "x", "茶 tea", "black tea", "红茶"]


def write(path, columns, texts=None, kinds=None):
    """A file of documents, a row for each score, and a score table `mine`."""
    count = len(next(iter(columns.values())))
    texts = texts or [TEXTS[n % len(TEXTS)] for n in range(count)]
    path.write_bytes(b"".join(dirty.line_of({"text": text, "n": n}) + b"\n" for n, text in enumerate(texts)))
    write_scores(str(path), "mine", columns, file_entry(str(path)), kinds=kinds)
    return path


def chosen(out):
    """The numbers of the rows that were written."""
    return [json.loads(line)["n"] for line in out.read_bytes().splitlines()]


def run(source, folder, **options):
    out = folder / "out.jsonl"
    result = dataforge.select(source, output=out, force=True, workers=1, **options)
    return result, out, dirty.ledger_of(dirty.out_of(out))


PPL = st.one_of(st.none(), st.integers(0, 4).map(float))
SCORES = st.lists(st.tuples(PPL, st.sampled_from(["en", "zh", None])), min_size=1, max_size=12)


def better(values, rows, count, ascending):
    """The best rows by value; ties in their order, rows without a value never."""
    there = [row for row in rows if values[row] is not None]
    return set(sorted(there, key=lambda row: values[row] if ascending else -values[row])[:count])


@settings(max_examples=50, deadline=None)
@given(
    scores=SCORES,
    bound=st.integers(0, 4),
    keep_null=st.booleans(),
    top=st.sampled_from([None, 0, 1, 3, "50%", "34%", "100%"]),
    ascending=st.booleans(),
    grouped=st.booleans(),
)
def test_what_stays_and_why_the_others_go(scores, bound, keep_null, top, ascending, grouped):
    ppl, lang = [score for score, _ in scores], [name for _, name in scores]
    options = {} if top is None else {"top": top, "by": "ppl", "ascending": ascending}
    expected = {}
    for row, value in enumerate(ppl):
        if value is None and not keep_null:
            expected[row] = "where_null:ppl >= " + str(bound)
        elif value is not None and value < bound:
            expected[row] = "where:ppl >= " + str(bound)
    left = [row for row in range(len(ppl)) if row not in expected]
    if top is not None:
        for group in {lang[row] if grouped else 0 for row in left}:
            rows = [row for row in left if not grouped or lang[row] == group]
            count = top if isinstance(top, int) else math.floor(len(rows) * float(top[:-1]) / 100 + 0.5)
            best = better(ppl, rows, count, ascending)
            expected |= {row: "top_null:ppl" if ppl[row] is None else "top:ppl" for row in rows if row not in best}
    with tempfile.TemporaryDirectory() as folder:
        kinds = {"ppl": Column("float", "perplexity"), "tongue": Column("text", "language")}
        source = write(Path(folder, "rows.jsonl"), {"ppl": ppl, "tongue": lang}, kinds=kinds)
        _, out, ledger = run(
            source,
            Path(folder),
            where=[f"ppl >= {bound}"],
            keep_null=keep_null,
            per_group="tongue" if grouped else None,
            **options,
        )
        dirty.audit(out, {"rows.jsonl": source.read_bytes()})
        assert {row["ordinal"]: row["rule"] for row in ledger if row["fate"] == "dropped"} == expected
        assert chosen(out) == [row for row in range(len(ppl)) if row not in expected]


def test_rows_go_out_as_they_stand(tmp_path):
    lines = [b' {"text" :  "a"} ', b'{"text": "\\u8336"}\r', b"", b'{"text":"b","n":123456789012345678901234567890}']
    source = tmp_path / "rows.jsonl"
    source.write_bytes(b"\n".join(lines))
    dataforge.score(source, scorers="length")
    _, out, _ = run(source, tmp_path, where="n_chars = 1")
    assert out.read_bytes() == b' {"text" :  "a"} \n{"text": "\\u8336"}\n' + lines[3] + b"\n"


def test_each_and_is_a_rule_of_its_own_and_the_ledger_has_the_values(tmp_path):
    scores = {"n": [5, 50, 500, None], "ppl": [1.25, 99.0, 2.0, 3.0], "tongue": ["zh", "en", "zh", "en"]}
    source = write(tmp_path / "rows.jsonl", scores)
    result, _, ledger = run(
        source, tmp_path, where=["n >= 20 and ppl < quantile(ppl, 0.9)", "tongue = 'zh' or n > 100"]
    )
    assert [(row["rule"], row["detail"]) for row in ledger] == [
        ("where:n >= 20", "n = 5"),
        ("where:ppl < quantile(ppl, 0.9)", f"ppl = 99; quantile(ppl, 0.9) = {np.quantile(scores['ppl'], 0.9):.6g}"),
        ("", None),
        ("where_null:n >= 20", "n = null"),
    ]
    rules = {entry["rule"]: (entry["removed"], entry["only_it"]) for entry in result.report["rules"]}
    assert rules == {
        "where:n >= 20": (1, 1),
        "where_null:n >= 20": (1, 0),  # the condition on languages is null for it too
        "where:ppl < quantile(ppl, 0.9)": (1, 0),  # and the row of 99 is no Chinese one
        "where:tongue = 'zh' or n > 100": (1, 0),
        "where_null:tongue = 'zh' or n > 100": (1, 0),
    }


def test_quantiles_and_other_aggregates_are_over_all_inputs_or_each_group(tmp_path):
    rng = np.random.default_rng(0)
    first, second = rng.normal(10, 1, 40), rng.normal(30, 1, 60)
    one = write(tmp_path / "en.jsonl", {"ppl": first, "tongue": ["en"] * 40})
    two = write(tmp_path / "zh.jsonl", {"ppl": second, "tongue": ["zh"] * 60})
    every = np.concatenate([first, second])
    _, out, _ = run([one, two], tmp_path, where="ppl < quantile(ppl, 0.5)")
    assert len(chosen(out)) == (every < np.quantile(every, 0.5)).sum() == 50
    result, out, ledger = run([one, two], tmp_path, where="ppl < quantile(ppl, 0.5)", per_group="tongue")
    assert [row["fate"] for row in ledger].count("kept") == 20 + 30
    (rule,) = result.report["rules"]
    assert rule["thresholds"]["quantile(ppl, 0.5)"] == pytest.approx({"en": np.median(first), "zh": np.median(second)})
    for where, keep in (
        ("ppl > avg(ppl)", every > every.mean()),
        ("ppl >= max(ppl)", every >= every.max()),
        ("ppl < mean(ppl) + std(ppl)", every < every.mean() + every.std(ddof=1)),
        ("ppl < median(ppl)", every < np.median(every)),
    ):
        _, out, ledger = run([one, two], tmp_path, where=where)
        assert [row["fate"] == "kept" for row in ledger] == keep.tolist(), where


def test_the_best_are_chosen_over_all_inputs_and_by_expressions_too(tmp_path):
    one = write(tmp_path / "a.jsonl", {"a": [1, 5, 3], "b": [1.0, 1.0, 9.0]})
    two = write(tmp_path / "b.jsonl", {"a": [5, 2, 4], "b": [2.0, 1.0, 1.0]})
    _, _, ledger = run([one, two], tmp_path, top=3, by="a")
    assert [(row["source"], row["ordinal"]) for row in ledger if row["fate"] == "kept"] == [
        ("a.jsonl", 1),
        ("b.jsonl", 0),
        ("b.jsonl", 2),
    ]
    _, _, ledger = run([one, two], tmp_path, top="2", by="a / b")
    assert [row["fate"] for row in ledger] == ["dropped", "kept", "dropped", "dropped", "dropped", "kept"]
    assert ledger[2]["detail"] == "a = 3; b = 9"
    with pytest.raises(UsageError, match="gives a text; a number is needed"):
        write_scores(str(one), "t", {"t": ["x", "y", "z"]}, file_entry(str(one)))
        run(one, tmp_path, top=1, by="t")


def test_faulty_rows_take_no_part_and_are_errors(tmp_path):
    source = tmp_path / "rows.jsonl"
    lines = [b'{"text": "abc"}', b"[]", '{"text": "茶"}'.encode(), b'{"text": 5}', b'{"text": "ab"}']
    source.write_bytes(b"\n".join(lines))
    dataforge.score(source, scorers="length", on_error="reject")
    with pytest.raises(RowError):
        dataforge.select(source, output=tmp_path / "o.jsonl", where="n_chars > 1")
    options = {"where": "n_chars >= quantile(n_chars, 0.5)", "on_error": "reject", "keep_null": True}
    result, out, ledger = run(source, tmp_path, **options)
    dirty.audit(out, {"rows.jsonl": source.read_bytes()})
    assert [row["fate"] for row in ledger] == ["kept", "error", "dropped", "error", "kept"]
    assert result.report["rules"][0]["thresholds"] == {"quantile(n_chars, 0.5)": 2.0}
    rehearsed = dataforge.select(source, output=tmp_path / "p.jsonl", dry_run=True, **options)
    assert (rehearsed.data["rows"], rehearsed.data["keep"]) == (3, 2)


def test_dropped_rows_can_be_kept_beside_with_rule_and_values(tmp_path):
    source = write(tmp_path / "rows.jsonl", {"ppl": [1.0, 2.0, 3.0]})
    data = source.read_bytes()
    for keep in (True, False):
        _, out, _ = run(source, tmp_path, where="ppl < 2", keep_dropped=keep)
        dirty.audit(out, {"rows.jsonl": data}, dropped_in_rejects=keep)
        rejects = dirty.rejects_of(dirty.out_of(out))
        assert [(row["line"], row["rule"], row["detail"]) for row in rejects] == (
            [(2, "where:ppl < 2", "ppl = 2"), (3, "where:ppl < 2", "ppl = 3")] if keep else []
        )


def test_workers_and_chunks_do_not_change_what_is_left_behind(tmp_path, small_chunks):
    source = write(tmp_path / "rows.jsonl", {"ppl": [float(n % 17) for n in range(200)]})
    left = []
    for size, workers in ((1 << 20, 1), (700, 2)):
        small_chunks(size)
        out = tmp_path / "out.jsonl"
        dataforge.select(source, output=out, where="ppl > 3", top="40%", by="ppl", workers=workers, force=True)
        forge = dirty.out_of(out)
        left.append((out.read_bytes(), dirty.ledger_of(forge), (forge / "manifest.json").read_bytes()))
    assert left[0] == left[1]


def test_limit_decides_on_the_first_rows_only(tmp_path):
    one = write(tmp_path / "a.jsonl", {"ppl": [1.0, 2.0, 3.0]})
    two = write(tmp_path / "b.jsonl", {"ppl": [9.0, 8.0, 7.0]})
    result, out, _ = run([one, two], tmp_path, top=2, by="ppl", limit=4)
    assert result.counts.rows_in == 4 and chosen(out) == [2, 0]
    rehearsed = dataforge.select([one, two], output=tmp_path / "o.jsonl", top=2, by="ppl", limit=4, dry_run=True)
    assert (rehearsed.data["rows"], rehearsed.data["keep"]) == (4, 2)


def test_explain_counts_every_rule_over_all_rows_and_shows_both_languages(tmp_path):
    texts = ["short", "短文", "a long text that stays", "一篇留下来的长文章，说的是茶", "tiny", "小"]
    source = write(tmp_path / "rows.jsonl", {"n": [1, 2, 30, 40, 3, 4], "ppl": [9.0, 1.0, 9.0, 1.0, 1.0, 1.0]}, texts)
    where = ["n >= 10", "ppl < 5"]
    result, _, _ = run(source, tmp_path, where=where, explain=True)
    first, second = result.data["rules"]
    assert (first["removed"], first["only_it"], first["share"]) == (4, 3, pytest.approx(4 / 6, abs=1e-6))
    assert (second["removed"], second["only_it"]) == (2, 1)
    assert first["examples"] == [
        {"place": f"{source}:1", "values": "n = 1", "text": "short"},
        {"place": f"{source}:2", "values": "n = 2", "text": "短文"},
        {"place": f"{source}:5", "values": "n = 3", "text": "tiny"},
    ]
    assert f"    {source}:1: n = 1: short" in result.lines
    before = sorted(path.name for path in tmp_path.iterdir())
    dry = dataforge.select(source, output=tmp_path / "new.jsonl", where=where, explain=True, dry_run=True)
    assert dry.data["rules"] == result.data["rules"] and dry.data["keep"] == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_a_dry_run_reads_tables_alone(tmp_path, monkeypatch):
    source = write(tmp_path / "rows.jsonl", {"ppl": [1.0, 2.0, 3.0]})
    monkeypatch.setattr(Plan, "make", None)  # the pass over the rows
    result = dataforge.select(source, output=tmp_path / "o.jsonl", where="ppl < quantile(ppl, 0.6)", dry_run=True)
    assert result.data["keep"] == 2 and "would keep 2 of 3 rows, drop 1" in result.lines


def test_a_dry_run_tells_rows_without_a_score_from_rows_that_cannot_be_read(tmp_path):
    source = tmp_path / "混合 rows.jsonl"
    rows = [
        {"text": "no answer"},
        {"question": "问", "answer": "答"},
        {"text": "没有答案"},
        {"question": "q", "answer": "long"},
    ]
    source.write_bytes(b"".join(dirty.line_of(row) + b"\n" for row in rows) + b"[]\n")
    dataforge.score(source, scorers="length", on_error="reject")
    for options, keep in (({}, 1), ({"keep_null": True}, 3)):
        wanted = {"where": "answer_chars > 1", "on_error": "reject", **options}
        done, _, _ = run(source, tmp_path, **wanted)
        rehearsed = dataforge.select(source, output=tmp_path / "o.jsonl", dry_run=True, **wanted)
        assert done.counts.kept == rehearsed.data["keep"] == keep and rehearsed.data["rows"] == 4
    nothing = dataforge.select(source, output=tmp_path / "o.jsonl", where="1 = 1", on_error="reject", dry_run=True)
    assert (nothing.data["rows"], nothing.data["keep"]) == (4, 4)
    mine = write(tmp_path / "mine.jsonl", {"ppl": [1.0, None, 3.0]})
    rehearsed = dataforge.select(mine, output=tmp_path / "o.jsonl", where="ppl > 2", dry_run=True)
    assert (rehearsed.data["rows"], rehearsed.data["keep"]) == (3, 1)
    with pytest.raises(InputError) as fault:
        dataforge.select(source, output=tmp_path / "o.jsonl", where="words > 1")
    assert "混合 rows.jsonl' --with rules" in str(fault.value.help)


def test_a_score_that_is_absent_says_how_to_make_it(tmp_path):
    source = tmp_path / "rows.jsonl"
    source.write_bytes(b'{"text": "a"}\n')
    with pytest.raises(InputError, match="has no score column 'n_chars'") as fault:
        run(source, tmp_path, where="n_chars > 1")
    assert fault.value.help == f"dataforge score {source} --with length"
    with pytest.raises(UsageError, match="'n_char' is no score column") as fault:
        run(source, tmp_path, where="n_char > 1")
    assert fault.value.help.startswith("did you mean 'n_chars'? (dataforge score --with length makes it)")
    with pytest.raises(UsageError, match="'中文' is no score column") as fault:
        run(source, tmp_path, where="lang = 中文")
    assert fault.value.help.startswith("a text stands in single quotes: '中文'")
    dataforge.score(source, scorers="length")
    source.write_bytes(b'{"text": "b"}\n')
    with pytest.raises(InputError, match="is stale"):
        run(source, tmp_path, where="n_chars > 1")
    assert not (tmp_path / "out.jsonl").exists()


def test_a_file_that_changes_after_the_check_is_noticed(tmp_path, monkeypatch):
    source = write(tmp_path / "rows.jsonl", {"ppl": [1.0, 2.0]})
    take = Plan.take

    def change(self, columns):
        take(self, columns)
        source.write_bytes(source.read_bytes().upper())

    monkeypatch.setattr(Plan, "take", change)
    with pytest.raises(InputError, match="changed while it was read"):
        run(source, tmp_path, where="ppl > 1", on_error="reject")


def test_a_table_with_another_number_of_rows_is_refused(tmp_path):
    source = tmp_path / "rows.jsonl"
    source.write_bytes(b'{"text": "a"}\n' * 3)
    write_scores(str(source), "mine", {"ppl": [1.0, 2.0]}, file_entry(str(source)))
    with pytest.raises(InputError, match="have 2 rows and the file 3"):
        run(source, tmp_path, where="ppl > 1")
    write_scores(str(source), "mine", {"ppl": [1.0] * 4}, file_entry(str(source)))
    with pytest.raises(InputError, match="have 4 rows and the file 3"):
        run(source, tmp_path, where="ppl > 1")


def test_streams_have_no_tables(cli):
    said = cli("select", "-", "--where", "n_chars > 1", stdin=b'{"text": "a"}\n')
    assert said.code == 2 and "dataforge filter" in said.err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "nothing says which rows to keep"),
        ({"top": 5}, "--top and --by go together"),
        ({"by": "ppl"}, "--top and --by go together"),
        ({"top": True, "by": "ppl"}, "True is not a text"),
        ({"where": "ppl >"}, "cannot be used"),
        ({"where": "ppl in (select 1)"}, "belongs to a query"),
        ({"where": "ppl > 1", "per_group": "langg"}, "'langg' is no score column"),
    ],
)
def test_wrong_options_are_said(options, message, tmp_path):
    source = write(tmp_path / "rows.jsonl", {"ppl": [1.0, 2.0]})
    with pytest.raises(UsageError, match=message):
        run(source, tmp_path, **options)


def test_score_and_select_are_steps_of_a_recipe(tmp_path):
    rows = [{"question": "q", "answer": "a" * n} for n in (1, 30, 2)] + [{"question": "问", "answer": "茶" * 40}]
    (tmp_path / "rows.jsonl").write_bytes(b"".join(dirty.line_of(row) + b"\n" for row in rows))
    (tmp_path / "recipe.yaml").write_text(
        "steps:\n"
        "  - convert: {in: rows.jsonl, out: chat.jsonl, to: openai}\n"
        "  - score: {in: chat.jsonl, with: length}\n"
        "  - select: {in: chat.jsonl, out: long.jsonl, where: answer_chars >= 20 and n_turns = 2}\n"
        "  - filter: {in: long.jsonl, out: best.jsonl, top: 1, by: n_words, save-scores: false}\n"
    )
    dataforge.run(tmp_path / "recipe.yaml", output=tmp_path / "out")
    (best,) = (tmp_path / "out" / "best.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(best)["messages"][1]["content"] == "茶" * 40
    assert (tmp_path / "out" / "chat.jsonl.scores" / "length.parquet").exists()
    dataforge.run(tmp_path / "recipe.yaml", output=tmp_path / "out", resume=True)
    with pytest.raises(ConfigError, match="unknown option 'wher'"):
        (tmp_path / "recipe.yaml").write_text("steps:\n  - select: {in: rows.jsonl, out: o.jsonl, wher: x}\n")
        dataforge.run(tmp_path / "recipe.yaml", output=tmp_path / "out2")


def test_a_faulty_file_with_only_nulls_drops_all_of_them_by_name(tmp_path):
    source = write(tmp_path / "rows.jsonl", {"ppl": np.array([np.nan, np.nan])})
    _, _, ledger = run(source, tmp_path, where="ppl < quantile(ppl, 0.5)")
    assert [row["rule"] for row in ledger] == ["where_null:ppl < quantile(ppl, 0.5)"] * 2
    result, _, _ = run(source, tmp_path, where="ppl < quantile(ppl, 0.5)", keep_null=True)
    assert result.counts.kept == 2
