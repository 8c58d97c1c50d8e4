"""A training run from inputs to output folder; what `train cpt` and `train sft` have in common.

Reads a shard folder, or rows that it shards first; writes OUT (model, tokenizer, `metrics.jsonl`, `run.json`) and
beside it `OUT.forge/` (report.json, and while the run is unfinished `partial/` with its checkpoints). Cost: 16 bytes
of memory a parameter, and the time of the model.

CLI: `dataforge train sft chat.jsonl -o tuned --model my-model`
Python: `dataforge.train_sft("chat.jsonl", "tuned", model="my-model")`

OUT is renamed into place when everything in it is written, so it is either complete or not there. A run that was
killed goes on from its last checkpoint with `--resume` and ends with the same weights, bit for bit; other options or
data are refused.
"""

from __future__ import annotations

import dataclasses
import errno
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from dataforge.config import RunOptions
from dataforge.engine.outputs import atomic_json, out_of_space
from dataforge.errors import DataError, OutputError, UsageError
from dataforge.ledger import Result
from dataforge.ops.shard import ShardConfig, shard_rows
from dataforge.shards.folder import Folder
from dataforge.shards.store import MANIFEST, Shards, open_shards
from dataforge.shards.template import describe_tokenizer, load_tokenizer
from dataforge.train.account import Job, Scores, describe_run, plan_result, report_run, summary, versions
from dataforge.train.checkpoint import check_fingerprint, last_checkpoint, write_fingerprint
from dataforge.train.config import TrainConfig
from dataforge.train.device import Runtime, open_runtime
from dataforge.train.loop import Task, train_loop
from dataforge.train.model import (
    add_adapters,
    check_vocabulary,
    init_model,
    load_model,
    model_config,
    resolve_attention,
    save_model,
    weights_hash,
)
from dataforge.train.packed import base_model, check_packing
from dataforge.train.plan import make_plan
from dataforge.train.scoring import score_file

__all__ = ["run_stage"]

RUN = "run.json"
IN_PASSING = ("save_every", "shards", "threads", "eval")
"""Settings that do not change what is learned, and may differ on --resume."""


def run_stage(
    stage: str, inputs: tuple[str, ...], output: str | None, config: TrainConfig, options: RunOptions
) -> Result:
    """Train a model on shards or rows and write the folder `output`.

    Raises UsageError, InputError and OutputError before anything is trained, DataError if the loss is not finite.
    """
    runtime = open_runtime(precision=config.precision, threads=config.threads)
    folder = Folder(f"train {stage}", output, options, mark=RUN)
    forge = Path(folder.options.forge or "")
    if options.dry_run:
        with tempfile.TemporaryDirectory(prefix="dataforge-") as temporary:
            return plan_result(_open(stage, inputs, Path(temporary), config, options, runtime))
    work = forge / "partial"
    if runtime.is_main:
        _check_unfinished(work, options)
    runtime.wait()
    is_new = not forge.exists()
    try:
        return _run(_open(stage, inputs, forge, config, options, runtime), folder)
    except BaseException as fault:
        if runtime.is_main and last_checkpoint(work) is None:
            shutil.rmtree(forge if is_new else work, ignore_errors=True)
        if "os error 28" in str(fault):  # how safetensors says that the disk is full
            fault = OSError(errno.ENOSPC, str(fault))
        if isinstance(fault, OSError) and fault.errno in (errno.ENOSPC, errno.EDQUOT):
            raise out_of_space(fault, str(folder.path)) from None
        raise


def _check_unfinished(work: Path, options: RunOptions) -> None:
    """Refuse to throw the checkpoints of an unfinished run away unasked."""
    is_begun = last_checkpoint(work) is not None
    if is_begun and options.resume:
        return
    if is_begun and not options.force:
        raise OutputError(
            "an unfinished run stands here", place=str(work), help="--resume goes on with it, --force starts anew"
        )
    shutil.rmtree(work, ignore_errors=True)


def _open(
    stage: str, inputs: tuple[str, ...], forge: Path, config: TrainConfig, options: RunOptions, runtime: Runtime
) -> Job:
    """Open tokenizer, shards and model config, and check that they belong together."""
    tokenizer = load_tokenizer(config.tokenizer_source, config.template, conversations=stage == "sft")
    settings = model_config(config, tokenizer)
    check_vocabulary(settings, tokenizer)
    shards = _open_shards(stage, inputs, forge, config, options, runtime)
    _check_shards(shards, stage, tokenizer, config)
    plan = make_plan(
        shards.row_lengths,
        tokens_per_step=config.tokens_per_step,
        epochs=config.epochs,
        max_steps=config.max_steps,
        seed=options.seed,
    )
    attention = resolve_attention(config.attention, runtime.device)
    return Job(stage, config, options, runtime, attention, tokenizer, shards, settings, plan, forge / "partial")


