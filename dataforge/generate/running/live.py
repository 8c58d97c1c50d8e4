"""The line that a terminal shows while a run is at work: rows, tokens, money, speed, time left.

Python: `with LiveLine(status, quiet=False): ...`
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import TracebackType
from typing import Any

__all__ = ["LiveLine", "duration", "money"]


def duration(seconds: float) -> str:
    """`42 s`, `3:07 min`, `2:05 h`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02} min"
    return f"{whole // 3600}:{whole % 3600 // 60:02} h"


def money(amount: float) -> str:
    """`12.30`; small sums with two digits that say something: `0.0042`."""
    return f"{amount:,.2f}" if amount >= 0.1 or amount == 0 else f"{amount:.2g}"


class LiveLine:
    """Shows `status()` on standard error twice a second; nothing where that is no terminal."""

    def __init__(self, status: Callable[[], str], *, quiet: bool) -> None:
        self._status = status
        self._live: Any = None
        self._wanted = not quiet and sys.stderr is not None and sys.stderr.isatty()

    def __enter__(self) -> LiveLine:
        if self._wanted:
            from rich.console import Console
            from rich.live import Live
            from rich.text import Text

            self._live = Live(
                get_renderable=lambda: Text(self._status(), no_wrap=True, overflow="ellipsis"),
                console=Console(stderr=True),
                refresh_per_second=2,
                transient=True,
            )
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()
