"""clean from file to file: Alpaca rows, Chinese rows, documents of both languages, and rows that all need repair.

MB/s of whole runs with 2 workers, and MB a second of one core's time (in this process, so that other load on the
machine weighs less). Target: 25 MB/s with 2 workers for the default repairs on real rows.

Run as: `make bench-clean`
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from pathlib import Path

import orjson
from harness import ROOT, alpaca_rows, arguments, data_folder, dataforge, interleave, machine, publish, table, timed
from harness import write_rows as write

from dataforge.engine.worker import Task
from dataforge.io.chunks import open_reading, read_chunks
from dataforge.io.paths import find_sources
from dataforge.ops.clean import CleanConfig

TARGET = 25
PII = ("--pii", "all")
DIRT = ("  \n", "\u200b", " schÃ¶n ", "\x07", "e\u0301")


def chinese_rows() -> list[object]:
    """Real Chinese Alpaca rows; the samples where the real ones are absent."""
    files = sorted((data_folder() / "instruct").glob("alpaca_zh_*.json"))
    if files:
        return [row for file in files for row in orjson.loads(file.read_bytes())]
    return [orjson.loads(line) for line in (ROOT / "samples" / "sharegpt_zh.jsonl").read_bytes().splitlines()]


def documents() -> list[object]:
    """Real documents of both languages; the texts of the samples where they are absent."""
    rows = []
    for file in sorted((data_folder() / "corpus").glob("*.jsonl")):
        lines = map(orjson.loads, file.read_bytes().splitlines())
        rows += [{"text": row["text"]} for row in lines if "text" in row]
    return rows or [{"text": str(row)} for row in chinese_rows()]


def dirty(rows: Sequence[dict[str, str]]) -> list[object]:
    """Rows that need the five default repairs, one or another each."""
    return [{**row, "output": (row["output"] or "") + DIRT[n % len(DIRT)] + "end"} for n, row in enumerate(rows)]


def core_speed(path: Path, config: CleanConfig, runs: int) -> float:
    """MB a second of CPU time, of the worker's task alone: the median of some runs."""
    task = Task("cleaned", config.task())
    (source,) = find_sources([str(path)])
    speeds = []
    for _ in range(runs):
        size, began = 0, time.process_time()
        for chunk in read_chunks(source, 0, open_reading(source)):
            task.run(chunk)
            size += chunk.length
        speeds.append(size / 1e6 / (time.process_time() - began))
    return statistics.median(speeds)


def main() -> None:
    """Measure and publish."""
    options = arguments(__doc__ or "", megabytes=200)
    work = Path(options.work)
    alpaca, what = alpaca_rows()
    kinds = {what: alpaca, "Chinese rows": chinese_rows(), "documents": documents(), "all rows dirty": dirty(alpaca)}
    files = {name: work / f"clean-{number}.jsonl" for number, name in enumerate(kinds)}
    for name, rows in kinds.items():
        write(files[name], rows, options.megabytes * 10**6)
    out = str(work / "cleaned.jsonl")
    command = ("-o", out, "-f", "-q", "-j", "2")
    series = interleave(
        {
            f"{name}, {repairs}": lambda path=path, more=more: timed(dataforge("clean", str(path), *command, *more))
            for name, path in files.items()
            for repairs, more in (("default", ()), ("and pii", PII))
        },
        options.runs,
    )
    body = []
    for name, path in files.items():
        size = path.stat().st_size / 1e6
        for repairs, config in (("default", CleanConfig()), ("and pii", CleanConfig(pii=("all",)))):
            took = series[f"{name}, {repairs}"]
            core = core_speed(path, config, min(options.runs, 3))
            speed = size / took.median
            body.append(
                [name, repairs, f"{size:.0f}", f"{took.median:.2f}", took.spread(2), f"{speed:.0f}", f"{core:.0f}"]
            )
    header = ["rows", "repairs", "MB", "seconds", "min-max", "MB/s, 2 workers", "MB a CPU second"]
    text = [
        f"File to file. Target: {TARGET} MB/s with 2 workers. Medians of {options.runs} interleaved runs.",
        f"{machine('ftfy', 'orjson')}.",
        "",
        *table(header, body),
    ]
    publish("clean", "clean", text, write=options.write)
    for path in (*files.values(), Path(out)):
        path.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
