"""New requests in a model's own words, and its answers to them: the pool of `replay --shots` and `--from-nothing`.

One chain for the whole run goes in rounds: requests are asked for, those that pass are answered, rows are kept in the
order they were asked for. So the rows depend on the seed and the replies alone, whatever is in flight. It ends when
`-n` are kept, or after `--patience` rounds that brought none.

Python: `start(seeds, task, sink)` (see `dataforge.generate.replay`)
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

from dataforge.errors import DataError, RowError
from dataforge.generate.chain import Chain, Sink
from dataforge.generate.nearest.terms import read_terms
from dataforge.generate.reading.wrapping import plain
from dataforge.generate.replay import INSTRUCTION, QUERY, answer, judge
from dataforge.generate.talk.conversation import opening
from dataforge.generate.talk.repetition import stuck
from dataforge.generate.task import Task, language_of
from dataforge.llm.request import Answer, Failure, Request
from dataforge.ops.rowtext import answer_text, prompt_turns
from dataforge.record import Record, Turn, record_id

__all__ = ["Example", "examples_of", "start"]

LABEL = re.compile(
    r"\A\s*(?:\*\*|#+ *)?(?:(?:new |another |next )?(?:request|instruction|query|task|question|user)|"
    r"(?:新的?)?(?:请求|指令|问题|用户))\s*\d*(?:\*\*)?\s*[:：](?:\*\*)?\s*"
    r"|\A\s*(?:#+ *|\*\*)(?:request|请求)\s*\d+(?:\*\*)?[ \t]*\n\s*",
    re.IGNORECASE,
)
ANSWERED = re.compile(
    r"^[ \t]*(?:\*\*|#+ *)?(?:answer|回答) *\d+(?:\*\*)?[ \t]*(?:[:：]|$)", re.IGNORECASE | re.MULTILINE
)
"""Where a model that was asked for a request goes on to `Answer 3:`, as the examples do."""
MARKS = re.compile(r"<\|[^|<>\n]{1,40}\|>|<｜[^｜\n]{1,40}｜>|</?s>|\[/?INST\]|<(?:start|end)_of_turn>|<eos>|<bos>")
ROLE = re.compile(r"^\W*(?:assistant|助手)\W*$", re.IGNORECASE | re.MULTILINE)
"""The name of the next speaker on a line of its own: the end of the query was passed over."""
CUT = 1500
"""Characters of an example that are shown."""
LANGUAGES = {"en": "English", "zh": "Chinese"}


@dataclass(frozen=True, slots=True)
class Example:
    """A row that is shown: its id, its question and its answer; lang: `en` or `zh`, of the question."""

    id: str
    question: str
    answer: str
    lang: str


def examples_of(seeds: list[Record]) -> list[Example]:
    """The rows of one question and an answer; all others are of no use as examples."""
    found = []
    for seed in seeds:
        try:
            asked = [turn for turn in opening(seed) if turn.role == "user"]
        except RowError:
            continue
        said = answer_text(seed)
        if len(asked) == 1 and len(prompt_turns(seed)) == 1 and said and said.strip():
            question = asked[0].text.strip()
            found.append(Example(record_id(seed).hex(), question, said.strip(), language_of(question)))
    return found


def _examples(seeds: list[Record], task: Task) -> list[Example]:
    """The examples of the language asked for; DataError if they are too few."""
    config = task.config
    found = [one for one in examples_of(seeds) if config.lang in ("auto", one.lang)]
    if len(found) < config.shots:
        of = f" in {LANGUAGES[config.lang]}" if config.lang in LANGUAGES else ""
        raise DataError(
            f"--shots: {config.shots} examples{of} are asked for, and {len(found)} of {len(seeds)} rows can be one",
            help="rows of one question and its answer can",
        )
    return found


class _Known:
    """Requests that are there already."""

    def __init__(self, task: Task, examples: list[Example]) -> None:
        self._terms = {tuple(read_terms(example.question)) for example in examples}
        self._novelty: Any = None
        if task.config.novelty is not None:
            from dataforge.generate.novelty import NoveltyFilter

            self._novelty = NoveltyFilter(threshold=task.config.novelty)
            for example in examples:
                self._novelty.add(example.question)

    def fault(self, text: str) -> tuple[str, str] | None:
        """Rule and detail that a request falls to; a request without fault becomes known."""
        terms = tuple(read_terms(text))
        if terms in self._terms:
            return "same_request", "there is this one already"
        if self._novelty is not None:
            verdict = self._novelty.admit(text)
            if not verdict.kept:
                return "not_novel_request", f"{verdict.score:.3f} to: {verdict.nearest}"
        self._terms.add(terms)
        return None


def start(seeds: list[Record], task: Task, sink: Sink) -> Chain[str]:
    """Ask, compare and answer in rounds; the reason why rows are missing, or ""."""
    config = task.config
    examples = _examples(seeds, task) if config.shots else []
    known = _Known(task, examples)
    kept = idle = number = 0
    while kept < config.n and idle < config.patience:
        size = min(config.round, config.n - kept)
        asked = [_ask(task, examples, number + index) for index in range(size)]
        number += size
        replies = yield [request for request, _ in asked]
        sink.asked(size)
        good = []
        for (request, shown), reply in zip(asked, replies, strict=True):
            text = _request_text(task, sink, known, reply)
            if text is not None:
                good.append((request, shown, reply, text))
        made, spent = yield from _answer(task, sink, good)
        if spent or any(isinstance(reply, Failure) and reply.rule == "budget" for reply in replies):
            return ""
        kept += made
        idle = 0 if made else idle + 1
    if kept < config.n:
        return f"{kept:,} of {config.n:,} rows were made: {idle} rounds in a row brought no new one"
    return ""


def _ask(task: Task, examples: list[Example], number: int) -> tuple[Request, list[Example]]:
    """The request number `number` for a new request, and the examples in it."""
    config = task.config
    if config.from_nothing:
        stop = (config.turn_end or "", "\n" if config.one_line else "")
        request = task.request(QUERY, sample=number, pre_query=config.pre_query)
        return replace(request, stop=tuple(filter(None, stop))), []
    shown = _draw(task, examples)
    listed = [{"question": one.question[:CUT], "answer": one.answer[:CUT]} for one in shown]
    return task.request(INSTRUCTION, sample=number, lang=shown[0].lang, examples=listed), shown


def _draw(task: Task, examples: list[Example]) -> list[Example]:
    """Examples of one language, drawn so that each row comes first equally often; of any if there are too few."""
    first = task.rng.choice(examples)
    alike = [one for one in examples if one.lang == first.lang and one is not first]
    others = alike if len(alike) >= task.config.shots - 1 else [one for one in examples if one is not first]
    return [first, *task.rng.sample(others, task.config.shots - 1)]


def _request_text(task: Task, sink: Sink, known: _Known, reply: Answer) -> str | None:
    """The request that a reply holds; None where it got its verdict here."""
    if isinstance(reply, Failure):
        sink.failed(reply)
        return None
    text = reply.text.strip() if task.config.from_nothing else _written(reply.text)
    fault = _fault(task, text) if not reply.truncated else ("truncated_request", "cut at its longest length")
    fault = fault or known.fault(text)
    if fault:
        sink.drop(fault[0], text or reply.text, fault[1])
        return None
    return text


def _written(text: str) -> str:
    """The request of a chat model's reply, without its label, and without an answer that follows it."""
    text = LABEL.sub("", plain(text), count=1)
    answered = ANSWERED.search(text)
    return (text[: answered.start()] if answered else text).strip()


