"""The JSON Schema files of the dialects, from the package or from the source tree.

Python: `dialect_schema("alpaca")["required"]`
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from dataforge.errors import InputError

__all__ = ["asset", "dialect_schema"]


def asset(kind: str, name: str = "") -> Path:
    """The path of a file that comes with dataforge: kind is schemas, recipes or samples."""
    package = Path(__file__).resolve().parent.parent
    for folder in (package / "assets" / kind, package.parent / kind):
        if (folder / name).exists():
            return folder / name
    raise InputError(f"{kind}/{name} is missing from this installation", help="install dataforge again")


@cache
def dialect_schema(name: str) -> dict[str, Any]:
    """The schema of a dialect (draft 2020-12)."""
    schema: dict[str, Any] = json.loads(asset("schemas", f"{name}.schema.json").read_text(encoding="utf-8"))
    return schema