def _open_shards(
    stage: str, inputs: tuple[str, ...], forge: Path, config: TrainConfig, options: RunOptions, runtime: Runtime
) -> Shards:
    """The shard folder among the inputs, or one made from their rows."""
    folders = [path for path in inputs if (Path(path) / MANIFEST).is_file()]
    if folders:
        if len(inputs) > 1:
            raise UsageError(
                "one shard folder, and nothing else, is trained on at a time", help="shard all files together"
            )
        return open_shards(folders[0])
    target = Path(config.shards) if config.shards else forge / "shards"
    if runtime.is_main:
        target.parent.mkdir(parents=True, exist_ok=True)
        own = ShardConfig(
            tokenizer=config.tokenizer_source, stage=stage, max_length=config.max_length, template=config.template
        )
        # Made again on --resume too: it is quick, and shows whether the rows are still the same.
        shard_rows(
            inputs,
            str(target),
            own,
            RunOptions(force=True, workers=options.workers, seed=options.seed, quiet=options.quiet),
        )
    runtime.wait()
    return open_shards(target, verify=False)


def _check_shards(shards: Shards, stage: str, tokenizer: Any, config: TrainConfig) -> None:
    """Refuse shards of another stage, tokenizer or template, and shards with nothing to learn."""
    manifest, place = shards.manifest, str(shards.path)
    own, theirs = describe_tokenizer(tokenizer), manifest["tokenizer"]
    if manifest["stage"] != stage:
        made = manifest["stage"]
        raise UsageError(
            f"the shards were made for stage {made}, not {stage}",
            place=place,
            help=f"`dataforge train {made}`, or shard again",
        )
    if theirs["hash"] != own["hash"]:
        raise UsageError(
            f"the shards were made with another tokenizer than {config.tokenizer_source}",
            place=place,
            help=f"shard again with --tokenizer {config.tokenizer_source}",
        )
    if stage == "sft" and theirs["template_hash"] != own["template_hash"]:
        raise UsageError(
            "the shards were made with another chat template",
            place=place,
            help="give the same --template here, or shard again",
        )
    if not manifest["tokens"]["trained"]:
        raise DataError(
            "no token is trained", place=place, help="sft trains answers of the assistant: do the rows have any?"
        )


def _make_model(job: Job) -> Any:
    config, seed = job.config, job.options.seed
    if config.init is not None:
        model = init_model(job.settings, seed=seed, attention=job.attention)
    else:
        model = load_model(str(config.model), attention=job.attention)
    model = add_adapters(model.to(job.runtime.device), config, seed=seed)
    if config.gradient_checkpointing:
        base = base_model(model)
        # The method got its present name within transformers 5.
        enable = getattr(base, "activation_checkpointing_enable", None) or base.gradient_checkpointing_enable
        enable({"use_reentrant": False})
    return model


def _run(job: Job, folder: Folder) -> Result:
    """Train, measure before and after, and put everything into place."""
    model = _make_model(job)
    start = weights_hash(model)
    if job.runtime.is_main:
        check_fingerprint(job.work, _fingerprint(job, start))
        write_fingerprint(job.work, _fingerprint(job, start))
    job.runtime.wait()
    check_packing(model, attention=job.attention, vocabulary=job.settings.get_text_config().vocab_size)
    before = _measure(job, model)
    task = Task(model, job.shards, job.plan, job.config, job.runtime, job.attention, job.trained)
    totals = train_loop(task, job.work, quiet=job.options.quiet)
    after = _measure(job, model)
    run = describe_run(job, model, start, totals, before, after)
    report = report_run(job, totals)
    if job.runtime.is_main:
        _write(job, model, run, folder)
        atomic_json(job.work.parent / "report.json", report)
    job.runtime.wait()
    lines = summary(run, report, folder.path) if job.runtime.is_main else []
    return Result(f"train {job.stage}", report=report, output=str(folder.path), lines=lines, data=run)


def _write(job: Job, model: Any, run: dict[str, Any], folder: Folder) -> None:
    """Write the output aside, `run.json` last, and rename it into place."""
    made = job.work / "out"
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir()
    save_model(model, job.tokenizer, made, merge=job.config.merge)
    os.replace(job.work / "metrics.jsonl", made / "metrics.jsonl")
    atomic_json(made / RUN, run)
    folder.place(made)
    shutil.rmtree(job.work)


def _measure(job: Job, model: Any) -> Scores:
    """The loss on each file of --eval."""
    scores = (
        score_file(
            path, model, job.tokenizer, job.runtime, attention=job.attention, batch_tokens=job.config.micro_tokens
        )
        for path in job.config.eval
    )
    return {path: score.as_dict() for path, score in zip(job.config.eval, scores, strict=True)}


def _fingerprint(job: Job, start: str) -> dict[str, Any]:
    """What must be the same for a run to be the same."""
    settings = {name: value for name, value in dataclasses.asdict(job.config).items() if name not in IN_PASSING}
    return {
        **{name: list(value) if isinstance(value, tuple) else value for name, value in settings.items()},
        "stage": job.stage,
        "seed": job.options.seed,
        "data": job.shards.manifest["hash"],
        "weights of the model": start,
        "processes": job.runtime.world,
        "versions": versions(),
    }
