"""Recipes: a YAML file whose `steps:` are commands with their options, run one after another into one folder.

    seed: 0
    steps:
      - convert: {in: rows.json, out: chat.jsonl, to: openai}
      - dedup: {in: chat.jsonl, out: unique.jsonl}

`in` and `out` are the command's input and output; all other keys are the flags of the command. A path that an earlier
step wrote (its `out`) means that output; other paths are relative to the recipe. Unknown steps and keys are errors with
file:line, all at once. With --resume, steps that are done already (same options, same content of inputs) are skipped.

CLI: `dataforge run recipes/quickstart.yaml -o out`
Python: `dataforge.run("recipes/quickstart.yaml", output="out")`
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from xxhash import xxh3_128

from dataforge.config import RunOptions, check, from_mapping, option, settings
from dataforge.engine import progress
from dataforge.engine.outputs import atomic_json
from dataforge.errors import ConfigError, DataError, InputError, OutputError, RowError, UsageError, did_you_mean
from dataforge.io.paths import file_of
from dataforge.ledger import Result
from dataforge.llm.settings import ClientConfig
from dataforge.ops.schemas import asset
from dataforge.registry import COMMANDS, Operation, load_operation

__all__ = ["OPERATION", "Recipe", "RecipeConfig", "Step", "load_recipe", "run_recipe"]

STATE = "recipe.json"
LOCAL = "local:"
TOP = ("about", "seed", "steps")


@dataclass(frozen=True)
class RecipeConfig:
    """Settings of run."""

    set: tuple[str, ...] = option(
        (), help="change a step's option: `dedup.fields=prompt`, `train sft.epochs=1` (repeatable)"
    )

    def __post_init__(self) -> None:
        check(self)


@dataclass
class Step:
    """One step: its command, its keys as written, and the line it stands on."""

    name: str
    keys: dict[str, Any]
    line: int
    inputs: tuple[str, ...] = ()
    output: str | None = None
    config: Any = None
    options: RunOptions = field(default_factory=RunOptions)


@dataclass
class Recipe:
    """A recipe that has been checked."""

    path: Path
    seed: int
    steps: list[Step]


def _find(name: str) -> Path:
    """The recipe file: a path, or the name of one that comes with dataforge."""
    if os.path.isfile(name):
        return Path(name)
    bundled = asset("recipes", "quickstart.yaml").parent
    known = sorted(path.stem for path in bundled.glob("*.yaml"))
    if name in known:
        return bundled / f"{name}.yaml"
    raise InputError(
        "no such recipe", place=name, help=f"{did_you_mean(name, known)} (recipes that come with dataforge)"
    )


def load_recipe(path: Path, changes: tuple[str, ...] = ()) -> Recipe:
    """Read a recipe; raises ConfigError with every fault of its structure, each with file and line."""
    try:
        node = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except OSError as fault:
        raise InputError(f"cannot be read: {fault.strerror}", place=str(path)) from None
    except (yaml.YAMLError, UnicodeDecodeError) as fault:
        mark = getattr(fault, "problem_mark", None)
        place = f"{path}:{mark.line + 1}" if mark else str(path)
        raise ConfigError([f"is no readable YAML: {getattr(fault, 'problem', fault)}"], place=place) from None
    problems: list[str] = []
    top = _mapping(node)
    for key, (line, _) in top.items():
        if key not in TOP:
            problems.append(f"{path}:{line}: unknown key {key!r}; {did_you_mean(key, TOP)}")
    seed = _value(top["seed"][1]) if "seed" in top else 0
    steps = _steps(path, top, problems)
    _change(steps, changes, problems)
    if not isinstance(seed, int):
        problems.append(f"{path}: seed must be a whole number")
    if problems:
        raise ConfigError(problems)
    return Recipe(path, seed, steps)


def _mapping(node: Any) -> dict[str, tuple[int, Any]]:
    """Key -> (line, node) of a YAML mapping; empty for anything else."""
    if not isinstance(node, yaml.MappingNode):
        return {}
    return {str(key.value): (key.start_mark.line + 1, value) for key, value in node.value}


def _value(node: Any) -> Any:
    loader = yaml.SafeLoader("")
    return loader.construct_object(node, deep=True)


def _steps(path: Path, top: dict[str, tuple[int, Any]], problems: list[str]) -> list[Step]:
    node = top["steps"][1] if "steps" in top else None
    if not isinstance(node, yaml.SequenceNode) or not node.value:
        problems.append(f"{path}: a recipe needs `steps:`, a list of commands")
        return []
    steps = []
    for item in node.value:
        entries = _mapping(item)
        line = item.start_mark.line + 1
        if len(entries) != 1:
            problems.append(
                f"{path}:{line}: a step is one command with its options, like `- dedup: {{in: a.jsonl, out: b.jsonl}}`"
            )
            continue
        ((name, (line, body)),) = entries.items()
        if name not in COMMANDS or name in ("run", "formats"):
            problems.append(
                f"{path}:{line}: unknown step {name!r}; {did_you_mean(name, COMMANDS.keys() - {'run', 'formats'})}"
            )
            continue
        step = Step(name, _value(body) or {}, line)
        steps.append(step)
        lines = {key: at for key, (at, _) in _mapping(body).items()}
        known = _known(load_operation(name))
        for key in step.keys:
            if key.replace("-", "_") not in known:
                problems.append(
                    f"{path}:{lines.get(key, line)}: {name}: unknown option {key!r}; {did_you_mean(key, known)}"
                )
    return steps


def _known(operation: Operation) -> set[str]:
    """The keys that a step of this command may have."""
    own = {name for s in settings(operation.config) for name in (s.name, s.flag[2:].replace("-", "_"))}
    run = set(operation.options) - {"force", "resume", "dry_run", "json", "quiet"}
    return own | run | {"in", "out"}


def _change(steps: list[Step], changes: tuple[str, ...], problems: list[str]) -> None:
    """Apply `--set step.option=value` to every step of that name."""
    for change in changes:
        place, mark, text = change.partition("=")
        name, _, key = place.rpartition(".")
        found = [step for step in steps if step.name == name]
        if not mark or not found:
            problems.append(
                f"--set {change}: {name!r} is no step of this recipe; {did_you_mean(name, [s.name for s in steps])}"
            )
            continue
        known = _known(load_operation(name))
        if key.replace("-", "_") not in known:
            problems.append(f"--set {change}: {name}: unknown option {key!r}; {did_you_mean(key, known)}")
            continue
        for step in found:
            step.keys[key] = yaml.safe_load(text)


def _resolve(value: str, setting_is_path: bool, folder: Path, out: Path, written: set[str]) -> str:
    """An earlier step's output, or a path relative to the recipe, or (a hub id, a built-in name) the value itself.

    The folder of `local:FOLDER` is such a path wherever it stands.
    """
    if value.startswith(LOCAL):
        return LOCAL + _resolve(value.removeprefix(LOCAL), True, folder, out, written)
    head = value.split("/", 1)[0]
    if value in written or head in written:
        return str(out / value)
    if not setting_is_path or os.path.isabs(value):
        return value
    near = folder / value
    there = os.path.exists(file_of(str(near)))  # of a sheet in a workbook, the workbook
    return os.path.relpath(near) if there or any(mark in value for mark in "*?[") else value


def _prepare(recipe: Recipe, out: Path) -> None:
    """Turn every step's keys into inputs, output, config and options; all faults at once."""
    problems: list[str] = []
    written: set[str] = set()
    folder = recipe.path.parent
    for step in recipe.steps:
        operation = load_operation(step.name)
        keys = {key.replace("-", "_"): value for key, value in step.keys.items()}
        inputs = keys.pop("in", ())
        named = [inputs] if isinstance(inputs, str) else list(inputs)
        step.inputs = tuple(_resolve(str(value), True, folder, out, written) for value in named)
        output = keys.pop("out", None)
        step.output = None if output is None else str(out / str(output))
        if output is None and operation.output in ("file", "folder"):
            problems.append(f"{recipe.path}:{step.line}: {step.name}: `out` is needed")
        run = {key: keys.pop(key) for key in list(keys) if key in operation.options}
        paths = {s.name for s in settings(operation.config) if s.path}
        paths |= {s.flag[2:].replace("-", "_") for s in settings(operation.config) if s.path}
        for key, value in keys.items():
            several = value if isinstance(value, list) else [value]
            found = [_resolve(v, key in paths, folder, out, written) if isinstance(v, str) else v for v in several]
            keys[key] = found if isinstance(value, list) else found[0]
        if "seed" in operation.options:
            run.setdefault("seed", recipe.seed)
        try:
            step.config = from_mapping(operation.config, keys)
            step.options = from_mapping(RunOptions, {**run, "force": "force" in operation.options})
        except UsageError as fault:
            said = fault.problems if isinstance(fault, ConfigError) else [str(fault)]
            said = [*said[:-1], f"{said[-1]}; {fault.help}"] if fault.help else said
            problems += [f"{recipe.path}:{step.line}: {step.name}: {problem}" for problem in said]
        if output is not None:
            written.add(str(output))
    if problems:
        raise ConfigError(problems)


