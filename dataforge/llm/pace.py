"""How fast a server is asked: an adaptive window of requests in flight, limits a minute, and common pauses.

The window grows while replies come and shrinks at signs of overload (AIMD: additive increase, multiplicative decrease;
doubling until the first setback, as TCP's slow start does). RPM and TPM hold over any 60 seconds, not by the clock's
minute. Requests are served in the order of their tickets.

Python: `pace = Pace(ClientConfig(model="m", rpm=60)); await pace.enter((0, 1)); await pace.clear(tokens=500)`
"""

from __future__ import annotations

import asyncio
import heapq
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from dataforge.llm.settings import PaceConfig

__all__ = ["REAL", "Clock", "Gauge", "Pace", "Window"]

MINUTE = 60.0
FIRST = 8
"""Requests in flight at the start."""
SHRINK = 0.75
COOL_DOWN = 2.0
"""Seconds after a setback in which further ones belong to the same burst."""
NAP = 1.0
"""Longest sleep in seconds before limits are looked at again: a reply may have freed tokens meanwhile."""


@dataclass(frozen=True)
class Clock:
    """Where time comes from; tests have one that does not wait."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep


REAL = Clock()


@dataclass(frozen=True)
class Gauge:
    """For people: requests in flight, and how many may be at the moment."""

    in_flight: int
    limit: int


class Window:
    """Amounts of the last 60 seconds, exact for any 60 seconds: an amount counts from its sending until 60 s later."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.total = 0
        self._entries: deque[list[float]] = deque()

    def wait(self, now: float, amount: int) -> float:
        """Seconds until the amount fits (0.0: now), as far as is known."""
        self._forget(now)
        over = self.total + amount - self.limit
        if over <= 0:
            return 0.0
        for sent, size in self._entries:
            over -= int(size)
            if over <= 0:
                return max(sent + MINUTE - now, 1e-6)
        return MINUTE

    def take(self, now: float, amount: int) -> list[float]:
        """Count an amount from now on; what is returned can be corrected."""
        entry = [now, float(amount)]
        self._entries.append(entry)
        self.total += amount
        return entry

    def correct(self, entry: list[float], amount: int) -> None:
        """The amount turned out to be another one."""
        if entry[0] >= 0:
            self.total += amount - int(entry[1])
            entry[1] = float(amount)

    def _forget(self, now: float) -> None:
        while self._entries and self._entries[0][0] + MINUTE <= now:
            entry = self._entries.popleft()
            self.total -= int(entry[1])
            entry[0] = -1.0  # a correction that comes later finds nothing to correct


class Pace:
    """The pace of one server."""

    def __init__(self, config: PaceConfig, clock: Clock = REAL) -> None:
        self.in_flight = 0
        self.limit = float(min(FIRST, config.concurrency))
        self._most = float(config.concurrency)
        self._clock = clock
        self._growing = True
        self._cut = float("-inf")
        self._pause = float("-inf")
        self._waiting: list[tuple[tuple[int, int], asyncio.Future[None]]] = []
        self._requests = Window(config.rpm) if config.rpm else None
        self._tokens = Window(config.tpm) if config.tpm else None
        self._gate = asyncio.Lock()

    async def enter(self, ticket: tuple[int, int]) -> None:
        """Wait for a place among those in flight; lower tickets come first."""
        if not self._waiting and self.in_flight < int(self.limit):
            self.in_flight += 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (ticket, turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.leave()
            raise

    def leave(self) -> None:
        """Give the place back."""
        self.in_flight -= 1
        self._advance()

    def _advance(self) -> None:
        while self._waiting and self.in_flight < int(self.limit):
            _, turn = heapq.heappop(self._waiting)
            if not turn.done():
                self.in_flight += 1
                turn.set_result(None)

    async def clear(self, tokens: int) -> list[float] | None:
        """Wait until pauses and limits a minute allow a request of so many tokens; to be called right before sending.

        What is returned goes to `correct` once the tokens are known.
        """
        if self._gate.locked() or self._wait(tokens) > 0:
            async with self._gate:  # those who wait are served in order
                while (wait := self._wait(tokens)) > 0:
                    await self._clock.sleep(min(wait, NAP))
        now = self._clock.now()
        if self._requests:
            self._requests.take(now, 1)
        return self._tokens.take(now, tokens) if self._tokens else None

    def _wait(self, tokens: int) -> float:
        now = self._clock.now()
        wait = self._pause - now
        if self._requests:
            wait = max(wait, self._requests.wait(now, 1))
        if self._tokens:
            wait = max(wait, self._tokens.wait(now, tokens))
        return wait

    def correct(self, entry: list[float] | None, tokens: int) -> None:
        """So many tokens were used after all."""
        if self._tokens and entry is not None:
            self._tokens.correct(entry, tokens)

    def pause(self, seconds: float) -> None:
        """Send nothing for so long."""
        self._pause = max(self._pause, self._clock.now() + seconds)

    def went_well(self) -> None:
        """A reply came: widen the window, if it is in use."""
        if self.limit < self._most and (self._waiting or self.in_flight >= int(self.limit)):
            self.limit = min(self._most, self.limit + (1.0 if self._growing else 1.0 / self.limit))
            self._advance()

    def setback(self) -> None:
        """A sign of overload: narrow the window, once a burst."""
        now = self._clock.now()
        if now - self._cut >= COOL_DOWN:
            self._cut = now
            self._growing = False
            self.limit = max(1.0, self.limit * SHRINK)

    def release(self) -> None:
        """Let nobody wait any longer: the run ends, and whoever wakes up is to look."""
        while self._waiting:
            _, turn = heapq.heappop(self._waiting)
            if not turn.done():
                self.in_flight += 1
                turn.set_result(None)
