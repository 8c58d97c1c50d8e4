"""Candidates that became no row, one JSON line each: `{"source", "line", "fate", "rule", "detail", "text"}`.

source, line: of the input row, as in the ledger; methods without input rows say neither. They were paid for, so they
are kept to be looked at.
Python: `DroppedFile(partial / "dropped.jsonl").add(event, {"source": "in.jsonl", "line": 17})`
"""

from __future__ import annotations

from typing import Any

from dataforge.engine.linesfile import LinesFile
from dataforge.generate.running.tally import Event

__all__ = ["DroppedFile"]


class DroppedFile(LinesFile):
    """Writes dropped.jsonl."""

    def add(self, event: Event, row: dict[str, Any]) -> None:
        """Append a verdict about a candidate of an input row."""
        said = {"fate": event.fate, "rule": event.rule, "detail": event.detail, "text": event.text}
        self.write([{**row, **said}])
