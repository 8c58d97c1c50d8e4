"""`inspect`: what is in the data, on one screen.

Dialects, roles, turns, scripts and languages (by script shares), length percentiles in characters and, with
--tokenizer, tokens, problems, exact duplicates, and three rows as they read.

Cost: one pass; 24 bytes of memory a row.
CLI: `dataforge inspect data/ --tokenizer tok`
Python: `dataforge.inspect("rows.jsonl").data["languages"]`
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dataforge.config import RunOptions, check, option
from dataforge.engine.batch import Batch
from dataforge.engine.run import Run
from dataforge.errors import shorten
from dataforge.io.chunks import open_reading, read_chunks
from dataforge.ledger import Result
from dataforge.ops.dedup import KEY, first_of_each
from dataforge.record import Part, Reasoning, Record, ToolCall, ToolResult
from dataforge.registry import Operation

__all__ = ["OPERATION", "InspectConfig", "describe", "inspect"]

PERCENTILES = (0, 5, 25, 50, 75, 95, 99, 100)


@dataclass(frozen=True)
class InspectConfig:
    """Settings of inspect."""

    tokenizer: str | None = option(None, help="tokenizer folder or hub id, for lengths in tokens", path=True)
    template: str | None = option(
        None, help="chat template where the tokenizer has none: chatml, or a .jinja file", path=True
    )
    show: int = option(3, help="rows to show", unit="rows", minimum=0, maximum=100)

    def __post_init__(self) -> None:
        check(self)


def inspect(inputs: tuple[str, ...], output: str | None, config: InspectConfig, options: RunOptions) -> Result:
    """Profile all rows; `data` of the result holds every figure."""
    run = Run("inspect", inputs, "", replace(options, on_error="reject"))
    task = {"tokenizer": config.tokenizer, "template": config.template}
    columns: dict[str, list[NDArray[np.int64]]] = {"chars": [], "tokens": []}
    ids = []
    with run:
        run.spool()
        for part in run.parts("profile", task):
            for name, data in part.result.payload.items():
                columns[name].append(np.frombuffer(data, np.int64))
            ids.append(np.frombuffer(part.result.ids, KEY)[part.rows.fates == 0])
            part.rows.n_out[:] = 0
            run.settle(part)
        result = run.finish(config, rows_out=0)
        samples = _samples(run, config.show)
    result.data = _figures(run, columns, np.concatenate(ids) if ids else np.zeros(0, KEY))
    result.data["samples"] = samples
    result.lines = _page(result.data, samples)
    return result


def _samples(run: Run, count: int) -> list[list[str]]:
    """The first rows that can be read, as lines; faulty ones among them are listed with the problems."""
    samples: list[list[str]] = []
    left = run.options.limit
    for index, source in enumerate(run.sources):
        with contextlib.closing(open_reading(source)) as reading:
            chunk = next(read_chunks(source, index, reading), None)
            if chunk is None or left == 0 or len(samples) >= count:
                continue
            chunk.limit = left
            batch = Batch(chunk)
            samples += [describe(record) for _, record in islice(batch.records(), count - len(samples))]
            left = None if left is None else max(0, left - batch.n_in)
    return samples


def describe(record: Record, width: int = 100) -> list[str]:
    """A record as lines `role: text`, each cut at `width` characters."""
    return [f"{turn.role}: {shorten(' '.join(map(_readable, turn.parts)), width)}" for turn in record.turns]


def _readable(part: Part) -> str:
    """A part of a turn as people read it."""
    if isinstance(part, Reasoning):
        return f"(thinks: {part.text})"
    if isinstance(part, ToolCall):
        return f"{part.name}({part.arguments})" if part.name else part.arguments
    if isinstance(part, ToolResult):
        return part.content
    return (
        part
        if isinstance(part, str)
        else f"({part.value.get('type', 'media') if isinstance(part.value, dict) else 'media'})"
    )


def _figures(run: Run, columns: dict[str, list[NDArray[np.int64]]], ids: NDArray[Any]) -> dict[str, Any]:
    groups: dict[str, dict[str, int]] = {name: {} for name in ("dialect", "role", "turns", "script", "language", "has")}
    for key, number in run.stats.items():
        group, _, name = key.partition(":")
        groups[group][name] = number
    ordered = {
        name: dict(sorted(group.items(), key=lambda pair: (-pair[1], pair[0]))) for name, group in groups.items()
    }
    first = first_of_each(ids) if len(ids) else np.zeros(0, np.int64)
    figures: dict[str, Any] = {
        "files": len(run.sources),
        "rows": run.counts.rows_in,
        "faulty": run.counts.errors,
        "problems": {rule: n for (_, rule), n in sorted(run.counts.rules.items())},
        "duplicates": int((first != np.arange(len(first))).sum()),
        "dialects": ordered["dialect"],
        "roles": ordered["role"],
        "turns": {int(k): v for k, v in sorted(ordered["turns"].items(), key=lambda pair: int(pair[0]))},
        "scripts": {k: v for k, v in ordered["script"].items() if k != "none"},
        "languages": ordered["language"],
        "has": ordered["has"],
    }
    for name, parts in columns.items():
        lengths = np.concatenate(parts) if parts else np.zeros(0, np.int64)
        lengths = lengths[lengths >= 0]
        if len(lengths):
            values = np.percentile(lengths, PERCENTILES, method="lower").astype(int).tolist()
            figures[name] = {"total": int(lengths.sum()), "mean": round(float(lengths.mean()), 1)}
            figures[name]["percentiles"] = dict(zip(map(str, PERCENTILES), values, strict=True))
    return figures


def _shares(counts: dict[Any, int], most: int = 8) -> str:
    total = sum(counts.values()) or 1
    shown = [f"{name} {number:,} ({number / total:.1%})" for name, number in list(counts.items())[:most]]
    return ", ".join(shown) + (f", {len(counts) - most} more" if len(counts) > most else "") if shown else "none"


def _page(figures: dict[str, Any], samples: list[list[str]]) -> list[str]:
    faulty = f", {figures['faulty']:,} faulty" if figures["faulty"] else ""
    repeated = f"{figures['duplicates']:,} exact duplicates"
    lines = [
        f"rows        {figures['rows']:,} in {figures['files']} file(s){faulty}, {repeated}",
        f"dialects    {_shares(figures['dialects'])}",
        f"roles       {_shares(figures['roles'])}",
        f"turns       {_shares(figures['turns'])}",
        f"languages   {_shares(figures['languages'])}",
        f"scripts     {_shares(figures['scripts'])}",
    ]
    for name in ("chars", "tokens"):
        if name in figures:
            spread = "  ".join(f"p{p} {v:,}" for p, v in figures[name]["percentiles"].items())
            lines.append(f"{name:<12}{figures[name]['total']:,} in all, mean {figures[name]['mean']:,}; {spread}")
    for what, number in figures["has"].items():
        lines.append(f"rows with   {what}: {number:,}")
    for rule, number in figures["problems"].items():
        lines.append(f"problem     {rule}: {number:,}")
    for number, sample in enumerate(samples, 1):
        lines.append(f"row {number}")
        lines += [f"  {line}" for line in sample]
    return lines


OPERATION = Operation(
    name="inspect",
    config=InspectConfig,
    run=inspect,
    output="none",
    options=("workers", "limit", "json", "quiet"),
    prints=True,
)
