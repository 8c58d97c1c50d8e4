"""What a finished run says of itself: a line for people, the report, and the manifest.

The manifest holds no times, worker counts or absolute paths: the same work leaves the same bytes everywhere.

Python: `summary_of(run, report_of(run, None))`
"""

from __future__ import annotations

import dataclasses
import platform
import time
from typing import TYPE_CHECKING, Any

from dataforge import __version__
from dataforge.engine.portable import portable_settings

if TYPE_CHECKING:
    from dataforge.engine.run import Run

__all__ = ["manifest_of", "report_of", "summary_of"]

DATA_OPTIONS = ("on_error", "limit", "seed", "keep_dropped")
"""Run options that shape the bytes of the output, and so stand in the manifest."""


def summary_of(run: Run, report: dict[str, Any]) -> str:
    """Rows by fate and rule, in one line."""
    counts = run.counts
    parts = [f"{counts.rows_in:,} rows in"]
    for name in ("kept", "repaired", "dropped", "unused", "errors"):
        number = getattr(counts, name)
        if number or name == "kept":
            rules = [
                f"{rule} {n:,}"
                for (fate, rule), n in sorted(counts.rules.items())
                if fate == name or (fate == "error" and name == "errors")
            ]
            parts.append(f"{number:,} {name}" + (f" ({', '.join(rules)})" if rules else ""))
    where = f" -> {run.output.path}" if run.output.path else ""
    speed = f", {report['mb_per_second']:.0f} MB/s" if report["mb_per_second"] >= 1 else ""
    return f"{', '.join(parts)}; {counts.rows_out:,} out{where} [{report['seconds']:.1f} s{speed}]"


def report_of(run: Run, extra: dict[str, Any] | None) -> dict[str, Any]:
    """What stands in report.json."""
    seconds = time.perf_counter() - run.began
    size = sum(entry["bytes"] for entry in run.entries)
    return {
        "command": run.command,
        "counts": run.counts.as_dict(),
        "seconds": round(seconds, 3),
        "rows_per_second": round(run.counts.rows_in / seconds) if seconds else 0,
        "mb_per_second": round(size / 1e6 / seconds, 1) if seconds else 0.0,
        "bytes_in": size,
        "workers": run.workers,
        "python": platform.python_version(),
        **(extra or {}),
    }


def manifest_of(run: Run, config: Any, entry: dict[str, Any] | None, extra: dict[str, Any] | None) -> dict[str, Any]:
    """What stands in manifest.json; config: the settings of the step, or a mapping of those that shape its rows."""
    settings = config if isinstance(config, dict) else portable_settings(config)
    options = {
        field.name: getattr(run.options, field.name)
        for field in dataclasses.fields(run.options)
        if field.name in DATA_OPTIONS
    }
    return {
        "schema": "dataforge.manifest/1",
        "tool": "dataforge",
        "version": __version__,
        "command": run.command,
        "options": {**settings, **options},
        "seed": run.options.seed,
        "inputs": run.entries,
        "outputs": [entry] if entry else [],
        "counts": run.counts.as_dict(),
        "versions": {"dataforge": __version__},
        **(extra or {}),
    }
