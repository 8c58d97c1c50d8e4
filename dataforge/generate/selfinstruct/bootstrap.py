"""The recipe of Self-Instruct: new instructions in rounds, is it classification, instances, filters.

Step 1  a round of prompts, each with 6 human and 2 machine tasks (8 human at first), asks for the next 8; what passes
        the rules and is novel joins the pool, in the order of the requests.
Step 2  few-shot: is it a classification task?
Step 3  instances: input first, or label first for classification tasks.
Step 4  the filters of instances; the first good one is the row (or each of them).
Steps 2 to 4 are asked for as many instructions at a time as are still wanted, so that none is paid for in vain.

Source: Self-Instruct (Y. Wang et al., 2022, arXiv 2212.10560; github.com/yizhongw/self-instruct).
Python: `yield from bootstrap_cycle(work, 16)`
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from dataforge.generate.asking import Asked, ask
from dataforge.generate.chain import Chain, together
from dataforge.generate.reading.replies import Unreadable, numbered
from dataforge.generate.selfinstruct.instances import Instance, read_labelled, read_worked, sift
from dataforge.generate.selfinstruct.pool import Member
from dataforge.generate.selfinstruct.reference import labelled_instances, split_instructions, worked_instances
from dataforge.generate.selfinstruct.rules import instruction_of
from dataforge.generate.selfinstruct.work import Found, Work, read_text
from dataforge.llm.request import Failure, Reply

__all__ = ["bootstrap_cycle", "class_of", "shown_text"]

CLASS = re.compile(
    r"[\s\"'“”‘’*_(（【\[]*(?:(?:classification|classification task|answer|分类任务|答案|回答|答)[*_]*\s*[:：]?\s*)?"
    r"[\"'“”‘’*_]*(?:(?:这|该|此)?个?(?:任务)?)"
    r"(?:(?P<yes>yes|是的?|属于|(?:it|this)(?: task)? is a classification task)"
    r"|(?P<no>no|不是|否|不属于|非|(?:(?:it|this)(?: task)? is )?not a classification task))"
    r"(?:一?个?分类任务)?(?![a-z\u4e00-\u9fff/／])",
    re.IGNORECASE,
)
BOLD = re.compile(r"\A\*\*(?P<title>[^\s*](?:[^*]*[^\s*])?)\*\*")
SAYS_YES = ("Yes", "yes", "YES")


def bootstrap_cycle(work: Work, size: int) -> Chain[None]:
    """A round of `size` requests for instructions, and the other steps for what came of it."""
    found = yield from _new_instructions(work, size)
    while found and work.missing and not work.ended:
        wave, found = found[: work.missing], found[work.missing :]
        yield from _instances(work, wave)
    for one in found:
        if work.ended:
            work.fail(Failure("budget", "the budget ended before its instances were asked for", 0), one.member.text)
        else:
            work.drop("surplus", one.member.text, f"{work.config.n:,} instructions were made already")


def _new_instructions(work: Work, size: int) -> Chain[list[Found]]:
    """Step 1."""
    prompts = [work.pool.sample() for _ in range(size)]
    requests, readers = [], []
    for shown in prompts:
        first, last = len(shown) + 1, len(shown) + work.config.asked_for
        tasks = [shown_text(member.text) for member in shown]
        values = {"tasks": tasks, "first": first, "last": last, "count": work.config.asked_for}
        requests.append(work.request("tasks", number=last, classification=work.config.only_classification, **values))
        readers.append(_list_reader(work, first))
    answers = yield from work.ask_all(requests, readers)
    found = []
    for shown, answer in zip(prompts, answers, strict=True):
        if isinstance(answer, Failure):
            work.sink.asked()
            work.fail(answer)
        else:
            work.sink.asked(len(answer.value))
            found += [one for text, cut in answer.value if (one := _judged(work, text, cut, shown, answer)) is not None]
    return found


def shown_text(text: str) -> str:
    """An instruction as a prompt shows it: in one line, without a colon at its end."""
    return instruction_of(text).rstrip(":：")


def _list_reader(work: Work, first: int) -> Callable[[Reply], list[tuple[str, bool]]]:
    """Reads the instructions of a reply, each with whether it is cut off."""

    def read(reply: Reply) -> list[tuple[str, bool]]:
        if work.reference:
            return [(text, reply.truncated) for text in split_instructions(reply.text)]
        lines = read_text(reply, lambda text: _lines(f"{first}. {text.lstrip()}" if work.completion else text))
        return [(line, reply.truncated and place == len(lines) - 1) for place, line in enumerate(lines)]

    return read


def _lines(text: str) -> list[str]:
    """The items of a list, each in one line; the bold of a title that begins one is taken off, its words stay."""
    lines = [BOLD.sub(r"\g<title>", line) for line in map(instruction_of, numbered(text)) if line]
    if not lines:
        raise Unreadable("no_list", f"no list of tasks in the reply: {text.strip()[:80]!r}")
    return lines


def _judged(
    work: Work, text: str, cut: bool, shown: list[Member], answer: Asked[list[tuple[str, bool]]]
) -> Found | None:
    """The instruction if it passes the rules and is novel; else it is dropped."""
    if cut:
        work.drop("truncated", text, "the reply was cut at its longest length")
        return None
    fault = work.rules.fault(text)
    if fault is not None:
        work.drop(fault.rule, text, fault.detail)
        return None
    verdict, member = work.admit(text)
    return None if member is None else Found(member, verdict, shown, answer.reply, answer.request)


class _Developed(NamedTuple):
    classification: bool
    answer: Asked[list[Instance]]


def _instances(work: Work, wave: list[Found]) -> Chain[None]:
    """Steps 2 to 4 for some instructions."""
    results = yield from together([_develop(work, found) for found in wave])
    for found, result in zip(wave, results, strict=True):
        work.note(result)
        if isinstance(result, Failure):
            work.fail(result, found.member.text)
        else:
            _deliver(work, found, result)


def _develop(work: Work, found: Found) -> Chain[_Developed | Failure]:
    """Is it classification, and its instances."""
    task, text, most = work.task, found.member.text, work.config.most
    told = yield from ask(task, work.request("class", instruction=text), _class_reader(work))
    if isinstance(told, Failure):
        return told
    stage = "output-first" if told.value else "input-first"
    request = work.request(stage, number=most + 1, instruction=text, instances=most)
    answer = yield from ask(task, request, _instance_reader(work, labelled=told.value))
    return answer if isinstance(answer, Failure) else _Developed(told.value, answer)


def class_of(text: str) -> bool:
    """Yes or no, in English or Chinese, at the beginning of a reply; Unreadable for anything else."""
    found = CLASS.match(text)
    if found is None:
        raise Unreadable("no_class", f"neither yes nor no: {text.strip()[:80]!r}")
    return found["yes"] is not None


def _class_reader(work: Work) -> Callable[[Reply], bool]:
    if work.reference:
        return lambda reply: reply.text.strip() in SAYS_YES
    return lambda reply: read_text(reply, class_of)


def _instance_reader(work: Work, *, labelled: bool) -> Callable[[Reply], list[Instance]]:
    if work.reference:
        read = labelled_instances if labelled else worked_instances
        return lambda reply: read(reply.text)
    read = read_labelled if labelled else read_worked
    return lambda reply: read_text(reply, read)


def _deliver(work: Work, found: Found, developed: _Developed) -> None:
    """Step 4: a verdict for each instance; a task without any is dropped itself."""
    answer, text = developed.answer, found.member.text
    sifted = sift(answer.value, most=work.config.most, truncated=answer.reply.truncated, reference=work.reference)
    if not sifted:
        work.drop("no_instance", text, "no instance in the reply")
        return
    work.sink.asked(len(sifted) - 1)  # the instruction was a candidate already; now each of its instances is
    one = work.task.provenance(found.reply, found.request)
    more = {
        "classification": developed.classification,
        "instruction": {key: one[key] for key in ("prompt", "finish", "tokens")},
    }
    good = 0
    for instance, rule, detail in sifted:
        if rule:
            work.drop(rule, f"{text}\n{instance[0]}\n{instance[1]}", detail)
        elif good and work.config.instances == "first":
            work.drop("spare_instance", f"{text}\n{instance[0]}\n{instance[1]}", "--instances all keeps it")
        else:
            good += 1
            work.keep(found, instance, answer.reply, answer.request, **more)
    work.kept += good > 0
