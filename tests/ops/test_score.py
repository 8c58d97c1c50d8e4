"""score: a table for each file and scorer, a row for each row, bound to the bytes of the file; length by an oracle."""

import json
import unicodedata

import dirty
import numpy as np
import openpyxl
import polars as pl
import pyarrow.parquet as pq
import pytest
from dialect_rows import ROWS as DIALECT_ROWS
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import dump

import dataforge
from dataforge import registry
from dataforge.errors import ConfigError, InputError, OutputError, RowError, UsageError
from dataforge.formats.spelling import Spelling
from dataforge.io.paths import find_sources
from dataforge.ops.rowtext import answer_text, prompt_text, row_text
from dataforge.ops.scorers import columns_of, length, owners
from dataforge.ops.scorers.column import Column
from dataforge.ops.scores import making as scoring
from dataforge.ops.scores.table import file_entry, read_scores, write_scores
from dataforge.ops.scores.task import frame_of
from dataforge.registry import SCORERS, load_dialect, load_scorer

CHAT = {
    "messages": [
        {"role": "system", "content": "简短"},
        {"role": "user", "content": "绿茶怎么泡？"},
        {"role": "assistant", "content": "Use 80 °C water，两分钟。"},
    ]
}
PAIR = {"prompt": "茶？", "chosen": "green tea", "rejected": "no"}
LINES = [
    dirty.line_of({"question": "Tea, please?", "answer": "Here you are"}),
    dirty.line_of(CHAT),
    b"",
    b'{"text": 5}',
    dirty.line_of({"text": "天地玄黄 hello"}),
    dirty.line_of(PAIR),
    dirty.line_of({"messages": [{"role": "user", "content": "在吗"}]}),
]
EXPECTED = {
    "n_chars": [25, 30, None, 10, 15, 2],
    "n_bytes": [25, 57, None, 18, 19, 6],
    "n_words": [5, 14, None, 5, 4, 2],
    "n_turns": [2, 2, None, None, 1, 1],
    "prompt_chars": [12, 9, None, None, 2, 2],
    "answer_chars": [12, 20, None, None, 9, None],
}


@pytest.fixture
def rows(tmp_path):
    (tmp_path / "rows.jsonl").write_bytes(b"\n".join(LINES))
    return tmp_path / "rows.jsonl"


def scored(path, *names, **options):
    return dataforge.score(path, scorers=names or ("length",), on_error="reject", workers=1, **options)


def test_each_row_has_a_row_of_scores_and_faulty_ones_have_nulls(rows):
    result = scored(rows)
    assert (result.counts.kept, result.counts.errors, result.exit_code) == (5, 1, 1)
    assert read_scores(str(rows)).to_dict(as_series=False) == EXPECTED
    assert sorted(path.name for path in rows.parent.iterdir()) == ["rows.jsonl", "rows.jsonl.scores"]
    assert [path.name for path in (rows.parent / "rows.jsonl.scores").iterdir()] == ["length.parquet"]


def test_a_faulty_row_stops_the_scoring_and_leaves_nothing_behind(rows):
    with pytest.raises(RowError):
        dataforge.score(rows, scorers="length")
    assert [path.name for path in rows.parent.iterdir()] == ["rows.jsonl"]


def words(text):
    """Words and characters of scripts without spaces, counted in another way; for letters, digits and Han alone."""
    count, inside = 0, False
    for char in unicodedata.normalize("NFC", text):
        han = "CJK" in unicodedata.name(char, "")
        letter = char.isalnum() and not han
        count += han or (letter and not inside)
        inside = letter
    return count


PLAIN = st.text(alphabet="ab Z9 .,。！茶水绿 é\n", max_size=30)


