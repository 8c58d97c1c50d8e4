"""`formats`: the dialects with an example row each; of one, the schema and the rules.

CLI: `dataforge formats sharegpt`
Python: `dataforge.list_formats("sharegpt").data["schema"]`
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from dataforge.config import RunOptions
from dataforge.ledger import Result
from dataforge.ops.schemas import dialect_schema
from dataforge.registry import DIALECTS, Operation, load_dialect

__all__ = ["OPERATION", "FormatsConfig", "formats"]


@dataclass(frozen=True)
class FormatsConfig:
    """Formats has no settings."""


def _entry(name: str) -> dict[str, Any]:
    module = load_dialect(name)
    return {
        "name": name,
        "about": module.__doc__.strip().splitlines()[0],
        "rules": list(module.RULES),
        "example": module.EXAMPLE,
    }


def formats(inputs: tuple[str, ...], output: str | None, config: FormatsConfig, options: RunOptions) -> Result:
    """All dialects, or the one that is named; UsageError for an unknown name."""
    if not inputs:
        entries = [_entry(name) for name in sorted(DIALECTS)]
        lines = []
        for entry in entries:
            lines += [
                f"{entry['name']:<10}{entry['about']}",
                f"          {json.dumps(entry['example'], ensure_ascii=False)}",
            ]
        return Result("formats", data=entries, lines=lines)
    entry = _entry(inputs[0])
    entry["schema"] = dialect_schema(inputs[0])
    lines = [f"{entry['name']}: {entry['about']}", *(f"- {rule}" for rule in entry["rules"])]
    lines += ["example: " + json.dumps(entry["example"], ensure_ascii=False), "schema:"]
    lines.append(json.dumps(entry["schema"], ensure_ascii=False, indent=2))
    return Result("formats", data=entry, lines=lines)


OPERATION = Operation(
    name="formats", config=FormatsConfig, run=formats, inputs="optional", output="none", options=("json",), prints=True
)
