r"""Novelty: is a text too near to one that is there already? Exact ROUGE-L against a growing pool, in any language.

For a candidate of m terms and a pool member of n, with a longest common subsequence of lcs terms (C.-Y. Lin, ROUGE: A
Package for Automatic Evaluation of Summaries, 2004; the filter of Self-Instruct, Y. Wang et al. 2022, at 0.7):

    p = lcs / n,  r = lcs / m,  F = 2 p r / (p + r) = 2 lcs / (m + n)

A candidate is kept, and becomes a member, unless F > threshold for some member. Every verdict names the nearest member,
the earliest of equals, and its F; none is named where no member shares a term.

compat="exact" (the default) decides by 2 lcs * den > num * (m + n) in whole numbers, num / den being the threshold as
it is written; so a score of exactly 0.7 is kept, always. compat="reference" gives the verdicts of rouge_score 0.1.2
(use_stemmer=False) bit by bit: its terms, and its floating-point numbers, which make some exact 0.7 to
0.7000000000000001 and drop these. What the terms of a text are, in both, is said in `nearest/terms.py`.

`threshold` is meant for words. A text half or more of whose terms are characters of a script without spaces (Chinese,
Japanese, Thai) is held to `chinese_threshold(threshold)`, which admits about the same share of such texts
(docs/novelty.md); lang="en" or "zh" sets which of the two holds for all texts.

Cost: about 0.2 ms a candidate against 70,000 members, one core; 350 bytes a member of 11 terms, beside its text. The
first use after an installation compiles for some seconds.
Python: `NoveltyFilter(0.7).admit("Write a poem about tea.")  # Verdict(kept=True, score=0.0, ...)`
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from dataforge.errors import UsageError
from dataforge.generate.nearest.pool import Nearest, Pool
from dataforge.generate.nearest.terms import read_terms, unspaced_share

__all__ = ["COMPATS", "LANGS", "NoveltyFilter", "Verdict", "chinese_threshold"]

COMPATS = ("exact", "reference")
LANGS = ("auto", "en", "zh")
CURVE = tuple(
    (Fraction(words), Fraction(characters))
    for words, characters in (
        *(("0", "0"), ("0.5", "0.51"), ("0.6", "0.65"), ("0.7", "0.73")),
        *(("0.8", "0.83"), ("0.9", "0.93"), ("1", "1")),
    )
)
"""(threshold for words, threshold for characters that admits the same share of real prompts): benchmarks/novelty.py."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of a candidate.

    kept: no member is nearer than the threshold. score: the highest F (0 to 1). nearest, nearest_index: the member that
    has it, and its place in the pool from 0, members added as seeds too; None where the score is 0. threshold: what
    this candidate was held to.
    """

    kept: bool
    score: float
    nearest: str | None
    nearest_index: int | None
    threshold: float


class NoveltyFilter:
    """A pool of texts that admits a new one only if it is not too near to any of them.

    threshold: the highest ROUGE-L F (0 to 1) that is kept, for texts of words. compat: "exact" or "reference". lang:
    "auto" (the threshold by the text's own terms), "en" or "zh". What it says depends on the texts and their order
    alone. Not for several threads at once. Raises UsageError for any other value.
    """

    def __init__(self, threshold: float = 0.7, compat: str = "exact", lang: str = "auto") -> None:
        self.threshold = _fraction(threshold)
        if compat not in COMPATS:
            raise UsageError(f"compat {compat!r} is not known", help=f"one of: {', '.join(COMPATS)}")
        if lang not in LANGS:
            raise UsageError(f"lang {lang!r} is not known", help=f"one of: {', '.join(LANGS)}")
        self.compat, self.lang = compat, lang
        self.kept: list[str] = []
        """The texts that were admitted, in order."""
        self._limits = {"en": self.threshold, "zh": _chinese(self.threshold)}
        self._texts: list[str] = []
        self._pool = Pool()

    def __len__(self) -> int:
        """The number of members, admitted or added."""
        return len(self._texts)

    @property
    def compared(self) -> int:
        """Pairs whose common subsequence had to be measured so far; for all others a bound was enough."""
        return self._pool.compared

    @property
    def nbytes(self) -> int:
        """Bytes of the pool's arrays; texts and the dictionary of terms come on top."""
        return self._pool.nbytes

    def add(self, text: str) -> None:
        """Make a text a member without a verdict (a seed, a row of an earlier run)."""
        self._put(text, self._read(text))

    def check(self, text: str) -> Verdict:
        """The verdict on a text, which does not become a member."""
        return self._judge(self._read(text))

    def admit(self, text: str) -> Verdict:
        """The verdict on a text, which becomes a member if it is kept."""
        terms = self._read(text)
        verdict = self._judge(terms)
        if verdict.kept:
            self._put(text, terms)
            self.kept.append(text)
        return verdict

    def _read(self, text: str) -> list[str]:
        return read_terms(text, reference=self.compat == "reference")

    def _put(self, text: str, terms: list[str]) -> None:
        self._pool.append(terms)
        self._texts.append(text)

    def _limit(self, terms: list[str]) -> Fraction:
        lang = self.lang
        if lang == "auto":
            lang = "zh" if terms and unspaced_share(terms) >= 0.5 else "en"
        return self._limits[lang]

    def _judge(self, terms: list[str]) -> Verdict:
        exact = self.compat == "exact"
        limit = self._limit(terms)
        found = self._pool.nearest(terms, exact=exact)
        if found is None:
            return Verdict(True, 0.0, None, None, float(limit))
        score = _score(found, len(terms), exact=exact)
        total = len(terms) + found.length
        near = 2 * found.lcs * limit.denominator > limit.numerator * total if exact else score > float(limit)
        return Verdict(not near, score, self._texts[found.member], found.member, float(limit))


def chinese_threshold(threshold: float) -> float:
    """The threshold for characters that is as strict as `threshold` (0 to 1) is for words, to 4 decimals.

    Between the points of CURVE it is linear. Raises UsageError for a value out of range.
    """
    return float(_chinese(_fraction(threshold)))


def _chinese(threshold: Fraction) -> Fraction:
    for (x, y), (x_after, y_after) in zip(CURVE, CURVE[1:], strict=False):
        if threshold <= x_after:
            return round(y + (y_after - y) * (threshold - x) / (x_after - x), 4)
    return Fraction(1)


def _score(found: Nearest, length: int, *, exact: bool) -> float:
    if exact:
        return 2 * found.lcs / (length + found.length)
    precision, recall = found.lcs / found.length, found.lcs / length
    return 2 * precision * recall / (precision + recall)


def _fraction(threshold: float) -> Fraction:
    """The threshold as it is written in decimals: 0.7 is 7 / 10."""
    number = isinstance(threshold, int | float | Fraction) and not isinstance(threshold, bool)
    if not number or not math.isfinite(threshold) or not 0 <= threshold <= 1:
        raise UsageError(f"novelty threshold {threshold!r} is not a number from 0 to 1", help="0.7 is usual")
    return threshold if isinstance(threshold, Fraction) else Fraction(str(threshold))