@settings(max_examples=40, deadline=None)
@given(dialect=st.sampled_from(sorted(registry.DIALECTS)), data=st.data())
def test_lengths_are_those_of_the_texts_in_every_dialect(dialect, data):
    module = load_dialect(dialect)
    records = [
        module.read(json.loads(dump(row)), Spelling())
        for row in data.draw(st.lists(DIALECT_ROWS[dialect], min_size=1, max_size=3))
    ]
    columns = length.open_scorer({})(records)
    for place, record in enumerate(records):
        assert columns["n_chars"][place] == len(row_text(record))
        assert columns["n_bytes"][place] == len(row_text(record).encode(errors="surrogatepass"))
        for name, text in (("prompt_chars", prompt_text(record)), ("answer_chars", answer_text(record))):
            assert columns[name][place] == (None if text is None else len(text))
        turns = None if record.is_document else len([t for t in record.turns if t.role not in ("system", "developer")])
        assert columns["n_turns"][place] == turns


@settings(max_examples=40, deadline=None)
@given(st.lists(PLAIN, min_size=1, max_size=5))
def test_words_are_counted_in_english_and_chinese(texts):
    module = load_dialect("text")
    records = [module.read({"text": text}, Spelling()) for text in texts]
    assert length.open_scorer({})(records)["n_words"] == [words(text) for text in texts]


def test_workers_and_chunks_do_not_change_the_tables(tmp_path, small_chunks):
    lines = [dirty.line_of({"question": "茶" * n, "answer": "a b " * (n % 7)}) for n in range(1, 60)]
    for name in ("one.jsonl", "two.jsonl"):
        (tmp_path / name).write_bytes(b"\n".join(lines))
    scored(tmp_path / "one.jsonl")
    small_chunks(300)
    dataforge.score(tmp_path / "two.jsonl", scorers=["length"], workers=2)
    assert read_scores(str(tmp_path / "one.jsonl")).equals(read_scores(str(tmp_path / "two.jsonl")))


def test_a_table_that_fits_is_not_made_again_without_force(rows, monkeypatch):
    scored(rows)
    table = rows.parent / "rows.jsonl.scores" / "length.parquet"
    before = table.stat().st_mtime_ns
    again = scored(rows)
    assert table.stat().st_mtime_ns == before
    assert "there already" in again.lines[0] and again.data["columns"]["n_chars"]["max"] == 30
    scored(rows, force=True)
    assert table.stat().st_mtime_ns > before
    monkeypatch.setattr(scoring, "__version__", "9.9")
    before = table.stat().st_mtime_ns
    scored(rows)
    assert table.stat().st_mtime_ns > before  # another version may score otherwise


def test_a_table_of_other_bytes_is_stale_and_is_made_anew(rows):
    scored(rows)
    data = rows.read_bytes()
    rows.write_bytes(data.replace(b"Tea", b"tea"))  # the same size
    with pytest.raises(InputError, match="is stale") as fault:
        read_scores(str(rows))
    assert fault.value.help == f"score again: dataforge score {rows} --with length"
    scored(rows)
    assert read_scores(str(rows)).height == 6


def test_only_files_without_a_table_are_read(tmp_path):
    for name in ("a", "b"):
        (tmp_path / f"{name}.jsonl").write_bytes(dirty.line_of({"text": name * 3}))
    scored(tmp_path / "a.jsonl")
    result = scored(tmp_path)
    assert result.counts.rows_in == 1
    assert result.data["columns"]["n_chars"]["values"] == 2


def test_a_fault_in_a_later_file_leaves_the_tables_of_earlier_ones(tmp_path):
    for name, line in (
        ("a", b'{"text": "a"}'),
        ("b", '{"text": "茶"}'.encode()),
        ("c", b'{"text": 5}'),
        ("d", b'{"text": "d"}'),
    ):
        (tmp_path / f"{name}.jsonl").write_bytes(line)
    with pytest.raises(RowError):
        dataforge.score(tmp_path, scorers="length", workers=1)
    assert sorted(path.name for path in tmp_path.glob("*.scores")) == ["a.jsonl.scores"]
    result = scored(tmp_path)
    assert result.counts.rows_in == 3 and result.data["columns"]["n_chars"]["null"] == 1


