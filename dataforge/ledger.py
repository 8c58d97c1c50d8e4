"""Fates and conservation: every row that enters a step leaves with exactly one fate.

kept      the row went out unchanged in content
repaired  it went out changed, by a named rule
dropped   it was left out, by a named rule
unused    a mix or a pairing had no need of it
error     it could not be read, or the target cannot carry it; it stands in rejects.jsonl

    rows in  = kept + repaired + dropped + unused + errors
    rows out = sum of n_out + generated

Python: `Counts(rows_in=3, kept=2, dropped=1, rows_out=2).check()`
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from dataforge.errors import ConservationError

__all__ = ["DROPPED", "ERROR", "FATES", "KEPT", "REPAIRED", "UNUSED", "Counts", "Result", "TokenCounts"]

FATES = ("kept", "repaired", "dropped", "unused", "error")
KEPT, REPAIRED, DROPPED, UNUSED, ERROR = range(5)
"""Codes of the fates, as the ledger stores them (index into FATES)."""


@dataclass
class Counts:
    """Counts of rows by fate; `rules` counts by (fate, rule); `sum_n_out` is what the ledger says went out."""

    rows_in: int = 0
    kept: int = 0
    repaired: int = 0
    dropped: int = 0
    unused: int = 0
    errors: int = 0
    rows_out: int = 0
    generated: int = 0
    sum_n_out: int = 0
    rules: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, fate: int, rule: str = "", *, rows: int = 1, n_out: int = 0) -> None:
        """Count `rows` rows of one fate, together giving `n_out` output rows."""
        name = "errors" if fate == ERROR else FATES[fate]
        setattr(self, name, getattr(self, name) + rows)
        self.rows_in += rows
        self.sum_n_out += n_out
        if rule:
            self.rules[FATES[fate], rule] += rows

    def check(self) -> None:
        """Raise ConservationError unless both laws hold."""
        fates = self.kept + self.repaired + self.dropped + self.unused + self.errors
        if self.rows_in != fates:
            raise ConservationError(f"rows do not add up: {self.rows_in} in, {fates} with a fate")
        if self.rows_out != self.sum_n_out + self.generated:
            raise ConservationError(
                f"rows do not add up: {self.rows_out} written, "
                f"{self.sum_n_out} by the ledger + {self.generated} generated"
            )

    def as_dict(self) -> dict[str, Any]:
        """The counts as a JSON value (for report and manifest)."""
        return {
            "in": self.rows_in,
            "kept": self.kept,
            "repaired": self.repaired,
            "dropped": self.dropped,
            "unused": self.unused,
            "errors": self.errors,
            "out": self.rows_out,
            "generated": self.generated,
            "rules": {f"{fate}:{rule}": count for (fate, rule), count in sorted(self.rules.items())},
        }


@dataclass
class TokenCounts:
    """The law of conservation for tokens of one source: in = trained + masked + truncated + dropped."""

    tokens_in: int = 0
    trained: int = 0
    masked: int = 0
    truncated: int = 0
    dropped: int = 0

    def check(self, source: str = "") -> None:
        """Raise ConservationError unless the law holds."""
        total = self.trained + self.masked + self.truncated + self.dropped
        if self.tokens_in != total:
            raise ConservationError(
                f"tokens do not add up{' in ' + source if source else ''}: {self.tokens_in} in, {total} with a fate"
            )

    def as_dict(self) -> dict[str, int]:
        """The counts as a JSON value."""
        return {
            "in": self.tokens_in,
            "trained": self.trained,
            "masked": self.masked,
            "truncated": self.truncated,
            "dropped": self.dropped,
        }


@dataclass
class Result:
    """What a command found and did; the object that Python twins return.

    counts: rows by fate. report: everything that is in report.json. output: path written, or None.
    lines: the summary for people, one sentence a line. problems: one-line descriptions of faulty rows with their
    places (the first ten; `counts.errors` has the number of all). data: what inspect, eval and others say as a value.
    decision: of commands that compare rows, an object to ask why and to decide again (`ops/duplicates/decision.py`).
    shortfall: why less was made than was asked for; "" where nothing is missing.
    """

    command: str
    counts: Counts = field(default_factory=Counts)
    report: dict[str, Any] = field(default_factory=dict)
    output: str | None = None
    lines: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    data: Any = None
    decision: Any = None
    shortfall: str = ""

    @property
    def ok(self) -> bool:
        """True if no row was faulty and nothing that was asked for is missing."""
        return self.counts.errors == 0 and not self.shortfall

    @property
    def exit_code(self) -> int:
        """0 if all is well, 1 if the data has problems."""
        return 0 if self.ok else 1
