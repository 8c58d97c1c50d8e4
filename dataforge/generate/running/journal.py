"""The journal: every request sent and every answer received, one JSON line each, appended by one writer.

    {"journal": 1, "command": "evol", "fingerprint": "..."}       the head: whose answers these are
    {"sent": "17.0.2", "key": "...", "tokens": 812, "cost": 0.1}  written before sending, with what was reserved
    {"id": "17.0.2", "key": "...", "reply": {...}, "spent": [1, 640, 0.08]}      or "failure" in place of "reply"
    {"again": ["18.0.0"]}                                         failures that do not count: the run ended by them
    {"resumed": 1}

A line is handed to the system before its answer is used, so a process that is killed loses nothing it has acted upon;
once a second lines are forced to the disk, for a machine that loses power. A torn last line is cut off on resume.
What was sent and never answered counts as spent by its reserve: a resumed run cannot exceed its budget.
The file is locked while a run writes it: a second run on the same output is refused.

Reads and writes `OUT.forge/partial/journal.jsonl`. Cost: 10 us a line; on resume 400 bytes of memory an answer.
Python: `with Journal(path, head, resume=True) as journal: journal.find("17.0.2", key)`
"""

from __future__ import annotations

import dataclasses
import os
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any

import orjson

from dataforge.engine.outputs import out_of_space
from dataforge.errors import InputError, OutputError
from dataforge.llm.budget import Spent
from dataforge.llm.request import Answer, Failure, Reply

if sys.platform != "win32":
    import fcntl

__all__ = ["Journal", "in_use", "read_head"]

SYNC_SECONDS = 1.0
IN_USE = "another run is at work on this output"
WAIT = "wait until it has ended, or choose another -o"


def read_head(path: Path) -> dict[str, Any] | None:
    """The first line of a journal; None if there is no whole line."""
    try:
        with open(path, "rb") as file:
            line = file.readline()
        return dict(orjson.loads(line)) if line.endswith(b"\n") else None
    except (OSError, ValueError, TypeError):
        return None


def in_use(path: Path) -> bool:
    """True if another run is writing this journal."""
    try:
        file = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        return not _lock(file)
    finally:
        os.close(file)


def _lock(file: int) -> bool:
    """Take an open file for this process; False if another has it. True where the system has no such locks."""
    if sys.platform != "win32":
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            return True
    return True


