"""Ask until a reply can be read: the step that every chain takes with every request.

Python: `read = yield from ask(task, request, lambda reply: marked(reply, "task"))`
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from dataforge.generate.chain import Chain
from dataforge.generate.reading.replies import Unreadable
from dataforge.generate.task import Task
from dataforge.llm.request import Failure, Reply, Request

__all__ = ["SELF", "Asked", "ask", "verdict", "whole"]

T = TypeVar("T")
SELF = "self"
"""Instead of a model's name: the model of the run."""


@dataclass(frozen=True, slots=True)
class Asked(Generic[T]):
    """A reply that could be read. value: what it says. request: the one it answers (its `sample` says which try)."""

    value: T
    reply: Reply
    request: Request


def ask(task: Task, request: Request, read: Callable[[Reply], T]) -> Chain[Asked[T] | Failure]:
    """Ask, and ask again with the next `sample` while `read` raises Unreadable, `tries` times in all.

    Returns the Failure of the server as it is; after the last try, one with the rule and detail of what was unreadable.
    """
    unreadable = Failure("unreadable")
    first = request.sample * task.config.tries  # so that the tries of one sample are never those of another
    for number in range(task.config.tries):
        attempt = replace(request, sample=first + number)
        (answer,) = yield [attempt]
        if isinstance(answer, Failure):
            return answer
        try:
            return Asked(read(answer), answer, attempt)
        except Unreadable as fault:
            unreadable = Failure(fault.rule, fault.detail, attempts=number + 1)
    return unreadable


def verdict(task: Task, name: str, model: str, **values: Any) -> Request:
    """The request for a verdict. model: a spec, or `self` for the model of the run.

    Verdicts are sampled as their prompt file says, whatever --temperature and --top-p ask of texts.
    """
    prompt = task.prompts.get(name, task.lang)
    longest = {} if task.config.reply_tokens is None else {"max_tokens": task.config.reply_tokens}
    return prompt.request(values, model="" if model == SELF else model, stage=name, **longest)


def whole(reply: Reply) -> str:
    """The text of a reply without thinking; Unreadable where it was cut or says nothing."""
    from dataforge.generate.reading.replies import plain

    if reply.truncated:
        raise Unreadable("truncated", "the reply was cut at its longest length; --reply-tokens allows longer ones")
    text = plain(reply.text).strip()
    if not text:
        raise Unreadable("empty", "the reply says nothing")
    return text
