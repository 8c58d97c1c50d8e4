"""What a training run says of itself: its plan before, `run.json` and the report after.

Reads and writes nothing. Cost: hashing the weights, about a second for a gigabyte.

CLI: `dataforge train sft shards -o tuned --model my-model --dry-run`
Python: `plan_result(job).lines`

`run.json` holds no times and no absolute paths: the same run gives the same bytes. Times and speed stand in the report.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import accelerate
import peft
import torch
import transformers

from dataforge import __version__
from dataforge.config import RunOptions
from dataforge.engine.portable import portable
from dataforge.errors import shorten
from dataforge.ledger import Result
from dataforge.shards.store import NOT_TRAINED, Shards
from dataforge.train.config import TrainConfig
from dataforge.train.device import Runtime
from dataforge.train.loop import Totals
from dataforge.train.model import add_adapters, count_parameters, weights_hash
from dataforge.train.packed import base_model
from dataforge.train.plan import Plan

__all__ = ["Job", "Scores", "describe_run", "plan_result", "report_run", "summary", "versions"]

PREVIEW_SPANS = 8

Scores = dict[str, dict[str, Any]]
"""File -> its score as a JSON value."""


@dataclass(frozen=True)
class Job:
    """A run with everything opened but the model."""

    stage: str
    config: TrainConfig
    options: RunOptions
    runtime: Runtime
    attention: str
    tokenizer: Any
    shards: Shards
    settings: Any
    plan: Plan
    work: Path

    @property
    def trained(self) -> int:
        """Supervised tokens of an epoch."""
        return int(self.shards.manifest["tokens"]["trained"])


def versions() -> dict[str, str]:
    """The versions of what computes."""
    modules = {"torch": torch, "transformers": transformers, "accelerate": accelerate, "peft": peft}
    return {"dataforge": __version__, **{name: module.__version__ for name, module in modules.items()}}


def describe_run(
    job: Job,
    model: Any,
    start: str,
    totals: Totals,
    before: Scores,
    after: Scores,
) -> dict[str, Any]:
    """`run.json`: what was trained on what, and what came of it; no times, no absolute paths."""
    manifest = job.shards.manifest
    everything, trainable = count_parameters(model)
    return {
        "schema": "dataforge.run/1",
        "command": f"train {job.stage}",
        "options": portable(dataclasses.asdict(job.config)),
        "seed": job.options.seed,
        "data": {key: manifest[key] for key in ("hash", "rows", "documents", "max_length", "tokens", "sources")},
        "tokenizer": manifest["tokenizer"],
        "model": {
            "architecture": type(base_model(model)).__name__,
            "parameters": everything,
            "trained_parameters": trainable,
            "weights_before": start,
            "weights_after": weights_hash(model),
        },
        "steps": totals.step,
        "tokens": totals.tokens,
        "trained_tokens": totals.trained,
        "last_loss": totals.loss,
        "eval": [
            {"before": before[path]["loss"], "after": after[path]["loss"], **_without_loss(after[path])}
            for path in job.config.eval
        ],
        "attention": job.attention,
        "precision": str(job.runtime.dtype).removeprefix("torch."),
        "processes": job.runtime.world,
        "versions": versions(),
    }


def _without_loss(score: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in score.items() if key not in ("loss", "perplexity")}


def report_run(job: Job, totals: Totals) -> dict[str, Any]:
    """What stands in report.json: how long and how fast."""
    speed = totals.seconds or math.inf
    return {
        "command": f"train {job.stage}",
        "steps": totals.step,
        "tokens": totals.tokens,
        "trained_tokens": totals.trained,
        "seconds": round(totals.seconds, 3),
        "tokens_per_second": round(totals.tokens / speed, 1),
        "trained_tokens_per_second": round(totals.trained / speed, 1),
        "device": str(job.runtime.device),
        "threads": torch.get_num_threads(),
    }


def summary(run: dict[str, Any], report: dict[str, Any], output: Path) -> list[str]:
    """The result for people."""
    loss = "" if run["last_loss"] is None else f", last loss {run['last_loss']:.4f}"
    lines = [
        f"{run['steps']:,} steps, {run['tokens']:,} tokens, {run['trained_tokens']:,} of them trained{loss} "
        f"-> {output} [{report['seconds']:.1f} s, {report['tokens_per_second']:,.0f} tokens/s]"
    ]
    for score in run["eval"]:
        change = score["after"] - score["before"]
        lines.append(
            f"loss on {score['file']}: {score['before']:.4f} before, {score['after']:.4f} after ({change:+.4f})"
        )
    return lines


def plan_result(job: Job) -> Result:
    """What a dry run says: sizes, steps, and what is trained in the first row."""
    with torch.device("meta"):
        model = add_adapters(transformers.AutoModelForCausalLM.from_config(job.settings), job.config, seed=0)
    everything, trainable = count_parameters(model)
    manifest, plan = job.shards.manifest, job.plan
    tokens = manifest["tokens"]
    size = int(job.shards.row_lengths.sum())
    lines = [
        f"would train {type(base_model(model)).__name__}: {everything:,} parameters, {trainable:,} of them trained, "
        f"about {(4 * everything + 12 * trainable) / 2**30:.2f} GiB with optimiser states",
        f"{manifest['documents']:,} documents in {len(job.shards):,} packed rows: {size:,} tokens, "
        f"{tokens['trained']:,} trained, {tokens['masked']:,} masked",
        f"{plan.steps:,} steps of up to {plan.tokens_per_step:,} tokens on {job.runtime.device}, "
        f"attention {job.attention}",
        "the first packed row:",
        *_preview(job),
    ]
    data = {
        "parameters": everything,
        "trained_parameters": trainable,
        "rows": len(job.shards),
        "tokens": tokens,
        "steps": plan.steps,
    }
    return Result(f"train {job.stage}", lines=lines, data=data)


def _preview(job: Job) -> list[str]:
    """The first spans of the first row, each with whether it is trained."""
    ids, labels, lengths = job.shards.row(0)
    trained = labels[: lengths[0]] != NOT_TRAINED
    edges = [0, *(index for index in range(1, len(trained)) if trained[index] != trained[index - 1]), len(trained)]
    lines = []
    for start, stop in list(zip(edges, edges[1:], strict=False))[:PREVIEW_SPANS]:
        text = job.tokenizer.decode(ids[start:stop].tolist())
        lines.append(f"  {'trained' if trained[start] else 'masked '}  {shorten(text, 100)}")
    return lines
