"""A second opinion: a model is shown something that was made and gives its verdict as JSON.

The verdict's sampling is what its prompt file says (temperature 0), whatever the user asked of the writing model; only
--reply-tokens holds for it too, since a judge that thinks first needs room.

Python: `judged = yield from judge(task, "grounded/judge", "self", read, passage=text, exchanges=pairs, title="")`
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from dataforge.generate.asking import SELF, Asked, ask
from dataforge.generate.chain import Chain
from dataforge.generate.reading.replies import json_reply
from dataforge.generate.task import Task
from dataforge.llm.request import Failure, Reply, Request

__all__ = ["SELF", "judge", "lenient", "read_json"]

T = TypeVar("T")
EXPLAINING = ("quote", "reason", "sentence")
"""Keys of our schemas that a verdict or a pair can do without."""


def lenient(schema: Any) -> Any:
    """A schema that also takes objects with more keys than it names, and with fewer of those that only explain.

    What is sent to the server is the strict one; servers that cannot follow schemas add a key here and leave one there.
    """
    if isinstance(schema, list):
        return [lenient(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: lenient(value) for key, value in schema.items() if key != "additionalProperties"}
    if isinstance(found.get("required"), list):
        found["required"] = [key for key in found["required"] if key not in EXPLAINING]
    return found


def read_json(task: Task, name: str, read: Callable[[Any], T], *, lang: str = "") -> Callable[[Reply], T]:
    """What reads a reply to a prompt: as JSON of the prompt's schema, then by `read`; raises Unreadable.

    A changed prompt file without a schema lets any JSON through to `read`.
    """
    schema = lenient(task.prompts.get(name, lang or task.lang).header.get("schema", {}))
    return lambda reply: read(json_reply(reply.text, schema))


def judge(
    task: Task, name: str, model: str, read: Callable[[Any], T], *, lang: str = "", **values: Any
) -> Chain[Asked[T] | Failure]:
    """Ask a model for its verdict. model: its name, or `self`. read: of the JSON value, raises Unreadable."""
    request: Request = task.prompts.get(name, lang or task.lang).request(
        values,
        model="" if model == SELF else model,
        stage=name,
        **({"schema": None} if task.config.structured == "never" else {}),
        **({} if task.config.reply_tokens is None else {"max_tokens": task.config.reply_tokens}),
    )
    return ask(task, request, read_json(task, name, read, lang=lang))
