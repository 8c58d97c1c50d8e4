"""`eval`: the token-weighted loss of a model on each file, so that two models, or before and after, can be compared.

Reads rows of any dialect or shards, and a model; writes nothing. Cost: a third of training on the same tokens.

CLI: `dataforge eval domain.jsonl general.jsonl --model tuned`
Python: `dataforge.eval(["domain.jsonl"], model="tuned").data[0]["loss"]`

Conversations are measured on their answers, documents on all their tokens. Perplexity is exp(loss); bits per byte
does not depend on the tokenizer. The figures are the same for every batch size, packed or not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dataforge.config import RunOptions, check, option
from dataforge.errors import DataError, UsageError
from dataforge.ledger import Result
from dataforge.registry import Operation
from dataforge.train.config import ATTENTIONS, PRECISIONS, require_training_packages

__all__ = ["OPERATION", "EvalConfig", "evaluate"]


@dataclass(frozen=True)
class EvalConfig:
    """Settings of eval."""

    model: str = option(help="model to measure: a folder (also of adapters) or a hub id", path=True)
    tokenizer: str | None = option(None, help="tokenizer folder or hub id (default: that of --model)", path=True)
    template: str | None = option(
        None, help="chat template: chatml or a .jinja file (default: the tokenizer's own)", path=True
    )
    max_length: int | None = option(
        None,
        help="cut documents, and leave out conversations, above this (default: the model's limit)",
        unit="tokens",
        minimum=2,
    )
    against: tuple[str, ...] = option(
        (), help="another model to compare with, on the same files (repeatable)", path=True
    )
    must_fall: bool = option(False, help="fail unless every loss is below that of the first model of --against")
    batch_tokens: int = option(
        4096, help="tokens in one forward pass; changes memory and speed only", unit="tokens", minimum=1
    )
    attention: str = option(
        "auto", help="how attention is computed; auto is documents on a CPU, sdpa elsewhere", choices=ATTENTIONS
    )
    precision: str = option("auto", help="arithmetic; auto is bfloat16 on a GPU, float32 elsewhere", choices=PRECISIONS)
    threads: int | None = option(
        None, help="CPU threads of torch (default: torch's own choice)", minimum=1, maximum=1024
    )

    def __post_init__(self) -> None:
        check(self)
        if self.must_fall and not self.against:
            raise UsageError("--must-fall needs --against", help="name the model that must be worse")


def evaluate(inputs: tuple[str, ...], output: str | None, config: EvalConfig, options: RunOptions) -> Result:
    """Measure each input; `data` is a list of `{"file", "loss", "perplexity", "bits_per_byte", "tokens", ...}`.

    With `against`, each entry has `against`, the loss of each of those models, too. Raises RowError at a faulty row,
    DataError if a file has nothing to measure, or if `must_fall` and a loss is not below that of the first other model.
    """
    if not inputs:
        raise UsageError("no input", help="name the files to measure the loss on")
    require_training_packages("eval")
    from dataforge.engine.progress import Progress

    models = [config.model, *config.against]
    with Progress("eval", len(inputs) * len(models), quiet=options.quiet, unit="files") as bar:
        measured = [_measure(model, inputs, config, bar.advance) for model in models]
    scores = measured[0]
    for index, score in enumerate(scores):
        if config.against:
            others = zip(config.against, measured[1:], strict=True)
            score["against"] = {model.rstrip("/").rsplit("/", 1)[-1]: other[index]["loss"] for model, other in others}
    lines = _table(scores) + (_comparison(scores) if config.against else [])
    first = [next(iter(score.get("against", {}).values()), 0.0) for score in scores]
    risen = [score["file"] for score, loss in zip(scores, first, strict=True) if score["loss"] >= loss]
    if config.must_fall and risen:
        help = "\n".join(lines)
        raise DataError(f"the loss on {', '.join(risen)} is not below that of {config.against[0]}", help=help)
    return Result("eval", report={"command": "eval", "files": scores}, lines=lines, data=scores)


def _measure(
    name: str, inputs: tuple[str, ...], config: EvalConfig, advance: Callable[[int, str], None]
) -> list[dict[str, Any]]:
    """The scores of one model on all inputs."""
    from dataforge.shards.template import load_tokenizer
    from dataforge.train.device import open_runtime
    from dataforge.train.model import check_vocabulary, load_model, resolve_attention
    from dataforge.train.packed import base_model, check_packing
    from dataforge.train.scoring import score_file

    runtime = open_runtime(precision=config.precision, threads=config.threads)
    attention = resolve_attention(config.attention, runtime.device)
    tokenizer = load_tokenizer(config.tokenizer or name, config.template, conversations=False)
    model = load_model(name, attention=attention).to(runtime.device)
    settings = base_model(model).config
    check_vocabulary(settings, tokenizer)
    check_packing(model, attention=attention, vocabulary=settings.get_text_config().vocab_size)
    scores = []
    for path in inputs:
        score = score_file(
            path,
            model,
            tokenizer,
            runtime,
            attention=attention,
            max_length=config.max_length,
            batch_tokens=config.batch_tokens,
        )
        scores.append(score.as_dict())
        advance(1, scores[-1]["file"])
    return scores


def _comparison(scores: list[dict[str, Any]]) -> list[str]:
    """The losses of all models side by side, one line a file, with the change against each."""
    names = list(scores[0]["against"])
    width = max(4, *(len(score["file"]) for score in scores))
    wide = [max(18, len(name)) for name in names]
    head = "  ".join(f"{name:>{size}}" for name, size in zip(names, wide, strict=True))
    lines = ["", f"{'loss':{width}}  {'now':>8}  {head}"]
    for score in scores:
        cells = [f"{loss:.4f} ({score['loss'] - loss:+.4f})" for loss in score["against"].values()]
        shown = "  ".join(f"{cell:>{size}}" for cell, size in zip(cells, wide, strict=True))
        lines.append(f"{score['file']:{width}}  {score['loss']:8.4f}  {shown}")
    return lines


def _table(scores: list[dict[str, Any]]) -> list[str]:
    """One aligned line a file."""
    width = max(4, *(len(score["file"]) for score in scores))
    lines = [f"{'file':{width}}  {'loss':>8}  {'ppl':>10}  {'bits/byte':>9}  {'tokens':>11}  {'documents':>9}"]
    for score in scores:
        bits = "-" if score["bits_per_byte"] is None else f"{score['bits_per_byte']:.4f}"
        lines.append(
            f"{score['file']:{width}}  {score['loss']:8.4f}  {score['perplexity']:10.2f}  {bits:>9}"
            f"  {score['tokens']:11,}  {score['documents']:9,}"
        )
        if score["too_long"]:
            lines.append(
                f"  {score['too_long']:,} conversations of {score['file']} are left out: longer than the model reads"
            )
    return lines


OPERATION = Operation(
    name="eval", config=EvalConfig, run=evaluate, output="none", options=("json", "quiet"), prints=True
)
