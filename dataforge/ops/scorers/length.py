"""How long a row is: characters, bytes, words, turns, and the lengths of its prompt and its answer.

Words are counted in every language: a run of letters of a script with spaces is a word, and so is each character of a
script without (Han, kana, Thai); symbols and punctuation are none.

Cost: about 100 MB/s a core beside the reading of the rows.
CLI: `dataforge score chat.jsonl --with length`
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from dataforge.ops.rowtext import best_candidate, turn_text
from dataforge.ops.scorers.column import Column
from dataforge.record import Record, Turn

__all__ = ["COLUMNS", "HELP", "NAME", "open_scorer"]

NAME = "length"
HELP = "characters, bytes, words and turns of a row, its prompt and its answer"
COLUMNS = {
    "n_chars": Column("int", "characters (code points) of all that the row says"),
    "n_bytes": Column("int", "bytes of the same in UTF-8"),
    "n_words": Column("int", "words, and characters of scripts without spaces (Chinese, Japanese, Thai)"),
    "n_turns": Column("int", "turns but those of the system; null for a document"),
    "prompt_chars": Column(
        "int", "characters before the last answer (or the candidates); null for a document and where there is none"
    ),
    "answer_chars": Column("int", "characters of the last answer (or the best candidate); null where there is none"),
}


def open_scorer(options: dict[str, Any]) -> Callable[[list[Record]], dict[str, Sequence[Any]]]:
    """The function that measures the records of a chunk; there are no options."""
    from dataforge.ops.terms import CHAR, WORD, count_terms, pack

    def score(records: list[Record]) -> dict[str, Sequence[Any]]:
        measured = [_measure(record) for record in records]
        texts, turns, prompts, answers = zip(*measured, strict=True) if measured else ((), (), (), ())
        counts = count_terms(pack(texts))
        return {
            "n_chars": list(map(len, texts)),
            "n_bytes": list(map(_bytes, texts)),
            "n_words": (counts[:, WORD - 1] + counts[:, CHAR - 1]).tolist(),
            "n_turns": turns,
            "prompt_chars": prompts,
            "answer_chars": answers,
        }

    return score


def _measure(record: Record) -> tuple[str, int | None, int | None, int | None]:
    """(row_text, turns, characters of prompt_text and of answer_text), with each turn's text made once."""
    turns, candidates = record.turns, record.candidates
    texts = [_text(turn) for turn in turns]
    roles = [turn.role for turn in turns]
    if roles == ["document"]:
        return texts[0], None, None, None
    spoken = len(turns) - roles.count("system") - roles.count("developer")
    if candidates:
        prompt, answer = _joined(texts), _joined([_text(turn) for turn in best_candidate(candidates).turns]) or 0
        texts += [_text(turn) for candidate in candidates for turn in candidate.turns]
        return "\n".join(texts), spoken, prompt, answer
    last = len(turns) - 1
    while last >= 0 and roles[last] != "assistant":
        last -= 1
    if last < 0:
        return "\n".join(texts), spoken, _joined(texts), None
    return "\n".join(texts), spoken, _joined(texts[:last]), len(texts[last])


def _text(turn: Turn) -> str:
    parts = turn.parts
    return parts[0] if len(parts) == 1 and type(parts[0]) is str else turn_text(turn)


def _joined(texts: list[str]) -> int | None:
    """Characters of texts that newlines join; None if there are none."""
    return sum(map(len, texts)) + len(texts) - 1 if texts else None


def _bytes(text: str) -> int:
    """Bytes in UTF-8; a lone surrogate counts three."""
    return len(text) if text.isascii() else len(text.encode(errors="surrogatepass"))
