"""Settings: frozen dataclasses whose fields carry help, unit and range, used alike by flags, recipes and Python.

A config is declared once; the command line, the recipe reader and the Python twins are all derived from its fields.

Python: `from_mapping(ConvertConfig, {"to": "sharegpt"}, place="recipe.yaml:4")`
"""

from __future__ import annotations

import dataclasses
import functools
import math
import types
import typing
from collections.abc import Hashable, Mapping
from dataclasses import MISSING, dataclass
from typing import Any, cast

from dataforge.errors import ConfigError, UsageError, did_you_mean, shorten

__all__ = ["Setting", "check", "flag_name", "from_mapping", "option", "settings"]


@dataclass(frozen=True)
class Setting:
    """One field of a config, as flags, recipes and documentation see it."""

    name: str
    kind: type
    default: Any
    help: str
    unit: str = ""
    choices: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    many: bool = False
    optional: bool = False
    flags: tuple[str, ...] = ()
    path: bool = False
    also: tuple[type, ...] = ()

    @property
    def flag(self) -> str:
        """The long flag: `--on-error`, or the spelling that the field asks for (`--from` of source_dialect)."""
        return next((flag for flag in self.flags if flag.startswith("--")), flag_name(self.name))

    @property
    def required(self) -> bool:
        """True if there is no default."""
        return self.default is MISSING


def option(
    default: Any = MISSING,
    *,
    help: str,
    unit: str = "",
    choices: tuple[str, ...] = (),
    minimum: float | None = None,
    maximum: float | None = None,
    flags: tuple[str, ...] = (),
    path: bool = False,
) -> Any:
    """A dataclass field with its documentation and its limits (both ends inclusive).

    path: the value names a file or folder (or a hub id), which recipes resolve.
    """
    meta = {
        "help": help,
        "unit": unit,
        "choices": choices,
        "minimum": minimum,
        "maximum": maximum,
        "flags": flags,
        "path": path,
    }
    return dataclasses.field(default=default, metadata=meta)


def flag_name(name: str) -> str:
    """The command-line spelling of a field: `on_error` -> `--on-error`."""
    return "--" + name.replace("_", "-")


def _kind(hint: Any) -> tuple[type, bool, bool, tuple[type, ...]]:
    """(element type, many, optional, further types) of a field's type hint; of `str | int` the first is the kind."""
    optional, also = False, ()
    if isinstance(hint, types.UnionType):
        members = [member for member in typing.get_args(hint) if member is not type(None)]
        optional = len(members) < len(typing.get_args(hint))
        hint, also = members[0], tuple(members[1:])
    if typing.get_origin(hint) is tuple:
        return typing.get_args(hint)[0], True, optional, also
    return hint, False, optional, also


def settings(config: type) -> tuple[Setting, ...]:
    """The settings of a config class: its own fields in order, then those of its bases."""
    return _settings(config)


@functools.cache
def _settings(config: Hashable) -> tuple[Setting, ...]:
    hints = typing.get_type_hints(config)
    found = []
    own = vars(config).get("__annotations__", {})
    for field in sorted(dataclasses.fields(cast(Any, config)), key=lambda field: field.name not in own):
        kind, many, optional, also = _kind(hints[field.name])
        found.append(
            Setting(field.name, kind, field.default, many=many, optional=optional, also=also, **field.metadata)
        )
    return tuple(found)


def _faults(setting: Setting, value: Any) -> list[str]:
    """What is wrong with the value of a setting."""
    if value is None and (setting.optional or setting.default is None):
        return []
    if not setting.many:
        items = [value]
    elif isinstance(value, tuple):
        items = list(value)
    else:
        return [f"{shorten(value)!r} is not a list"]
    found = (_type_fault(setting, item) or _range_fault(setting, item) for item in items)
    return [fault for fault in found if fault is not None]


