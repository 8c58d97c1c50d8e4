"""`dataforge prompts show`."""

from dataforge.cli.build import command

COMMAND = command(
    "prompts show",
    examples=(
        "dataforge prompts show evol/deepen",
        "dataforge prompts show evol/deepen --lang zh",
    ),
)
