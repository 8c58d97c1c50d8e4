"""Which server a model lives at, as users write it, and how addresses and error texts are shown without secrets.

A model spec is `NAME`, `NAME@URL` (that server instead of the run's, `NAME@URL#VARIABLE` with its own key) or
`local:FOLDER`. User info of a URL becomes a header and its query is sent along; neither is ever shown.

Python: `parse_spec("judge@http://localhost:8000/v1").name`
"""

from __future__ import annotations

import base64
import functools
import os
import re
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote, urlsplit

from dataforge.errors import UsageError, shorten

__all__ = ["OPENAI", "Mask", "ModelSpec", "Server", "open_server", "parse_spec"]

OPENAI = "https://api.openai.com/v1"
SPEC = re.compile(r"(?P<name>.+?)@(?P<url>https?://.+)", re.IGNORECASE | re.DOTALL)
KEY_LIKE = re.compile(r"\b(?:sk|pk|rk|gsk|hf|xai|AIza|Bearer)[-_ ][\w*.\-]{6,}")
CUT = re.compile(r"[*.…]{2,}|…")
WORD = re.compile(r"[^\s\"'(),:;<>]+")


@dataclass(frozen=True)
class ModelSpec:
    """A model as the user wrote it. url: "" for the run's own server. folder: of a local model, else ""."""

    name: str
    url: str = ""
    folder: str = ""


@functools.lru_cache(maxsize=1024)
def parse_spec(text: str) -> ModelSpec:
    """Take a model spec apart; UsageError if a part of it is missing."""
    if text.startswith("local:"):
        folder = text.removeprefix("local:")
        if not folder.strip():
            raise UsageError("--model local: names no folder", help="write local:FOLDER, like local:models/small")
        return ModelSpec(text, folder=folder)
    found = SPEC.fullmatch(text)
    if found:
        return ModelSpec(found["name"], url=found["url"])
    if not text.strip() or text.startswith(("http://", "https://", "@http://", "@https://")):
        raise UsageError(
            f"{shorten(_clean(text))!r} names no model", help="write NAME, NAME@http://HOST/v1 or local:FOLDER"
        )
    return ModelSpec(text)


@dataclass(frozen=True)
class Server:
    """Where requests go. address: without user info and query, fit to be shown. The rest is for the wire alone."""

    address: str
    key: str = field(repr=False)
    headers: dict[str, str] = field(default_factory=dict, repr=False)
    query: dict[str, str] = field(default_factory=dict, repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)

    @property
    def openai(self) -> bool:
        """True if it is OpenAI's own."""
        return urlsplit(self.address).hostname == "api.openai.com"


def open_server(url: str, key_variable: str) -> Server:
    """The server of a URL, with the key that the environment holds for it.

    Raises UsageError if the URL is none, or OpenAI's own server is meant and there is no key.
    """
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError as fault:
        raise UsageError(f"--base-url: {shorten(_clean(url))!r} is no address: {fault}") from None
    if parts.scheme.lower() not in ("http", "https") or not parts.hostname:
        raise UsageError(
            f"--base-url: {shorten(_clean(url))!r} is no address", help="write it like http://localhost:8000/v1"
        )
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    address = f"{parts.scheme.lower()}://{host}{f':{port}' if port else ''}{parts.path.rstrip('/')}"
    variable = parts.fragment or key_variable
    key = _key(variable)
    if not key and not parts.username and parts.hostname == "api.openai.com":
        raise UsageError(
            f"no key for {address}: the environment variable {variable} is not set",
            help="set it, or name the one that holds the key with --api-key-env; for another server give --base-url",
        )
    headers = {}
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    secrets = [key, *query.values()]
    if parts.username is not None:
        user, password = unquote(parts.username), unquote(parts.password or "")
        token = base64.b64encode(f"{user}:{password}".encode()).decode()
        headers["Authorization"] = f"Basic {token}"
        secrets += [password or user, token]
    return Server(address, key or "none", headers, query, tuple(secret for secret in secrets if len(secret) >= 4))


def _key(variable: str) -> str:
    """The key in an environment variable, or ""; UsageError (without the key) if it cannot stand in a header."""
    key = os.environ.get(variable, "").strip()
    if not key.isascii() or not key.isprintable():
        raise UsageError(
            f"the key in the environment variable {variable} holds characters that no key has",
            help="set it again, without line breaks, blanks or quotation marks",
        )
    return key


def _clean(url: str) -> str:
    """A piece of an address without user info and query, for messages about addresses that cannot be parsed."""
    return re.sub(r"//[^/@]*@", "//", url).split("?", 1)[0]


class Mask:
    """Takes secrets out of texts that come from servers and libraries."""

    def __init__(self) -> None:
        self._secrets: list[str] = []

    def add(self, secrets: tuple[str, ...]) -> None:
        """Know more secrets."""
        self._secrets = sorted({*self._secrets, *secrets}, key=len, reverse=True)

    def __call__(self, text: str) -> str:
        """The text in one line with `[key]` for each secret, for each part of one and for what looks like a key."""
        for secret in self._secrets:
            text = text.replace(secret, "[key]")
        text = KEY_LIKE.sub("[key]", WORD.sub(self._word, text))
        return " ".join(text.split())

    def _word(self, found: re.Match[str]) -> str:
        """`sk-ab...yz` and `abcd****wxyz`: servers quote keys with the middle left out."""
        word = found[0]
        parts = CUT.split(word.rstrip("."))
        head, tail = parts[0], parts[-1]
        for secret in self._secrets:
            ends = (len(head) >= 3 and secret.startswith(head)) or (len(tail) >= 2 and secret.endswith(tail))
            if (len(parts) > 1 and ends) or (len(secret) >= 12 and secret[:8] in word):
                return "[key]"
        return "[key]" if "****" in word else word
