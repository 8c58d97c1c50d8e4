"""`dataforge formats`."""

from dataforge.cli.build import command

COMMAND = command(
    "formats",
    examples=(
        "dataforge formats",
        "dataforge formats sharegpt",
    ),
)
