"""What came of what was asked for: kept, dropped by rule, failed by reason; and the law that they add up.

    asked = kept + every drop rule + every failure

Python: `tally = Tally(); tally.asked += 1; tally.kept += 1; tally.check()`
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from dataforge.errors import ConservationError, shorten
from dataforge.generate.chain import Made

__all__ = ["COUNT", "DROP", "FAIL", "KEEP", "Event", "Events", "Tally"]

KEEP, DROP, FAIL, COUNT = "kept", "dropped", "failed", "counted"
EXAMPLES = 3


@dataclass(slots=True)
class Event:
    """A verdict on one candidate: kept (then `made` is the row), dropped or failed by a rule; or something counted.

    number: candidates that it is about (the answers in one row), or what is added to a count.
    """

    fate: str
    rule: str = ""
    text: str = ""
    detail: str = ""
    made: Made | None = None
    number: int = 1


class Events:
    """The Sink of one chain: verdicts in order, taken by the run when their turn has come."""

    def __init__(self) -> None:
        self.candidates = 0
        self.events: list[Event] = []

    def asked(self, candidates: int = 1) -> None:
        """So many candidates were asked for."""
        self.candidates += candidates

    def keep(self, made: Made) -> None:
        """A candidate became a row."""
        self.events.append(Event(KEEP, made=made, number=made.candidates))

    def drop(self, rule: str, text: str, detail: str = "") -> None:
        """A candidate fell to a rule."""
        self.events.append(Event(DROP, rule, text, detail))

    def failed(self, failure: Any, text: str = "") -> None:
        """No sound answer came."""
        self.events.append(Event(FAIL, failure.rule, text, failure.detail))

    def count(self, what: str, number: int = 1) -> None:
        """Something worth a line in the report that is no verdict."""
        self.events.append(Event(COUNT, what, number=number))


@dataclass
class Tally:
    """Candidates by what became of them.

    rows: rows that hold those kept. counted: what is no verdict. examples: the first few of each rule.
    """

    asked: int = 0
    kept: int = 0
    rows: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    counted: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)

    def add(self, event: Event) -> None:
        """Count a verdict."""
        if event.fate == KEEP:
            self.kept += event.number
            self.rows += 1
            return
        if event.fate == COUNT:
            self.counted[event.rule] += event.number
            return
        (self.dropped if event.fate == DROP else self.failed)[event.rule] += event.number
        shown = self.examples.setdefault(event.rule, [])
        if len(shown) < EXAMPLES:
            shown.append(shorten(event.detail or event.text, 200))

    def check(self) -> None:
        """Raise ConservationError unless every candidate has a verdict."""
        verdicts = self.kept + self.dropped.total() + self.failed.total()
        if self.asked != verdicts:
            raise ConservationError(f"candidates do not add up: {self.asked} asked for, {verdicts} with a verdict")

    def as_dict(self) -> dict[str, Any]:
        """The counts as a JSON value."""
        return {
            "asked": self.asked,
            "kept": self.kept,
            "dropped": dict(sorted(self.dropped.items())),
            "failed": dict(sorted(self.failed.items())),
            **({"counted": dict(sorted(self.counted.items()))} if self.counted else {}),
        }

    def line(self) -> str:
        """The counts in words: `asked 120: 80 kept, 30 dropped (near_duplicate 30), 10 failed (timeout 10)`."""
        parts = [f"{self.kept:,} kept"]
        for name, rules in (("dropped", self.dropped), ("failed", self.failed)):
            if rules:
                listed = ", ".join(f"{rule} {count:,}" for rule, count in rules.most_common())
                parts.append(f"{rules.total():,} {name} ({listed})")
        counted = "".join(f"; {what} {count:,}" for what, count in self.counted.most_common())
        return f"asked {self.asked:,}: {', '.join(parts)}{counted}"
