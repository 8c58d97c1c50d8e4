r"""The final answer of a text, and whether two answers are the same: for rows whose answer is known.

    number   both are quantities (`quantity.py`): compared as numbers, however they are written
    letters  a choice (B, (b), B. text, 选B, ACD): compared as sets of letters; the text of the option will do as well
    short    up to 8 words (12 characters of Chinese): the same after normalising (width, case, punctuation, articles)
    long     everything else: F1 of their words and characters at least the threshold

F1 = 2 * common / (words of one + words of the other), as SQuAD has it (Rajpurkar et al. 2016). 0.5 parts answers to
different questions: of 20,000 random pairs of Alpaca's longer answers, one in 10,000 reaches 0.49, in English and in
Chinese alike. It does not part an answer from its opposite; a judge model may.

Python: `compare("#### 18", "$18.00").same  # True`
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from dataclasses import dataclass

from dataforge.generate.elimination import tokens, word_count
from dataforge.generate.reading.quantity import read_quantity, same_quantity

__all__ = ["Comparison", "compare", "final_answer", "kind_of", "split_final", "without_working"]

SHORT = 8
ARTICLES = ("a", "an", "the")
_HASHES = re.compile(r"^[ \t]*####[ \t]*(?P<answer>\S.*?)[ \t]*$", re.MULTILINE)
_BOXED = re.compile(r"\\boxed\s*\{")
_SAYS = re.compile(
    r"(?:^|[,;.:，；。：\s*])(?:(?:so|therefore|thus|hence)[, ]+)?(?:the )?(?:(?:final|correct|right) )?"
    r"answer(?:\*\*)?(?: is|:| =)\s*:?\s*(?P<answer>\S.*)$"
    r"|(?:最终|正确|最后)?答案(?:\*\*)?(?:应该?)?(?:是|为|：|:)\s*[：:]?\s*(?P<zh>\S.*)$"
    r"|(?:故|因此|所以|应|应该|综上|综上所述)[，,]?\s*(?:本题|此题|答案)?(?:应)?选(?:择)?(?:项)?\s*[:：]?\s*"
    r"(?P<choice>[A-HＡ-Ｈ][A-HＡ-Ｈ、,， ]*)",
    re.IGNORECASE,
)
_LETTERS = re.compile(
    r"(?:(?:option|choice|选项|选择|选)\s*)?[(\[]?(?P<letters>[A-H](?:\s?[,、/&和]?\s?[A-H])*)[)\]]?(?:\s*[.:、)项]\s*(?P<text>.*))?",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Whether two answers are the same. kind: what the known one is. score: F1 of long ones, else 1 or 0."""

    same: bool
    kind: str
    score: float
    wanted: str
    got: str


def split_final(text: str) -> tuple[str, str] | None:
    r"""(what comes before, the final answer) where a text names one at its end; None where it does not.

    Known: `#### 18`, `\boxed{18}`, `The answer is 18.`, `答案是18。`, `故选B`.
    """
    for find in (_after_hashes, _boxed, _said):
        found = find(text)
        if found is not None:
            return found[0].rstrip(), found[1].strip()
    return None


def final_answer(text: str) -> str:
    """The final answer of a text: the one that it names at its end, or else all of it."""
    found = split_final(text)
    return text.strip() if found is None else found[1]


def without_working(text: str) -> str:
    """The text from its last line `#### X` on, without what leads there; all of it where there is no such line."""
    found = list(_HASHES.finditer(text))
    return text[found[-1].start() :].strip() if found else text


def _after_hashes(text: str) -> tuple[str, str] | None:
    found = list(_HASHES.finditer(text))
    return (text[: found[-1].start()], found[-1]["answer"]) if found else None


