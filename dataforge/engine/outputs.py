"""What a command leaves behind, written so that nothing half-done can be taken for done.

`OUT` and the folder `OUT.forge/` (manifest.json, report.json, ledger.parquet, rejects.jsonl) are written under
`OUT.forge/partial/` and renamed at the end, the manifest last: it exists only when the run is complete.
A run that fails or is interrupted removes what it wrote. Standard output gets no folder unless one is named.

Python: `with Output("out.jsonl", options) as out: out.write(rows); out.commit(...)`
"""

from __future__ import annotations

import contextlib
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
from dataforge.errors import OutputError, did_you_mean
from dataforge.io.paths import COMPRESSIONS, CONTAINERS, PACKED, STDIN, container_of, known_suffixes, packed_twice

__all__ = ["Output", "atomic_json", "out_of_space"]

MANIFEST, REPORT, PARTIAL = "manifest.json", "report.json", "partial"
FILES = ("ledger.parquet", "rejects.jsonl", "dropped.jsonl", "journal.jsonl")
"""What may stand beside them in the forge folder."""


def out_of_space(fault: OSError, place: str) -> OutputError:
    """The OutputError of a failed write: no space left, no permission, or what the system says."""
    if fault.errno in (errno.ENOSPC, errno.EDQUOT):
        return OutputError(
            "no space left on the device; nothing was kept", place=place, help="free some space or choose another -o"
        )
    if fault.errno == errno.EFBIG:
        return OutputError(
            "is larger than files may be here; nothing was kept", place=place, help="ulimit -f unlimited"
        )
    return OutputError(f"cannot be written: {fault.strerror or fault}", place=place)


def atomic_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write a JSON file under a temporary name and rename it."""
    partial = path.with_name(path.name + ".partial")
    partial.write_text(json.dumps(value, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    os.replace(partial, path)


class _Hashed:
    """A file that hashes and counts what is written to it; once given up, it takes everything and keeps nothing."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._hash = xxh3_128()
        self.bytes = 0

    def write(self, data: bytes) -> int:
        if not self._file.closed:
            self._file.write(data)
            self._hash.update(data)
            self.bytes += len(data)
        return len(data)

    def flush(self) -> None:
        if not self._file.closed:
            self._file.flush()

    def close(self) -> None:
        self._file.close()

    def give_up(self) -> None:
        with contextlib.suppress(OSError):  # the write that failed has been reported; closing would flush its rest
            self._file.close()

    @property
    def hash(self) -> str:
        return "xxh3-128:" + self._hash.hexdigest()


class _Packed:
    """A file of a container that is no text (xlsx, Parquet, Arrow); size and hash are known once it is closed."""

    def __init__(self, path: Path, container: str) -> None:
        from dataforge.io.columnfile import ColumnFile
        from dataforge.io.sheetfile import SheetFile

        self._path = path
        self._file = SheetFile(path) if container == "xlsx" else ColumnFile(path, container)
        self.write = self._file.write
        self.give_up = self._file.give_up
        self._hash = xxh3_128()
        self.bytes = 0

    def flush(self) -> None:
        pass

    def close(self) -> None:
        self._file.close()
        with open(self._path, "rb") as file:
            while block := file.read(1 << 20):
                self._hash.update(block)
                self.bytes += len(block)

    @property
    def hash(self) -> str:
        return "xxh3-128:" + self._hash.hexdigest()


