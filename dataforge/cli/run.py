"""`dataforge run`."""

from dataforge.cli.build import command

COMMAND = command(
    "run",
    examples=(
        "dataforge run recipes/quickstart.yaml -o out",
        "dataforge run my.yaml -o out --resume",
    ),
)
