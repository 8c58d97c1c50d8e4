r"""A data file of an output folder: rows of JSON framed as its container asks.

Python: `file = RowFile(folder / "train.json", "json"); file.write(b'{"text": "tea"}\n'); file.close()`
"""

from __future__ import annotations

import contextlib
import hashlib
from pathlib import Path
from typing import Any

from xxhash import xxh3_128

from dataforge.engine.outputs import out_of_space

__all__ = ["CONTAINERS", "RowFile"]

CONTAINERS = ("jsonl", "json", "parquet")


class RowFile:
    """A file that is being written. Raises OutputError where the disk does not take it.

    rows: how many were written so far.
    """

    def __init__(self, path: Path, container: str) -> None:
        self.path, self.rows = path, 0
        self._array = container == "json"
        try:
            self._file: Any = _opened(path, container)
        except OSError as fault:
            raise out_of_space(fault, str(path)) from None

    def write(self, rows: bytes) -> None:
        """Append rows, each ended by a newline and without another one."""
        if not rows:
            return
        count = rows.count(b"\n")
        if self._array:
            rows = (b",\n" if self.rows else b"[\n") + rows[:-1].replace(b"\n", b",\n")
        self.rows += count
        self._write(rows)

    def _write(self, data: bytes) -> None:
        try:
            self._file.write(data)
        except OSError as fault:
            raise out_of_space(fault, str(self.path)) from None

    def close(self) -> dict[str, Any]:
        """End the file; its entry in a manifest: name, rows, bytes and hash."""
        if self._array:
            self._write(b"\n]\n" if self.rows else b"[]\n")
        try:
            self._file.close()
            with open(self.path, "rb") as file:
                digest = hashlib.file_digest(file, xxh3_128).hexdigest()
        except OSError as fault:
            raise out_of_space(fault, str(self.path)) from None
        size = self.path.stat().st_size
        return {"name": self.path.name, "rows": self.rows, "bytes": size, "hash": f"xxh3-128:{digest}"}

    def give_up(self) -> None:
        """Close a file that nobody will read; nothing to do after `close`."""
        with contextlib.suppress(OSError, ValueError):
            (self._file.give_up if hasattr(self._file, "give_up") else self._file.close)()


def _opened(path: Path, container: str) -> Any:
    if container == "parquet":
        from dataforge.io.columnfile import ColumnFile

        return ColumnFile(path, container)
    return open(path, "wb")
