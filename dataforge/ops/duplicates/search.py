"""The passes of near-duplicate search: signatures of all rows, candidates, their shingle sets, and the decision.

Shingle sets of candidates are spilled to a temporary file and mapped, so that memory does not grow with the length of
texts. With an index, the rows that it holds and that share a key or a band with a new row take part as
rows that were kept before (`index.py`). What --save-scores keeps is in `saved.py`.

Python: `with Near(run, config) as near: parts, decision = near.decide()`
"""

from __future__ import annotations

import sys
import threading
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dataforge.engine.run import Part, Run
from dataforge.ops.duplicates.decision import (
    Candidates,
    Decision,
    Table,
    decide,
    find_candidates,
    representatives,
    warm,
)
from dataforge.ops.duplicates.described import Described
from dataforge.ops.duplicates.index import Index
from dataforge.ops.duplicates.minhash import Scheme, bands, chance
from dataforge.ops.duplicates.saved import Saved

if TYPE_CHECKING:
    from dataforge.ops.dedup import DedupConfig

__all__ = ["Near"]


class Near:
    """One search at work on the inputs of a run; `about` and `lines` say what it was, `commit` keeps what is saved."""

    def __init__(self, run: Run, config: DedupConfig) -> None:
        self._run, self._config = run, config
        self._scheme = Scheme(config.permutations, config.ngram)
        self._shape = bands(config.threshold, config.permutations)
        self._described = Described()
        self._saved: Saved | None = None
        self._index: Index | None = None
        self._found = 0

    def __enter__(self) -> Near:
        try:
            self._open()
        except BaseException:
            self.__exit__(*sys.exc_info())
            raise
        return self

    def _open(self) -> None:
        config = self._config
        if config.save_scores or config.from_scores:
            self._saved = Saved(self._run.sources, self._scheme, config.fields)
            self._saved.open() if config.from_scores else self._saved.begin(self._run.options.force)
        if config.index is not None:
            self._index = Index(config.index, self._scheme, self._shape, config)
            self._index.open()
            self._shape = self._index.shape

    def _warm(self) -> None:
        """Load the compiled loop of the decision while the workers sign: it takes half a second."""
        if self._run.workers > 1:
            threading.Thread(target=warm, daemon=True).start()

    def decide(self) -> tuple[list[Part], Decision]:
        """The parts of the first pass, and the decision."""
        config, run = self._config, self._run
        self._warm()
        parts = self._sign()
        from dataforge.ops.dedup import table_of

        table = table_of(run, parts, config, self._shape[0])
        if self._index is not None:
            self._index.refuse_again(run.entries)
            table = self._index.join(table)
            run.name_sources(table.names[len(run.sources) :])
        home = representatives(table, config.scope)
        candidates = find_candidates(table, home, config.scope)
        candidates.factors = self._scheme.factors()
        self._found = len(candidates.rows)
        self._describe(parts, table, home, candidates)
        decision = decide(table, home, candidates, config.threshold, scope=config.scope, verify=not config.no_verify)
        return parts, decision

    def _task(self, **more: Any) -> dict[str, Any]:
        scheme, config = self._scheme, self._config
        return {
            "permutations": scheme.permutations,
            "ngram": scheme.ngram,
            "seed": scheme.seed,
            "bands": self._shape[0],
            "band_rows": self._shape[1],
            "fields": config.fields,
            "normalise": config.normalise,
            **more,
        }

    def _sign(self) -> list[Part]:
        """The first pass: keys and bands of all rows; signatures are made, or were saved."""
        from dataforge.ops.dedup import emptied, fingerprint_options

        saved, config = self._saved, self._config
        if config.from_scores and saved is not None:
            parts = [emptied(part) for part in self._run.parts("fingerprint", fingerprint_options(config))]
            saved.check(self._run.entries, self._run.input_rows)
            for part in parts:
                saved.sign(part, *self._shape)
            return parts
        parts = []
        for part in self._run.parts("signed", self._task(save=saved is not None, ends=True)):
            if saved is not None:
                saved.add(part)
            parts.append(emptied(part))
        return parts

    def _describe(self, parts: list[Part], table: Table, home: NDArray[np.int64], candidates: Candidates) -> None:
        """Give the candidates their sets (with an index: every row that may go into it)."""
        n = sum(len(part.rows) for part in parts)
        wanted = np.zeros(len(table), bool)
        wanted[candidates.rows] = True
        if self._index is not None:
            self._index.describe(np.flatnonzero(wanted[n:]), n, self._described)
            wanted[:n] |= table.sound[:n] & (home[:n] == np.arange(n))
        saved = self._saved if self._config.from_scores else None
        if saved is not None:
            wanted[:n] &= ~saved.describe(wanted[:n], table, self._described)
        if wanted[:n].any():
            self._shingle(parts, wanted)
        self._described.finish(candidates)
        if self._saved is not None and saved is None:
            self._saved.add_sets(self._described, table, n)

    def _shingle(self, parts: list[Part], wanted: NDArray[np.bool_]) -> None:
        """The second pass: sets of the wanted rows, read once more."""
        starts = np.cumsum([0, *(len(part.rows) for part in parts)]).tolist()
        marks = wanted.astype(np.uint8)
        task = self._task(only_marked=True)
        for number, part in enumerate(
            self._run.parts("signed", task, keep=lambda k: marks[starts[k] : starts[k + 1]].tobytes())
        ):
            payload = part.result.payload
            rows = starts[number] + np.flatnonzero(wanted[starts[number] : starts[number + 1]])
            self._described.add(
                rows,
                np.frombuffer(payload["counts"], np.int64),
                np.frombuffer(payload["values"], np.uint64),
            )

    def prepare(self, decision: Decision) -> None:
        """Write what is to be saved, under temporary names."""
        if self._saved is not None and not self._config.from_scores:
            self._saved.finish(self._run.entries)
        if self._index is not None:
            self._index.prepare(decision, self._described, self._run)

    def commit(self) -> None:
        """Put what is saved into place."""
        if self._saved is not None:
            self._saved.commit()
        if self._index is not None:
            self._index.commit()

    def about(self, decision: Decision) -> dict[str, Any]:
        """Figures of the search for report and manifest."""
        b, r = self._shape
        return {
            "bands": b,
            "rows": r,
            "recall_at_threshold": round(float(chance(decision.threshold, b, r)), 4),
            "candidates": self._found,
            "compared": decision.compared,
        }

    def lines(self, decision: Decision) -> list[str]:
        """The same for people."""
        b, r = self._shape
        said = f"  {self._found:,} rows share a band ({b} bands of {r}); {decision.compared:,} pairs compared"
        return [said, *(self._index.lines() if self._index is not None else ())]

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._described.close()
        for part in (self._saved, self._index):
            if part is not None:
                part.give_up()
