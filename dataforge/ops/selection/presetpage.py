"""The presets of `filter` as a list: for a terminal, as JSON values, and as the page docs/presets.md.

`make docs` writes the page; a test fails where it is behind.

CLI: `dataforge filter --list`
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dataforge.ops.scorers import columns_of, owner_of
from dataforge.ops.selection.presets import PRESETS, Preset
from dataforge.registry import SCORERS, load_scorer

__all__ = ["entries", "page", "scorer_lines", "table", "write_page"]

ABOUT = """\
# Presets

Named rules of `dataforge filter --preset NAME`, with the source of every threshold. This page is made from the presets
themselves (`dataforge/ops/selection/presets.py`); `dataforge filter --list` prints the same.

A row stays if every rule holds for it. A rule that does not apply to a row, because a score is null there (the answer
of a document), does not remove it. `--without RULE` leaves a rule out; `--without RULE --where "..."` puts another
threshold in its place. `--explain --dry-run` shows what each rule would remove from your data, and what only
it would remove.

A threshold fits the data it was found on. Look at `--explain` before you trust it on yours.
"""


def entries() -> list[dict[str, Any]]:
    """Every preset as a JSON value: name, help, scorers, and its rules with name, keep, source and why."""
    return [
        {
            "preset": preset.name,
            "help": preset.help,
            "scorers": list(preset.scorers),
            "rules": [
                {"rule": rule.name, "keep": rule.keep, "source": rule.source, "why": rule.why} for rule in preset.rules
            ],
        }
        for preset in PRESETS.values()
    ]


def table() -> list[str]:
    """The presets as lines: each with its rules, what they keep, why, and where the threshold comes from."""
    lines = []
    for preset in PRESETS.values():
        lines.append(f"{preset.name}: {preset.help} (scorers: {', '.join(preset.scorers)})")
        wide = max(len(rule.name) for rule in preset.rules)
        for rule in preset.rules:
            lines.append(f"  {rule.name:<{wide}}  {rule.keep}")
            lines.append(f"  {'':<{wide}}  {rule.why} [{rule.source}]")
    return lines


def scorer_lines() -> list[str]:
    """The scorers as lines: each with its columns, their kinds and meanings."""
    lines = []
    for name in SCORERS:
        lines.append(f"{name}: {load_scorer(name).HELP}")
        columns = columns_of(name)
        wide = max(map(len, columns))
        lines += [f"  {key:<{wide}}  {column.kind:<5}  {column.help}" for key, column in columns.items()]
    return lines


def page() -> str:
    """The text of docs/presets.md."""
    columns = dict.fromkeys(owner for preset in PRESETS.values() for owner in preset.scorers)
    parts = [ABOUT, *map(_section, PRESETS.values()), "## Scores that the rules use\n"]
    rows = ["| column | scorer | kind | what |", "|---|---|---|---|"]
    used = {name for preset in PRESETS.values() for rule in preset.rules for name in _columns(rule.keep)}
    for scorer in columns:
        for name, column in columns_of(scorer).items():
            if name in used:
                rows.append(f"| `{name}` | {scorer} | {column.kind} | {_cell(column.help)} |")
    return "\n".join(parts) + "\n" + "\n".join(rows) + "\n"


def _columns(keep: str) -> list[str]:
    from dataforge.ops.selection.expressions import Condition

    return [name for name in Condition.of(keep).columns if owner_of(name)]


def _section(preset: Preset) -> str:
    rows = [f"## {preset.name}", f"{preset.help[:1].upper()}{preset.help[1:]}.".replace("..", "."), ""]
    rows += ["| rule | keeps | why | source |", "|---|---|---|---|"]
    rows += [
        f"| `{rule.name}` | `{_cell(rule.keep)}` | {_cell(rule.why)} | {_cell(rule.source)} |" for rule in preset.rules
    ]
    return "\n".join(rows) + "\n"


def _cell(text: str) -> str:
    """A text in a cell of a Markdown table."""
    return text.replace("|", "\\|").replace("\n", " ")


def write_page(path: str) -> None:
    """Write the page."""
    Path(path).write_text(page(), encoding="utf-8")
