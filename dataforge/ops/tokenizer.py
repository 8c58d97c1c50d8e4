"""`tokenizer train`: a byte-level BPE tokenizer from the text of any rows.

Reads conversations and documents of any dialect, every turn of them; writes a folder that
`AutoTokenizer.from_pretrained` opens, with the chatml template in it. Which tokens it has and how it splits text:
`shards/train_tokenizer.py`.

Cost: one pass, about 1 MB of text a second; memory grows with the number of different words, not of rows.
CLI: `dataforge tokenizer train corpus.jsonl -o my-tokenizer --vocab-size 8192`
Python: `dataforge.tokenizer_train("corpus.jsonl", output="my-tokenizer", vocab_size=8192)`
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from dataforge.config import RunOptions, check, option
from dataforge.engine.outputs import out_of_space
from dataforge.engine.run import Run
from dataforge.errors import DataError
from dataforge.formats.spelling import Spelling
from dataforge.ledger import Result
from dataforge.registry import DIALECTS, Operation
from dataforge.shards.folder import Folder
from dataforge.shards.template import tokenizer_hash
from dataforge.shards.train_tokenizer import MINIMUM_VOCABULARY, train_bpe

__all__ = ["OPERATION", "TrainTokenizerConfig", "train_tokenizer"]


@dataclass(frozen=True)
class TrainTokenizerConfig:
    """Settings of tokenizer train."""

    vocab_size: int = option(
        8192, help="tokens at most, bytes included", unit="tokens", minimum=MINIMUM_VOCABULARY, maximum=1 << 20
    )
    min_frequency: int = option(
        2, help="a pair of tokens that occurs less often is not merged", minimum=1, maximum=1 << 30
    )
    source_dialect: str | None = option(
        None, help="dialect of every input row (default: found row by row)", choices=tuple(DIALECTS), flags=("--from",)
    )
    joiner: str = option(Spelling.joiner, help="what stands between an alpaca instruction and its input")

    def __post_init__(self) -> None:
        check(self)


def train_tokenizer(
    inputs: tuple[str, ...], output: str | None, config: TrainTokenizerConfig, options: RunOptions
) -> Result:
    """Train a tokenizer on all text of the inputs and write it into the folder `output`.

    The same rows in the same order give the same tokenizer, whatever the number of workers.
    Raises RowError at the first faulty row unless `on_error` is "reject", DataError if the rows hold no text.
    """
    folder = Folder("tokenizer train", output, options, mark="tokenizer.json")
    run = Run("tokenizer train", inputs, "", folder.options)
    if options.dry_run:
        return folder.plan(run, f"train a tokenizer of {config.vocab_size:,} tokens")
    with run:
        assert run.output.partial is not None
        made = run.output.partial / "tokenizer"
        tokenizer = train_bpe(_texts(run, config), vocab_size=config.vocab_size, min_frequency=config.min_frequency)
        size = len(tokenizer)
        if not run.stats["characters"]:
            raise DataError("the rows hold no text to learn from")
        try:
            tokenizer.save_pretrained(made)
        except OSError as fault:
            raise out_of_space(fault, str(made)) from None
        folder.place(made)
        digest = "xxh3-128:" + tokenizer_hash(tokenizer)
        facts = {"tokens": size, "characters": run.stats["characters"], "hash": digest}
        result = folder.finish(run, config, {"hash": digest}, rows_out=0, extra={"tokenizer": facts})
    result.lines.append(f"{size:,} tokens from {facts['characters']:,} characters -> {output}")
    if size < config.vocab_size:
        result.lines.append(f"the text gave fewer tokens than the {config.vocab_size:,} asked for")
    return result


def _texts(run: Run, config: TrainTokenizerConfig) -> Iterator[list[str]]:
    """All texts of the inputs, a chunk at a time."""
    task: dict[str, Any] = {"from": config.source_dialect, "joiner": config.joiner}
    for part in run.parts("texts", task):
        part.rows.n_out[:] = 0  # rows are learnt from, none is written
        run.settle(part)
        yield orjson.loads(part.result.payload["texts"])


OPERATION = Operation(
    name="tokenizer train",
    config=TrainTokenizerConfig,
    run=train_tokenizer,
    output="folder",
    options=("workers", "on_error", "force", "dry_run", "limit", "json", "quiet", "forge"),
)
