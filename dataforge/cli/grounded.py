"""`dataforge grounded`."""

from dataforge.cli.build import command

COMMAND = command(
    "grounded",
    examples=(
        "dataforge grounded docs.jsonl -o pairs.jsonl --model gpt-4o-mini --max-cost 5",
        "dataforge grounded docs.jsonl -o talks.jsonl --model qwen3 --base-url http://localhost:8000/v1 --turns 3",
        "dataforge grounded docs.jsonl -o pairs.jsonl --model qwen3 --judge self --dry-run",
    ),
)