def _range_fault(setting: Setting, value: Any) -> str | None:
    if setting.choices and value not in setting.choices:
        near = did_you_mean(str(value), setting.choices)
        return f"{shorten(value)!r} is not one of {', '.join(setting.choices)}; {near}"
    if isinstance(value, float) and math.isnan(value):
        return "nan is not a number to work with"
    low, high = setting.minimum, setting.maximum
    if (low is None or value >= low) and (high is None or value <= high):
        return None
    if low is not None and high is not None:
        span = f"between {low:g} and {high:g}"
    else:
        span = f"at least {low:g}" if low is not None else f"at most {high:g}"
    return f"{shorten(value)} is out of range; it must be {span}"


def check(config: Any) -> None:
    """Check every field of a config against its type, choices and range; to be called from `__post_init__`.

    Raises UsageError naming the option.
    """
    for setting in settings(type(config)):
        for fault in _faults(setting, getattr(config, setting.name)):
            raise UsageError(f"{setting.flag}: {fault}")


def _type_fault(setting: Setting, value: Any) -> str | None:
    wanted: tuple[type, ...] = (int, float) if setting.kind is float else (setting.kind, *setting.also)
    if isinstance(value, bool) and bool not in wanted:
        return f"{value} is not {_article(setting.kind)}"
    if not isinstance(value, wanted):
        return f"{shorten(value)!r} is not {_article(setting.kind)}"
    return None


def _article(kind: type) -> str:
    names = {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}
    return names.get(kind, kind.__name__)


def from_mapping(config: type, values: Mapping[str, Any], *, place: str = "") -> Any:
    """Build a config from a mapping (a recipe step, keyword arguments), strictly.

    Unknown keys, missing keys, keys given twice and wrong values are all reported at once, in one ConfigError.
    Keys may be spelled with `-` or `_`, and like the flag (`from` for source_dialect).
    """
    known = {setting.name: setting for setting in settings(config)}
    spelled = {setting.flag[2:].replace("-", "_"): setting.name for setting in known.values()}
    problems: list[str] = []
    clean: dict[str, Any] = {}
    for key, value in values.items():
        name = str(key).replace("-", "_")
        name = spelled.get(name, name)
        setting = known.get(name)
        if setting is None:
            problems.append(f"unknown option {key!r}; {did_you_mean(name, known.keys() | spelled.keys())}")
            continue
        if name in clean:
            problems.append(f"{key}: this option is given twice (it is also called {setting.flag[2:]!r})")
            continue
        if setting.many and value is not None:
            value = tuple(value) if isinstance(value, list | tuple) else (value,)
        problems += [f"{key}: {fault}" for fault in _faults(setting, value)]
        clean[name] = value
    problems += [
        f"{name}: a value is needed ({setting.help})"
        for name, setting in known.items()
        if setting.required and name not in clean
    ]
    if problems:
        raise ConfigError(problems, place=place)
    try:
        return config(**clean)
    except UsageError as fault:  # what single fields cannot say
        raise ConfigError([fault.message], place=place, help=fault.help) from None


@dataclass(frozen=True)
class RunOptions:
    """How a command runs, apart from what it does; the same options in every command that has them."""

    workers: int | None = option(
        None, help="worker processes (default: the number of usable cores)", minimum=1, maximum=1024, flags=("-j",)
    )
    on_error: str = option(
        "stop",
        help="a faulty row, or one the target cannot carry: stop at it, or put it into rejects.jsonl and go on",
        choices=("stop", "reject"),
    )
    force: bool = option(False, help="replace an existing output", flags=("-f",))
    resume: bool = option(False, help="go on where an interrupted run of the same work stopped")
    dry_run: bool = option(False, help="say what would be done and write nothing", flags=("-n",))
    limit: int | None = option(None, help="read the first N rows only", unit="rows", minimum=0)
    seed: int = option(0, help="seed of every random choice", minimum=0, maximum=2**63 - 1)
    json: bool = option(False, help="print the report as JSON")
    quiet: bool = option(False, help="print errors only", flags=("-q",))
    forge: str | None = option(None, help="folder for manifest, report, ledger and rejects (default: OUT.forge)")
    keep_dropped: bool = option(False, help="put dropped rows into rejects.jsonl too")

    def __post_init__(self) -> None:
        check(self)
