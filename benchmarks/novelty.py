"""The novelty filter: speed beside rouge_score and rapidfuzz, growth to 100,000 candidates, exactness, calibration.

    pairs       candidates against a pool of 10,000 texts, the same pairs for all: every F of a candidate is to be known
                or ruled out, so that the highest and the first member that has it are certain. rouge_score: its scorer
                on strings, as Self-Instruct calls it, and its _score_lcs on terms found before, as Alpaca does.
                rapidfuzz: LCSseq by process.cdist, one character a term. All have to name the same nearest member.
    growth      100,000 candidates in turn against a pool of those kept, English and Chinese; one thread
    exactness   every real seed and instruction as a candidate against all before it, compat reference: score, neighbour
                and verdict beside those from rapidfuzz's LCS and the formula of rouge_score
    curve       the threshold for characters that admits the share that a threshold for words admits (docs/novelty.md)

Candidates are the first half of one real instruction and the second half of another. Texts come from the real data if
it is there (else from samples/, and no curve is drawn); nothing of it is copied.
Targets: 1,000 times the pairs a second of rouge_score's scorer; 100,000 candidates in 180 s on two cores.

Run as: `make bench-novelty`
"""

from __future__ import annotations

import random
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from harness import ROOT, arguments, data_folder, machine, publish, table

from dataforge.generate.nearest.terms import read_terms
from dataforge.generate.novelty import NoveltyFilter, chinese_threshold

PICTURE = ROOT / "docs" / "images" / "novelty-threshold.png"
SEEDS = {"en": "self_instruct__seed_tasks.jsonl", "zh": "belle__zh_seed_tasks.json"}
ALIGNED = ("00000_03252", "03252_06382", "06382_09407")
"""Alpaca files that are there in English and in Chinese translation."""
FIELDS = ("instruction", "prompt", "input", "output")
MOST_WORDS, CHARACTERS = 40, 1.65
"""Inputs and outputs are taken up to so many words, or so many times as many characters."""
MARKS = [k / 20 for k in range(10, 19)]
Row = dict[str, Any]


def lines(path: Path) -> list[Row]:
    """The rows of a file of JSON lines."""
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]


def load(lang: str, *, aligned: bool) -> tuple[list[Row], list[Row]]:
    """(seeds, Alpaca rows) of a language, from the real data; samples where it is absent."""
    files = sorted((data_folder() / "instruct").glob(f"alpaca_{lang}_*.json"))
    if not files:
        print("the real data is not here (set DATAFORGE_DATA); using samples/", file=sys.stderr)
        return [], lines(ROOT / "samples" / f"alpaca_{lang}.jsonl")
    files = [file for file in files if not aligned or file.stem[-11:] in ALIGNED]
    rows = [row for file in files for row in orjson.loads(file.read_bytes())]
    seeds = lines(data_folder() / "seeds" / SEEDS[lang])
    return [{"instruction": seed["instruction"], **seed["instances"][0]} for seed in seeds], rows


def recombined(lang: str, count: int) -> list[str]:
    """The beginning of one real instruction and the end of another, so many times."""
    draw, joint = random.Random(1), " " if lang == "en" else ""
    rows = [row["instruction"] for row in load(lang, aligned=False)[1]]
    pieces = [pieces for text in rows if (pieces := text.split() if lang == "en" else list(text))]
    made = []
    for _ in range(count):
        one, other = draw.choice(pieces), draw.choice(pieces)
        cut, rest = draw.randint(1, len(one)), draw.randrange(len(other))
        made.append(joint.join(one[:cut] + other[rest:]))
    return made


def rouge(lcs: Any, candidate: Any, member: Any) -> Any:
    """F of arrays, with the operations of rouge_score in their order."""
    precision, recall = lcs / member, lcs / candidate
    with np.errstate(invalid="ignore"):
        return np.nan_to_num(2 * precision * recall / (precision + recall))


