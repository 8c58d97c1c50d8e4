"""Columns of numbers on disk that are mapped into memory: saved signatures, and the parts of a duplicate index.

A folder holds `about.json` and one file a column: little-endian numbers, row after row. It is written under a
temporary name and renamed, so a folder that is there is whole. Nothing in it is executed or unpickled.

Cost: the size of the columns on disk; reading costs what is looked at.
Python: `Sketches.open("chat.jsonl.scores/minhash").column("signatures").shape`
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import uuid
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from dataforge.engine.outputs import out_of_space
from dataforge.errors import InputError

__all__ = ["Sketches", "SketchWriter"]

ABOUT = "about.json"


class Sketches:
    """A folder of columns, mapped. about: what its writer said of it."""

    def __init__(self, path: Path, about: dict[str, Any]) -> None:
        self.path, self.about = path, about

    @classmethod
    def open(cls, path: str | os.PathLike[str], schema: str = "") -> Sketches:
        """The folder at `path`; InputError if there is none, or one of another schema."""
        folder = Path(path)
        try:
            about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            raise InputError(
                "holds no readable columns", place=str(folder), help="remove it, and make it anew"
            ) from None
        if schema and about.get("schema") != schema:
            raise InputError(
                f"has the form {about.get('schema')!r}, not {schema!r}", place=str(folder), help="make it anew"
            )
        return cls(folder, about)

    def column(self, name: str) -> NDArray[Any]:
        """A column, read-only, of one or `width` numbers a row; InputError if its file is not as long as was said."""
        dtype, width, rows = self.about["columns"][name]
        path = self.path / name
        if not path.is_file() or path.stat().st_size != rows * width * np.dtype(dtype).itemsize:
            raise InputError("is damaged: a file is missing or cut short", place=str(path), help="make it anew")
        shape = (rows, width) if width != 1 else (rows,)
        return np.memmap(path, dtype, "r", shape=shape) if rows else np.zeros(shape, dtype)


class SketchWriter:
    """Writes a folder of columns: `add` appends, `close` ends the files, `commit` puts the folder into place."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._partial = self.path.with_name(f".{self.path.name}.{uuid.uuid4().hex}.partial")
        self._files: dict[str, BinaryIO] = {}
        self._columns: dict[str, list[Any]] = {}
        self._made = [folder for folder in self.path.parents if not folder.exists()]
        try:
            self._partial.mkdir(parents=True)
        except BaseException as fault:  # an interrupt too: nobody knows of this writer yet
            self.give_up()
            if isinstance(fault, OSError):
                raise out_of_space(fault, str(self.path)) from None
            raise

    def add(self, name: str, values: NDArray[Any]) -> None:
        """Append rows (the first axis) to a column; all rows of it have one width."""
        values = np.ascontiguousarray(values, values.dtype.newbyteorder("<"))
        width = 1 if values.ndim == 1 else values.shape[1]
        about = self._columns.setdefault(name, [values.dtype.str, width, 0])
        assert about[:2] == [values.dtype.str, width], (name, about, values.dtype, width)
        about[2] += len(values)
        try:
            if name not in self._files:
                self._files[name] = open(self._partial / name, "wb")
            self._files[name].write(values.data)
        except OSError as fault:
            raise out_of_space(fault, str(self.path)) from None

    def close(self, about: dict[str, Any]) -> None:
        """End all files; nothing may be added any more."""
        try:
            for file in self._files.values():
                file.close()
            text = json.dumps({**about, "columns": self._columns}, ensure_ascii=False, indent=2) + "\n"
            (self._partial / ABOUT).write_text(text, encoding="utf-8")
        except OSError as fault:
            raise out_of_space(fault, str(self.path)) from None

    def commit(self) -> None:
        """Put the folder into its place; one that is there is replaced."""
        try:
            if self.path.exists():
                shutil.rmtree(self.path)
            os.replace(self._partial, self.path)
        except OSError as fault:
            raise out_of_space(fault, str(self.path)) from None

    def give_up(self) -> None:
        """Remove what was written and not committed, and the folders made for it that hold nothing else."""
        for file in self._files.values():
            with contextlib.suppress(OSError):
                file.close()
        shutil.rmtree(self._partial, ignore_errors=True)
        for folder in self._made:
            with contextlib.suppress(OSError):
                folder.rmdir()