def test_every_sheet_and_container_has_tables_of_its_own(tmp_path):
    book = openpyxl.Workbook()
    book.active.append(["问题", "答案"])
    book.active.append(["茶", "绿茶"])
    other = book.create_sheet("more")
    for row in (["question", "answer"], ["q", "abc"], ["q", "abcd"]):
        other.append(row)
    book.save(tmp_path / "book.xlsx")
    (tmp_path / "t.csv").write_text("question,answer\nq,a\n")
    dataforge.convert(tmp_path / "t.csv", output=tmp_path / "t.jsonl.gz", to="qa")
    names = ["book.xlsx", "book.xlsx#more", "t.csv", "t.jsonl.gz"]
    scored([tmp_path / name for name in names])
    found = [read_scores(str(tmp_path / name))["answer_chars"].to_list() for name in names]
    assert found == [[2], [3, 4], [1], [1]]


def test_the_metadata_says_what_made_the_table_and_of_what(rows):
    scored(rows)
    about = json.loads(pq.read_metadata(rows.parent / "rows.jsonl.scores" / "length.parquet").metadata[b"dataforge"])
    assert about == {
        "schema": "dataforge.scores/1",
        "scorer": "length",
        "options": {},
        "input": file_entry(str(rows)),
        "rows": 6,
        "version": dataforge.__version__,
    }
    dataforge.convert(rows, output=rows.parent / "o.jsonl", to="openai", on_error="reject")
    manifest = dirty.manifest_of(rows.parent / "o.jsonl.forge")
    assert manifest["inputs"][0]["hash"] == about["input"]["hash"]  # the hash of manifests


def test_a_limit_shows_figures_and_keeps_no_table(rows):
    result = scored(rows, limit=2)
    assert result.data["columns"]["n_chars"] | {"p5": 0, "p95": 0, "p99": 0} == {
        "scorer": "length", "values": 2, "null": 0, "min": 25, "mean": 27.5, "max": 30, "median": 27.5, "p5": 0, "p95": 0, "p99": 0,
    }  # fmt: skip
    assert [path.name for path in rows.parent.iterdir()] == ["rows.jsonl"]
    scored(rows)
    assert scored(rows, limit=1).data["columns"]["n_chars"]["values"] == 1


def test_quiet_prints_no_figures_unless_they_are_asked_for_as_json(rows, cli):
    rows.write_text('{"question": "茶？", "answer": "tea"}\n')
    said = cli("score", str(rows), "--with", "length", "-q")
    assert (said.code, said.out, said.err) == (0, b"", "")
    assert json.loads(cli("score", str(rows), "--with", "length", "-q", "--json").out)["columns"]


def test_a_dry_run_says_what_is_due_and_writes_nothing(rows):
    table = f"  {rows}.scores/length.parquet"
    assert scored(rows, dry_run=True).lines == ["would write:", table]
    assert [path.name for path in rows.parent.iterdir()] == ["rows.jsonl"]
    scored(rows)
    assert scored(rows, dry_run=True).lines == ["would write nothing", "is there and fits:", table]


def test_streams_are_refused_and_told_of_filter(cli):
    said = cli("score", "-", "--with", "length", stdin=b'{"text": "a"}\n')
    assert said.code == 2 and "stdin is no file" in said.err and "dataforge filter" in said.err


def test_a_scorer_that_is_none_is_refused_with_a_suggestion(rows):
    with pytest.raises(ConfigError, match="'lenght' is no scorer") as fault:
        scored(rows, "lenght")
    assert fault.value.help == "did you mean 'length'?"
    with pytest.raises(UsageError, match="nothing says what to measure"):
        dataforge.score(rows)


def test_the_list_names_every_scorer_and_column(cli):
    said = cli("score", "--list").out.decode()
    listed = {entry["scorer"]: entry["columns"] for entry in json.loads(cli("score", "--list", "--json").out)}
    assert list(listed) == list(SCORERS)
    for name in SCORERS:
        module = load_scorer(name)
        assert module.NAME == name and f"{name}: {module.HELP}" in said
        assert list(listed[name]) == list(module.COLUMNS)
        for column, about in module.COLUMNS.items():
            assert column in said and about.help in said


def test_no_two_scorers_have_a_column_in_common():
    assert len(owners()) == sum(len(columns_of(name)) for name in SCORERS)


