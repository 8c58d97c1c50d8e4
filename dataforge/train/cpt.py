"""`train cpt`: go on with pre-training on documents; the loss is on all tokens.

Reads a folder of `dataforge shard --stage cpt`, or rows of any dialect (which are sharded first); writes a model
folder. Cost: 16 bytes of memory a parameter (LoRA: 4, and 16 for each of its own), and the time of the model.

CLI: `dataforge train cpt corpus.jsonl -o continued --model my-model --eval general.jsonl`
Python: `dataforge.train_cpt("corpus.jsonl", "continued", model="my-model", eval=["general.jsonl"])`

Documents in a packed row do not see each other. Files named with `--eval` are measured before and after: the domain
shows what was learned, a general file what was forgotten.
"""

from __future__ import annotations

from dataclasses import dataclass

from dataforge.config import RunOptions, option
from dataforge.ledger import Result
from dataforge.registry import Operation
from dataforge.train.config import TrainConfig, require_training_packages

__all__ = ["OPERATION", "CptConfig", "train_cpt"]


@dataclass(frozen=True)
class CptConfig(TrainConfig):
    """Settings of train cpt."""

    learning_rate: float = option(5e-5, help="peak learning rate; cosine down to 0", minimum=0.0, maximum=1.0)
    weight_decay: float = option(0.1, help="AdamW weight decay of matrices (never of norms and biases)", minimum=0.0)


def train_cpt(inputs: tuple[str, ...], output: str | None, config: CptConfig, options: RunOptions) -> Result:
    """Train on all tokens; see `dataforge.train.stage.run_stage` for what it raises."""
    require_training_packages("train cpt")
    from dataforge.train.stage import run_stage

    return run_stage("cpt", inputs, output, config, options)


OPERATION = Operation(
    name="train cpt",
    config=CptConfig,
    run=train_cpt,
    output="folder",
    options=("force", "resume", "dry_run", "seed", "json", "quiet", "workers"),
)