def content_hash(path: str) -> str:
    """xxh3-128 of a file, or of all files of a folder with their names; "absent" if there is none."""
    digest = xxh3_128()
    if os.path.isdir(path):
        for place, folders, files in os.walk(path):
            folders[:] = sorted(name for name in folders if not name.endswith((".forge", ".scores")))
            for name in sorted(files):
                digest.update(name.encode())
                digest.update(content_hash(os.path.join(place, name)).encode())
        return digest.hexdigest()
    if not os.path.isfile(path):
        return "absent"
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _fingerprint(step: Step, out: Path) -> str:
    """What a step's outcome depends on: command, options, and the content of every path among them."""
    keys = json.dumps(step.keys, ensure_ascii=False, sort_keys=True, default=str)
    values = [getattr(step.config, s.name) for s in settings(step.config.__class__)]
    paths = [p for value in values for p in (value if isinstance(value, tuple) else (value,)) if isinstance(p, str)]
    places = [*map(file_of, step.inputs), *paths]
    content = {path: content_hash(path) for path in places if os.path.exists(path)}
    names = {os.path.relpath(path, out): value for path, value in content.items()}
    return xxh3_128(json.dumps([step.name, keys, step.options.seed, names]).encode()).hexdigest()


def run_recipe(inputs: tuple[str, ...], output: str | None, config: RecipeConfig, options: RunOptions) -> Result:
    """Run all steps; the first that fails ends the run. Faulty rows that a step rejects do not."""
    recipe = load_recipe(_find(inputs[0]), config.set)
    out = Path(output or ".")
    if out.exists() and any(out.iterdir()) and not (options.force or options.resume) and not options.dry_run:
        raise OutputError("exists already", place=str(out), help="--resume goes on with it, --force starts anew")
    _prepare(recipe, out)
    result = Result("run", output=str(out))
    if options.dry_run:
        result.lines = [f"{n}. {step.name}: {_what(step)}" for n, step in enumerate(recipe.steps, 1)]
        return result
    if options.force and out.exists() and any(out.iterdir()):
        if not (out / STATE).exists():
            raise OutputError("no recipe made this folder, so --force does not remove it", place=str(out))
        shutil.rmtree(out)
    out.mkdir(parents=True, exist_ok=True)
    done = json.loads((out / STATE).read_text()) if options.resume and (out / STATE).exists() else {}
    atomic_json(out / STATE, done)  # says whose folder it is, whatever becomes of the first step
    state: dict[str, Any] = {}
    for number, step in enumerate(recipe.steps, 1):
        key = f"{number}. {step.name}"
        mark = _fingerprint(step, out)
        before = done.get(key, {})
        if before.get("fingerprint") == mark and step.output and content_hash(step.output) == before.get("output"):
            progress.tell([f"{key}: done already"])
        else:
            progress.tell([f"{key}: {_what(step)}"])
            _run(step, recipe, result, resume=options.resume)
        state[key] = {"fingerprint": mark, "output": content_hash(step.output) if step.output else None}
        atomic_json(out / STATE, state)
    return result