def _boxed(text: str) -> tuple[str, str] | None:
    r"""The last \boxed{...}, braces in it balanced; the text before the line that it stands on."""
    found = list(_BOXED.finditer(text))
    if not found:
        return None
    start = at = found[-1].end()
    depth = 1
    while at < len(text) and depth:
        depth += {"{": 1, "}": -1}.get(text[at], 0)
        at += 1
    if depth:
        return None
    line = text.rfind("\n", 0, found[-1].start()) + 1
    return (text[:line] if text[:line].strip() else text[: found[-1].start()]), text[start : at - 1]


def _said(text: str) -> tuple[str, str] | None:
    """What the last line says that the answer is."""
    body = text.rstrip()
    line = body.rfind("\n") + 1
    found = list(_SAYS.finditer(body[line:]))
    if not found:
        return None
    last = found[-1]
    said = (last["answer"] or last["zh"] or last["choice"]).strip().strip("*").strip()
    said = re.sub(r"(?<=[^\d\s])[.。!！]+$|(?<=\d)[.。!！]+$", "", said)
    before = re.sub(r"[ \t]*(?:#+|\*+|__)?[ \t]*\Z", "", body[: line + last.start()])  # the bold or heading it begins
    return (before, said) if said else None


def kind_of(answer: str) -> str:
    """`number`, `letters`, `short` or `long`."""
    if _letters(answer) is not None:
        return "letters"
    if read_quantity(answer) is not None:
        return "number"
    return "short" if word_count(answer) <= SHORT else "long"


def compare(known: str, got: str, *, threshold: float = 0.5) -> Comparison:
    """Compare the final answer of `got` with that of `known`. threshold: least F1 of long answers (0 to 1)."""
    wanted, found = final_answer(known), final_answer(got)
    kind = kind_of(wanted)
    if kind == "long":
        score = _f1(tokens(wanted), tokens(found))
        return Comparison(score >= threshold, kind, score, wanted, found)
    same = {"number": _same_number, "letters": _same_letters, "short": _same_text}[kind](wanted, found)
    return Comparison(same, kind, float(same), wanted, found)


def _same_number(wanted: str, got: str) -> bool:
    one, other = read_quantity(wanted), read_quantity(got)
    if one is None or other is None:
        return _same_text(wanted, got)
    return same_quantity(one, other)


def _letters(text: str) -> tuple[frozenset[str], str] | None:
    """(letters, text of the option) of a choice; several letters must stand in the order of the alphabet."""
    found = _LETTERS.fullmatch(unicodedata.normalize("NFKC", text).strip().strip("*$").strip())
    if found is None:
        return None
    letters = re.findall("[A-H]", found["letters"])
    if sorted(set(letters)) != letters:
        return None
    return frozenset(letters), (found["text"] or "").strip()


def _same_letters(wanted: str, got: str) -> bool:
    one, other = _letters(wanted), _letters(got) or _letters(got.upper() if len(got.strip("() .*")) == 1 else got)
    if one is None:
        return False
    if other is not None:
        return one[0] == other[0]
    return bool(one[1]) and _same_text(one[1], got)


def _same_text(wanted: str, got: str) -> bool:
    return _normal(wanted) == _normal(got)


def _normal(text: str) -> str:
    """Letters, digits and symbols in lower case and one width; without articles, blanks and punctuation."""
    text = unicodedata.normalize("NFKC", text).casefold()
    text = re.sub(r"(?<=[^\W\d])-(?=[^\W\d])", " ", text)
    text = " ".join(word for word in text.split() if word.strip("\"'“”‘’(") not in ARTICLES)
    kept = [
        char
        for at, char in enumerate(text)
        if unicodedata.category(char)[0] in "LNSM" or char in "-/*%&#@\\" or (char == "." and _between_digits(text, at))
    ]
    found = "".join(kept) or text.strip()
    return found[0] if found in ("是的", "对的") else found


def _between_digits(text: str, at: int) -> bool:
    return 0 < at < len(text) - 1 and text[at - 1].isdigit() and text[at + 1].isdigit()


def _f1(one: list[str], other: list[str]) -> float:
    common = (Counter(one) & Counter(other)).total()
    return 2 * common / (len(one) + len(other)) if common else 0.0
