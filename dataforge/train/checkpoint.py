"""Checkpoints: everything a run needs to go on bit for bit, as safetensors and JSON.

A checkpoint is the folder `step-00000010/` with `weights.safetensors` (trained parameters), `optimizer.safetensors`
(AdamW moments and step counts, by parameter name) and `checkpoint.json` (the cursor). It is written under another
name and renamed when it is complete, so that a killed run leaves no half checkpoint that could be taken for a whole
one. The last two are kept. Random numbers need no state here: those of a step are drawn from (seed, step), as is the
order of the rows.

Cost: 12 bytes of disk a trained parameter, at the speed of the disk.

CLI: `dataforge train sft shards -o tuned --model my-model --save-every 100`, and after a crash the same with `--resume`
Python: `save_checkpoint(folder, model, optimizer, {"step": 10})`
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from dataforge.errors import InputError, UsageError

__all__ = ["check_fingerprint", "last_checkpoint", "load_checkpoint", "save_checkpoint", "write_fingerprint"]

KEPT = 2
CURSOR = "checkpoint.json"
WEIGHTS = "weights.safetensors"
OPTIMIZER = "optimizer.safetensors"
FINGERPRINT = "fingerprint.json"


def _trained(model: torch.nn.Module) -> dict[str, torch.nn.Parameter]:
    return {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}


def save_checkpoint(
    folder: Path, model: torch.nn.Module, optimizer: torch.optim.Optimizer, cursor: Mapping[str, Any]
) -> None:
    """Write a checkpoint of `cursor["step"]` into `folder`, and remove all but the last two."""
    final = folder / f"step-{cursor['step']:08d}"
    partial = folder / f"{final.name}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    parameters = _trained(model)
    save_file({name: p.detach().contiguous() for name, p in parameters.items()}, partial / WEIGHTS)
    states = {
        f"{name}.{key}": value.contiguous()
        for name, parameter in parameters.items()
        for key, value in optimizer.state[parameter].items()
    }
    save_file(states, partial / OPTIMIZER)
    (partial / CURSOR).write_text(json.dumps(dict(cursor), indent=2) + "\n", encoding="utf-8")
    shutil.rmtree(final, ignore_errors=True)
    os.replace(partial, final)
    for old in _checkpoints(folder)[:-KEPT]:
        shutil.rmtree(old)


def _checkpoints(folder: Path) -> list[Path]:
    return sorted(path.parent for path in folder.glob(f"step-*/{CURSOR}") if path.parent.suffix != ".partial")


def last_checkpoint(folder: Path) -> Path | None:
    """The checkpoint of the latest step, or None."""
    found = _checkpoints(folder)
    return found[-1] if found else None


def load_checkpoint(path: Path, model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """Put a checkpoint into a model and its optimiser; the cursor it was saved with.

    Raises InputError if it belongs to a model with other parameters.
    """
    parameters = _trained(model)
    weights, states = load_file(path / WEIGHTS), load_file(path / OPTIMIZER)
    if weights.keys() != parameters.keys():
        raise InputError("the checkpoint is of a model with other parameters", place=str(path))
    with torch.no_grad():
        for name, parameter in parameters.items():
            parameter.copy_(weights[name])
    described = optimizer.state_dict()
    names = {id(parameter): name for name, parameter in parameters.items()}
    order = [names[id(parameter)] for groups in optimizer.param_groups for parameter in groups["params"]]
    described["state"] = {
        index: {key: states[f"{name}.{key}"] for key in ("step", "exp_avg", "exp_avg_sq") if f"{name}.{key}" in states}
        for index, name in enumerate(order)
    }
    optimizer.load_state_dict(described)
    cursor: dict[str, Any] = json.loads((path / CURSOR).read_text(encoding="utf-8"))
    return cursor


def write_fingerprint(folder: Path, fingerprint: Mapping[str, Any]) -> None:
    """Say what the unfinished work in `folder` is."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / FINGERPRINT).write_text(json.dumps(dict(fingerprint), indent=2, sort_keys=True) + "\n", encoding="utf-8")


def check_fingerprint(folder: Path, fingerprint: Mapping[str, Any]) -> None:
    """Raise UsageError if the unfinished work in `folder` is of another run, naming what differs."""
    path = folder / FINGERPRINT
    if not path.is_file():
        return
    stored = json.loads(path.read_text(encoding="utf-8"))
    differing = sorted(key for key in stored.keys() | fingerprint.keys() if stored.get(key) != fingerprint.get(key))
    if differing:
        raise UsageError(
            f"--resume: the unfinished run differs in {', '.join(differing)}",
            place=str(folder),
            help="give the same options and data, or start anew with --force",
        )
