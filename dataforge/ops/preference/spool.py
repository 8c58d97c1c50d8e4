"""The texts of all prompts and answers of a run, in one file on disk, and the columns that say where each stands.

A decision looks at numbers alone; texts are read when pairs are written.

Cost: as much disk as the rows have text, 110 bytes of memory an answer.
Python: `spool.take(part); table = spool.table()`
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dataforge.engine.outputs import out_of_space
from dataforge.engine.run import Part
from dataforge.formats import openai
from dataforge.formats.spelling import Spelling
from dataforge.io import jsontext
from dataforge.ops.preference.table import Table, VoteColumns
from dataforge.ops.rowtext import turn_text

__all__ = ["Spool"]

KINDS = {"score": "<f8", "rank": "<i4", "label": "<i1", "chars": "<i8", "opening": "<u8", "model": "<i4"}
VOTE = np.dtype([("first", "<i4"), ("second", "<i4"), ("won", "<f8")])
Ints = NDArray[np.int64]


def _nothing() -> dict[str, NDArray[Any]]:
    """The columns of no rows."""
    one = KINDS | dict.fromkeys(("choice", "row", "first", "second"), "<i8") | {"won": "<f8"}
    wide = dict.fromkeys(("prompt", "answer", "plain", "key"), (2, "<u8")) | {"place": (2, "<i8"), "head": (3, "<i8")}
    columns = {name: np.zeros(0, kind) for name, kind in one.items()}
    return columns | {name: np.zeros((0, width), kind) for name, (width, kind) in wide.items()}


class Spool:
    """Takes the payloads of the task `choices`, part by part.

    After `close`: entry_choice (choice of each answer), choice_row (input row, over all inputs), places (start and size
    of each answer), heads (start of a choice's prompt, its size, that of its tools). After `table`: kept (the answer
    that each entry of the table is).
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: Any = open(path, "xb")
        self._columns: dict[str, list[NDArray[Any]]] = {}
        self._models: dict[str, int] = {}
        self._rows = self._choices = self._entries = self._bytes = 0
        self._reader = -1

    def take(self, part: Part) -> None:
        """Add a part, and free its payload."""
        payload = part.result.payload
        names = jsontext.decode(payload["models"])
        numbers = np.array([self._models.setdefault(name, len(self._models)) for name in [*names]], np.int32)
        chunk = {name: np.frombuffer(payload[name], kind) for name, kind in KINDS.items()}
        model = chunk["model"]
        chunk["model"] = np.where(model >= 0, numbers[model] if len(numbers) else -1, -1).astype(np.int32)
        for name in ("prompt", "answer", "plain", "key"):
            chunk[name] = np.frombuffer(payload[name], "<u8").reshape(-1, 2)
        chunk["choice"] = np.frombuffer(payload["choice"], "<i4").astype(np.int64) + self._choices
        chunk["row"] = np.frombuffer(payload["row"], "<i4").astype(np.int64) + self._rows
        votes = np.frombuffer(payload["votes"], VOTE)
        chunk["first"], chunk["second"] = (votes[name].astype(np.int64) + self._entries for name in ("first", "second"))
        chunk["won"] = votes["won"]
        chunk["place"], chunk["head"] = self._places(payload)
        for name, values in chunk.items():
            self._columns.setdefault(name, []).append(values.copy())
        try:
            self._file.write(payload["texts"])
        except OSError as fault:
            raise out_of_space(fault, str(self._path)) from None
        self._rows += part.result.n_in
        self._choices += len(chunk["row"])
        self._entries += len(chunk["choice"])
        self._bytes += len(payload["texts"])
        part.result.payload = {}

    def _places(self, payload: dict[str, bytes]) -> tuple[Ints, Ints]:
        """((start, size) of each answer, (start of the prompt, its size, size of the tools) of each choice)."""
        size = np.frombuffer(payload["size"], "<u4").astype(np.int64)
        heads = np.frombuffer(payload["sizes"], "<u4").astype(np.int64).reshape(-1, 2)
        choice = np.frombuffer(payload["choice"], "<i4")
        before = np.cumsum(size) - size
        head_size = heads.sum(axis=1)
        # Texts stand as: prompt, tools, answers of the first choice; prompt, ... of the second.
        start = self._bytes + before + np.cumsum(head_size)[choice]
        own = np.zeros(len(heads), np.int64)
        np.add.at(own, choice, size)
        head = self._bytes + np.cumsum(head_size + own) - head_size - own
        return np.stack([start, size], axis=1), np.column_stack([head, heads])

    def close(self) -> None:
        """End the file and put the columns together."""
        try:
            self._file.close()
        except OSError as fault:
            raise out_of_space(fault, str(self._path)) from None
        columns = {name: np.concatenate(parts) for name, parts in self._columns.items()} or _nothing()
        self._columns = {}
        self._all = columns
        self.entry_choice: Ints = columns["choice"]
        self.choice_row: Ints = columns["row"]
        self.places: Ints = columns.pop("place")
        self.heads: Ints = columns.pop("head")
        self._reader = os.open(self._path, os.O_RDONLY)

    def table(self) -> tuple[Table, Ints]:
        """The table of the decision, and for each answer the entry of the table that it is; to be called once.

        Answers of joined rows that are the same in content and model and take part in votes are one entry.
        """
        columns, self._all = self._all, {}
        group = self._groups(columns)[self.entry_choice]
        entry = np.arange(self._entries)
        if len(columns["first"]):
            entry = self._merged(columns, group)
        kept = np.flatnonzero(entry == np.arange(self._entries))
        number = np.full(self._entries, -1, np.int64)
        number[kept] = np.arange(len(kept))
        number = number[entry]
        votes = None
        if len(columns["first"]):
            votes = VoteColumns(number[columns["first"]], number[columns["second"]], columns["won"])
        self.kept = kept
        table = Table(
            group[kept],
            columns["prompt"][self.entry_choice[kept]],
            columns["answer"][kept],
            columns["plain"][kept],
            columns["score"][kept],
            columns["rank"][kept],
            columns["label"][kept],
            columns["chars"][kept],
            columns["model"][kept],
            self.choice_row[self.entry_choice[kept]],
            list(self._models),
            votes,
            lambda numbers: [self.text(int(kept[n])) for n in numbers],
            columns["opening"][kept],
        )
        return table, number

    def _groups(self, columns: dict[str, NDArray[Any]]) -> Ints:
        """The group of each choice, numbered in order of first appearance; a choice that nothing joins is alone."""
        key = columns["key"]
        alone = ~key.any(axis=1)
        if alone.all():
            return np.arange(len(key))
        key = key.copy()
        key[alone, 0], key[alone, 1] = np.flatnonzero(alone), 2**64 - 1
        _, first, inverse = np.unique(key, axis=0, return_index=True, return_inverse=True)
        order = np.empty(len(first), np.int64)
        order[np.argsort(first)] = np.arange(len(first))
        return order[inverse.ravel()]

    def _merged(self, columns: dict[str, NDArray[Any]], group: Ints) -> Ints:
        """For each answer the first one that is the same: group, content and model, among those with votes."""
        voted = np.zeros(self._entries, bool)
        voted[columns["first"]] = voted[columns["second"]] = True
        some = np.flatnonzero(voted)
        key = np.column_stack(
            [
                group[some].astype(np.uint64),
                columns["answer"][some],
                columns["model"][some].astype(np.int64).view(np.uint64),
            ]
        )
        _, first, inverse = np.unique(key, axis=0, return_index=True, return_inverse=True)
        entry = np.arange(self._entries)
        entry[some] = some[first[inverse.ravel()]]
        return entry

    def read(self, start: int, size: int) -> bytes:
        """Bytes of the texts; a mapped file would all count as memory of this process."""
        return os.pread(self._reader, size, start)

    def text(self, number: int) -> str:
        """What an answer says, as the task `choices` had it."""
        start, size = self.places[number].tolist()
        messages: list[dict[str, Any]] = jsontext.decode(self.read(start, size), exact=False)
        if all(isinstance(message.get("content"), str) and len(message) == 2 for message in messages):
            return "\n".join(message["content"] for message in messages)
        return "\n".join(map(turn_text, openai.read({"messages": messages}, Spelling()).turns))

    def remove(self) -> None:
        """Close and delete the file."""
        if self._reader >= 0:
            os.close(self._reader)
            self._reader = -1
        if not self._file.closed:
            self._file.close()
        self._path.unlink(missing_ok=True)
