"""`dataforge split`."""

from dataforge.cli.build import command

COMMAND = command(
    "split",
    examples=(
        "dataforge split pairs.jsonl -o parts --validation 0.05 --test 0.05",
        "dataforge split chat.jsonl -o parts --validation 500 --clusters unique.jsonl.forge",
        "dataforge split docs/ -o parts --validation 0.02 --stratify lang --by chars",
    ),
)
