"""`dataforge select`."""

from dataforge.cli.build import command

COMMAND = command(
    "select",
    examples=(
        'dataforge select chat.jsonl -o good.jsonl --where "n_chars >= 20 and n_chars < quantile(n_chars, 0.99)"',
        "dataforge select a.jsonl b.jsonl -o best.jsonl --top 10000 --by n_words",
        'dataforge select chat.jsonl -o good.jsonl --where "answer_chars >= 10" --explain --dry-run',
    ),
)
