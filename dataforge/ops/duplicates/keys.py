"""The worker task behind exact de-duplication: a 16-byte key for every row, from its normalised text.

Options: `fields` (all, prompt, answer), `normalise` (none, spaces, words). The key is xxh3-128 of role and text of the
chosen turns; with `all` and `none` it is the record's id. A row without the chosen turns (a document has no answer) is
compared whole. Payload: `keys`, 16 bytes a row, zero for faulty rows; with the option `chars` also `chars`, the
length of what is compared (int64).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from typing import Any

import numpy as np
from xxhash import xxh3_128_digest

from dataforge.engine.batch import NO_ID, Batch
from dataforge.ops.rowtext import row_text
from dataforge.record import Candidate, Part, Reasoning, Record, Turn, record_id

__all__ = ["FIELDS", "KEY", "NORMALISE", "cleaner", "is_plain", "open_task", "part_of", "plain_key", "row_key"]

FIELDS = ("all", "prompt", "answer")
SHORT = 500
"""Characters from which looking for rare white space takes less time than splitting into words."""
NORMALISE = ("none", "spaces", "words")
KEY = np.dtype([("a", "<u8"), ("b", "<u8")])
"""The 16 bytes of a key as numbers."""
_BLANKS = bytes.maketrans(bytes((*range(9, 14), *range(28, 32))), b" " * 9)
"""ASCII's white space, as str.split sees it."""
_WIDE = "\x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
"""The white space beyond ASCII."""
_NO_WORD = re.compile(r"[\W_]+")
_DRAWN = frozenset(map(chr, (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))))


def _spaces(text: str) -> bytes:
    """NFC, every run of white space (as str.split sees it) as one blank, none at the ends; as UTF-8."""
    if not text.isascii():
        if not unicodedata.is_normalized("NFC", text):
            text = unicodedata.normalize("NFC", text)
        if len(text) < SHORT or any(map(text.__contains__, _WIDE)):
            return " ".join(text.split()).encode(errors="surrogatepass")
    plain = text.encode(errors="surrogatepass").translate(_BLANKS)
    while b"  " in plain:
        plain = plain.replace(b"  ", b" ")
    return plain.strip(b" ")


def _words(text: str) -> bytes:
    """Letters, their marks and digits only, NFKC (full-width forms become plain), case folded; as UTF-8."""
    plain = _NO_WORD.sub(_marks, unicodedata.normalize("NFKC", text).casefold())
    return plain.encode(errors="surrogatepass")


def _marks(match: re.Match[str]) -> str:
    """The combining marks in a stretch without letters: in Hindi or Thai a mark makes another word.

    Variation selectors are marks too, but say only how the character before them is drawn.
    """
    run = match[0]
    return (
        "" if run.isascii() else "".join(c for c in run if unicodedata.category(c) in ("Mn", "Mc") and c not in _DRAWN)
    )


def part_of(record: Record, fields: str) -> Record:
    """What is compared of a record: `prompt` is all up to the last assistant turn, `answer` that turn.

    The turns of a row with candidates are its prompt, and the candidates its answer. A row without that part is
    compared whole.
    """
    turns = record.turns
    if fields == "all":
        return record
    if record.candidates:
        return Record(turns, tools=record.tools) if fields == "prompt" else Record([], candidates=record.candidates)
    last = max((i for i, turn in enumerate(turns) if turn.role == "assistant"), default=len(turns))
    chosen = turns[:last] if fields == "prompt" else turns[last : last + 1]
    return Record(chosen, tools=record.tools if fields == "prompt" else None) if chosen else record


def is_plain(record: Record) -> bool:
    """True if the key of the record needs nothing but the roles and texts of its turns."""
    if record.tools is not None or record.candidates is not None or record.label is not None:
        return False
    for turn in record.turns:
        if turn.name is not None:
            return False
        for part in turn.parts:
            if type(part) is not str:
                return False
    return True


def row_key(record: Record, clean: Callable[[str], bytes] | None) -> bytes:
    """The key of what is compared of a record."""
    if clean is None:
        return record_id(record)
    if is_plain(record):
        return plain_key([turn.role.encode() + b"\x1f" + clean(turn.text) for turn in record.turns])
    return record_id(_cleaned(record, clean))


def plain_key(turns: list[bytes]) -> bytes:
    """The key of turns, each its role, 0x1f and its cleaned text."""
    return xxh3_128_digest(b"\x1e".join(turns))


def _cleaned(record: Record, clean: Callable[[str], bytes]) -> Record:
    """A record with its texts cleaned; tool calls, results, media, tools and labels count as they stand."""
    candidates = record.candidates
    if candidates is not None:
        candidates = [Candidate(_clean_turns(c.turns, clean), c.score, c.rank, c.label, c.model) for c in candidates]
    return Record(_clean_turns(record.turns, clean), tools=record.tools, candidates=candidates, label=record.label)


def _clean_turns(turns: list[Turn], clean: Callable[[str], bytes]) -> list[Turn]:
    def cleaned(part: Part) -> Part:
        if isinstance(part, str):
            return clean(part).decode(errors="surrogatepass")
        return Reasoning(clean(part.text).decode(errors="surrogatepass")) if isinstance(part, Reasoning) else part

    return [Turn(turn.role, [cleaned(part) for part in turn.parts], turn.name) for turn in turns]


def cleaner(normalise: str) -> Callable[[str], bytes] | None:
    """What is done to texts before they are compared; None for nothing."""
    return {"none": None, "spaces": _spaces, "words": _words}[normalise]


def open_task(options: dict[str, Any]) -> Callable[[Batch], None]:
    """The task for these options."""
    fields = options["fields"]
    clean, whole = cleaner(options["normalise"]), fields == "all"

    def run(batch: Batch) -> None:
        keys = [NO_ID] * batch.n_in
        chars = np.zeros(batch.n_in, np.int64) if options.get("chars") else None
        for index, record in batch.records():
            batch.ids[index] = record_id(record)
            part = record if whole else part_of(record, fields)
            keys[index] = row_key(part, clean)
            if chars is not None:
                chars[index] = len(row_text(part))
        batch.payload["keys"] = b"".join(keys)
        if chars is not None:
            batch.payload["chars"] = chars.tobytes()

    return run
