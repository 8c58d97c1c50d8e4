"""Scoring: which score tables are there and fresh, and the pass over the rows that makes the others.

`score`, `select` and `filter` share it. A table is fresh if its input has the same bytes and the same scorer (of the
same version) made it; a fresh table is never made again.

Cost: one pass over the sources that lack a table; flat memory beside the 33 bytes a row of its fate.
Python: `plan = Plan.of(find_sources(["chat.jsonl"]), ("length",))`
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataforge import __version__
from dataforge.engine.run import Part, Run
from dataforge.errors import InputError, UsageError, did_you_mean
from dataforge.io.paths import Source
from dataforge.io.reading import is_regular
from dataforge.ops.scorers import columns_of, owner_of, owners
from dataforge.ops.scores.table import ScoreFile, Table, file_entry, folder_of, join, refuse_missing, tables_of
from dataforge.ops.scores.task import empty_frame

if TYPE_CHECKING:
    import polars as pl

__all__ = ["Plan", "refuse_unknown", "scores_of"]


@dataclass
class Plan:
    """For each source the tables that are there, and the scorers still to run. entries: what the files were."""

    sources: list[Source]
    tables: list[dict[str, Table]] = field(default_factory=list)
    missing: list[list[str]] = field(default_factory=list)
    entries: list[dict[str, Any] | None] = field(default_factory=list)

    @classmethod
    def of(cls, sources: list[Source], scorers: Sequence[str], *, again: bool = False) -> Plan:
        """What these scorers need; again: make all tables anew."""
        plan = cls(list(sources))
        for source in sources:
            fresh, entry = ({}, None) if again or not is_regular(source) else _fresh(source, scorers)
            plan.tables.append(fresh)
            plan.entries.append(entry)
            plan.missing.append([name for name in scorers if name not in fresh])
        return plan

    @property
    def places(self) -> list[str]:
        """The sources as messages name them."""
        return [source.place for source in self.sources]

    @property
    def scorers(self) -> list[str]:
        """The scorers that at least one source lacks."""
        return list(dict.fromkeys(name for names in self.missing for name in names))

    def take(self, columns: Iterable[str]) -> None:
        """Add the tables with these columns, made by whomever; raises InputError where they are absent or stale."""
        wanted = list(columns)
        for index, source in enumerate(self.sources if wanted else ()):
            there = {n: t for n, t in tables_of(folder_of(source)).items() if not set(wanted).isdisjoint(t.columns)}
            refuse_missing(source, wanted, there)
            entry = self.entries[index] = self.entries[index] or file_entry(source)
            for table in there.values():
                table.refuse_stale(source, entry)
            self.tables[index].update(there)

    def refuse_changed(self, run: Run) -> None:
        """Raise InputError if a file is no longer what its tables were checked against."""
        for source, then, now in zip(self.sources, self.entries, run.entries, strict=True):
            if then is not None and (then["bytes"], then["hash"]) != (now["bytes"], now["hash"]):
                raise InputError("the input changed while it was read", place=source.place)

    def make(self, run: Run, folders: Sequence[Path]) -> list[Part]:
        """Run what is missing over all sources, and put the tables into their folders; the parts of all rows."""
        task = {
            "scorers": {name: {} for name in self.scorers},
            "skip": {str(index): sorted(fresh) for index, fresh in enumerate(self.tables)},
            "ends": True,
        }
        parts: list[Part] = []
        with _Tables(self, run, folders) as tables:
            for part in run.parts("scored", task):
                tables.add(part)
                part.chunk.data = None  # rows of tables and compressed files; they are read again where they are wanted
                parts.append(part)
            tables.finish()
        self.refuse_changed(run)
        for index, names in enumerate(self.missing):
            self.tables[index].update(tables_of(folders[index], names))
        return parts


class _Tables:
    """The tables of one source after the other: each is put into place as soon as all of its source has been read."""

    def __init__(self, plan: Plan, run: Run, folders: Sequence[Path]) -> None:
        self._plan, self._run, self._folders = plan, run, folders
        self._at = -1
        self._files: dict[str, ScoreFile] = {}

    def __enter__(self) -> _Tables:
        self._next()
        return self

    def _next(self) -> None:
        self._at, self._files = self._at + 1, {}
        if self._at < len(self._folders):
            for name in self._plan.missing[self._at]:
                file = self._files[name] = ScoreFile(self._folders[self._at] / f"{name}.parquet")
                file.__enter__()

    def add(self, part: Part) -> None:
        """Append the scores of a chunk."""
        self.finish(part.chunk.source)
        for name, file in self._files.items():
            file.add(_decoded(part.result.payload.pop(name)))

    def finish(self, before: int | None = None) -> None:
        """Put the tables of all sources (before this one) into place; those without rows have columns too."""
        while self._at < (len(self._folders) if before is None else before):
            for name, file in self._files.items():
                file.add(empty_frame(columns_of(name)).to_arrow())
                file.commit(name, self._run.entry(self._at), {})
            self._next()

    def __exit__(self, *fault: object) -> None:
        for file in self._files.values():
            file.__exit__(*fault)


def _fresh(source: Source, scorers: Sequence[str]) -> tuple[dict[str, Table], dict[str, Any] | None]:
    """The tables of these scorers that need not be made again, and the entry of the file if that was looked at."""
    there = {
        name: table
        for name, table in tables_of(folder_of(source), scorers).items()
        if table.about["version"] == __version__
        and table.about["options"] == {}
        and table.columns == tuple(columns_of(name))
        and table.about["input"]["bytes"] == os.path.getsize(source.path)
    }
    if not there:
        return {}, None
    entry = file_entry(source)
    return {name: table for name, table in there.items() if table.about["input"]["hash"] == entry["hash"]}, entry


def _decoded(payload: bytes) -> Any:
    """The Arrow table of a chunk's columns."""
    import pyarrow as pa

    return pa.ipc.open_stream(payload).read_all()


