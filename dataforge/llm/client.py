"""Asks models: one request, one checked answer, whatever servers do in between.

    cache -> pace -> budget -> try -> checked reply -> cache

A fault that may pass is tried again after a back-off with full jitter, random(0, min(60 s, 0.5 s * 2^n)), or after what
the server asks to wait. A fault of one request becomes a Failure; one that makes going on senseless a ServiceError.
Everything runs in one asyncio loop; the cache writes in a thread. About 1 ms of CPU a request.

Python: `outcome = await Client(ClientConfig(model="gpt-4o-mini")).ask("row-1", Request((message("user", "Hi"),)))`
"""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from xxhash import xxh3_128_hexdigest

from dataforge.errors import ServiceError, UsageError
from dataforge.llm.address import parse_spec
from dataforge.llm.budget import NOTHING, Budget, Spent, prompt_bound
from dataforge.llm.faults import CONTENT, Fault, Kind, of_status, what_to_do, what_went_wrong
from dataforge.llm.pace import REAL, Clock, Gauge
from dataforge.llm.prices import Prices
from dataforge.llm.remarks import Remarks, SeenIds
from dataforge.llm.request import Answer, Failure, Reply, Request
from dataforge.llm.settings import ClientConfig
from dataforge.llm.targets import Target, Targets
from dataforge.llm.wire import learn, read, same_model, write

if TYPE_CHECKING:
    from dataforge.llm.cache import ReplyCache

__all__ = ["Client", "Outcome", "Spent"]

