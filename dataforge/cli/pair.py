"""`dataforge pair`."""

from dataforge.cli.build import command

COMMAND = command(
    "pair",
    examples=(
        "dataforge pair ultrafeedback.jsonl --score mean --min-margin 1 --to dpo -o pairs.jsonl",
        "dataforge pair answers.jsonl --strategy best-random --balance-length -o pairs.jsonl",
        "dataforge pair pairs.jsonl --to kto -o verdicts.jsonl",
    ),
)