def spell(texts: Sequence[str]) -> list[str]:
    """Each text with one character a term, for rapidfuzz; surrogates are passed over."""
    numbers: dict[str, int] = {}
    lists = [[numbers.setdefault(term, len(numbers)) for term in read_terms(t, reference=True)] for t in texts]
    return ["".join(chr(n + 1 if n < 0xD700 else n + 0x900) for n in terms) for terms in lists]


def contestants(pool: list[str], candidates: list[str]) -> dict[str, Callable[[], list[tuple[float, int]]]]:
    """For each contestant what gives (highest F, first member that has it) of each candidate."""
    from rapidfuzz.distance import LCSseq
    from rapidfuzz.process import cdist
    from rouge_score.rouge_scorer import RougeScorer, _score_lcs

    scorer = RougeScorer(["rougeL"], use_stemmer=False)
    tokens = [read_terms(text, reference=True) for text in pool]
    spelled = spell([*pool, *candidates])
    lengths = np.array([len(text) for text in spelled[: len(pool)]])
    novel = NoveltyFilter(0.7, "reference")
    for text in pool:
        novel.add(text)
    novel.check(candidates[0])

    def first(scores: Sequence[float]) -> tuple[float, int]:
        return max(scores), int(np.argmax(scores))

    def by_strings() -> list[tuple[float, int]]:
        return [first([scorer.score(text, other)["rougeL"].fmeasure for other in pool]) for text in candidates]

    def by_tokens() -> list[tuple[float, int]]:
        found = [read_terms(text, reference=True) for text in candidates]
        return [first([_score_lcs(terms, other).fmeasure for other in tokens]) for terms in found]

    def by_cdist() -> list[tuple[float, int]]:
        lcs = cdist(spelled[len(pool) :], spelled[: len(pool)], scorer=LCSseq.similarity, dtype=np.int32)
        return [first(rouge(row, len(text), lengths)) for row, text in zip(lcs, spelled[len(pool) :], strict=True)]

    def by_ours() -> list[tuple[float, int]]:
        said = [novel.check(text) for text in candidates]
        return [(verdict.score, verdict.nearest_index or 0) for verdict in said]

    return {
        "rouge_score, scorer.score": by_strings,
        "rouge_score, _score_lcs on stored terms": by_tokens,
        "rapidfuzz, cdist": by_cdist,
        "dataforge": by_ours,
    }


def pairs(count: int, runs: int) -> list[str]:
    """The table of pairs a second of CPU time, each in one thread; raises if two contestants disagree."""
    texts = recombined("en", count + 10)
    ways = contestants(texts[:count], texts[count:])
    answers, rates = {}, {}
    for name, way in ways.items():
        again = 200 if name == "dataforge" else 1
        spent = []
        for _ in range(runs):
            began = time.process_time()
            for _ in range(again):
                answers[name] = way()
            spent.append((time.process_time() - began) / again)
        rates[name] = 10 * count / statistics.median(spent)
        print(f"  {name}: {rates[name]:,.0f} pairs/s", file=sys.stderr)
    if any(answer != answers["dataforge"] for answer in answers.values()):
        raise RuntimeError("the contestants disagree on the nearest members")
    slowest = rates["rouge_score, scorer.score"]
    body = [[name, f"{rate:,.0f}", f"{rate / slowest:,.0f}x"] for name, rate in rates.items()]
    return table([f"10 candidates x {count:,} members", "pairs/s of one core", "against scorer.score"], body)


