"""The worker task behind exact de-duplication: a 16-byte key for every row, from its normalised text.

Options: `fields` (all, prompt, answer), `normalise` (none, spaces, words). The key is xxh3-128 of role and text of the
chosen turns; with `all` and `none` it is the record's id. Payload: `keys`, 16 bytes a row, zero for faulty rows.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from typing import Any

from xxhash import xxh3_128_digest

from dataforge.engine.batch import NO_ID, Batch
from dataforge.record import Record, record_id

__all__ = ["FIELDS", "NORMALISE", "open_task"]

FIELDS = ("all", "prompt", "answer")
NORMALISE = ("none", "spaces", "words")
_SPACES = re.compile(r"\s+")
_NO_WORD = re.compile(r"[\W_]+")


def _spaces(text: str) -> str:
    """NFC, every run of white space as one blank, none at the ends."""
    return _SPACES.sub(" ", unicodedata.normalize("NFC", text)).strip()


def _words(text: str) -> str:
    """Letters and digits only, NFKC (full-width forms become plain), case folded."""
    return _NO_WORD.sub("", unicodedata.normalize("NFKC", text).casefold())


def _key(record: Record, fields: str, clean: Callable[[str], str] | None) -> bytes:
    """The key of a record. `prompt` is all up to the last assistant turn, `answer` that turn."""
    turns = record.turns
    if fields != "all":
        last = max((i for i, turn in enumerate(turns) if turn.role == "assistant"), default=len(turns))
        turns = turns[:last] if fields == "prompt" else turns[last : last + 1]
        record = Record(turns, tools=record.tools if fields == "prompt" else None)
    if clean is None or not all(type(part) is str for turn in turns for part in turn.parts):
        return record_id(record)
    text = "\x1e".join(f"{turn.role}\x1f{clean(turn.text)}" for turn in turns)
    return xxh3_128_digest(text.encode(errors="surrogatepass"))


def open_task(options: dict[str, Any]) -> Callable[[Batch], None]:
    """The task for these options."""
    fields = options["fields"]
    clean = {"none": None, "spaces": _spaces, "words": _words}[options["normalise"]]

    def run(batch: Batch) -> None:
        keys = [NO_ID] * batch.n_in
        for index, record in batch.records():
            batch.ids[index] = record_id(record)
            keys[index] = _key(record, fields, clean)
        batch.payload["keys"] = b"".join(keys)

    return run
