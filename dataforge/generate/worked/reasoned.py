"""Reasoning that leads to an answer which is known: asked for, and kept only if it leads there.

Sources: chain of thought (Wei et al., arXiv 2201.11903); with the answer as a hint, rationalisation (Zelikman et al.,
STaR, arXiv 2203.14465). `finalanswer.py` says which answers are the same.

    wrong_answer      no attempt ends with the row's answer
    refers_to_answer  the answer was given as a hint, and the reasoning speaks of that

A reply is reasoning, then the answer between `<answer>` and `</answer>`, or named in one of the ways that
`finalanswer.split_final` knows.

Python: `outcome = yield from reason(task, source, sample=0)`
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from dataforge.generate.asking import Asked, ask, verdict
from dataforge.generate.chain import Chain
from dataforge.generate.elimination import reads_same
from dataforge.generate.reading.replies import Unreadable
from dataforge.generate.talk.conversation import said
from dataforge.generate.talk.exchange import Exchange
from dataforge.generate.task import Task
from dataforge.generate.worked.finalanswer import Comparison, compare, final_answer, split_final
from dataforge.llm.request import Failure, Reply

__all__ = ["HINTS", "Reasoned", "Rejected", "hints", "read_worked", "reason"]

HINTS = ("always", "retry", "never")
_REFERS = re.compile(
    r"\b(?:given|provided|known|reference|expected|stated) (?:final )?(?:answer|result)\b"
    r"|\b(?:answer|result) (?:is |was )?(?:given|provided)\b"
    r"|(?:给定|给出|已知|提供|参考|标准|题目)的?(?:答案|结果)|(?:答案|结果)(?:已经?)?(?:给定|给出|提供)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Worked:
    """What a reply says: its reasoning, and its final answer."""

    reasoning: str
    answer: str


@dataclass(frozen=True, slots=True)
class Reasoned:
    """Reasoning that leads to the row's answer. hinted: the answer was shown to the model. attempt: from 1."""

    reasoning: str
    asked: Asked[Worked]
    comparison: Comparison
    hinted: bool
    attempt: int


@dataclass(frozen=True, slots=True)
class Rejected:
    """Why the last attempt was not kept; text: its reasoning."""

    rule: str
    text: str
    detail: str


def hints(hint: str, attempts: int) -> list[bool]:
    """For each attempt whether the answer is shown: `retry` shows it once, after the attempts without it."""
    return [False] * attempts + [True] if hint == "retry" else [hint == "always"] * attempts


def reason(task: Task, source: Exchange, *, sample: int) -> Chain[Reasoned | Rejected | Failure]:
    """Ask for reasoning until one leads to the row's answer; sample: the first sample index of its requests."""
    config = task.config
    known = source.answer.text if source.answer else ""
    outcome: Reasoned | Rejected | Failure = Failure("unasked")
    for number, hinted in enumerate(hints(config.hint, config.attempts)):
        values: dict[str, Any] = {"question": source.question, "before": source.history}
        if hinted:
            values["answer"] = final_answer(known)
        name = "few-shot/explain" if hinted else "few-shot/solve"
        request = task.request(name, sample=sample + number, **values)
        asked = yield from ask(task, request, read_worked)
        if isinstance(asked, Failure):
            outcome = asked
            if asked.rule == "budget":
                break
            continue
        comparison = yield from _compared(task, source.question, known, asked.value.answer)
        if isinstance(comparison, Failure):
            outcome = comparison
            if comparison.rule == "budget":
                break
            continue
        outcome = _judged(asked, comparison, hinted, number + 1)
        if isinstance(outcome, Reasoned):
            break
    return outcome


def _judged(asked: Asked[Worked], comparison: Comparison, hinted: bool, attempt: int) -> Reasoned | Rejected:
    reasoning = asked.value.reasoning
    if not comparison.same:
        detail = f"wanted {comparison.wanted[:80]!r}, got {comparison.got[:80]!r} ({comparison.kind}"
        detail += f", F1 {comparison.score:.2f})" if comparison.kind == "long" else ")"
        return Rejected("wrong_answer", reasoning, detail)
    told = _REFERS.search(reasoning) if hinted else None
    if told:
        return Rejected("refers_to_answer", reasoning, f"it says {told[0]!r}")
    return Reasoned(reasoning, asked, comparison, hinted, attempt)


def _compared(task: Task, question: str, known: str, got: str) -> Chain[Comparison | Failure]:
    """Compare by rule; long answers by a model where one is named."""
    config = task.config
    comparison = compare(known, got, threshold=config.overlap)
    if comparison.kind != "long" or config.judge is None:
        return comparison
    request = verdict(
        task, "few-shot/judge", config.judge, question=question, first=comparison.wanted, second=comparison.got
    )
    same = yield from ask(task, request, reads_same)
    if isinstance(same, Failure):
        return same
    return Comparison(same.value, "judged", comparison.score, comparison.wanted, comparison.got)


def read_worked(reply: Reply) -> Worked:
    """Reasoning and final answer of a reply; Unreadable where one of them is missing or was cut."""
    text = said(reply).text
    start, end = text.rfind("<answer>"), text.rfind("</answer>")
    if start >= 0 and (end > start or not reply.truncated):
        found = (text[:start].strip(), text[start + len("<answer>") : end if end > start else len(text)].strip())
    elif reply.truncated:
        raise Unreadable("truncated", "the reply was cut at its longest length; --reply-tokens allows longer ones")
    else:
        found = split_final(text) or ("", "")
    if not found[1]:
        raise Unreadable("no_answer", "the reply names no final answer")
    if not any(char.isalnum() for char in found[0]):
        raise Unreadable("no_reasoning", "the reply holds nothing before its answer")
    return Worked(found[0].strip(), found[1])
