"""What each curation step removes from the real corpora: clean, dedup, filter and decontaminate, one after the other.

Writes the table and the pictures of docs/curation.md. The steps and their settings are those that the page recommends.

Run as: `python benchmarks/curation.py --write`
"""

from __future__ import annotations

import subprocess
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import orjson
from harness import ROOT, arguments, data_folder, dataforge, machine, publish, table

PAGE = ROOT / "docs" / "curation.md"
IMAGES = ROOT / "docs" / "images"
EVALS = ("eval/gsm8k__test.jsonl", "eval/humaneval__HumanEval.jsonl.gz", "eval/cmmlu_dev")


class Corpus(NamedTuple):
    """Files of one kind, and the preset that fits them."""

    name: str
    files: tuple[str, ...]
    preset: str


CORPORA = (
    Corpus("Alpaca, English", ("instruct/alpaca_en_*.json",), "sft"),
    Corpus("Alpaca, Chinese", ("instruct/alpaca_zh_*.json",), "sft"),
    Corpus("code questions, Chinese", ("instruct/zh_code_questions*.json",), "sft"),
    Corpus("ShareGPT, Chinese", ("chat/medicalgpt__sft__sharegpt_zh_1K_format.jsonl",), "sft"),
    Corpus("tool dialogues, both", ("tools/lf_glaive_toolcall_*_demo.json",), "sft"),
    Corpus("MedQuAD answers", ("corpus/en_medquad_first2600.jsonl",), "sft"),
    Corpus("Brown and speeches", ("corpus/en_general_brown_speeches.jsonl",), "cpt"),
    Corpus("C4 sample", ("corpus/lf_c4_demo.jsonl",), "cpt"),
    Corpus("statutes, Chinese", ("corpus/zh_law_national.jsonl",), "cpt"),
    Corpus("LCTT, Chinese", ("corpus/zh_lctt_to2016.jsonl",), "zh-web"),
)
STEPS = ("clean", "dedup", "filter", "decontaminate")


def run(work: Path, corpus: Corpus) -> dict[str, dict[str, object]]:
    """The counts of each step of a corpus, by its manifest; rows that cannot be read are counted by the first."""
    folder = data_folder()
    inputs = [str(path) for pattern in corpus.files for path in sorted(folder.glob(pattern))]
    if not inputs:
        return {}
    against = [word for name in EVALS for word in ("--against", str(folder / name))]
    commands = {
        "clean": ["clean"],
        "dedup": ["dedup", "--method", "minhash", "--threshold", "0.8"],
        "filter": ["filter", "--preset", corpus.preset, "--no-save-scores"],
        "decontaminate": ["decontaminate", *against],
    }
    counts = {}
    for step in STEPS:
        out = work / f"{step}.jsonl"
        words = [*commands[step], *inputs, "-o", str(out), "-q", "-f", "--on-error", "reject"]
        done = subprocess.run(dataforge(*words), capture_output=True, text=True)
        if done.returncode not in (0, 1):
            raise RuntimeError(done.stderr)
        counts[step] = orjson.loads((Path(f"{out}.forge") / "manifest.json").read_bytes())["counts"]
        if step == "dedup":
            counts["similarity"] = similarities(Path(f"{out}.forge") / "ledger.parquet")
        inputs = [str(out)]
    return counts


def similarities(ledger: Path) -> list[float]:
    """The exact similarities of the rows that were dropped as near duplicates."""
    import polars as pl

    found = pl.read_parquet(ledger).filter(pl.col("rule") == "duplicate:minhash")
    return [value for value in found["similarity"].to_list() if value is not None]


def rules(counts: dict[str, object], most: int = 4) -> str:
    """The rules of a step and their counts, the commonest first."""
    found = Counter({name.partition(":")[2]: n for name, n in counts["rules"].items()})
    shown = [f"{name} {count:,}" for name, count in found.most_common(most)]
    return ", ".join(shown) + (f", {len(found) - most} more" if len(found) > most else "")


def draw(results: dict[str, dict[str, object]]) -> None:
    """Shares by corpus and step, and the similarities of what dedup dropped."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "dataforge"
    import matplotlib.pyplot as plt

    IMAGES.mkdir(exist_ok=True)
    names = list(results)
    figure, axes = plt.subplots(figsize=(8, 0.42 * len(names) + 1.2))
    left = [0.0] * len(names)
    for step, colour in zip(STEPS[1:], ("#4477aa", "#ee6677", "#228833"), strict=True):
        shares = [100 * results[name][step]["dropped"] / results[name]["clean"]["in"] for name in names]
        axes.barh(names, shares, left=left, color=colour, label=step)
        left = [a + b for a, b in zip(left, shares, strict=True)]
    axes.invert_yaxis()
    axes.set_xlabel("% of the rows that the step drops")
    axes.legend(frameon=False, loc="lower right")
    figure.savefig(IMAGES / "curation.svg", bbox_inches="tight", metadata={"Date": None})
    figure, axes = plt.subplots(figsize=(8, 3.2))
    found = {name: results[name]["similarity"] for name in names if len(results[name]["similarity"]) >= 10}
    if found:
        axes.hist(list(found.values()), bins=[0.8 + 0.02 * n for n in range(11)], stacked=True, label=list(found))
        axes.legend(frameon=False)
    axes.set(xlabel="exact Jaccard similarity of a dropped row and its keeper", ylabel="rows")
    figure.savefig(IMAGES / "similarities.svg", bbox_inches="tight", metadata={"Date": None})


def main() -> None:
    """Measure and publish."""
    options = arguments(__doc__ or "")
    work = Path(options.work)
    results = {corpus.name: counts for corpus in CORPORA if (counts := run(work, corpus))}
    body = []
    for corpus in CORPORA:
        if corpus.name not in results:
            continue
        counts = results[corpus.name]
        first, last = counts["clean"], counts["decontaminate"]
        cells = [corpus.name, f"{first['in']:,}", f"{first['errors']:,}"]
        cells.append(f"{first['repaired']:,} ({rules(first)})" if first["repaired"] else "0")
        for step in STEPS[1:]:
            label = f"{corpus.preset}: " if step == "filter" else ""
            cells.append(
                f"{label}{counts[step]['dropped']:,}" + (f" ({rules(counts[step])})" if counts[step]["dropped"] else "")
            )
        body.append([*cells, f"{last['out']:,}"])
    header = [
        "corpus",
        "rows",
        "unreadable",
        "clean repairs",
        "dedup drops",
        "filter drops",
        "decontaminate drops",
        "rows left",
    ]
    text = [f"{machine()}.", "", *table(header, body)]
    if options.write:
        draw(results)
    publish("curation", "The figures", text, write=options.write, page=PAGE)


if __name__ == "__main__":
    main()
