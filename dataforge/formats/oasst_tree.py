"""OpenAssistant message trees: `{"message_tree_id", "tree_state", "prompt": {"text", "role", "replies": [...]}}`.

The prompt of the record is what all conversations of the tree share, up to the last question; each way from there to a
leaf is a candidate, in depth-first order. A tree that never branches is a plain conversation. All other keys of a
message (message_id, rank, lang, labels, ...) stay beside its turn as they are. `replies` gives every node with its
ranked replies: rank 0 is the best, null is unranked.
A conversation is written as a tree that never branches, candidates as branches; candidates that begin alike (the same
message_id, or equal turns) share those nodes. A tree written without an id says `"message_tree_id": null`.
Fields after Open-Assistant's oasst-data/oasst_data/schemas.py (github.com/LAION-AI/Open-Assistant); the samples are new
rows of that shape.

CLI: `dataforge convert trees.jsonl --to ranked`
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from dataforge.errors import NotRepresentable, RowError, shorten
from dataforge.formats.candidates import understood
from dataforge.formats.detect import NO, SURE
from dataforge.formats.oasst import read_message, write_message
from dataforge.formats.pairs import candidate_path
from dataforge.formats.spelling import Spelling, assemble, extras_of, same_value, turn_path
from dataforge.formats.whole import source_row, whole
from dataforge.record import Candidate, Record, Turn, record_id

__all__ = ["COLUMNS", "EXAMPLE", "NAME", "RULES", "Node", "detect", "ranked_replies", "read", "tree_of", "write"]

NAME = "oasst-tree"
COLUMNS = ("message_tree_id", "prompt")
DEEPEST = 100
"""Messages in a row that a tree is written with; each is two levels of JSON, of which writers take 254."""
EXAMPLE = {
    "message_tree_id": "m1",
    "tree_state": "ready_for_export",
    "prompt": {
        "message_id": "m1",
        "text": "Name a green tea.",
        "role": "prompter",
        "lang": "en",
        "replies": [
            {"message_id": "m2", "text": "Longjing.", "role": "assistant", "lang": "en", "rank": 0, "replies": []},
            {"message_id": "m3", "text": "Tea is green.", "role": "assistant", "lang": "en", "rank": 1, "replies": []},
        ],
    },
}
RULES = (
    "role is prompter or assistant; rank 0 is the best reply; all keys of a message stay beside its turn",
    "carries: conversations of user and assistant in any order, and two or more answers of any number of such turns",
)
MESSAGE = ("text", "role", "replies")


@dataclass
class Node:
    """A message of a tree: its turn, where it stands in the row, the nodes that answer it."""

    turn: Turn
    path: str = "$"
    replies: list[Node] = field(default_factory=list)


def detect(row: dict[str, Any]) -> int:
    """SURE if `prompt` is an object."""
    return SURE if isinstance(row["prompt"], dict) else NO


def _node(message: Any, path: str) -> Node:
    if not isinstance(message, dict):
        raise RowError("bad_message", f"a message must be an object, not {shorten(message)}", path=path)
    return Node(read_message(message, path, MESSAGE), path)


def _root(row: dict[str, Any]) -> Node:
    """The nodes of a row; RowError for messages that are none."""
    root = _node(row["prompt"], "$.prompt")
    pending = [(root, row["prompt"])]
    while pending:
        node, message = pending.pop()
        given = message.get("replies")
        if given is not None and not isinstance(given, list):
            what = f"replies must be a list or null, not {shorten(given)}"
            raise RowError("bad_replies", what, path=f"{node.path}.replies")
        for index, reply in enumerate(given or ()):
            child = _node(reply, f"{node.path}.replies[{index}]")
            node.replies.append(child)
            pending.append((child, reply))
    return root


def _ways(root: Node) -> list[list[Node]]:
    """Every way from the root to a leaf, in depth-first order."""
    ways, pending = [], [[root]]
    while pending:
        way = pending.pop()
        if not way[-1].replies:
            ways.append(way)
        pending += [[*way, reply] for reply in reversed(way[-1].replies)]
    return ways


def _prompt(root: Node) -> list[Node]:
    """What all ways share, up to the last question (and all of it where the tree never branches)."""
    shared = [root]
    while len(shared[-1].replies) == 1:
        shared.append(shared[-1].replies[0])
    if shared[-1].replies:
        while len(shared) > 1 and shared[-1].turn.role == "assistant":
            shared.pop()
    return shared


def _copy(turn: Turn) -> Turn:
    """A turn of its own, so that an edit of one answer is none of another that shares the message."""
    return Turn(turn.role, list(turn.parts), extras=None if turn.extras is None else dict(turn.extras))


def read(row: dict[str, Any], options: Spelling) -> Record:
    """A prompt and every conversation that follows it; RowError for messages that are none."""
    root = _root(row)
    prompt, ways = _prompt(root), _ways(root)
    start = len(prompt)
    candidates = [Candidate([_copy(node.turn) for node in way[start:]]) for way in ways] if len(ways) > 1 else None
    layout = whole(NAME, row, [node.path for node in prompt], [way[start].path for way in ways] if candidates else ())
    known = ("prompt",) if row["message_tree_id"] is not None else COLUMNS
    return Record([node.turn for node in prompt], extras_of(row, known), layout, candidates=candidates)


def _same(one: Turn, other: Turn) -> bool:
    """True if two turns are one message."""
    names = [(turn.extras or {}).get("message_id") for turn in (one, other)]
    if None not in names:
        return bool(names[0] == names[1])
    return (one.role, one.parts) == (other.role, other.parts) and same_value(one.extras, other.extras)


def _grown(record: Record, share: bool = True) -> Node:
    """The tree of a record. Answers share the messages with which they begin, but each has a leaf of its own.

    share: False gives every answer a branch of its own.
    """
    root = Node(record.turns[0], turn_path(record, 0))
    trunk = root
    for index, turn in enumerate(record.turns[1:], 1):
        trunk.replies.append(Node(turn, turn_path(record, index)))
        trunk = trunk.replies[0]
    for candidate in record.candidates or ():
        node, path = trunk, candidate_path(record, candidate)
        for depth, turn in enumerate(candidate.turns, 1):
            last = node.replies[-1] if node.replies else None
            inner = last is not None and last.replies and depth < len(candidate.turns) and (share or depth > 1)
            if last is None or not inner or not _same(last.turn, turn):
                last = Node(turn, path)
                node.replies.append(last)
            node = last
    return root


def tree_of(record: Record) -> Node:
    """The messages of a record as a tree: as its source row has them, or grown from its turns and answers."""
    layout = record.layout
    return _root(layout["row"]) if layout is not None and layout["dialect"] == NAME else _grown(record)


def ranked_replies(record: Record) -> Iterator[tuple[list[Turn], list[Turn]]]:
    """(the turns up to a message and with it, its ranked replies, the best first) of every message with replies.

    Replies without a rank are left out, so the second list may be empty.
    """
    pending = [[_grown(record)]] if record.turns else []
    while pending:
        way = pending.pop()
        replies = way[-1].replies
        if replies:
            ranks = [understood("rank", (reply.turn.extras or {}).get("rank")) for reply in replies]
            ranked = sorted((rank, place) for place, rank in enumerate(ranks) if rank is not None)
            yield [node.turn for node in way], [replies[place].turn for _, place in ranked]
        pending += [[*way, reply] for reply in reversed(replies)]


def _expect_messages(record: Record) -> None:
    """NotRepresentable if a record holds more than turns, and candidates of turns."""
    if not record.turns:
        raise NotRepresentable(NAME, "a record without a prompt")
    for what in ("label", "weight", "tools"):
        if getattr(record, what) is not None:
            raise NotRepresentable(NAME, f"the {what} of a row")
    depth = len(record.turns) + max((len(one.turns) for one in record.candidates or ()), default=0)
    if depth > DEEPEST:
        raise NotRepresentable(NAME, f"{depth} messages in a row (JSON nests no deeper than {DEEPEST} replies)")
    for candidate in record.candidates or ():
        if candidate != Candidate(candidate.turns):
            what = "the score, rank, label, model or extra keys of a candidate"
            raise NotRepresentable(NAME, what, path=candidate_path(record, candidate))


def write(record: Record, options: Spelling) -> dict[str, Any]:
    """The tree of a conversation or of answers to one prompt; NotRepresentable for what a tree cannot tell apart."""
    row = source_row(record, NAME, read, options)
    if row is not None:
        return row
    _expect_messages(record)
    extras = dict(record.extras or {})
    if extras.get("message_tree_id", "") is None:
        raise NotRepresentable(NAME, "a message_tree_id of null")
    fields: dict[str, Any] = {"message_tree_id": None}
    if "message_tree_id" in extras:
        first = next(iter(extras)) == "message_tree_id"
        fields = {"message_tree_id": extras.pop("message_tree_id")} if first else {}
    for share in (True, False):  # equal answers that were apart may only be told from one another apart
        fields["prompt"] = _message(_grown(record, share))
        again = read({"message_tree_id": None, **fields}, options)
        if record_id(again) == record_id(record) and same_value(_beside(again), _beside(record)):
            return assemble(fields, None, extras, NAME, reserved=frozenset(("prompt",)))
    raise NotRepresentable(NAME, "answers that a tree cannot tell from their prompt")


def _beside(record: Record) -> list[Any]:
    """What stands beside the words of every turn."""
    answers = [[turn.extras for turn in candidate.turns] for candidate in record.candidates or ()]
    return [[turn.extras for turn in record.turns], answers]


def _message(root: Node) -> dict[str, Any]:
    """The message of a node with all its replies."""
    top: dict[str, Any] = write_message(root.turn, root.path, NAME, MESSAGE)
    pending = [(root, top)]
    while pending:
        node, message = pending.pop()
        replies = [write_message(reply.turn, reply.path, NAME, MESSAGE) for reply in node.replies]
        message["replies"] = replies
        pending += zip(node.replies, replies, strict=True)
    return top
