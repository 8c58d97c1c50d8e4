"""The way of one row through `convert`: unfolded, renamed, read, repaired, written, and its source folded in.

Options: `to` (a dialect, or `source`), `from`, `joiner`, `map`, `role`, `repairs`, `keep_layout`.

Python: `Way.of({"to": "alpaca", "keep_layout": True}).turn(batch, 0, row).row`
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from dataforge.engine.batch import Batch
from dataforge.errors import RowError
from dataforge.formats import folded
from dataforge.formats.detect import dialect
from dataforge.formats.mapping import Mapping
from dataforge.formats.nearest import nearest
from dataforge.formats.repairs import Repairs
from dataforge.formats.spelling import Spelling
from dataforge.record import Record, record_id

__all__ = ["BARE", "SOURCE", "STALE", "Turned", "Way"]

SOURCE = "source"
"""The target that each row's own layout names."""
STALE = "stale_layout"
BARE = "bare"
"""The count of rows without a layout, which `source` leaves as they are."""
MOST_VALUES = 10_000
"""Values of one row that may be repaired one by one."""


class Turned(NamedTuple):
    """What became of a row. dialect: the one it came from. rule: the repair, or ""."""

    row: dict[str, Any]
    dialect: str
    rule: str = ""
    detail: str = ""


@dataclass(frozen=True)
class Way:
    """How rows are converted."""

    to: str
    spelling: Spelling
    mapping: Mapping | None
    repairs: Repairs | None
    keep_layout: bool

    @classmethod
    def of(cls, options: dict[str, Any]) -> Way:
        """The way that a task's options describe."""
        names = options.get("mapping")
        repairs = Repairs(**options.get("repairs", {}))
        return cls(
            options["to"],
            Spelling(options.get("joiner", "\n")),
            Mapping(*names) if names else None,
            None if repairs.idle else repairs,
            bool(options.get("keep_layout")),
        )

    @property
    def bare(self) -> bool:
        """True if rows go out without their layouts."""
        return not self.keep_layout and self.to != SOURCE

    def writer(self) -> Callable[[Record, Spelling], dict[str, Any]] | None:
        """The target's `write` if that is all there is to do with a row without a layout."""
        if self.mapping is not None or self.repairs is not None or self.keep_layout or self.to == SOURCE:
            return None
        write: Callable[[Record, Spelling], dict[str, Any]] = dialect(self.to).write
        return write

    def turn(self, batch: Batch, index: int, value: dict[str, Any]) -> Turned:
        """Row `index` of a batch in the target dialect; its id is noted there.

        Raises RowError (NotRepresentable) if it is faulty or the target cannot carry it, Drop if a repair drops it.
        """
        if folded.KEY in value or self.mapping is not None or self.repairs is not None or self.to == SOURCE:
            return self._slowly(batch, index, value)
        module = batch.module(value)
        try:
            record = module.read(value, self.spelling)
        except KeyError as fault:
            raise RowError("missing_key", f"{module.NAME} needs the key {fault}") from None
        batch.ids[index] = record_id(record)
        key = module.NAME
        if self.keep_layout and module.NAME != self.to:
            return self._carried(record, folded.Source(module.NAME, value, self.spelling.joiner), key, [])
        return Turned(dialect(self.to).write(record, self.spelling), key)

    def _slowly(self, batch: Batch, index: int, value: dict[str, Any]) -> Turned:
        """A row that is unfolded, renamed or repaired before it is written."""
        rules: list[str] = []
        source, stale = None, ""
        if folded.KEY in value:
            value, source, stale = folded.unfold(value)
            if stale:
                rules.append(STALE)
        if source is None:
            row = value if self.mapping is None else self.mapping.apply(value)
            source = folded.Source(batch.module(row).NAME, value, self.spelling.joiner, self.mapping)
            if self.to == SOURCE and not rules:  # a row that was of the target's dialect got no layout
                batch.stats[BARE] += 1
        home = self.to if self.to != SOURCE else stale or source.dialect
        record, repaired = self._read(source)
        batch.ids[index] = record_id(record)
        rules += repaired
        key = source.dialect
        if self.to == SOURCE and not rules:
            return Turned(source.row, key)
        if self.keep_layout and (source.dialect != home or source.mapping is not None):
            if repaired:
                row = dialect(source.dialect).write(record, self.spelling)
                source = folded.Source(source.dialect, row, self.spelling.joiner)
            return self._carried(record, source, key, rules)
        return Turned(dialect(home).write(record, self.spelling), key, "+".join(rules))

    def _read(self, source: folded.Source) -> tuple[Record, list[str]]:
        """The record of a row and the repairs that it took."""
        rules: dict[str, None] = {}
        module, spelling = dialect(source.dialect), Spelling(source.joiner)
        row = source.row if source.mapping is None else source.mapping.apply(source.row)
        for _ in range(MOST_VALUES):
            try:
                record: Record = module.read(row, spelling)
                break
            except KeyError as fault:
                raise RowError("missing_key", f"{module.NAME} needs the key {fault}") from None
            except RowError as fault:
                mended = None if self.repairs is None else self.repairs.value(row, fault)
                if mended is None:
                    raise
                row, rule = mended
                rules[rule] = None
        else:
            raise RowError("not_text", f"more than {MOST_VALUES:,} values of the row are no texts")
        if self.repairs is not None:
            rules |= dict.fromkeys(self.repairs.shape(record))
        return record, list(rules)

    def _carried(self, record: Record, source: folded.Source, key: str, rules: list[str]) -> Turned:
        """The row in the target dialect as far as that can carry it, with its source folded in."""
        row, lacks = nearest(dialect(self.to), record, self.spelling)
        if lacks:
            rules = [*rules, f"in_layout:{self.to}"]
        return Turned(folded.fold(row, source), key, "+".join(rules), lacks)
