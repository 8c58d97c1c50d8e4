"""How many near duplicates dedup finds: pairs of known Jaccard similarity, in English, Chinese and mixed text.

For each language and level (0.6 to 1.0) so many pairs: a text of real spans, and a copy in which one stretch of terms
is replaced, as long as the level asks for. The similarity of each pair is computed from Python sets of shingles by a
tokeniser that shares no code with the package. Then

    candidates   share of pairs that agree in a band, beside the mean of 1 - (1 - s^r)^b over the same similarities, and
                 beside datasketch's MinHashLSH over the same shingles
    found        (`dataforge dedup` on all texts in one file, verified) share of pairs of at least the threshold of
                 which the copy is dropped with the original as its keeper; precision: dropped rows whose keeper is
                 really that similar; F1 of both; and the same with --no-verify

Targets: recall within 1 point of theory, precision 1.0 with verification.
Run as: `make bench-recall`
"""

from __future__ import annotations

import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import orjson
from corpus import PIECE, Texts
from harness import ROOT, arguments, dataforge, machine, publish, table

sys.path.insert(0, str(ROOT / "tests"))
from plain_terms import jaccard, shingles, terms  # noqa: E402

from dataforge.ops.duplicates.minhash import Scheme, band_keys, bands, chance  # noqa: E402

LEVELS = (0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1.0)
THRESHOLD, N = 0.8, 5
LENGTH = 100
PICTURE = ROOT / "docs" / "images" / "recall.svg"


@cache
def sets(text: str) -> set[tuple[str, ...]]:
    """The shingles of a text, found once."""
    found: set[tuple[str, ...]] = shingles(text, N)
    return found


