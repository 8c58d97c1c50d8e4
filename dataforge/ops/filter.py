"""`filter`: score and select in one go, by a named preset of rules, by conditions of one's own, or by both.

Makes the score tables that the rules need beside the inputs (`IN.scores/`; --no-save-scores keeps none) unless they are
there and fresh, so that another run with other thresholds scores nothing again. Streams can be filtered too. Rules of
a preset are called `preset:rule` in the ledger; one that does not apply to a row (its expression is null: the answer
of a document) does not remove it. `--without RULE --where ...` puts another threshold in a rule's place. All other
options are those of `select`; presets, with the source of every threshold, are in docs/presets.md.

Cost: that of the scorers, then of select.
CLI: `dataforge filter chat.jsonl -o good.jsonl --preset sft --explain`
Python: `dataforge.filter("chat.jsonl", output="good.jsonl", preset="sft").counts.rules`
"""

from __future__ import annotations

from dataclasses import dataclass

from dataforge.config import RunOptions, check, option
from dataforge.errors import UsageError, did_you_mean
from dataforge.ledger import Result
from dataforge.ops.select import SelectConfig
from dataforge.ops.selection.apply import Choice, choose, where_clauses
from dataforge.ops.selection.decision import Clause
from dataforge.ops.selection.expressions import Condition
from dataforge.ops.selection.presetpage import entries, table
from dataforge.ops.selection.presets import PRESETS
from dataforge.registry import Operation

__all__ = ["OPERATION", "FilterConfig", "filter_rows", "preset_clauses"]


@dataclass(frozen=True)
class FilterConfig(SelectConfig):
    """Settings of filter."""

    preset: str | None = option(None, help="named rules: --list shows them", choices=tuple(PRESETS))
    without: tuple[str, ...] = option((), help="leave out this rule of the preset (repeatable)")
    save_scores: bool = option(True, help="keep the score tables beside the inputs")
    list_presets: bool = option(
        False, help="list the presets, their rules and where these come from, and read nothing", flags=("--list",)
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        check(self)
        preset_clauses(self.preset, self.without)


def preset_clauses(preset: str | None, without: tuple[str, ...]) -> tuple[Clause, ...]:
    """The rules of a preset but those left out (named with or without `preset:`); UsageError for an unknown one."""
    if preset is None:
        if without:
            raise UsageError("--without needs a --preset whose rules it leaves out")
        return ()
    rules = {rule.name: rule for rule in PRESETS[preset].rules}
    left_out = {name.removeprefix(f"{preset}:") for name in without}
    for name in left_out - rules.keys():
        raise UsageError(f"{name!r} is no rule of the preset {preset}", help=did_you_mean(name, rules))
    return tuple(
        Clause(f"{preset}:{name}", Condition.of(rule.keep), source=rule.source, why=rule.why)
        for name, rule in rules.items()
        if name not in left_out
    )


def filter_rows(inputs: tuple[str, ...], output: str | None, config: FilterConfig, options: RunOptions) -> Result:
    """Filter rows by the preset and the conditions; raises UsageError where neither says anything."""
    if config.list_presets:
        return Result("filter", lines=table(), data=entries())
    clauses = (
        *preset_clauses(config.preset, config.without),
        *where_clauses(config.where, keep_null=config.keep_null),
    )
    top = config.best()
    if not clauses and top is None:
        help = f'--preset {"|".join(PRESETS)}, --where "n_chars >= 20", or --top 10000 --by n_chars'
        raise UsageError("nothing says which rows to keep", help=help)
    choice = Choice(clauses, top, config.per_group, config.explain, score=True, save=config.save_scores)
    return choose("filter", inputs, output, config, choice, options)


OPERATION = Operation(
    name="filter",
    config=FilterConfig,
    run=filter_rows,
    options=("workers", "on_error", "force", "dry_run", "limit", "json", "quiet", "forge", "keep_dropped"),
)
