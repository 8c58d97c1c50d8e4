"""The support check of `grounded` on real documents: which answers pass at which threshold.

Answers are two neighbouring sentences of a passage of 2,000 characters, held against
- their own passage, as they stand and with one word in twenty, ten, seven or five changed or left out;
- the next passage of the same document, and a passage of another one (planted wrong answers);
and answers of Alpaca that people's models wrote freely about a given text, held against it and against another text.

Run as: `make bench-support`
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import orjson
from harness import arguments, data_folder, machine, publish, table

from dataforge.generate.documents.passages import cut, sentences
from dataforge.generate.documents.support import Source

THRESHOLDS = (0.2, 0.3, 0.4, 0.5, 0.6, 0.8)
CORPORA = {
    "MedQuAD (en)": ("en_medquad_first2600", "answer"),
    "C4 (en)": ("lf_c4_demo", "text"),
    "Brown, speeches (en)": ("en_general_brown_speeches", "text"),
    "LCTT (zh)": ("zh_lctt_to2016", "text"),
    "statutes (zh)": ("zh_law_national", "text"),
}
RATES = (0.05, 0.1, 0.15, 0.2)
ASKS_FOR_THE_TEXT = re.compile(
    r"summar|main (?:idea|point|argument)|focus of|answer the (?:following )?question|extract|key (?:point|fact)|"
    r"(?:according to|based on) the (?:text|passage|article)|总结|摘要|概括|要点|焦点|根据|回答|提取|找出",
    re.IGNORECASE,
)
Pair = tuple[str, str]
"""(answer, source)."""


def documents(name: str, key: str) -> list[list[str]]:
    """The passages of each document that has several."""
    rows = map(orjson.loads, (data_folder() / "corpus" / f"{name}.jsonl").read_bytes().splitlines())
    found = ([p.text for p in cut(row.get(key) or "", 2000) if len(p.text) > 300] for row in rows)
    return [passages for passages in found if len(passages) > 1]


def answers(found: Sequence[list[str]], chance: random.Random, most: int) -> Iterator[tuple[str, str, str, str]]:
    """(answer, its passage, the next passage, a passage of another document)."""
    for number in chance.sample(range(len(found)), min(most, len(found))):
        passages = found[number]
        index = chance.randrange(len(passages))
        said = [sentence for sentence in sentences(passages[index]) if len(sentence) > 15]
        if len(said) < 4:
            continue
        start = chance.randrange(len(said) - 1)
        other = found[(number + chance.randrange(1, len(found))) % len(found)]
        beside = passages[index + 1] if index + 1 < len(passages) else passages[index - 1]
        yield "\n".join(said[start : start + 2]), passages[index], beside, chance.choice(other)


def changed(answer: str, rate: float, chance: random.Random) -> str:
    """The answer with words (of Chinese: two characters) replaced by empty ones, or left out."""
    lines = []
    for line in answer.split("\n"):
        words = line.split(" ") if line.isascii() else re.findall(r"[\x21-\x7e]+|..?", line)
        filler = ("certain", "various", "") if line.isascii() else ("某种", "这个", "")
        kept = [chance.choice(filler) if chance.random() < rate else word for word in words]
        lines.append((" " if line.isascii() else "").join(kept))
    return "\n".join(lines)


def free_answers(lang: str) -> list[Pair]:
    """Alpaca's answers about a text of some length, with that text."""
    found = {}
    for path in sorted((data_folder() / "instruct").glob(f"*alpaca_{lang}_*.json")):
        for row in orjson.loads(path.read_bytes()):
            text, answer = row.get("input") or "", row.get("output") or ""
            length = len(text) if lang == "zh" else len(text.split())
            if length >= (100 if lang == "zh" else 60) and ASKS_FOR_THE_TEXT.search(row["instruction"]):
                if len(answer) > (25 if lang == "zh" else 60):
                    found[text] = answer
    return [(answer, text) for text, answer in found.items()]


def line(name: str, what: str, pairs: Sequence[Pair]) -> list[str]:
    """A row of the table: the share of answers that passes each threshold; and of those with numbers, by numbers."""
    sources = {text: Source(text) for text in {text for _, text in pairs}}
    lowest = [sources[text].weakest(answer).containment for answer, text in pairs]
    shares = [f"{sum(value >= least for value in lowest) / len(lowest):.1%}" for least in THRESHOLDS]
    with_numbers = [(answer, text) for answer, text in pairs if re.search(r"\d", answer)]
    passed = sum(not sources[text].foreign_numbers(answer) for answer, text in with_numbers)
    numbers = f"{passed} of {len(with_numbers)}" if with_numbers else "-"
    return [name, what, f"{len(pairs):,}", *shares, numbers]


def other_diseases(chance: random.Random) -> list[Pair]:
    """MedQuAD's answers (three sentences), each with one to the same question about another disease."""
    kinds: dict[str, list[dict[str, str]]] = {}
    for row in map(orjson.loads, (data_folder() / "corpus" / "en_medquad_first2600.jsonl").read_bytes().splitlines()):
        if row["answer"]:
            kinds.setdefault(row["qtype"], []).append(row)
    drawn = [(row, chance.choice(rows)) for rows in kinds.values() for row in rows[::4]]
    return [
        ("\n".join(sentences(one["answer"])[:3]), other["answer"])
        for one, other in drawn
        if one["focus"] != other["focus"]
    ]


def measure(most: int) -> list[list[str]]:
    """All rows of the table."""
    rows = []
    for name, (file, key) in CORPORA.items():
        chance = random.Random(7)
        found = list(answers(documents(file, key), chance, most))
        edits: Callable[[float], list[Pair]] = lambda rate: [(changed(a, rate, chance), p) for a, p, _, _ in found]  # noqa: B023, E731
        rows.append(line(name, "own passage, as it stands", [(a, p) for a, p, _, _ in found]))
        rows += [line(name, f"own passage, {rate:.0%} of words changed", edits(rate)) for rate in RATES]
        rows.append(line(name, "wrong: the next passage", [(a, p) for a, _, p, _ in found]))
        rows.append(line(name, "wrong: another document", [(a, p) for a, _, _, p in found]))
    rows.append(line("MedQuAD (en)", "wrong: same question, another disease", other_diseases(random.Random(7))))
    for lang in ("en", "zh"):
        free = free_answers(lang)
        shifted = [(answer, free[(place + 5) % len(free)][1]) for place, (answer, _) in enumerate(free)]
        rows.append(line(f"Alpaca ({lang})", "free answer, its text", free))
        rows.append(line(f"Alpaca ({lang})", "wrong: another text", shifted))
    return rows


def main() -> None:
    """Measure and publish."""
    options = arguments(__doc__ or "", most=400)
    if not Path(data_folder() / "corpus").is_dir():
        raise SystemExit("no real documents: set DATAFORGE_DATA")
    header = ["documents", "answer held against", "answers", *(f"{least:g}" for least in THRESHOLDS), "numbers pass"]
    lines = [
        "Share of answers whose weakest sentence reaches the threshold (`--support`), and how many of the answers with",
        f"numbers have none that the source lacks. {machine()}.",
        "",
        *table(header, measure(options.most)),
    ]
    publish("support", "grounded: the support check", lines, write=options.write)


if __name__ == "__main__":
    main()
