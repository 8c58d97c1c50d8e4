"""`dataforge head`."""

from dataforge.cli.build import command

COMMAND = command(
    "head",
    examples=(
        "dataforge head chat.jsonl",
        "dataforge head data/ --rows 2 --raw",
    ),
)
