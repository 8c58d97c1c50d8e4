"""`dataforge tokenizer train`."""

from dataforge.cli.build import command

COMMAND = command(
    "tokenizer train",
    examples=("dataforge tokenizer train docs/ chat.jsonl --vocab-size 8192 -o tokenizer",),
)
