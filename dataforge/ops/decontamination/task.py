"""The worker task behind decontaminate: score rows against the index of reference items, decide, copy what stays.

Options: `index` (folder that holds the index and `items.npz`), `files` (names of the reference files), `roles` (which
parts of an item decide), `methods`, `threshold`, `evidence`, `containment`, `keep_dropped`, `copy`.
A row's verdict is its best hit: exact before n-gram before MinHash, then the larger share. Kept rows with a hit of a
tenth or more carry it as a detail too, so that the ledger answers for other thresholds.
Stats: `written`; `removed:FILE` (rows by the file of their best item); `coverage:T` (rows whose best hit covers T
tenths of its item, and not more). Payload: `hit`, the parts (int32) by which rows were removed; and for each row `item`
(int64, its best item, -1 for none), `coverage` and `containment` (float32, NaN for none).

CLI: `dataforge decontaminate train.jsonl --against gsm8k.jsonl -o clean.jsonl`
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dataforge.engine.batch import Batch, Note
from dataforge.errors import RowError
from dataforge.ledger import KEPT
from dataforge.ops.decontaminate import METHODS, ROLES
from dataforge.ops.decontamination.index import Index
from dataforge.ops.decontamination.matching import Hits, Matcher
from dataforge.ops.decontamination.pieces import Said
from dataforge.ops.rows import json_line, too_deep
from dataforge.ops.rowtext import turn_text
from dataforge.record import Record, record_id

__all__ = ["EXACT", "MINHASH", "NGRAM", "Catalogue", "Decision", "decide", "open_task", "said"]

EXACT, NGRAM, MINHASH, NONE = range(4)
"""Verdicts on a hit, the strongest evidence first."""
MOST = 0.8
"""The coverage that is enough of an item of any length."""
LEAST = 0.1
"""The coverage from which a hit is told of, removed or not."""


@dataclass(frozen=True)
class Decision:
    """What counts as contamination: methods, least coverage, least containment, and the parts that may decide.

    evidence: the weight that must be found, unless MOST of the item is less: half of a short item is a phrase.
    """

    methods: tuple[str, ...]
    threshold: float
    evidence: int
    containment: float
    deciding: NDArray[np.bool_]


@dataclass(frozen=True)
class Catalogue:
    """What parts stand for. first: the first item of each part; parts: (items, roles).

    files, ordinals, lines: where each item stands.

    part_role: the role of a part in its first item. -1: an item has no such part.
    """

    first: NDArray[np.int64]
    part_role: NDArray[np.int64]
    files: NDArray[np.int64]
    ordinals: NDArray[np.int64]
    lines: NDArray[np.int64]
    parts: NDArray[np.int64]

    def save(self, folder: str) -> None:
        """Write it beside the index."""
        np.savez(os.path.join(folder, "items.npz"), **self.__dict__)

    @classmethod
    def load(cls, folder: str) -> Catalogue:
        """Read it back."""
        with np.load(os.path.join(folder, "items.npz")) as arrays:
            return cls(**arrays)


def decide(hits: Hits, weight: NDArray[np.int64], decision: Decision) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """(the verdict on every hit, the best hit of each row that has a deciding one). weight: of each part."""
    verdicts = np.full(len(hits.row), NONE, np.uint8)
    least = np.minimum(MOST, decision.evidence / np.maximum(weight[hits.part], 1))
    if "minhash" in decision.methods:
        verdicts[hits.containment >= np.maximum(decision.containment, least)] = MINHASH
    if "ngram" in decision.methods:
        verdicts[hits.coverage >= np.maximum(decision.threshold, least)] = NGRAM
    if "exact" in decision.methods:
        verdicts[hits.exact] = EXACT
    verdicts[~decision.deciding[hits.part]] = NONE
    share = np.where(verdicts == MINHASH, hits.containment, hits.coverage)
    order = np.lexsort((hits.part, -weight[hits.part], -share, verdicts, ~decision.deciding[hits.part], hits.row))
    rows = hits.row[order]
    best = order[np.concatenate([[True], rows[1:] != rows[:-1]])] if len(order) else order
    return verdicts, best[decision.deciding[hits.part[best]]]


def said(record: Record) -> Said:
    """The texts of a record, in order: its turns, then its candidates."""
    turns = record.turns
    texts = [turn_text(turn) for turn in turns]
    asked = [number for number, turn in enumerate(turns) if turn.role != "assistant"]
    prompt = len(turns)
    if record.candidates:
        texts += [turn_text(turn) for candidate in record.candidates for turn in candidate.turns]
    else:
        prompt = max((number for number, turn in enumerate(turns) if turn.role == "assistant"), default=prompt)
    return Said(texts, asked, prompt)


def open_task(options: dict[str, Any]) -> Callable[[Batch], None]:
    """The task for these options."""
    index, catalogue = Index.load(options["index"]), Catalogue.load(options["index"])
    methods = tuple(options["methods"])
    roles = [ROLES.index(role) for role in options["roles"]]
    deciding = np.zeros(len(index.weight), bool)
    for role in roles:
        parts = catalogue.parts[:, role]
        deciding[parts[parts >= 0]] = True
    decision = Decision(methods, options["threshold"], options["evidence"], options["containment"], deciding)
    matcher = Matcher(index, options["containment"] if "minhash" in methods else None)
    teller = _Teller(catalogue, options["files"])

    def run(batch: Batch) -> None:
        rows, encoded, texts = _read(batch, copy=options["copy"])
        hits = matcher.score(texts)
        verdicts, best = decide(hits, index.weight, decision)
        removed = _note(batch, rows, hits, verdicts, best, teller, raw=options["keep_dropped"])
        batch.payload = _columns(batch.n_in, np.array(rows, np.int64), hits, best, catalogue)
        hit = hits.part[verdicts != NONE]
        batch.payload["hit"] = np.unique(hit).astype(np.int32).tobytes()
        batch.out = [line for row, line in zip(rows, encoded, strict=True) if line and row not in removed]
        batch.stats["written"] = len(batch.out)

    return run


def _columns(
    n: int, rows: NDArray[np.int64], hits: Hits, best: NDArray[np.int64], catalogue: Catalogue
) -> dict[str, bytes]:
    """The best item of each row of the chunk, its coverage and containment."""
    item = np.full(n, -1, np.int64)
    shares = np.full((2, n), np.nan, np.float32)
    if len(best):
        item[rows[hits.row[best]]] = catalogue.first[hits.part[best]]
        shares[:, rows[hits.row[best]]] = hits.coverage[best], hits.containment[best]
    return {"item": item.tobytes(), "coverage": shares[0].tobytes(), "containment": shares[1].tobytes()}


def _read(batch: Batch, *, copy: bool) -> tuple[list[int], list[bytes], list[Said]]:
    """(number, row as it will be written, texts) of every readable row; nothing is encoded without `copy`."""
    rows: list[int] = []
    encoded: list[bytes] = []
    texts: list[Said] = []
    lines = batch.chunk.kind == "lines"
    for index, value in batch.values():
        try:
            record = batch.read(value)
            batch.ids[index] = record_id(record)
            line = b"" if not copy else batch.raw(index) + b"\n" if lines else json_line(value)
        except RowError as fault:
            batch.fault(index, fault)
        except RecursionError:
            batch.fault(index, too_deep())
        else:
            rows.append(index)
            encoded.append(line)
            texts.append(said(record))
    return rows, encoded, texts


def _note(
    batch: Batch,
    rows: list[int],
    hits: Hits,
    verdicts: NDArray[np.uint8],
    best: NDArray[np.int64],
    teller: _Teller,
    *,
    raw: bool,
) -> set[int]:
    """Drop the rows whose best hit counts, tell of the hits that nearly do; the rows dropped."""
    removed: set[int] = set()
    more = np.bincount(hits.row[verdicts != NONE], minlength=len(rows))
    told = best[np.maximum(hits.coverage[best], hits.containment[best]) >= LEAST]
    for hit, answer in zip(told.tolist(), teller.answers(hits, told), strict=True):
        row = rows[hits.row[hit]]
        batch.stats[f"coverage:{int(hits.coverage[hit] * 10 + 1e-9)}"] += 1
        detail = teller.tell(hits, hit, answer, int(more[hits.row[hit]]) - 1)
        if verdicts[hit] == NONE:
            batch.notes[row] = Note(row, batch.line(row), KEPT, "", 1, detail)
            continue
        batch.drop(row, f"contaminated:{METHODS[verdicts[hit]]}", detail)
        if not raw:
            batch.notes[row].raw = None
        batch.stats[f"removed:{teller.file_of(hits, hit)}"] += 1
        removed.add(row)
    return removed


class _Teller:
    """Puts a hit into words."""

    def __init__(self, catalogue: Catalogue, files: list[str]) -> None:
        self._catalogue = catalogue
        self._files = files

    def file_of(self, hits: Hits, hit: int) -> int:
        """The reference file of a hit's first item."""
        return int(self._catalogue.files[self._catalogue.first[hits.part[hit]]])

    def answers(self, hits: Hits, told: NDArray[np.int64]) -> list[float]:
        """How much of each hit's answer is in the row too; -1 if it has none, or the hit is no prompt."""
        catalogue, part = self._catalogue, hits.part[told]
        answer = catalogue.parts[catalogue.first[part], ROLES.index("answer")]
        answer = np.where(catalogue.part_role[part] == ROLES.index("answer"), -1, answer)
        at = hits.of(told, answer)
        found = np.where(at >= 0, hits.coverage[at], 0.0) if len(hits.row) else np.zeros(0)
        shares: list[float] = np.where(answer < 0, -1.0, found).tolist()
        return shares

    def tell(self, hits: Hits, hit: int, answer: float, more: int) -> str:
        """`gsm8k.jsonl:17 prompt, coverage 0.93, answer 0.40, 2 more items: "what both say"`."""
        catalogue, part = self._catalogue, int(hits.part[hit])
        item, role = int(catalogue.first[part]), int(catalogue.part_role[part])
        line, row = int(catalogue.lines[item]), int(catalogue.ordinals[item]) + 1
        place = f"{self._files[catalogue.files[item]]}:{line}" + (f" (row {row})" if row != line else "")
        words = [f"{place} {ROLES[role]}"]
        words.append(f"coverage {hits.coverage[hit]:.2f}")
        if hits.containment[hit]:
            words.append(f"containment {hits.containment[hit]:.2f}")
        if answer >= 0:
            words.append(f"its answer {answer:.2f}")
        if more > 0:
            words.append(f"{more:,} more hits")
        return ", ".join(words) + f": {hits.text(hit)!r}"
