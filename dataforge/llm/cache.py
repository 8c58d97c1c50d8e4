"""Paid replies on disk, so that nothing is paid for twice: a SQLite file that several processes may use at once.

Keys are hashes of everything that shapes a reply; values are replies. Neither keys of servers nor prompts are in it.
Reads take about 20 microseconds in the calling thread; writes go to a thread of their own, in batches.
A damaged file is set aside (`replies.sqlite.damaged-1`) and a new one begun.

Python: `cache = open_cache(None, remark=print); cache.get("0f..."); cache.put("0f...", Reply("text")); cache.close()`
"""

from __future__ import annotations

import os
import queue
import sqlite3
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import orjson

from dataforge.errors import OutputError, UsageError
from dataforge.llm.request import Reply

__all__ = ["DiskCache", "NoCache", "ReplyCache", "default_path", "open_cache"]

APPLICATION = 0x64666F72
"""`dfor`: marks the file as ours."""
VERSION = 1
BUSY = 30.0
"""Longest wait for another process that writes, in seconds."""
BATCH = 500
FIELDS = ("text", "finish", "prompt_tokens", "completion_tokens", "model", "id", "reasoning")
CREATE = "CREATE TABLE IF NOT EXISTS replies (key BLOB PRIMARY KEY, reply BLOB NOT NULL) WITHOUT ROWID"
READ = "SELECT reply FROM replies WHERE key = ?"
WRITE = "INSERT OR IGNORE INTO replies VALUES (?, ?)"
SUFFIXES = (".sqlite", ".sqlite3", ".db")
Remark = Callable[[str], None]


class ReplyCache(Protocol):
    """What the client needs of a cache. active: False if it never holds anything."""

    active: bool

    def get(self, key: str) -> Reply | None:
        """The reply to a request that was paid for before."""

    def put(self, key: str, reply: Reply) -> None:
        """Keep a reply."""

    def close(self) -> None:
        """Write what is not yet written."""


class NoCache:
    """Keeps nothing."""

    active = False

    def get(self, key: str) -> Reply | None:
        """None."""
        return None

    def put(self, key: str, reply: Reply) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""


def default_path() -> Path:
    """$DATAFORGE_CACHE, or replies.sqlite in dataforge's folder of the user's cache."""
    if given := os.environ.get("DATAFORGE_CACHE"):
        path = Path(given)
        return path if path.suffix in SUFFIXES else path / "replies.sqlite"
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "dataforge" / "replies.sqlite"


def open_cache(path: str | None, remark: Remark) -> ReplyCache:
    """The cache of a file; of the default file for None, none at all for "none".

    A default file that cannot be written makes a remark; one that the user named raises OutputError, and UsageError if
    it is a file of something else.
    """
    if (path or os.environ.get("DATAFORGE_CACHE")) == "none":
        return NoCache()
    place = Path(path) if path is not None else default_path()
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        return DiskCache(place, remark)
    except (OSError, sqlite3.OperationalError) as fault:
        if path is not None:
            raise OutputError(
                f"the cache cannot be written: {fault}", place=str(place), help="name another --cache, or none"
            ) from None
        remark(f"replies are not kept: the cache {place} cannot be written ({fault})")
        return NoCache()


