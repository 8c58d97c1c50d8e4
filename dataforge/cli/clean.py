"""`dataforge clean`."""

from dataforge.cli.build import command

COMMAND = command(
    "clean",
    examples=(
        "dataforge clean raw.jsonl -o clean.jsonl",
        "dataforge clean raw.jsonl --dry-run --diff 10 --with html",
        "dataforge clean pages.jsonl -o clean.jsonl --with html --with boilerplate --pii all --language zh",
        "dataforge clean raw.jsonl -o clean.jsonl --harmful zh --harmful words.txt --keep-dropped",
    ),
)
