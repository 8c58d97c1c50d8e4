"""What scoring costs, and what the presets take of text that is known to be good.

MB/s of whole runs of `dataforge score` with 2 workers, start-up included, from file to table; and MB a second of one
core's time (in this process, so that other load on the machine weighs less). Then, for each preset and real corpus, the
share of rows that its rules remove. Target: 15 MB/s with 2 workers for the scorer `rules`.

Run as: `make bench-score`
"""

from __future__ import annotations

import json
import statistics
import subprocess
import time
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
    write_rows,
)

from dataforge.engine.worker import Task
from dataforge.io.chunks import open_reading, read_chunks
from dataforge.io.paths import find_sources

SCORERS = ("rules", "length", "lang")
DOCUMENTS = ("zh_lctt_to2016.jsonl", "en_general_brown_speeches.jsonl", "lf_c4_demo.jsonl")
GOOD = {
    "cpt": ("corpus/zh_law_national.jsonl", "corpus/zh_lctt_to2016.jsonl", "corpus/en_general_brown_speeches.jsonl"),
    "zh-web": ("corpus/zh_law_national.jsonl", "corpus/zh_lctt_to2016.jsonl"),
    "sft": (
        "instruct/alpaca_zh_00000_03252.json",
        "instruct/alpaca_en_00000_03252.json",
        "corpus/en_medquad_first2600.jsonl",
    ),
}


def chinese_rows() -> list[object]:
    """Real Chinese Alpaca rows; one made row where they are absent."""
    files = sorted((data_folder() / "instruct").glob("alpaca_zh_*.json"))
    made = [
        {"instruction": "介绍一下北京。", "input": "", "output": "北京是一座有三千多年历史的城市，也是中国的首都。"}
    ]
    return [row for file in files for row in orjson.loads(file.read_bytes())] or made


def documents() -> list[object]:
    """Real documents in English and Chinese; one made document where they are absent."""
    files = [file for name in DOCUMENTS if (file := data_folder() / "corpus" / name).exists()]
    rows = [{"text": orjson.loads(line)["text"]} for file in files for line in file.read_bytes().splitlines()]
    return rows or [{"text": "The river runs through the old town. 这条河流经古老的小镇。\n" * 20}]


def core_speed(path: Path, scorer: str, runs: int) -> float:
    """MB a second of CPU time, of the worker's task alone: the median of some runs over some chunks."""
    task = Task("scored", {"scorers": {scorer: {}}, "skip": {}})
    (source,) = find_sources([str(path)])
    chunks = [chunk for _, chunk in zip(range(12), read_chunks(source, 0, open_reading(source)), strict=False)]
    speeds = []
    for _ in range(runs + 1):
        began = time.process_time()
        for chunk in chunks:
            task.run(chunk)
        speeds.append(sum(chunk.length for chunk in chunks) / 1e6 / (time.process_time() - began))
    return statistics.median(speeds[1:])


def speeds(files: dict[str, Path], runs: int) -> list[str]:
    """The table of MB/s."""
    words = ("--force", "-q", "-j", "2", "--with")
    series = interleave(
        {
            f"{what}, {scorer}": (lambda path=path, scorer=scorer: timed(dataforge("score", str(path), *words, scorer)))
            for what, path in files.items()
            for scorer in SCORERS
        },
        runs,
    )
    body = []
    for what, path in files.items():
        size = path.stat().st_size / 1e6
        for scorer in SCORERS:
            one = series[f"{what}, {scorer}"]
            core = core_speed(path, scorer, min(runs, 3))
            body.append(
                [
                    what,
                    scorer,
                    f"{size:.0f}",
                    f"{one.median:.2f}",
                    one.spread(2),
                    f"{size / one.median:.0f}",
                    f"{core:.0f}",
                ]
            )
    return table(["rows", "scorer", "MB", "seconds", "min-max", "MB/s, 2 workers", "MB a CPU second"], body)


def taken(work: Path) -> list[str]:
    """The table of what presets remove of good text: by each rule that removes anything."""
    body = []
    for preset, names in GOOD.items():
        for name in names:
            if not (data_folder() / name).exists():
                continue
            copy = work / Path(name).name
            copy.write_bytes((data_folder() / name).read_bytes())
            words = ("--preset", preset, "--explain", "--dry-run", "--json", "-q", "--on-error", "reject")
            done = subprocess.run(dataforge("filter", str(copy), *words), capture_output=True, text=True, check=False)
            rules = json.loads(done.stdout)["rules"] if done.stdout else []
            shares = [
                f"{rule['rule'].rpartition(':')[2]} {100 * rule['share']:.1f}" for rule in rules if rule["removed"]
            ]
            body.append([preset, copy.stem, ", ".join(shares) or "nothing"])
            copy.unlink()
    return table(["preset", "good text", "rules that remove any of it, in % of the rows"], body)


def main() -> None:
    """Measure and publish."""
    options = arguments(__doc__ or "", megabytes=100)
    work = Path(options.work)
    english, what = alpaca_rows()
    rows = {
        f"{what} (English)": english,
        "Chinese Alpaca rows": chinese_rows(),
        "documents, both languages": documents(),
    }
    files = {name: work / f"score-{number}.jsonl" for number, name in enumerate(rows)}
    for name, path in files.items():
        write_rows(path, rows[name], options.megabytes * 10**6)
    body = speeds(files, options.runs)
    memory = peak_memory(
        dataforge("score", str(files["documents, both languages"]), "--force", "-q", "-j", "2", "--with", "rules")
    )
    text = [
        f"Medians of {options.runs} interleaved runs. {machine('numba', 'polars', 'numpy')}.",
        f"Peak memory of all processes, documents, scorer rules: {memory:,.0f} MiB.",
        "",
        *body,
        "",
        *taken(work),
    ]
    publish("score", "score", text, write=options.write)
    for path in files.values():
        for table_file in path.with_name(path.name + ".scores").glob("*.parquet"):
            table_file.unlink()
        path.with_name(path.name + ".scores").rmdir()
        path.unlink()


if __name__ == "__main__":
    main()
