"""An asyncio loop in a thread of its own, so that notebooks (whose thread has a loop) and Ctrl-C are no special cases.

Python: `answers = run_apart(lambda: ask_everything())`
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

__all__ = ["run_apart"]

T = TypeVar("T")


def run_apart(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """What the coroutine returns or raises. An interrupt in this thread cancels it, and waits for its end."""
    result: Future[T] = Future()
    running: list[tuple[asyncio.AbstractEventLoop, asyncio.Task[Any]]] = []
    stopped = threading.Event()

    async def main() -> T:
        task = asyncio.current_task()
        if task is not None:
            running.append((asyncio.get_running_loop(), task))
        if stopped.is_set():  # interrupted before there was anything to cancel
            raise asyncio.CancelledError
        return await work()

    def body() -> None:
        try:
            result.set_result(asyncio.run(main()))
        except BaseException as fault:
            result.set_exception(fault)

    thread = threading.Thread(target=body, name="dataforge-generate")
    thread.start()
    try:
        return result.result()
    except BaseException:
        stopped.set()
        for loop, task in running if not result.done() else ():
            with contextlib.suppress(RuntimeError):  # the loop has just ended by itself
                loop.call_soon_threadsafe(task.cancel)
        thread.join()
        raise
