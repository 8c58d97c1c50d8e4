"""Settings for a manifest: without absolute paths, so that the same work leaves the same bytes on every machine.

Python: `portable({"model": "/home/me/llama"})  # {"model": "llama"}`
"""

from __future__ import annotations

import dataclasses
import os
from typing import Any

from dataforge.io.paths import STDIN

__all__ = ["portable", "portable_settings"]


def portable(value: Any) -> Any:
    """A JSON value without absolute paths (each becomes its last part), so that manifests are the same everywhere."""
    if isinstance(value, dict):
        return {key: portable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [portable(item) for item in value]
    if isinstance(value, str) and os.path.isabs(value):
        return os.path.basename(value.rstrip(os.sep))
    return value


def portable_settings(config: Any) -> dict[str, Any]:
    """The settings of a step for the manifest: paths by their last part, so that no folder of this machine shows."""
    values = dataclasses.asdict(config)
    for field in dataclasses.fields(config):
        if field.metadata.get("path"):
            value = values[field.name]
            values[field.name] = [_last(path) for path in value] if isinstance(value, tuple) else _last(value)
    return values


def _last(path: str | None) -> str | None:
    """A path that is absolute or exists by its last part; others (hub ids, patterns) as they are."""
    if path is None or path == STDIN or not (os.path.isabs(path) or os.path.exists(path)):
        return path
    return os.path.basename(os.path.abspath(path)) or path
