"""Score tables: what is known of every row of a file, in a small Parquet file beside it.

`IN.scores/NAME.parquet` has one row for each row of `IN`, in order, null where the row could not be read. Its file
metadata has the key `dataforge`, a JSON object: schema, scorer, options, input (name, bytes, hash), rows, version.
A table belongs to the bytes of its input: where the hash differs it is stale, and is refused. Tables are written row
group by row group under a temporary name and renamed at the end.

Cost: flat memory in writing; reading takes 8 bytes a number, about 0.1 s for ten columns of a million rows.
CLI: `dataforge score chat.jsonl --with length`
Python: `read_scores("chat.jsonl")["n_chars"].mean()`
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import uuid
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from dataforge import __version__
from dataforge.engine.outputs import out_of_space
from dataforge.errors import InputError, UsageError
from dataforge.io.paths import Source, find_sources
from dataforge.io.reading import is_regular, open_reading
from dataforge.ops.scorers import owner_of
from dataforge.ops.scorers.column import Column

if TYPE_CHECKING:
    import polars as pl

__all__ = ["ScoreFile", "Table", "file_entry", "folder_of", "read_scores", "tables_of", "write_scores"]

SCHEMA = "dataforge.scores/1"
KEY = b"dataforge"
SUFFIX = ".scores"
GROUP = 1 << 16


class Table(NamedTuple):
    """A score table on disk. columns: its names. about: its metadata."""

    path: Path
    columns: tuple[str, ...]
    about: dict[str, Any]

    def refuse_stale(self, source: Source, entry: Mapping[str, Any]) -> None:
        """Raise InputError if the input has changed since (`entry` is what it is now)."""
        then = self.about["input"]
        if (then["bytes"], then["hash"]) != (entry["bytes"], entry["hash"]):
            name = self.about["scorer"]
            help = f"score again: dataforge score {shlex.quote(source.spelled)} --with {name}"
            raise InputError(f"is stale: {source.spelled} has changed since", place=str(self.path), help=help)


def folder_of(source: Source) -> Path:
    """The folder of a file's score tables; UsageError for a stream or a hub data set, beside which nothing can lie."""
    if not is_regular(source):
        help = "save it to a file first, or use `dataforge filter`, which scores and selects in one go"
        raise UsageError(f"{source.place} is no file, so that it has no score tables", help=help)
    return Path(source.spelled + SUFFIX)


def file_entry(source: Source | str) -> dict[str, Any]:
    """Name, bytes and hash of a file as manifests have them; reads all of it."""
    source = _source(source)
    with contextlib.closing(open_reading(source)) as reading:
        reading.finish()
        return {"name": source.name, "bytes": reading.bytes, "hash": reading.hash}


def _source(source: Source | str) -> Source:
    return source if isinstance(source, Source) else find_sources([os.fspath(source)])[0]


