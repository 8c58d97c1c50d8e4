"""The shape of a repair: a name, a cheap look at a text, and the text as it ought to be.

`needed(text)` may err on the side of yes and must be fast: it is asked of every text. `repair(text, settings, found)`
gives the repaired text, and notes in `found` how often it found what ("phone": 2) where that is worth telling; it
never notes what it found. A repair says by itself that nothing changed, by giving back an equal text.

Python: `REPAIR = Repair("spaces", "trailing blanks", needed, repair, default=True)`
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

__all__ = ["Repair", "Settings"]


@dataclass(frozen=True)
class Settings:
    """What repairs are told.

    kinds: of personal data to replace. lines: further boilerplate, each a whole line. talk: the text is a turn of a
    conversation, in which markup may be the answer.
    """

    kinds: tuple[str, ...] = ()
    lines: frozenset[str] = field(default_factory=frozenset)
    talk: bool = False


@dataclass(frozen=True)
class Repair:
    """One repair. default: it runs unless it is switched off."""

    name: str
    help: str
    needed: Callable[[str], bool]
    repair: Callable[[str, Settings, Counter[str]], str]
    default: bool = False