def test_tables_of_ones_own_stand_beside_those_of_scorers(rows):
    scored(rows)
    entry = file_entry(str(rows))
    write_scores(str(rows), "ppl", {"ppl": [1.5, float("nan"), None, 3.0, 4.0, 5.0]}, entry, {"model": "m"})
    frame = read_scores(str(rows))
    assert frame.columns[-1] == "ppl" and frame["ppl"].to_list() == [1.5, None, None, 3.0, 4.0, 5.0]
    assert read_scores(str(rows), ["ppl"]).columns == ["ppl"]
    assert read_scores(str(rows), columns=["n_chars"]).columns == ["n_chars"]
    with pytest.raises(InputError, match="has no score table 'reward'"):
        read_scores(str(rows), ["reward"])
    with pytest.raises(InputError, match="has no score column 'reward'"):
        read_scores(str(rows), columns=["reward"])
    with pytest.raises(UsageError, match="belongs to the scorer 'length'"):
        write_scores(str(rows), "mine", {"n_chars": [1] * 6}, entry)
    with pytest.raises(UsageError, match="differ in length"):
        write_scores(str(rows), "bad", {"a": [1], "b": [1, 2]}, entry)
    write_scores(str(rows), "short", {"short": [1]}, entry)
    with pytest.raises(InputError, match="has 1 rows, and"):
        read_scores(str(rows))


def test_a_column_that_stands_in_two_tables_is_an_error(rows):
    entry = file_entry(str(rows))
    for name in ("one", "two"):
        write_scores(str(rows), name, {"ppl": [1.0] * 6}, entry)
    with pytest.raises(InputError, match="has the column 'ppl', as"):
        read_scores(str(rows))


@pytest.mark.parametrize("junk", [b"", b"not parquet", None])
def test_a_file_that_is_no_score_table_is_said_so(rows, junk):
    folder = rows.parent / "rows.jsonl.scores"
    folder.mkdir()
    if junk is None:
        pl.DataFrame({"a": [1]}).write_parquet(folder / "x.parquet")
    else:
        (folder / "x.parquet").write_bytes(junk)
    with pytest.raises(InputError, match="is no score table"):
        read_scores(str(rows))
    (folder / "x.parquet").rename(folder / "length.parquet")
    with pytest.raises(InputError, match="is no score table"):
        scored(rows)
    scored(rows, force=True)
    assert read_scores(str(rows)).height == 6


def test_without_any_table_there_is_nothing_to_read(rows):
    with pytest.raises(InputError, match="has no score tables"):
        read_scores(str(rows))


def test_a_name_that_is_taken_by_a_file_is_said(rows):
    (rows.parent / "rows.jsonl.scores").write_text("mine")
    with pytest.raises(OutputError) as fault:
        scored(rows)
    assert "--no-save-scores" in fault.value.help
    assert (rows.parent / "rows.jsonl.scores").read_text() == "mine"


def test_a_scorer_that_breaks_its_promise_is_found():
    columns = {"a": Column("int", "a"), "b": Column("text", "b")}
    rows = np.array([0, 2])
    frame = frame_of(columns, {"a": [1, 2], "b": ["茶", None]}, rows, 4)
    assert frame.to_dict(as_series=False) == {"a": [1, None, 2, None], "b": ["茶", None, None, None]}
    assert frame_of(columns, {"a": [], "b": []}, rows[:0], 2).height == 2
    with pytest.raises(ValueError, match="promises the columns"):
        frame_of(columns, {"a": [1, 2]}, rows, 4)
    with pytest.raises(ValueError, match="was given 2 records"):
        frame_of(columns, {"a": [1], "b": ["x"]}, rows, 4)
    with pytest.raises(ValueError, match="no kind of column"):
        Column("number", "a")


def test_an_empty_file_among_others_has_an_empty_table(tmp_path):
    (tmp_path / "a.jsonl").write_bytes(b'{"text": "a"}\n')
    (tmp_path / "b.jsonl").write_bytes(b"")
    scored([tmp_path / "a.jsonl", tmp_path / "b.jsonl"])
    assert [read_scores(source).height for source in find_sources([str(tmp_path)])] == [1, 0]
