"""The command line: a lazy group over the Python API.

`dataforge --help` imports click and the table of commands, nothing heavy; a command's module is imported when it is
used.
Exit codes: 0 fine, 1 ran and the data has problems, 2 could not run, 130 interrupted.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
import threading
from typing import Any

import click

from dataforge import __version__
from dataforge.cli import console
from dataforge.errors import DataError, DataforgeError, OutputError, UsageError, did_you_mean
from dataforge.registry import COMMANDS

__all__ = ["cli", "main"]

GROUPS = {
    "train": "Train a model on shards or rows: cpt, sft.",
    "tokenizer": "Make tokenizers.",
    "prompts": "See and change the prompts of generation: ls, show, copy.",
}
CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 110}


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called; `prefix` is the group's own name and a space."""

    def __init__(self, *args: Any, prefix: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.prefix = prefix

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order of the table."""
        names = [name.removeprefix(self.prefix).split(" ")[0] for name in COMMANDS if name.startswith(self.prefix)]
        return list(dict.fromkeys(names))

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """The command or group of that name."""
        full = self.prefix + name
        if full in COMMANDS:
            module = importlib.import_module("dataforge.cli." + full.replace(" ", "_").replace("-", "_"))
            command: click.Command = module.COMMAND
            return command
        if name in GROUPS and not self.prefix:
            return LazyGroup(name=name, help=GROUPS[name], prefix=name + " ", context_settings=CONTEXT)
        return None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that is called; UsageError with a suggestion if there is none of that name."""
        if args and not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            near = did_you_mean(args[0], self.list_commands(ctx))
            raise UsageError(f"{self.prefix + args[0]!r} is not a command of dataforge", help=near)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Help lines from the table, so that help imports no command."""
        rows = [(name, GROUPS.get(name) or COMMANDS[self.prefix + name][1]) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


@click.group(
    cls=LazyGroup,
    context_settings={**CONTEXT, "auto_envvar_prefix": "DATAFORGE"},
    epilog="Try: dataforge inspect FILE, then dataforge convert FILE --to sharegpt -o OUT.jsonl",
)
@click.version_option(__version__, prog_name="dataforge")
@click.option("--debug", is_flag=True, help="Show tracebacks.")
@click.option(
    "--color",
    type=click.Choice(["auto", "always", "never"]),
    default="auto",
    help="Colour messages (NO_COLOR is heeded).",
)
def cli(debug: bool, color: str) -> None:
    """Turn raw instruction data, documents and preferences into training shards, and train with them."""
    console.use_colour(color)


def main() -> None:
    """Run the command line and exit with its code."""
    came = _heed_signals()
    try:
        code = cli.main(prog_name="dataforge", standalone_mode=False)
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        code = 0
    except click.exceptions.NoArgsIsHelpError as fault:
        fault.show()
        code = 2
    except BaseException as fault:
        code = _explain(KeyboardInterrupt(*_what_was_kept(fault)) if came else fault)
    _leave_nothing_to_flush()
    sys.exit(code if isinstance(code, int) else 0)


def _heed_signals() -> list[int]:
    """End as tidily for a scheduler (SIGTERM) or a lost terminal (SIGHUP) as for Ctrl-C; ignored signals stay so.

    The list is of the signals that came: C code that imports a module may turn KeyboardInterrupt into ImportError.
    """
    came: list[int] = []

    def interrupt(number: int, frame: object) -> None:
        came.append(number)
        raise KeyboardInterrupt

    if threading.current_thread() is threading.main_thread():
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
                signal.signal(number, interrupt)
    return came


def _what_was_kept(fault: BaseException) -> tuple[object, ...]:
    """What a command said that it leaves to go on from, when it was interrupted (click wraps the interrupt)."""
    cause = fault.__cause__ if isinstance(fault, click.Abort) else fault
    return cause.args if isinstance(cause, KeyboardInterrupt) else ()


def _explain(fault: BaseException) -> int:
    """Say what went wrong in one line and its help; the exit code."""
    if isinstance(fault, SystemExit):
        return 0  # so click leaves where the reader of our output has seen enough, and only there
    if ("--debug" in sys.argv or os.environ.get("DATAFORGE_DEBUG")) and not isinstance(fault, click.UsageError):
        raise fault
    if isinstance(fault, KeyboardInterrupt | click.Abort):
        console.error(f"interrupted; {next(iter(_what_was_kept(fault)), 'nothing half-written was kept')}")
        return 130
    if isinstance(fault, click.ClickException):
        context = getattr(fault, "ctx", None)
        fault = UsageError(
            " ".join(fault.format_message().split()), help=f"{context.command_path} --help" if context else ""
        )
    elif isinstance(fault, OSError):
        fault = OutputError(fault.strerror or str(fault), place=str(fault.filename or "standard output"))
    elif isinstance(fault, MemoryError):
        fault = DataError("memory ran out", help="use fewer workers (-j), or less data at once")
    elif not isinstance(fault, DataforgeError):
        message = f"this is a fault of dataforge {__version__}: {type(fault).__name__}: {fault}"
        fault = DataforgeError(message, help="run again with `dataforge --debug ...` and report the traceback")
    console.show_error(fault)
    return fault.exit_code


def _leave_nothing_to_flush() -> None:
    """Point a standard output that takes no more at nothing: Python would complain about it once again at exit."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
