"""What pairing costs: prompts with four scored answers each, file to file, by every strategy.

Seconds of whole runs with 2 workers, start-up included, and the peak resident memory of the process tree, at a tenth
of the prompts and at all of them. Answers are real Alpaca outputs in English and Chinese, of different prompts, with a
number that makes each one new; scores are drawn from 1 to 10 in halves, so that some tie. Beside it the number of
pairs that a few lines of plain Python find, which must be the same. Target: 200,000 prompts within 20 s.

Run as: `make bench-pair`
"""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path

import orjson
from harness import (
    alpaca_rows,
    arguments,
    data_folder,
    dataforge,
    interleave,
    machine,
    peak_memory,
    publish,
    table,
    timed,
)

STRATEGIES = ("best-worst", "best-random", "adjacent", "best-vs-all", "all", "threshold")
MORE = {"threshold": ("--high", "7", "--low", "4")}
ANSWERS = 4
BALANCED = "best-random, --balance-length"


def texts() -> list[tuple[str, str]]:
    """(prompt, answer) of real rows in both languages; of sample rows where those are absent."""
    rows, _ = alpaca_rows()
    for file in sorted((data_folder() / "instruct").glob("alpaca_zh_*.json")):
        rows += orjson.loads(file.read_bytes())
    random.Random(1).shuffle(rows)
    return [(row["instruction"], row["output"]) for row in rows if row["output"].strip()]


def write(path: Path, count: int) -> dict[str, int]:
    """A file of `count` prompts; how many pairs each strategy finds in it, by plain Python."""
    known, draw = texts(), random.Random(2)
    found = dict.fromkeys(STRATEGIES, 0)
    with open(path, "wb") as file:
        for number in range(count):
            prompt = known[number % len(known)][0]
            scores = [draw.randrange(2, 21) / 2 for _ in range(ANSWERS)]
            answers = [
                {"content": f"{number}.{place} {known[(number * 7 + place * 31) % len(known)][1]}", "score": score}
                for place, score in enumerate(scores)
            ]
            file.write(orjson.dumps({"prompt": f"{prompt} ({number})", "responses": answers}) + b"\n")
            levels = sorted(set(scores))
            better = [(a, b) for a in scores for b in scores if a > b]
            found["best-worst"] += bool(better)
            found["best-random"] += bool(better)
            found["adjacent"] += len(levels) - 1
            found["best-vs-all"] += sum(score < levels[-1] for score in scores)
            found["all"] += len(better)
            found["threshold"] += sum(a >= 7 and b <= 4 for a, b in better)
    return found


def main() -> None:
    """Measure and publish."""
    options = arguments(__doc__ or "", prompts=200_000)
    work = Path(options.work)
    source, out = work / "ranked.jsonl", work / "pairs.jsonl"
    counts = (options.prompts // 10, options.prompts)
    body: list[list[object]] = [[name] for name in (*STRATEGIES, BALANCED)]
    sizes = []

    def command(name: str) -> list[str]:
        strategy = "best-random" if name == BALANCED else name
        more = ("--balance-length",) if name == BALANCED else MORE.get(name, ())
        return dataforge("pair", str(source), "-o", str(out), "-fq", "-j", "2", "--strategy", strategy, *more)

    for count in counts:
        expected = write(source, count)
        sizes.append(source.stat().st_size / 1e6)
        contestants = {str(row[0]): (lambda name=str(row[0]): timed(command(name))) for row in body}
        series = interleave(contestants, options.runs, warm_up=False)
        for row in body:
            name = str(row[0])
            peak = peak_memory(command(name))
            account = json.loads(Path(f"{out}.forge/report.json").read_bytes())["pairs"]
            assert account["answers"] == ANSWERS * count
            assert name == BALANCED or account["pairs"] == expected[name], (name, account["pairs"], expected[name])
            row += [f"{account['pairs']:,}", f"{series[name].median:.1f}", series[name].spread(), f"{peak:,.0f}"]
    small, large = (f"{count:,}" for count in counts)
    header = ["strategy"]
    for count in (small, large):
        header += [f"pairs of {count}", "seconds", "min-max", "peak MiB"]
    text = [
        f"{small} and {large} prompts with {ANSWERS} scored answers ({sizes[0]:.0f} and {sizes[1]:.0f} MB), -j 2.",
        f"Medians of {options.runs} runs. {machine('numpy', 'orjson')}.",
        "",
        *table(header, body),
    ]
    publish("pair", "pair", text, write=options.write)
    source.unlink()
    out.unlink()
    shutil.rmtree(f"{out}.forge", ignore_errors=True)


if __name__ == "__main__":
    main()