def growth(count: int) -> list[str]:
    """The table of time and memory while so many candidates are decided."""
    body = []
    for lang in ("en", "zh"):
        texts = recombined(lang, count)
        novel, spent, cpu, marks = NoveltyFilter(), 0.0, 0.0, {count // 4, count // 2, count}
        novel.check(texts[0])
        for begin in range(0, count, 1000):
            began, began_cpu = time.perf_counter(), time.process_time()
            for text in texts[begin : begin + 1000]:
                novel.admit(text)
            spent += time.perf_counter() - began
            cpu += time.process_time() - began_cpu
            done = begin + 1000
            if done in marks:
                rate = f"{novel.compared / done:.0f}"
                size = f"{novel.nbytes / len(novel):.0f}"
                body.append([lang, f"{done:,}", f"{len(novel):,}", f"{spent:.1f}", f"{cpu:.1f}", rate, size])
                print("  growth:", *body[-1], file=sys.stderr)
    header = ["lang", "candidates", "members after", "seconds", "CPU seconds", "LCS a candidate", "bytes a member"]
    return table(header, body)


def exactness() -> str:
    """One sentence: real texts whose score, neighbour or verdict differs from that of comparing all pairs."""
    from rapidfuzz.distance import LCSseq
    from rapidfuzz.process import cdist

    seeds, rows = load("en", aligned=False)
    texts = [row["instruction"] for row in [*seeds, *rows]]
    spelled, wrong, dropped = spell(texts), 0, 0
    lengths = np.array([len(text) for text in spelled])
    novel = NoveltyFilter(0.7, "reference")
    for i, text in enumerate(texts):
        verdict = novel.check(text)
        novel.add(text)
        dropped += not verdict.kept
        if i and spelled[i]:
            lcs = cdist([spelled[i]], spelled[:i], scorer=LCSseq.similarity, dtype=np.int32)[0]
            scores = rouge(lcs, lengths[i], lengths[:i])
            top = float(scores.max())
            index = int(scores.argmax()) if top else None
            wrong += (verdict.score, verdict.nearest_index, verdict.kept) != (top, index, not top > 0.7)
    pairs = len(texts) * (len(texts) - 1) // 2
    return f"{len(texts):,} seeds and instructions, {pairs:,} pairs, {dropped} above 0.7: {wrong} differences"


def field(rows: list[Row], name: str, lang: str) -> list[str]:
    """The texts of a field; prompt is the instruction and the input of rows that have both."""
    if name == "prompt":
        return [f"{row['instruction']}\n{row['input']}" for row in rows if row.get("input")]
    texts = [row[name] for row in rows if row.get(name)]
    if name == "instruction":
        return texts
    most = MOST_WORDS * (1 if lang == "en" else CHARACTERS)
    return [text for text in texts if most / 10 <= len(text.split() if lang == "en" else text) <= most]


def share(seeds: list[str], texts: list[str], threshold: float) -> float:
    """The share that is admitted after the seeds, in order; the threshold holds as it is for all texts."""
    novel = NoveltyFilter(threshold, lang="en")
    for seed in seeds:
        novel.add(seed)
    return sum(novel.admit(text).kept for text in texts) / len(texts)


def curves() -> dict[str, tuple[list[float], list[float], list[float], str]]:
    """For each field: shares at MARKS in English, at `grid` in Chinese, the matching thresholds, texts of each."""
    grid = [k / 100 for k in range(30, 100)]
    made = {}
    sides = {lang: load(lang, aligned=True) for lang in ("en", "zh")}
    for name in FIELDS:
        texts = {
            lang: ([] if name in ("input", "output") else field(seeds, name, lang), field(rows, name, lang))
            for lang, (seeds, rows) in sides.items()
        }
        en = [share(*texts["en"], t) for t in MARKS]
        zh = [share(*texts["zh"], t) for t in grid]
        match = [float(np.interp(value, zh, grid)) for value in en]
        made[name] = (en, zh, match, f"{len(texts['en'][1]):,} and {len(texts['zh'][1]):,}")
        print(f"  {name}: {[round(t, 3) for t in match]}", file=sys.stderr)
        if name == "prompt":
            print(f"  prompt at 0.7: {interval(texts)}", file=sys.stderr)
    return made


def interval(texts: dict[str, tuple[list[str], list[str]]]) -> tuple[float, float]:
    """The 5th and 95th percentile of the match of 0.7, texts drawn anew 1,000 times; all texts stay members."""
    scores = []
    for seeds, rows in texts.values():
        novel = NoveltyFilter(1.0)
        for seed in seeds:
            novel.add(seed)
        scores.append(np.array([novel.admit(text).score for text in rows]))
    draw = np.random.default_rng(1)
    en, zh = ([draw.choice(side, len(side)) for _ in range(1000)] for side in scores)
    found = [np.quantile(z, (e <= 0.7).mean()) for e, z in zip(en, zh, strict=True)]
    return round(float(np.quantile(found, 0.05)), 3), round(float(np.quantile(found, 0.95)), 3)


def draw(made: dict[str, tuple[list[float], list[float], list[float], str]]) -> None:
    """The plot: shares by threshold, and the matching thresholds."""
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    grid = [k / 100 for k in range(30, 100)]
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4))
    left.plot(MARKS, made["prompt"][0], "o-", label="English, words")
    left.plot(grid, made["prompt"][1], "-", label="Chinese, characters")
    left.set(xlabel="threshold", ylabel="share admitted", title="Prompts", xlim=(0.48, 0.92), ylim=(0.85, 1.005))
    for name in FIELDS:
        kept = [k for k, value in enumerate(made[name][0]) if value < 1]
        right.plot([MARKS[k] for k in kept], [made[name][2][k] for k in kept], "o:", markersize=3, label=name)
    right.plot(MARKS, [chinese_threshold(t) for t in MARKS], "k-", linewidth=2, label="chinese_threshold")
    right.set(xlabel="threshold for words", ylabel="threshold for characters", title="The same share admitted")
    for axes in (left, right):
        axes.grid(alpha=0.3)
        axes.legend()
    figure.tight_layout()
    figure.savefig(PICTURE, dpi=110, metadata={"Software": None})


