"""The worker task behind score, filter and select: the score columns of every row of a chunk, and its id.

Options: `scorers` (name -> options), `skip` (number of a source -> scorers it has already). With no scorers it only
finds which rows can be read. Payload: for each scorer its columns as an Arrow stream, a row for each row of the chunk,
null where the row is faulty.

CLI: `dataforge score chat.jsonl --with length`
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dataforge.engine.batch import Batch
from dataforge.errors import RowError
from dataforge.ops.scorers.column import Column
from dataforge.record import Record, record_id
from dataforge.registry import load_scorer

if TYPE_CHECKING:
    import polars as pl

__all__ = ["empty_frame", "frame_of", "open_task"]


def open_task(options: dict[str, Any]) -> Callable[[Batch], None]:
    """The task for these options."""
    modules = {name: load_scorer(name) for name in options["scorers"]}
    score = {name: module.open_scorer(options["scorers"][name]) for name, module in modules.items()}
    skip: dict[str, list[str]] = options.get("skip", {})

    def run(batch: Batch) -> None:
        rows: list[int] = []
        records: list[Record] = []
        for index, record in batch.records():
            try:
                batch.ids[index] = record_id(record)
            except RowError as fault:
                batch.fault(index, fault)
                continue
            rows.append(index)
            records.append(record)
        places = np.array(rows, np.int64)
        for name in score.keys() - set(skip.get(str(batch.chunk.source), ())):
            values = score[name](records)
            batch.payload[name] = _encoded(frame_of(modules[name].COLUMNS, values, places, batch.n_in))

    return run


def frame_of(
    columns: dict[str, Column], values: dict[str, Sequence[Any] | NDArray[Any]], rows: NDArray[np.int64], n: int
) -> pl.DataFrame:
    """The columns of a scorer with a row for each of `n` rows; `rows` says which of them have values."""
    import polars as pl

    from dataforge.ops.scores.table import column_of

    if values.keys() != columns.keys():
        raise ValueError(f"a scorer promises the columns {list(columns)} and gave {list(values)}")
    frame = pl.DataFrame([column_of(name, values[name], column) for name, column in columns.items()])
    if frame.height != len(rows):
        raise ValueError(f"a scorer was given {len(rows)} records and answered {frame.height}")
    if len(rows) == n:
        return frame
    place = np.full(n, -1, np.int64)
    place[rows] = np.arange(len(rows))
    picked = pl.Series(place).replace(-1, None)
    return frame.select(pl.all().gather(picked)) if len(rows) else frame.clear(n)


def empty_frame(columns: dict[str, Column]) -> pl.DataFrame:
    """The columns of a scorer without a row."""
    return frame_of(columns, {name: [] for name in columns}, np.zeros(0, np.int64), 0)


def _encoded(frame: pl.DataFrame) -> bytes:
    """A frame as an Arrow stream; pyarrow takes a tenth of polars' time for small ones."""
    import pyarrow as pa

    table, out = frame.to_arrow(), io.BytesIO()
    with pa.ipc.new_stream(out, table.schema) as stream:
        stream.write_table(table)
    return out.getvalue()
