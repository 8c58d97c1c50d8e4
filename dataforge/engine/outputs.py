"""What a command leaves behind, written so that nothing half-done can be taken for done.

`OUT` and the folder `OUT.forge/` (manifest.json, report.json, ledger.parquet, rejects.jsonl) are written under
`OUT.forge/partial/` and renamed at the end, the manifest last: it exists only when the run is complete.
A run that fails or is interrupted removes what it wrote. Standard output gets no folder unless one is named.

Python: `with Output("out.jsonl", options) as out: out.write(rows); out.commit(...)`
"""

from __future__ import annotations

import errno
import gzip
import json
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, cast

from xxhash import xxh3_128

from dataforge.config import RunOptions
from dataforge.errors import OutputError
from dataforge.io.paths import STDIN, container_of

__all__ = ["Output", "atomic_json", "out_of_space"]

MANIFEST = "manifest.json"


def out_of_space(fault: OSError, place: str) -> OutputError:
    """The OutputError of a failed write: no space left, no permission, or what the system says."""
    if fault.errno in (errno.ENOSPC, errno.EDQUOT):
        return OutputError(
            "no space left on the device; nothing was kept", place=place, help="free some space or choose another -o"
        )
    return OutputError(f"cannot be written: {fault.strerror or fault}", place=place)


def atomic_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write a JSON file under a temporary name and rename it."""
    partial = path.with_name(path.name + ".partial")
    partial.write_text(json.dumps(value, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    os.replace(partial, path)


class _Hashed:
    """A file that hashes and counts what is written to it."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._hash = xxh3_128()
        self.bytes = 0

    def write(self, data: bytes) -> int:
        self._file.write(data)
        self._hash.update(data)
        self.bytes += len(data)
        return len(data)

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> None:
        self._file.close()

    @property
    def hash(self) -> str:
        return "xxh3-128:" + self._hash.hexdigest()


class Output:
    """The output file of a command (or standard output, or none) and its forge folder.

    path: where rows go; None for standard output, "" for no rows at all. container: how rows are framed there.
    Raises OutputError if the output exists and `force` is not set.
    """

    def __init__(self, path: str | None, options: RunOptions, *, container: str | None = None) -> None:
        self.path = None if path == STDIN else path
        kind, compression = container_of(self.path) if self.path else (None, None)
        self.container = container or kind or "jsonl"
        forge = options.forge or (f"{self.path}.forge" if self.path else None)
        self.forge = Path(forge) if forge else None
        if self.path:
            self._refuse(self.path, options.force)
        self._first = True
        self._file: Any = None
        self._raw: _Hashed | None = None
        self._compression = compression
        self._made = False

    def _refuse(self, path: str, force: bool) -> None:
        folder = os.path.dirname(path) or "."
        if not os.path.isdir(folder):
            raise OutputError("no such folder", place=folder, help=f"mkdir -p {folder}")
        if os.path.isdir(path):
            raise OutputError("is a folder; a file is needed", place=path)
        if os.path.exists(path) and not force:
            raise OutputError("exists already", place=path, help="--force replaces it, or choose another -o")

    @property
    def partial(self) -> Path | None:
        """The folder of unfinished files."""
        return self.forge / "partial" if self.forge else None

    def __enter__(self) -> Output:
        try:
            if self.partial is not None and self.forge is not None:
                self._made = not self.forge.exists()
                shutil.rmtree(self.partial, ignore_errors=True)
                self.partial.mkdir(parents=True)
            if self.path is None:
                self._file = sys.stdout.buffer
            elif self.path:
                assert self.partial is not None
                self._raw = _Hashed(open(self.partial / "out", "wb"))
                self._file = self._compressed(self._raw)
        except OSError as fault:
            raise out_of_space(fault, str(self.path or self.forge)) from None
        return self

    def _compressed(self, file: _Hashed) -> Any:
        if self._compression == "gz":
            return gzip.GzipFile(filename="", mode="wb", fileobj=cast(BinaryIO, file), mtime=0, compresslevel=6)
        if self._compression == "zst":
            import zstandard

            return zstandard.ZstdCompressor(level=3).stream_writer(cast(BinaryIO, file), closefd=False)
        return file

    def write(self, rows: bytes) -> None:
        """Write rows (each ended by a newline) in the framing of the container."""
        if not rows or self._file is None:
            return
        if self.container == "json":
            # An encoded row holds no raw newline, so every newline ends a row.
            rows = (b"[\n" if self._first else b",\n") + rows[:-1].replace(b"\n", b",\n")
        self._first = False
        self.raw_write(rows)

    def raw_write(self, data: bytes) -> None:
        """Write bytes as they are (a table's header)."""
        try:
            self._file.write(data)
        except BrokenPipeError:
            raise
        except OSError as fault:
            raise out_of_space(fault, self.path or "standard output") from None

    def finish(self) -> dict[str, Any] | None:
        """End the file; its manifest entry (name, bytes, hash), or None for standard output."""
        if self._file is None:
            return None
        if self.container == "json":
            self.raw_write(b"[]\n" if self._first else b"\n]\n")
        try:
            if self._raw is None:
                self._file.flush()
                return None
            if self._file is not self._raw:
                self._file.close()
            self._raw.close()
        except BrokenPipeError:
            raise
        except OSError as fault:
            raise out_of_space(fault, self.path or "standard output") from None
        return {"name": os.path.basename(self.path or ""), "bytes": self._raw.bytes, "hash": self._raw.hash}

    def commit(self, files: tuple[str, ...], report: Mapping[str, Any], manifest: Mapping[str, Any]) -> None:
        """Put everything into place: output, the named files of the partial folder, report, and the manifest last."""
        if self.forge is None or self.partial is None:
            return
        try:
            (self.forge / MANIFEST).unlink(missing_ok=True)
            if self.path:
                os.replace(self.partial / "out", self.path)
            for name in ("ledger.parquet", "rejects.jsonl"):
                if name in files:
                    os.replace(self.partial / name, self.forge / name)
                else:
                    (self.forge / name).unlink(missing_ok=True)
            shutil.rmtree(self.partial)
            atomic_json(self.forge / "report.json", report)
            atomic_json(self.forge / MANIFEST, manifest)
        except OSError as fault:
            raise out_of_space(fault, str(self.forge)) from None

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        if kind is None:
            return
        if self._raw is not None:
            try:
                self._raw.close()
            except OSError:
                pass  # the write that failed has been reported; closing flushes what could not be written
        if self.partial is not None and self.forge is not None:
            shutil.rmtree(self.partial, ignore_errors=True)
            if self._made:
                shutil.rmtree(self.forge, ignore_errors=True)
