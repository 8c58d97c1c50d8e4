"""Selecting rows by score tables: read or make the tables, decide, copy what stays. `select` and `filter` share it.

First pass: which rows can be read, their ids, and the scores that are missing (in worker processes). Decide: polars
over the columns that the rules name. Second pass: copy the rows that stay, byte for byte if they are lines of JSON. A
dry run needs no pass where all tables are there.

Cost: 50 bytes of memory a row and 8 a score in use; two passes over the input.
Python: `Selection("select", ("chat.jsonl",), "out.jsonl", options).choose(config, clauses, None)`
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dataforge.config import RunOptions
from dataforge.engine.copying import copied
from dataforge.engine.plan import plan_result
from dataforge.engine.run import Part, Run
from dataforge.io.reading import is_regular
from dataforge.ledger import DROPPED, KEPT, Result
from dataforge.ops.dedup import refuse_tables
from dataforge.ops.rows import DROP, FAULTY, STAY
from dataforge.ops.scorers import owner_of
from dataforge.ops.scores.making import Plan, refuse_unknown, scores_of
from dataforge.ops.scores.table import Table, folder_of
from dataforge.ops.selection.decision import Clause, Decision, Top, decide
from dataforge.ops.selection.explain import explain, figures
from dataforge.ops.selection.expressions import Condition, split_clauses
from dataforge.registry import SCORERS

__all__ = ["Choice", "choose", "where_clauses"]


@dataclass(frozen=True)
class Choice:
    """What is to be chosen. score: make the tables that are missing; save: keep them beside the inputs."""

    clauses: tuple[Clause, ...]
    top: Top | None = None
    group: str | None = None
    explain: bool = False
    score: bool = False
    save: bool = True

    @property
    def columns(self) -> list[str]:
        """The score columns that it needs."""
        named = [name for clause in self.clauses for name in clause.condition.columns]
        named += [*(self.top.by.columns if self.top else ()), *([self.group] if self.group else ())]
        return list(dict.fromkeys(named))


def where_clauses(where: Sequence[str], *, keep_null: bool) -> tuple[Clause, ...]:
    """A clause for every part of the conditions, each once; raises UsageError for one that cannot be read."""
    parts = dict.fromkeys(part for text in where for part in split_clauses(text))
    made = [Condition.of(part) for part in parts]
    return tuple(Clause(f"where:{one.text}", one, None if keep_null else f"where_null:{one.text}") for one in made)


def choose(
    command: str, inputs: tuple[str, ...], output: str | None, config: Any, choice: Choice, options: RunOptions
) -> Result:
    """Write the rows that meet every clause and are among the best; see `Choice`."""
    run = Run(command, inputs, output, options)
    refuse_tables(run)
    plan = _plan(run, choice)
    if options.dry_run:
        return _rehearse(run, plan, choice)
    with run, ExitStack() as stack:
        parts = _first_pass(run, plan, choice, stack)
        decision, starts = _decide(run, parts, plan, choice)
        rows_out = _apply(run, parts, decision, starts)
        told = explain(run.sources, plan.places, decision, examples=choice.explain)
        result = run.finish(config, rows_out=rows_out, extra={"rules": figures(decision)})
    result.lines += [*_about(run, plan, choice), *(told.lines if choice.explain else ())]
    if choice.explain:
        result.data = {**result.report, "rules": told.data}
    return result


def _plan(run: Run, choice: Choice) -> Plan:
    """The tables that are there and those to be made; raises where a column is unknown, absent or stale."""
    plan = Plan(run.sources, [{} for _ in run.sources], [[] for _ in run.sources], [None for _ in run.sources])
    columns = choice.columns
    if not choice.score:
        for source in run.sources:
            folder_of(source)
    refuse_unknown(columns, plan)
    if not choice.score:
        plan.take(columns)
        return plan
    scorers = list(dict.fromkeys(owner for name in columns if (owner := owner_of(name)) is not None))
    plan = Plan.of(run.sources, scorers)
    plan.take(name for name in columns if owner_of(name) is None)
    return plan


def _first_pass(run: Run, plan: Plan, choice: Choice, stack: ExitStack) -> list[Part]:
    """All rows read once, and the missing tables made: beside their files, or where that cannot be, for now."""
    lasting = _lasting(run, choice)
    folders = []
    for number, source in enumerate(plan.sources):
        if not plan.missing[number]:
            folders.append(Path())
        elif lasting and is_regular(source):
            folders.append(folder_of(source))
        else:
            place = stack.enter_context(tempfile.TemporaryDirectory(prefix="dataforge-"))
            folders.append(Path(place, "scores"))
    run.spool()
    return plan.make(run, folders)


def _decide(run: Run, parts: list[Part], plan: Plan, choice: Choice) -> tuple[Decision, NDArray[np.int64]]:
    """The decision over the rows of all parts, and where each part begins in it."""
    starts = np.cumsum([0, *(len(part.rows) for part in parts)])
    seen = [0] * len(plan.sources)
    for part in parts:
        seen[part.chunk.source] += len(part.rows)
    scores = scores_of(plan, choice.columns, seen, limited=run.options.limit is not None)
    readable = np.concatenate([part.rows.fates == KEPT for part in parts]) if parts else np.zeros(0, bool)
    return decide(scores, choice.clauses, choice.top, choice.group, readable), starts


def _apply(run: Run, parts: list[Part], decision: Decision, starts: NDArray[np.int64]) -> int:
    """Copy what stays, and give every row its fate; the number of rows written."""
    kept = run.options.keep_dropped

    def keep(number: int) -> bytes:
        here = slice(starts[number], starts[number + 1])
        stays, faulty = decision.stays[here], ~decision.readable[here]
        return np.select([stays, faulty], [STAY, FAULTY], DROP).astype(np.uint8).tobytes()

    rows_out = 0
    for number, done in copied(run, parts, keep):
        rows_out += done.written
        part = parts[number]
        _mark(part, decision, int(starts[number]))
        if kept:
            rules = part.rows.rules
            notes = [
                replace(note, rule=rules[part.rows.rule_of[note.row]], detail=part.rows.details.get(note.row, ""))
                for note in done.notes
            ]
            part.result.notes = sorted([*part.result.notes, *notes], key=lambda note: note.row)
        run.settle(part)
    return rows_out


def _mark(part: Part, decision: Decision, start: int) -> None:
    """Write the decision into a part's ledger rows, with the values that it was made on."""
    code = decision.code[start : start + len(part.rows)]
    for value in np.unique(code[code > 0]).tolist():
        rows = np.flatnonzero(code == value)
        part.rows.mark(rows, DROPPED, decision.verdicts[value - 1].name)
        part.rows.details.update(zip(rows.tolist(), decision.details(value, rows + start), strict=True))


