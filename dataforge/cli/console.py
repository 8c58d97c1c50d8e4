"""What people see: results on standard output or error, faults in the shape `error: place: message` and `help: ...`.

Colour marks only the words `error` and `help`, and only on a terminal; NO_COLOR, FORCE_COLOR and TERM=dumb are heeded.
"""

from __future__ import annotations

import os
import sys
from typing import Any

import click
import orjson

from dataforge.errors import ConfigError, DataforgeError, OutputError
from dataforge.io import jsontext
from dataforge.ledger import Result

__all__ = ["error", "json_text", "say", "show_error", "show_problems", "show_result", "use_colour"]

_colour: bool | None = None


def use_colour(choice: str) -> None:
    """Set colour for the process: auto, always or never."""
    global _colour
    if choice == "auto":
        if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
            _colour = False
        elif os.environ.get("FORCE_COLOR"):
            _colour = True
        else:
            _colour = None
    else:
        _colour = choice == "always"


def say(line: str) -> None:
    """A line on standard error."""
    head, mark, rest = line.partition("help: ")
    if mark and not head.strip():
        line = head + click.style("help: ", fg="cyan") + rest
    click.echo(line, err=True, color=_colour)


def error(message: str) -> None:
    """An error line on standard error."""
    click.echo(click.style("error: ", fg="red", bold=True) + message, err=True, color=_colour)


def show_error(fault: DataforgeError) -> None:
    """An exception as its one line (a recipe's faults: one line each) and its help."""
    if isinstance(fault, ConfigError):
        for problem in fault.problems:
            error(f"{fault.place}: {problem}" if fault.place else problem)
    else:
        error(" ".join(str(fault).splitlines()))
    if fault.help:
        say(f"  help: {fault.help}")


def show_result(result: Result, *, prints: bool, as_json: bool, quiet: bool, stdout_has_rows: bool) -> None:
    """Problems and summary of a finished command.

    A JSON report goes to standard output, or to standard error where rows go out; there it stands alone, and holds the
    problems itself.
    """
    if not (as_json and stdout_has_rows):
        show_problems(result.problems)
    if (prints or (as_json and not stdout_has_rows)) and sys.stdout is None:
        raise OutputError("standard output is closed")
    if as_json:
        value = result.data
        if value is None:
            value = {**(result.report or {"plan": result.lines}), "problems": result.problems}
        click.echo(json_text(value), err=stdout_has_rows)
        return
    if prints and not stdout_has_rows:
        for line in result.lines:
            click.echo(line.encode(errors="backslashreplace").decode())
        sys.stdout.flush()
    elif not quiet:
        for line in result.lines:
            say(line)


def show_problems(problems: list[str]) -> None:
    """Faulty rows, each with its help on a line of its own."""
    for problem in problems:
        first, _, rest = problem.partition("\n")
        error(first)
        if rest:
            say(rest)


def json_text(value: Any) -> str:
    """A value as indented JSON; big integers and lone surrogates, which rows may hold, as they stood."""
    try:
        return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS).decode()
    except TypeError:
        return jsontext.encode(value).decode()
