"""`dataforge mix`."""

from dataforge.cli.build import command

COMMAND = command(
    "mix",
    examples=(
        "dataforge mix --domain tea.jsonl --general chat.jsonl --replay 0.2 -o mixed.jsonl",
        "dataforge mix --domain a.jsonl --domain b.jsonl --general g/ --replay 0.1 --tokenizer tok -o mixed.jsonl",
    ),
)
