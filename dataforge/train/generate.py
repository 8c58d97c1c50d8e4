"""`generate`: answers of a model to prompts, as rows.

Reads prompts from `--prompt` or from the rows of a file, and a model; writes a row for each (openai messages; `text`
with `--raw`). Cost: a forward pass per token and batch.

CLI: `dataforge generate --model tuned --prompt "How is green tea brewed?"`
Python: `dataforge.answer_prompts("questions.jsonl", "answers.jsonl", model="tuned", max_new_tokens=128)`

From a row everything up to the last answer is taken, that answer is left out, and the model's own put in its place.
Prompts go through the chat template; with `--raw` they are continued as plain text. Greedy unless `--temperature` is
given.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from dataforge import __version__
from dataforge.config import RunOptions, check, option
from dataforge.errors import RowError, UsageError, shorten
from dataforge.ledger import Counts, Result
from dataforge.ops.rowtext import prompt_turns
from dataforge.record import Record, Turn
from dataforge.registry import Operation
from dataforge.train.config import PRECISIONS, require_training_packages

__all__ = ["OPERATION", "GenerateConfig", "generate", "without_answer"]


SHOWN = 5


@dataclass(frozen=True)
class GenerateConfig:
    """Settings of generate."""

    model: str = option(help="model that answers: a folder (also of adapters) or a hub id", path=True)
    prompt: tuple[str, ...] = option((), help="a prompt; may be given several times", flags=("-p",))
    raw: bool = option(False, help="continue prompts as plain text, without a chat template")
    tokenizer: str | None = option(None, help="tokenizer folder or hub id (default: that of --model)", path=True)
    template: str | None = option(
        None, help="chat template: chatml or a .jinja file (default: the tokenizer's own)", path=True
    )
    max_new_tokens: int = option(256, help="longest answer", unit="tokens", minimum=1)
    temperature: float = option(
        0.0, help="0 takes the likeliest token; above, tokens are drawn", minimum=0.0, maximum=10.0
    )
    top_p: float = option(1.0, help="draw from the likeliest tokens that hold this share", minimum=0.0, maximum=1.0)
    batch_size: int = option(8, help="prompts answered at a time", unit="rows", minimum=1)
    precision: str = option("auto", help="arithmetic; auto is bfloat16 on a GPU, float32 elsewhere", choices=PRECISIONS)
    threads: int | None = option(
        None, help="CPU threads of torch (default: torch's own choice)", minimum=1, maximum=1024
    )

    def __post_init__(self) -> None:
        check(self)
        if self.top_p < 1.0 and self.temperature == 0.0:
            raise UsageError("--top-p: nothing is drawn at temperature 0", help="give --temperature too")


def without_answer(record: Record, *, raw: bool = False) -> Record:
    """The record up to its last answer, which is left out; a text record stays whole.

    Raises RowError where nothing is left to answer.
    """
    if record.is_document:
        if raw:
            return Record(record.turns)
        raise RowError("not_a_conversation", "a document is no prompt", help="--raw continues it as plain text")
    if raw:
        raise RowError("not_a_document", "a conversation cannot be continued as plain text", help="leave --raw out")
    turns = prompt_turns(record)
    if not turns:
        raise RowError("no_prompt", "nothing stands before the answer")
    return Record(turns, tools=record.tools)


def generate(inputs: tuple[str, ...], output: str | None, config: GenerateConfig, options: RunOptions) -> Result:
    """Answer prompts and write the rows; `data` is the list of answers (texts).

    Raises UsageError without prompts or with both kinds, RowError at a row that is no prompt.
    """
    if bool(inputs) == bool(config.prompt):
        raise UsageError("give prompts either with --prompt or as a file")
    require_training_packages("generate")
    from dataforge.engine.outputs import Output
    from dataforge.io import jsontext

    with Output(output, options) as out:
        records = _prompts(inputs, config, options)
        answers: list[str] = []
        for record, answer in zip(records, _answers(records, config, options), strict=True):
            out.write(jsontext.encode(_row(record, answer)) + b"\n")
            answers.append(answer)
        entry = out.finish()
        counts = Counts(rows_in=len(records), kept=len(records), rows_out=len(records), sum_n_out=len(records))
        counts.check()
        report = {"command": "generate", "counts": counts.as_dict()}
        out.commit((), report, _manifest(inputs, config, options, entry, counts))
    return Result("generate", counts, report, out.path, _lines(records, answers, out.path), data=answers)


def _lines(records: list[Record], answers: list[str], output: str | None) -> list[str]:
    """The summary; where the rows went to a file, with the first answers."""
    if output is None:
        return [f"{len(answers):,} prompts answered"]
    lines = [f"{len(answers):,} prompts answered -> {output}"]
    for record, answer in list(zip(records, answers, strict=True))[:SHOWN]:
        lines += [
            f"  {record.turns[-1].role}: {shorten(record.turns[-1].text, 200)}",
            f"  model: {shorten(answer, 200)}",
        ]
    return lines


def _prompts(inputs: tuple[str, ...], config: GenerateConfig, options: RunOptions) -> list[Record]:
    if config.prompt:
        role = "document" if config.raw else "user"
        return [Record([Turn(role, [text])]) for text in config.prompt]
    from dataforge.engine.records import read_records

    return [without_answer(record, raw=config.raw) for record in read_records(inputs, limit=options.limit)]


def _answers(records: list[Record], config: GenerateConfig, options: RunOptions) -> Iterator[str]:
    """Load the model and answer the prompts, in order."""
    from dataforge.engine.progress import Progress
    from dataforge.shards.template import load_tokenizer
    from dataforge.train.decoding import Sampling, decode, prompt_ids, stop_ids
    from dataforge.train.device import open_runtime
    from dataforge.train.model import check_vocabulary, load_model
    from dataforge.train.packed import base_model

    runtime = open_runtime(precision=config.precision, threads=config.threads)
    tokenizer = load_tokenizer(config.tokenizer or config.model, config.template, conversations=not config.raw)
    model = load_model(config.model).to(runtime.device)
    check_vocabulary(base_model(model).config, tokenizer)
    stop = stop_ids(tokenizer, model)
    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else min(stop)
    sampling = Sampling(config.max_new_tokens, config.temperature, config.top_p)
    prompts = [prompt_ids(tokenizer, record) for record in records]
    with Progress("generate", len(prompts), quiet=options.quiet, unit="rows") as bar, runtime.autocast():
        for ids in decode(
            model, prompts, sampling, stop=stop, pad=pad, batch_size=config.batch_size, seed=options.seed
        ):
            bar.advance(1)
            yield tokenizer.decode(ids, skip_special_tokens=True)


def _row(record: Record, answer: str) -> dict[str, Any]:
    from dataforge.formats.spelling import Spelling
    from dataforge.registry import load_dialect

    if record.is_document:
        return {"text": record.turns[0].text + answer}
    whole = Record([*record.turns, Turn("assistant", [answer])], tools=record.tools)
    row: dict[str, Any] = load_dialect("openai").write(whole, Spelling())
    return row


def _inputs(inputs: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    """The manifest entries of the prompt files; which of their rows were prompts, the counts say."""
    from dataforge.io.chunks import open_reading
    from dataforge.io.paths import STDIN, find_sources

    for source in find_sources(inputs) if inputs else ():
        if source.path != STDIN:
            with contextlib.closing(open_reading(source)) as reading:
                reading.finish()
            yield {"name": source.name, "bytes": reading.bytes, "hash": reading.hash, "rows": None}


def _manifest(
    inputs: tuple[str, ...],
    config: GenerateConfig,
    options: RunOptions,
    entry: dict[str, Any] | None,
    counts: Counts,
) -> dict[str, Any]:
    from dataforge.engine.portable import portable

    return {
        "schema": "dataforge.manifest/1",
        "tool": "dataforge",
        "version": __version__,
        "command": "generate",
        "options": portable(asdict(config)),
        "seed": options.seed,
        "inputs": list(_inputs(inputs)),
        "outputs": [{**entry, "rows": counts.rows_out}] if entry else [],
        "counts": counts.as_dict(),
        "versions": {"dataforge": __version__},
    }


OPERATION = Operation(
    name="generate",
    config=GenerateConfig,
    run=generate,
    inputs="optional",
    output="file",
    options=("force", "limit", "seed", "json", "quiet", "forge"),
    prints=True,
)
