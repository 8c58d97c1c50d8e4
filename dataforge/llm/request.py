"""What is asked of a model and what comes back: plain values that know no server.

Python: `Request((message("user", "How is green tea brewed?"),), max_tokens=256)`
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from xxhash import xxh3_128_hexdigest

__all__ = ["Answer", "Failure", "Message", "Reply", "Request", "message"]

Message = Mapping[str, str]
"""`{"role": "system" | "user" | "assistant", "content": text}`."""


def message(role: str, content: str) -> Message:
    """One message of a chat."""
    return {"role": role, "content": content}


@dataclass(frozen=True, slots=True)
class Request:
    """One question to a model.

    messages: the chat; of a completion-style request, one message of role `text`, which is continued as it stands.
    model: "" asks the model of the run. max_tokens: longest reply, in tokens. stop: texts that end the reply.
    temperature, top_p, presence_penalty, frequency_penalty: as OpenAI's API defines them; None leaves it to the server.
    schema: JSON schema that the reply is to follow, where the server can see to that.
    sample: tells requests apart that are otherwise the same (the second of n answers, a second try).
    stage, prompt: for the accounts alone: the step of the method, and name and hash of the prompt file. They do not
    shape the reply.
    """

    messages: tuple[Message, ...]
    model: str = ""
    max_tokens: int = 1024
    temperature: float | None = None
    top_p: float | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    stop: tuple[str, ...] = ()
    schema: Mapping[str, Any] | None = None
    sample: int = 0
    stage: str = ""
    prompt: str = ""

    @property
    def raw(self) -> bool:
        """True if a text is to be continued and no chat answered."""
        return self.messages[0]["role"] == "text"

    def key(self, model: str, seed: int = 0) -> str:
        """Hash (xxh3-128, hex) of everything that shapes the reply; `model` stands in for "", `seed` is the run's."""
        shape = [
            self.model or model,
            [[m["role"], m["content"]] for m in self.messages],
            [self.max_tokens, self.temperature, self.top_p, self.presence_penalty, self.frequency_penalty],
            self.stop,
            self.schema,
            [self.sample, seed],
        ]
        try:
            return xxh3_128_hexdigest(orjson.dumps(shape, option=orjson.OPT_SORT_KEYS))
        except orjson.JSONEncodeError:  # halves of characters: nothing that can be sent, but it must have a name
            return xxh3_128_hexdigest(json.dumps(shape, sort_keys=True).encode())


@dataclass(frozen=True, slots=True)
class Reply:
    """A sound reply.

    finish: `stop`, or `length` where the reply was cut at max_tokens. prompt_tokens, completion_tokens: as the server
    counts them; None where it does not. model: the model that says it answered. reasoning: thinking that came apart
    from the text. cached: True if it cost nothing, because it was on disk.
    """

    text: str
    finish: str = "stop"
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    model: str = ""
    id: str = ""
    reasoning: str = ""
    cached: bool = False

    @property
    def truncated(self) -> bool:
        """True if the reply was cut at its longest length."""
        return self.finish == "length"


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a request has no sound reply, once all tries are used up.

    rule: a short name (`timeout`, `http_500`, `html`, `no_choices`, `empty`, `refused`, `too_long`, ...).
    detail: one line for people. attempts: requests that were sent.
    """

    rule: str
    detail: str = ""
    attempts: int = 1


Answer = Reply | Failure