def _fault(task: Task, text: str) -> tuple[str, str] | None:
    """Rule and detail that a request falls to by itself."""
    if not read_terms(text):
        return "empty_request", "it has no words"
    mark = MARKS.search(text) or ROLE.search(text)
    if mark:
        return "template_marks_request", f"it holds {mark[0].strip()!r}"
    loop = stuck(text)
    if loop:
        return "stuck_request", loop
    wanted = task.config.lang
    if wanted in LANGUAGES and language_of(text) != wanted:
        return "other_language_request", f"it is not {LANGUAGES[wanted]}"
    return None


def _answer(task: Task, sink: Sink, good: list[tuple[Request, list[Example], Answer, str]]) -> Chain[tuple[int, bool]]:
    """Have the new requests answered: (rows made, whether the budget is used up)."""
    if not good:
        return 0, False
    system = [Turn("system", [task.config.system])] if task.config.system else []
    talks = [[*system, Turn("user", [text])] for _, _, _, text in good]
    requests = [answer(task, turns) for turns in talks]
    replies = yield requests
    made = 0
    for (asked, shown, _, _), turns, request, reply in zip(good, talks, requests, replies, strict=True):
        request = replace(request, prompt=asked.prompt)
        more = {"parents": [one.id for one in shown]} if shown else {}
        made += judge(task, sink, turns, request, reply, None, sample=asked.sample, **more)
    return made, any(isinstance(reply, Failure) and reply.rule == "budget" for reply in replies)
