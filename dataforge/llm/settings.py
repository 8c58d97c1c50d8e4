"""Settings of whoever asks a model: who answers, how fast, for how much. Commands take them as their own flags.

Python: `ClientConfig(model="gpt-4o-mini", max_cost=5.0)`
"""

from __future__ import annotations

from dataclasses import dataclass

from dataforge.config import option

__all__ = ["BudgetConfig", "ClientConfig", "ModelConfig", "PaceConfig"]


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """Who answers, and how."""

    model: str = option(
        help="model that answers: a name that the server knows, NAME@URL for a server of its own, or local:FOLDER"
    )
    base_url: str | None = option(
        None,
        help="address of an OpenAI-compatible server, like http://localhost:8000/v1 (or $OPENAI_BASE_URL, or OpenAI)",
    )
    api_key_env: str = option("OPENAI_API_KEY", help="environment variable that holds the key")
    temperature: float | None = option(
        None, help="0 takes the likeliest token (default: what each prompt file says)", minimum=0.0, maximum=10.0
    )
    top_p: float | None = option(
        None, help="draw from the likeliest tokens that hold this share (default: as above)", minimum=0.0, maximum=1.0
    )
    reply_tokens: int | None = option(None, help="longest reply (default: as above)", unit="tokens", minimum=1)
    structured: str = option(
        "auto",
        help="replies by JSON schema where a prompt asks for JSON: if the server can (auto), always, or never",
        choices=("auto", "always", "never"),
    )
    extra_body: str | None = option(
        None,
        help='JSON object added to each request, for what is a server\'s own: {"enable_thinking": false}',
    )
    server_seed: bool = option(False, help="send a seed with each request (some servers refuse it)")
    batch_size: int = option(8, help="requests that a local model answers at a time", minimum=1, maximum=4096)
    threads: int | None = option(None, help="CPU threads of a local model", minimum=1, maximum=1024)


@dataclass(frozen=True, kw_only=True)
class PaceConfig:
    """How fast a server is asked, and how long a fault is borne."""

    concurrency: int = option(64, help="most requests in flight; it adapts below that", minimum=1, maximum=4096)
    rpm: int | None = option(None, help="most requests in any minute", minimum=1)
    tpm: int | None = option(None, help="most tokens in any minute, as reserved before sending", minimum=1)
    retries: int = option(6, help="further tries after a fault that may pass", minimum=0, maximum=100)
    timeout: float = option(600.0, help="longest wait for a whole reply", unit="seconds", minimum=0.1)
    give_up: int = option(20, help="end the run when so many requests in a row have failed for good", minimum=1)


@dataclass(frozen=True, kw_only=True)
class BudgetConfig:
    """For how much: each limit is reserved before a request is sent, and never exceeded."""

    max_requests: int | None = option(None, help="most requests to send, retries included", minimum=0)
    max_tokens: int | None = option(None, help="most tokens to pay for, prompts and replies", minimum=0)
    max_cost: float | None = option(None, help="most money to spend, in the currency of the prices", minimum=0.0)
    prices: str | None = option(
        None, help="price table (YAML): MODEL: {prompt: X, reply: Y} for a million tokens each", path=True
    )
    cache: str | None = option(
        None,
        help="file of paid replies (default: replies.sqlite in the user's cache; none: no cache)",
        path=True,
    )


@dataclass(frozen=True, kw_only=True)
class ClientConfig(BudgetConfig, PaceConfig, ModelConfig):
    """All of it."""
