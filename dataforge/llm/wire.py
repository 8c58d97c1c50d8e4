"""A request as a server takes it, and a server's answer as a checked reply, or as a fault with a name.

What a server turns out not to take (a reply schema, `max_tokens`, a temperature) is learned once for each model, in a
Shape; stop texts that it does not take are heeded here.

Python: `read(body, request, shape).text`
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from dataforge.errors import UsageError, shorten
from dataforge.llm.faults import Fault, Kind, error_text, inside
from dataforge.llm.request import Reply, Request
from dataforge.llm.settings import ModelConfig

__all__ = ["Shape", "extra_body", "learn", "read", "same_model", "write"]

STOPPED = frozenset({"stop", "eos", "eos_token", "end_turn", "stop_sequence", "complete", "finished"})
CUT = frozenset({"length", "max_tokens", "max_length", "max_output_tokens", "model_length"})
FILTERED = frozenset({"content_filter", "content-filter", "safety", "sensitive", "recitation", "prohibited_content"})
BROKEN = frozenset({"error", "abort", "aborted", "network_error", "insufficient_system_resource"})
SAMPLING = ("temperature", "top_p", "presence_penalty", "frequency_penalty", "stop")
OURS = (
    *("model", "messages", "prompt", "max_tokens", "max_completion_tokens", "n", "best_of", "stream"),
    *("response_format", "seed", *SAMPLING),
)
"""Keys of a body that --extra-body may not name: budget, cache and checks rest on them."""
EXTRA = """write --extra-body '{"enable_thinking": false}'"""
FLAGS = {
    "temperature": "--temperature",
    "top_p": "--top-p",
    "seed": "--server-seed",
    "response_format": "--structured",
    "max_tokens": "--reply-tokens",
    "max_completion_tokens": "--reply-tokens",
}
REFUSES = re.compile(
    r"unsupported|not support|n't support|unrecogni[sz]ed|unknown|unexpected|extra (inputs|fields)|not permitted"
    r"|not allowed|not available|invalid (parameter|argument|schema)|not (a )?valid"
    r"|must be (one of )?'?(text|json_object)|不支持",
    re.IGNORECASE,
)


@dataclass
class Shape:
    """How one model of one server wants to be asked. longest: the name of the limit of a reply's tokens.

    omit: parameters that are left out. schema: False once a reply schema was refused. extra: added to each body.
    """

    longest: str = "max_tokens"
    schema: bool = True
    omit: set[str] = field(default_factory=set)
    extra: Mapping[str, Any] = field(default_factory=dict)

    def state(self) -> tuple[str, bool, frozenset[str]]:
        """What it is at the moment, to see whether it has changed since."""
        return self.longest, self.schema, frozenset(self.omit)


def write(request: Request, model: str, shape: Shape, seed: int | None) -> tuple[str, bytes]:
    """(path, body) of a request."""
    body: dict[str, Any] = {"model": model}
    if request.raw:
        body["prompt"] = request.messages[0]["content"]
        body["max_tokens"] = request.max_tokens
    else:
        body["messages"] = request.messages
        body[shape.longest] = request.max_tokens
    for name in SAMPLING:
        value = getattr(request, name)
        if value is not None and value != () and name not in shape.omit:
            body[name] = value
    if seed is not None:
        body["seed"] = seed
    if request.schema is not None and shape.schema and not request.raw:
        form = {"name": "reply", "schema": request.schema, "strict": _strict(request.schema)}
        body["response_format"] = {"type": "json_schema", "json_schema": form}
    return "/completions" if request.raw else "/chat/completions", orjson.dumps({**body, **shape.extra})


def extra_body(text: str | None) -> dict[str, Any]:
    """The object of --extra-body. Raises UsageError if it is none, or names what other settings say."""
    if text is None:
        return {}
    try:
        extra = orjson.loads(text)
    except orjson.JSONDecodeError as fault:
        raise UsageError(f"--extra-body: no JSON: {fault}", help=EXTRA) from None
    if not isinstance(extra, dict):
        raise UsageError(f"--extra-body: {shorten(text)} is no JSON object", help=EXTRA)
    for name in OURS:
        if name in extra:
            raise UsageError(f"--extra-body: {name!r} is said by other options", help="leave it out there")
    return extra


def _strict(schema: Any) -> bool:
    """True if OpenAI's strict mode takes the schema: every object closed, every property required."""
    if isinstance(schema, Mapping):
        if "properties" in schema or schema.get("type") == "object":
            closed = schema.get("additionalProperties") is False
            if not closed or set(schema.get("required", ())) != set(schema.get("properties", {})):
                return False
        return all(map(_strict, schema.values()))
    return all(map(_strict, schema)) if isinstance(schema, list) else True


