"""`dataforge prompts ls`."""

from dataforge.cli.build import command

COMMAND = command(
    "prompts ls",
    examples=(
        "dataforge prompts ls",
        "dataforge prompts ls evol --prompts my-prompts",
    ),
)
