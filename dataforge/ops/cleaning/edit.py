"""New texts in a row of any dialect: everything else of the row stays as it stands.

`texts_of` lists the texts of a record (text and reasoning of all turns and candidates; tool calls, tool results and
unknown keys are not among them), `put_texts` sets them. `edited` writes a row with other texts: the strings of the JSON
row that are such texts are replaced in their place; where a text stands in the row in another way (a transcript, an
instruction with its input), the parts of it are replaced, or the dialect writes the edited record. Whatever way was
taken, the new row is read again and must say what it ought to, with the same extras; a row for which none does is an
error (NotRepresentable), never a loss.

Cost: a read and a copy of a row that is edited; nothing for others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from dataforge.errors import NotRepresentable, RowError
from dataforge.formats import folded
from dataforge.formats.detect import dialect, find
from dataforge.formats.nearest import nearest
from dataforge.formats.spelling import Spelling, same_value
from dataforge.record import Reasoning, Record, Turn

__all__ = ["edited", "has_only_texts", "put_texts", "texts_of"]

Read = Callable[[dict[str, Any]], Record]
Clean = Callable[[str], str]


def _turns(record: Record) -> Iterator[Turn]:
    yield from record.turns
    for candidate in record.candidates or ():
        yield from candidate.turns


def texts_of(record: Record) -> list[str]:
    """The texts of a record, in order."""
    found: list[str] = []
    for turn in _turns(record) if record.candidates else record.turns:
        for part in turn.parts:
            if type(part) is str:
                found.append(part)
            elif type(part) is Reasoning:
                found.append(part.text)
    return found


def has_only_texts(record: Record) -> bool:
    """True if no turn holds anything beside text: no call, no result, no picture."""
    return all(type(part) in (str, Reasoning) for turn in _turns(record) for part in turn.parts)


def put_texts(record: Record, texts: list[str]) -> None:
    """Set the texts of a record, in place and in the same order."""
    given = iter(texts)
    for turn in _turns(record):
        for at, part in enumerate(turn.parts):
            if type(part) is str:
                turn.parts[at] = next(given)
            elif type(part) is Reasoning:
                turn.parts[at] = Reasoning(next(given))


def edited(
    row: dict[str, Any], record: Record, module: Any, spelling: Spelling, new: list[str], clean: Clean
) -> dict[str, Any]:
    """The row of a record with the texts `new` in place of its own; the record gets them too.

    module: the row's dialect. clean: makes the new text of a part of a text. A row with a sound `_layout` is edited in
    its source, and carries that again. Raises NotRepresentable.
    """
    if folded.KEY not in row:
        return _rewritten(folded.Source(module.NAME, row, spelling.joiner), record, spelling, new, clean).row
    unfolded = folded.unfold(row)
    if unfolded.source is None:
        home = folded.Source(module.NAME, unfolded.row, spelling.joiner)
        return _rewritten(home, record, spelling, new, clean).row
    source = _rewritten(unfolded.source, record, spelling, new, clean)
    carrier, _ = nearest(find(unfolded.row), source.read(spelling), spelling)
    return folded.fold(carrier, source)


def _rewritten(
    source: folded.Source, record: Record, spelling: Spelling, new: list[str], clean: Clean
) -> folded.Source:
    """The source row with other texts."""
    old = texts_of(record)
    if old == new:
        return source
    put_texts(record, new)
    changes, whole = _changes(source.row, old, new, clean)
    row = _replaced(source.row, changes)
    candidate = folded.Source(source.dialect, row, source.joiner, source.mapping)
    if _says(candidate, spelling, record, whole):
        return candidate
    row = dialect(source.dialect).write(record, Spelling(source.joiner))
    candidate = folded.Source(source.dialect, row, source.joiner)
    if _says(candidate, spelling, record, {}):
        return candidate
    raise NotRepresentable(source.dialect, "the repaired texts: it would read them as something else")


def _changes(row: Any, old: list[str], new: list[str], clean: Clean) -> tuple[dict[str, str], dict[int, str]]:
    """(string of the row -> new string, number of a text that the row holds in parts -> what becomes of it so)."""
    strings = list(_strings(row))
    known = set(strings)
    changes = {was: now for was, now in zip(old, new, strict=True) if was != now and was in known}
    whole: dict[int, str] = {}
    inside: list[tuple[str, str]] = []
    for number, (was, now) in enumerate(zip(old, new, strict=True)):
        if was in known:
            continue
        joined, rest = _in_parts(was, strings, changes, clean) if was != now else (was, was)
        if joined != was or (was != now and not rest.strip()):  # parts that need nothing stay: what joins them is ours
            whole[number] = joined
        elif was:
            inside.append((was, now))
    _inside(strings, inside, changes)
    return changes, whole


def _in_parts(text: str, strings: list[str], changes: dict[str, str], clean: Clean) -> tuple[str, str]:
    """A text whose parts are strings of the row, with these repaired (and noted in `changes`); what is in no part."""
    parts, rest, seen = [], [], 0
    for piece in strings:
        at = text.find(piece, seen) if piece else -1
        if at < 0:
            continue
        repaired = clean(piece)
        if repaired != piece:
            changes[piece] = repaired
        parts += [text[seen:at], repaired]
        rest.append(text[seen:at])
        seen = at + len(piece)
    return "".join([*parts, text[seen:]]), "".join([*rest, text[seen:]])


def _inside(strings: list[str], texts: list[tuple[str, str]], changes: dict[str, str]) -> None:
    """Note the strings of the row that hold such texts (transcripts), with the new texts in their places."""
    left = iter(texts)
    text = next(left, None)
    for string in strings:
        parts, seen = [], 0
        while text is not None and (at := string.find(text[0], seen)) >= 0:
            parts += [string[seen:at], text[1]]
            seen = at + len(text[0])
            text = next(left, None)
        if parts:
            changes[string] = "".join([*parts, string[seen:]])


def _says(source: folded.Source, spelling: Spelling, record: Record, whole: dict[int, str]) -> bool:
    """True if a row reads as the record, but for texts in parts, which may be what became of their parts."""
    try:
        again = source.read(spelling)
    except (RowError, KeyError):
        return False
    texts, wanted = texts_of(again), texts_of(record)
    if len(texts) != len(wanted):
        return False
    for number, (text, want) in enumerate(zip(texts, wanted, strict=True)):
        if text != want and text != whole.get(number):
            return False
    put_texts(again, wanted)
    if not same_value(again.tools, record.tools):
        return False
    fields = ("turns", "candidates", "label", "weight", "extras")
    return all(getattr(again, name) == getattr(record, name) for name in fields)


def _strings(value: Any) -> Iterator[str]:
    """All strings of a JSON value, in order, without keys."""
    stack = [value]
    while stack:
        item = stack.pop()
        if type(item) is str:
            yield item
        elif type(item) is dict:
            stack.extend(reversed(item.values()))
        elif type(item) is list:
            stack.extend(reversed(item))


def _replaced(value: Any, changes: dict[str, str]) -> Any:
    """The JSON value with other strings."""
    if type(value) is str:
        return changes.get(value, value)
    if type(value) is dict:
        return {key: _replaced(item, changes) for key, item in value.items()}
    return [_replaced(item, changes) for item in value] if type(value) is list else value
