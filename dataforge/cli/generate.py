"""`dataforge generate`."""

from dataforge.cli.build import command

COMMAND = command(
    "generate",
    examples=(
        'dataforge generate --model tuned --prompt "How is green tea brewed?"',
        "dataforge generate questions.jsonl --model tuned -o answers.jsonl",
    ),
)
