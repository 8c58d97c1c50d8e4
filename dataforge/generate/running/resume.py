"""Which work a journal belongs to, and whether a run may go on from it.

A journal stands in `OUT.forge/partial/` while a run is at work or was interrupted, and in `OUT.forge/` when it ended.
Its head says what shapes the answers: inputs, seed, settings, prompts, version. Speed, budget and address do not.

Python: `find_journal(output.forge, options)`
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import shutil
from pathlib import Path
from typing import Any

from dataforge import __version__
from dataforge.config import RunOptions
from dataforge.engine.portable import portable_settings
from dataforge.errors import InputError, OutputError, UsageError, shorten
from dataforge.generate.asking import SELF
from dataforge.generate.running.journal import IN_USE, WAIT, in_use, read_head
from dataforge.llm.address import parse_spec
from dataforge.llm.settings import BudgetConfig, PaceConfig

__all__ = [
    "JOURNAL",
    "about_run",
    "find_journal",
    "goes_on",
    "local_specs",
    "model_specs",
    "refuse_idle_limits",
    "shaping",
]

JOURNAL = "journal.jsonl"
LOCAL = "local:"
MODELS = ("model", "also_model", "judge", "curate", "user_model")
"""Settings that name models."""
TRANSPORT = {
    *(field.name for config in (BudgetConfig, PaceConfig) for field in dataclasses.fields(config)),
    "base_url", "api_key_env", "threads", "prompts",
}  # fmt: skip
"""Settings that do not shape rows. (Prompts count by their texts.)"""


def shaping(config: Any) -> dict[str, Any]:
    """The settings that shape rows, as a JSON value."""
    values = {name: value for name, value in portable_settings(config).items() if name not in TRANSPORT}
    bare = {name: _bare(value) if name in MODELS else value for name, value in values.items()}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in bare.items()}


def _bare(value: Any) -> Any:
    """A model's name alone: without the folder of a local one, and the address of others, where secrets may stand."""
    if isinstance(value, tuple):
        return [_bare(item) for item in value]
    if not isinstance(value, str) or not value.strip():
        return value
    spec = parse_spec(value)
    return LOCAL + os.path.basename(os.path.abspath(spec.folder)) if spec.folder else spec.name


def model_specs(config: Any) -> list[str]:
    """The models that the settings name (`NAME`, `NAME@URL`, `local:FOLDER`), that of `--model` first."""
    values = [getattr(config, name, None) for name in MODELS]
    specs = [spec for value in values for spec in (value if isinstance(value, tuple) else (value,))]
    return list(dict.fromkeys(spec for spec in specs if spec and spec != SELF))


def local_specs(config: Any) -> list[str]:
    """Those of them that run in this process."""
    return [spec for spec in model_specs(config) if spec.startswith(LOCAL)]


def _files(spec: str) -> dict[str, int]:
    """Names and sizes of the files of a local model, which a resumed run must find again."""
    folder = Path(spec.removeprefix(LOCAL))
    return {path.name: path.stat().st_size for path in sorted(folder.iterdir())} if folder.is_dir() else {}


def about_run(
    command: str, config: Any, options: RunOptions, inputs: list[dict[str, Any]], prompts: str
) -> dict[str, Any]:
    """The head of a run's journal."""
    return {
        "command": command,
        "version": __version__,
        "inputs": [entry["hash"] for entry in inputs],
        "seed": options.seed,
        "limit": options.limit,
        "prompts": prompts,
        "settings": shaping(config),
        "files": input_files(config),
        "models": {_bare(spec): _files(spec) for spec in local_specs(config)},
    }


def refuse_idle_limits(config: Any) -> None:
    """Raise UsageError where a budget is given and only models in this process are asked: they are not paid for."""
    specs = model_specs(config)
    if not specs or specs != local_specs(config):
        return
    for item in dataclasses.fields(BudgetConfig):
        if item.name.startswith("max_") and getattr(config, item.name) is not None:
            flag = "--" + item.name.replace("_", "-")
            raise UsageError(
                f"{flag}: a model in this process is not paid for, and not counted",
                help="--limit and --reply-tokens bound its work",
            )


def has_replies(place: Path) -> bool:
    """True if a journal holds a reply, which was paid for."""
    if not place.exists():
        return False
    with open(place, "rb") as file:
        return any(line.startswith(b'{"id"') and b',"reply":{' in line for line in file)


def input_files(config: Any) -> dict[str, str]:
    """Hashes of the files that settings name beside the inputs (examples), by the name of the setting."""
    found = {}
    for item in dataclasses.fields(config):
        path = getattr(config, item.name)
        if item.metadata.get("path") and item.name not in TRANSPORT and isinstance(path, str) and os.path.isfile(path):
            with open(path, "rb") as file:
                found[item.name] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


def find_journal(forge: Path | None, options: RunOptions) -> Path | None:
    """Where the journal stands or will stand; with --resume, that of a finished run is brought back.

    --resume with --force goes on where there is something to go on with, and begins anew where there is not.
    Raises OutputError if a run is at work there, or was interrupted and nothing says what to do with it, InputError if
    --resume finds nothing, UsageError if it has no place to look.
    """
    if forge is None:
        if options.resume:
            raise UsageError("--resume needs the output of the run to go on with", help="name it with -o (or --forge)")
        return None
    place, ended = forge / "partial" / JOURNAL, forge / JOURNAL
    if in_use(place):
        raise OutputError(IN_USE, place=str(place), help=WAIT)
    if not options.resume:
        if not options.force and has_replies(place):
            raise OutputError(
                "holds the answers of an interrupted run",
                place=str(place),
                help="--resume goes on from them; --force throws them away",
            )
        return place
    if read_head(place) is None:
        if read_head(ended) is None and options.force:
            return place
        if read_head(ended) is None:
            raise InputError("there is no run to go on with", place=str(forge), help="leave --resume out")
        place.parent.mkdir(parents=True, exist_ok=True)
        copy = place.with_name(f"{JOURNAL}.copy")  # renamed, as half a journal would be half of what was paid for
        shutil.copyfile(ended, copy)
        os.replace(copy, place)
    return place


def goes_on(place: Path | None, head: dict[str, Any], options: RunOptions) -> bool:
    """True if the run goes on from the journal.

    Raises OutputError, naming every difference, if that is of other work (with --force, the run begins anew).
    """
    if place is None or not options.resume:
        return False
    old = read_head(place)
    if old is None:
        return False
    old.pop("journal", None)
    differences = _differences(old, head, "")
    if differences and not options.force:
        raise OutputError(
            f"is of another run: {'; '.join(differences)}",
            place=str(place),
            help="give the same options and inputs, or begin anew with --force (paid answers are in the cache)",
        )
    return not differences


def _differences(old: dict[str, Any], new: dict[str, Any], name: str) -> list[str]:
    found = []
    for key in sorted(old.keys() | new.keys()):
        a, b = old.get(key), new.get(key)
        if isinstance(a, dict) and isinstance(b, dict):
            found += _differences(a, b, key + ".")
        elif a != b:
            found.append(f"{name}{key} was {shorten(a, 60)}, is {shorten(b, 60)}")
    return found
