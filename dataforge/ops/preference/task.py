"""The worker task `choices`: rows in; out come columns of their answers, and the texts for the spool.

Payload, one value an answer unless said otherwise: prompt, answer, plain (16-byte hashes; prompt one a choice), score
(float64, NaN), rank (int32), label (int8), chars (int64), model (int32 into the chunk's list `models`, JSON), choice
(int32, number in the chunk), and one value a choice: row (int32), key (16 bytes: what joins rows; zeros: nothing does),
sizes of prompt and tools (uint32 each); size (uint32, bytes of an answer); votes (int32 first, second; float64 won);
and `texts`: of each choice prompt and tools, of each answer its messages, all JSON, end to end.
Rows with nothing to choose from are unused (`no_candidates`). Stats: `lost:WHY`, answers whose score could not be read.

CLI: `dataforge pair ultrafeedback.jsonl --score mean --to dpo -o pairs.jsonl`
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import orjson
from xxhash import xxh3_64_intdigest, xxh3_128_digest

from dataforge.engine.batch import Batch, Note
from dataforge.errors import RowError
from dataforge.formats import openai
from dataforge.formats.spelling import Spelling
from dataforge.io import jsontext
from dataforge.ledger import UNUSED
from dataforge.ops.preference.choice import Choice, Entry
from dataforge.ops.preference.options import SourceOptions
from dataforge.ops.preference.sources import choices_of
from dataforge.ops.rowtext import turn_text
from dataforge.record import Record, Turn, record_id

__all__ = ["open_task"]

LABELS = {None: -1, "rejected": 0, "chosen": 1}
PLAIN_ROLES = frozenset(("system", "developer", "user", "assistant"))
AS_IS = Spelling()
NOTHING_JOINS = bytes(16)
OPENING = 32
"""Characters of an answer's opening: only answers that open alike can be the beginning of one another."""


def open_task(options: dict[str, Any]) -> Callable[[Batch], None]:
    """The task for the options of the sources."""
    wanted = SourceOptions.from_dict(options["sources"])
    score = None if wanted.score_column is None else 0.0  # the values of score tables are put in by the parent

    def run(batch: Batch) -> None:
        columns = _Columns()
        for index, record in batch.records():
            batch.ids[index] = record_id(record)
            dialect = str((record.layout or {}).get("dialect", ""))
            try:
                choices = choices_of(record, dialect, wanted, score=score)
                prepared = [_prepared(choice) for choice in choices]
            except RowError as fault:
                batch.fault(index, fault)
                continue
            if not any(choice.entries for choice in choices):
                batch.notes[index] = Note(index, batch.line(index), UNUSED, "no_candidates", raw=batch.raw(index))
            for choice, texts in zip(choices, prepared, strict=True):
                columns.add(index, choice, texts)
        batch.stats.update(columns.lost)
        batch.payload = columns.payload()

    return run


Texts = tuple[bytes, bytes, list[bytes]]
"""(prompt, tools, answers), each as JSON."""


def _prepared(choice: Choice) -> Texts:
    """The messages of a choice; NotRepresentable (a RowError) for what no chat can carry."""
    shared = {} if choice.tools is None else {"tools": choice.tools}
    shared |= choice.media or {}
    tools = b"," + jsontext.encode(shared)[1:-1] if shared else b""
    if all(map(_plain, choice.prompt)) and all(_plain(turn) for entry in choice.entries for turn in entry.answer):
        return _messages(choice.prompt), tools, [_messages(entry.answer) for entry in choice.entries]
    before = len(openai.write(Record(choice.prompt), AS_IS)["messages"])
    answers = []
    for entry in choice.entries:
        whole = openai.write(Record([*choice.prompt, *entry.answer]), AS_IS)["messages"]
        answers.append(jsontext.encode(whole[before:]))
        prompt = jsontext.encode(whole[:before])
    return prompt if choice.entries else b"[]", tools, answers


