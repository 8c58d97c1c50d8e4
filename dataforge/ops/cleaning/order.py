"""All repairs, in the order in which they run, and the texts that go through them.

Encodings come first, since every other repair looks at characters; markup goes before invisible characters and forms of
characters; what empties lines (boilerplate, repeats) goes before `spaces`, which is last.

Python: `Cleaner().clean("a  ")  # "a"`
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from dataforge.ops.cleaning import (
    boilerplate,
    chinese,
    composition,
    control,
    html,
    mojibake,
    personal,
    repeats,
    spaces,
    zero_width,
)
from dataforge.ops.cleaning.repair import Repair, Settings

__all__ = ["DEFAULTS", "NAMES", "REPAIRS", "Cleaner"]

_MODULES = (mojibake, html, control, zero_width, composition, chinese, boilerplate, repeats, personal, spaces)
REPAIRS: dict[str, Repair] = {repair.name: repair for module in _MODULES for repair in module.REPAIRS}
NAMES = tuple(REPAIRS)
DEFAULTS = tuple(name for name, repair in REPAIRS.items() if repair.default)


class Cleaner:
    """The chosen repairs, and what they did to the texts since `clear`.

    used: names of the repairs that changed something. found: what they counted.
    """

    def __init__(self, names: Iterable[str] = DEFAULTS, settings: Settings | None = None) -> None:
        wanted = set(names)
        self.settings = settings or Settings()
        self.repairs = tuple(repair for name, repair in REPAIRS.items() if name in wanted)
        self._checks = tuple((repair.needed, repair) for repair in self.repairs)
        self.used: set[str] = set()
        self.found: Counter[str] = Counter()

    def clear(self) -> None:
        """Forget what was done."""
        if self.used:
            self.used = set()
            self.found = Counter()

    def clean(self, text: str) -> str:
        """The text after all repairs that it needs."""
        for needed, repair in self._checks:
            if needed(text):
                repaired = repair.repair(text, self.settings, self.found)
                if repaired != text:
                    self.used.add(repair.name)
                    text = repaired
        return text

    @property
    def rule(self) -> str:
        """The repairs that changed something, in their order: `html+spaces`."""
        return "+".join(name for name in NAMES if name in self.used)

    @property
    def detail(self) -> str:
        """What was found, counted: `email 2, phone 1`."""
        return ", ".join(f"{what} {number}" for what, number in sorted(self.found.items()) if number)
