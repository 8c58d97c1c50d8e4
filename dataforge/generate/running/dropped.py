"""Candidates that became no row, one JSON line each: `{"row", "fate", "rule", "detail", "text"}`.

row: number of the input row (0 in methods that have none). They were paid for, so they are kept to be looked at.
Python: `DroppedFile(partial).add(17, event)`
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import BinaryIO

from dataforge.engine.outputs import out_of_space
from dataforge.generate.running.tally import Event
from dataforge.io import jsontext

__all__ = ["DroppedFile"]


class DroppedFile:
    """Writes dropped.jsonl in a folder (None: nowhere); the file appears with its first line."""

    def __init__(self, folder: Path | None) -> None:
        self._path = folder / "dropped.jsonl" if folder is not None else None
        self._file: BinaryIO | None = None

    def add(self, row: int, event: Event) -> None:
        """Append a verdict."""
        if self._path is None:
            return
        line = {"row": row, "fate": event.fate, "rule": event.rule, "detail": event.detail, "text": event.text}
        try:
            if self._file is None:
                self._file = open(self._path, "wb")
            self._file.write(jsontext.encode(line) + b"\n")
        except OSError as fault:
            raise out_of_space(fault, str(self._path)) from None

    def close(self) -> bool:
        """End the file; True if it holds anything."""
        if self._file is None:
            return False
        try:
            self._file.close()
        except OSError as fault:
            raise out_of_space(fault, str(self._path)) from None
        return True

    def give_up(self) -> None:
        """Close a file that nobody will read; nothing to do after `close`."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()
