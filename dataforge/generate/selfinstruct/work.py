"""One run of Self-Instruct at work: its pool, its rules, its requests, and how many rows it still wants.

Python: `work = Work(seeds, task, sink)`; then the recipes in `bootstrap.py` and `onereply.py`
"""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from dataforge.generate.asking import Asked, ask
from dataforge.generate.chain import Chain, Made, Sink, together
from dataforge.generate.novelty import Verdict
from dataforge.generate.reading.replies import Unreadable, plain
from dataforge.generate.selfinstruct.pool import Member, Pool
from dataforge.generate.selfinstruct.rules import Rules
from dataforge.generate.selfinstruct.seeds import Seed, one_exchange
from dataforge.generate.task import Task
from dataforge.llm.request import Failure, Reply, Request

if TYPE_CHECKING:
    from dataforge.generate.self_instruct import SelfInstructConfig

__all__ = ["Found", "Work", "read_text"]

T = TypeVar("T")


def read_text(reply: Reply, read: Callable[[str], T]) -> T:
    """What `read` makes of the reply without thinking and wrapping.

    Where it raises Unreadable for a reply that was cut, that is the reason given.
    """
    try:
        return read(plain(reply.text))
    except Unreadable:
        if reply.truncated:
            what = "the reply was cut before it said anything to be read; --reply-tokens allows longer ones"
            raise Unreadable("truncated", what) from None
        raise


class Found(NamedTuple):
    """A new instruction that passed the rules and is novel. shown: the tasks of the prompt that it came of."""

    member: Member
    verdict: Verdict
    shown: list[Member]
    reply: Reply
    request: Request


class Work:
    """What the recipes share. kept: instructions that became a row. ended: the budget has no room for more."""

    def __init__(self, seeds: Sequence[Seed], task: Task, sink: Sink) -> None:
        config: SelfInstructConfig = task.config
        self.config, self.task, self.sink = config, task, sink
        self.reference = config.compat == "reference"
        self.completion = config.completion
        one_reply = config.recipe == "alpaca"
        self.rules = Rules(task.lang, media=one_reply, keywords=not config.allow_keywords, reference=self.reference)
        self.pool = Pool(
            seeds,
            task.rng,
            human=config.shown_human,
            machine=config.shown_machine,
            threshold=config.novelty,
            reference=self.reference,
        )
        self.kept = 0
        self.ended = False
        self.lost: Counter[str] = Counter()
        self._asked: Counter[str] = Counter()

    @property
    def missing(self) -> int:
        """Instructions still wanted."""
        return max(self.config.n - self.kept, 0)

    def size(self, barren: int) -> int:
        """Requests of the next round: as many as are needed if all goes well, twice that for each barren round before.

        Never more than `--round`.
        """
        needed = math.ceil(self.missing / self.config.asked_for)
        return min(self.config.round, needed << min(barren, 12))

    # requests

    def request(self, stage: str, *, number: int | None = None, **values: Any) -> Request:
        """The request of a stage, in the style of the run. number: what `{n}` in the stop texts of its file stands for.

        A prompt that was asked before gets the next `sample`, so that neither cache nor server answers it alike.
        """
        name = f"self-instruct/{stage}-text" if self.completion else f"self-instruct/{stage}"
        request = self.task.request(name, **values)
        if number is not None:
            stop = tuple(text.replace("{n}", str(number)) for text in request.stop)
            request = dataclasses.replace(request, stop=stop)
        key = request.key("")
        self._asked[key] += 1
        return dataclasses.replace(request, sample=self._asked[key] - 1)

    def ask_all(
        self, requests: Sequence[Request], readers: Sequence[Callable[[Reply], T]]
    ) -> Chain[list[Asked[T] | Failure]]:
        """Ask all, each until its reply can be read."""
        chains = [ask(self.task, request, read) for request, read in zip(requests, readers, strict=True)]
        answers = yield from together(chains)
        for answer in answers:
            self.note(answer)
        return answers

    def note(self, answer: Any) -> None:
        """See whether the budget ended the work."""
        self.ended = self.ended or (isinstance(answer, Failure) and answer.rule == "budget")

    # verdicts

    def drop(self, rule: str, text: str, detail: str = "") -> None:
        """A candidate fell to a rule."""
        self.lost[rule] += 1
        self.sink.drop(rule, text, detail)

    def fail(self, failure: Failure, text: str = "") -> None:
        """A candidate, or a request for some, got no sound answer."""
        self.lost[failure.rule] += 1
        self.sink.failed(failure, text)

    def admit(self, text: str, instance: tuple[str, str] = ("", "")) -> tuple[Verdict, Member | None]:
        """Make an instruction a member of the pool; one that is not novel is dropped."""
        verdict, member = self.pool.admit(text, instance)
        if member is None:
            self.drop("not_novel", text, f"{verdict.score:.3f} to: {verdict.nearest}")
        return verdict, member

    def keep(self, found: Found, instance: tuple[str, str], reply: Reply, request: Request, **more: Any) -> None:
        """A row: an instruction with an instance. reply, request: those that gave the instance."""
        task = self.task
        seeds = [member.seed for member in found.shown if member.seed is not None]
        numbers = sorted(member.number for member in found.shown if member.number is not None)
        parents = tuple(sorted({seed.id for seed in seeds}))
        record = one_exchange(found.member.text, *instance)
        record.parents = parents
        provenance = task.provenance(
            reply,
            request,
            recipe=self.config.recipe,
            number=found.member.number,
            parents=list(parents),
            seeds=[seed.name for seed in seeds],
            **({"machine": numbers} if numbers else {}),
            nearest=self.pool.nearest(found.verdict),
            **more,
        )
        self.sink.keep(Made(record, provenance))
