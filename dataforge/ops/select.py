"""`select`: the rows whose scores meet a condition, or the best of them, by the score tables that are there.

Reads `IN.scores/*.parquet` (made by `dataforge score`) and the rows; writes the rows that stay, as they stand. Each
--where, and each part of it between top-level ANDs, is a rule of its own: the ledger says which one a row fell to, and
its values. A row for which a condition is null is dropped by the rule `where_null:...`, unless --keep-null. Then --top
keeps the best rows of what is left. Quantiles and other aggregates are over all rows of all inputs (or of each group).

--explain shows for each rule what it removes, what only it removes, and examples; with --dry-run nothing is written,
and without --explain nothing but the tables is read then.

Cost: the decision takes a second for a million rows; then two passes over the input.
CLI: `dataforge select chat.jsonl -o good.jsonl --where "ppl < quantile(ppl, 0.9) and n_chars >= 20"`
Python: `dataforge.select("chat.jsonl", output="good.jsonl", top="10%", by="score")`
"""

from __future__ import annotations

from dataclasses import dataclass

from dataforge.config import RunOptions, check, option
from dataforge.errors import UsageError
from dataforge.ledger import Result
from dataforge.ops.selection.apply import Choice, choose, where_clauses
from dataforge.ops.selection.decision import Top, parse_top
from dataforge.registry import Operation

__all__ = ["OPERATION", "SelectConfig", "select"]


@dataclass(frozen=True)
class SelectConfig:
    """Settings of select."""

    where: tuple[str, ...] = option(
        (), help='keep rows that meet this SQL condition over their scores, like "n_chars >= 20" (repeatable)'
    )
    keep_null: bool = option(False, help="keep rows for which a --where is null, because they lack a score")
    top: str | int | None = option(None, help="keep only the best rows: a number, or a share like 10%")
    by: str | None = option(None, help="the score (or an SQL expression over scores) that says which rows are best")
    ascending: bool = option(False, help="the lowest are the best")
    per_group: str | None = option(
        None, help="a score column: --top, quantiles and other aggregates are within each of its values"
    )
    explain: bool = option(False, help="show what each rule removes, what only it removes, and examples")

    def __post_init__(self) -> None:
        check(self)
        where_clauses(self.where, keep_null=self.keep_null)
        self.best()

    def best(self) -> Top | None:
        """What --top and --by ask for."""
        if (self.top is None) != (self.by is None):
            raise UsageError("--top and --by go together", help="--top 10000 --by n_chars")
        return None if self.top is None or self.by is None else parse_top(self.top, self.by, self.ascending)


def select(inputs: tuple[str, ...], output: str | None, config: SelectConfig, options: RunOptions) -> Result:
    """Select rows; raises InputError where a score table is missing or stale, UsageError for a wrong condition."""
    clauses = where_clauses(config.where, keep_null=config.keep_null)
    top = config.best()
    if not clauses and top is None:
        raise UsageError("nothing says which rows to keep", help='--where "n_chars >= 20", or --top 10000 --by n_chars')
    choice = Choice(clauses, top, config.per_group, config.explain)
    return choose("select", inputs, output, config, choice, options)


OPERATION = Operation(
    name="select",
    config=SelectConfig,
    run=select,
    options=("workers", "on_error", "force", "dry_run", "limit", "json", "quiet", "forge", "keep_dropped"),
)
