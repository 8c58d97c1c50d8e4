"""The Python side: every command is a function that returns a Result, raises our errors, and prints nothing."""

import importlib
import inspect

import pytest

import dataforge
from dataforge import errors
from dataforge.config import RunOptions, settings
from dataforge.errors import ConfigError, DataforgeError, UsageError
from dataforge.ledger import Counts, Result, TokenCounts
from dataforge.registry import COMMANDS, DIALECTS, TASKS, load_dialect, load_operation, load_task

ROWS = b'{"question": "q", "answer": "a"}\n{"question": "\xe9\x97\xae", "answer": "\xe7\xad\x94"}\n'


@pytest.fixture
def rows(tmp_path):
    (tmp_path / "rows.jsonl").write_bytes(ROWS)
    return tmp_path / "rows.jsonl"


def test_what_the_package_offers_is_pinned():
    assert sorted(dataforge.__all__) == [
        "answer_prompts", "answers", "back", "clean", "convert", "copy_prompts", "decontaminate", "dedup", "dialogue", "diff", "eval", "evol",
        "export", "few_shot", "filter", "grounded", "head", "inspect", "list_formats", "list_prompts", "mix", "pair", "read_records", "replay", "run", "score", "select", "self_instruct", "shard",
        "show_prompt", "split", "train_cpt", "train_sft", "train_tokenizer", "validate",
    ]  # fmt: skip
    assert set(dataforge.__all__) <= set(dir(dataforge))
    with pytest.raises(AttributeError, match="no attribute 'konvert'"):
        dataforge.konvert  # noqa: B018


def test_every_command_has_a_twin_and_every_twin_a_command():
    assert sorted(dataforge.TWINS.values()) == sorted(COMMANDS)


def test_no_package_of_ours_hides_a_twin():
    for name in ("io", "formats", "engine", "ops", "shards", "cli", "train", "generate", "llm"):
        importlib.import_module(f"dataforge.{name}")
    for module in ("record", "errors", "ledger", "registry", "config", "twins", "recipe"):
        importlib.import_module(f"dataforge.{module}")
    for name in dataforge.__all__:
        assert callable(getattr(dataforge, name)), name


@pytest.mark.parametrize("name", sorted(dataforge.TWINS))
def test_a_twin_knows_its_name_its_options_and_their_meaning(name):
    function = getattr(dataforge, name)
    operation = load_operation(dataforge.TWINS[name])
    assert function.__name__ == name
    assert function.__doc__.startswith(COMMANDS[operation.name][1])
    for setting in (*settings(operation.config), *(s for s in settings(RunOptions) if s.name in operation.options)):
        assert f"\n{setting.name}: {setting.help}" in function.__doc__
    parameters = list(inspect.signature(function).parameters.values())
    places = [p.name for p in parameters if p.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD]
    assert places == [n for n, on in (("inputs", operation.inputs), ("output", operation.output)) if on != "none"]


def test_a_twin_prints_nothing_and_returns_what_happened(rows, tmp_path, capfd):
    result = dataforge.convert(rows, output=tmp_path / "o.jsonl", to="openai")
    assert isinstance(result, Result) and result.ok and result.exit_code == 0
    assert result.counts.kept == 2 and result.output == str(tmp_path / "o.jsonl")
    dataforge.mix(output=tmp_path / "m.jsonl", domain=rows, general=[str(tmp_path / "o.jsonl")], replay=0.3)
    for function in (dataforge.inspect, dataforge.head, dataforge.validate):
        assert function(rows).ok
    dataforge.list_formats()
    assert capfd.readouterr() == ("", "")


def test_inputs_may_be_a_text_a_path_or_several_of_both(rows, tmp_path):
    for inputs in (rows, str(rows), [rows], (str(rows),), iter([rows])):
        assert dataforge.validate(inputs).counts.rows_in == 2
    assert dataforge.validate(inputs=rows).counts.rows_in == 2
    with pytest.raises(UsageError, match="no input"):
        dataforge.validate([])


