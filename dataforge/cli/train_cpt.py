"""`dataforge train cpt`."""

from dataforge.cli.build import command

COMMAND = command(
    "train cpt",
    examples=(
        "dataforge train cpt docs/ --init config.json --tokenizer tokenizer -o base",
        "dataforge train cpt shards --model base -o adapted",
    ),
)