def learn(
    shape: Shape, config: ModelConfig, request: Request, text: str, sent: tuple[str, bool, frozenset[str]]
) -> str | None:
    """Find in the text of a 400 how the server wants to be asked instead.

    sent: the shape as it was when the request went out; others may have taught it since.
    A remark for people ("" if there is nothing to tell) if the request is worth sending again; None if not.
    Parameters that the user gave as flags are never left out. Raises Fault (`unsupported`) that names the flag.
    """
    if "max_completion_tokens" in text and "max_tokens" in text and REFUSES.search(text):
        if shape.longest == sent[0]:
            shape.longest = "max_completion_tokens" if sent[0] == "max_tokens" else "max_tokens"
        return "" if shape.longest != sent[0] else None
    if not REFUSES.search(text):
        return None
    if (
        sent[1]
        and request.schema is not None
        and re.search(r"response_format|json_schema|structured|guided|grammar", text)
    ):
        if config.structured == "always":
            raise _unsupported("response_format", text)
        shape.schema = False
        return "takes no reply schema; replies are read without one"
    for name in (*SAMPLING, "seed"):
        value = config.server_seed if name == "seed" else getattr(request, name)
        if value in (None, (), False) or not re.search(rf"\b{name}\b", text):
            continue
        if name == "seed" or getattr(config, name, None) is not None:
            raise _unsupported(name, text)
        if name in sent[2]:
            return None
        shape.omit.add(name)
        return "takes no stop texts; replies are cut here" if name == "stop" else f"takes no {name}; it uses its own"
    return None


def _unsupported(name: str, text: str) -> Fault:
    return Fault("unsupported", f"the server does not take {name} (leave out {FLAGS[name]}): {text}", Kind.REQUEST)


def read(body: bytes, request: Request, shape: Shape) -> Reply:
    """The reply in the body of a 200. Raises Fault for everything that is none."""
    value = _json(body)
    error = value.get("error")
    choices = value.get("choices")
    if error and not choices:
        raise _counted(inside(error, body), value)
    try:
        return _reply(value, choices, request, shape)
    except Fault as fault:
        raise _counted(fault, value) from None


def _counted(fault: Fault, value: Mapping[str, Any]) -> Fault:
    """The fault with what the server counted for it; a 200 may have been paid."""
    prompt, completion = _usage(value)
    fault.paid = True
    if prompt is not None and completion is not None:
        fault.tokens = prompt, completion
    return fault


