"""Shards on disk: a folder of packed rows that `datasets.load_from_disk` opens, with a manifest that says what it is.

Writes `data-00000-of-0000N.arrow` (Arrow streams), `dataset_info.json`, `state.json`, and last `shards.json`: a
folder without it is unfinished and is refused, and so is one whose data are not those that were written. Columns,
one packed row each: `input_ids` (int32), `labels` (int32: the id at the same place, or -100 where it is not trained;
not shifted), `seq_lengths` (int32: lengths of the documents in the row, which must not attend to each other).

Cost: written in bounded memory at the speed of the disk; read by memory mapping, a row costs about 10 microseconds.
Opening hashes the files (some GB/s) unless told not to.

CLI: `dataforge shard in.jsonl -o shards --tokenizer my-tokenizer`
Python: `ids, labels, seq_lengths = open_shards("shards").row(0)`
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from xxhash import xxh3_128, xxh3_128_hexdigest

from dataforge.errors import InputError

__all__ = ["MANIFEST", "NOT_TRAINED", "PackedRows", "Row", "Shards", "open_shards", "write_shards"]

MANIFEST = "shards.json"
SCHEMA = "dataforge.shards/1"
NOT_TRAINED = -100
FILE_TOKENS = 1 << 26
"""Tokens a file, about: half a gigabyte of ids and labels."""

HASH_BLOCK = 1 << 22

Tokens = NDArray[np.int32]
Row = tuple[Tokens, Tokens, Tokens]


@dataclass(frozen=True)
class PackedRows:
    """Some packed rows, end to end. tokens_in: tokens of each row. documents_in: documents of each row."""

    input_ids: Tokens
    labels: Tokens
    seq_lengths: Tokens
    tokens_in: NDArray[np.int64]
    documents_in: NDArray[np.int64]


def _lists(pa: Any, values: Tokens, sizes: NDArray[np.int64]) -> Any:
    offsets = np.zeros(len(sizes) + 1, dtype=np.int32)
    np.cumsum(sizes, out=offsets[1:])
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(values))


def _write_files(folder: Path, batches: Iterable[PackedRows], rows: int, files: int) -> Iterator[tuple[str, int]]:
    """Write the Arrow files; (name, rows) of each when it is closed."""
    import pyarrow as pa

    names = ("input_ids", "labels", "seq_lengths")
    schema = pa.schema([(name, pa.list_(pa.int32())) for name in names])
    stream = iter(batches)
    rest: Any = None
    for number in range(files):
        wanted = rows * (number + 1) // files - rows * number // files
        name = f"data-{number:05d}-of-{files:05d}.arrow"
        written = 0
        with pa.OSFile(str(folder / name), "wb") as sink, pa.ipc.new_stream(sink, schema) as writer:
            while written < wanted:
                if rest is None or rest.num_rows == 0:
                    packed = next(stream)
                    columns = [
                        _lists(pa, packed.input_ids, packed.tokens_in),
                        _lists(pa, packed.labels, packed.tokens_in),
                        _lists(pa, packed.seq_lengths, packed.documents_in),
                    ]
                    rest = pa.record_batch(columns, schema=schema)
                part = rest.slice(0, wanted - written)
                writer.write_batch(part)
                written += part.num_rows
                rest = rest.slice(part.num_rows)
        yield name, written
    if (rest is not None and rest.num_rows) or next(stream, None) is not None:
        raise ValueError(f"more than the {rows} packed rows that were announced")


def _hash_file(path: Path) -> str:
    state = xxh3_128()
    with open(path, "rb", buffering=0) as file:
        while block := file.read(HASH_BLOCK):
            state.update(block)
    return "xxh3-128:" + state.hexdigest()


def write_shards(
    folder: Path, batches: Iterable[PackedRows], *, rows: int, tokens: int, manifest: dict[str, Any]
) -> dict[str, Any]:
    """Write packed rows into an empty folder; the finished manifest.

    rows, tokens: how many the batches hold together. manifest: what else `shards.json` is to say.
    """
    files = max(1, -(-tokens // FILE_TOKENS))
    entries: list[dict[str, Any]] = []
    for name, count in _write_files(folder, batches, rows, files):
        path = folder / name
        entries.append({"name": name, "rows": count, "bytes": path.stat().st_size, "hash": _hash_file(path)})
    digest = xxh3_128_hexdigest("".join(entry["hash"] for entry in entries).encode())
    # No "features" in the info: datasets takes them from the Arrow schema, in each of its versions by its own names.
    _json(folder / "dataset_info.json", {"citation": "", "description": "", "homepage": "", "license": ""})
    state: dict[str, Any] = {
        "_data_files": [{"filename": entry["name"]} for entry in entries],
        "_fingerprint": digest[:16],
        "_format_columns": None,
        "_format_kwargs": {},
        "_format_type": None,
        "_output_all_columns": False,
        "_split": None,
    }
    _json(folder / "state.json", state)
    complete = {"schema": SCHEMA, **manifest, "rows": rows, "files": entries, "hash": f"xxh3-128:{digest}"}
    _json(folder / MANIFEST, complete)
    return complete


def _json(path: Path, value: dict[str, Any]) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


class Shards:
    """Packed rows, read from memory-mapped files; use `open_shards`.

    manifest: what shards.json says. row_lengths: tokens of each row.
    """

    def __init__(self, path: Path, manifest: dict[str, Any]) -> None:
        self.path = path
        self.manifest = manifest
        self._maps: list[Any] = []
        self._batches: list[tuple[tuple[NDArray[Any], NDArray[Any]], ...]] = []
        firsts = [0]
        for entry in manifest["files"]:
            for batch in self._open(path / entry["name"]):
                self._batches.append(tuple(_column(batch.column(index)) for index in range(3)))
                firsts.append(firsts[-1] + batch.num_rows)
        self._firsts = np.array(firsts)
        if firsts[-1] != manifest["rows"]:
            raise InputError(f"holds {firsts[-1]} rows, and {MANIFEST} says {manifest['rows']}", place=str(path))
        sizes = [np.diff(batch[0][1]) for batch in self._batches]
        self.row_lengths: NDArray[np.int64] = np.concatenate([*sizes, np.empty(0)]).astype(np.int64)

    def _open(self, path: Path) -> Any:
        import pyarrow as pa

        self._maps.append(pa.memory_map(str(path)))
        return pa.ipc.open_stream(self._maps[-1])

    def __len__(self) -> int:
        return int(self._firsts[-1])

    def row(self, index: int) -> Row:
        """(input_ids, labels, seq_lengths) of a packed row: int32 arrays on the file itself, read-only."""
        if not 0 <= index < len(self):
            raise IndexError(f"row {index} of {len(self)}")
        number = int(np.searchsorted(self._firsts, index, side="right")) - 1
        at = index - int(self._firsts[number])
        ids, labels, lengths = (values[offsets[at] : offsets[at + 1]] for values, offsets in self._batches[number])
        return ids, labels, lengths

    def __iter__(self) -> Iterator[Row]:
        return (self.row(index) for index in range(len(self)))


def _column(array: Any) -> tuple[NDArray[Any], NDArray[Any]]:
    """(values, offsets) of a list column, without copying."""
    return array.values.to_numpy(zero_copy_only=True), array.offsets.to_numpy(zero_copy_only=True)


def open_shards(path: str | Path, *, verify: bool = True) -> Shards:
    """Open a folder that `shard` wrote.

    verify: hash the files and compare them with the manifest. Raises InputError if the folder is no complete shard
    folder or its data were changed.
    """
    folder = Path(path)
    if not (folder / MANIFEST).is_file():
        what = f"has no {MANIFEST}, so it is no complete shard folder" if folder.is_dir() else "is no folder"
        raise InputError(what, place=str(path), help="`dataforge shard` makes one")
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        schema, files = manifest["schema"], manifest["files"]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{MANIFEST} cannot be read ({error})", place=str(path)) from error
    if schema != SCHEMA:
        raise InputError(f"is of format {schema!r}, and this version reads {SCHEMA!r}", place=str(path))
    for entry in files:
        file = folder / entry["name"]
        if (
            not file.is_file()
            or file.stat().st_size != entry["bytes"]
            or (verify and _hash_file(file) != entry["hash"])
        ):
            raise InputError(
                "is missing, or was changed since it was written", place=str(file), help="make the shards again"
            )
    try:
        return Shards(folder, manifest)
    except (OSError, ValueError) as error:
        raise InputError(f"holds an Arrow file that cannot be read ({error})", place=str(path)) from error
