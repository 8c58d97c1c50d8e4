"""`dataforge train sft`."""

from dataforge.cli.build import command

COMMAND = command(
    "train sft",
    examples=(
        "dataforge train sft chat.jsonl --model base -o tuned",
        "dataforge train sft shards --model org/name --lora-r 16 -o adapter",
    ),
)
