"""`dataforge decontaminate`."""

from dataforge.cli.build import command

COMMAND = command(
    "decontaminate",
    examples=(
        "dataforge decontaminate train.jsonl --against gsm8k.jsonl --against cmmlu/ -o clean.jsonl",
        "dataforge decontaminate train.jsonl --against validation.jsonl --dry-run",
        "dataforge decontaminate documents.jsonl --against benchmarks/ --fields either --threshold 0.7 -o clean.jsonl",
    ),
)
