"""The worker task of `clean`: each row kept as it stands, repaired, or dropped by a named rule.

Options: `repairs` (names), `kinds`, `lines` (see `dataforge.ops.cleaning`), `harmful` (lists), `languages` (codes to
keep), `from`, `diff` (changed rows to show, from each chunk). A row that no repair touches is copied as its bytes.
Stats: `written`; `repair:NAME`, the rows that a repair changed; `found:WHAT`. Payload: `diff`, rows as JSON.

A repaired row whose `_layout` no longer fits it goes out without (rule `stale_layout`, as convert has it).
Rules of dropped rows: `empty` (it had text and nothing else, and has none after the repairs), `harmful:LIST`,
`language:CODE`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import orjson

from dataforge.engine.batch import Batch
from dataforge.errors import RowError
from dataforge.formats.detect import dialect, find
from dataforge.formats.folded import KEY
from dataforge.ops.cleaning.changes import shown
from dataforge.ops.cleaning.edit import edited, has_only_texts, texts_of
from dataforge.ops.cleaning.order import Cleaner
from dataforge.ops.cleaning.repair import Settings
from dataforge.ops.cleaning.spaces import BLANKS
from dataforge.ops.rows import json_line, too_deep
from dataforge.ops.way import STALE
from dataforge.record import Record, record_id

__all__ = ["open_task"]

CONTINUED = frozenset(("trl-completion", "trl-prompt", "trl-stepwise", "trl-preference", "trl-unpaired"))
"""Dialects where an answer may go on in the line of its prompt: the blanks that a text ends with mean something.

So do the line ends of a prompt that is a text: the body of a function must not begin in the line of its docstring.
"""
UNKNOWN = "und"


def open_task(options: dict[str, Any]) -> Callable[[Batch], None]:
    """The task for these options."""
    task = _Task(options)
    return task.run


class _Task:
    """What is done to rows."""

    def __init__(self, options: dict[str, Any]) -> None:
        settings = Settings(tuple(options.get("kinds", ())), frozenset(options.get("lines", ())))
        self.cleaners = {talk: Cleaner(options["repairs"], replace(settings, talk=talk)) for talk in (False, True)}
        self.cleaner = self.cleaners[False]
        self.languages = frozenset(options.get("languages", ()))
        self.diff = options.get("diff", 0)
        self.fixed = options.get("from")
        self.lists = []
        if options.get("harmful"):
            from dataforge.ops.cleaning import harmful

            self.lists = [harmful.load(name) for name in options["harmful"]]

        self.drops = bool(self.lists or self.languages)

    def run(self, batch: Batch) -> None:
        """All rows of a batch."""
        fixed = None if self.fixed is None else dialect(self.fixed)
        prefer = batch.chunk.prefer
        is_lines = batch.chunk.kind == "lines"
        shown_rows: list[Any] = []
        for index, value in batch.values():
            try:
                module = fixed or find(value, prefer)
                if KEY in value:
                    record = batch.read(value)
                else:
                    record = module.read(value, batch.spelling)
                batch.ids[index] = record_id(record)
                if self._row(batch, index, value, record, module, shown_rows):
                    batch.out.append(batch.raw(index) + b"\n" if is_lines else json_line(value))
            except RowError as fault:
                batch.fault(index, fault)
            except KeyError as fault:
                batch.error(index, "missing_key", f"{module.NAME} needs the key {fault}")
            except RecursionError:
                batch.fault(index, too_deep())
        batch.stats["written"] = len(batch.out)
        if shown_rows:
            batch.payload["diff"] = orjson.dumps(shown_rows)

    def _row(
        self, batch: Batch, index: int, value: dict[str, Any], record: Record, module: Any, shown_rows: list[Any]
    ) -> bool:
        """One row; True if it goes out as it stands."""
        cleaner = self.cleaner = self.cleaners[not record.is_document]
        cleaner.clear()
        old = texts_of(record)
        layout, clean = record.layout or {}, cleaner.clean
        if layout.get("dialect") in CONTINUED:
            clean = self._continued
            new = self._all_continued(old, layout["row"])
        else:
            new = [clean(text) for text in old]
        if self.drops or cleaner.used:
            reason = self._dropped(old, new, record)
            if reason:
                batch.drop(index, *reason)
                return False
        if not cleaner.used or new == old:
            return True
        rule, detail, found = cleaner.rule, cleaner.detail, dict(cleaner.found)
        row = edited(value, record, module, batch.spelling, new, clean)  # may clean parts of texts, which counts anew
        if row == value:
            return True
        if KEY in value and KEY not in row:
            rule += "+" + STALE
        batch.out.append(json_line(row))
        batch.repaired(index, rule, detail)
        self._count(batch, rule, found)
        if len(shown_rows) < self.diff:
            changes = [shown(was, now) for was, now in zip(old, new, strict=True) if was != now]
            shown_rows.append([batch.line(index), rule, detail, changes])
        return False

    def _all_continued(self, texts: list[str], row: dict[str, Any]) -> list[str]:
        """The texts of a row of prompts and answers; a prompt that is a text keeps its last line ends too."""
        prompt = [self._continued(text, BLANKS + "\r\n") for text in texts[:1] if type(row.get("prompt")) is str]
        return prompt + [self._continued(text) for text in texts[len(prompt) :]]

    def _continued(self, text: str, blanks: str = BLANKS) -> str:
        """A text whose last blanks stay; line ends among them become line feeds."""
        bare = text.rstrip(blanks)
        if not bare or len(bare) == len(text):
            return self.cleaner.clean(text)
        repaired = self.cleaner.clean(bare)
        return repaired and repaired + self.cleaner.clean(f"x{text[len(bare) :]}x")[1:-1]

    def _count(self, batch: Batch, rule: str, found: dict[str, int]) -> None:
        for name in rule.split("+"):
            batch.stats["repair:" + name] += 1
        for what, number in found.items():
            batch.stats["found:" + what] += number

    def _dropped(self, old: list[str], new: list[str], record: Record) -> tuple[str, str] | None:
        """The rule by which a row is dropped, and a word on it."""
        if self.cleaner.used and not any(map(str.strip, new)) and any(map(str.strip, old)) and has_only_texts(record):
            return "empty", self.cleaner.rule
        for words in self.lists:
            if any(words.find(text) for text in new):
                return f"harmful:{words.name}", ""
        if self.languages:
            from dataforge.ops.langid import detect

            code, probability = detect("\n".join(new))
            if code not in self.languages and code != UNKNOWN:
                return f"language:{code}", f"probability {probability:.2f}"
        return None
