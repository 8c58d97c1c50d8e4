"""Recipes: strict reading, paths, resuming, and the recipes that come with dataforge."""

import json
from pathlib import Path

import pytest

import dataforge
from dataforge.config import RunOptions
from dataforge.engine import progress
from dataforge.errors import ConfigError, DataforgeError, InputError, OutputError
from dataforge.recipe import RecipeConfig, load_recipe, run_recipe

ROOT = Path(__file__).resolve().parent.parent
ROWS = [
    {"instruction": "Say hello", "input": "", "output": "Hello"},
    {"instruction": "说你好", "input": "", "output": "你好"},
    {"instruction": "Say hello", "input": "", "output": "Hello"},
]
RECIPE = """\
steps:
  - convert: {in: rows.jsonl, out: chat.jsonl, to: sharegpt}
  - dedup: {in: chat.jsonl, out: unique.jsonl}
"""


@pytest.fixture
def place(tmp_path):
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS))
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    return tmp_path


def said(monkeypatch):
    lines = []
    monkeypatch.setattr(progress, "listener", lines.append)
    return lines


def test_steps_run_in_order_and_read_what_earlier_steps_wrote(place):
    dataforge.run(str(place / "recipe.yaml"), output=str(place / "out"))
    rows = [json.loads(line) for line in (place / "out" / "unique.jsonl").read_text().splitlines()]
    assert [row["conversations"][1]["value"] for row in rows] == ["Hello", "你好"]


