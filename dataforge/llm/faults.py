"""What each fault of a server means: it may pass, it is of this one request, or it ends the run.

The rules of a fault are the names that people find in reports: `timeout`, `reset`, `connect`, `http_500`, `html`,
`cut_json`, `no_choices`, `empty`, `refused`, `content_filter`, `too_long`, `unsupported`, ...

Python: `of_status(429, {"retry-after": "3"}, b"").wait`
"""

from __future__ import annotations

import email.utils
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

import orjson

from dataforge.errors import shorten

__all__ = [
    "CONTENT",
    "Fault",
    "Kind",
    "error_text",
    "inside",
    "of_status",
    "retry_after",
    "what_to_do",
    "what_went_wrong",
]

CONTENT = frozenset({"too_long", "content_filter", "refused", "tool_call", "empty", "budget", "over_tpm"})
"""Rules that speak of one request and its content, not of the server; they do not count as failures in a row."""

QUOTA = re.compile(
    r"insufficient[_ ](quota|balance|funds|credit)|billing[_ ](hard[_ ]limit|not[_ ]active)|exceeded your current quota"
    r"|quota[_ ]exceeded|credit balance|payment required|arrearage|余额不足|欠费",
    re.IGNORECASE,
)
SOON = re.compile(r"(?:retry|try again) in (?:(\d+)m(?!s))?(?:([\d.]+)(ms|s))?", re.IGNORECASE)
MINUTE = re.compile(r"per.?minute", re.IGNORECASE)
TOO_LONG = re.compile(
    r"context[_ ]length|context[_ ](size|window)|maximum context|max(imum)? (input|prompt) (length|tokens)"
    r"|prompt is too long|(input|prompt|request|message)s? (is |are )?too (long|large)|too many (input )?tokens"
    r"|reduce the length|exceeds the (available|model's) context|max_model_len|上下文长度|输入过长|超出最大长度",
    re.IGNORECASE,
)
FILTERED = re.compile(
    r"content[_ ]?(filter|policy)|content management policy|moderation|flagged|data_inspection_failed"
    r"|sensitive (content|words?|information)|敏感",
    re.IGNORECASE,
)


class Kind(Enum):
    """PASSES: try again. REQUEST: of this request alone. SHAPE: ask in another shape. RUN: going on is senseless."""

    PASSES = 1
    REQUEST = 2
    SHAPE = 3
    RUN = 4


@dataclass
class Fault(Exception):
    """One attempt without a sound reply.

    wait: seconds that the server asks to wait, if it does. slow: a sign of too many requests at once.
    paid: True if the server may have done the work. tokens: (prompt, completion) that it says it counted.
    """

    rule: str
    detail: str
    kind: Kind = Kind.PASSES
    wait: float | None = None
    slow: bool = False
    paid: bool = False
    tokens: tuple[int, int] | None = None


def of_status(status: int, headers: Mapping[str, str], body: bytes) -> Fault:
    """The fault behind an HTTP status that is not 200."""
    text = error_text(body)
    rule = f"http_{status}"
    wait = retry_after(headers)
    if status in (401, 402, 403, 404, 405):
        if status == 403 and FILTERED.search(text):
            return Fault("content_filter", text, Kind.REQUEST)
        return Fault(rule, text, Kind.RUN)
    if status == 429:
        wait = _said_wait(text) if wait is None else wait
        # Some words of a quota that is used up also stand in refusals that end with the minute.
        if QUOTA.search(text) and (wait is None or "insufficient" in text) and not MINUTE.search(text):
            return Fault("quota", text, Kind.RUN)
        return Fault(rule, text, wait=wait, slow=True)
    if status in (408, 409, 425) or status >= 500:
        return Fault(rule, text, wait=wait, slow=status in (408, 503, 504))
    if FILTERED.search(text):
        return Fault("content_filter", text, Kind.REQUEST)
    if status == 413 or TOO_LONG.search(text):
        return Fault("too_long", text, Kind.REQUEST)
    if QUOTA.search(text):
        return Fault("quota", text, Kind.RUN)
    if status < 400:
        return Fault(rule, f"{text} (the address answers with a redirection that leads nowhere)", Kind.RUN)
    return Fault(rule, text, Kind.REQUEST)


