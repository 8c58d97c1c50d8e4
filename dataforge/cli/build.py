"""A click command made from an Operation: arguments, one option for every setting, and the printing of its result.

The flags are the fields of the command's config, so that flags, recipes and Python twins cannot drift apart.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

import click

from dataforge.cli import console
from dataforge.config import RunOptions, Setting, settings
from dataforge.engine import progress
from dataforge.errors import UsageError, did_you_mean
from dataforge.registry import COMMANDS, Operation, load_operation
from dataforge.twins import call

__all__ = ["command"]


MACHINE = 2**53
FEW = 12
METAVARS = {str: "TEXT", int: "N", float: "X"}
CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 110}


class NearChoice(click.Choice[str]):
    """A choice that says what was probably meant."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The chosen value; fails with a suggestion."""
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter:
            near = did_you_mean(str(value), [str(choice) for choice in self.choices])
            near = f"; {near}" if near.startswith("did") else ""
            self.fail(f"{value!r} is not one of {', '.join(map(str, self.choices))}{near}", param, ctx)

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str | None:
        """All choices, unless they would fill a page."""
        return super().get_metavar(param, ctx) if len(self.choices) <= FEW else "NAME"


def _kind(setting: Setting) -> Any:
    if setting.choices:
        return NearChoice(setting.choices)
    low, high = setting.minimum, setting.maximum
    if setting.kind is int and (low is not None or high is not None):
        # A limit that is only the machine's (a seed of 63 bits) is checked by the config and not shown.
        span = click.IntRange(None if low is None else int(low), None if high is None or high > MACHINE else int(high))
        span.name = "whole number"
        return span
    if setting.kind is float and (low is not None or high is not None):
        number = click.FloatRange(low, high)
        number.name = "number"
        return number
    return setting.kind


def _option(setting: Setting, taken: Iterable[str] = ()) -> click.Option:
    """The flag of a setting; short flags that are taken are left to who has them."""
    short = [flag for flag in setting.flags if not flag.startswith("--") and flag not in taken]
    text = setting.help + (f" [{setting.unit}]" if setting.unit else "")
    default = "\\n" if setting.default == "\n" else setting.default
    shown = not setting.required and default is not None and default is not False and default != () and default != ""
    if setting.kind is bool:
        spelled = f"{setting.flag}/--no-{setting.flag[2:]}" if setting.default is True else setting.flag
        return click.Option(
            [setting.name, spelled, *short], is_flag=True, default=setting.default, help=text, show_default=shown
        )
    more: dict[str, Any] = {} if setting.required else {"default": default}
    return click.Option(
        [setting.name, setting.flag, *short],
        type=_kind(setting),
        required=setting.required,
        **more,
        multiple=setting.many,
        help=text,
        show_default=shown,
        metavar=None if setting.choices else METAVARS[setting.kind],
    )


def _parameters(operation: Operation) -> list[click.Parameter]:
    parameters: list[click.Parameter] = []
    if operation.inputs == "many":
        parameters.append(
            click.Argument(
                ["inputs"], nargs=-1, type=click.Path(allow_dash=True), metavar=operation.metavar or "[IN]..."
            )
        )
    elif operation.inputs in ("one", "optional"):
        metavar = operation.metavar or ("[NAME]" if operation.inputs == "optional" else "FILE")
        parameters.append(click.Argument(["inputs"], required=operation.inputs == "one", metavar=metavar))
    if operation.output != "none":
        target = {
            "file": "file to write (default: standard output)",
            "folder": "folder to write",
            "optional": "folder to write" if operation.metavar else "file to write",
        }
        text = target[operation.output]
        parameters.append(
            click.Option(
                ["output", "-o", "--output"], type=click.Path(), required=operation.output == "folder", help=text
            )
        )
    parameters += [_option(setting) for setting in settings(operation.config)]
    own = {flag for setting in settings(operation.config) for flag in setting.flags}
    parameters += [_option(setting, own) for setting in settings(RunOptions) if setting.name in operation.options]
    return parameters


def _inputs(operation: Operation, given: Any) -> tuple[str, ...]:
    if operation.inputs in ("one", "optional"):
        return () if given is None else (given,)
    if given or operation.inputs == "none":
        return tuple(given or ())
    if sys.stdin is None or sys.stdin.isatty():
        raise UsageError("no input", help="name a file, a folder, a quoted glob, or pipe rows in")
    return ("-",)


def command(name: str, *, examples: tuple[str, ...]) -> click.Command:
    """The click command of an operation, with examples before its options."""
    operation = load_operation(name)

    def run(**values: Any) -> int:
        inputs = _inputs(operation, values.pop("inputs", None))
        output = values.pop("output", None)
        values = {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
        if isinstance(values.get("joiner"), str):
            values["joiner"] = values["joiner"].replace("\\n", "\n").replace("\\t", "\t")
        progress.listener = None if any(map(values.get, ("quiet", "dry_run", "json"))) else console.say
        try:
            result = call(operation, inputs, output, values)
        finally:
            progress.listener = None
        to_stdout = (output == "-" or (operation.output == "file" and output is None)) and not values.get("dry_run")
        console.show_result(
            result,
            prints=operation.prints,
            as_json=bool(values.get("json")),
            quiet=bool(values.get("quiet")),
            stdout_has_rows=to_stdout,
        )
        return result.exit_code

    text = COMMANDS[name][1] + "\n\n\b\n" + "\n".join(f"  {example}" for example in examples)
    short = name.split(" ")[-1]
    return click.Command(short, params=_parameters(operation), callback=run, help=text, context_settings=CONTEXT)
