"""From what people type to files: paths, `-`, globs and folders, and the container that a suffix names.

Folders are searched with all their sub-folders, in name order, for known suffixes; what dataforge itself leaves behind
(`*.forge/`, `*.scores/`) is passed over.

Python: `find_sources(["data/", "more/*.jsonl.gz"])`
"""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence
from dataclasses import dataclass

from dataforge.errors import InputError, UsageError, did_you_mean

__all__ = ["COMPRESSIONS", "CONTAINERS", "STDIN", "Source", "container_of", "find_sources"]

STDIN = "-"
CONTAINERS = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".csv": "csv",
    ".tsv": "tsv",
    ".txt": "txt",
}
COMPRESSIONS = {".gz": "gz", ".zst": "zst"}
OWN = (".forge", ".scores")


@dataclass(frozen=True)
class Source:
    """One input file. path: as opened and shown. name: as ledgers and manifests call it, never absolute."""

    path: str
    name: str
    container: str
    compression: str | None


def container_of(path: str) -> tuple[str | None, str | None]:
    """(container, compression) that the suffixes of a path name; container is None for an unknown suffix."""
    stem, last = os.path.splitext(path)
    compression = COMPRESSIONS.get(last.lower())
    if compression is not None:
        last = os.path.splitext(stem)[1]
    return CONTAINERS.get(last.lower()), compression


def _known() -> str:
    return ", ".join(CONTAINERS) + " (and each with " + " or ".join(COMPRESSIONS) + ")"


def _in_folder(folder: str) -> list[str]:
    found = []
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.endswith(OWN) and not name.startswith("."))
        found += [
            os.path.join(place, name) for name in sorted(files) if container_of(name)[0] and not name.startswith(".")
        ]
    if not found:
        raise InputError("no data files in this folder", place=folder, help=f"known suffixes: {_known()}")
    return found


def _missing(path: str) -> InputError:
    folder = os.path.dirname(path) or "."
    names = os.listdir(folder) if os.path.isdir(folder) else []
    near = did_you_mean(os.path.basename(path), [n for n in names if not n.startswith(".")])
    help = near if near.startswith("did") else f"looked in {os.path.abspath(folder)}"
    return InputError("no such file or folder", place=path, help=help)


def _is_own(path: str) -> bool:
    """True for what dataforge itself left behind, or what lies in it."""
    places = path.split(os.sep)
    return any(place.endswith(OWN) for place in (places if os.path.isdir(path) else places[:-1]))


def _expand(path: str) -> list[str]:
    if path == STDIN or os.path.isfile(path):
        return [path]
    if os.path.isdir(path):
        return _in_folder(path)
    if glob.has_magic(path):
        matches = [match for match in sorted(glob.glob(path, recursive=True)) if not _is_own(match)]
        files = [file for match in matches for file in (_in_folder(match) if os.path.isdir(match) else [match])]
        if not files:
            raise InputError("no file matches this pattern", place=path, help="quote the pattern and check its folder")
        return files
    if os.path.exists(path):
        return [path]  # a named pipe or device: read it as a stream
    raise _missing(path)


def find_sources(inputs: Sequence[str], *, container: str | None = None) -> list[Source]:
    """The files behind `inputs`, each once, in order.

    container overrides what suffixes say. Raises InputError for what does not exist, UsageError for no input at all.
    """
    unique: dict[str, str] = {}
    for given in inputs:
        for path in _expand(str(given)):
            unique.setdefault(path if path == STDIN else os.path.abspath(path), path)
    paths = list(unique.values())
    if not paths:
        raise UsageError("no input", help="name a file, a folder, a quoted glob, or - for standard input")
    real = [os.path.abspath(path) for path in paths if path != STDIN]
    root = os.path.commonpath([os.path.dirname(path) for path in real]) if real else ""
    sources = []
    for path in paths:
        kind, compression = container_of(path)
        name = "stdin" if path == STDIN else os.path.relpath(os.path.abspath(path), root).replace(os.sep, "/")
        kind = container or kind or (None if path != STDIN and os.path.isfile(path) else "jsonl")
        if kind is None:
            raise InputError("the suffix names no container", place=path, help=f"known suffixes: {_known()}")
        sources.append(Source(path, name, kind, compression))
    return sources
