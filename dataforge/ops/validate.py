"""`validate`: every row against the schema of its dialect, with the place and the reason of each fault.

Reads rows; writes, with -o, the valid rows there as they stand and the faulty ones to rejects.jsonl. Ten faults are
shown, all are counted by rule. Exit code 1 if there is any.

Cost: about 200,000 rows/s on 2 cores; flat memory.
CLI: `dataforge validate data/ -o valid.jsonl`
Python: `dataforge.validate("rows.jsonl").problems`
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace

from dataforge.config import RunOptions, check, option
from dataforge.engine.plan import plan_result
from dataforge.engine.run import Run
from dataforge.ledger import Result
from dataforge.ops.dedup import refuse_tables
from dataforge.registry import DIALECTS, Operation

__all__ = ["OPERATION", "ValidateConfig", "validate"]


@dataclass(frozen=True)
class ValidateConfig:
    """Settings of validate."""

    source_dialect: str | None = option(
        None,
        help="dialect that every row must have (default: found row by row)",
        choices=tuple(DIALECTS),
        flags=("--from",),
    )
    schema: str | None = option(None, help="a JSON Schema file for the rows, in place of their dialect's", path=True)

    def __post_init__(self) -> None:
        check(self)


def validate(inputs: tuple[str, ...], output: str | None, config: ValidateConfig, options: RunOptions) -> Result:
    """Check all rows; faulty ones are in `problems` (ten), `counts` and, with an output, rejects.jsonl."""
    # A validation is asked for all faults, so a faulty row never stops it.
    run = Run("validate", inputs, output or "", replace(options, on_error="reject"))
    refuse_tables(run)
    if options.dry_run:
        return plan_result(run, "validate")
    schema = os.path.abspath(config.schema) if config.schema else None
    with run:
        rows_out = 0
        for part in run.parts("check", {"schema": schema, "from": config.source_dialect, "copy": output is not None}):
            run.output.write(part.result.out)
            if output is None:
                part.rows.n_out[:] = 0
            else:
                rows_out += part.result.stats["written"]
            run.settle(part)
        result = run.finish(config, rows_out=rows_out)
    if output is None:
        counts, seconds = result.counts, result.report["seconds"]
        result.lines[0] = f"{counts.rows_in:,} rows: {counts.kept:,} valid, {counts.errors:,} faulty [{seconds:.1f} s]"
        result.lines[1:1] = [f"  {rule}: {count:,}" for (_, rule), count in sorted(counts.rules.items())]
    return result


OPERATION = Operation(
    name="validate",
    config=ValidateConfig,
    run=validate,
    output="optional",
    options=("workers", "force", "dry_run", "limit", "json", "quiet", "forge"),
)
