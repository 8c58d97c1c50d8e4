"""A progress bar on standard error, for people only: never in a pipe, a log, or with --quiet.

Python: `with Progress("convert", total_bytes, quiet=False) as bar: bar.advance(4096)`
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any

__all__ = ["Progress", "tell"]


class Progress:
    """Shows how much of `total` (None if unknown) is done; does nothing where standard error is no terminal."""

    def __init__(self, label: str, total: int | None, *, quiet: bool, unit: str = "bytes") -> None:
        self._label, self._total, self._unit = label, total, unit
        self._bar: Any = None
        self._task: Any = None
        self._wanted = not quiet and sys.stderr is not None and sys.stderr.isatty()

    def __enter__(self) -> Progress:
        if self._wanted:
            from rich.console import Console
            from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
            from rich.progress import Progress as Bar

            amount = DownloadColumn() if self._unit == "bytes" else MofNCompleteColumn()
            columns = [
                TextColumn("{task.description}"),
                BarColumn(),
                amount,
                TimeRemainingColumn(),
                TextColumn("{task.fields[note]}"),
            ]
            self._bar = Bar(*columns, console=Console(stderr=True), transient=True)
            self._bar.start()
            self._task = self._bar.add_task(self._label, total=self._total, note="")
        return self

    def advance(self, amount: int, note: str = "") -> None:
        """Say that `amount` more is done."""
        if self._bar is not None:
            self._bar.update(self._task, advance=amount, note=note)

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()


listener: Callable[[str], None] | None = None
"""Who hears what a running command has to say before it ends (the command line sets it); None: nobody."""


def tell(lines: Iterable[str]) -> None:
    """Say something while the command still runs, such as its plan."""
    if listener is not None:
        for line in lines:
            listener(line)
