"""`dataforge self-instruct`."""

from dataforge.cli.build import command

COMMAND = command(
    "self-instruct",
    examples=(
        "dataforge self-instruct --seeds seeds.jsonl -n 1000 --model gpt-4o-mini -o out.jsonl",
        "dataforge self-instruct --seeds zh.jsonl -n 500 --model qwen@http://localhost:8000/v1 -o zh_out.jsonl",
        "dataforge self-instruct --seeds seeds.jsonl -n 1000 --model gpt-4o-mini --recipe alpaca --dry-run",
    ),
)
