"""What each rule removes, and what only it removes: figures, thresholds, and a few rows with their values.

Rules are counted over all rows, whichever rule took a row in the end. Examples are three rows a rule, spread over the
file, in more than one script where there are some.

Cost: nothing beside the decision; with examples one reading of the files up to the last of them.
CLI: `dataforge select chat.jsonl --where "n_chars >= 20" --explain --dry-run`
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dataforge.engine.batch import Batch, sniff
from dataforge.errors import shorten
from dataforge.io.chunks import open_reading, read_chunks
from dataforge.io.paths import Source
from dataforge.ops.rowtext import row_text
from dataforge.ops.selection.decision import Decision, Verdict, value_text

__all__ = ["Explanation", "explain", "figures"]

EXAMPLES = 3
LOOKED_AT = 8
"""Rows that are looked at for the examples of a rule."""
GROUPS = 20
HAN = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]")


@dataclass
class Explanation:
    """The same for people (`lines`) and as JSON values (`data`, one object a rule)."""

    lines: list[str] = field(default_factory=list)
    data: list[dict[str, Any]] = field(default_factory=list)


def figures(decision: Decision) -> list[dict[str, Any]]:
    """Each rule with its condition, the rows that it removes, those that only it removes, thresholds and source."""
    total = int(decision.readable.sum())
    found = []
    for verdict in decision.verdicts:
        removed = int(verdict.removed.sum())
        entry: dict[str, Any] = {"rule": verdict.name, "condition": verdict.text, "removed": removed}
        entry |= {"only_it": verdict.only, "share": round(removed / total, 6) if total else 0.0}
        entry["thresholds"] = {text: _threshold(value, decision) for text, value in verdict.thresholds.items()}
        entry |= {key: value for key, value in (("source", verdict.source), ("why", verdict.why)) if value}
        found.append(entry)
    return found


def _threshold(value: Any, decision: Decision) -> Any:
    """One value, or {group: value} of the first groups."""
    import polars as pl

    if not isinstance(value, pl.Series):
        return value
    group = decision.scores[decision.group] if decision.group else pl.Series([None] * len(value))
    frame = pl.DataFrame({"group": group, "value": value}).filter(pl.Series(decision.readable))
    pairs = frame.unique("group", keep="first", maintain_order=True).sort("group", nulls_last=True).head(GROUPS)
    return {value_text(key).strip("'"): one for key, one in pairs.iter_rows()}


def explain(sources: Sequence[Source], places: Sequence[str], decision: Decision, *, examples: bool) -> Explanation:
    """The table of rules; with `examples` some rows of each, which are read again. places: what sources are called."""
    told = Explanation(data=figures(decision))
    shown = _examples(sources, places, decision) if examples else [[] for _ in decision.verdicts]
    wide = max((len(shorten(entry["rule"], 60)) for entry in told.data), default=0)
    if told.data:
        told.lines.append(f"{'rule':<{wide}}  {'removed':>11}  {'only it':>11}  {'share':>7}")
    for entry, rows in zip(told.data, shown, strict=True):
        name = shorten(entry["rule"], 60)
        told.lines.append(
            f"{name:<{wide}}  {entry['removed']:>11,}  {entry['only_it']:>11,}  {100 * entry['share']:>5.1f} %"
        )
        told.lines += _notes(entry) if examples else []
        told.lines += [f"    {row['place']}: {row['values']}: {row['text']}" for row in rows]
        if examples:
            entry["examples"] = rows
    return told


def _notes(entry: dict[str, Any]) -> list[str]:
    """The condition where the name does not say it, its thresholds and where they come from."""
    notes = [] if entry["rule"].endswith(f":{entry['condition']}") else [f"  keeps: {entry['condition']}"]
    for text, value in entry["thresholds"].items():
        if isinstance(value, dict):
            value = ", ".join(f"{group} {value_text(one)}" for group, one in value.items())
        else:
            value = value_text(value)
        notes.append(f"  {text} = {value}")
    notes += [f"  source: {entry['source']}"] if "source" in entry else []
    notes += [f"  why: {entry['why']}"] if "why" in entry else []
    return notes


def _examples(sources: Sequence[Source], places: Sequence[str], decision: Decision) -> list[list[dict[str, Any]]]:
    """For each rule up to three of the rows that it removes."""
    looked = [_spread(verdict) for verdict in decision.verdicts]
    wanted = np.unique(np.concatenate([*looked, np.zeros(0, np.int64)]).astype(np.int64))
    texts = _texts(sources, places, wanted)
    shown = []
    for place, rows in enumerate(looked, 1):
        chosen = _chosen([row for row in rows.tolist() if row in texts], texts)
        values = decision.details(place, np.array(chosen, np.int64))
        shown.append(
            [
                {"place": texts[row][0], "values": said, "text": shorten(texts[row][1], 100)}
                for row, said in zip(chosen, values, strict=True)
            ]
        )
    return shown


def _spread(verdict: Verdict) -> NDArray[np.int64]:
    """Rows of a verdict at even distances."""
    rows = np.flatnonzero(verdict.removed)
    return rows[np.unique(np.linspace(0, len(rows) - 1, min(LOOKED_AT, len(rows))).astype(np.int64))]


def _chosen(rows: list[int], texts: dict[int, tuple[str, str]]) -> list[int]:
    """Three rows: the first with Han characters and the first without among them, where there are both."""
    han = [row for row in rows if HAN.search(texts[row][1])]
    other = [row for row in rows if row not in han]
    chosen = [*han[:1], *other[:1]]
    return sorted([*chosen, *[row for row in rows if row not in chosen][: EXAMPLES - len(chosen)]])


def _texts(sources: Sequence[Source], places: Sequence[str], wanted: NDArray[np.int64]) -> dict[int, tuple[str, str]]:
    """(place, text) of the wanted rows, counted over all sources; reads no further than the last of them.

    Rows of a JSON array may share a line, so that their ordinal is said too.
    """
    found: dict[int, tuple[str, str]] = {}
    first = 0
    for source, place in zip(sources, places, strict=True):
        if not len(wanted) or wanted[-1] < first:
            break
        base = first
        with contextlib.closing(open_reading(source)) as reading:
            prefer: list[str] | None = None
            for chunk in read_chunks(source, 0, reading):
                chunk.prefer = prefer = sniff(chunk) if prefer is None else prefer
                batch = Batch(chunk)
                here = wanted[np.searchsorted(wanted, first) : np.searchsorted(wanted, first + batch.n_in)] - first
                mask = np.zeros(batch.n_in, np.uint8)
                mask[here] = 1
                chunk.keep = mask.tobytes()
                for row, record in batch.records(marked=True) if len(here) else ():
                    where = f"{place}:{batch.line(row)}"
                    where += "" if chunk.kind in ("lines", "text") else f" (row {first - base + row})"
                    found[first + row] = (where, row_text(record))
                first += batch.n_in
                if wanted[-1] < first:
                    break
    return found