def _plain(turn: Turn) -> bool:
    parts = turn.parts
    fine = len(parts) == 1 and type(parts[0]) is str and turn.role in PLAIN_ROLES
    return fine and turn.name is None and turn.weight is None and turn.extras is None


def _messages(turns: list[Turn]) -> bytes:
    values = [{"role": turn.role, "content": turn.parts[0]} for turn in turns]
    try:
        return orjson.dumps(values)
    except TypeError:  # half characters, which only the slower writer spells
        return jsontext.encode(values)


class _Columns:
    """The payload of a chunk, as it grows."""

    def __init__(self) -> None:
        self.lost: dict[str, int] = {}
        self._hashes: dict[str, list[bytes]] = {"prompt": [], "answer": [], "plain": [], "key": []}
        self._numbers: dict[str, list[Any]] = {
            name: []
            for name in ("score", "rank", "label", "chars", "opening", "model", "choice", "size", "row", "sizes")
        }
        self._votes: list[tuple[int, int, float]] = []
        self._models: dict[str, int] = {}
        self._texts: list[bytes] = []
        self._choices = self._entries = 0

    def add(self, row: int, choice: Choice, texts: Texts) -> None:
        """Take a choice of row `row`."""
        prompt, tools, answers = texts
        content = record_id(Record(choice.prompt, tools=choice.tools))
        if choice.media:
            content = xxh3_128_digest(content + jsontext.encode(choice.media))
        key = xxh3_128_digest(choice.key.encode(errors="surrogatepass")) if choice.key else content
        self._hashes["prompt"].append(content)
        self._hashes["key"].append(key if choice.joined else NOTHING_JOINS)
        numbers = self._numbers
        numbers["row"].append(row)
        numbers["sizes"] += (len(prompt), len(tools))
        self._texts += (prompt, tools)
        self._votes += [(self._entries + v.first, self._entries + v.second, v.won) for v in choice.votes]
        for entry, answer in zip(choice.entries, answers, strict=True):
            self._add(entry, answer)
        self._choices += 1

    def _add(self, entry: Entry, answer: bytes) -> None:
        text = "\n".join(map(turn_text, entry.answer))
        self._hashes["answer"].append(record_id(Record(entry.answer)))
        plain = "".join(text.split())
        self._hashes["plain"].append(xxh3_128_digest(plain.encode(errors="surrogatepass")))
        numbers = self._numbers
        start = plain[:OPENING].encode(errors="surrogatepass") if len(plain) >= OPENING else b""
        numbers["opening"].append(xxh3_64_intdigest(start) | 1 if start else 0)
        numbers["score"].append(np.nan if entry.score is None else entry.score)
        numbers["rank"].append(-1 if entry.rank is None else min(entry.rank, 2**31 - 1))
        numbers["label"].append(LABELS.get(entry.label, -1))
        numbers["chars"].append(len(text))
        model = entry.model
        numbers["model"].append(-1 if model is None else self._models.setdefault(model, len(self._models)))
        numbers["choice"].append(self._choices)
        numbers["size"].append(len(answer))
        self._texts.append(answer)
        self._entries += 1
        for why in entry.lost.split("; ") if entry.lost else ():
            name = "lost:" + why
            self.lost[name] = self.lost.get(name, 0) + 1

    def payload(self) -> dict[str, bytes]:
        """All columns as bytes."""
        kinds = {"score": "f8", "rank": "i4", "label": "i1", "chars": "i8", "model": "i4", "choice": "i4"}
        kinds |= {"opening": "u8", "size": "u4", "row": "i4", "sizes": "u4"}
        found = {name: b"".join(values) for name, values in self._hashes.items()}
        found |= {name: np.array(self._numbers[name], "<" + kind).tobytes() for name, kind in kinds.items()}
        found["votes"] = np.array(self._votes, [("first", "<i4"), ("second", "<i4"), ("won", "<f8")]).tobytes()
        found["models"] = jsontext.encode(list(self._models))
        found["texts"] = b"".join(self._texts)
        return found
