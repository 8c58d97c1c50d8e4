"""Speed of supervised fine-tuning on a CPU: dataforge, TRL at several settings, bare torch loops; all on one data set.

A tokenizer (vocabulary 8,192) and a Llama of 5.3 M parameters (hidden 256, 4 layers, float32, random) are made once
from real Alpaca rows (the sample rows where those are absent). dataforge renders, masks and packs the rows to 512
tokens; every contestant gets these documents (ids and labels), the same weights, AdamW with clipping, the same
threads, and steps of about 4,096 tokens. Each run is a process of its own, and the runs are interleaved. Speed is
supervised tokens over the wall time from the beginning of a step to that of the next: the median over the steps
behind the first three, then over the runs. The loss of the first step is compared with TRL's on identical documents.
Takes about four minutes a run.

Run as: `make bench-sft`, or `python benchmarks/sft.py --write`; `--json FILE` writes all figures
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness import ROOT, alpaca_rows, arguments, machine, publish, table, write_rows

CONFIG = Path(__file__).with_name("llama-5m.json")
OWN = "dataforge"
ROWS = 3252
LENGTH = 512
STEP_TOKENS = 4096
WARM_UP = 3
RATE = 1e-4


def prepare(data: list[str], work: Path) -> None:
    """Tokenizer, shards and random weights, once for all contestants."""
    import dataforge
    from dataforge.shards.template import load_tokenizer
    from dataforge.train.config import TrainConfig
    from dataforge.train.model import init_model, model_config, save_model

    names = {name: str(work / name) for name in ("tokenizer", "shards", "model")}
    dataforge.train_tokenizer(data, names["tokenizer"], vocab_size=8192, quiet=True, force=True)
    dataforge.shard(data, names["shards"], tokenizer=names["tokenizer"], max_length=LENGTH, quiet=True, force=True)
    tokenizer = load_tokenizer(names["tokenizer"])
    settings = model_config(TrainConfig(init=str(CONFIG), tokenizer=names["tokenizer"]), tokenizer)
    save_model(init_model(settings, seed=0), tokenizer, work / "model")


class Clock:
    """Times between beginnings of steps, and the tokens of each step."""

    def __init__(self) -> None:
        self.begins: list[float] = []
        self.trained: list[int] = []
        self.tokens: list[int] = []

    def begin(self) -> None:
        """A step begins."""
        self.begins.append(time.perf_counter())

    def count(self, tokens: int, trained: int) -> None:
        """A batch of the step that has begun, or is about to."""
        self.tokens.append(tokens)
        self.trained.append(trained)

    def figures(self) -> dict[str, Any]:
        """Median speed of the steps behind the warm-up, and the peak of memory so far."""
        share = round(len(self.trained) / len(self.begins))  # micro-batches a step; loaders may be one ahead
        speeds, trained_speeds = [], []
        for step in range(WARM_UP, len(self.begins) - 1):
            seconds = self.begins[step + 1] - self.begins[step]
            part = slice(step * share, (step + 1) * share)
            speeds.append(sum(self.tokens[part]) / seconds)
            trained_speeds.append(sum(self.trained[part]) / seconds)
        return {
            "trained_per_second": statistics.median(trained_speeds),
            "tokens_per_second": statistics.median(speeds),
            "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        }


def run_dataforge(work: Path, steps: int) -> dict[str, Any]:
    """The public function, as a user calls it."""
    import dataforge
    from dataforge.train import loop

    clock, make = Clock(), loop._make_step

    def timed(*arguments: Any) -> Any:
        clock.begin()
        made = make(*arguments)
        clock.count(made.tokens, made.trained)
        return made

    loop._make_step = timed
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        dataforge.train_sft(
            str(work / "shards"),
            str(out),
            model=str(work / "model"),
            max_steps=steps + 1,
            tokens_per_step=STEP_TOKENS,
            micro_tokens=STEP_TOKENS,
            learning_rate=RATE,
            quiet=True,
        )
        first = json.loads((out / "metrics.jsonl").read_text().splitlines()[0])
    return {**clock.figures(), "first_loss": first["loss"], "first_grad_norm": first["grad_norm"]}


def _plan(work: Path, steps: int) -> tuple[Any, Any]:
    from dataforge.shards.store import open_shards
    from dataforge.train.plan import make_plan

    shards = open_shards(work / "shards")
    return shards, make_plan(shards.row_lengths, tokens_per_step=STEP_TOKENS, epochs=1, max_steps=steps, seed=0)


def _bare(work: Path, steps: int, attention: str, loss: Callable[[Any, Any], Any]) -> dict[str, Any]:
    """The shortest loop there is: batches ready in memory, forward, backward, clip, AdamW."""
    import torch

    from dataforge.train.model import load_model
    from dataforge.train.packed import collate

    model = load_model(str(work / "model"), attention=attention).train()
    shards, plan = _plan(work, steps + 1)
    batches = [collate([shards.row(int(row)) for row in step.rows], attention=attention) for step in plan]
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, fused=True, weight_decay=0.0)
    clock, first = Clock(), None
    for batch in batches:
        clock.begin()
        value = loss(model, batch)
        value.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        first = value.item() if first is None else first
        clock.count(batch.tokens, batch.trained)
    return {**clock.figures(), "first_loss": first}


def run_bare_same(work: Path, steps: int) -> dict[str, Any]:
    """A bare loop around dataforge's own forward pass and loss."""
    from dataforge.train.packed import packed_loss

    return _bare(work, steps, "documents", lambda model, batch: packed_loss(model, batch, weight=1 / batch.trained))