def inside(error: Any, body: bytes) -> Fault:
    """The fault behind an error object that came with status 200."""
    code = error.get("code") if isinstance(error, Mapping) else None
    if isinstance(code, str) and code.isdigit():
        code = int(code)
    if isinstance(code, int) and not isinstance(code, bool) and 400 <= code < 600:
        fault = of_status(code, {}, body)
    else:
        text = error_text(body)
        fault = Fault("error_body", text)
        if QUOTA.search(text):
            fault = Fault("quota", text, Kind.RUN)
        elif TOO_LONG.search(text):
            fault = Fault("too_long", text, Kind.REQUEST)
    fault.paid = True
    return fault


def error_text(body: bytes) -> str:
    """What the body of an error says, in one line: message, code and type; of a page, its words."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        words = re.sub(
            r"<(script|style).*?</\1>|<[^>]*>", " ", body[:4000].decode("utf-8", "replace"), flags=re.S | re.I
        )
        return shorten(" ".join(words.split()) or "(empty reply)", 200)
    return shorten(" ".join(_said(value).split()) or "(no reason given)", 400)


def _said(value: Any) -> str:
    """The message in an error value of the shapes that servers use."""
    if isinstance(value, list):
        return "; ".join(part for part in map(_said, value[:3]) if part)
    if not isinstance(value, Mapping):
        return value if isinstance(value, str) else ""
    for key in ("error", "detail", "errors"):
        if value.get(key):
            return _said(value[key])
    place = value.get("loc") or value.get("param")
    words = [value.get("message") or value.get("msg") or value.get("reason")]
    words += [value.get(key) for key in ("code", "type") if value.get(key)]
    text = " / ".join(str(word) for word in words if isinstance(word, str | int) and not isinstance(word, bool))
    if place:
        text += f" ({'.'.join(map(str, place)) if isinstance(place, list) else place})"
    return text


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait by `retry-after-ms` or `Retry-After` (seconds or a date), None without a readable one."""
    for name, scale in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        value = headers.get(name)
        if value is None:
            continue
        try:
            seconds = float(value) * scale
        except ValueError:
            parsed = email.utils.parsedate_tz(value)
            if parsed is None:
                continue
            seconds = email.utils.mktime_tz(parsed) - time.time()
        if seconds == seconds and seconds != float("inf"):
            return max(0.0, seconds)
    return None


def what_went_wrong(fault: Fault, model: str) -> str:
    """One line about a fault that ends the run."""
    words = {
        "http_401": "it does not accept the key",
        "http_402": "it wants to be paid first",
        "http_403": "it does not allow this",
        "http_404": f"it knows no such model or address (model {model})",
        "http_405": "its address is no place for requests",
        "quota": "the quota is used up",
    }
    return f"{words.get(fault.rule, fault.rule)}: {fault.detail}"


def what_to_do(fault: Fault, variable: str) -> str:
    """What people can do about it; variable: the environment variable of the key."""
    key = f"the key in the environment variable {variable} (--api-key-env names another)"
    return {
        "http_401": f"check {key}",
        "http_403": f"check the rights of {key}",
        "http_404": "check --model and --base-url (which usually ends in /v1)",
        "http_405": "check --base-url (which usually ends in /v1)",
        "address": "check --base-url",
        "certificate": "name the file of trusted certificates in the environment variable SSL_CERT_FILE",
    }.get(fault.rule, "see to it at the provider, and go on with --resume")


def _said_wait(text: str) -> float | None:
    """Seconds in `Please try again in 1.2s`, `in 20ms`, `in 6m0s`, where no header says so."""
    found = SOON.search(text)
    if not found or not (found[1] or found[2]):
        return None
    try:
        seconds = float(found[2] or 0) * (0.001 if (found[3] or "").lower() == "ms" else 1.0)
    except ValueError:
        return None
    return 60.0 * int(found[1] or 0) + seconds
