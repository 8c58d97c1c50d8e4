"""Repair `pii`: personal data and secrets replaced by placeholders that say what was there.

Kinds: email [EMAIL], phone [PHONE], id-card [ID_CARD], bank-card [BANK_CARD], ip [IP], secret [SECRET]. Each pattern is
followed by a check where there is one: the check digit, province and date of birth of identity numbers (GB 11643-1999),
the Luhn digit (ISO/IEC 7812-1) and issuer of bank cards, the range of addresses. Left alone: addresses of private and
documentation networks and names of example domains (RFC 1918, 5737, 3849, 2606), which belong to nobody; version
numbers, dates, ISBNs and decimals, which only look alike. Four numbers below 32 are an address only after a word for
one. Where kinds overlap, the first of the list wins.

What was found is counted by kind, and written nowhere.
"""

from __future__ import annotations

import bisect
import ipaddress
import re
from collections import Counter
from collections.abc import Iterator
from datetime import date

from dataforge.ops.cleaning import phones, secrets
from dataforge.ops.cleaning.repair import Repair, Settings
from dataforge.ops.cleaning.runs import matches, number_runs

__all__ = ["KINDS", "REPAIRS", "is_identity_number", "passes_luhn"]

EXAMPLES = re.compile(r"(?i)(?:^|\.)(?:example\.(?:com|org|net)|test|example|invalid|localhost)$")
FILES = frozenset(
    "png jpg jpeg gif svg webp bmp ico mp3 mp4 css js ts json html htm xml md txt py java go rs rb php sh pdf".split()
)
LOCAL, DOMAIN = 64, 256
"""Characters before and after the @ (RFC 5321, section 4.5.3.1)."""
_EMAIL = re.compile(
    r"(?<![A-Za-z0-9._%+@/:-])[A-Za-z0-9_](?:[A-Za-z0-9._%+-]{0,62}[A-Za-z0-9_+-])?@"
    r"((?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.){1,8}([A-Za-z]{2,24}))(?![A-Za-z0-9@_-]|:[A-Za-z~/])"
)
_IDENTITY = re.compile(r"(?<![0-9A-Za-z_.])[1-8]\d{5}(?:18|19|20)\d{9}[0-9Xx](?![0-9A-Za-z_])")
PROVINCES = frozenset(
    "11 12 13 14 15 21 22 23 31 32 33 34 35 36 37 41 42 43 44 45 46 50 51 52 53 54 61 62 63 64 65 71 81 82 83".split()
)
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CARD = re.compile(
    r"(?<![0-9A-Za-z_.,/#-])(?:[2-6]\d{3}([ -]?)\d{4}\1\d{4}\1\d{4}(?:\1?\d{1,3})?|3[47]\d{2}([ -]?)\d{6}\2\d{5})"
    r"(?![0-9A-Za-z_/-]|[.,]\d)"
)
_ISSUER = re.compile(r"4|5[1-5]|2(?:22[1-9]|2[3-9]|[3-6]|7[01]|720)|62|60|65|64[4-9]|35|34|37|9558")
_IP4 = re.compile(r"(?<![0-9A-Za-z_.-])(?:\d{1,3}\.){3}\d{1,3}(?![0-9A-Za-z_-]|\.\d)")
_VERSION = re.compile(r"(?i)(?:\bv|\bver\.?|\bversion|版本号?|版|release|kernel|build)\s{0,2}[:：=]?\s{0,2}$")
_DOTTED = re.compile(r"[0-9]\.[0-9]{1,3}\.[0-9]")
_HOST = re.compile(r"(?i)\bip|addr|host|server|ping|dns|地址|主机|服务器|tcp/|//$")
_IP6 = re.compile(r"(?<![0-9A-Za-z_:.])[23][0-9A-Fa-f]{3}:(?:[0-9A-Fa-f]{0,4}:){1,6}[0-9A-Fa-f]{0,4}(?![0-9A-Za-z_:])")
SMALL = 32
Spans = Iterator[tuple[int, int]]


