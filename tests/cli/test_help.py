"""Help: light to import, whole, with examples; and flags, recipes and Python twins that say the same."""

import inspect
import json
import subprocess
import sys

import click
import pytest

import dataforge
from dataforge.cli.main import cli as group
from dataforge.config import RunOptions, from_mapping, settings
from dataforge.errors import UsageError
from dataforge.registry import COMMANDS, load_operation

HEAVY = ["torch", "transformers", "datasets", "polars", "numba", "openai", "pyarrow", "numpy", "jsonschema", "rich"]
SLOW = ["torch", "transformers", "datasets", "numba", "openai", "tokenizers", "accelerate", "peft"]


def loaded_after(words, names, environment):
    """Which of `names` are imported once `dataforge WORDS` has run, for each list of words."""
    code = (
        "import io, json, sys\n"
        "from contextlib import redirect_stdout\n"
        "from dataforge.cli.main import main\n"
        f"for words in {words!r}:\n"
        "    sys.argv = ['dataforge', *words]\n"
        "    try:\n"
        "        with redirect_stdout(io.StringIO()):\n"
        "            main()\n"
        "    except SystemExit as leaving:\n"
        "        assert leaving.code == 0, words\n"
        f"print(json.dumps([name for name in {names!r} if name in sys.modules]))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, env=environment, check=True)
    return json.loads(done.stdout)


def test_the_help_of_dataforge_imports_nothing_heavy(environment):
    words = [["--help"], ["--version"], ["train", "--help"], ["tokenizer", "--help"]]
    assert loaded_after(words, HEAVY, environment) == []


def test_no_command_imports_a_heavy_library_for_its_help(environment):
    assert loaded_after([[*name.split(), "--help"] for name in COMMANDS], SLOW, environment) == []


def test_importing_dataforge_imports_nothing_heavy(environment):
    code = f"import dataforge, sys, json; dir(dataforge); print(json.dumps([n for n in {HEAVY!r} if n in sys.modules]))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, env=environment, check=True)
    assert json.loads(done.stdout) == []


def command_of(name):
    found = group
    for word in name.split():
        found = found.get_command(click.Context(found), word)
    return found


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_says_what_it_does_with_an_example_and_a_line_for_every_flag(name, cli):
    said = cli(*name.split(), "--help")
    text = said.out.decode()
    assert said.code == 0 and said.err == ""
    assert "".join(COMMANDS[name][1].split()) in "".join(text.split())  # lines may break at a hyphen
    assert f"\n    dataforge {name}" in text
    for parameter in command_of(name).params:
        if isinstance(parameter, click.Option):
            assert parameter.help and parameter.help.strip(), parameter.name
            assert parameter.opts[0] in text


@pytest.mark.parametrize("name", COMMANDS)
def test_flags_twins_and_configs_have_the_same_names_and_defaults(name):
    operation = load_operation(name)
    assert operation.name == name
    wanted = {s.name: s for s in settings(operation.config)}
    shared = {s.name: s for s in settings(RunOptions)}
    assert set(operation.options) <= shared.keys()
    assert not wanted.keys() & set(operation.options), "an option may not hide a setting of the command"
    everything = wanted | {option: shared[option] for option in operation.options}
    flags = {p.name: p for p in command_of(name).params if p.name not in ("inputs", "output", "help")}
    assert flags.keys() == everything.keys()
    function = getattr(dataforge, next(twin for twin, command in dataforge.TWINS.items() if command == name))
    keywords = {
        p.name: p for p in inspect.signature(function).parameters.values() if p.kind is inspect.Parameter.KEYWORD_ONLY
    }
    assert keywords.keys() == everything.keys()
    for key, setting in everything.items():
        assert flags[key].required == setting.required == (keywords[key].default is inspect.Parameter.empty)
        assert setting.flag in flags[key].opts
        if not setting.required:
            assert keywords[key].default == setting.default
            given = flags[key].get_default(click.Context(command_of(name)))
            given = given.replace("\\n", "\n") if isinstance(given, str) else given
            assert (given or None) == (setting.default or None) or given == setting.default


@pytest.mark.parametrize("name", COMMANDS)
def test_two_flags_of_a_command_are_never_spelled_alike(name):
    spelled = [
        flag for p in command_of(name).params if isinstance(p, click.Option) for flag in (*p.opts, *p.secondary_opts)
    ]
    assert len(spelled) == len(set(spelled))


def test_the_commands_are_those_of_the_registry():
    found = []
    for name in group.list_commands(None):
        command = command_of(name)
        found += (
            [f"{name} {sub}" for sub in command.list_commands(None)] if isinstance(command, click.Group) else [name]
        )
    assert sorted(found) == sorted(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_recipe_keys_may_be_spelled_like_flags(name):
    config = load_operation(name).config
    required = {
        s.name: ("x",) if s.many else (s.choices[0] if s.choices else "x") for s in settings(config) if s.required
    }
    for setting in settings(config):
        if not setting.required and setting.default is not None:
            values = {**required, setting.flag[2:]: list(setting.default) if setting.many else setting.default}
            try:
                made = from_mapping(config, values)
            except UsageError as fault:  # what only several settings together decide
                assert setting.name not in str(fault).split(":")[0]
            else:
                assert getattr(made, setting.name) == setting.default


def test_defaults_that_are_shown_are_the_real_ones(cli):
    text = " ".join(cli("mix", "--help").out.decode().split())
    assert "seed of every random choice [default: 0; x>=0]" in text
    assert "[default: 0.2; 0<=x<=0.999]" in text
    assert r"[default: \n]" in " ".join(cli("convert", "--help").out.decode().split())


def test_dataforge_alone_shows_its_help_and_could_not_run(cli):
    said = cli()
    assert said.code == 2
    assert "Usage: dataforge" in said.err and said.out == b""
    assert cli("--version").out.decode().strip() == f"dataforge, version {dataforge.__version__}"
