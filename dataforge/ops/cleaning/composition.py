"""Repairs of Unicode forms: `unicode` (NFC, by default), `width` and `nfkc` (on request).

`unicode` composes characters canonically (Unicode Standard Annex 15); no mark is ever stripped: パ stays パ, é stays é.
`width` makes full-width letters and digits (Ａ１) ASCII and half-width kana (ｶﾞ) full-width, and leaves Chinese
punctuation and the ideographic space alone. `nfkc` folds all compatibility forms, ， and ① and ㎏ among them.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter

from dataforge.ops.cleaning.repair import Repair, Settings

__all__ = ["REPAIRS"]

_WIDE = re.compile("[\uff10-\uff19\uff21-\uff3a\uff41-\uff5a]+|[\uff66-\uff9f]+")


def _not_composed(text: str) -> bool:
    return not text.isascii() and not unicodedata.is_normalized("NFC", text)


def _compose(text: str, settings: Settings, found: Counter[str]) -> str:
    return unicodedata.normalize("NFC", text)


def _not_compatible(text: str) -> bool:
    return not text.isascii() and not unicodedata.is_normalized("NFKC", text)


def _fold(text: str, settings: Settings, found: Counter[str]) -> str:
    return unicodedata.normalize("NFKC", text)


def _has_wide(text: str) -> bool:
    return not text.isascii() and _WIDE.search(text) is not None


def _narrow(text: str, settings: Settings, found: Counter[str]) -> str:
    return _WIDE.sub(lambda match: unicodedata.normalize("NFKC", match[0]), text)


REPAIRS = (
    Repair("unicode", "canonical composition (NFC)", _not_composed, _compose, default=True),
    Repair("width", "full-width letters and digits, half-width kana", _has_wide, _narrow),
    Repair("nfkc", "all compatibility forms (NFKC), Chinese punctuation too", _not_compatible, _fold),
)
