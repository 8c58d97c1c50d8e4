"""The shape of a method: a chain asks, is answered, and says what came of it.

A chain is a generator: it yields lists of requests (a round), is sent the list of their answers in the same order, and
tells its Sink what it made, dropped and failed at. It knows no server, file, clock or global random state, so what it
says depends on its input, its seed and the answers alone. That is what makes a run repeatable with hundreds of requests
in flight, and lets a journal of answers replay it to the same rows.

    def expand(task: Task, sink: Sink) -> Chain:
        request = task.request("evol/deepen", instruction=text)
        (answer,) = yield [request]
        sink.asked()
        if isinstance(answer, Failure):
            sink.failed(answer)
        else:
            sink.keep(Made(record, provenance=task.provenance(answer, request)))

Python: `made = drive(expand(task, sink), answer=lambda request: Reply("..."))` (tests, plans)
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from dataforge.llm.request import Answer, Request
from dataforge.record import Record

__all__ = ["Chain", "Made", "Sink", "drive", "together"]

T = TypeVar("T")
Chain = Generator[list[Request], list[Answer], T]
"""Yields rounds of requests, is sent their answers in order, and returns T (None for the chain of a method)."""


@dataclass(slots=True)
class Made:
    """A new row.

    novel: the text that must be new among all rows made, where the run asks for novelty.
    candidates: how many of those asked for it holds (the answers of one row).
    """

    record: Record
    provenance: dict[str, Any] = field(default_factory=dict)
    novel: str | None = None
    candidates: int = 1


class Sink(Protocol):
    """Where a chain says what came of what it asked for. One `asked` for each candidate, and then one verdict each.

    asked = kept + dropped + failed is checked when the chain ends, where a row kept counts for all candidates in it.
    """

    def asked(self, candidates: int = 1) -> None:
        """So many candidates were asked for, or found in a reply."""

    def keep(self, made: Made) -> None:
        """A candidate became a row."""

    def drop(self, rule: str, text: str, detail: str = "") -> None:
        """A candidate fell to a named rule; text: the candidate as it stood."""

    def failed(self, failure: Any, text: str = "") -> None:
        """No sound answer came (a Failure), or none that could be read."""

    def count(self, what: str, number: int = 1) -> None:
        """Something worth a line in the report that is no verdict (`refusals kept`, `failed: MODEL`)."""


def together(chains: Iterable[Chain[T]]) -> Chain[list[T]]:
    """Run chains side by side: their rounds become common rounds. The list of what they return, in order.

    Usage inside a chain: `results = yield from together(part(x) for x in xs)`.
    """
    running = list(chains)
    results: dict[int, T] = {}
    waiting: dict[int, list[Request]] = {}
    for index, chain in enumerate(running):
        _step(index, chain, None, waiting, results)
    while waiting:
        order = list(waiting)
        answers = yield [request for index in order for request in waiting[index]]
        start = 0
        for index in order:
            size = len(waiting.pop(index))
            _step(index, running[index], answers[start : start + size], waiting, results)
            start += size
    return [results[index] for index in range(len(running))]


def _step(
    index: int,
    chain: Chain[T],
    answers: list[Answer] | None,
    waiting: dict[int, list[Request]],
    results: dict[int, T],
) -> None:
    """Move a chain to its next round of requests (an empty one is answered at once), or to its end."""
    try:
        requests = next(chain) if answers is None else chain.send(answers)
        while not requests:
            requests = chain.send([])
        waiting[index] = requests
    except StopIteration as end:
        results[index] = end.value


def drive(chain: Chain[T], answer: Callable[[Request], Answer]) -> T:
    """Run a chain to its end in this thread, one request after another."""
    requests: Sequence[Request]
    try:
        requests = next(chain)
        while True:
            requests = chain.send([answer(request) for request in requests])
    except StopIteration as end:
        value: T = end.value
        return value
