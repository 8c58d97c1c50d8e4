"""Candidates that became no row, one JSON line each: `{"row", "fate", "rule", "detail", "text"}`.

row: number of the input row (0 in methods that have none). They were paid for, so they are kept to be looked at.
Python: `DroppedFile(partial / "dropped.jsonl").add(17, event)`
"""

from __future__ import annotations

from dataforge.engine.linesfile import LinesFile
from dataforge.generate.running.tally import Event

__all__ = ["DroppedFile"]


class DroppedFile(LinesFile):
    """Writes dropped.jsonl."""

    def add(self, row: int, event: Event) -> None:
        """Append a verdict."""
        self.write([{"row": row, "fate": event.fate, "rule": event.rule, "detail": event.detail, "text": event.text}])