def pairs(language: str, level: float, count: int, seed: int) -> list[tuple[str, str]]:
    """Pairs of texts whose shingle sets are about as similar as the level says."""
    kinds = ("en", "zh") if language == "mixed" else (language,)
    drawn = [Texts(kind, seed + n) for n, kind in enumerate(kinds)]
    draw = np.random.default_rng(seed)
    made = []
    for _ in range(count):
        length = int(draw.integers(LENGTH // 2, LENGTH * 3 // 2))
        texts = [t.text(length // len(kinds)) for t in drawn]
        copies = []
        for text, kind, source in zip(texts, kinds, drawn, strict=True):
            pieces = PIECE[kind].findall(text)
            lost = round((len(pieces) - N + 1) * (1 - level) / (1 + level))
            width = max(0, lost - N + 1)
            if lost:
                start = 0 if width == 0 else int(draw.integers(0, max(1, len(pieces) - width)))
                width = width or lost  # a change at the very beginning touches fewer shingles
                pieces[start : start + width] = source.terms(width)
            copies.append((" " if kind == "en" else "").join(pieces))
        made.append((" \n".join(texts), " \n".join(copies)))
    return made


def datasketch_finds(made: list[tuple[str, str]]) -> float:
    """The share of pairs that datasketch's index gives back."""
    from datasketch import MinHash, MinHashLSH

    index = MinHashLSH(THRESHOLD, 128)

    def sketch(text: str) -> MinHash:
        found = MinHash(128)
        found.update_batch([repr(shingle).encode() for shingle in sets(text)])
        return found

    for number, (one, _) in enumerate(made):
        index.insert(number, sketch(one))
    return sum(number in index.query(sketch(two)) for number, (_, two) in enumerate(made)) / len(made)


def dedup_finds(work: Path, made: list[tuple[str, str]], similar: np.ndarray, *more: str) -> tuple[float, float]:
    """(recall, precision) of the command over pairs, those of at least the threshold being the right ones."""
    import polars as pl

    path, out = work / "pairs.jsonl", work / "pairs.out.jsonl"
    path.write_bytes(
        b"".join(orjson.dumps({"text": text}) + b"\n" for side in zip(*made, strict=True) for text in side)
    )
    words = ("-o", str(out), "--method", "minhash", "--threshold", str(THRESHOLD), "-q", "-f", *more)
    subprocess.run(dataforge("dedup", str(path), *words), check=True)
    ledger = pl.read_parquet(Path(f"{out}.forge") / "ledger.parquet")
    keeper = ledger["keeper_ordinal"].fill_null(-1).to_numpy()
    count = len(made)
    dropped = np.flatnonzero(keeper >= 0)
    texts = [text for side in zip(*made, strict=True) for text in side]
    right = [jaccard(sets(texts[row]), sets(texts[keeper[row]])) >= THRESHOLD for row in dropped]
    due = np.flatnonzero(similar >= THRESHOLD)
    hit = (keeper[count + due] == due).mean() if len(due) else float("nan")
    return float(hit), float(np.mean(right)) if right else float("nan")


def measure(language: str, count: int, peer_count: int, work: Path) -> tuple[list[list[str]], list[tuple[float, ...]]]:
    """Rows of the table for a language, and (similarity, theory, ours, datasketch) by level."""
    b, r = bands(THRESHOLD, 128)
    scheme, body, points = Scheme(128, N), [], []
    for number, level in enumerate(LEVELS):
        made = pairs(language, level, count, 100 * number + len(language))
        similar = np.array([jaccard(sets(one), sets(two)) for one, two in made])
        keys = [band_keys(scheme.sign([pair[side] for pair in made])[0], b, r) for side in (0, 1)]
        found = float((keys[0] == keys[1]).any(axis=1).mean())
        theory = float(chance(similar, b, r).mean())
        theirs = datasketch_finds(made[:peer_count])
        points.append((float(similar.mean()), theory, found, theirs))
        due = similar >= THRESHOLD
        due_theory = float(chance(similar[due], b, r).mean()) if due.any() else float("nan")
        recall, precision = dedup_finds(work, made, similar)
        loose = dedup_finds(work, made, similar, "--no-verify")
        f1 = 2 * recall * precision / (recall + precision) if recall + precision > 0 else float("nan")
        figures = [similar.mean(), theory, found, theirs, due.mean(), due_theory, recall, precision, f1, *loose]
        sets.cache_clear()
        body.append([language, f"{level:g}", f"{count:,}", f"{figures[0]:.3f}", *(_cell(x) for x in figures[1:])])
        print(body[-1], file=sys.stderr)
    return body, points


def _cell(share: float) -> str:
    return "" if np.isnan(share) else f"{100 * share:.2f}"


def draw_picture(points: dict[str, list[tuple[float, ...]]]) -> None:
    """The measured shares beside the S-curve."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "dataforge"
    import matplotlib.pyplot as plt

    b, r = bands(THRESHOLD, 128)
    line = np.linspace(0.5, 1, 200)
    figure, axes = plt.subplots(figsize=(7, 4.2))
    axes.plot(line, chance(line, b, r), color="0.4", label=f"1 - (1 - s^{r})^{b}")
    for marker, (language, found) in zip("os^", points.items(), strict=False):
        axes.plot([p[0] for p in found], [p[2] for p in found], marker, label=f"dataforge, {language}")
    axes.plot(
        [p[0] for f in points.values() for p in f], [p[3] for f in points.values() for p in f], "kx", label="datasketch"
    )
    axes.set(xlabel="Jaccard similarity of the pair", ylabel="share of pairs that become candidates")
    axes.axvline(THRESHOLD, color="0.8", zorder=0)
    axes.legend(frameon=False)
    PICTURE.parent.mkdir(exist_ok=True)
    figure.savefig(PICTURE, bbox_inches="tight", metadata={"Date": None})


def main() -> None:
    """Measure and publish."""
    options = arguments(__doc__ or "", pairs=10_000, peer_pairs=10_000)
    assert terms("a") and options.pairs >= 1
    body, points = [], {}
    for language in ("en", "zh", "mixed"):
        rows, points[language] = measure(language, options.pairs, options.peer_pairs, Path(options.work))
        body += rows
    b, r = bands(THRESHOLD, 128)
    header = ["text", "level", "pairs", "mean similarity", "theory %", "candidates %", "datasketch %"]
    header += [
        "pairs due %",
        "theory of due %",
        "recall %",
        "precision %",
        "F1 %",
        "recall, no verify %",
        "precision, no verify %",
    ]
    text = [
        f"Threshold {THRESHOLD}, 128 permutations, {b} bands of {r}, {N}-term shingles; pairs due: those of at least "
        "the threshold, by Python sets of shingles. Theory is the mean of 1 - (1 - s^r)^b over the pairs of the row.",
        f"{machine('datasketch')}.",
        "",
        *table(header, body),
        "",
        "![candidates by similarity](images/recall.svg)",
    ]
    if options.write:
        draw_picture(points)
    publish("recall", "dedup: recall and precision", text, write=options.write)


if __name__ == "__main__":
    main()