def scores_of(plan: Plan, columns: Sequence[str], rows: Sequence[int | None], *, limited: bool = False) -> pl.DataFrame:
    """The columns of all sources, one below the other; rows: how many rows of each source were read (None: all).

    limited: no more rows were wanted. Raises InputError where a table has another number of rows than its file.
    """
    import polars as pl

    frames = []
    for source, tables, count in zip(plan.sources, plan.tables, rows, strict=True):
        chosen = [table for table in tables.values() if not set(columns).isdisjoint(table.columns)]
        frame = join(chosen, columns).select(columns) if chosen else pl.DataFrame()
        if count is not None and not chosen:
            frame = pl.DataFrame(height=count)
        elif count is not None and (frame.height < count or (frame.height > count and not limited)):
            message = f"score tables have {frame.height:,} rows and the file {count:,}"
            raise InputError(message, place=source.place, help="dataforge score --force makes them anew")
        frames.append(frame if count is None else frame.head(count))
    return pl.concat(frames, how="vertical_relaxed")


def refuse_unknown(columns: Iterable[str], plan: Plan) -> None:
    """Raise UsageError for a column that no scorer makes and no table has."""
    known = set(owners())
    for source in plan.sources:
        if is_regular(source):
            known.update(column for table in tables_of(folder_of(source)).values() for column in table.columns)
    for column in columns:
        if column not in known:
            near = did_you_mean(column, known)
            meant = near.partition("'")[2].rpartition("'")[0] if near.startswith("did") else ""
            if not meant:
                near = f"a text stands in single quotes: '{column}'"
            owner = f" (dataforge score --with {owner_of(meant)} makes it)" if owner_of(meant) else ""
            rest = f"{owner}; dataforge score --list lists all columns"
            raise UsageError(f"{column!r} is no score column", help=near + rest)