BASE = 0.5
CAP = 60.0
EMPTY = 2
"""Most further tries after replies without text: they are paid for, and seldom get better."""
LESSONS = 8
"""Most shapes of one request that are tried."""
OnSend = Callable[[str, str, int, float], None]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a request, and what it cost, its failed tries included."""

    answer: Answer
    spent: Spent


class Client:
    """Asks the models of a run.

    config: who answers, how fast, for how much. seed: of the run; part of every key. spent: by the sittings before
    this one. on_send(id, key, tokens, cost): called before every attempt with what was reserved for it.
    Raises UsageError where a key, an address or a price is missing.

    budget: what is spent and reserved.
    """

    def __init__(
        self,
        config: ClientConfig,
        *,
        seed: int = 0,
        spent: Spent = NOTHING,
        on_send: OnSend | None = None,
        clock: Clock = REAL,
    ) -> None:
        self.config = config
        self._seed = seed
        self._on_send = on_send
        self._clock = clock
        self._remarks = Remarks()
        prices = Prices.read(config.prices)
        self._targets = Targets(config, prices, self._remarks, clock)
        self.budget = Budget(config, spent, currency=prices.currency)
        self._tickets = itertools.count()
        self._ids = SeenIds()
        self._flying: dict[str, asyncio.Future[Answer]] = {}
        self._failed = 0
        self._over: ServiceError | None = None
        if config.model and not parse_spec(config.model).folder:  # "": a method that asks nothing
            self._target(config.model)

    @cached_property
    def _cache(self) -> ReplyCache:
        """Opened by the first request: a run that asks nothing leaves nothing."""
        from dataforge.llm.cache import open_cache  # SQLite is not loaded for a command's help

        return open_cache(self.config.cache, self._remarks.add)

    @property
    def remarks(self) -> list[str]:
        """Things worth telling once: a server without reply schemas, another model that answers, ids that repeat."""
        return self._remarks.lines

    @property
    def pace(self) -> Gauge:
        """Requests in flight (`in_flight`) and how many may be (`limit`), over all servers."""
        return self._targets.gauge

    def local(self, request: Request) -> bool:
        """True if the request is for a model in this process, which this client does not ask."""
        return (request.model or self.config.model).startswith("local:")

    def key(self, request: Request) -> str:
        """Hash of everything that shapes the reply, but for the server: the name of a request in journals."""
        name = parse_spec(request.model or self.config.model).name
        return (replace(request, model="") if request.model else request).key(name, self._seed)

    def check(self, spec: str) -> None:
        """Raise UsageError if a model spec cannot be used: no key, no address, no price although money is limited."""
        if not parse_spec(spec).folder:
            self._target(spec)

    def _target(self, spec: str) -> Target:
        target = self._targets.of(spec)
        self.budget.priced = self._targets.priced
        return target

    async def ask(self, id: str, request: Request, order: int = 0) -> Outcome:
        """Answer a request, from the cache or by a server. id: who asks (for the journal, and for chance).

        order: of those that wait, requests with a lower one go out first; equal ones as they come.

        Raises ServiceError where going on is senseless; everybody who waits is told so.
        """
        spec = request.model or self.config.model
        if self.local(request):
            raise UsageError(f"{spec}: a model in this process is not asked over a client")
        target = self._target(spec)
        key = self.key(request)
        try:
            "".join(part["content"] for part in request.messages).encode()
        except UnicodeEncodeError:
            detail = "the prompt holds halves of characters (lone surrogates), which cannot be sent"
            return Outcome(Failure("not_unicode", detail, attempts=0), NOTHING)
        if not self._cache.active:
            return await self._pay(id, key, request, target, order)
        stored = self._stored(key, request, target)
        while True:
            found = self._cache.get(stored)
            if found is not None:
                return Outcome(found, NOTHING)
            if stored not in self._flying:
                return await self._keep(id, key, stored, request, target, order)
            answer = await asyncio.shield(self._flying[stored])
            if isinstance(answer, Reply) and not answer.truncated:
                return Outcome(replace(answer, cached=True), NOTHING)

    async def _keep(self, id: str, key: str, stored: str, request: Request, target: Target, order: int) -> Outcome:
        """Ask, and keep a sound reply; who asks the same meanwhile waits for it."""
        coming: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._flying[stored] = coming
        answer: Answer = Failure("cancelled", attempts=0)
        try:
            outcome = await self._pay(id, key, request, target, order)
            answer = outcome.answer
            if isinstance(answer, Reply) and not answer.truncated:
                self._cache.put(stored, answer)
            return outcome
        finally:
            del self._flying[stored]
            coming.set_result(answer)

    def _stored(self, key: str, request: Request, target: Target) -> str:
        """The key of the cache: the request, the server's address, and settings of the wire that shape the reply."""
        plain = request.schema is not None and self.config.structured == "never"
        config = self.config
        more = f" {config.extra_body}" if config.extra_body else ""
        return xxh3_128_hexdigest(f"{key} {target.address} {plain} {config.server_seed}{more}".encode())

    async def _pay(self, id: str, key: str, request: Request, target: Target, order: int) -> Outcome:
        """Try until there is a sound reply, the tries are used up, or the budget is."""
        prompt = prompt_bound(request)
        hold = Spent(1, prompt + request.max_tokens, target.cost(prompt, request.max_tokens))
        if self.config.tpm is not None and hold.tokens > self.config.tpm:
            detail = f"it may take {hold.tokens:,} tokens, more than --tpm {self.config.tpm:,} lets through in a minute"
            return Outcome(Failure("over_tpm", detail, attempts=0), NOTHING)
        ticket = order, next(self._tickets)
        spent, tries, lessons = NOTHING, 0, 0
        while True:
            self._go_on()
            await target.pace.enter(ticket)
            try:
                used, came = await self._attempt(id, key, request, target, hold)
            finally:
                target.pace.leave()
            spent += used
            if isinstance(came, Reply):
                self._failed = 0
                return Outcome(came, spent)
            if isinstance(came, Failure):
                return Outcome(replace(came, attempts=spent.requests), spent)
            if came.kind is Kind.SHAPE and lessons < LESSONS:
                lessons += 1
            elif came.kind is Kind.PASSES and tries < self._most_tries(came):
                tries += 1
                await self._clock.sleep(_back_off(came, tries, f"{id} {key} {tries}"))
            else:
                return Outcome(self._give_up(came, spent.requests, target), spent)

    def _most_tries(self, fault: Fault) -> int:
        return min(EMPTY, self.config.retries) if fault.rule == "empty" else self.config.retries

    async def _attempt(
        self, id: str, key: str, request: Request, target: Target, hold: Spent
    ) -> tuple[Spent, Reply | Failure | Fault]:
        """Send a request once, within budget and pace: what was used, and the reply or what came in its stead."""
        self._go_on()
        if not await self.budget.reserve(hold):
            self._go_on()
            return NOTHING, Failure("budget", "no budget is left for this request")
        used, counted = NOTHING, None
        try:
            self._go_on()
            counted = await target.pace.clear(hold.tokens)
            self._go_on()
            if self._on_send is not None:
                self._on_send(id, key, hold.tokens, hold.cost)
            used = hold  # until it is known better
            came = await self._exchange(key, request, target)
            if isinstance(came, Fault):
                used = _used(came.tokens, hold, target) if came.paid else Spent(1)
                return used, self._judge(came, target)
            target.pace.went_well()
            used = _used((came.prompt_tokens, came.completion_tokens), hold, target)
            self._look_at(came, target, used, hold)
            return used, came
        finally:
            target.pace.correct(counted, used.tokens)
            self.budget.settle(hold, used)

    async def _exchange(self, key: str, request: Request, target: Target) -> Reply | Fault:
        """One request out, one checked reply back, or a fault. Learns what the server does not take."""
        sent = target.shape.state()
        seed = int(key[:7], 16) if self.config.server_seed else None
        path, body = write(request, target.name, target.shape, seed)
        try:
            raw = await target.endpoint.post(path, body)
            if 200 <= raw.status < 300:
                return read(raw.body, request, target.shape)
            fault = of_status(raw.status, raw.headers, raw.body)
            lesson = learn(target.shape, self.config, request, fault.detail, sent) if raw.status in (400, 422) else None
        except Fault as caught:
            return caught  # what is raised later shall not carry it along: it may quote a key
        if lesson is not None and fault.rule not in CONTENT:
            fault.kind = Kind.SHAPE
            if lesson:
                self._remarks.once(f"{target.name} at {target.address} {lesson}")
        return fault

    def _look_at(self, reply: Reply, target: Target, used: Spent, hold: Spent) -> None:
        """Remark what is odd about a sound reply."""
        if used.tokens > hold.tokens:
            self._remarks.add(f"{target.name} counts more tokens than a request may take; limits may be exceeded by it")
        if reply.model and not same_model(reply.model, target.name):
            self._remarks.add(f"{self._targets.mask(reply.model)[:80]} answers where {target.name} was asked")
        if reply.id and self._ids.again(reply.id):
            self._remarks.add(f"{target.address} gives the same id to several replies")

    def _judge(self, fault: Fault, target: Target) -> Fault:
        """Slow down where the fault asks for it, and end the run where going on is senseless."""
        fault.detail = self._targets.mask(fault.detail)
        if fault.slow:
            target.pace.setback()
        if fault.kind is Kind.RUN:
            help = what_to_do(fault, self.config.api_key_env)
            self._end(f"{target.address}: {what_went_wrong(fault, target.name)}", help)
        if fault.wait is not None and fault.wait > self.config.timeout:
            waits = f"asks to wait {fault.wait:,.0f} seconds, longer than --timeout {self.config.timeout:g}"
            self._end(f"{target.address} {waits}: {fault.detail}", "go on later with --resume, or raise --timeout")
        if fault.wait and fault.rule in ("http_429", "http_503"):
            target.pace.pause(fault.wait)
        return fault

    def _give_up(self, fault: Fault, attempts: int, target: Target) -> Failure:
        """The failure of a request. Too many in a row end the run, and so does a server that nobody ever reached."""
        if fault.rule not in CONTENT:
            self._failed += 1
            if fault.rule == "connect" and not target.endpoint.answered:
                self._end(fault.detail, "check --base-url, and that the server runs")
            if self._failed >= self.config.give_up:
                self._end(
                    f"{self._failed} requests in a row failed, the last with: {fault.rule}: {fault.detail}",
                    "see to the server and go on with --resume, or raise --give-up",
                )
        return Failure(fault.rule, fault.detail, attempts)

    def _end(self, message: str, help: str) -> None:
        """End the run: raise ServiceError, here and in everybody who waits."""
        if self._over is None:
            self._over = ServiceError(self._targets.mask(message), help=help)
            self.budget.refuse()
            self._targets.release()
        self._go_on()

    def _go_on(self) -> None:
        """Raise what ended the run, if it has ended."""
        if self._over is not None:
            raise ServiceError(self._over.message, help=self._over.help)

    async def close(self) -> None:
        """Write the cache to the end and close all connections."""
        if "_cache" in self.__dict__:
            self._cache.close()
        await self._targets.close()


def _used(counted: tuple[int | None, int | None] | None, hold: Spent, target: Target) -> Spent:
    """What an attempt cost: what the server counted, or else all that was reserved."""
    prompt, reply = counted or (None, None)
    if not prompt or reply is None:  # no prompt is of 0 tokens: such a server counts nothing
        return hold
    return Spent(1, prompt + reply, target.cost(prompt, reply))


def _back_off(fault: Fault, tries: int, seed: str) -> float:
    """Seconds before the next try: what the server asks for and a little, or a random share of a growing span."""
    chance = random.Random(seed)
    if fault.wait is not None:
        return fault.wait + chance.uniform(0.0, min(1.0, 0.1 + 0.1 * fault.wait))
    return chance.uniform(0.0, min(CAP, BASE * 2.0 ** (tries - 1)))
