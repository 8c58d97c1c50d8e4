"""`dataforge validate`."""

from dataforge.cli.build import command

COMMAND = command(
    "validate",
    examples=(
        "dataforge validate chat.jsonl",
        "dataforge validate data/ -o valid.jsonl   # good rows there, faulty ones in rejects.jsonl",
    ),
)
