"""Whether an answer is in another language than its question, where nothing in the question asks for another one.

Scripts decide first: a question in Chinese and an answer in Latin letters differ, whatever language the latter is. Two
texts in one alphabet are both English if their function words say so, and only what is left is asked of the model of
`dataforge.ops.langid`. A side with too little text or two scripts in it has no language; nor have code and lists of
names. Where the question speaks of a language, of translating, of words or of code, the answer is free.

Cost: about 65 MB/s a core for English rows (2 % of them asked of the model), 300 MB/s for Chinese; the model, 4 MB/s.
Python: `mismatches(["今天天气怎么样？请告诉我。"], ["The weather is fine today, with some sunshine."])  # [True]`
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dataforge.ops.langid import CJK_WEIGHT, UNKNOWN, detect_all
from dataforge.ops.scripts import SCRIPTS, count_scripts, script_table
from dataforge.ops.signals.characters import LETTER, NEWLINE, SPACE
from dataforge.ops.signals.texts import Texts

__all__ = ["LEAST_LETTERS", "Looks", "look", "mismatches", "scripts"]

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
_OF_CJK = tuple(SCRIPTS.index(name) - 1 for name in ("han", "kana", "hangul"))
_CJK = ("zh", "ja", "ko")
_NAMES = (*SCRIPTS[1:], *_CJK, UNKNOWN)
_UNKNOWN = len(_NAMES) - 1
_BLANK = np.uint16(NEWLINE | SPACE)
_SLOTS, _SPREAD, _SHIFT, _MOST = 512, 0x9E3779B97F4A7C15, 55, 8
"""Of the hash table of English words: slots, multiplier, bits passed over, and the longest word, in bytes."""


class Looks(NamedTuple):
    """What one side of some rows looks like, before any of its texts is read in Python.

    scripts: int64, characters by script. words: int64, the first words and the English function words among them.
    marked: bool, something in it must be left out first (code, an address, a tag), or it may be markup or data.
    """

    scripts: NDArray[np.int64]
    words: NDArray[np.int64]
    marked: NDArray[np.bool_]


@cache
def _english() -> NDArray[np.uint64]:
    """A hash table of the English function words, the letters of each as the bytes of a number; 0 is an empty slot."""
    table = np.zeros(_SLOTS, np.uint64)
    for word in sorted(_ENGLISH):
        key = int.from_bytes(word.encode(), "big")
        slot = (key * _SPREAD >> _SHIFT) % _SLOTS
        while table[slot]:
            slot = (slot + 1) % _SLOTS
        table[slot] = key
    return table


@njit(cache=True, nogil=True)
def _is_english_word(key: Any, table: Any) -> Any:
    slot = (key * np.uint64(_SPREAD) >> np.uint64(_SHIFT)) & np.uint64(_SLOTS - 1)
    while table[slot] != 0:
        if table[slot] == key:
            return True
        slot = (slot + np.uint64(1)) & np.uint64(_SLOTS - 1)
    return False


@njit(cache=True, nogil=True)
def _is_space(code: Any, kind: Any) -> Any:
    return (kind & _BLANK) != 0 and code != 0xFEFF


@njit(cache=True, nogil=True)
def _is_mark(codes: Any, k: Any, stop: Any) -> Any:
    """Whether a mark of what `_CODE` finds begins at k: ` < $$ :// ~~~."""
    code = codes[k]
    if code == 96 or code == 60:
        return True
    if code == 36:
        return k + 1 < stop and codes[k + 1] == 36
    if code == 58:
        return k + 2 < stop and codes[k + 1] == 47 and codes[k + 2] == 47
    return code == 126 and k + 2 < stop and codes[k + 1] == 126 and codes[k + 2] == 126


@njit(cache=True, nogil=True)
def _count_scripts(codes: Any, classes: Any, begin: Any, stop: Any, table: Any, scripts: Any) -> Any:
    """Count characters by script; gives whether there is a mark."""
    latin = plain = 0
    marked = False
    for k in range(begin, stop):
        code = codes[k]
        if code > 0x7F:
            scripts[table[code]] += 1
        elif classes[k] & LETTER:
            latin += 1
        else:
            plain += 1
            if code >= 36 and not marked:
                marked = _is_mark(codes, k, stop)
    scripts[0] += plain
    scripts[1] += latin
    return marked


@njit(cache=True, nogil=True)
def _count_words(codes: Any, classes: Any, begin: Any, stop: Any, english: Any) -> Any:
    """(words, English function words among them) of what white space separates."""
    words = found = 0
    k = begin
    while k < stop:
        while k < stop and _is_space(codes[k], classes[k]):
            k += 1
        if k == stop:
            break
        key, start = np.uint64(0), k
        while k < stop and not _is_space(codes[k], classes[k]):
            byte = codes[k] if 0 < codes[k] < 0x7F else np.uint32(0x7F)  # no word has that
            key = key << np.uint64(8) | np.uint64(byte)
            k += 1
        words += 1
        found += k - start <= _MOST and _is_english_word(key, english)
    return words, found


@njit(cache=True, nogil=True)
def _look(texts: Any, sections: Any, table: Any, english: Any, scripts: Any, words: Any, marked: Any) -> None:
    """Fill the columns of Looks, from the first WINDOW characters and the words of the first OPENING ones."""
    codes, classes, offsets = texts
    for row in range(len(sections)):
        begin = k = offsets[sections[row]]
        stop = min(offsets[sections[row] + 1], begin + WINDOW)
        while k < stop and _is_space(codes[k], classes[k]):
            k += 1
        markup = k < stop and (codes[k] == 60 or codes[k] == 123 or codes[k] == 37 or codes[k] == 35)  # < { % #
        marked[row] = _count_scripts(codes, classes, begin, stop, table, scripts[row]) or markup
        words[row] = _count_words(codes, classes, begin, min(stop, begin + OPENING), english)


def look(parts: Texts, sections: NDArray[np.int64]) -> Looks:
    """What the sections look like."""
    n = len(sections)
    found = Looks(np.zeros((n, len(SCRIPTS)), np.int64), np.zeros((n, 2), np.int64), np.zeros(n, bool))
    _look((parts.codes, parts.classes, parts.offsets), sections, script_table(), _english(), *found)
    return found


def mismatches(
    questions: Sequence[str], answers: Sequence[str], looks: tuple[Looks, Looks] | None = None
) -> list[bool | None]:
    """For each row whether question and answer are in different languages; None where one of them has none.

    looks: of questions and answers, where they are there already.
    """
    asked, said = _Side.of(questions, looks and looks[0]), _Side.of(answers, looks and looks[1])
    one, other = asked.scripts, said.scripts
    known, same = (one != _UNKNOWN) & (other != _UNKNOWN), one == other
    clear = known & same & ((one >= len(SCRIPTS) - 1) | (asked.english & said.english))
    found: list[bool | None] = [False if one else None for one in clear.tolist()]
    doubtful = []
    for row in np.flatnonzero(known & ~clear).tolist():
        texts = asked.plain(row), said.plain(row)
        if same[row] and min(map(len, texts)) < LEAST_FOR_MODEL:
            continue
        if not (_wordless(texts[0], _NAMES[one[row]]) or _wordless(texts[1], _NAMES[other[row]])):
            if same[row]:
                doubtful.append(row)
            else:
                found[row] = not _is_free(questions[row])
    _ask_model(found, doubtful, asked, said)
    return found


@dataclass(frozen=True)
class _Side:
    """Questions or answers: their texts, their scripts as numbers of _NAMES, and whether they may be English.

    changed: the beginnings of those texts of which something is left out.
    """

    texts: Sequence[str]
    scripts: NDArray[np.int64]
    english: NDArray[np.bool_]
    changed: dict[int, str]

    @classmethod
    def of(cls, texts: Sequence[str], looks: Looks | None) -> _Side:
        if looks is None:
            looks = look(Texts.of([text[:WINDOW] for text in texts], range(len(texts))), np.arange(len(texts)))
        english = looks.words[:, 1] >= ENGLISH * looks.words[:, 0]
        changed = {row: _plain(texts[row]) for row in np.flatnonzero(looks.marked).tolist()}
        counts = looks.scripts
        if changed:
            rows = np.array(list(changed))
            counts[rows] = count_scripts(list(changed.values()))
            english[rows] = list(map(_is_english, changed.values()))
        return cls(texts, _classify(counts[:, 1:]), english, changed)

    def plain(self, row: int) -> str:
        """The beginning of a text, without what was left out."""
        return self.changed[row] if row in self.changed else self.texts[row][:WINDOW]


def scripts(texts: Sequence[str]) -> list[str]:
    """The script of each text: `zh`, `ja`, `ko`, the name of another script, or `und` for too little or mixed text."""
    return [_NAMES[number] for number in _classify(count_scripts(list(texts))[:, 1:]).tolist()] if texts else []


def _classify(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """The script of each text as a number of _NAMES, from the letters by script."""
    cjk = counts[:, _OF_CJK]
    counts = counts.copy()
    counts[:, _OF_CJK] = 0
    heavy = CJK_WEIGHT * cjk.sum(axis=1)
    letters = counts.sum(axis=1) + heavy
    chosen = np.where(counts.max(axis=1) >= CLEAR * letters, counts.argmax(axis=1), _UNKNOWN)
    chosen = np.where(heavy >= CLEAR * letters, len(SCRIPTS) - 1 + _kind_of_cjk(cjk), chosen)
    return np.where(letters >= LEAST_LETTERS, chosen, _UNKNOWN)


def _kind_of_cjk(cjk: NDArray[Any]) -> NDArray[np.int64]:
    """0 Chinese, 1 Japanese, 2 Korean, 3 none of them surely, by Han, kana and Hangul characters."""
    han, kana, hangul = cjk.T
    chosen = np.where(kana < CHINESE * (han + kana), 0, 3)
    chosen = np.where(kana > JAPANESE * (han + kana), 1, chosen)
    return np.where(hangul > KOREAN * (han + kana + hangul), 2, chosen)


def _ask_model(found: list[bool | None], rows: list[int], asked: _Side, said: _Side) -> None:
    """Decide rows whose sides are in one alphabet, and not both in English; of unsure questions, no answer is read."""
    sure = [(row, one) for row, one in zip(rows, _told(asked, rows), strict=True) if one is not None]
    for (row, one), other in zip(sure, _told(said, [row for row, _ in sure]), strict=True):
        found[row] = None if other is None else one != other and not _is_free(asked.texts[row])


def _told(side: _Side, rows: list[int]) -> list[str | None]:
    """The languages that the model is sure of."""
    told = detect_all([side.plain(row) for row in rows])
    return [None if one.code == UNKNOWN or one.probability < SURE else one.code for one in told]


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
