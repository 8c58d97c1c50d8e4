"""`dataforge back`."""

from dataforge.cli.build import command

COMMAND = command(
    "back",
    examples=(
        "dataforge back articles.jsonl -o pairs.jsonl --model gpt-4o-mini --max-cost 5",
        "dataforge back articles.jsonl -o pairs.jsonl --model qwen3 --curate self --min-score 5 --novelty 0.7",
    ),
)