def test_wrong_calls_raise_what_python_people_expect(rows, tmp_path):
    with pytest.raises(TypeError, match="takes 2 positional arguments, 3 were given"):
        dataforge.convert(rows, tmp_path / "o.jsonl", "openai")
    with pytest.raises(TypeError, match="takes 1 positional"):
        dataforge.inspect(rows, "x")
    for options in ({"to": "openai", "tu": 1}, {}, {"to": "klingon"}, {"to": "openai", "workers": "2"}):
        with pytest.raises(ConfigError):
            dataforge.convert(rows, output=tmp_path / "o.jsonl", **options)
    with pytest.raises(ConfigError, match="quiet"):
        dataforge.head(rows, quiet=True)  # an option of other commands
    assert not (tmp_path / "o.jsonl").exists()


def test_read_records_gives_records_in_order_and_the_place_of_a_fault(rows, tmp_path):
    records = list(dataforge.read_records(rows))
    assert [record.turns[0].text for record in records] == ["q", "问"]
    assert len(list(dataforge.read_records([str(rows), str(rows)]))) == 2
    (tmp_path / "b.jsonl").write_bytes(ROWS + b"[]\n" + ROWS)
    reading = dataforge.read_records(str(tmp_path / "b.jsonl"))
    assert [next(reading).turns[0].text, next(reading).turns[0].text] == ["q", "问"]
    with pytest.raises(errors.RowError) as fault:
        next(reading)
    assert fault.value.place == f"{tmp_path}/b.jsonl:3"
    assert len(list(dataforge.read_records([str(rows), str(tmp_path / "b.jsonl")], limit=3))) == 3
    assert list(dataforge.read_records(str(rows), limit=0)) == []


@pytest.mark.parametrize("name", sorted(DIALECTS))
def test_dialects_have_one_shape(name):
    module = load_dialect(name)
    assert name == module.NAME
    for attribute in ("EXAMPLE", "RULES", "COLUMNS", "detect", "read", "write"):
        assert getattr(module, attribute)


@pytest.mark.parametrize("name", sorted(TASKS))
def test_tasks_have_one_shape(name):
    assert list(inspect.signature(load_task(name)).parameters) == ["options"]


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_operations_have_one_shape(name):
    operation = load_operation(name)
    assert list(inspect.signature(operation.run).parameters) == ["inputs", "output", "config", "options"]
    assert operation.inputs in ("many", "one", "optional", "none")
    assert operation.output in ("file", "folder", "optional", "none")


def test_unknown_names_are_refused_with_a_suggestion():
    with pytest.raises(UsageError, match="'openay' is not a known dialect") as fault:
        load_dialect("openay")
    assert fault.value.help == "did you mean 'openai'?"
    with pytest.raises(UsageError):
        load_task("none")


def test_errors_have_the_exit_codes_that_their_tree_shows():
    lines = errors.__doc__.splitlines()
    for name in errors.__all__:
        kind = getattr(errors, name)
        if isinstance(kind, type) and kind is not DataforgeError:
            (line,) = [line for line in lines if name in line.split()]
            if "exit" in line:
                code = int(line.split("exit ")[1].split()[0])
                assert kind.exit_code == code, name


def test_a_law_that_is_broken_is_found_in_every_count():
    Counts(rows_in=3, kept=1, dropped=1, errors=1, rows_out=1, sum_n_out=1).check()
    for wrong in ({"rows_in": 4}, {"kept": 2}, {"rows_out": 2}, {"sum_n_out": 0}, {"generated": 1}):
        values = {"rows_in": 3, "kept": 1, "dropped": 1, "errors": 1, "rows_out": 1, "sum_n_out": 1, **wrong}
        with pytest.raises(errors.ConservationError, match="do not add up"):
            Counts(**values).check()
    TokenCounts(tokens_in=6, trained=1, masked=2, truncated=1, dropped=2).check()
    with pytest.raises(errors.ConservationError):
        TokenCounts(tokens_in=5, trained=1, masked=2, truncated=1, dropped=2).check("茶.jsonl")
