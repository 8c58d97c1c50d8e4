"""`dataforge answers`."""

from dataforge.cli.build import command

COMMAND = command(
    "answers",
    examples=(
        "dataforge answers questions.jsonl --model gpt-4o-mini --samples 4 --at-least 2 -o answers.jsonl",
        "dataforge answers chat.jsonl --model small@http://localhost:8000/v1 --also-model gpt-4o-mini -o answers.jsonl",
        "dataforge answers alpaca.json --model local:tuned --with-original --at-least 2 -o candidates.jsonl",
    ),
)
