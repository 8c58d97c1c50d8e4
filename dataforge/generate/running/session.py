"""Everything that a run needs to have its requests answered: client, local models, journal, loop, and the live line.

Python: `Session(config, options, journal, Status(1000, tally)).run(lives, take, end)`
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from dataforge.config import RunOptions
from dataforge.generate.method import GenerationConfig
from dataforge.generate.running.apart import run_apart
from dataforge.generate.running.journal import Journal
from dataforge.generate.running.live import LiveLine, duration, money
from dataforge.generate.running.resume import LOCAL, local_specs, model_specs
from dataforge.generate.running.schedule import Live, LocalAnswers, Schedule
from dataforge.generate.running.tally import Tally
from dataforge.llm.budget import Spent
from dataforge.llm.client import Client

__all__ = ["Session", "Status"]


@dataclass
class Status:
    """Where a run stands, for the live line. wanted: rows asked for, or None."""

    wanted: int | None
    tally: Tally
    began: float = field(default_factory=time.monotonic)
    answers: int = 0
    client: Client | None = None
    currency: str = ""

    def line(self) -> str:
        """`kept 312 of 1,000; dropped 90 (not_novel 60); 410 requests, 1.2M tokens, 0.84 USD; 8 in flight, 5.3/s`."""
        tally, client = self.tally, self.client
        goal = f" of {self.wanted:,}" if self.wanted is not None else ""
        parts = [f"kept {tally.kept:,}{goal}"]
        if tally.dropped:
            rule, count = tally.dropped.most_common(1)[0]
            parts.append(f"dropped {tally.dropped.total():,} ({rule} {count:,})")
        if tally.failed:
            parts.append(f"failed {tally.failed.total():,}")
        seconds = max(time.monotonic() - self.began, 1e-9)
        if client is not None:
            spent = client.budget.spent
            parts.append(f"{spent.requests:,} requests, {_amount(spent.tokens)} tokens{_money(client, spent)}")
            parts.append(f"{client.pace.in_flight} in flight, {self.answers / seconds:.1f}/s")
        if self.wanted and tally.kept:
            left = seconds / tally.kept * max(self.wanted - tally.kept, 0)
            parts.append(f"{duration(left)} left")
        return "; ".join(parts)


def _amount(number: int) -> str:
    """`812`, `64.2k`, `1.3M`."""
    if number < 10_000:
        return f"{number:,}"
    return f"{number / 1e6:.1f}M" if number >= 1_000_000 else f"{number / 1e3:.1f}k"


def _money(client: Client, spent: Spent) -> str:
    return f", {money(spent.cost)} {client.budget.currency}" if client.budget.priced else ""


class Session:
    """Answers the requests of one run. again: see Schedule."""

    def __init__(
        self, config: GenerationConfig, options: RunOptions, journal: Journal, status: Status, *, again: bool = False
    ) -> None:
        self.again = again
        self.config, self.options, self.journal, self.status = config, options, journal, status
        self.client: Client | None = None
        self._schedule: Schedule | None = None
        self._local: dict[str, LocalAnswers] = {}

    def run(self, lives: Iterator[Live], take: Callable[[Live], None], end: Callable[[Live], None]) -> bool:
        """Run all chains; False if the budget ended first. Raises ServiceError."""
        local = self._local = {spec: self._open(spec) for spec in local_specs(self.config)}
        with LiveLine(self.status.line, quiet=self.options.quiet):
            return run_apart(lambda: self._answer_all(lives, take, end, local))

    def _open(self, spec: str) -> LocalAnswers:
        from dataforge.llm.local import LocalModel

        config = self.config
        return LocalModel(
            spec.removeprefix(LOCAL), batch_size=config.batch_size, threads=config.threads, seed=self.options.seed
        )

    async def _answer_all(
        self,
        lives: Iterator[Live],
        take: Callable[[Live], None],
        end: Callable[[Live], None],
        local: dict[str, LocalAnswers],
    ) -> bool:
        journal = self.journal
        client = self.client = Client(self.config, seed=self.options.seed, spent=journal.spent, on_send=journal.sent)
        self.status.client = client
        for spec in model_specs(self.config):
            client.check(spec)
        self._schedule = Schedule(
            client,
            journal,
            model=self.config.model,
            concurrency=self.config.concurrency,
            take=take,
            end=end,
            local=local,
            batch_size=self.config.batch_size,
            answered=self._count,
            again=self.again,
        )
        try:
            return await self._schedule.run(lives)
        finally:
            await client.close()

    def _count(self, answers: int) -> None:
        self.status.answers += answers

    def line(self) -> str:
        """What it took, in words; "" if no server was asked."""
        client, schedule = self.client, self._schedule
        if client is None or schedule is None:
            return ""
        spent = client.budget.spent
        parts = []
        if spent.requests:
            parts.append(f"{spent.requests:,} requests, {spent.tokens:,} tokens{_money(client, spent)}")
        if schedule.cached:
            parts.append(f"{schedule.cached:,} answers from the cache")
        if schedule.replayed:
            parts.append(f"{schedule.replayed:,} from the journal")
        return "; ".join(parts)

    def remarks(self) -> list[str]:
        """What client and local models found worth telling."""
        told = [*(self.client.remarks if self.client is not None else [])]
        return told + [remark for model in self._local.values() for remark in model.remarks]

    def report(self) -> dict[str, Any]:
        """What stands in report.json."""
        client, schedule = self.client, self._schedule
        if client is None or schedule is None:
            return {}
        spent = client.budget.spent
        return {
            "requests": spent.requests,
            "tokens": spent.tokens,
            "cost": round(spent.cost, 6) if client.budget.priced else None,
            "currency": client.budget.currency if client.budget.priced else None,
            "cached": schedule.cached,
            "replayed": schedule.replayed,
            "remarks": self.remarks(),
        }
