r"""Numbers with units as answers give them: `$1,800`, `18 dollars`, `20 %`, `3/4`, `\frac{3}{4}`, 1.5万, 三分之一.

A text is a quantity if it holds one number and, after it, at most three words or six characters of a unit. Values are
exact fractions. Two quantities are the same if their values are (a relative 1e-6 apart, so that 0.3333333 is 1/3; 20 %
is 20 and 0.2 alike) and their units do not differ; a unit that only one of them names does not matter.

Python: `same_quantity(read_quantity("18元"), read_quantity("18.00"))  # True`
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from fractions import Fraction

__all__ = ["Quantity", "read_han", "read_quantity", "same_quantity"]

TOLERANCE = Fraction(1, 10**6)
LONGEST = 200
"""Characters: what is longer is no quantity. Powers of ten beyond 300 are none either."""
_DIGITS = dict(zip("零〇一二两三四五六七八九", (0, 0, 1, 2, 2, 3, 4, 5, 6, 7, 8, 9), strict=True))
_TENS = {"十": 10, "百": 100, "千": 1000}
_MYRIADS = {"万": 10**4, "亿": 10**8}
_HAN = "零〇一二两三四五六七八九十百千万亿"
_TIMES = {
    **{"百万": 10**6, "千万": 10**7, "万亿": 10**12, "百": 100, "千": 1000, "万": 10**4, "亿": 10**8},
    **{"hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9, "trillion": 10**12},
}
_ONES = dict(
    zip(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
        "seventeen eighteen nineteen".split(),
        range(20),
        strict=True,
    )
)
_ONES |= {
    word: ten * 10 for ten, word in enumerate("twenty thirty forty fifty sixty seventy eighty ninety".split(), start=2)
}
_SPELLED = "|".join(sorted(_ONES, key=len, reverse=True))
_NUMBER = re.compile(
    r"(?:(?P<whole>\d+) )?(?P<top>\d+)\s*/\s*(?P<bottom>\d+)"
    r"|(?P<decimal>(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?|\.\d+)(?:\s*[x×*]\s*10\s*\^\s*(?P<power>-?\d{1,3})|e(?P<e>[-+]?\d{1,3}))?"
    rf"|(?P<han_percent>百分之)?(?P<han>[{_HAN}]+(?:点[零〇一二两三四五六七八九]+)?)(?:分之(?P<han_top>[{_HAN}]+))?"
    rf"|(?P<spelled>(?:{_SPELLED})(?:[ -](?:and )?(?:{_SPELLED}|hundred|thousand|million))*)\b",
    re.IGNORECASE,
)
_LEAD = re.compile(
    r"(?:(?:about|around|approximately|roughly|exactly|only)\s+|大约|大概|约|共计|共|[≈=~]\s*|[a-z]\s*=\s*)?", re.I
)
_MONEY = re.compile(r"([$¥€£]|us\$|usd|rmb|人民币)?\s*", re.IGNORECASE)
_MULTIPLE = re.compile(
    r"\s*(百万|千万|万亿|百|千|万|亿)(?![米克瓦卡伏])|\s*(hundred|thousand|million|billion|trillion)\b", re.I
)
_UNIT = re.compile(
    r"\s*(?P<unit>%|[^\W\d_°]?[a-z°²³'/·.]*(?: [a-z²³'/]+){0,2}|[\u3400-\u9fff]{1,6})\s*[.。!！]?", re.IGNORECASE
)
_UNITS = """
dollar: $ us$ usd 美元        yuan: ¥ rmb 人民币 元 块 块钱 元人民币      euro: € 欧元       pound: £ 英镑
公里: km kilometer kilometre 千米       米: m meter metre       厘米: cm centimeter centimetre
公斤: kg kilogram 千克       克: g gram       小时: h hour 个小时       分钟: min minute       秒: s second
天: day 日       周: week 星期       月: month 个月       年: year       %: percent 个百分点
"""
_SAME_UNITS = {name: unit for unit, names in re.findall(r"(\S+): (.+?)(?=\s{2,}|\n)", _UNITS) for name in names.split()}


@dataclass(frozen=True, slots=True)
class Quantity:
    """A value and its unit ("" if none is named; % is one)."""

    value: Fraction
    unit: str = ""


def read_quantity(text: str) -> Quantity | None:
    """The quantity that a text is, or None if it is anything else."""
    text = _plain(text)
    if not text or len(text) > LONGEST:
        return None
    at = _LEAD.match(text).end()  # type: ignore[union-attr]
    sign, at = (-1, at + 1) if text[at : at + 1] == "-" else (1, at + (text[at : at + 1] == "+"))
    money = _MONEY.match(text, at)
    at = money.end() if money else at
    if sign == 1 and text[at : at + 1] == "-":
        sign, at = -1, at + 1
    found = _NUMBER.match(text, at)
    value = _value(found) if found else None
    if found is None or value is None:
        return None
    times = _MULTIPLE.match(text, found.end())
    unit = _UNIT.fullmatch(text, times.end() if times else found.end())
    if unit is None:
        return None
    factor = _TIMES[(times[1] or times[2]).lower()] if times else 1
    named = "%" if found["han_percent"] else unit["unit"] or (money[1] if money else None) or ""
    return Quantity(sign * value * factor, _unit(named))


def _plain(text: str) -> str:
    """One width of characters, LaTeX and thin blanks taken away."""
    text = unicodedata.normalize("NFKC", text).replace("−", "-").strip()
    text = re.sub(r"\\[dt]?frac\s*\{\s*(\d+)\s*\}\s*\{\s*(\d+)\s*\}", r"\1/\2", text)
    text = re.sub(r"\\(?:text|mathrm)\s*\{([^{}]*)\}", r" \1", text).replace("\\%", "%").replace("\\$", "$")
    text = text.replace("⁄", "/").replace("\\,", "").replace("\\times", "×").replace("^{", "^").replace("}", "")
    text = re.sub(r"^\\\(|\\\)$|^\*+|\*+$", "", text).strip()
    return text.strip("$").strip() if text.startswith("$") and text.endswith("$") else text


def _value(found: re.Match[str]) -> Fraction | None:
    if found["top"] is not None:
        bottom = int(found["bottom"])
        return int(found["whole"] or 0) + Fraction(int(found["top"]), bottom) if bottom else None
    if found["decimal"] is not None:
        power = int(found["power"] or found["e"] or 0)
        return Fraction(found["decimal"].replace(",", "")) * Fraction(10) ** power if abs(power) <= 300 else None
    if found["spelled"] is not None:
        return _spelled(found["spelled"])
    value = read_han(found["han"])
    if found["han_top"] is not None:  # 三分之一: the lower part comes first
        top = read_han(found["han_top"])
        return top / value if value and top is not None else None
    return value


def read_han(text: str) -> Fraction | None:
    """The value of a number in Chinese characters (三十二, 二〇二四, 一万二千, 三点一四); None for what is none."""
    whole, _, after = text.partition("点")
    tail = Fraction(int("".join(str(_DIGITS[char]) for char in after)), 10 ** len(after)) if after else Fraction(0)
    if all(char in _DIGITS for char in whole):
        return int("".join(str(_DIGITS[char]) for char in whole)) + tail if whole else None
    total = part = digit = 0
    for char in whole:
        if char in _DIGITS:
            digit = _DIGITS[char]
        elif char in _TENS:
            part += (digit or 1) * _TENS[char]
            digit = 0
        elif char == "万" and (part or digit):  # 一亿二万: only what stands after 亿 is counted in 万
            total, part, digit = total + (part + digit) * 10**4, 0, 0
        else:
            total, part, digit = (total + part + digit) * _MYRIADS[char], 0, 0
    value = total + part + digit
    return value + tail if value or whole in ("零", "〇") else None


def _spelled(text: str) -> Fraction | None:
    """The value of a number in English words."""
    total = part = 0
    for word in re.split(r"[ -]+", text.lower()):
        if word in _ONES:
            part += _ONES[word]
        elif word == "hundred":
            part = (part or 1) * 100
        elif word != "and":
            total, part = total + (part or 1) * _TIMES[word], 0
    return Fraction(total + part)


def _unit(named: str) -> str:
    """One spelling of a unit."""
    low = named.lower().strip(" .")
    single = re.sub(r"(?<=[a-z]{2})s\b", "", low)
    return _SAME_UNITS.get(low) or _SAME_UNITS.get(single) or single


def same_quantity(one: Quantity, other: Quantity) -> bool:
    """True if two quantities are the same."""
    units = {one.unit, other.unit} - {""}
    if len(units) == 2 and "%" not in units and not any(a != b and b in a for a in units for b in units):
        return False
    if len(units) == 2 and "%" in units:
        return False
    if units == {"%"} and one.unit != other.unit:
        share, number = (one, other) if one.unit else (other, one)
        return _near(share.value, number.value) or _near(share.value / 100, number.value)
    return _near(one.value, other.value)


def _near(one: Fraction, other: Fraction) -> bool:
    return abs(one - other) <= TOLERANCE * max(abs(one), abs(other))