def passes_luhn(digits: str) -> bool:
    """True if the last digit is the Luhn check digit of the others."""
    doubled = [int(digit) * (2 if at % 2 else 1) for at, digit in enumerate(reversed(digits))]
    return sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0


def is_identity_number(number: str) -> bool:
    """True for a sound 18-digit identity number: province, date of birth from 1850 on, and check digit.

    Check digit: sum of digit * weight over the first 17 (weight 2^(17-i) mod 11), mod 11, into "10X98765432".
    """
    if number[:2] not in PROVINCES:
        return False
    try:
        born = date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        return False
    total = sum(int(digit) * weight for digit, weight in zip(number[:17], _WEIGHTS, strict=True))
    return 1850 <= born.year <= 2040 and "10X98765432"[total % 11] == number[17].upper()


def _emails(text: str) -> Spans:
    at = text.find("@")
    while at >= 0:
        for match in _EMAIL.finditer(text, max(0, at - LOCAL), min(len(text), at + DOMAIN)):
            innocent = match[2].lower() in FILES or EXAMPLES.search(match[1]) or ".." in match[0]
            if match.start() < at < match.end() and not innocent:
                yield match.span()
            if match.end() > at:
                break
        at = text.find("@", at + 1)


def _identities(text: str) -> Spans:
    return (match.span() for match in matches(_IDENTITY, text) if is_identity_number(match[0]))


def _cards(text: str) -> Spans:
    for match in matches(_CARD, text):
        digits = match[0].replace(" ", "").replace("-", "")
        if _ISSUER.match(digits) and len(set(digits)) > 1 and passes_luhn(digits):
            yield match.span()


def _addresses(text: str) -> Spans:
    if _DOTTED.search(text):
        for match in _IP4.finditer(text):
            lead = text[max(0, match.start() - 12) : match.start()]
            if _is_public(match[0]) and not _VERSION.search(lead) and (_is_spread(match[0]) or _HOST.search(lead)):
                yield match.span()
    if text.count(":") >= 2:
        yield from (match.span() for match in _IP6.finditer(text) if _is_public(match[0]))


def _is_spread(address: str) -> bool:
    """False for an address of small numbers alone, which is more often a version number (4.0.4.2)."""
    return any(int(number) >= SMALL for number in address.split("."))


def _is_public(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_global
    except ValueError:
        return False


KINDS = {
    "secret": ("[SECRET]", secrets.spans),
    "email": ("[EMAIL]", _emails),
    "id-card": ("[ID_CARD]", _identities),
    "bank-card": ("[BANK_CARD]", _cards),
    "ip": ("[IP]", _addresses),
    "phone": ("[PHONE]", phones.spans),
}
"""Kind -> (placeholder, who finds it), the surest first."""


NUMBERS = frozenset(("id-card", "bank-card", "phone"))
_DIGIT = re.compile("[0-9]")


def _needed(text: str) -> bool:
    return "@" in text or _DIGIT.search(text) is not None or secrets.PEM in text


def _repair(text: str, settings: Settings, found: Counter[str]) -> str:
    """The text with a placeholder for each find."""
    taken: list[tuple[int, int, str]] = []
    has_numbers = bool(number_runs(text))
    for kind, (placeholder, spans) in KINDS.items():
        if kind not in settings.kinds or (kind in NUMBERS and not has_numbers):
            continue
        more: list[tuple[int, int, str]] = []
        for start, stop in sorted(set(spans(text))):
            at = bisect.bisect(taken, (start, stop, ""))
            if (at and taken[at - 1][1] > start) or (at < len(taken) and taken[at][0] < stop):
                continue
            if not more or more[-1][1] <= start:
                more.append((start, stop, placeholder))
        found[kind] += len(more)
        taken = sorted(taken + more)  # two sorted runs: linear
    if not taken:
        return text
    parts, seen = [], 0
    for start, stop, placeholder in taken:
        parts += [text[seen:start], placeholder]
        seen = stop
    return "".join([*parts, text[seen:]])


REPAIRS = (Repair("pii", "personal data and secrets to placeholders (see --pii)", _needed, _repair),)
