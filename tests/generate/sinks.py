"""What tests of methods need: a sink that lists what it is told, a task without a run, and a model that follows a script.

from sinks import ListSink, Script, make_task
sink, task = ListSink(), make_task("evol", config, record)
drive(expand(task, sink), Script({"evol/deepen": ["harder", Failure("timeout")]}))
assert sink.settled and sink.kept[0].record.turns[0].text == "harder"
"""

from collections import Counter
from dataclasses import dataclass, field

from dataforge.generate.prompting.promptset import PromptSet
from dataforge.generate.task import Task, chance
from dataforge.llm.request import Failure, Reply
from dataforge.record import Record, Turn


@dataclass
class ListSink:
    """Keeps everything it is told, and knows whether each candidate has one verdict."""

    candidates: int = 0
    kept: list = field(default_factory=list)
    dropped: list = field(default_factory=list)
    failures: list = field(default_factory=list)
    counts: Counter = field(default_factory=Counter)

    def asked(self, candidates=1):
        assert candidates >= 0
        self.candidates += candidates

    def keep(self, made):
        assert made.provenance, "a row without provenance"
        self.kept.append(made)

    def drop(self, rule, text, detail=""):
        assert rule and isinstance(text, str) and isinstance(detail, str)
        self.dropped.append((rule, text, detail))

    def failed(self, failure, text=""):
        assert isinstance(failure, Failure), failure
        self.failures.append((failure, text))

    def count(self, what, number=1):
        self.counts[what] += number

    @property
    def settled(self):
        """asked = kept + dropped + failed."""
        kept = sum(made.candidates for made in self.kept)
        return self.candidates == kept + len(self.dropped) + len(self.failures)

    @property
    def rules(self):
        """The rules of all drops, in order."""
        return [rule for rule, _, _ in self.dropped]

    @property
    def texts(self):
        """For each row kept, the texts of its turns."""
        return [[turn.text for turn in made.record.turns] for made in self.kept]


@dataclass
class Script:
    """Answers requests by stage: a text, an answer, a list of them taken in turn, or a function of the request.

    A list that has run out gives its last entry again. `asked` lists the requests.
    """

    replies: object
    asked: list = field(default_factory=list)
    _next: dict = field(default_factory=dict)

    def __call__(self, request):
        self.asked.append(request)
        reply = self.replies[request.stage] if isinstance(self.replies, dict) else self.replies
        if callable(reply):
            reply = reply(request)
        if isinstance(reply, list | tuple):
            index = self._next.get(request.stage, 0)
            self._next[request.stage] = index + 1
            reply = reply[min(index, len(reply) - 1)]
        return Reply(reply, prompt_tokens=7, completion_tokens=3, model="script") if isinstance(reply, str) else reply

    def stages(self):
        """The stages that were asked, in order."""
        return [request.stage for request in self.asked]


def make_task(method, config, record=None, *, lang="en", ordinal=0, seed=0, shared=None, prompts=None):
    """A task as a run would make it. record: a Record, a document's text, or a list of texts (user and assistant)."""
    if isinstance(record, str):
        record = Record([Turn("document", [record])])
    elif isinstance(record, list):
        record = Record([Turn("assistant" if i % 2 else "user", [text]) for i, text in enumerate(record)])
    return Task(
        method=method,
        config=config,
        prompts=prompts or PromptSet(config.prompts),
        record=record or Record([]),
        ordinal=ordinal,
        lang=lang,
        rng=chance(seed, ordinal),
        shared=shared,
    )
