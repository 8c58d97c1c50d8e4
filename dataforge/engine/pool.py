"""Workers and order: chunks go out to worker processes, results come back in the order of the chunks.

Each worker is a process of its own with a pipe each way, driven by one thread here; with one worker the task runs in
this process. At most two chunks a worker are under way, so memory does not grow with the input.

Python: `for chunk, result in run_ordered("rows", {"to": "sharegpt"}, chunks, workers=2): ...`
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain
from typing import Any, cast

import orjson

from dataforge import errors
from dataforge.engine.batch import Result
from dataforge.engine.worker import Task, chunk_frames, read_frames, write_frames
from dataforge.io.chunks import Chunk

__all__ = ["Crew", "run_ordered", "usable_cores"]

PIPE_BYTES = 1 << 20
WORKER_ENVIRONMENT = {
    # Each worker is one core's work; libraries with thread pools of their own would fight over the cores.
    "TOKENIZERS_PARALLELISM": "false",
    "OMP_NUM_THREADS": "1",
    # glibc gives freed memory back after every chunk and faults it in again for the next: a quarter of the time.
    "MALLOC_TRIM_THRESHOLD_": str(1 << 28),
    "MALLOC_MMAP_THRESHOLD_": str(1 << 28),
    "MALLOC_TOP_PAD_": str(1 << 24),
}


def usable_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class _Worker:
    """One worker process and its pipes."""

    def __init__(self) -> None:
        paths = os.pathsep.join(path for path in sys.path if path)
        environment = {**os.environ, **WORKER_ENVIRONMENT, "PYTHONPATH": paths}
        more: dict[str, Any] = {"pipesize": PIPE_BYTES} if sys.platform == "linux" else {}
        if os.name == "posix":
            more["process_group"] = 0  # Ctrl-C is for the parent, which ends its workers; they must not see it
        try:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "dataforge.engine.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=environment,
                **more,
            )
        except OSError as fault:
            raise errors.DataforgeError(
                f"cannot start a worker process: {fault.strerror}", help="use fewer workers (-j)"
            ) from None
        self._order = b""

    def _send(self, parts: list[bytes]) -> None:
        try:
            write_frames(cast(Any, self.process.stdin), parts)
        except BrokenPipeError:
            pass  # why it ended is read from its output, or from its exit status

    def run(self, order: bytes, chunk: Chunk) -> Result:
        if order != self._order:
            self._send([b"task", order])
            self._order = order
        self._send([b"chunk", *chunk_frames(chunk)])
        parts = read_frames(cast(Any, self.process.stdout))
        if parts is None:
            code = self.process.wait()
            reason = f"was killed by signal {-code}" if code < 0 else f"ended with status {code}"
            raise errors.DataforgeError(f"a worker process {reason}", help="if memory ran out, use fewer workers (-j)")
        if parts[0] == b"error":
            raise _failure(json.loads(parts[1]))
        return Result.from_frames(parts[1:])

    def stop(self) -> None:
        self.process.kill()
        for pipe in (self.process.stdin, self.process.stdout):
            try:
                cast(Any, pipe).close()
            except BrokenPipeError:
                pass
        self.process.wait()


def _failure(said: dict[str, Any]) -> Exception:
    """The exception that a worker met: of its own class where it was raised on purpose, else a RuntimeError."""
    kind = said.pop("type")
    if not kind:
        fault = RuntimeError(said["message"])
        fault.add_note("in a worker process:\n" + said["trace"])
        return fault
    failure: errors.DataforgeError = errors.DataforgeError.__new__(getattr(errors, kind, errors.DataforgeError))
    errors.DataforgeError.__init__(failure, **said)
    if isinstance(failure, errors.ConfigError):
        failure.problems = [failure.message]
    return failure


class Crew:
    """Threads that own one worker process each, started when first needed; they may work on one task after another."""

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._own = threading.local()
        self._all: list[_Worker] = []
        self._lock = threading.Lock()
        self._threads = ThreadPoolExecutor(workers)

    def submit(self, order: bytes, chunk: Chunk) -> Future[Result]:
        """Have a chunk worked on. order: the task's name and options, as JSON."""
        return self._threads.submit(self._work, order, chunk)

    def _work(self, order: bytes, chunk: Chunk) -> Result:
        worker = getattr(self._own, "worker", None)
        if worker is None:
            worker = _Worker()
            self._own.worker = worker
            with self._lock:
                self._all.append(worker)
        return cast(_Worker, worker).run(order, chunk)

    def stop(self) -> None:
        """End the processes, whatever they are doing."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        with self._lock:
            for worker in self._all:
                worker.process.kill()
        self._threads.shutdown(wait=True)
        for worker in self._all:
            worker.stop()
        self._all.clear()


def run_ordered(
    task: str,
    options: dict[str, Any],
    chunks: Iterable[Chunk],
    *,
    workers: int = 1,
    small: int = 0,
    crew: Crew | None = None,
) -> Iterator[tuple[Chunk, Result]]:
    """(chunk, result) in the order of `chunks`.

    workers: processes to start for this task alone; a crew that is given works on, and is stopped only if the caller
    leaves before the end. With one worker, one chunk, or no more than `small` bytes in all, this process does the work.
    """
    stream = iter(chunks)
    first = list(_enough(stream, small)) if crew is not None or workers > 1 else []
    if len(first) < 2 or sum(chunk.length for chunk in first) <= small:
        here = Task(task, options)
        for chunk in chain(first, stream):
            yield chunk, here.run(chunk)
        return
    order = orjson.dumps({"task": task, "options": options})
    own = Crew(workers) if crew is None else None
    complete = False
    try:
        yield from _work(own or cast(Crew, crew), order, chain(first, stream))
        complete = True
    finally:
        if own is not None:
            own.stop()
        elif crew is not None and not complete:
            crew.stop()


def _enough(stream: Iterator[Chunk], small: int) -> Iterator[Chunk]:
    """The first chunks, until there are two of them and more than `small` bytes."""
    size = count = 0
    for chunk in stream:
        yield chunk
        size, count = size + chunk.length, count + 1
        if count > 1 and size > small:
            return


def _work(crew: Crew, order: bytes, chunks: Iterable[Chunk]) -> Iterator[tuple[Chunk, Result]]:
    """Keep all workers of a crew busy, two chunks each, and give back the results in order."""
    waiting: deque[tuple[Chunk, Future[Result]]] = deque()
    for chunk in chunks:
        waiting.append((chunk, crew.submit(order, chunk)))
        if len(waiting) > 2 * crew.workers:
            done, future = waiting.popleft()
            yield done, future.result()
    while waiting:
        done, future = waiting.popleft()
        yield done, future.result()