def tables_of(folder: Path, names: Iterable[str] | None = None) -> dict[str, Table]:
    """The score tables of a folder (of these names) by name; raises InputError for a file that is none."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    found = {}
    wanted = None if names is None else set(names)
    for path in sorted(folder.glob("*.parquet")) if folder.is_dir() else ():
        if path.name.startswith(".") or (wanted is not None and path.stem not in wanted):
            continue
        try:
            file = pq.read_metadata(path)  # the schema that pyarrow keeps inside knows nothing of keys added at the end
            about = json.loads((file.metadata or {})[KEY])
        except (OSError, KeyError, ValueError, pa.ArrowException):
            help = "remove it, or make it anew: dataforge score --force"
            raise InputError("is no score table", place=str(path), help=help) from None
        if about.get("schema") != SCHEMA:
            help = f"make it anew: dataforge score --force; this is dataforge {__version__}"
            raise InputError(f"is a score table of another form ({about.get('schema')})", place=str(path), help=help)
        found[path.stem] = Table(path, tuple(file.schema.names), about)
    return found


def read_scores(
    source: Source | str, names: Iterable[str] | None = None, columns: Iterable[str] | None = None
) -> pl.DataFrame:
    """The columns of a file's score tables side by side, a row for each of its rows.

    names: these tables alone; columns: these columns alone (of a table that holds none of them nothing is read).
    Raises InputError where a table or a column is not there, or is stale.
    """
    source = _source(source)
    folder = folder_of(source)
    there = tables_of(folder)
    wanted = list(there) if names is None else list(names)
    for name in wanted:
        if name not in there:
            help = f"dataforge score {shlex.quote(source.spelled)} --with {name}"
            raise InputError(f"has no score table {name!r}", place=source.spelled, help=help)
    chosen = {name: there[name] for name in wanted}
    if columns is not None:
        columns = list(columns)
        chosen = {name: table for name, table in chosen.items() if not set(columns).isdisjoint(table.columns)}
        refuse_missing(source, columns, chosen)
    if not chosen:
        raise InputError("has no score tables", place=source.spelled, help="dataforge score makes them")
    entry = file_entry(source)
    for table in chosen.values():
        table.refuse_stale(source, entry)
    return join(list(chosen.values()), columns)


def refuse_missing(source: Source, columns: Iterable[str], tables: Mapping[str, Table]) -> None:
    """Raise InputError if a column is in none of the tables of a file."""
    there = {column for table in tables.values() for column in table.columns}
    for column in columns:
        if column not in there:
            owner = owner_of(column) or "SCORER"
            help = f"dataforge score {shlex.quote(source.spelled)} --with {owner}"
            raise InputError(f"has no score column {column!r}", place=source.spelled, help=help)


def join(tables: list[Table], columns: Iterable[str] | None = None) -> pl.DataFrame:
    """Tables side by side; raises InputError where they differ in rows or have a column in common."""
    import polars as pl

    wanted = None if columns is None else set(columns)
    frames: list[pl.DataFrame] = []
    seen: dict[str, Table] = {}
    for table in tables:
        here = [name for name in table.columns if wanted is None or name in wanted]
        for name in here:
            if name in seen:
                help = "remove one of them"
                raise InputError(f"has the column {name!r}, as {seen[name].path} has", place=str(table.path), help=help)
            seen[name] = table
        frames.append(pl.read_parquet(table.path, columns=here))
        if frames[-1].height != frames[0].height:
            message = f"has {frames[-1].height:,} rows, and {tables[0].path} {frames[0].height:,}"
            raise InputError(message, place=str(table.path), help="score again with --force")
    return pl.concat(frames, how="horizontal")


def write_scores(
    source: Source | str,
    name: str,
    columns: Mapping[str, Any],
    entry: Mapping[str, Any],
    options: Mapping[str, Any] | None = None,
    *,
    kinds: Mapping[str, Column] | None = None,
) -> Path:
    """Write a score table in one go; columns have one value (or None) for each row of the file.

    entry: what `file_entry` said of the file when it was read. kinds: the columns as scorers declare them, where
    polars could not tell (a column of nulls). Raises UsageError where columns differ in length, or one is another's.
    """
    import polars as pl

    source = _source(source)
    for column in columns:
        if owner_of(column) not in (None, name):
            help = f"call it something else: {name}_{column}"
            raise UsageError(f"the score column {column!r} belongs to the scorer {owner_of(column)!r}", help=help)
    if len({len(values) for values in columns.values()}) != 1:
        raise UsageError(f"columns of the score table {name!r} differ in length, or there are none")
    frame = pl.DataFrame(
        {key: column_of(key, values, (kinds or {}).get(key)) for key, values in columns.items()},
    )
    with ScoreFile(folder_of(source) / f"{name}.parquet") as file:
        file.add(frame.to_arrow())
        file.commit(name, entry, options or {})
    return file.path


def column_of(name: str, values: Any, column: Column | None = None) -> pl.Series:
    """Values as a polars column of its kind, NaN as null."""
    import polars as pl

    types = {"int": pl.Int64, "float": pl.Float64, "bool": pl.Boolean, "text": pl.String}
    made = pl.Series(name, values, dtype=None if column is None else types[column.kind])
    return made.fill_nan(None) if made.dtype.is_float() else made


class ScoreFile:
    """A score table that grows: `add` Arrow tables in order, then `commit`; without it nothing stays."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows = 0
        self._partial = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.partial")
        self._writer: Any = None
        self._made = False
        self._held: list[Any] = []

    def __enter__(self) -> ScoreFile:
        try:
            self._made = not self.path.parent.exists()
            self.path.parent.mkdir(exist_ok=True)
            self._partial.touch()
        except OSError as fault:
            refusal = out_of_space(fault, str(self.path.parent))
            refusal.help = "score tables lie beside their input; `dataforge filter --no-save-scores` does without"
            raise refusal from None
        return self

    def add(self, table: Any) -> None:
        """Append the rows of a pyarrow.Table."""
        self._held.append(table)
        self.rows += table.num_rows
        if sum(held.num_rows for held in self._held) >= GROUP:
            self._flush()

    def _flush(self) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        table = pa.concat_tables(self._held)
        self._held = []
        try:
            if self._writer is None:
                plain = {pa.large_string(): pa.string(), pa.string_view(): pa.string()}
                fields = [pa.field(field.name, plain.get(field.type, field.type)) for field in table.schema]
                self._schema = pa.schema(fields)
                self._writer = pq.ParquetWriter(self._partial, self._schema, compression="zstd")
            self._writer.write_table(table.cast(self._schema))
        except OSError as fault:
            raise out_of_space(fault, str(self.path)) from None

    def commit(self, scorer: str, entry: Mapping[str, Any], options: Mapping[str, Any]) -> None:
        """End the file and put it into place; at least one frame, empty perhaps, has said what the columns are."""
        about = {
            "schema": SCHEMA,
            "scorer": scorer,
            "options": dict(options),
            "input": {key: entry[key] for key in ("name", "bytes", "hash")},
            "rows": self.rows,
            "version": __version__,
        }
        if self._held:
            self._flush()
        try:
            self._writer.add_key_value_metadata({KEY: json.dumps(about, ensure_ascii=False).encode()})
            self._writer.close()
            os.replace(self._partial, self.path)
        except OSError as fault:
            raise out_of_space(fault, str(self.path)) from None

    def __exit__(self, *fault: object) -> None:
        if self._partial.exists():
            with contextlib.suppress(OSError):
                if self._writer is not None:
                    self._writer.close()
            self._partial.unlink(missing_ok=True)
            if self._made:
                with contextlib.suppress(OSError):
                    self.path.parent.rmdir()
