"""`dataforge shard`."""

from dataforge.cli.build import command

COMMAND = command(
    "shard",
    examples=(
        "dataforge shard chat.jsonl --tokenizer tokenizer --stage sft --max-length 2048 -o shards",
        "dataforge shard docs/ --tokenizer tokenizer --stage cpt -o shards",
    ),
)
