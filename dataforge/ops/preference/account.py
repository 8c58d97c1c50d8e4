"""What a run of pair says of itself: answers by use, pairs, lengths, position bias, the balance of verdicts.

KTO weighs wanted and unwanted answers. Its authors advise weights with which

    1 <= (desirable_weight * wanted) / (undesirable_weight * unwanted) <= 4/3

(Ethayarajh et al. 2024, arXiv 2402.01306; TRL's trainer warns outside of it). The weights that are suggested leave one
class at 1 and raise the rarer one as little as will do.

Python: `kto_weights(300, 100)  # {"desirable": 1.0, "undesirable": 2.25}`
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

from dataforge.ops.preference.positions import position_bias
from dataforge.ops.preference.strategy import BY, UNUSED, Decided
from dataforge.ops.preference.table import CHOSEN, REJECTED, Table

__all__ = ["account_of", "kto_weights", "told"]

MOST = 4 / 3
"""Most that wanted answers may weigh against unwanted ones."""
LOST = "lost:"
FEW = 5
SHOWN = ("longer", "shorter", "equal", "q5", "q50", "q95", "mean")


def kto_weights(wanted: int, unwanted: int) -> dict[str, float] | None:
    """TRL's `desirable_weight` and `undesirable_weight` for so many rows of each kind; None if a kind is missing."""
    if not wanted or not unwanted:
        return None
    if wanted < unwanted:
        return {"desirable": math.ceil(100 * unwanted / wanted) / 100, "undesirable": 1.0}
    most = wanted / (MOST * unwanted)
    return {"desirable": 1.0, "undesirable": max(1.0, math.ceil(round(100 * most, 6)) / 100)}


def _balance(wanted: int, unwanted: int) -> dict[str, Any]:
    return {"wanted": wanted, "unwanted": unwanted, "weights": kto_weights(wanted, unwanted)}


def _against(table: Table, decided: Decided) -> int:
    """Pairs that labels decided, and whose scores say the opposite."""
    labelled = decided.by == BY.index("label")
    return int((labelled & (table.score[decided.chosen] < table.score[decided.rejected])).sum())


def account_of(table: Table, decided: Decided, stats: Mapping[str, int], *, verdicts: bool) -> dict[str, Any]:
    """The numbers of a run, for the report. stats: of the workers; verdicts: rows of single answers were written.

    labelled: answers that came with a label, and KTO weights for them. verdicts: rows written; `wanted_answers` and
    `unwanted_answers` of them are different ones (an answer of several pairs has a row for each).
    """
    codes = Counter(UNUSED[code] or "used" for code in decided.unused.tolist())
    found: dict[str, Any] = {
        "prompts": table.groups,
        "answers": len(table),
        "pairs": len(decided.chosen),
        "answers_by_use": dict(sorted(codes.items())),
        "by": {BY[code]: int(count) for code, count in zip(*np.unique(decided.by, return_counts=True), strict=True)},
        "lost_scores": {k.removeprefix(LOST): v for k, v in sorted(stats.items()) if k.startswith(LOST)},
        **decided.report,
        "labels_against_scores": _against(table, decided),
        "position_bias": position_bias(table.votes),
        "labelled": _balance(int((table.label == CHOSEN).sum()), int((table.label == REJECTED).sum())),
    }
    if verdicts:
        sides = {"wanted": decided.chosen, "unwanted": decided.rejected}
        found["verdicts"] = _balance(len(decided.chosen), len(decided.rejected))
        found["verdicts"] |= {f"{name}_answers": len(np.unique(entries)) for name, entries in sides.items()}
    return found


def told(account: Mapping[str, Any]) -> list[str]:
    """What people read of an account."""
    unused = {name: count for name, count in account["answers_by_use"].items() if name != "used"}
    listed = ", ".join(f"{name} {count:,}" for name, count in unused.items())
    used = account["answers_by_use"].get("used", 0)
    lines = [
        f"  {account['pairs']:,} pairs of {account['prompts']:,} prompts; "
        f"{used:,} of {account['answers']:,} answers used" + (f", unused: {listed}" if listed else "")
    ]
    lost = account["lost_scores"]
    if lost:
        most = sorted(lost.items(), key=lambda item: -item[1])
        more = f" and {len(most) - FEW:,} more kinds" if len(most) > FEW else ""
        listed = ", ".join(f"{name} {count:,}" for name, count in most[:FEW])
        lines.append(f"  left out of scores: {listed}{more}")
    if account["labels_against_scores"]:
        lines.append(f"  {account['labels_against_scores']:,} pairs whose labels say the opposite of their scores")
    bias = account["position_bias"]
    if bias:
        lines.append(
            f"  {bias['both_orders']:,} pairs of answers compared in both orders: {bias['consistent']:,} with the same "
            f"outcome, {bias['first_twice']:,} won by the first twice, {bias['second_twice']:,} by the second twice, "
            f"{bias['half_tied']:,} tied once; the first wins {bias['first_share']:.1%}"
        )
    return lines + _lengths(account) + _verdicts(account)


def _lengths(account: Mapping[str, Any]) -> list[str]:
    """The table of chosen minus rejected length; before and after where lengths were balanced."""
    tables = account["lengths"]
    balance = account.get("balance_length")
    rows = [("before", tables["before"]), ("after", tables["after"])] if balance else [("", tables["after"])]
    rows = [(name, row) for name, row in rows if row["pairs"]]
    if not rows:
        return []
    head = "".join(f"{title:>9}" for title in ("longer", "shorter", "equal", "p5", "median", "p95", "mean"))
    lines = [f"  {'chosen - rejected, characters':<31}{'pairs':>9}{head}"]
    for name, row in rows:
        cells = [f"{row[key]:.1%}" if key in SHOWN[:3] else f"{round(row[key]) + 0:,}" for key in SHOWN]
        lines.append(f"  {name:<31}{row['pairs']:>9,}" + "".join(f"{cell:>9}" for cell in cells))
    if balance:
        reached = "" if balance["reached"] else "; too few pairs of the other kind for 48 to 52 %"
        changed = f"{balance['swapped']:,} pairs swapped, {balance['dropped']:,} dropped"
        lines.append(f"  lengths balanced: {changed}{reached}")
    return lines


def _verdicts(account: Mapping[str, Any]) -> list[str]:
    """The balance of the rows that were written, and of the labelled answers that came in where they differ."""
    lines = []
    labelled, written = account["labelled"], account.get("verdicts")
    if labelled["wanted"] != labelled["unwanted"]:
        lines.append(_balanced("labelled answers read", labelled))
    if written:
        lines.append(_balanced("verdicts written", written))
    return lines


def _balanced(name: str, balance: Mapping[str, Any]) -> str:
    weights = balance["weights"]
    advice = "KTO needs both kinds"
    if weights:
        advice = f"KTO weights {weights['desirable']:g} and {weights['undesirable']:g}"
    return f"  {name}: {balance['wanted']:,} wanted, {balance['unwanted']:,} unwanted; {advice}"
