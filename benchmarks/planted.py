"""Rows with reference items planted in them, for the benchmark of decontaminate: each item in one of many disguises.

Python: `plant(items, hosts, seed=0)  # [(disguise, number of the item, row), ...]`
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence

__all__ = ["DISGUISES", "plant", "words_of"]

WORD = re.compile(r"[\u3400-\u9fff]|[^\s\u3400-\u9fff]+|\s+")
CHINESE = re.compile(r"[\u3400-\u9fff]")
FULL_WIDTH = {code: code + 0xFEE0 for code in range(0x21, 0x7F)}


def words_of(text: str) -> list[str]:
    """Words, Chinese characters and the white space between them; joined they are the text."""
    return WORD.findall(text)


def _replaced(rate: float) -> Callable[[str, random.Random, Sequence[str]], str]:
    """Every word (or Chinese character) replaced by a random one of another text with this probability."""

    def disguise(text: str, dice: random.Random, others: Sequence[str]) -> str:
        def other(word: str) -> str:
            pool = [
                w
                for w in words_of(dice.choice(others))
                if not w.isspace() and bool(CHINESE.match(w)) == bool(CHINESE.match(word))
            ]
            return dice.choice(pool) if pool else "x"

        return "".join(other(word) if not word.isspace() and dice.random() < rate else word for word in words_of(text))

    return disguise


def _part(share: float) -> Callable[[str, random.Random, Sequence[str]], str]:
    """One stretch that holds this share of the words."""

    def disguise(text: str, dice: random.Random, _: Sequence[str]) -> str:
        words = words_of(text)
        real = [place for place, word in enumerate(words) if not word.isspace()]
        wanted = max(1, round(share * len(real)))
        begin = dice.randint(0, len(real) - wanted)
        return "".join(words[real[begin] : real[begin + wanted - 1] + 1])

    return disguise


def _spelled(text: str, dice: random.Random, _: Sequence[str]) -> str:
    """Upper case, full-width letters and digits, other punctuation, line ends for blanks."""
    text = text.upper().translate(FULL_WIDTH) if dice.random() < 0.5 else text.upper()
    return text.translate(str.maketrans({"。": ".", "，": " , ", ",": "，", "？": "?", " ": "\n"}))


def _shuffled(text: str, dice: random.Random, _: Sequence[str]) -> str:
    """The sentences in another order."""
    sentences = re.findall(r"[^.。？?！!\n]+[.。？?！!\n]*", text)
    dice.shuffle(sentences)
    return " ".join(sentences)


def _inside(text: str, dice: random.Random, others: Sequence[str]) -> str:
    """Between other texts."""
    return f"{dice.choice(others)}\n{text}\n{dice.choice(others)}"


DISGUISES: dict[str, Callable[[str, random.Random, Sequence[str]], str]] = {
    "as it is": lambda text, dice, others: text,
    "inside other text": _inside,
    "case, width, punctuation, line ends": _spelled,
    "sentences in another order": _shuffled,
    **{f"{share:.0%} of it": _part(share) for share in (0.9, 0.7, 0.6, 0.5, 0.4, 0.3)},
    **{f"{rate:.0%} of words replaced": _replaced(rate) for rate in (0.05, 0.1, 0.15, 0.2, 0.3)},
}


def plant(items: Sequence[str], hosts: Sequence[dict[str, str]], seed: int) -> list[tuple[str, int, dict[str, str]]]:
    """(disguise, number of the item, an instruction row that asks the disguised item), every item in every disguise."""
    dice = random.Random(seed)
    others = [host["instruction"] + " " + host["output"] for host in hosts]
    planted = []
    for name, disguise in DISGUISES.items():
        for number, item in enumerate(items):
            text = disguise(item, dice, others)
            planted.append((name, number, {"instruction": text, "input": "", "output": dice.choice(hosts)["output"]}))
    return planted
