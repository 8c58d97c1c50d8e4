"""`eval`: the token-weighted loss of a model on each file, so that two models, or before and after, can be compared.

Reads rows of any dialect or shards, and a model; writes nothing. Cost: a third of training on the same tokens.

CLI: `dataforge eval domain.jsonl general.jsonl --model tuned`
Python: `dataforge.eval(["domain.jsonl"], model="tuned").data[0]["loss"]`

Conversations are measured on their answers, documents on all their tokens. Perplexity is exp(loss); bits per byte
does not depend on the tokenizer. The figures are the same for every batch size, packed or not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dataforge.config import RunOptions, check, option
from dataforge.errors import UsageError
from dataforge.ledger import Result
from dataforge.registry import Operation
from dataforge.train.config import ATTENTIONS, PRECISIONS, require_training_packages

__all__ = ["OPERATION", "EvalConfig", "evaluate"]


@dataclass(frozen=True)
class EvalConfig:
    """Settings of eval."""

    model: str = option(help="model to measure: a folder (also of adapters) or a hub id")
    tokenizer: str | None = option(None, help="tokenizer folder or hub id (default: that of --model)")
    template: str | None = option(None, help="chat template: chatml or a .jinja file (default: the tokenizer's own)")
    max_length: int | None = option(
        None,
        help="cut documents, and leave out conversations, above this (default: the model's limit)",
        unit="tokens",
        minimum=2,
    )
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


def evaluate(inputs: tuple[str, ...], output: str | None, config: EvalConfig, options: RunOptions) -> Result:
    """Measure each input; `data` is a list of `{"file", "loss", "perplexity", "bits_per_byte", "tokens", ...}`.

    Raises RowError at a faulty row, DataError if a file has nothing to measure.
    """
    if not inputs:
        raise UsageError("no input", help="name the files to measure the loss on")
    require_training_packages("eval")
    from dataforge.engine.progress import Progress
    from dataforge.shards.template import load_tokenizer
    from dataforge.train.device import open_runtime
    from dataforge.train.model import check_vocabulary, load_model, resolve_attention
    from dataforge.train.packed import base_model, check_packing
    from dataforge.train.scoring import score_file

    runtime = open_runtime(precision=config.precision, threads=config.threads)
    attention = resolve_attention(config.attention, runtime.device)
    tokenizer = load_tokenizer(config.tokenizer or config.model, config.template, conversations=False)
    model = load_model(config.model, attention=attention).to(runtime.device)
    settings = base_model(model).config
    check_vocabulary(settings, tokenizer)
    check_packing(model, attention=attention, vocabulary=settings.get_text_config().vocab_size)
    scores = []
    with Progress("eval", len(inputs), quiet=options.quiet, unit="files") as bar:
        for path in inputs:
            scores.append(
                score_file(
                    path,
                    model,
                    tokenizer,
                    runtime,
                    attention=attention,
                    max_length=config.max_length,
                    batch_tokens=config.batch_tokens,
                ).as_dict()
            )
            bar.advance(1, scores[-1]["file"])
    return Result("eval", report={"command": "eval", "files": scores}, lines=_table(scores), data=scores)


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