def run_bare_transformers(work: Path, steps: int) -> dict[str, Any]:
    """A bare loop around the model as transformers has it: sdpa, positions that restart, all logits."""
    import torch

    def loss(model: Any, batch: Any) -> Any:
        labels = torch.full((batch.input_ids.numel(),), -100)
        labels[batch.supervised + 1] = batch.targets
        labels = labels.view_as(batch.input_ids)
        return model(input_ids=batch.input_ids, position_ids=batch.position_ids, labels=labels, use_cache=False).loss

    return _bare(work, steps, "sdpa", loss)


def _documents(work: Path, rows: Any = None) -> list[dict[str, list[int]]]:
    """The documents of all packed rows, or of some, as ids and labels."""
    import numpy as np

    from dataforge.shards.store import open_shards

    shards = open_shards(work / "shards")
    found = []
    for index in range(len(shards)) if rows is None else rows:
        ids, labels, lengths = shards.row(int(index))
        cuts = np.cumsum(lengths)[:-1]
        for part, marked in zip(np.split(ids, cuts), np.split(labels, cuts), strict=True):
            found.append({"input_ids": part.tolist(), "labels": marked.tolist()})
    return found


def _trl(work: Path, steps: int, documents: list[dict[str, list[int]]], **settings: Any) -> dict[str, Any]:
    import logging

    import torch
    from datasets import Dataset
    from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback
    from trl import SFTConfig, SFTTrainer

    logging.getLogger("transformers").setLevel(logging.ERROR)
    clock = Clock()

    class Times(TrainerCallback):  # type: ignore[misc]
        def on_step_begin(self, *arguments: Any, **more: Any) -> None:
            clock.begin()

    with tempfile.TemporaryDirectory() as folder:
        config = SFTConfig(
            output_dir=folder,
            max_steps=steps + 1,
            max_length=LENGTH,
            learning_rate=RATE,
            use_cpu=True,
            bf16=False,
            gradient_checkpointing=False,
            report_to="none",
            save_strategy="no",
            logging_steps=1,
            disable_tqdm=True,
            dataset_num_proc=None,
            **settings,
        )
        trainer = SFTTrainer(
            model=AutoModelForCausalLM.from_pretrained(work / "model", dtype=torch.float32),
            args=config,
            train_dataset=Dataset.from_list(documents),
            processing_class=AutoTokenizer.from_pretrained(work / "tokenizer"),
            callbacks=[Times()],
        )
        collator = trainer.data_collator

        def counted(examples: list[Any]) -> Any:
            batch = collator(examples)
            padding = 0 if "attention_mask" not in batch else int((batch["attention_mask"] == 0).sum())
            clock.count(batch["input_ids"].numel() - padding, int((batch["labels"][:, 1:] != -100).sum()))
            return batch

        trainer.data_collator = counted
        trainer.train()
        first = next(entry for entry in trainer.state.log_history if "loss" in entry)
    figures = clock.figures() if steps > WARM_UP else {}
    return {**figures, "first_loss": first["loss"], "first_grad_norm": first.get("grad_norm")}


def run_trl_packed_8(work: Path, steps: int) -> dict[str, Any]:
    """TRL, packing, 8 rows a batch."""
    return _trl(
        work, steps, _documents(work), packing=True, per_device_train_batch_size=8, gradient_accumulation_steps=1
    )


def run_trl_packed_1(work: Path, steps: int) -> dict[str, Any]:
    """TRL, packing, 1 row a batch, 8 batches a step."""
    return _trl(
        work, steps, _documents(work), packing=True, per_device_train_batch_size=1, gradient_accumulation_steps=8
    )


def run_trl_padded(work: Path, steps: int) -> dict[str, Any]:
    """TRL, padding, 8 documents a batch, 6 batches a step."""
    return _trl(work, steps, _documents(work), per_device_train_batch_size=8, gradient_accumulation_steps=6)


def run_trl_grouped(work: Path, steps: int) -> dict[str, Any]:
    """TRL, padding, 8 documents of like length a batch, 6 batches a step."""
    return _trl(
        work,
        steps,
        _documents(work),
        per_device_train_batch_size=8,
        gradient_accumulation_steps=6,
        train_sampling_strategy="group_by_length",
    )


