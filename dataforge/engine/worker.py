"""A worker process: reads chunk frames from its standard input, answers with result frames.

Started as `python -m dataforge.engine.worker`. A frame is a count of parts, their lengths, and the parts (little-endian
unsigned 64-bit); its first part is `task` (name and options follow, for the chunks after it) or `chunk`. It ends when
its input ends, so it never outlives its parent.
"""

from __future__ import annotations

import dataclasses
import gc
import json
import os
import signal
import struct
import sys
import traceback
from typing import Any, BinaryIO

import orjson

from dataforge.engine.batch import Batch
from dataforge.errors import DataforgeError
from dataforge.formats.spelling import Spelling
from dataforge.io.chunks import Chunk
from dataforge.registry import load_task

__all__ = ["Task", "chunk_frames", "main", "read_frames", "write_frames"]


class Task:
    """A task opened once per process: `run(chunk)` gives its Result.

    With the option `ends`, the payload says where each row ends, so that rows can be copied later (`copying.py`).
    """

    def __init__(self, name: str, options: dict[str, Any]) -> None:
        self._run = load_task(name)(options)
        self._spelling = Spelling(options.get("joiner", "\n"))
        self._dialect = options.get("from")
        self._ends = options.get("ends", False)

    def run(self, chunk: Chunk) -> Any:
        """Work on one chunk, without garbage collection: its objects have no cycles and all die at its end."""
        enabled = gc.isenabled()
        gc.disable()
        try:
            batch = Batch(chunk, self._spelling, self._dialect)
            self._run(batch)
            if self._ends and (ends := batch.ends()) is not None:
                batch.payload["ends"] = ends.tobytes()
            return batch.result()
        finally:
            if enabled:
                gc.enable()


def write_frames(stream: BinaryIO, parts: list[bytes]) -> None:
    """Send one frame."""
    stream.write(struct.pack(f"<{len(parts) + 1}Q", len(parts), *map(len, parts)))
    for part in parts:
        stream.write(part)
    stream.flush()


def read_frames(stream: BinaryIO) -> list[bytes] | None:
    """Receive one frame; None at the end of the stream, also where it ends inside a frame."""
    head = stream.read(8)
    if len(head) < 8:
        return None
    (count,) = struct.unpack("<Q", head)
    table = stream.read(8 * count)
    if len(table) < 8 * count:
        return None
    sizes = struct.unpack(f"<{count}Q", table)
    parts = [stream.read(size) for size in sizes]
    return parts if all(len(part) == size for part, size in zip(parts, sizes, strict=True)) else None


def chunk_frames(chunk: Chunk) -> list[bytes]:
    """A chunk as a frame."""
    head = {
        f.name: getattr(chunk, f.name) for f in dataclasses.fields(chunk) if f.name not in ("data", "faults", "keep")
    }
    head["faults"] = {str(row): reason for row, reason in chunk.faults.items()}
    head["has"] = [chunk.data is not None, chunk.keep is not None]
    return [orjson.dumps(head), chunk.data or b"", chunk.keep or b""]


def _chunk(parts: list[bytes]) -> Chunk:
    head = orjson.loads(parts[0])
    has_data, has_keep = head.pop("has")
    head["faults"] = {int(row): reason for row, reason in head["faults"].items()}
    return Chunk(**head, data=parts[1] if has_data else None, keep=parts[2] if has_keep else None)


def main() -> None:
    """Serve until the input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    source = sys.stdin.buffer
    sink = os.fdopen(os.dup(1), "wb", buffering=1 << 20)
    try:
        os.dup2(2, 1)  # whatever a library prints must not mingle with frames
    except OSError:  # standard error is closed
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    try:
        _serve(source, sink)
    except BrokenPipeError:
        os._exit(1)  # nobody listens any more; an ordinary end would try to flush once again


def _serve(source: BinaryIO, sink: BinaryIO) -> None:
    """Answer chunks with results; an exception is the last answer."""
    task: Task | None = None
    try:
        while (parts := read_frames(source)) is not None:
            if parts[0] == b"task":
                order = orjson.loads(parts[1])
                task = Task(order["task"], order["options"])
            elif task is not None:
                write_frames(sink, [b"ok", *task.run(_chunk(parts[1:])).frames()])
    except BrokenPipeError:
        raise
    except DataforgeError as fault:
        _answer(sink, type(fault).__name__, fault.message, place=fault.place, help=fault.help)
    except MemoryError:
        _answer(sink, "DataforgeError", "a worker ran out of memory", help="use fewer workers (-j)")
    except Exception as fault:
        _answer(sink, "", f"{type(fault).__name__}: {fault}", trace=traceback.format_exc())


def _answer(sink: BinaryIO, kind: str, message: str, **more: str) -> None:
    """Tell the parent what went wrong; `kind` names a class of dataforge.errors, or nothing for a bug."""
    said = {"type": kind, "message": message, **more}
    write_frames(sink, [b"error", json.dumps(said).encode()])


if __name__ == "__main__":
    main()
