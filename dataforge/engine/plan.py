"""What a dry run says: the inputs found, and what would be written.

CLI: `dataforge convert data/ --to openai -o chat.jsonl --dry-run`
"""

from __future__ import annotations

import os

from dataforge.engine.run import Run, is_file
from dataforge.io.paths import STDIN
from dataforge.ledger import Result

__all__ = ["plan_result"]

SHOWN = 20


def plan_result(run: Run, what: str) -> Result:
    """The plan of a run, as a Result; nothing is read or written."""
    lines = [f"would {what}:"]
    for source in run.sources[:SHOWN]:
        size = f"{os.path.getsize(source.path):,} bytes" if is_file(source) else "a stream"
        kind = source.container + (f".{source.compression}" if source.compression else "")
        lines.append(f"  {'stdin' if source.path == STDIN else source.path}  ({kind}, {size})")
    if len(run.sources) > SHOWN:
        lines.append(f"  and {len(run.sources) - SHOWN:,} more files")
    target = run.output.path or ("standard output" if run.output.path is None else "nothing")
    lines.append(f"  -> {target} ({run.output.container}), {run.workers} workers")
    return Result(run.command, lines=lines, output=run.output.path or None)
