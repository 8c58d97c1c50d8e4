"""`replay`: general rows in a model's own words, to be mixed into its tuning so that it forgets less.

A model that is tuned on its own answers to general prompts is held to what it says already; no row of its unknown
training data is needed. Three ways, all with the model that will be tuned as `--model`:

    rows          each input row is answered anew: its own answer is left out, the model's put in its place
    --shots K     K input rows drawn as examples, the model writes another request and then answers it as a chat
                  (self-synthesised rehearsal: J. Huang et al. 2024, arXiv 2403.01244; 2 examples there)
    --from-nothing  the model is given the text before a query and writes the query, and then answers it as a chat
                  (Magpie: Z. Xu et al. 2024, arXiv 2406.08464; queries drawn at temperature 1, up to 512 tokens, ending
                  at the first line end). Needs a local model, or a server with /v1/completions (vLLM, llama.cpp,
                  Ollama); what stands before a query comes from the chat template (--tokenizer), or from --pre-query

Requests by the model fall to `empty_request`, `truncated_request`, `stuck_request` (a loop), `template_marks_request`,
`same_request` (as an earlier one, or an example), `other_language_request` (with --lang) or `not_novel_request` (with
--novelty); answers to `empty`, `truncated` and `stuck`. Refusals are the model's own: they are counted and kept, unless
`--drop-refusals`.
Reads conversations; writes `openai` rows. Cost: one request a row, two for a new one, and those of what is dropped.

CLI: `dataforge replay general.jsonl --model local:base -o replay.jsonl`, then `dataforge mix --general replay.jsonl`
Python: `dataforge.replay(output="replay.jsonl", model="local:base", from_nothing=True, n=1000)`
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from dataforge.config import RunOptions, check, option
from dataforge.errors import UsageError
from dataforge.generate.chain import Chain, Made, Sink
from dataforge.generate.method import GENERATION_OPTIONS, GenerationConfig, Method, Stage
from dataforge.generate.running.run import make_rows
from dataforge.generate.talk.conversation import chat, opening, said, say, with_system
from dataforge.generate.talk.repetition import stuck
from dataforge.generate.task import Task
from dataforge.ledger import Result
from dataforge.llm.address import parse_spec
from dataforge.llm.request import Answer, Failure, Request
from dataforge.ops.rules.answers import refuses
from dataforge.record import Record, Turn
from dataforge.registry import Operation

__all__ = ["METHOD", "NAME", "OPERATION", "ReplayConfig", "answer", "expand", "judge", "replay", "stages"]

NAME = "replay"
ANSWER, QUERY, INSTRUCTION = "replay/answer", "replay/query", "replay/instruction"


@dataclass(frozen=True, kw_only=True)
class ReplayConfig(GenerationConfig):
    """Settings of replay."""

    n: int | None = option(
        None, help="rows to make with --shots or --from-nothing", unit="rows", minimum=1, flags=("-n",)
    )
    shots: int = option(
        0,
        help="input rows shown as examples for each new request; 0 answers the rows themselves",
        minimum=0,
        maximum=64,
    )
    from_nothing: bool = option(False, help="let the model write the queries out of its chat template alone")
    tokenizer: str | None = option(
        None, help="tokenizer folder or hub id whose chat template is meant (default: that of a local model)", path=True
    )
    pre_query: str | None = option(None, help=r"text before a query, in place of the template's (\n: a line end)")
    turn_end: str | None = option(None, help="text that ends a query, in place of the template's")
    one_line: bool = option(True, help="end a query written from nothing at its first line end")
    system: str | None = option(None, help="system text, in place of the row's own (an empty one: none at all)")
    drop_refusals: bool = option(False, help="drop answers that refuse; by default they are counted and kept")
    reasoning: str = option("keep", help="what the model thought before its answer", choices=("keep", "drop"))
    round: int = option(
        256, help="new requests asked for at a time, before they are compared", minimum=1, maximum=65536
    )
    patience: int = option(5, help="rounds without a new row after which the run ends", unit="rounds", minimum=1)

    def __post_init__(self) -> None:
        check(self)
        new = self.shots > 0 or self.from_nothing
        if self.shots and self.from_nothing:
            raise UsageError("--shots: --from-nothing needs no examples", help="leave one of them out")
        if new and self.n is None:
            raise UsageError("-n: it is not said how many rows to make", help="add -n N")
        if not new and self.n is not None:
            raise UsageError("-n: input rows are answered one for one", help="use --limit, --shots or --from-nothing")
        for name, value in (
            ("--tokenizer", self.tokenizer),
            ("--pre-query", self.pre_query),
            ("--turn-end", self.turn_end),
        ):
            if value is not None and not self.from_nothing:
                raise UsageError(f"{name}: only --from-nothing has a use for it", help="leave it out")


def expand(task: Task, sink: Sink) -> Chain[None]:
    """Answer one row anew; RowError for a row that no chat can carry."""
    turns = with_system(opening(task.record), task.config.system)
    request = answer(task, turns)
    (reply,) = yield [request]
    sink.asked()
    judge(task, sink, turns, request, reply, novel=turns[-1].text)


def answer(task: Task, turns: list[Turn]) -> Request:
    """The request for the model's own answer."""
    return chat(task, turns, stage=ANSWER)


