"""Choices of message trees (OpenAssistant): every message with several replies, the way from the root as the prompt.

Replies are ranked by people, 0 the best; null is unranked, and a tree may be ranked in parts. A reply is the answer,
what follows it is none of it. Replies of the assistant are compared (`tree_roles` all: those of the user too, with
one another). A reply that was deleted stays unranked, as do those below it. A message with one reply gives no choice.

Cost: each message of a tree is in as many prompts as there are choices below it.
CLI: `dataforge pair trees.jsonl --to dpo`
Python: `tree_choices(oasst_tree.read(row, Spelling()), SourceOptions())`
"""

from __future__ import annotations

from typing import NamedTuple

from dataforge.errors import RowError, shorten
from dataforge.formats.candidates import understood
from dataforge.formats.oasst_tree import Node, tree_of
from dataforge.formats.places import bare
from dataforge.ops.preference.choice import Choice, Entry
from dataforge.ops.preference.options import SourceOptions
from dataforge.ops.preference.ratings import measure_of
from dataforge.record import Record, Turn

__all__ = ["tree_choices"]

DELETED, BELOW = "deleted", "below a deleted message"


class Way(NamedTuple):
    """A message, the turns up to it and with it, and whether one of them was deleted."""

    node: Node
    turns: list[Turn]
    deleted: bool


def tree_choices(record: Record, options: SourceOptions) -> list[Choice]:
    """A Choice for every message with two or more replies of one role, in depth-first order."""
    if options.rank_best == "high":
        what = "--rank-best high, but in message trees rank 0 is the best"
        raise RowError("rank_direction", what, help="leave the option out")
    root = tree_of(record)
    choices: list[Choice] = []
    pending = [Way(root, [bare(root.turn)], _deleted(root))]
    while pending:
        way = pending.pop()
        replies = way.node.replies
        for role in ("assistant", "user") if options.tree_roles == "all" else ("assistant",):
            siblings = [reply for reply in replies if reply.turn.role == role]
            if len(siblings) > 1:
                entries = [_entry(reply, options, below=way.deleted) for reply in siblings]
                choices.append(Choice(way.turns, entries, record.tools, place=siblings[0].path))
        for reply in reversed(replies):
            if reply.replies:
                pending.append(Way(reply, [*way.turns, bare(reply.turn)], way.deleted or _deleted(reply)))
    return choices


def _deleted(node: Node) -> bool:
    return (node.turn.extras or {}).get("deleted") is True


def _entry(reply: Node, options: SourceOptions, *, below: bool) -> Entry:
    """The entry of a reply."""
    extras = reply.turn.extras or {}
    model = extras.get("model_name")
    entry = Entry([bare(reply.turn)], model=model if isinstance(model, str) else None)
    if below or _deleted(reply):
        entry.lost = BELOW if below else DELETED
        return entry
    scored = measure_of(options.score).score(None, extras, listed=False)
    entry.score, entry.lost = scored
    given = extras.get("rank")
    entry.rank = understood("rank", given)
    if given is not None and entry.rank is None:
        entry.lost = entry.lost or f"rank: {shorten(given, 30)}"
    return entry
