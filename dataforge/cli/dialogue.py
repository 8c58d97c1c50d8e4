"""`dataforge dialogue`."""

from dataforge.cli.build import command

COMMAND = command(
    "dialogue",
    examples=(
        "dataforge dialogue questions.jsonl --model gpt-4o-mini --turns 3 -o talks.jsonl",
        "dataforge dialogue chat.jsonl --model gpt-4o --user-model gpt-4o-mini --keep-partial -o longer.jsonl",
        'dataforge dialogue questions.jsonl --model gpt-4o-mini --style "in a hurry, writes little" -o talks.jsonl',
    ),
)