def _what(step: Step) -> str:
    shown = [os.path.basename(path) for path in step.inputs]
    inputs = ", ".join(shown[:4]) + (f" and {len(shown) - 4} more" if len(shown) > 4 else "")
    return f"{inputs} -> {os.path.basename(step.output)}" if step.output else inputs


def _run(step: Step, recipe: Recipe, result: Result, *, resume: bool) -> None:
    operation = load_operation(step.name)
    options = step.options
    if issubclass(operation.config, ClientConfig):  # what was paid for is not thrown away
        options = dataclasses.replace(options, resume=resume)
    try:
        outcome = operation.run(step.inputs, step.output, step.config, options)
    except (RowError, DataError) as fault:
        fault.help = f"{fault.help} (step {step.name!r} at {recipe.path}:{step.line})".strip()
        raise
    result.report[f"{len(result.report) + 1}. {step.name}"] = outcome.report
    said = [*outcome.problems, *outcome.lines]
    if operation.prints:
        result.lines += outcome.lines
        said = outcome.problems
    progress.tell("   " + line.replace("\n", "\n   ") for line in said)
    if outcome.exit_code and not (step.options.on_error == "reject" or step.name == "validate"):
        raise DataError(f"step {step.name!r} found problems", place=f"{recipe.path}:{step.line}")


OPERATION = Operation(
    name="run",
    config=RecipeConfig,
    run=run_recipe,
    inputs="one",
    output="folder",
    options=("force", "resume", "dry_run", "quiet"),
    prints=True,
)
