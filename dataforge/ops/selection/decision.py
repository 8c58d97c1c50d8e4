"""What stays, decided on score tables: conditions, then the best rows of each group; nothing is scored again.

A rule is a condition that a row must meet; each is looked at for every row, whatever the others say, so that one knows
what only it removes. A row falls to the first rule that it does not meet. After the rules, `Top` keeps the best rows of
what is left: ties in the order of the rows, rows without a value never. With a group, aggregates (quantile, avg, ...)
and Top are within each of its values; null is a group of its own.

Cost: about 10 ns a row and rule, and 9 bytes a row beside the columns.
Python: `decide(scores, [Clause("where:n_chars >= 20", Condition.of("n_chars >= 20"))]).stays`
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dataforge.errors import UsageError, shorten
from dataforge.ops.selection.expressions import Condition, unreadable

if TYPE_CHECKING:
    import polars as pl

__all__ = ["Clause", "Decision", "Top", "Verdict", "decide", "parse_top", "value_text"]

RANK, VALUE = "rank", " value"


@dataclass(frozen=True)
class Clause:
    """A condition that rows must meet.

    name: as the ledger has it. null: the name under which rows go for which it is null; None: they stay.
    source, why: where its threshold comes from, and its reason.
    """

    name: str
    condition: Condition
    null: str | None = None
    source: str = ""
    why: str = ""


@dataclass(frozen=True)
class Top:
    """The best rows: `count` of them (of each group), or that `share` of them, by an expression over the scores."""

    by: Condition
    count: int | None = None
    share: float | None = None
    ascending: bool = False
    spelled: str = ""

    @property
    def name(self) -> str:
        """The rule of rows that are not among the best."""
        return f"top:{self.by.text}"

    @property
    def null(self) -> str:
        """The rule of rows that have no value."""
        return f"top_null:{self.by.text}"


def parse_top(text: str | int, by: str, ascending: bool) -> Top:
    """`10000`, or `10%` of the rows that are left (rounded to the nearest whole number, halves up)."""
    match = re.fullmatch(r"(\d[\d_,]*|\d+\.?\d*\s*%)", str(text).strip())
    amount = float(match[1].rstrip("% ").replace(",", "").replace("_", "")) if match else -1.0
    percent = str(text).strip().endswith("%")
    if match is None or (percent and amount > 100):
        raise UsageError(f"--top: {shorten(text)!r} is no number of rows and no share", help="10000, or 10%")
    condition = Condition.of(by)
    if percent:
        return Top(condition, share=amount / 100, ascending=ascending, spelled=str(text).strip())
    return Top(condition, count=int(amount), ascending=ascending, spelled=str(text).strip())


@dataclass
class Verdict:
    """What one rule says of all rows. removed: a mask over all rows. only: how many of them no other rule removes.

    columns: what its condition is about. thresholds: its aggregates: one value, or a column where there are groups.
    """

    name: str
    text: str
    removed: NDArray[np.bool_]
    columns: tuple[str, ...]
    thresholds: dict[str, Any] = field(default_factory=dict)
    source: str = ""
    why: str = ""
    only: int = 0


@dataclass
class Decision:
    """The outcome for all rows. code: 0 for rows that stay (and faulty ones), else one more than the verdict's place.

    scores: the columns that the decision was made on. readable: the rows that took part.
    """

    scores: pl.DataFrame
    readable: NDArray[np.bool_]
    code: NDArray[np.int16]
    verdicts: list[Verdict]
    group: str | None = None

    @property
    def stays(self) -> NDArray[np.bool_]:
        """The rows that stay."""
        left: NDArray[np.bool_] = self.readable & (self.code == 0)
        return left

    def details(self, code: int, rows: NDArray[np.int64]) -> list[str]:
        """For rows that a verdict removes their values: `n_chars = 7; quantile(n_chars, 0.1) = 20`."""
        verdict = self.verdicts[code - 1]
        shown = [(name, self.scores[name].gather(rows).to_list()) for name in verdict.columns]
        for text, value in verdict.thresholds.items():
            one = isinstance(value, int | float | str | bool | None)
            shown.append((text, [value] * len(rows) if one else value.gather(rows).to_list()))
        spelled = [[f"{name} = {value_text(value)}" for value in values] for name, values in shown]
        return ["; ".join(parts) for parts in zip(*spelled, strict=True)] if spelled else [""] * len(rows)


def value_text(value: Any) -> str:
    """A score as people read it."""
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, float):
        return f"{value:.6g}"
    return repr(shorten(value, 40)) if isinstance(value, str) else str(value)


def decide(
    scores: pl.DataFrame,
    rules: Sequence[Clause],
    top: Top | None = None,
    group: str | None = None,
    readable: NDArray[np.bool_] | None = None,
) -> Decision:
    """Apply all rules to all readable rows, then Top to what is left.

    Raises UsageError for a condition that is none (a number, a comparison of a text with a number).
    """
    readable = np.ones(scores.height, bool) if readable is None else readable
    told = scores if readable.all() else scores.filter(readable)
    verdicts: list[Verdict] = []
    for rule in rules:
        verdicts += _judge(told, rule, group)
    code = np.zeros(told.height, np.int16)
    fails = np.zeros(told.height, np.int16)
    for place, verdict in enumerate(verdicts, 1):
        code[verdict.removed & (code == 0)] = place
        fails += verdict.removed
    for verdict in verdicts:
        verdict.only = int((verdict.removed & (fails == 1)).sum())
    if top is not None:
        for verdict in _best(told, top, group, code == 0):
            verdicts.append(verdict)
            code[verdict.removed] = len(verdicts)
    return _spread(Decision(scores, readable, code, verdicts, group))


def _judge(scores: pl.DataFrame, rule: Clause, group: str | None) -> list[Verdict]:
    """The verdict of a rule, and one for rows of which it says nothing."""
    import polars as pl

    met = _column(scores, rule.condition, group)
    if met.dtype == pl.Null:
        met = met.cast(pl.Boolean)
    if met.dtype != pl.Boolean:
        help = f"compare it with something: {rule.condition.text} > 0"
        raise UsageError(f"{shorten(rule.condition.text)!r} is no condition, it gives {_kind(met.dtype)}", help=help)
    columns = rule.condition.columns
    parts = () if rule.condition.has_window else rule.condition.aggregates
    thresholds = {part.text: _threshold(scores, part, group) for part in parts}
    failed = (~met).fill_null(False).to_numpy()
    verdicts = [Verdict(rule.name, rule.condition.text, failed, columns, thresholds, rule.source, rule.why)]
    null = met.is_null().to_numpy()
    if rule.null is not None and null.any():
        verdicts.append(Verdict(rule.null, f"{rule.condition.text} is null", null, columns, {}, rule.source, rule.why))
    return verdicts


def _column(scores: pl.DataFrame, condition: Condition, group: str | None) -> pl.Series:
    """An expression over all rows; within each group where it has aggregates and names no rows of its own."""
    import polars as pl

    expression = condition.expression
    if group is not None and condition.aggregates and not condition.has_window:
        expression = expression.over(group)
    try:
        # with_columns puts a single value beside every row
        return scores.with_columns(expression.alias(VALUE)).get_column(VALUE)
    except pl.exceptions.PolarsError as fault:
        raise unreadable(condition.text, fault) from None


def _threshold(scores: pl.DataFrame, part: Condition, group: str | None) -> Any:
    """An aggregate: one value, or a column of the value for each row where there are groups."""
    column = _column(scores, part, group)
    if group is not None:
        return column
    return column[0] if len(column) else None


def _best(scores: pl.DataFrame, top: Top, group: str | None, left: NDArray[np.bool_]) -> list[Verdict]:
    """What Top removes of the rows that are left: those without a value, and those behind the best."""
    import polars as pl

    value = _column(scores, top.by, group)
    if not (value.dtype.is_numeric() or value.dtype in (pl.Boolean, pl.Null)):
        raise UsageError(f"--by {shorten(top.by.text)!r} gives {_kind(value.dtype)}; a number is needed")
    value = value.cast(pl.Float64) if value.dtype == pl.Null else value
    value = value.fill_nan(None) if value.dtype.is_float() else value
    groups = pl.Series("group", np.zeros(scores.height, np.int8)) if group is None else scores[group].alias("group")
    frame = pl.DataFrame([value.alias("value"), groups]).filter(left)
    rank = pl.col("value").rank("ordinal", descending=not top.ascending).over("group")
    limit: Any = top.count if top.share is None else (pl.len().over("group") * top.share + 0.5).floor()
    ranked = frame.select(rank.alias(RANK), (rank > limit).fill_null(False).alias("behind"))
    places = np.flatnonzero(left)
    removed = np.zeros((2, scores.height), bool)
    removed[0, places] = ranked["behind"].to_numpy()
    removed[1, places] = ranked[RANK].is_null().to_numpy()
    what = f"the {'lowest' if top.ascending else 'highest'} {top.spelled} by {top.by.text}"
    what += f" of each {group}" if group else ""
    verdicts = [Verdict(top.name, what, removed[0], top.by.columns)]
    if removed[1].any():
        verdicts.append(Verdict(top.null, f"{top.by.text} is null", removed[1], top.by.columns))
    for verdict in verdicts:
        verdict.only = int(verdict.removed.sum())
    return verdicts


def _spread(decision: Decision) -> Decision:
    """A decision on the readable rows as one on all rows."""
    import polars as pl

    readable = decision.readable
    if readable.all():
        return decision
    place = np.cumsum(readable) - 1
    picked = pl.Series(np.where(readable, place, -1)).replace(-1, None)

    def wide(mask: NDArray[Any]) -> NDArray[Any]:
        out = np.zeros(len(readable), mask.dtype)
        out[readable] = mask
        return out

    for verdict in decision.verdicts:
        verdict.removed = wide(verdict.removed)
        for text, value in verdict.thresholds.items():
            verdict.thresholds[text] = value.gather(picked) if isinstance(value, pl.Series) else value
    decision.code = wide(decision.code)
    return decision


def _kind(dtype: Any) -> str:
    if dtype.is_numeric():
        return "a number"
    return "a text" if str(dtype) == "String" else f"a value of the type {dtype}"
