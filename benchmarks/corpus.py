"""Texts for benchmarks, of any number: spans of real English and Chinese texts, drawn and put together by a seed.

A document is a row of spans of 8 to 20 terms from random places of the real corpora (the samples of the repository
where these are absent), so its words and n-grams are natural, and no two documents are alike by chance.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import orjson
from harness import ROOT, data_folder

PIECE = {"en": re.compile(r"\S+"), "zh": re.compile(r"[\u4e00-\u9fff]|[^\u4e00-\u9fff\s]+")}
FILES = {
    "en": ("en_general_brown_speeches.jsonl", "lf_c4_demo.jsonl"),
    "zh": ("zh_lctt_to2016.jsonl", "zh_law_national.jsonl"),
}


class Texts:
    """Draws texts of a language; `texts(n)` terms long each."""

    def __init__(self, language: str, seed: int = 0) -> None:
        folder = data_folder() / "corpus"
        paths = [folder / name for name in FILES[language] if (folder / name).is_file()]
        paths = paths or [ROOT / "samples" / f"documents_{language}.jsonl"]
        text = "\n".join(row["text"] for path in paths for row in map(orjson.loads, _lines(path)))
        self._terms = PIECE[language].findall(text)
        self._joint = " " if language == "en" else ""
        self._draw = np.random.default_rng(seed)

    def terms(self, count: int) -> list[str]:
        """So many terms."""
        found: list[str] = []
        while len(found) < count:
            place = int(self._draw.integers(0, len(self._terms) - 20))
            found += self._terms[place : place + int(self._draw.integers(8, 21))]
        return found[:count]

    def text(self, count: int) -> str:
        """A text of so many terms."""
        return self._joint.join(self.terms(count))

    def edited(self, text: str, language: str, edits: int) -> str:
        """A text with so many of its terms replaced by others."""
        terms = PIECE[language].findall(text)
        for place in self._draw.integers(0, len(terms), edits).tolist():
            terms[place] = self._terms[int(self._draw.integers(0, len(self._terms)))]
        return self._joint.join(terms)


def _lines(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines()


def write_documents(path: Path, count: int, words: int, near: float = 0.1, same: float = 0.03) -> None:
    """English documents; a share of them near, or exact, duplicates of earlier ones."""
    texts, draw = Texts("en"), np.random.default_rng(1)
    held: list[str] = []
    with open(path, "wb") as file:
        for _ in range(count):
            chance = draw.random() if held else 1.0
            if chance < near:
                text = texts.edited(held[int(draw.integers(len(held)))], "en", int(draw.integers(1, 8)))
            elif chance < near + same:
                text = held[int(draw.integers(len(held)))]
            else:
                text = texts.text(words)
                if len(held) < 20_000:
                    held.append(text)
            file.write(orjson.dumps({"text": text}) + b"\n")


def write_instructions(path: Path, count: int) -> None:
    """Rows of about 100 tokens, English and Chinese in turn, a tenth of them near duplicates of earlier ones."""
    texts = {language: Texts(language, 2) for language in ("en", "zh")}
    draw = np.random.default_rng(3)
    held: dict[str, list[tuple[str, str]]] = {"en": [], "zh": []}
    with open(path, "wb") as file:
        for number in range(count):
            language = "en" if number % 2 else "zh"
            drawn, seen = texts[language], held[language]
            if seen and draw.random() < 0.1:
                prompt, answer = seen[int(draw.integers(len(seen)))]
                answer = drawn.edited(answer, language, int(draw.integers(0, 4)))
            else:
                prompt, answer = drawn.text(15), drawn.text(60 if language == "en" else 90)
                if len(seen) < 20_000:
                    seen.append((prompt, answer))
            file.write(orjson.dumps({"instruction": prompt, "input": "", "output": answer}) + b"\n")
