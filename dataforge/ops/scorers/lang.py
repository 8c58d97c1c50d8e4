"""The language of a row, how sure it is, and the scripts that it is written in.

Languages: see `dataforge.ops.langid` (an embedded model, script shares for Chinese, Japanese and Korean). Shares are of
the letters of a text, from 0 to 1.

Cost: about 4 MB/s a core for short texts in spaced scripts, several times that for Chinese and for long texts.
CLI: `dataforge score corpus.jsonl --with lang`
Python: `dataforge.score("corpus.jsonl", scorers="lang")`
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dataforge.ops.rowtext import row_text
from dataforge.ops.scorers.column import Column
from dataforge.record import Record

__all__ = ["COLUMNS", "HELP", "NAME", "open_scorer"]

NAME = "lang"
HELP = "language of a row, and its shares of scripts"
SHARES = ("han", "kana", "hangul", "latin", "cyrillic", "arabic")
COLUMNS = {
    "lang": Column("text", "language code (ISO 639-1: en, zh, ja), `und` where the text is too short or too mixed"),
    "lang_prob": Column("float", "how sure the language is (0 to 1); 0 for a text without letters"),
    **{f"{name}_share": Column("float", f"share of {name} letters (0 to 1); null: no letter") for name in SHARES},
    "other_share": Column("float", "share of letters of other scripts (0 to 1); null: no letter"),
}
BATCH = 1 << 20
"""Characters whose scripts are counted at a time."""


def open_scorer(options: dict[str, Any]) -> Callable[[list[Record]], dict[str, Sequence[Any] | NDArray[Any]]]:
    """The function that scores the records of a chunk; there are no options."""
    from dataforge.ops.langid import detect_all
    from dataforge.ops.scripts import SCRIPTS

    def score(records: list[Record]) -> dict[str, Sequence[Any] | NDArray[Any]]:
        texts = [row_text(record) for record in records]
        told = detect_all(texts)
        counts = _count(texts)
        letters = counts[:, 1:].sum(axis=1)
        columns: dict[str, Sequence[Any] | NDArray[Any]] = {
            "lang": [one.code for one in told],
            "lang_prob": [one.probability for one in told],
        }
        rest = letters.copy()
        for name in SHARES:
            of = counts[:, SCRIPTS.index(name)]
            rest -= of
            columns[f"{name}_share"] = _share(of, letters)
        columns["other_share"] = _share(rest, letters)
        return columns

    return score


def _share(part: NDArray[np.int64], whole: NDArray[np.int64]) -> NDArray[np.float64]:
    shares = np.full(len(whole), np.nan)
    np.divide(part, whole, out=shares, where=whole > 0)
    return shares


def _count(texts: list[str]) -> NDArray[np.int64]:
    """Characters by script, of BATCH characters at a time, so that a long text takes no more memory than short ones."""
    from dataforge.ops.scripts import SCRIPTS, count_scripts

    counts = np.zeros((len(texts), len(SCRIPTS)), np.int64)
    for row, text in enumerate(texts):
        if len(text) > BATCH:
            for begin in range(0, len(text), BATCH):
                counts[row] += count_scripts([text[begin : begin + BATCH]])[0]
    short = [row for row, text in enumerate(texts) if len(text) <= BATCH]
    if short:
        counts[short] = count_scripts([texts[row] for row in short])
    return counts
