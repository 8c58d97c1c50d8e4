"""Python twins: each command as a function with the command's own options as keyword arguments.

    twin("convert", "convert")("in.jsonl", output="out.jsonl", to="sharegpt", on_error="reject")

The function returns the command's Result and raises the exceptions of `dataforge.errors`; it prints nothing.
"""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable, Iterable
from typing import Any

from dataforge.config import RunOptions, from_mapping, settings
from dataforge.errors import ConfigError, UsageError, did_you_mean
from dataforge.ledger import Result
from dataforge.registry import COMMANDS, Operation, load_operation

__all__ = ["call", "twin"]

Inputs = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]


def _plain(value: Any) -> Any:
    """A setting with its paths as texts."""
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def _paths(inputs: Inputs) -> tuple[str, ...]:
    if isinstance(inputs, str | os.PathLike):
        return (os.fspath(inputs),)
    return tuple(os.fspath(path) for path in inputs)


def call(operation: Operation, inputs: Inputs, output: str | os.PathLike[str] | None, values: dict[str, Any]) -> Result:
    """Run an operation with its settings and run options given together; unknown names are reported all at once."""
    values = {name: _plain(value) for name, value in values.items()}
    own = {name for s in settings(operation.config) for name in (s.name, s.flag[2:].replace("-", "_"))}
    run = {setting.name for setting in settings(RunOptions)} & set(operation.options)
    unknown = [name for name in values if name.replace("-", "_") not in own | run]
    if unknown:
        raise ConfigError(
            [f"{operation.name}: unknown option {name!r}; {did_you_mean(name, own | run)}" for name in unknown]
        )
    config = from_mapping(operation.config, {k: v for k, v in values.items() if k.replace("-", "_") in own})
    options = from_mapping(RunOptions, {k: v for k, v in values.items() if k.replace("-", "_") in run})
    path = None if output is None else os.fspath(output)
    if path == "":
        raise UsageError("the name of the output is empty", help="name a file with -o, or leave it out")
    return operation.run(_paths(inputs), path, config, options)


def _signature(operation: Operation) -> inspect.Signature:
    kinds = inspect.Parameter
    parameters = []
    if operation.inputs != "none":
        parameters.append(kinds("inputs", kinds.POSITIONAL_OR_KEYWORD))
    if operation.output != "none":
        default = None if operation.output != "folder" else kinds.empty
        parameters.append(kinds("output", kinds.POSITIONAL_OR_KEYWORD, default=default))
    named = [*settings(operation.config), *(s for s in settings(RunOptions) if s.name in operation.options)]
    for setting in named:
        default = kinds.empty if setting.required else setting.default
        parameters.append(kinds(setting.name, kinds.KEYWORD_ONLY, default=default))
    return inspect.Signature(parameters)


@functools.cache
def twin(name: str, command: str) -> Callable[..., Result]:
    """The function of a command."""
    operation = load_operation(command)

    def function(*places: Any, **values: Any) -> Result:
        names = [
            n for n, used in (("inputs", operation.inputs != "none"), ("output", operation.output != "none")) if used
        ]
        if len(places) > len(names):
            raise TypeError(f"{name}() takes {len(names)} positional arguments, {len(places)} were given")
        given = dict(zip(names, places, strict=False))
        for key in names:
            if key in values:
                given[key] = values.pop(key)
        return call(operation, given.get("inputs", ()), given.get("output"), values)

    lines = [COMMANDS[command][1], ""]
    for setting in (*settings(operation.config), *(s for s in settings(RunOptions) if s.name in operation.options)):
        lines.append(f"{setting.name}: {setting.help}")
    function.__name__ = function.__qualname__ = name
    function.__doc__ = "\n".join(lines)
    function.__signature__ = _signature(operation)  # type: ignore[attr-defined]
    return function
