"""What is worth telling once about servers and their replies, with a count where it happens again and again.

Python: `remarks.add("other_model", "gpt-4o answers instead of gpt-5"); remarks.lines`
"""

from __future__ import annotations

from collections import deque

from xxhash import xxh3_64_intdigest

__all__ = ["Remarks", "SeenIds"]

MOST = 50
"""Remarks that are kept; servers that word each fault anew say nothing new."""


class Remarks:
    """Remarks in the order in which they first came up; `add` may be called from any thread."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}

    def add(self, text: str) -> None:
        """Say something, or count that it would be said again."""
        if text in self._counts or len(self._counts) < MOST:
            self._counts[text] = self._counts.get(text, 0) + 1

    def once(self, text: str) -> None:
        """Say something, and never count it."""
        if len(self._counts) < MOST:
            self._counts[text] = 1

    @property
    def lines(self) -> list[str]:
        """Each remark once, with `(N times)` from the second time on."""
        return [f"{text} ({count:,} times)" if count > 1 else text for text, count in list(self._counts.items())]


class SeenIds:
    """Which ids of replies came lately: the last `most`, so that memory stays flat."""

    def __init__(self, most: int = 10_000) -> None:
        self._most = most
        self._order: deque[int] = deque()
        self._seen: set[int] = set()

    def again(self, identity: str) -> bool:
        """True if this id came before."""
        digest = xxh3_64_intdigest(identity.encode(errors="replace"))
        if digest in self._seen:
            return True
        self._seen.add(digest)
        self._order.append(digest)
        if len(self._order) > self._most:
            self._seen.discard(self._order.popleft())
        return False