def test_paths_are_relative_to_the_recipe_not_to_the_working_folder(place, monkeypatch, tmp_path_factory):
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    dataforge.run(str(place / "recipe.yaml"), output="out")
    assert Path("out/unique.jsonl").exists()


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        ("steps:\n  - dedupp: {in: a, out: b}\n", ["recipe.yaml:2: unknown step 'dedupp'; did you mean 'dedup'?"]),
        (
            "steps:\n  - convert:\n      in: rows.jsonl\n      out: c.jsonl\n      too: openai\nsede: 1\n",
            [
                "recipe.yaml:6: unknown key 'sede'; did you mean 'seed'?",
                "recipe.yaml:5: convert: unknown option 'too'; did you mean 'to'?",
            ],
        ),
        ("seed: 0\n", ["recipe.yaml: a recipe needs `steps:`, a list of commands"]),
        ("steps:\n  - convert: {in: a, out: b}\n    dedup: {}\n", ["recipe.yaml:2: a step is one command"]),
        ("steps: [unclosed\n", ["is no readable YAML"]),
    ],
)
def test_faults_of_structure_are_all_said_with_file_and_line(place, text, messages):
    (place / "recipe.yaml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_recipe(place / "recipe.yaml")
    said_all = f"{caught.value.place} " + "\n".join(caught.value.problems)
    for message in messages:
        assert message in said_all


def test_faults_of_values_come_with_their_help(place):
    (place / "recipe.yaml").write_text("steps:\n  - score: {in: a.jsonl, with: lenght}\n")
    with pytest.raises(ConfigError, match=r"recipe.yaml:2: score: .*'lenght' is no scorer; did you mean 'length'"):
        dataforge.run(str(place / "recipe.yaml"), output=str(place / "out"))


def test_faults_of_values_name_the_step_and_its_line(place):
    (place / "recipe.yaml").write_text(RECIPE.replace("to: sharegpt", "to: sharegtp"))
    with pytest.raises(
        ConfigError, match=r"recipe.yaml:2: convert: to: 'sharegtp' is not one of .*did you mean 'sharegpt'"
    ):
        dataforge.run(str(place / "recipe.yaml"), output=str(place / "out"))
    assert not (place / "out").exists()


def test_a_full_output_folder_is_refused_and_force_starts_anew(place):
    dataforge.run(str(place / "recipe.yaml"), output=str(place / "out"))
    with pytest.raises(OutputError, match="exists already"):
        dataforge.run(str(place / "recipe.yaml"), output=str(place / "out"))
    (place / "out" / "stray").write_text("")
    dataforge.run(str(place / "recipe.yaml"), output=str(place / "out"), force=True)
    assert not (place / "out" / "stray").exists()


def test_force_never_removes_a_folder_that_no_recipe_made(place):
    (place / "precious").mkdir()
    (place / "precious" / "thesis.txt").write_text("years of work")
    with pytest.raises(OutputError, match="no recipe"):
        dataforge.run(str(place / "recipe.yaml"), output=str(place / "precious"), force=True)
    assert (place / "precious" / "thesis.txt").exists()


def test_resume_skips_what_is_done_and_runs_what_changed(place, monkeypatch):
    dataforge.run(str(place / "recipe.yaml"), output=str(place / "out"))
    lines = said(monkeypatch)
    dataforge.run(str(place / "recipe.yaml"), output=str(place / "out"), resume=True)
    assert lines == ["1. convert: done already", "2. dedup: done already"]
    with open(place / "rows.jsonl", "a") as file:
        file.write(json.dumps({"instruction": "再见", "output": "再见！"}, ensure_ascii=False) + "\n")
    lines.clear()
    dataforge.run(str(place / "recipe.yaml"), output=str(place / "out"), resume=True)
    assert not any("done already" in line for line in lines)
    assert len((place / "out" / "unique.jsonl").read_text().splitlines()) == 3


def test_resume_notices_an_output_that_was_changed_by_hand(place, monkeypatch):
    dataforge.run(str(place / "recipe.yaml"), output=str(place / "out"))
    (place / "out" / "unique.jsonl").write_text("")
    lines = said(monkeypatch)
    dataforge.run(str(place / "recipe.yaml"), output=str(place / "out"), resume=True)
    assert lines[0] == "1. convert: done already"
    assert len((place / "out" / "unique.jsonl").read_text().splitlines()) == 2


def test_a_faulty_row_stops_the_recipe_and_names_the_step(place):
    with open(place / "rows.jsonl", "a") as file:
        file.write("{broken\n")
    with pytest.raises(DataforgeError) as caught:
        dataforge.run(str(place / "recipe.yaml"), output=str(place / "out"))
    assert "rows.jsonl:4" in str(caught.value)
    assert "step 'convert'" in caught.value.help
    assert not (place / "out" / "chat.jsonl").exists()


def test_rejected_rows_do_not_stop_a_recipe_that_allows_them(place):
    with open(place / "rows.jsonl", "a") as file:
        file.write("{broken\n")
    (place / "recipe.yaml").write_text(RECIPE.replace("to: sharegpt", "to: sharegpt, on_error: reject"))
    result = dataforge.run(str(place / "recipe.yaml"), output=str(place / "out"))
    assert result.exit_code == 0
    assert (place / "out" / "chat.jsonl.forge" / "rejects.jsonl").read_text().count("\n") == 1


def test_set_changes_an_option_of_a_step(place):
    options = RunOptions()
    run_recipe((str(place / "recipe.yaml"),), str(place / "out"), RecipeConfig(set=("convert.to=openai",)), options)
    assert "messages" in (place / "out" / "chat.jsonl").read_text()
    with pytest.raises(ConfigError, match="did you mean 'to'"):
        load_recipe(place / "recipe.yaml", ("convert.tp=openai",))
    with pytest.raises(ConfigError, match="no step of this recipe"):
        load_recipe(place / "recipe.yaml", ("conver.to=openai",))


def test_dry_run_writes_nothing(place):
    result = dataforge.run(str(place / "recipe.yaml"), output=str(place / "out"), dry_run=True)
    assert result.lines[0] == "1. convert: rows.jsonl -> chat.jsonl"
    assert not (place / "out").exists()


def test_a_recipe_that_does_not_exist_is_said_with_those_that_come_along():
    with pytest.raises(InputError) as caught:
        dataforge.run("quickstrat", output="out")
    assert "did you mean 'quickstart'" in caught.value.help


@pytest.mark.parametrize(
    "path", [*ROOT.glob("recipes/*.yaml"), *ROOT.glob("benchmarks/*.yaml")], ids=lambda path: path.name
)
def test_every_recipe_that_comes_along_is_valid(path, tmp_path):
    result = dataforge.run(str(path), output=str(tmp_path / "out"), dry_run=True)
    assert len(result.lines) > 5
