"""`dataforge inspect`."""

from dataforge.cli.build import command

COMMAND = command(
    "inspect",
    examples=(
        "dataforge inspect chat.jsonl",
        "dataforge inspect data/ --tokenizer my-tokenizer --json",
    ),
)