def calibration(*, write: bool) -> list[str]:
    """The table of matching thresholds beside the one in the code."""
    if not load("zh", aligned=True)[0]:
        return ["No calibration: the real data is absent."]
    made = curves()
    if write:
        draw(made)
    grid = [k / 100 for k in range(30, 100)]
    body = []
    for k, mark in enumerate(MARKS):
        en, zh, _, _ = made["prompt"]
        admitted = float(np.interp(chinese_threshold(mark), grid, zh))
        match = [made[name][2][k] for name in FIELDS]
        cells = ["-" if made[name][0][k] == 1 else f"{value:.3f}" for name, value in zip(FIELDS, match, strict=True)]
        row = [f"{mark:.2f}", f"{chinese_threshold(mark):.2f}", f"{en[k]:.2%}", f"{admitted:.2%}"]
        body.append([*row, cells[1], cells[0], *cells[2:]])
    header = ["words", "characters", "en prompts admitted", "zh prompts admitted"]
    header += ["match: prompts", "instructions", "inputs", "outputs"]
    counts = "; ".join(f"{name} {made[name][3]}" for name in FIELDS)
    return [*table(header, body), "", f"English and Chinese texts: {counts}."]


def main() -> None:
    """Measure and publish."""
    options = arguments(__doc__ or "", members=10_000, candidates=100_000)
    text = [
        "Instructions recombined from real ones, exact search; no pair is estimated.",
        f"Medians of {options.runs} runs. {machine('rouge_score', 'rapidfuzz', 'numba')}.",
        "",
        *pairs(options.members, options.runs),
        "",
        *growth(options.candidates),
        "",
        f"Compared with all pairs by rapidfuzz and the formula of rouge_score: {exactness()}.",
        "",
        "Thresholds that admit the same share (`docs/novelty.md`):",
        "",
        *calibration(write=options.write),
    ]
    publish("novelty", "novelty", text, write=options.write)


if __name__ == "__main__":
    main()