class Output:
    """The output file of a command (or standard output, or none) and its forge folder.

    path: where rows go; None for standard output, "" for no rows at all. container: how rows are framed there.
    lasting: names of files in the partial folder that stay when the run fails, for a later one to go on from.
    Raises OutputError if the output exists and `force` is not set, or cannot be what its name says.
    """

    def __init__(
        self,
        path: str | None,
        options: RunOptions,
        *,
        container: str | None = None,
        lasting: tuple[str, ...] = (),
    ) -> None:
        self.path = None if path == STDIN else path
        kind, compression = container_of(self.path) if self.path else (None, None)
        self.container = container or kind or "jsonl"
        forge = options.forge or (f"{self.path}.forge" if self.path else None)
        self.forge = Path(forge) if forge else None
        if self.path:
            _refuse(self.path, container or kind, options.force)
        if self.forge is not None:
            _refuse_folder(self.forge)
        self._lasting = lasting
        self._first = True
        self._file: Any = None
        self._raw: _Hashed | _Packed | None = None
        self._compression = compression
        self._made = False
        self._entered = False

    @property
    def partial(self) -> Path | None:
        """The folder of unfinished files."""
        return self.forge / PARTIAL if self.forge else None

    def __enter__(self) -> Output:
        try:
            if self.partial is not None and self.forge is not None:
                self._made, self._entered = not self.forge.exists(), True
                self._clear(self.partial)
                self.partial.mkdir(parents=True, exist_ok=True)
            if self.path is None:
                if sys.stdout is None:
                    raise OutputError("standard output is closed", help="name a file with -o")
                self._file = sys.stdout.buffer
            elif self.path:
                assert self.partial is not None
                if self.container in PACKED:
                    self._file = self._raw = _Packed(self.partial / "out", self.container)
                else:
                    hashed = self._raw = _Hashed(open(self.partial / "out", "wb"))
                    self._file = self._compressed(hashed)
        except BaseException as fault:  # an interrupt too: nobody calls __exit__ after this
            self._discard()
            if isinstance(fault, OSError):
                raise out_of_space(fault, str(self.path or self.forge)) from None
            raise
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
        if self._file is None:
            return
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
        """Put everything into place: output, the named files of the partial folder, report, and the manifest last.

        All is written before the first rename, so that a full disk finds an older output still whole.
        """
        if self.forge is None or self.partial is None:
            return
        try:
            atomic_json(self.partial / REPORT, report)
            atomic_json(self.partial / MANIFEST, manifest)
            made = self._beside(self.partial / "out") if self.path else None
            (self.forge / MANIFEST).unlink(missing_ok=True)
            if made is not None and self.path:
                os.replace(made, os.path.realpath(self.path))  # a link stays a link
            for name in (*FILES, REPORT, MANIFEST):
                if name in files or name in (REPORT, MANIFEST):
                    os.replace(self.partial / name, self.forge / name)
                else:
                    (self.forge / name).unlink(missing_ok=True)
        except OSError as fault:
            raise out_of_space(fault, str(self.path or self.forge)) from None
        self._entered = False
        shutil.rmtree(self.partial, ignore_errors=True)

    def _beside(self, made: Path) -> Path:
        """The finished file on the output's own file system, where a rename can put it into place."""
        target = Path(os.path.realpath(self.path or ""))
        if made.stat().st_dev == target.parent.stat().st_dev:
            return made
        near = target.with_name(f".{target.name}.partial")
        try:
            shutil.copyfile(made, near)
        except OSError:
            near.unlink(missing_ok=True)
            raise
        return near

    def _discard(self) -> None:
        """Remove what was written; an older output stays as it is."""
        if self._raw is not None:
            self._raw.give_up()
            with contextlib.suppress(OSError, ValueError):
                if self._file is not self._raw and self._file is not None:
                    self._file.close()  # a compressor would else complain when it is collected
        if self._entered and self.partial is not None and self.forge is not None:
            stays = self._clear(self.partial)
            if self._made and not stays:
                shutil.rmtree(self.forge, ignore_errors=True)
        self._entered = False

    def _clear(self, partial: Path) -> bool:
        """Remove the partial folder but for files that last; True if there are any."""
        stays = False
        for path in partial.iterdir() if self._lasting and partial.is_dir() else ():
            if path.name in self._lasting:
                stays = True
            else:
                path.unlink(missing_ok=True)
        if not stays:
            shutil.rmtree(partial, ignore_errors=True)
        return stays

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None or self._entered:
            self._discard()


def _refuse(path: str, container: str | None, force: bool) -> None:
    """Raise OutputError if a file cannot, or must not, be written there."""
    folder = os.path.dirname(path) or "."
    if not os.path.isdir(folder):
        raise OutputError("no such folder", place=folder, help=f"mkdir -p {folder}")
    if os.path.isdir(path):
        raise OutputError("is a folder; a file is needed", place=path)
    if os.path.exists(path) and not os.path.isfile(path):
        # A rename would put a file in its place: --force must never replace /dev/null.
        raise OutputError("is a device or a pipe, not a file", place=path, help=f"leave -o out and write: ... > {path}")
    if container is None:
        last = os.path.splitext(path)[1]
        near = did_you_mean(last, CONTAINERS) if last and last not in COMPRESSIONS else ""
        known = f"known: {known_suffixes()}"
        raise OutputError("the suffix names no container", place=path, help=near if near.startswith("did") else known)
    if packed_twice(container, compression := container_of(path)[1]):
        help = f"leave .{compression} out of the name"
        raise OutputError(f"{container} is compressed inside, and is not compressed again", place=path, help=help)
    if os.path.exists(path) and not force:
        raise OutputError("exists already", place=path, help="--force replaces it, or choose another -o")


def _refuse_folder(forge: Path) -> None:
    """Raise OutputError if the forge folder is no folder, or one that holds somebody else's files."""
    if not os.path.lexists(forge):
        return
    if not forge.is_dir():
        raise OutputError("is a file; a folder is needed", place=str(forge), help="choose another --forge")
    names = {path.name for path in forge.iterdir()}
    ours = MANIFEST in names or (forge / PARTIAL / MANIFEST).exists()  # killed while all was put into place
    if forge.suffix != ".forge" and names - {PARTIAL} and not ours:
        raise OutputError(
            "holds other files; --forge needs a folder of its own",
            place=str(forge),
            help="name one that does not exist",
        )