class Journal:
    """Answers on disk, by the id and key of their request.

    path: None keeps nothing (rows go to standard output and no --forge was named). head: what the first line says.
    spent: what all earlier runs have spent. answers: how many of theirs there are.
    Raises InputError if a line is damaged, OutputError if the disk is full or another run writes the same file.
    """

    def __init__(self, path: Path | None, head: dict[str, Any], *, resume: bool = False) -> None:
        self.path = path
        self.spent = Spent()
        self._places: dict[str, tuple[int, int]] = {}
        self._keys: dict[int, tuple[int, int]] = {}
        self._file = -1
        self._reader = -1
        self._synced = time.monotonic()
        self._idle = True
        if path is None:
            return
        try:
            self._open(path, head, resume=resume)
        except BaseException:
            self.__exit__(None, None, None)
            raise

    def _open(self, path: Path, head: dict[str, Any], *, resume: bool) -> None:
        try:
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            self._reader = os.open(path, os.O_RDONLY)
        except OSError as fault:
            raise out_of_space(fault, str(path)) from None
        if not _lock(self._file):
            raise OutputError(IN_USE, place=str(path), help=WAIT)
        going_on = resume and self._load(path)
        if not going_on:
            os.ftruncate(self._file, 0)
        self._write({"resumed": 1} if going_on else {"journal": 1, **head})
        self._idle = not going_on

    @property
    def answers(self) -> int:
        """Answers of earlier runs."""
        return len(self._places)

    def _load(self, path: Path) -> bool:
        """Read the lines of earlier runs; False if there is not even a head."""
        open_sends: dict[str, Spent] = {}
        place = 0
        with open(path, "rb+") as file:
            for number, line in enumerate(file, 1):
                if not line.endswith(b"\n"):
                    file.truncate(place)  # torn by the end of the process
                    break
                try:
                    self._take(orjson.loads(line), place, len(line), open_sends)
                except (ValueError, KeyError, TypeError):
                    raise InputError(
                        "the journal is damaged here",
                        place=f"{path}:{number}",
                        help="cut the file before this line to go on from there, or begin anew with --force",
                    ) from None
                place += len(line)
        self._lose(open_sends)
        return place > 0

    def _take(self, line: dict[str, Any], place: int, size: int, open_sends: dict[str, Spent]) -> None:
        if "id" in line:
            self._places[line["id"]] = (place, size)
            if "reply" in line:
                self._keys[_chain_key(line["id"], line["key"])] = (place, size)
            open_sends.pop(line["id"], None)
            self.spent += Spent(*line["spent"])
        elif "sent" in line:
            sent = Spent(1, line["tokens"], line["cost"])
            open_sends[line["sent"]] = open_sends.get(line["sent"], Spent()) + sent
        elif "again" in line:
            for id in line["again"]:
                self._places.pop(id, None)
        elif "resumed" in line:
            self._lose(open_sends)

    def _lose(self, open_sends: dict[str, Spent]) -> None:
        """Count what was sent and never answered as spent."""
        for spent in open_sends.values():
            self.spent += spent
        open_sends.clear()

    def find(self, id: str, key: str) -> Answer | None:
        """The answer that an earlier run received to this request.

        A chain whose fault is asked again may ask the rest under other numbers: then the key says which answer it is.
        """
        line = self._line(self._places.get(id), key) or self._line(self._keys.get(_chain_key(id, key)), key)
        if line is None or line["id"].partition(".")[0] != id.partition(".")[0]:
            return None
        return Reply(**line["reply"]) if "reply" in line else Failure(**line["failure"])

    def _line(self, place: tuple[int, int] | None, key: str) -> dict[str, Any] | None:
        """The line at a place, if it answers a request of this key."""
        if place is None:
            return None
        line: dict[str, Any] = orjson.loads(os.pread(self._reader, place[1], place[0]))
        return line if line["key"] == key else None

    def sent(self, id: str, key: str, tokens: int, cost: float) -> None:
        """A request goes out."""
        self._write({"sent": id, "key": key, "tokens": tokens, "cost": cost})

    def answered(self, id: str, key: str, answer: Answer, spent: Spent) -> None:
        """An answer has come, after `spent` in all."""
        kind = "reply" if isinstance(answer, Reply) else "failure"
        given = ((item.name, getattr(answer, item.name)) for item in dataclasses.fields(answer))
        value = {name: item for name, item in given if item is not None and item != "" and item is not False}
        if isinstance(answer, Reply):
            value["text"] = answer.text
        self._write({"id": id, "key": key, kind: value, "spent": [spent.requests, spent.tokens, spent.cost]})

    def again(self, ids: Iterable[str]) -> None:
        """These failures are to be asked again by a resumed run."""
        if ids := list(ids):
            self._write({"again": ids})

    def _write(self, line: dict[str, Any]) -> None:
        self._idle = False
        if self._file < 0:
            return
        data = orjson.dumps(line) + b"\n"
        try:
            written = os.write(self._file, data)
            if written != len(data):  # whatever is written after this must not stand behind half a line
                os.ftruncate(self._file, os.fstat(self._file).st_size - written)
                raise OutputError("no space left on the device", place=str(self.path), help="free some, and --resume")
            now = time.monotonic()
            if now - self._synced > SYNC_SECONDS:
                os.fsync(self._file)
                self._synced = now
        except OSError as fault:
            raise out_of_space(fault, str(self.path)) from None

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None and self._idle and self._file >= 0 and self.path is not None:
            self.path.unlink(missing_ok=True)  # nothing was sent: there is nothing to go on from
        for file in (self._file, self._reader):
            if file >= 0:
                os.close(file)
        self._file = self._reader = -1


def _chain_key(id: str, key: str) -> int:
    """Stands for a request of a chain, whatever its number in it."""
    return hash((id.partition(".")[0], key))
