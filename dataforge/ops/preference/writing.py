"""Pairs as rows: lines of TRL's dialects put together from the texts on disk, then of any other dialect.

A pair is `{"prompt", "chosen", "rejected", "tools"?, "score_chosen"?, "chosen_model"?, "score_rejected"?,
"rejected_model"?, "pair_id", "margin", "pair": {"by", "chosen_rank"?, "rejected_rank"?, "sources"}}`, where `sources`
is `[[file, line], [file, line]]` of the two answers; as verdicts it is two rows `{"prompt", "completion", "label",
"score"?, "model"?, "tools"?, "pair_id", "margin", "pair"}`, the wanted one first. Other dialects are written by the
task that convert uses.

Cost: 6 microseconds a pair, and reading the texts.
Python: `for line in pair_lines(spool, table, decided, places, verdicts=False): ...`
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from xxhash import xxh3_64_hexdigest

from dataforge.engine.run import Part
from dataforge.io import jsontext
from dataforge.ops.preference.spool import Spool
from dataforge.ops.preference.strategy import BY, Decided
from dataforge.ops.preference.table import Table

__all__ = ["Places", "pair_lines"]

BLOCK = 4096
"""Pairs whose numbers are taken out of arrays together."""
SIDES = ("chosen", "rejected")


class Places:
    """File and line of every input row, by its number over all inputs. names: of the files."""

    def __init__(self, names: list[str], parts: list[Part]) -> None:
        self.names = [jsontext.encode(name).decode() for name in names]
        nothing = np.zeros(0, np.int64)
        self.lines = np.concatenate([part.rows.lines for part in parts] or [nothing])
        self.sources = np.concatenate([np.full(len(part.rows), part.rows.source) for part in parts] or [nothing])


class _Side(NamedTuple):
    """What is known of the chosen, or of the rejected answers of a block of pairs, as lists."""

    start: list[int]
    size: list[int]
    score: list[float]
    rank: list[int]
    model: list[int]
    source: list[int]
    line: list[int]


def _side(entries: NDArray[np.int64], spool: Spool, table: Table, places: Places) -> _Side:
    place = spool.places[spool.kept[entries]]
    row = table.row[entries]
    columns = place[:, 0], place[:, 1], table.score[entries], table.rank[entries], table.model[entries]
    return _Side(*(column.tolist() for column in (*columns, places.sources[row], places.lines[row])))


def pair_lines(spool: Spool, table: Table, decided: Decided, places: Places, *, verdicts: bool) -> Iterator[bytes]:
    """The lines of all pairs, in their order. verdicts: two lines a pair, for KTO."""
    models = [jsontext.encode(name).decode() for name in table.models]
    for first in range(0, len(decided.chosen), BLOCK):
        here = slice(first, first + BLOCK)
        chosen, rejected = decided.chosen[here], decided.rejected[here]
        sides = [_side(entries, spool, table, places) for entries in (chosen, rejected)]
        identity = np.column_stack([table.prompt[chosen], table.answer[chosen], table.answer[rejected]])
        about = _about(sides, decided, here, np.ascontiguousarray(identity), models, places, verdicts=verdicts)
        heads = spool.heads[spool.entry_choice[spool.kept[chosen]]].tolist()
        for number, ((start, size, tools), said) in enumerate(zip(heads, about, strict=True)):
            prompt = spool.read(start, size)
            answers = [spool.read(side.start[number], side.size[number]) for side in sides]
            shared = spool.read(start + size, tools) + said
            if verdicts:
                for answer, label, side in zip(answers, (b"true", b"false"), sides, strict=True):
                    own = _known(side, number, models, "score", "model").encode()
                    yield b'{"prompt":' + prompt + b',"completion":' + answer + b',"label":' + label + own + shared
            else:
                yield b'{"prompt":' + prompt + b',"chosen":' + answers[0] + b',"rejected":' + answers[1] + shared


def _about(
    sides: list[_Side],
    decided: Decided,
    here: slice,
    identity: NDArray[np.uint64],
    models: list[str],
    places: Places,
    *,
    verdicts: bool,
) -> Iterator[bytes]:
    """What is known of each pair: the rest of its line, from a comma on."""
    margins, kinds = decided.margin[here].tolist(), decided.by[here].tolist()
    for number, (margin, kind) in enumerate(zip(margins, kinds, strict=True)):
        known = ranks = ""
        where: list[str] = []
        for name, side in zip(SIDES, sides, strict=True):
            if not verdicts:
                known += _known(side, number, models, f"score_{name}", f"{name}_model")
            if side.rank[number] >= 0:
                ranks += f',"{name}_rank":{side.rank[number]}'
            where.append(f"[{places.names[side.source[number]]},{side.line[number]}]")
        rest = f',"pair_id":"{xxh3_64_hexdigest(identity[number].tobytes())}","margin":{margin!r}'
        pair = f',"pair":{{"by":"{BY[kind]}"{ranks},"sources":[{where[0]},{where[1]}]}}}}\n'
        yield (known + rest + pair).encode()


def _known(side: _Side, number: int, models: list[str], score: str, model: str) -> str:
    """Score and model of an answer, where it has them, under these keys."""
    value, index = side.score[number], side.model[number]
    said = f',"{score}":{value!r}' if value == value else ""
    return said + (f',"{model}":{models[index]}' if index >= 0 else "")