def _lasting(run: Run, choice: Choice) -> bool:
    """True if tables are made to stay: not for a part of a file, which no table may describe."""
    return choice.save and run.options.limit is None and not run.options.dry_run


def _about(run: Run, plan: Plan, choice: Choice) -> list[str]:
    """What was scored, and where the tables lie."""
    if not plan.scorers:
        return []
    files = [s for s, missing in zip(plan.sources, plan.missing, strict=True) if missing and is_regular(s)]
    if not _lasting(run, choice) or not files:
        return [f"scored {', '.join(plan.scorers)}; no tables are kept"]
    more = f" and beside {len(files) - 1:,} more files" if len(files) > 1 else ""
    return [f"scored {', '.join(plan.scorers)}; tables: {folder_of(files[0])}{more}"]


def _rehearse(run: Run, plan: Plan, choice: Choice) -> Result:
    """What would be done, decided on score tables: those that are there, or made for this and not kept."""
    result = plan_result(run, "keep the rows that meet every rule")
    with ExitStack() as stack:
        if plan.scorers or not all(plan.tables) or not all(map(is_regular, run.sources)):
            quiet = replace(run.options, forge=None)
            trial = stack.enter_context(Run(run.command, [source.spelled for source in run.sources], "", quiet))
            parts = _first_pass(trial, plan, choice, stack)
            decision, _ = _decide(trial, parts, plan, choice)
            sources = trial.sources
        else:
            decision, sources = _from_tables(plan, choice, run.options.limit), run.sources
        told = explain(sources, plan.places, decision, examples=choice.explain)
    total, stays = int(decision.readable.sum()), int(decision.stays.sum())
    result.lines += [f"would keep {stays:,} of {total:,} rows, drop {total - stays:,}", *told.lines]
    result.data = {"plan": list(result.lines), "rows": total, "keep": stays, "rules": told.data}
    return result


def _from_tables(plan: Plan, choice: Choice, limit: int | None) -> Decision:
    """The decision on tables alone; rows of which the tables of a scorer say nothing at all could not be read."""
    scores = scores_of(plan, choice.columns, [None] * len(plan.sources))
    readable = np.concatenate([_readable(tables) for tables in plan.tables])
    if limit is not None:
        scores, readable = scores.head(limit), readable[:limit]
    return decide(scores, choice.clauses, choice.top, choice.group, readable)


def _readable(tables: dict[str, Table]) -> NDArray[np.bool_]:
    """The rows of a file that could be read; all of them where no table is by a scorer, which has a value for each."""
    import polars as pl

    made = [table for table in tables.values() if table.about["scorer"] in SCORERS]
    if not made:
        return np.ones(next(iter(tables.values())).about["rows"], bool)
    frame = pl.read_parquet(min(made, key=lambda table: len(table.columns)).path)
    return frame.select(pl.any_horizontal(pl.all().is_not_null())).to_series().to_numpy()
