"""Data sets of the Hugging Face hub: `hf://org/name[/config][@revision][:split]`, streamed as lines of JSON.

Rows come through the `datasets` library in streaming mode: nothing is stored here but what it caches itself, no code of
a data set is run, and a token is taken where that library takes it (HF_TOKEN or `hf auth login`). Without `:split` it
is `train`. The hash in the manifest is that of the rows as they were read; name a @revision to read the same again.
A row that JSON cannot carry (images as bytes, NaN) becomes a line that says so, which is a faulty row.

CLI: `dataforge convert hf://org/name@main:train --to openai -o rows.jsonl`
Python: `open_hub("hf://org/name:train").read(1 << 20)`
"""

from __future__ import annotations

import logging
import re
from collections.abc import Generator
from typing import Any, NamedTuple

from dataforge.errors import DataforgeError, InputError

__all__ = ["HubName", "is_hub", "open_hub", "parse"]

MARK = "hf://"
BATCH_ROWS = 256
_NAME = re.compile(
    r"hf://(?P<repo>[\w.-]+/[\w.-]+)(?:/(?P<config>[^@:]+))?(?:@(?P<revision>[^:]+))?(?::(?P<split>[^:@/]+))?"
)


class HubName(NamedTuple):
    """The parts of a hub name; config and revision are None for the data set's own defaults."""

    repo: str
    config: str | None
    revision: str | None
    split: str


def is_hub(path: str) -> bool:
    """True for what begins with `hf://`."""
    return path.startswith(MARK)


def parse(path: str) -> HubName:
    """The parts of a hub name; InputError if it is none."""
    match = _NAME.fullmatch(path)
    if match is None:
        help = "hf://org/name:split, and where it is needed hf://org/name/config@revision:split"
        raise InputError("is not the name of a data set on the hub", place=path, help=help)
    return HubName(match["repo"], match["config"], match["revision"], match["split"] or "train")


def open_hub(path: str) -> _Rows:
    """The rows of a data set as a file of JSON lines; InputError if it cannot be reached or has no such split."""
    return _Rows(path)


class _Rows:
    """A file to read from, whose bytes are the rows of a data set."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._blocks = _blocks(path, _stream(path))
        self._held = b""

    def read(self, size: int = -1) -> bytes:
        """Up to `size` bytes (all of them if it is negative); none at the end."""
        while size < 0 or len(self._held) < size:
            block = next(self._blocks, None)
            if block is None:
                break
            self._held += block
        end = len(self._held) if size < 0 else size
        data, self._held = self._held[:end], self._held[end:]
        return data

    def close(self) -> None:
        """Stop the stream."""
        self._blocks.close()


def _stream(path: str) -> Any:
    """The data set, opened."""
    name = parse(path)
    import datasets

    # It would say of each of five tries that it failed; the last is said below.
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    more = {key: value for key, value in (("name", name.config), ("revision", name.revision)) if value is not None}
    try:
        return datasets.load_dataset(name.repo, split=name.split, streaming=True, **more)
    except Exception as fault:  # the library raises errors of many kinds, of the network, of files and its own
        raise _failure(path, fault) from None


def _blocks(path: str, data: Any) -> Generator[bytes, None, None]:
    """The rows in blocks of whole lines."""
    from dataforge.io.arrowrows import rows_of

    done = 0
    try:
        for table in data.with_format("arrow").iter(batch_size=BATCH_ROWS):
            lines = [_line(row, fault, done + n) for n, (row, fault) in enumerate(rows_of(table), 1)]
            done += len(lines)
            yield b"\n".join(lines) + b"\n" if lines else b""
    except DataforgeError:
        raise
    except Exception as fault:
        raise _failure(path, fault, after=done) from None


def _line(row: bytes, fault: str, number: int) -> bytes:
    """A row, or as a text why there is none: a reader then says that it is no object, and shows the reason."""
    import orjson

    return row if not fault else orjson.dumps(f"row {number}: {fault}")


def _failure(path: str, fault: Exception, after: int | None = None) -> InputError:
    said = str(fault).strip().split("\n")[0] or type(fault).__name__
    where = "" if after is None else f" after {after:,} rows"
    help = "is the name right, and the network there? private sets need HF_TOKEN; HF_HUB_OFFLINE=1 forbids all reading"
    if "split" in said.lower():
        help = "name one of the splits that it has: hf://org/name:split"
    return InputError(f"cannot be read from the hub{where}: {said}", place=path, help=help)
