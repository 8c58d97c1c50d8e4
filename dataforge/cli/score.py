"""`dataforge score`."""

from typing import Any

from dataforge.cli import console
from dataforge.cli.build import command
from dataforge.twins import twin

COMMAND = command(
    "score",
    examples=(
        "dataforge score chat.jsonl --with length",
        "dataforge score data/ --with length --limit 1000",
        "dataforge score --list",
    ),
)
_score: Any = COMMAND.callback


def _run(**values: Any) -> int:
    """Score rows, or list the scorers, for which no input is needed."""
    if not values.get("list_scorers"):
        code: int = _score(**values)
        return code
    listed = twin("score", "score")([], list_scorers=True)
    console.show_result(listed, prints=True, as_json=values["json"], quiet=False, stdout_has_rows=False)
    return 0


COMMAND.callback = _run
