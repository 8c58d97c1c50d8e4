"""`dataforge prompts copy`."""

from dataforge.cli.build import command

COMMAND = command(
    "prompts copy",
    examples=(
        "dataforge prompts copy evol my-prompts",
        "dataforge prompts copy evol/deepen grounded my-prompts --lang zh",
    ),
)
