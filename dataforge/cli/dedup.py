"""`dataforge dedup`."""

from dataforge.cli.build import command

COMMAND = command(
    "dedup",
    examples=(
        "dataforge dedup chat.jsonl -o unique.jsonl",
        "dataforge dedup a.jsonl b.json -o unique.jsonl --fields prompt",
    ),
)