def _parsed(body: bytes) -> Any:
    """The JSON of a body. Halves of characters (a reply cut within one) and NaN, which orjson refuses, are read too."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as fault:
        try:
            text = json.dumps(json.loads(body), ensure_ascii=False)
        except (ValueError, RecursionError):
            raise fault from None
        return json.loads(text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))


def _json(body: bytes) -> dict[str, Any]:
    try:
        value = _parsed(body)
    except orjson.JSONDecodeError as fault:
        start = body.lstrip(b" \t\r\n\xef\xbb\xbf")[:1]
        if not start:
            raise Fault("empty_body", "the reply is empty", paid=True) from None
        if start == b"<":
            raise Fault("html", f"a page instead of a reply: {error_text(body)}", paid=True) from None
        rule, what = ("cut_json", "the JSON breaks off") if start == b"{" else ("not_json", "no JSON")
        shown = shorten(body[:200].decode("utf-8", "replace"))
        raise Fault(rule, f"{what} ({shorten(fault)}): {shown}", paid=True) from None
    if not isinstance(value, dict):
        raise Fault("no_choices", f"no reply object: {shorten(value)}", paid=True)
    return value


def _reply(value: Mapping[str, Any], choices: Any, request: Request, shape: Shape) -> Reply:
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        raise Fault("no_choices", f"the reply holds no choice: choices = {shorten(choices)}")
    choice = choices[0]
    if choice.get("error"):
        raise inside(choice["error"], orjson.dumps({"error": choice["error"]}))
    finish = _finish(choice.get("finish_reason"))
    text, reasoning = _text(choice, finish, raw=request.raw)
    if request.stop:  # some servers take no stop texts, others leave them standing at the end
        text, finish = _cut(text, request.stop, finish)
    if not text.strip():
        raise _empty(finish, reasoning, request)
    prompt, completion = _usage(value)
    return Reply(
        text,
        finish="length" if finish in CUT else "stop",
        prompt_tokens=prompt,
        completion_tokens=completion,
        model=_string(value.get("model")),
        id=_string(value.get("id")),
        reasoning=reasoning,
    )


def _finish(reason: Any) -> str:
    """The finish reason in small letters; faults for those that leave no reply."""
    finish = reason.lower() if isinstance(reason, str) and reason else "stop"
    if finish in FILTERED:
        raise Fault("content_filter", f"the server's filter stopped the reply ({finish})", Kind.REQUEST)
    if finish in BROKEN:
        raise Fault("error_body", f"the server broke the reply off ({finish})")
    return finish


def _text(choice: Mapping[str, Any], finish: str, *, raw: bool) -> tuple[str, str]:
    """(text, reasoning) of a choice."""
    if raw and "text" in choice:
        return _string(choice["text"]), ""
    message = choice.get("message")
    if not isinstance(message, dict):
        raise Fault("no_message", f"the reply holds no message: message = {shorten(message)}")
    text, refusal = _content(message.get("content"))
    refusal = _string(message.get("refusal")) or refusal
    if refusal and not text.strip():
        raise Fault("refused", shorten(refusal, 200), Kind.REQUEST)
    if (message.get("tool_calls") or message.get("function_call") or finish == "tool_calls") and not text.strip():
        raise Fault("tool_call", "the model calls a tool instead of answering", Kind.REQUEST)
    reasoning = message.get("reasoning_content") or message.get("reasoning")
    return text, _string(reasoning)


def _content(content: Any) -> tuple[str, str]:
    """(text, refusal) of a message's content: a text, a list of parts, or nothing."""
    if isinstance(content, str):
        return content, ""
    if content is None:
        return "", ""
    if not isinstance(content, list):
        raise Fault("no_message", f"the content is no text: {shorten(content)}")
    parts = [part if isinstance(part, dict) else {"type": "text", "text": part} for part in content]
    text = "".join(_string(part.get("text")) for part in parts if part.get("type") in ("text", "output_text"))
    return text, "".join(_string(part.get("refusal")) for part in parts)


def _string(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _cut(text: str, stops: tuple[str, ...], finish: str) -> tuple[str, str]:
    """The text up to the first stop text, as a server that takes them cuts it."""
    ends = [place for place in (text.find(stop) for stop in stops) if place >= 0]
    return (text[: min(ends)], "stop") if ends else (text, finish)


def _empty(finish: str, reasoning: str, request: Request) -> Fault:
    if finish in CUT:
        what = "reasoning" if reasoning else "nothing that can be seen"
        detail = f"all {request.max_tokens} tokens of the reply went to {what} (--reply-tokens)"
        return Fault("empty", detail, Kind.REQUEST)
    return Fault("empty", "the reply holds no text, only reasoning" if reasoning else "the reply holds no text")


def _usage(value: Mapping[str, Any]) -> tuple[int | None, int | None]:
    """(prompt, completion) tokens as the server counts them; what only its total holds counts as completion."""
    usage = value.get("usage")
    if not isinstance(usage, dict):
        return None, None
    prompt, completion, total = (
        _count(usage.get(name)) for name in ("prompt_tokens", "completion_tokens", "total_tokens")
    )
    if prompt is not None and total is not None and total - prompt > (completion or 0):
        completion = total - prompt
    return prompt, completion


def _count(value: Any) -> int | None:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def same_model(answered: str, asked: str) -> bool:
    """True if the name a server gives is the one asked for, a dated form of it, or differs in its folder alone."""
    ours, theirs = (name.casefold().rstrip("/").rpartition("/")[2] for name in (asked, answered))
    return theirs.startswith(ours) or ours.startswith(theirs)
