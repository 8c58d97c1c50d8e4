"""Many chains at once: requests go out as chains ask, answers are journaled, rows come out in the order of the input.

Servers are asked freely: a chain goes on as soon as its own round is answered, and a slow one holds up nobody but the
order of the output (at most 8 windows of finished chains wait for it). Models in this process are asked in lock-step:
all chains of the window wait, and their requests are answered in batches whose make-up depends on the input alone, so
that a resumed run rounds its numbers alike.

Nothing here depends on which answer comes first: a chain sees its own answers only, and verdicts are taken chain by
chain. Cost: about 100 microseconds a request; memory for the chains of 8 windows.

Python: `await Schedule(client, journal, take=take, end=end).run(lives)`
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from dataforge.errors import RowError, ServiceError
from dataforge.generate.chain import Chain
from dataforge.generate.running.journal import Journal
from dataforge.generate.running.tally import Events
from dataforge.llm.budget import Spent
from dataforge.llm.client import Client
from dataforge.llm.faults import CONTENT
from dataforge.llm.request import Answer, Failure, Request

__all__ = ["BATCHES", "Live", "LocalAnswers", "Schedule"]

WINDOWS = 4
"""Chains at work for each request in flight: most wait for their turn, and none for want of chains."""
HELD = 8
"""Windows of chains that may wait for a slow one."""
BATCHES = 4
"""Batches of a local model whose chains are at work together."""


class LocalAnswers(Protocol):
    """A model in this process. remarks: things worth telling once."""

    remarks: list[str]

    def answer(self, requests: Sequence[Request]) -> list[Answer]:
        """The answers, in order."""


@dataclass(eq=False)
class Live:
    """A chain at work: its place in the input, and what it has said so far.

    fault: why its row cannot be asked about. returned: what the chain returned.
    """

    ordinal: int
    chain: Chain[Any]
    events: Events
    place: Any = None
    step: int = 0
    requests: list[Request] = field(default_factory=list)
    ended: bool = False
    fault: RowError | None = None
    returned: Any = None

    def go(self, answers: list[Answer] | None) -> None:
        """On to the next round of requests, or to the end."""
        try:
            requests = next(self.chain) if answers is None else self.chain.send(answers)
            while not requests:
                requests = self.chain.send([])
            self.requests = requests
        except StopIteration as end:
            self.returned, self.ended = end.value, True
        except RowError as fault:
            self.fault, self.ended = fault, True

    def ids(self) -> list[str]:
        """The ids of the requests of this round: row, round, and number in the round."""
        return [f"{self.ordinal}.{self.step}.{number}" for number in range(len(self.requests))]


class Schedule:
    """Runs chains to their ends.

    take(live): take the verdicts that the first unfinished chain has given. end(live): it has ended.
    model: asked where a request names none. local: models in this process by spec; with any, all goes in lock-step.
    answered(n): hears of new answers. again: journaled faults of the server are asked again, not replayed (for chains
    that know nothing of each other: what follows such a fault in a chain of the whole run rests on it).
    """

    def __init__(
        self,
        client: Client,
        journal: Journal,
        *,
        model: str,
        concurrency: int,
        take: Callable[[Live], None],
        end: Callable[[Live], None],
        local: Mapping[str, LocalAnswers] | None = None,
        batch_size: int = 8,
        answered: Callable[[int], None] = lambda answers: None,
        again: bool = False,
    ) -> None:
        self._client, self._journal = client, journal
        self._model = model
        self._take, self._end, self._answered = take, end, answered
        self._local, self._batch = dict(local or {}), batch_size
        self._window = BATCHES * batch_size if local else WINDOWS * concurrency
        self._order: deque[Live] = deque()
        self._streak: list[str] = []
        self._again = again
        self.replayed = 0
        self.cached = 0

    async def run(self, lives: Iterator[Live]) -> bool:
        """Run all chains; False if the budget ended before the chains did. Raises ServiceError."""
        try:
            return await (self._lockstep(lives) if self._local else self._flow(lives))
        except ServiceError:
            self._journal.again(self._streak)
            raise

    async def _flow(self, lives: Iterator[Live]) -> bool:
        """Every chain on its own."""
        tasks: set[asyncio.Task[None]] = set()
        wake = asyncio.Event()
        more = True
        try:
            while True:
                self._flush()  # before new chains are begun: what it takes makes room for them
                while more and len(tasks) < self._window and len(self._order) < HELD * self._window:
                    live = None if self._client.budget.exhausted else next(lives, None)
                    if live is None:
                        more = False
                        break
                    self._order.append(live)
                    task = asyncio.create_task(self._drive(live, wake))
                    tasks.add(task)
                    task.add_done_callback(lambda _: wake.set())
                if not tasks and not more:
                    return not self._client.budget.exhausted
                await wake.wait()
                wake.clear()
                for task in [task for task in tasks if task.done()]:
                    tasks.discard(task)
                    task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _drive(self, live: Live, wake: asyncio.Event) -> None:
        live.go(None)
        while not live.ended:
            wake.set()
            pairs = zip(live.ids(), live.requests, strict=True)
            if len(live.requests) == 1:
                answers = [await self._answer(*pair) for pair in pairs]
            else:
                answers = await _all([self._answer(*pair) for pair in pairs])
            live.step += 1
            live.go(answers)

    async def _lockstep(self, lives: Iterator[Live]) -> bool:
        """All chains of the window round by round."""
        more = True
        while True:
            while more and sum(not live.ended for live in self._order) < self._window:
                live = None if self._client.budget.exhausted else next(lives, None)
                if live is None:
                    more = False
                else:
                    live.go(None)
                    self._order.append(live)
            waiting = [live for live in self._order if not live.ended]
            answers = await self._round(
                [pair for live in waiting for pair in zip(live.ids(), live.requests, strict=True)]
            )
            for live in waiting:
                count = len(live.requests)
                own, answers = answers[:count], answers[count:]
                live.step += 1
                live.go(own)
            self._flush()
            if not self._order and not more:
                return not self._client.budget.exhausted

    async def _round(self, asked: list[tuple[str, Request]]) -> list[Answer]:
        """Answers to a round: those of local models batch by batch, all others freely."""
        answers: dict[int, Answer] = {}
        far = [n for n, (_, request) in enumerate(asked) if self._spec(request) not in self._local]
        for number, answer in zip(far, await _all([self._answer(*asked[n]) for n in far]), strict=True):
            answers[number] = answer
        for spec, model in self._local.items():
            near = [n for n, (_, request) in enumerate(asked) if self._spec(request) == spec]
            for start in range(0, len(near), self._batch):
                batch = near[start : start + self._batch]
                answers.update(zip(batch, self._answer_here(model, [asked[n] for n in batch]), strict=True))
                await asyncio.sleep(0)  # where an interrupt is heard
        return [answers[number] for number in range(len(asked))]

    def _answer_here(self, model: LocalAnswers, asked: list[tuple[str, Request]]) -> list[Answer]:
        """The answers to a batch. A batch of which the journal lacks a part is answered again, as a whole."""
        keys = [self._client.key(request) for _, request in asked]
        found = [self._journal.find(id, key) for (id, _), key in zip(asked, keys, strict=True)]
        if None in found:
            made = model.answer([request for _, request in asked])
            for (id, _), key, old, new in zip(asked, keys, found, made, strict=True):
                if old is None:
                    self._journal.answered(id, key, new, Spent())
                    self._answered(1)
            found = [new if old is None else old for old, new in zip(found, made, strict=True)]
        else:
            self.replayed += len(asked)
        return [answer for answer in found if answer is not None]

    async def _answer(self, id: str, request: Request) -> Answer:
        """The answer of the journal, or else of a server."""
        key = self._client.key(request)
        found = self._journal.find(id, key)
        if found is not None and not (self._again and isinstance(found, Failure) and found.rule not in CONTENT):
            self.replayed += 1
            return found
        outcome = await self._client.ask(id, request, int(id.partition(".")[0]))
        answer = outcome.answer
        if isinstance(answer, Failure):
            if answer.rule == "budget":
                return answer  # a larger budget may have room for it
            if answer.rule not in CONTENT:
                self._streak.append(id)
        else:
            self._streak.clear()
            self.cached += answer.cached
        self._journal.answered(id, key, answer, outcome.spent)
        self._answered(1)
        return answer

    def _spec(self, request: Request) -> str:
        return request.model or self._model

    def _flush(self) -> None:
        """Take what the first chains have said, in the order of the input."""
        while self._order:
            self._take(self._order[0])
            if not self._order[0].ended:
                return
            self._end(self._order.popleft())


async def _all(answers: list[Any]) -> list[Answer]:
    """All answers, in order; the first exception ends the others."""
    tasks = [asyncio.ensure_future(answer) for answer in answers]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()
