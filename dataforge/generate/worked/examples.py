"""Worked examples: single exchanges of a file, a bounded sample of them by language, to be shown before a question.

Which rows are in the sample depends on their content and the seed alone: those with the smallest hashes (bottom-k
sampling). Memory: the texts of the sample.

Python: `gather(records, seed=0, most=10_000, longest=2000)["zh"]`
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Iterable
from typing import NamedTuple

from xxhash import xxh3_64_intdigest

from dataforge.errors import RowError
from dataforge.generate.talk.exchange import last_exchange
from dataforge.generate.task import language_of
from dataforge.ops.rowtext import row_text
from dataforge.record import Record, record_id

__all__ = ["Example", "draw", "gather"]

SPARE = 64
"""Examples drawn beyond what is needed, for those that turn out to be the row itself or alike."""


class Example(NamedTuple):
    """A worked example. id: content hash of its row, hex."""

    id: str
    question: str
    answer: str


def gather(records: Iterable[Record], *, seed: int, most: int, longest: int) -> dict[str, list[Example]]:
    """Examples by language (`en`, `zh`), in the order of their hashes.

    Rows with one exchange of texts can be examples. most: of each language. longest: characters of both texts together.
    """
    heaps: dict[str, list[tuple[int, Example]]] = {}
    held: set[str] = set()
    for record in records:
        example = _example(record, longest)
        if example is None or example.id in held:
            continue
        heap = heaps.setdefault(language_of(row_text(record)), [])
        entry = (-xxh3_64_intdigest(bytes.fromhex(example.id), seed), example)
        held.add(example.id)
        if len(heap) < most:
            heapq.heappush(heap, entry)
        else:
            held.discard(heapq.heappushpop(heap, entry)[1].id)
    return {lang: [example for _, example in sorted(heap, reverse=True)] for lang, heap in sorted(heaps.items())}


def _example(record: Record, longest: int) -> Example | None:
    try:
        exchange = last_exchange(record)
    except RowError:
        return None
    if exchange.answer is None or any(turn.role in ("user", "assistant") for turn in exchange.before):
        return None
    answer = exchange.answer.text.strip()
    if not answer or len(exchange.question) + len(answer) > longest:
        return None
    return Example(record_id(record).hex(), exchange.question.strip(), answer)


def draw(examples: list[Example], count: int, rng: random.Random, *, own: str, question: str) -> list[Example]:
    """`count` examples by chance, no two of the same question, none of the row `own` or of its question.

    Fewer where there are not as many.
    """
    chosen: list[Example] = []
    seen = {question.strip().casefold()}
    for index in rng.sample(range(len(examples)), min(len(examples), 8 * count + SPARE)):
        if len(chosen) == count:
            break
        example = examples[index]
        if example.id != own and example.question.casefold() not in seen:
            seen.add(example.question.casefold())
            chosen.append(example)
    return chosen