def judge(
    task: Task, sink: Sink, turns: list[Turn], request: Request, reply: Answer, novel: str | None, **more: object
) -> bool:
    """The verdict on an answer; True if it became a row. more: for the provenance."""
    if isinstance(reply, Failure):
        sink.failed(reply)
        return False
    spoken = said(reply)
    refusal = refuses(spoken.text)
    loop = stuck(spoken.text)
    if reply.truncated:
        sink.drop("truncated", reply.text, "cut at its longest length; --reply-tokens allows longer ones")
    elif not spoken.text:
        sink.drop("empty", reply.text, "thinking and no answer" if spoken.reasoning else "")
    elif loop:
        sink.drop("stuck", spoken.text, loop)
    elif refusal and task.config.drop_refusals:
        sink.drop("refusal", spoken.text, refusal)
    else:
        if refusal:
            sink.count("refusals kept")
        turn = say(spoken, reasoning=task.config.reasoning == "keep")
        record = Record([*turns, turn], task.record.extras)
        sink.keep(Made(record, task.provenance(reply, request, **more), novel=novel))
        return True
    return False


def stages(config: ReplayConfig) -> list[Stage]:
    """What is asked for each row."""
    asked = [Stage(ANSWER, 1, 120, 400)]
    if config.shots:
        return [Stage(INSTRUCTION, 1.2, 120 + 300 * config.shots, 60), *asked]
    return [Stage(QUERY, 1.2, 20, 40), *asked] if config.from_nothing else asked


METHOD = Method(NAME, expand=expand, stages=stages, to="openai")


def _method(config: ReplayConfig) -> Method:
    """The method of one of the three ways."""
    if not config.shots and not config.from_nothing:
        return METHOD
    from dataforge.generate.talk.rehearsal import start

    method = replace(METHOD, expand=None, start=start, wanted=lambda config: config.n)
    return replace(method, inputs=lambda config: ()) if config.from_nothing else method


def _unescaped(text: str | None) -> str | None:
    """A text of the command line, where a line end is written as backslash and n."""
    return text.replace("\\n", "\n") if text else None


def _with_prequery(config: ReplayConfig) -> ReplayConfig:
    """The settings with the text before a query, and what ends it, written out."""
    folder = config.tokenizer or parse_spec(config.model).folder
    config = replace(config, pre_query=_unescaped(config.pre_query), turn_end=_unescaped(config.turn_end))
    if config.pre_query is not None:
        return replace(config, turn_end=config.turn_end or "")
    if not folder:
        raise UsageError(
            "--from-nothing: it is not known what the model's chat template writes before a query",
            help="name its tokenizer with --tokenizer FOLDER, or the text itself with --pre-query",
        )
    from dataforge.generate.talk.prequery import prequery

    found = prequery(folder, config.system)
    return replace(config, pre_query=found.text, turn_end=found.end if config.turn_end is None else config.turn_end)


def replay(inputs: tuple[str, ...], output: str | None, config: ReplayConfig, options: RunOptions) -> Result:
    """Make general rows in the model's own words; UsageError where the inputs do not fit the way asked for."""
    if config.from_nothing:
        if inputs:
            raise UsageError("--from-nothing: no input is read", help="leave the input out, or use --shots")
        config = _with_prequery(config)
    elif not inputs:
        raise UsageError("no input", help="name a file of general rows, or ask for rows --from-nothing")
    return make_rows(_method(config), inputs, output, config, options)


OPERATION = Operation(
    name=NAME, config=ReplayConfig, run=replay, inputs="optional", options=GENERATION_OPTIONS, metavar="[IN]"
)
