"""Key-like secrets: what looks like a credential of a known service, a private key, or a random value given to a key.

Forms as the services document them (AWS, GitHub, GitLab, Slack, Google, Stripe, Hugging Face, npm, OpenAI and
Anthropic, Alibaba and Tencent Cloud; JSON Web Tokens, RFC 7519; PEM, RFC 7468). A value assigned to a name like
api_key counts if it has at least 16 characters, a letter and a digit, and 3.5 bits of entropy a character (Shannon,
over its own characters): `H = -sum p log2 p`; names and paths have less.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator

__all__ = ["PEM", "entropy", "spans"]

ENTROPY = 3.5
PEM = "PRIVATE KEY-----"
_KNOWN = re.compile(
    r"(?<![A-Za-z0-9_-])(?:"
    r"(?:AKIA|ASIA)[0-9A-Z]{16}"
    r"|(?:LTAI|AKID)(?=[A-Za-z]*[0-9])[A-Za-z0-9]{16,32}"
    r"|gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{22,255}|glpat-[A-Za-z0-9_-]{20,}"
    r"|xox[abeprs]-[A-Za-z0-9-]{10,}|AIza[0-9A-Za-z_-]{35}|hf_[A-Za-z0-9]{30,}|npm_[A-Za-z0-9]{36}"
    r"|[srp]k_(?:live|test)_[0-9A-Za-z]{16,}"
    r"|eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}"
    r")(?![A-Za-z0-9])"
)
_SK = re.compile(r"(?<![A-Za-z0-9_-])sk-[A-Za-z0-9_-]{20,}")
_PEM = re.compile(
    r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----(?:(?s:.{1,20000}?)-----END (?:[A-Z0-9]+ )*PRIVATE KEY-----"
    r"|[\sA-Za-z0-9+/=\\]*)"
)
KEYS = ("api", "access", "secret", "private", "auth", "client", "encryption", "signing", "account")
NAMES = ("key", "token", "secret", "password", "passwd", "密钥", "密码", "令牌")
_VALUE = re.compile(
    r"""["'`]?\s{0,3}(?:[:=：]|=>|是|为)\s{0,3}(?:Bearer\s)?["'`]?"""
    r"""([A-Za-z0-9+/_~-]{16,}={0,2})(?![\w.(\[/])"""
)
_HINTS = (
    *("AKIA", "ASIA", "LTAI", "AKID", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "xox", "AIza"),
    *("hf_", "npm_", "k_live_", "k_test_", "eyJ"),
)


def entropy(text: str) -> float:
    """Bits a character, over the text's own characters."""
    counts = Counter(text).values()
    return -sum(n / len(text) * math.log2(n / len(text)) for n in counts)


def spans(text: str) -> Iterator[tuple[int, int]]:
    """(start, end) of every secret, in no order."""
    if PEM in text:
        yield from (match.span() for match in _PEM.finditer(text))
    if [hint for hint in _HINTS if hint in text]:
        yield from (match.span() for match in _KNOWN.finditer(text))
    if "sk-" in text:
        yield from (match.span() for match in _SK.finditer(text) if _is_random(match[0][3:]))
    yield from _given(text)


def _given(text: str) -> Iterator[tuple[int, int]]:
    """The random values that are given to names like api_key."""
    low = text.lower()
    if len(low) != len(text):  # few letters have a lower case of two characters
        low = "".join(char.lower() if char.isascii() else char for char in text)
    for name in NAMES:
        at = low.find(name)
        while at >= 0:
            end = at + len(name)
            if name != "key" or low[max(0, at - 12) : at].rstrip(" _-").endswith(KEYS):
                value = _VALUE.match(text, end + (3 if low.startswith(("_id", " id"), end) else 0))
                if value is not None and _is_random(value[1]):
                    yield value.span(1)
            at = low.find(name, end)


def _is_random(value: str) -> bool:
    """True for what no one would choose for a name."""
    digit = any(map(str.isdigit, value))
    return digit and any(map(str.isalpha, value)) and entropy(value) >= ENTROPY
