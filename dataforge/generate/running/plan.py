"""What a dry run shows: the first prompt as it would be sent, and the requests, tokens and money to expect.

Nothing is asked and nothing written. The figures are typical ones of each stage of the method; what a stage needs at
most (prompts by their bytes, replies at their longest) is what a budget reserves.

CLI: `dataforge evol in.jsonl --model gpt-4o-mini --dry-run`
"""

from __future__ import annotations

import contextlib
from typing import Any

from dataforge.engine.run import Run
from dataforge.generate.chain import Chain
from dataforge.generate.method import GenerationConfig, Method, Stage
from dataforge.generate.prompting.promptset import PromptSet
from dataforge.generate.running.live import money
from dataforge.generate.running.tally import Events
from dataforge.generate.task import Task, chance, language_of
from dataforge.ledger import Result
from dataforge.llm.address import parse_spec
from dataforge.llm.budget import prompt_bound
from dataforge.llm.prices import Prices
from dataforge.llm.request import Request
from dataforge.ops.rowtext import row_text
from dataforge.record import Record

__all__ = ["plan"]


def plan(method: Method, run: Run, config: GenerationConfig, prompts: PromptSet) -> Result:
    """The plan of a run, as a Result."""
    run.spool()
    try:
        records, count = _first_records(run, everything=method.start is not None)
        shared = None
        if method.prepare is not None:
            with contextlib.closing(run.records()) as parts:
                every = (record for _, rows in parts for _, record in rows)
                shared = method.prepare(config, every, run.options.seed)
        requests = _first_round(_chain(method, records, config, prompts, run.options.seed, shared))
    finally:
        run.__exit__(None, None, None)
    wanted = method.wanted(config)
    units = wanted if wanted is not None else count
    what = f"{wanted:,} rows from {count:,} seeds" if wanted is not None else f"rows from {count:,} input rows"
    model = parse_spec(config.model).name if config.model else ""
    asking = f", asking {model}" if model else ""
    lines = [f"would make {what} by {method.name}{asking}", *_shown(requests)]
    stages = method.stages(config)
    lines += _figures(stages, units, requests, config) if stages else []
    return Result(run.command, lines=lines, output=run.output.path or None, data=None)


def _first_records(run: Run, *, everything: bool) -> tuple[list[Record], int]:
    """(the first record, or all of them; how many there are)."""
    records: list[Record] = []
    count = 0
    for _, rows in run.records():
        count += len(rows)
        records += [record for _, record in rows] if everything or not records else []
    return records if everything else records[:1], count


def _chain(
    method: Method, records: list[Record], config: GenerationConfig, prompts: PromptSet, seed: int, shared: Any
) -> Chain[Any]:
    text = "\n".join(row_text(record, "prompt") for record in records)
    lang = config.lang if config.lang != "auto" else language_of(text)
    first = Record([]) if method.expand is None else records[0]
    task = Task(method.name, config, prompts, first, 0, lang, chance(seed, 0), shared)
    if method.expand is not None:
        return method.expand(task, Events())
    assert method.start is not None
    return method.start(records, task, Events())


def _first_round(chain: Chain[Any]) -> list[Request]:
    """The first requests that a chain makes; none if it needs no model."""
    try:
        requests = next(chain)
        while not requests:
            requests = chain.send([])
        return requests
    except StopIteration:
        return []


def _shown(requests: list[Request]) -> list[str]:
    """The first request, as it would be sent."""
    if not requests:
        return ["no request is needed for the first row"]
    request = requests[0]
    given = {"temperature": request.temperature, "top_p": request.top_p, "stop": list(request.stop) or None}
    how = "".join(f", {name} {value}" for name, value in given.items() if value is not None)
    lines = [f"the first request ({request.prompt}, at most {request.max_tokens:,} tokens{how}):"]
    for message in request.messages:
        lines.append(f"  [{message['role']}]")
        lines += ["  " + line for line in message["content"].splitlines()]
    return lines


def _count(number: float) -> str:
    return f"{round(number):,}" if number >= 10 or number == round(number) else f"{number:.1f}"


def _figures(stages: list[Stage], units: int, requests: list[Request], config: GenerationConfig) -> list[str]:
    """Requests, tokens and money."""
    calls = {stage.name: stage.calls * units for stage in stages}
    prompt = round(sum(calls[stage.name] * stage.prompt_tokens for stage in stages))
    reply = round(sum(calls[stage.name] * stage.reply_tokens for stage in stages))
    lines = [f"about {round(sum(calls.values())):,} requests, {prompt:,} tokens of prompts and {reply:,} of replies:"]
    lines += [
        f"  {stage.name}: {_count(calls[stage.name])} x ({stage.prompt_tokens:,} + {stage.reply_tokens:,} tokens)"
        for stage in stages
    ]
    prices = Prices.read(config.prices)
    if not config.model:
        return lines
    spec = parse_spec(config.model)
    price = None if spec.folder else prices.of(spec.name) if config.max_cost is None else prices.needed(spec.name)
    if price is not None:
        lines.append(f"about {money(price.cost(prompt, reply))} {prices.currency} for {spec.name}")
    elif not spec.folder:
        lines.append(f"the price of {spec.name} is not known; --prices FILE says it")
    if requests:
        most = prompt_bound(requests[0]) + requests[0].max_tokens
        lines.append(f"a budget reserves at most {most:,} tokens for the first request before it is sent")
    return lines
