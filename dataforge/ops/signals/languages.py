"""Whether an answer is in another language than its question, where nothing in the question asks for another one.

Scripts decide first: a question in Chinese and an answer in Latin letters differ, whatever language the latter is. Two
texts in one alphabet are both English if their function words say so, and only what is left is asked of the model of
`dataforge.ops.langid`. A side with too little text or two scripts in it has no language; nor have code and lists of
names. Where the question speaks of a language, of translating, of words or of code, the answer is free.

Cost: 20 to 40 MB/s a core for English and Chinese, 4 MB/s for other languages.
Python: `mismatches(["今天天气怎么样？请告诉我。"], ["The weather is fine today, with some sunshine."])  # [True]`
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dataforge.ops.langid import CJK_WEIGHT, UNKNOWN, detect_all
from dataforge.ops.scripts import SCRIPTS, count_scripts

__all__ = ["LEAST_LETTERS", "mismatches", "scripts"]

LEAST_LETTERS = 24
"""Letters that a text needs to have a language; a Han, kana or Hangul character counts three."""
CLEAR = 0.75
"""Share of the letters that the script of a language needs."""
SURE, LEAST_FOR_MODEL = 0.8, 60
"""Probability that the model must give, and letters that it needs: lists of names are of many languages to it."""
JAPANESE, CHINESE, KOREAN = 0.3, 0.05, 0.3
"""Share of kana from which on text is Japanese, below which it is Chinese (between them, mixed); and of Hangul."""
ENGLISH, OPENING = 0.15, 160
"""Share of English function words, in small letters, in the first so many characters of a text in English."""
NAMES = 0.6
"""Share of words with a capital from which on a text is a list of names, which have no language."""
WINDOW = 1000
_CODE = re.compile(r"```.*?(?:```|\Z)|~~~.*?(?:~~~|\Z)|`[^`\n]*`|https?://\S+|\$\$.*?\$\$|<[^<>]{1,80}>", re.DOTALL)
_OTHER_LANGUAGE = re.compile(
    r"translat|traduc|übersetz|перевод|переве|翻译|翻譯|译成|译为|译文|訳|번역|中译|英译|language|语言|語言|言語|语种|"
    r"\b(?:english|chinese|mandarin|cantonese|japanese|korean|french|german|spanish|italian|portuguese|russian|arabic|latin|"
    r"hindi|dutch|turkish|polish|swedish|greek|hebrew|thai|vietnamese|indonesian|pinyin|romaji)\b|"
    r"英文|英语|英語|中文|汉语|漢語|日语|日文|日本語|韩语|韩文|法语|法文|德语|德文|西班牙语|俄语|意大利语|葡萄牙语|阿拉伯语|拉丁|"
    r"拼音|双语|单词|字母|外语|文言|汉字|英単語|\b(?:inglés|anglais|englisch|español|français|deutsch|words?|code|html|css|"
    r"sql|python|javascript|java|c\+\+|regex|abbreviation|acronym)\b|代码|程序|函数|编写|脚本|正则|缩写|查询|算法|命令",
    re.IGNORECASE,
)
_QUOTED = re.compile(r"[“\"'‘「『《（(：:]\s*[A-Za-z][A-Za-z ',.-]{2,}")
"""A word of another script that a Chinese question is about."""
_ENGLISH = frozenset(
    "the be to of that have a an are was were on it by this you i he she they we at what how why when which can does "
    "your its their his her my our will would there has had but so than into about more these those some who "
    "for in is and or not with if from as".split()
)
_CODE_MARKS = (
    *("def ", "import ", "#include", "return ", "print(", "SELECT ", "function ", "public ", "();", ");", "{\n", "}\n"),
    *(" = ", "==", "+=", "=>", "->", "</", "<?", "$(", "():", "):\n"),
)
"""What hardly stands in a text of words; such a row has no verdict."""
_FULL_WIDTH = re.compile(r"[\u2e80-\ud7ff\uf900-\uffef]")
_HAN, _KANA, _HANGUL = (SCRIPTS.index(name) for name in ("han", "kana", "hangul"))
_CJK = ("zh", "ja", "ko")


def mismatches(questions: Sequence[str], answers: Sequence[str]) -> list[bool | None]:
    """For each row whether question and answer are in different languages; None where one of them has none."""
    asked, said = [_plain(text) for text in questions], [_plain(text) for text in answers]
    found: list[bool | None] = [None] * len(asked)
    doubtful = []
    for row, (one, other) in enumerate(zip(scripts(asked), scripts(said), strict=True)):
        if one == UNKNOWN or other == UNKNOWN:
            continue
        if one == other and (one in _CJK or (_is_english(asked[row]) and _is_english(said[row]))):
            found[row] = False
        elif one == other and min(len(asked[row]), len(said[row])) < LEAST_FOR_MODEL:
            continue
        elif not (_wordless(asked[row], one) or _wordless(said[row], other)):
            found[row] = one != other
            if one == other:
                doubtful.append(row)
    _ask_model(found, doubtful, asked, said)
    return [differs and not _is_free(question) for differs, question in zip(found, questions, strict=True)]


def scripts(texts: Sequence[str]) -> list[str]:
    """The script of each text: `zh`, `ja`, `ko`, the name of another script, or `und` for too little or mixed text."""
    if not texts:
        return []
    counts = count_scripts(list(texts))[:, 1:]
    cjk = counts[:, (_HAN - 1, _KANA - 1, _HANGUL - 1)]
    counts[:, (_HAN - 1, _KANA - 1, _HANGUL - 1)] = 0
    heavy = CJK_WEIGHT * cjk.sum(axis=1)
    letters = counts.sum(axis=1) + heavy
    largest = counts.argmax(axis=1)
    names = np.array([*SCRIPTS[1:], *_CJK, UNKNOWN])
    chosen = np.where(counts.max(axis=1) >= CLEAR * letters, largest, len(names) - 1)
    chosen = np.where(heavy >= CLEAR * letters, len(SCRIPTS) - 1 + _of_cjk(cjk), chosen)
    return names[np.where(letters >= LEAST_LETTERS, chosen, len(names) - 1)].tolist()  # type: ignore[no-any-return]


def _of_cjk(cjk: NDArray[Any]) -> NDArray[np.int64]:
    """0 Chinese, 1 Japanese, 2 Korean, 3 none of them surely, by Han, kana and Hangul characters."""
    han, kana, hangul = cjk.T
    chosen = np.where(kana < CHINESE * (han + kana), 0, 3)
    chosen = np.where(kana > JAPANESE * (han + kana), 1, chosen)
    return np.where(hangul > KOREAN * (han + kana + hangul), 2, chosen)


def _ask_model(found: list[bool | None], rows: list[int], asked: list[str], said: list[str]) -> None:
    """Decide rows whose sides are in one alphabet, and not both in English."""
    sides = [(row, text) for row in rows for text in (asked[row], said[row])]
    told = detect_all([text for _, text in sides])
    for number, row in enumerate(rows):
        one, other = told[2 * number : 2 * number + 2]
        if UNKNOWN in (one.code, other.code) or min(one.probability, other.probability) < SURE:
            found[row] = None
        else:
            found[row] = one.code != other.code


def _plain(text: str) -> str:
    """The beginning of a text, fenced code, addresses and tags left out; nothing of a text that is markup or data."""
    text = text[:WINDOW]
    if text.lstrip()[:1] in ("<", "{", "%", "#"):
        return ""
    if "`" in text or "~~~" in text or "://" in text or "$$" in text or "<" in text:
        text = _CODE.sub(" ", text)
    return text


def _is_english(text: str) -> bool:
    words = text[:OPENING].split()
    return sum(map(_ENGLISH.__contains__, words)) >= ENGLISH * len(words)


def _wordless(text: str, script: str) -> bool:
    """True for code, lists of names, and names and formulas in a Chinese sentence."""
    if script in _CJK:
        return False
    if not text.isascii() and len(_FULL_WIDTH.findall(text)) > 1:
        return True
    words = text[:OPENING].split()
    if sum(word[0].isupper() for word in words) > NAMES * len(words):
        return True
    return any(mark in text for mark in _CODE_MARKS)


def _is_free(question: str) -> bool:
    """Whether a question lets its answer be in another language."""
    return _OTHER_LANGUAGE.search(question) is not None or (
        _QUOTED.search(question) is not None and any(ord(char) > 0x2E7F for char in question)
    )
