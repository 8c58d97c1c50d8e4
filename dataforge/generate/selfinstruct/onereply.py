"""The recipe of Stanford Alpaca: one reply gives several whole tasks, instruction, input and output.

A prompt shows 3 seeds with their first instance (and `--machine` tasks of the model, which Alpaca never shows) and asks
for the tasks up to number 20. Items pass the rules of instructions, with Alpaca's further keywords, the rules of single
instances, and the novelty filter, in the order of the requests. Only the last item of a reply that was cut is lost.

Source: github.com/tatsu-lab/stanford_alpaca, generate_instruction.py; in Chinese, BELLE (marks, limits).
Python: `yield from one_reply_cycle(work, 16)`
"""

from __future__ import annotations

from collections.abc import Callable

from dataforge.generate.asking import Asked
from dataforge.generate.chain import Chain
from dataforge.generate.selfinstruct.bootstrap import shown_text
from dataforge.generate.selfinstruct.instances import item_fault
from dataforge.generate.selfinstruct.items import Item, json_items, marked_items
from dataforge.generate.selfinstruct.pool import Member
from dataforge.generate.selfinstruct.reference import split_items
from dataforge.generate.selfinstruct.rules import Fault, instruction_of
from dataforge.generate.selfinstruct.work import Found, Work, read_text
from dataforge.llm.request import Failure, Reply, Request

__all__ = ["one_reply_cycle"]

JSON_STAGE = "self-instruct/alpaca-json"
BEGIN = {"en": "Instruction:", "zh": "指令："}


def one_reply_cycle(work: Work, size: int) -> Chain[None]:
    """A round of `size` requests, and verdicts on all items found."""
    prompts = [work.pool.sample() for _ in range(size)]
    requests = [_request(work, shown) for shown in prompts]
    readers = [_reader(work, len(shown), request) for shown, request in zip(prompts, requests, strict=True)]
    answers = yield from work.ask_all(requests, readers)
    for shown, answer in zip(prompts, answers, strict=True):
        if isinstance(answer, Failure):
            work.sink.asked()
            work.fail(answer)
            continue
        items = answer.value
        work.sink.asked(len(items))
        for item, cut in items:
            _judge(work, item, cut, shown, answer)


def _request(work: Work, shown: list[Member]) -> Request:
    config = work.config
    stage = "alpaca-json" if config.structured != "never" and not work.completion else "alpaca"
    tasks = [
        {"instruction": shown_text(member.text), "input": member.instance[0], "output": member.instance[1]}
        for member in shown
    ]
    last = len(shown) + config.asked_for
    return work.request(stage, number=last, tasks=tasks, first=len(shown) + 1, last=last, count=config.asked_for)


def _reader(work: Work, shown: int, request: Request) -> Callable[[Reply], list[tuple[Item, bool]]]:
    """Reads the items of a reply, each with whether it is cut off."""

    def read(reply: Reply) -> list[tuple[Item, bool]]:
        if work.reference:
            found = split_items(reply.text, shown)
            items = [Item("", raw=one) if isinstance(one, str) else Item(*one) for one in found]
        elif request.stage == JSON_STAGE:
            items = read_text(reply, json_items)
            if reply.truncated:  # the half item at the end is not among those read
                items.append(Item("", raw=reply.text[-200:]))
        else:
            begin = f"{shown + 1}. {BEGIN[work.task.lang]} " if work.completion else ""
            items = read_text(reply, lambda text: marked_items(begin + text))
        return [(item, reply.truncated and place == len(items) - 1) for place, item in enumerate(items)]

    return read


def _judge(work: Work, item: Item, cut: bool, shown: list[Member], answer: Asked[list[tuple[Item, bool]]]) -> None:
    """Keep an item or drop it."""
    text = item.instruction if work.reference else instruction_of(item.instruction)
    whole = item.raw or f"{text}\n{item.input}\n{item.output}"
    fault = _fault(work, text, item, cut)
    if fault is not None:
        work.drop(fault.rule, whole, fault.detail)
    elif not work.missing:
        work.drop("surplus", whole, f"{work.config.n:,} instructions were made already")
    else:
        instance = (item.input, item.output)
        verdict, member = work.admit(text, instance)
        if member is not None:
            found = Found(member, verdict, shown, answer.reply, answer.request)
            work.keep(found, instance, answer.reply, answer.request)
            work.kept += 1


def _fault(work: Work, text: str, item: Item, cut: bool) -> Fault | None:
    if cut:
        return Fault("truncated", "the reply was cut at its longest length")
    if item.raw:
        return Fault("malformed", "no instruction or no output")
    fault = work.rules.fault(text)
    if fault is not None or work.reference:
        return fault
    rule = item_fault(item.input, item.output)
    return Fault(rule) if rule else work.rules.crowded(text, item.input)
