"""`dataforge eval`."""

from dataforge.cli.build import command

COMMAND = command(
    "eval",
    examples=("dataforge eval domain.jsonl general.jsonl --model tuned",),
)
