"""`dataforge filter`."""

from typing import Any

from dataforge.cli import console
from dataforge.cli.build import command
from dataforge.twins import twin

COMMAND = command(
    "filter",
    examples=(
        "dataforge filter chat.jsonl -o good.jsonl --preset sft --explain",
        "dataforge filter pages.jsonl.zst -o good.jsonl --preset zh-web --without too_short --where 'words >= 30'",
        "zcat pages.jsonl.gz | dataforge filter --preset cpt > good.jsonl",
        "dataforge filter --list",
    ),
)
_filter: Any = COMMAND.callback


def _run(**values: Any) -> int:
    """Filter rows, or list the presets, for which no input is needed."""
    if not values.get("list_presets"):
        code: int = _filter(**values)
        return code
    listed = twin("filter", "filter")([], list_presets=True)
    console.show_result(listed, prints=True, as_json=values["json"], quiet=False, stdout_has_rows=False)
    return 0


COMMAND.callback = _run