def run_trl_first(work: Path, steps: int) -> dict[str, Any]:
    """TRL on the documents of dataforge's first step, in one padded batch: for the loss, not for speed."""
    _, plan = _plan(work, steps + 1)
    documents = _documents(work, next(iter(plan)).rows)
    return _trl(work, 0, documents, per_device_train_batch_size=len(documents), gradient_accumulation_steps=1)


CONTESTANTS: dict[str, Callable[[Path, int], dict[str, Any]]] = {
    OWN: run_dataforge,
    "bare loop, same forward": run_bare_same,
    "bare loop, plain transformers": run_bare_transformers,
    "TRL packing, batch 1 x 8": run_trl_packed_1,
    "TRL packing, batch 8": run_trl_packed_8,
    "TRL padding, batch 8 x 6": run_trl_padded,
    "TRL padding by length, batch 8 x 6": run_trl_grouped,
}


def measure(name: str, work: Path, steps: int, threads: int) -> dict[str, Any]:
    """Run one contestant in a process of its own; its figures."""
    environment = {"OMP_NUM_THREADS": str(threads), "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, __file__, "--contestant", name, "--work", str(work), "--steps", str(steps)]
    done = subprocess.run(
        command, env={**os.environ, **environment, "PYTHONPATH": path}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{name} failed:\n{done.stderr[-3000:]}")
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


def summarise(runs: dict[str, list[dict[str, Any]]], first: dict[str, Any]) -> dict[str, Any]:
    """Medians and spread of each contestant, how much faster dataforge is, and the first step next to TRL's."""
    contestants = {}
    for name, figures in runs.items():
        speeds = [figure["trained_per_second"] for figure in figures]
        contestants[name] = {
            "trained_per_second": statistics.median(speeds),
            "lowest": min(speeds),
            "highest": max(speeds),
            "tokens_per_second": statistics.median(figure["tokens_per_second"] for figure in figures),
            "peak_mb": max(figure["peak_mb"] for figure in figures),
            "runs": figures,
        }
    own = runs[OWN][0]
    speed = contestants[OWN]["trained_per_second"]
    return {
        "contestants": contestants,
        "dataforge_over": {name: speed / row["trained_per_second"] for name, row in contestants.items()},
        "first_loss": {OWN: own["first_loss"], "TRL": first["first_loss"]},
        "first_loss_difference": abs(own["first_loss"] - first["first_loss"]),
        "first_grad_norm": {OWN: own["first_grad_norm"], "TRL": first["first_grad_norm"]},
    }


def lines(result: dict[str, Any], rows: str) -> list[str]:
    """The section of the page."""
    header = ("", "supervised tokens/s", "lowest-highest", "tokens/s", "peak MiB", "dataforge is faster by")
    body = [
        (
            name,
            f"{row['trained_per_second']:,.0f}",
            f"{row['lowest']:,.0f}-{row['highest']:,.0f}",
            f"{row['tokens_per_second']:,.0f}",
            f"{row['peak_mb']:,.0f}",
            "" if name == OWN else f"{result['dataforge_over'][name]:.2f}",
        )
        for name, row in result["contestants"].items()
    ]
    loss, norm = result["first_loss"], result["first_grad_norm"]
    return [
        f"{rows}, 5.3 M-parameter Llama, float32, rows of {LENGTH} tokens, {STEP_TOKENS:,} tokens a step, "
        f"{result['threads']} threads; median of {result['runs']} runs.",
        "",
        *table(header, body),
        "",
        f"First step on the same documents: loss {loss[OWN]:.7f}, TRL {loss['TRL']:.7f} "
        f"(difference {result['first_loss_difference']:.1e}); "
        f"gradient norm {norm[OWN]:.6f}, TRL {norm['TRL']:.6f}.",
        "",
        machine("torch", "transformers", "trl", "accelerate"),
    ]


def main() -> None:
    """Measure everything, or, as a child process, one contestant."""
    options = arguments((__doc__ or "").splitlines()[0], steps=12, threads=2, json="", contestant="")
    if options.contestant:
        run = run_trl_first if options.contestant == "first" else CONTESTANTS[options.contestant]
        print(json.dumps(run(Path(options.work), options.steps)))
        return
    rows, kind = alpaca_rows()
    with tempfile.TemporaryDirectory(prefix="sft-", dir=options.work) as folder:
        work = Path(folder)
        write_rows(work / "rows.jsonl", rows[:ROWS], 1)
        prepare([str(work / "rows.jsonl")], work)
        runs: dict[str, list[dict[str, Any]]] = {name: [] for name in CONTESTANTS}
        for number in range(options.runs):
            for name, figures in runs.items():
                figures.append(measure(name, work, options.steps, options.threads))
                print(f"  {number + 1} {name}: {figures[-1]['trained_per_second']:,.0f}", file=sys.stderr, flush=True)
        first = measure("first", work, options.steps, options.threads)
    result = summarise(runs, first) | {"steps": options.steps, "runs": options.runs, "threads": options.threads}
    publish("sft", "Supervised fine-tuning", lines(result, f"{len(rows[:ROWS]):,} {kind}"), write=options.write)
    if options.json:
        Path(options.json).write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
