"""Repairs `simplified` and `traditional`: Chinese characters of the other standard, on request.

OpenCC's phrase tables are used (configurations t2s and s2t), so that 头发 becomes 頭髮 and 发展 發展. Texts in
which one in twenty of these characters is kana are left alone: Japanese has forms of its own.
"""

from __future__ import annotations

import re
from collections import Counter
from functools import cache
from typing import Any

from dataforge.ops.cleaning.repair import Repair, Settings

__all__ = ["REPAIRS"]

_HAN = re.compile("[\u3400-\u9fff\uf900-\ufaff\U00020000-\U000323af]")
_KANA = re.compile("[\u3041-\u3096\u30a1-\u30fa]")
_SURROGATES = re.compile("([\ud800-\udfff]+)")
KANA_SHARE = 0.05


def _is_chinese(text: str) -> bool:
    if text.isascii() or _HAN.search(text) is None:
        return False
    kana = len(_KANA.findall(text))
    return not kana or kana < KANA_SHARE * (kana + len(_HAN.findall(text)))


@cache
def _converter(name: str) -> Any:
    import opencc

    return opencc.OpenCC(name)


def _converted(name: str, text: str) -> str:
    """The text through a converter, which takes no lone surrogates."""
    convert = _converter(name).convert
    return "".join(part if at % 2 else convert(part) for at, part in enumerate(_SURROGATES.split(text)))


def _to_simplified(text: str, settings: Settings, found: Counter[str]) -> str:
    return _converted("t2s", text)


def _to_traditional(text: str, settings: Settings, found: Counter[str]) -> str:
    return _converted("s2t", text)


REPAIRS = (
    Repair("simplified", "traditional Chinese characters to simplified ones", _is_chinese, _to_simplified),
    Repair("traditional", "simplified Chinese characters to traditional ones", _is_chinese, _to_traditional),
)
