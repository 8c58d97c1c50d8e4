"""Signals of quality: Gopher, C4 and FineWeb over all that a row says, and what is wrong with its answer.

Each is right for Chinese as for English: a word is 1.5 Han characters (`dataforge.ops.signals.repeats` says why), a
Han character is as wide as three letters, and full-width punctuation, Chinese list items and function words count.
Shares are of what is counted (lines of lines, characters of characters), from 0 to 1.

Cost: 11 to 14 MB/s a core for short rows, 24 to 29 MB/s for documents; less where many answers are in neither English
nor Chinese. Memory grows with the longest row only as reading it does.
CLI: `dataforge score corpus.jsonl --with rules`
Python: `dataforge.score("corpus.jsonl", scorers="rules")`
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dataforge.ops.scorers.column import Column
from dataforge.record import Record

if TYPE_CHECKING:
    from dataforge.ops.signals.answers import Sides
    from dataforge.ops.signals.sections import Sections

__all__ = ["COLUMNS", "HELP", "NAME", "open_scorer"]

NAME = "rules"
HELP = "Gopher, C4 and FineWeb signals made right for Chinese, and what is wrong with answers"
_DOCUMENT = {
    "words": Column("int", "words; two thirds of one for each character of a script without spaces, rounded up"),
    "cjk_share": Column(
        "float", "share of the words in scripts without spaces (Chinese, Japanese, Thai); null: no word"
    ),
    "word_chars": Column("float", "mean length of the words of scripts with spaces, in characters; null: no such word"),
    "letter_share": Column("float", "share of words and symbols that have a letter (0 to 1); null: there is none"),
    "stop_words": Column(
        "int", "distinct ones of eight common function words of one language (0 to 8); null: in a script without a list"
    ),
    "han_particles": Column(
        "float",
        "share of the Han characters that are Chinese function characters (的 了 是); null: no Han, or Japanese",
    ),
    "hash_ratio": Column("float", "runs of # a word"),
    "ellipsis_ratio": Column("float", "ellipses a word"),
    "lines": Column("int", "lines that are not blank"),
    "bullet_share": Column("float", "share of lines that begin as an item of a list (-, •, 1., 一、, （1）, ①)"),
    "ellipsis_share": Column("float", "share of lines that end in an ellipsis"),
    "terminal_share": Column("float", "share of lines that end in a sentence terminal (。！？ too) or a closing quote"),
    "short_share": Column("float", "share of lines less than 30 letters wide; a Han character is 3 wide"),
    "newline_ratio": Column("float", "line ends between lines that are not blank, a word"),
    "sentences": Column("int", "sentence ends"),
    "curly": Column("int", "curly brackets"),
    "lorem": Column("bool", 'whether "lorem ipsum" stands in it'),
    "boilerplate_share": Column("float", "share of lines with a phrase of page furniture (privacy policy, 版权所有)"),
    "dup_lines": Column("float", "share of lines that repeat an earlier one"),
    "dup_line_chars": Column("float", "share of the characters of lines in those"),
    "dup_paras": Column("float", "share of paragraphs that repeat an earlier one"),
    "dup_para_chars": Column("float", "share of the characters of lines in those"),
    **{
        f"top_{n}_gram": Column("float", f"share of the characters in the {n} words in a row that cover most")
        for n in (2, 3, 4)
    },
    **{
        f"dup_{n}_grams": Column("float", f"share of the characters in {n} words in a row that stood before")
        for n in range(5, 11)
    },
}
_ANSWER = {
    "answer_empty": Column("bool", "whether the answer says nothing"),
    "answer_refusal": Column("bool", "whether it begins with a refusal (as `validate` has it)"),
    "answer_as_ai": Column("bool", "whether it speaks of itself as a machine (as `validate` has it)"),
    "answer_copies": Column("bool", "whether it is the question again, and four words or more (whatever the case)"),
    "answer_echo": Column("float", "share of its characters in four words in a row that the question has"),
    "answer_truncated": Column("bool", "whether it breaks off; null: it is empty or ends in a tool call"),
    "answer_ratio": Column("float", "its characters for each character of the question; null: the question has none"),
    "answer_repeats": Column("float", "share of its characters in five words in a row that stood before in it"),
    "answer_loop": Column("float", "share of its words in the longest stretch that says one thing three times or more"),
    "lang_mismatch": Column(
        "bool", "whether it is in another language than a question that asks for none; null: one is too short to tell"
    ),
    "fence_open": Column("bool", "whether it opens a code fence and does not close it"),
    "brackets_open": Column("int", "brackets that it opens and does not close"),
}
COLUMNS = {
    **_DOCUMENT,
    **{name: Column(column.kind, f"{column.help} (no answer: null)") for name, column in _ANSWER.items()},
}
KANA_SHARE = 0.05
"""From this share of kana on, text in Han characters and kana is Japanese (as in `dataforge.ops.scripts`)."""
_SHARES = {
    "cjk_share": ("wide_words", "all_words"),
    "word_chars": ("word_chars", "words"),
    "letter_share": ("lettered_terms", "all_terms"),
    "han_particles": ("particles", "chinese"),
    "hash_ratio": ("hashes", "all_words"),
    "ellipsis_ratio": ("ellipses", "all_words"),
    "bullet_share": ("bullets", "lines"),
    "ellipsis_share": ("ellipsis_lines", "lines"),
    "terminal_share": ("terminals", "lines"),
    "short_share": ("short", "lines"),
    "newline_ratio": ("line_ends", "all_words"),
    "boilerplate_share": ("boilerplate", "lines"),
    "dup_lines": ("repeated_lines", "lines"),
    "dup_line_chars": ("repeated_line_chars", "line_chars"),
    "dup_paras": ("repeated_paragraphs", "paragraphs"),
    "dup_para_chars": ("repeated_paragraph_chars", "line_chars"),
    **{f"top_{n}_gram": (f"top_{n}", "gram_chars") for n in (2, 3, 4)},
    **{f"dup_{n}_grams": (f"repeated_{n}", "gram_chars") for n in range(5, 11)},
}
_NULL_WITHOUT = frozenset({"cjk_share", "word_chars", "letter_share", "han_particles"})
"""Shares of nothing that are null; the others are 0, for there is nothing of the kind."""


def open_scorer(options: dict[str, Any]) -> Callable[[list[Record]], dict[str, Sequence[Any] | NDArray[Any]]]:
    """The function that scores the records of a chunk; there are no options."""
    from dataforge.ops.signals.documents import Sums
    from dataforge.ops.signals.sections import batches, row_of

    def score(records: list[Record]) -> dict[str, Sequence[Any] | NDArray[Any]]:
        rows = [row_of(record) for record in records]
        sums, measured = Sums(len(rows)), []
        for some in batches(rows):
            measured.append(_measure_sides(some, sums.add(some)))
        return {**_of_documents(sums.done(), len(rows)), **_of_answers([one for _, one in rows], measured)}

    return score


def _of_documents(sums: dict[str, NDArray[np.float64]], n: int) -> dict[str, Sequence[Any] | NDArray[Any]]:
    """The columns of the whole rows, from what was counted."""
    if n == 0:
        return {name: [] for name in _DOCUMENT}
    sums["wide_words"] = sums["chars"] / 1.5
    sums["all_words"] = (3 * sums["words"] + 2 * sums["chars"]) / 3
    sums["chinese"] = np.where(sums["kana"] < KANA_SHARE * (sums["han"] + sums["kana"]), sums["han"], 0)
    sums["lettered_terms"] = sums["lettered"] + sums["wide_words"]
    sums["all_terms"] = sums["all_words"] + sums["symbols"]
    sums["line_ends"] = np.maximum(sums["lines"] - 1, 0)
    columns: dict[str, Sequence[Any] | NDArray[Any]] = {}
    for name in _DOCUMENT:
        if name in _SHARES:
            part, whole = (sums[key] for key in _SHARES[name])
            nothing = np.nan if name in _NULL_WITHOUT else 0.0
            columns[name] = np.divide(part, whole, out=np.full(n, nothing), where=whole > 0)
    columns["words"] = np.ceil(sums["all_words"]).astype(np.int64)
    columns["lorem"] = sums["lorem"] > 0
    unlisted = sums["listed"] < (sums["words"] + sums["chars"]) / 2
    found = sums["stop_words"].astype(np.int64).tolist()
    columns["stop_words"] = [None if no else count for no, count in zip(unlisted.tolist(), found, strict=True)]
    for name in ("lines", "sentences", "curly"):
        columns[name] = sums[name].astype(np.int64)
    return columns


def _measure_sides(some: Sections, counts: Mapping[str, NDArray[np.float64]]) -> dict[str, NDArray[Any]]:
    """What compiled loops find of questions and answers, a row for each row with an answer."""
    from dataforge.ops.signals.answers import marks
    from dataforge.ops.signals.languages import look
    from dataforge.ops.signals.repeats import of_answers
    from dataforge.ops.signals.words import has_phrase

    brackets, fences = marks(some.parts, some.said)
    machine = has_phrase(some.parts, "machine") & has_phrase(some.parts, "speaker")
    looks = {
        f"{side} {name}": column
        for side, sections in (("asked", some.asked), ("said", some.said))
        for name, column in look(some.parts, sections)._asdict().items()
    }
    return {
        **of_answers(some, counts),
        **looks,
        "brackets": brackets,
        "fences": fences,
        "machine": machine[some.said],
    }


def _of_answers(
    found: list[Sides | None], measured: list[dict[str, NDArray[Any]]]
) -> dict[str, Sequence[Any] | NDArray[Any]]:
    """The columns of the answers; null for rows that have none."""
    from dataforge.ops.rules.answers import refuses, speaks_as_ai
    from dataforge.ops.signals import answers as a
    from dataforge.ops.signals.languages import Looks, mismatches
    from dataforge.ops.signals.texts import PIECE

    said = [one for one in found if one is not None]
    if not said:
        return {name: [None] * len(found) for name in _ANSWER}
    m = {name: np.concatenate([one[name] for one in measured]) for name in measured[0]}
    asked, texts = [one.question for one in said], [one.answer for one in said]
    blank = [not text or text.isspace() for text in texts]
    for row, text in enumerate(texts):
        if len(text) > PIECE:  # the loops saw its beginning only
            m["brackets"][row], m["fences"][row], m["machine"][row] = a.brackets_open(text), True, True
    sizes = [np.fromiter(map(len, side), np.float64, len(said)) for side in (asked, texts)]
    looks = [Looks(*(m[f"{side} {name}"] for name in Looks._fields)) for side in ("asked", "said")]
    values: dict[str, Sequence[Any] | NDArray[Any]] = {
        "answer_empty": [nothing and not one.acts for nothing, one in zip(blank, said, strict=True)],
        "answer_refusal": [refuses(text) is not None for text in texts],
        "answer_as_ai": _where(m["machine"], texts, lambda text: speaks_as_ai(text) is not None),
        "answer_copies": m["equal"],
        "answer_echo": m["echo"],
        "answer_truncated": [
            None if nothing or one.acts else a.is_cut(one.answer) for nothing, one in zip(blank, said, strict=True)
        ],
        "answer_ratio": np.divide(sizes[1], sizes[0], out=np.full(len(said), np.nan), where=sizes[0] > 0),
        "answer_repeats": m["repeated"],
        "answer_loop": m["loop"],
        "lang_mismatch": mismatches(asked, texts, (looks[0], looks[1])),
        "fence_open": _where(m["fences"], texts, a.fence_open),
        "brackets_open": m["brackets"],
    }
    if len(said) == len(found):
        return {name: values[name] for name in _ANSWER}
    rows = [row for row, one in enumerate(found) if one is not None]
    return {name: _spread(values[name], rows, len(found)) for name in _ANSWER}


def _where(rows: NDArray[np.bool_], texts: list[str], test: Callable[[str], bool]) -> NDArray[np.bool_]:
    """Of those texts which may pass a test, which do."""
    passed = np.zeros(len(texts), bool)
    for row in np.flatnonzero(rows).tolist():
        passed[row] = test(texts[row])
    return passed


def _spread(values: Sequence[Any] | NDArray[Any], rows: list[int], n: int) -> list[Any]:
    """The values of some rows as a column of all of them."""
    column: list[Any] = [None] * n
    for row, value in zip(rows, values.tolist() if isinstance(values, np.ndarray) else values, strict=True):
        column[row] = value
    return column
