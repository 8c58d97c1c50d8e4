"""`dataforge evol`."""

from dataforge.cli.build import command

COMMAND = command(
    "evol",
    examples=(
        "dataforge evol seeds.jsonl --model gpt-4o-mini --rounds 4 --max-requests 20000 -o harder.jsonl",
        "dataforge evol alpaca.json --model small@http://localhost:8000/v1 --operations deepen --breadth 0 -o d.jsonl",
        "dataforge evol seeds.jsonl --model gpt-4o-mini --rounds 3 --keep last --no-answers -o instructions.jsonl",
    ),
)
