"""What a split says of itself: each part's rows, groups and characters, strata, and what did not come as asked.

Python: `account = Account(table, groups, parts, plan, unit, asked); account.report(); account.lines("prompt", 0)`
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dataforge.errors import DataError
from dataforge.ops.splitting.decision import NAMES, Groups, Plan
from dataforge.ops.splitting.table import Table

__all__ = ["Account"]

SHOWN = 10
OFF = 0.2
"""How far, relative to what is asked for, a part may be off before that is said."""


@dataclass
class Account:
    """A decided split. parts: the part of each group. unit: of amounts. stratify: what strata go by, or None."""

    table: Table
    groups: Groups
    parts: NDArray[np.int8]
    plan: Plan
    unit: str
    stratify: str | None

    @property
    def names(self) -> list[str]:
        """The parts that are written, train first."""
        sizes = (1.0, self.plan.validation, self.plan.test)
        return [name for name, size in zip(NAMES, sizes, strict=True) if size]

    @cached_property
    def homes(self) -> NDArray[np.int8]:
        """The part of each row of the table."""
        return self.parts[self.table.group]

    def check(self) -> None:
        """Raise DataError if a part would be empty."""
        total = int(self.groups.amount.sum())
        for name in self.names:
            if not (self.parts == NAMES.index(name)).any():
                raise DataError(self._empty(name, total), help=self._advice(name))

    def _empty(self, name: str, total: int) -> str:
        if name == "train":
            return f"nothing is left for train: all {total:,} {self.unit} go to the other parts"
        wanted, smallest = self.plan.wanted(NAMES.index(name), total), int(self.groups.amount.min())
        return (
            f"no group goes to {name}: it is to hold about {wanted:,.0f} of {total:,} {self.unit}, "
            f"in {len(self.groups):,} groups of {smallest:,} or more"
        )

    def _advice(self, name: str) -> str:
        if name == "train":
            return "ask for less of --validation or --test, or for smaller groups with --group-by"
        count = max(1, round(self.plan.wanted(NAMES.index(name), int(self.groups.amount.sum()))))
        return f"an amount (--{name} {count}) is met as nearly as whole groups allow, or take another --seed"

    @cached_property
    def sizes(self) -> dict[str, dict[str, Any]]:
        """Rows, groups, characters, amount and share of each part."""
        table, total = self.table, max(1, int(self.groups.amount.sum()))
        homes, found = self.homes, {}
        for name in self.names:
            there = homes == NAMES.index(name)
            amount = int(table.amount[there].sum())
            found[name] = {
                "rows": int(there.sum()),
                "groups": int((self.parts == NAMES.index(name)).sum()),
                "chars": int(table.chars[there].sum()),
                self.unit: amount,
                "share": round(amount / total, 6),
            }
        return found

    @cached_property
    def strata(self) -> dict[str, dict[str, Any]]:
        """Of each stratum the amount of each part, largest stratum first; empty without strata."""
        if self.stratify is None:
            return {}
        count, homes = len(self.table.strata), self.homes
        cell = self.table.stratum.astype(np.int64) * len(NAMES) + homes
        sums = np.bincount(cell, weights=self.table.amount, minlength=count * len(NAMES))
        sums = sums.astype(np.int64).reshape(count, len(NAMES))
        order = sorted(range(count), key=lambda stratum: (-int(sums[stratum].sum()), self.table.strata[stratum]))
        return {
            self.table.strata[stratum]: {name: int(sums[stratum, NAMES.index(name)]) for name in self.names}
            for stratum in order
        }

    @cached_property
    def largest(self) -> dict[str, Any]:
        """The group of the largest amount: its rows, amount, part, and first row."""
        group = int(np.argmax(self.groups.amount))
        amount = int(self.groups.amount[group])
        rows = int((self.table.group == group).sum())
        return {
            "rows": rows,
            self.unit: amount,
            "part": NAMES[self.parts[group]],
            "first": int(self.table.firsts()[group]),
        }

    @cached_property
    def warnings(self) -> list[str]:
        """What a reader must know: groups larger than a part, parts that came out otherwise than asked for."""
        largest, total, found = self.largest, int(self.groups.amount.sum()), []
        for name in self.names[1:]:
            wanted = self.plan.wanted(NAMES.index(name), total)
            if largest[self.unit] > wanted:
                found.append(
                    f"the largest group holds {largest[self.unit]:,} of {total:,} {self.unit}, more than {name} is to "
                    f"hold ({wanted:,.0f}); it stays whole, in {largest['part']}"
                )
            amount = self.sizes[name][self.unit]
            if abs(amount - wanted) > max(1.0, OFF * wanted):
                said = f"{name} holds {amount:,} {self.unit} where {wanted:,.0f} are asked for"
                found.append(f"{said}; {self._reason(name, wanted)}")
        return found

    def _reason(self, name: str, wanted: float) -> str:
        size = self.plan.validation if name == "validation" else self.plan.test
        if size < 1 and self.stratify is None:
            return f"a share goes by the hash of each group, an amount (--{name} {max(1, round(wanted))}) comes nearer"
        return "whole groups allow no more"

    def report(self) -> dict[str, Any]:
        """The account as a JSON value."""
        found: dict[str, Any] = {"unit": self.unit, "parts": self.sizes, "groups": len(self.groups)}
        found["largest_group"] = self.largest
        if self.stratify is not None:
            found["stratify"], found["strata"] = self.stratify, self.strata
        found["warnings"] = self.warnings
        return found

    def lines(self, group_by: str, seed: int) -> list[str]:
        """The account for people: a table of parts, one of strata, and the warnings."""
        sizes, total = self.sizes, int(self.groups.amount.sum())
        lines = [f"split by {self.unit}, groups by {group_by}, seed {seed}:"]
        for name, size in sizes.items():
            amount = f", {size[self.unit]:,} {self.unit}" if self.unit == "tokens" else ""
            asked = "" if name == "train" else f" ({self._asked(name)} asked for)"
            lines.append(
                f"  {name:<11}{size['rows']:,} rows in {size['groups']:,} groups, {size['chars']:,} chars{amount}, "
                f"{size[self.unit] / max(1, total):.2%} of the {self.unit}{asked}"
            )
        largest = self.largest
        amount = "" if self.unit == "rows" else f", {largest[self.unit]:,} {self.unit}"
        lines.append(f"  largest group: {largest['rows']:,} rows{amount}, in {largest['part']}")
        lines += self._strata_lines()
        return lines + [f"  warning: {warning}" for warning in self.warnings]

    def _asked(self, name: str) -> str:
        size = self.plan.validation if name == "validation" else self.plan.test
        return f"{size:.2%}" if size < 1 else f"{size:,.0f}"

    def _strata_lines(self) -> list[str]:
        lines = []
        strata = self.strata
        for name, amounts in list(strata.items())[:SHOWN]:
            whole = max(1, sum(amounts.values()))
            shares = ", ".join(f"{part} {amount / whole:.2%}" for part, amount in amounts.items() if part != "train")
            lines.append(f"  {self.stratify} {name}: {sum(amounts.values()):,} {self.unit}, {shares}")
        if len(strata) > SHOWN:
            lines.append(f"  and {len(strata) - SHOWN:,} more strata (see the report)")
        return lines
