"""`dataforge replay`."""

from dataforge.cli.build import command

COMMAND = command(
    "replay",
    examples=(
        "dataforge replay general.jsonl --model local:base -o replay.jsonl",
        "dataforge replay general.jsonl --shots 3 -n 2000 --model base@http://localhost:8000/v1 -o replay.jsonl",
        "dataforge replay --from-nothing -n 2000 --model local:base --lang zh -o replay.jsonl",
    ),
)
