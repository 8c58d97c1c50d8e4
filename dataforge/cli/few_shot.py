"""`dataforge few-shot`."""

from dataforge.cli.build import command

COMMAND = command(
    "few-shot",
    examples=(
        "dataforge few-shot alpaca.json --shots 4 -o shots.jsonl",
        "dataforge few-shot questions.jsonl --shots 5 --examples worked.jsonl --as-turns -o shots.jsonl",
        "dataforge few-shot gsm8k.jsonl --cot --model gpt-4o-mini --hint retry --attempts 2 -o reasoned.jsonl",
    ),
)
