"""A file of JSON lines in the forge folder that appears with its first line.

Python: `file = LinesFile(partial / "rejects.jsonl"); file.write([{"line": 3}]); file.close()`
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO

from dataforge.engine.outputs import out_of_space
from dataforge.io import jsontext

__all__ = ["LinesFile"]


class LinesFile:
    """Writes JSON lines to a path (None: nowhere). Raises OutputError where the disk does not take them."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._file: BinaryIO | None = None

    def write(self, values: Iterable[dict[str, Any]]) -> None:
        """Append a line for each value."""
        if self._path is None:
            return
        try:
            for value in values:
                if self._file is None:
                    self._file = open(self._path, "wb")
                self._file.write(jsontext.encode(value) + b"\n")
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
