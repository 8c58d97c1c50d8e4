"""How much may be spent: each request reserves its upper bound before it is sent, and is settled by what it used.

spent + reserved never goes beyond a limit, however many requests are in flight. A request that does not fit waits for
those in flight to settle; if none is in flight, it will never fit, and the budget is exhausted.

Python: `budget = Budget(ClientConfig(model="m", max_requests=100)); await budget.reserve(Spent(1, 500))`
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass

import orjson

from dataforge.llm.request import Request
from dataforge.llm.settings import BudgetConfig

__all__ = ["NOTHING", "Budget", "Spent", "prompt_bound"]

TOKENS_A_MESSAGE = 16
"""Upper bound of what a chat template puts around a message."""
TOKENS_A_CHAT = 128
"""What chat templates put before all messages by themselves: a system message, a date."""
CENT_FRACTION = 1e-9
"""Sums of floats are as exact as this, in units of the currency."""


@dataclass(frozen=True, slots=True)
class Spent:
    """Requests sent, tokens paid for (prompts and replies), money in the currency of the prices. `+` and `-` work."""

    requests: int = 0
    tokens: int = 0
    cost: float = 0.0

    def __add__(self, other: Spent) -> Spent:
        return Spent(self.requests + other.requests, self.tokens + other.tokens, self.cost + other.cost)

    def __sub__(self, other: Spent) -> Spent:
        return Spent(self.requests - other.requests, self.tokens - other.tokens, self.cost - other.cost)


NOTHING = Spent()


def prompt_bound(request: Request) -> int:
    """Upper bound of a request's prompt in tokens, of any model whose tokens are at least a byte each.

    UTF-8 bytes of the messages + 16 a message + 128 a chat + bytes of the schema.
    """
    bound = sum(len(message["content"].encode(errors="replace")) for message in request.messages)
    bound += TOKENS_A_MESSAGE * len(request.messages) + (0 if request.raw else TOKENS_A_CHAT)
    return bound + len(orjson.dumps(request.schema)) if request.schema is not None else bound


class Budget:
    """The limits of a run, and what of them is used.

    spent: of the whole run, the sittings before this one included. reserved: of requests in flight.
    exhausted: True once a request was refused. priced: True if the prices of all models asked so far are known.
    currency: of `cost`.
    """

    def __init__(self, config: BudgetConfig, spent: Spent = NOTHING, *, currency: str = "USD") -> None:
        self.spent = spent
        self.reserved = NOTHING
        self.exhausted = False
        self.priced = True
        self.currency = currency
        self._requests = config.max_requests
        self._tokens = config.max_tokens
        self._cost = config.max_cost
        self._waiting: deque[tuple[Spent, asyncio.Future[bool]]] = deque()

    def _fits(self, hold: Spent) -> bool:
        used = self.spent + self.reserved + hold
        return not (
            (self._requests is not None and used.requests > self._requests)
            or (self._tokens is not None and used.tokens > self._tokens)
            or (self._cost is not None and used.cost > self._cost + CENT_FRACTION)
        )

    async def reserve(self, hold: Spent) -> bool:
        """Set aside what a request may use at most; False if there is no room and none will come."""
        if not self._waiting and self._fits(hold):
            self.reserved += hold
            return True
        granted: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append((hold, granted))
        self._advance()
        try:
            return await granted
        except asyncio.CancelledError:
            if granted.done() and not granted.cancelled() and granted.result():
                self.settle(hold, NOTHING)
            raise

    def settle(self, hold: Spent, used: Spent) -> None:
        """Give a reservation back and book what was used in its stead."""
        self.reserved -= hold
        if self.reserved.requests == 0:
            self.reserved = NOTHING  # no dust of floats
        self.spent += used
        if self._waiting:
            self._advance()

    def refuse(self) -> None:
        """Let nobody wait any longer: the run ends."""
        while self._waiting:
            _, granted = self._waiting.popleft()
            if not granted.done():
                granted.set_result(False)

    def _advance(self) -> None:
        """Serve those who wait, first come first served; the first refuses to be overtaken."""
        while self._waiting:
            hold, granted = self._waiting[0]
            if not granted.done():
                if self._fits(hold):
                    self.reserved += hold
                    granted.set_result(True)
                elif self.reserved.requests:
                    return
                else:
                    self.exhausted = True
                    granted.set_result(False)
            self._waiting.popleft()
