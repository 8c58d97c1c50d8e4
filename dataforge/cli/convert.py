"""`dataforge convert`."""

from dataforge.cli.build import command

COMMAND = command(
    "convert",
    examples=(
        "dataforge convert alpaca.json --to sharegpt -o chat.jsonl",
        "cat rows.jsonl | dataforge convert --to openai > chat.jsonl",
        "dataforge convert data/ --to sharegpt -o all.jsonl.zst --on-error reject",
    ),
)