class DiskCache:
    """A cache file, open."""

    active = True

    def __init__(self, path: Path, remark: Remark) -> None:
        self.path = path
        self._remark = remark
        self._reader = _open(path, remark)
        self._unwritten: dict[bytes, bytes] = {}
        self._lock = threading.Lock()
        self._queue: queue.SimpleQueue[tuple[bytes, bytes] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write_all, name="dataforge-cache", daemon=True)
        self._thread.start()

    def get(self, key: str) -> Reply | None:
        """The reply to a request that was paid for before; a row that cannot be read counts as none."""
        name = bytes.fromhex(key)
        found = self._unwritten.get(name) or self._read(name)
        if found is None:
            return None
        try:
            values = orjson.loads(found)
            return Reply(**{field: values[field] for field in FIELDS}, cached=True)
        except (orjson.JSONDecodeError, KeyError, TypeError):
            self._remark(f"the cache {self.path} holds rows that cannot be read; they are asked for again")
            return None

    def _read(self, name: bytes) -> bytes | None:
        try:
            row = self._reader.execute(READ, (name,)).fetchone()
        except sqlite3.OperationalError as fault:  # locked for too long, a disk that went away
            self._remark(f"the cache {self.path} cannot be read: {fault}")
            return None
        except sqlite3.DatabaseError:
            self._reader.close()
            self._reader = _open(self.path, self._remark)
            return None
        return bytes(row[0]) if row else None

    def put(self, key: str, reply: Reply) -> None:
        """Keep a reply; it is found from now on, and on disk soon."""
        name, value = bytes.fromhex(key), orjson.dumps({field: getattr(reply, field) for field in FIELDS})
        with self._lock:
            self._unwritten[name] = value
        self._queue.put((name, value))

    def _write_all(self) -> None:
        """The writing thread: batches of what has gathered, until None."""
        writer: sqlite3.Connection | None = None
        going = True
        while going:
            batch = [self._queue.get()]
            while batch[-1] is not None and len(batch) < BATCH:
                try:
                    batch.append(self._queue.get_nowait())
                except queue.Empty:
                    break
            going = batch[-1] is not None
            rows = [row for row in batch if row is not None]
            writer = self._write(writer, rows) if rows else writer
            with self._lock:
                for name, _ in rows:
                    self._unwritten.pop(name, None)
        if writer is not None:
            writer.close()

    def _write(self, writer: sqlite3.Connection | None, rows: list[tuple[bytes, bytes]]) -> sqlite3.Connection | None:
        """Write a batch; a damaged file is replaced once, other faults are told."""
        for last in (False, True):
            try:
                if writer is None:
                    writer = _open(self.path, self._remark)
                writer.execute("BEGIN IMMEDIATE")
                writer.executemany(WRITE, rows)
                writer.execute("COMMIT")
                return writer
            except (sqlite3.Error, OSError, UsageError) as fault:
                if writer is not None:
                    writer.close()
                    writer = None
                if last or not _damaged(fault):
                    self._remark(f"replies are not kept: the cache {self.path} cannot be written ({fault})")
                    return None
        return None

    def close(self) -> None:
        """Write what is not yet written, and close the file."""
        if self._thread.is_alive():
            self._queue.put(None)
            self._thread.join()
        self._reader.close()


def _damaged(fault: Exception) -> bool:
    return isinstance(fault, sqlite3.DatabaseError) and not isinstance(
        fault, sqlite3.OperationalError | sqlite3.IntegrityError | sqlite3.ProgrammingError
    )


def _open(path: Path, remark: Remark) -> sqlite3.Connection:
    """A connection to the file, which is made if it is missing, and set aside if it is damaged."""
    try:
        return _connect(path)
    except sqlite3.DatabaseError as fault:
        if not _damaged(fault):
            raise
    from filelock import FileLock

    with FileLock(f"{path}.lock"):
        try:
            return _connect(path)  # another process was faster
        except sqlite3.DatabaseError as fault:
            if not _damaged(fault):
                raise
            _set_aside(path, remark, fault)
        return _connect(path)


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=BUSY, check_same_thread=False, isolation_level=None)
    try:
        if not _checked(connection, path):
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("BEGIN IMMEDIATE")
            if not _checked(connection, path):  # another process may have made it meanwhile
                connection.execute(f"PRAGMA application_id = {APPLICATION}")
                connection.execute(f"PRAGMA user_version = {VERSION}")
                connection.execute(CREATE)
            connection.execute("COMMIT")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute(READ, (b"",)).fetchone()
    except BaseException:
        connection.close()
        raise
    return connection


def _checked(connection: sqlite3.Connection, path: Path) -> bool:
    """True if the file is a cache of ours, False if it is empty; UsageError if it is something else."""
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    kind = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if tables and (kind != APPLICATION or version != VERSION):
        what = "is no cache of replies" if kind != APPLICATION else f"is of version {version}, this is {VERSION}"
        raise UsageError(f"--cache: the file {what}", place=str(path), help="name another file, or none")
    return bool(tables)


def _set_aside(path: Path, remark: Remark, fault: Exception) -> None:
    """Rename a damaged cache. A file that never was a cache is left alone: UsageError."""
    with open(path, "rb") as file:
        ours = file.read(16).startswith(b"SQLite format 3") or path.suffix in SUFFIXES
    if not ours:
        raise UsageError("--cache: the file is no cache of replies", place=str(path), help="name another file, or none")
    number = 1
    while (aside := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    path.rename(aside)
    for end in ("-wal", "-shm"):
        path.with_name(path.name + end).unlink(missing_ok=True)
    remark(f"the cache was damaged ({fault}) and stands now in {aside}; a new one was begun")
