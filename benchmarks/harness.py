"""What the benchmarks share: data, interleaved runs, medians with spread, and the page they are written to.

Each benchmark is a script with a `main`; it prints a table and, with --write, replaces its own section of
docs/benchmarks.md. Figures are wall time of whole processes, start-up included. Runs of the peers are interleaved
(A B A B ...), so that a drift of the machine's speed meets all alike.

Run as: `make bench-convert`, or `python benchmarks/convert.py --write`
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import platform
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "benchmarks.md"


def data_folder() -> Path:
    """The folder of real data (not part of the repository): $DATAFORGE_DATA, or ../shared/data beside the checkout."""
    return Path(os.environ.get("DATAFORGE_DATA") or ROOT.parent / "shared" / "data")


def arguments(about: str, **defaults: object) -> argparse.Namespace:
    """The common command line of a benchmark; `defaults` add options of its own."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--runs", type=int, default=5, help="counted runs of each contestant")
    parser.add_argument("--write", action="store_true", help="replace the section in docs/benchmarks.md")
    parser.add_argument("--work", default=str(ROOT / "bench-out"), help="folder for generated files")
    for name, default in defaults.items():
        parser.add_argument("--" + name.replace("_", "-"), type=type(default), default=default)
    namespace = parser.parse_args()
    Path(namespace.work).mkdir(parents=True, exist_ok=True)
    return namespace


def alpaca_rows() -> tuple[list[dict[str, str]], str]:
    """Real Alpaca rows and what they are; the repository's sample rows where the real ones are absent."""
    import orjson

    files = sorted((data_folder() / "instruct").glob("alpaca_en_*.json"))
    if files:
        return [row for file in files for row in orjson.loads(file.read_bytes())], "real Alpaca rows"
    print("the real Alpaca rows are not here (set DATAFORGE_DATA); using samples/alpaca_en.jsonl", file=sys.stderr)
    lines = (ROOT / "samples" / "alpaca_en.jsonl").read_bytes().splitlines()
    rows = [orjson.loads(line) for line in lines]
    return [{key: row.get(key) or "" for key in ("instruction", "input", "output")} for row in rows], "sample rows"


def write_rows(path: Path, rows: Sequence[object], size: int, *, array: bool = False) -> int:
    """Repeat rows into a file of about `size` bytes (jsonl, or an indented JSON array); returns the number of rows."""
    import json

    import orjson

    if array:
        block = ",\n".join(json.dumps(row, ensure_ascii=False, indent=2) for row in rows).encode()
    else:
        block = b"\n".join(orjson.dumps(row) for row in rows)
    times = max(1, round(size / len(block)))
    with open(path, "wb") as file:
        file.write(b"[\n" if array else b"")
        for number in range(times):
            file.write((b",\n" if array else b"\n") if number else b"")
            file.write(block)
        file.write(b"\n]\n" if array else b"\n")
    return times * len(rows)


@dataclass
class Series:
    """Measured values of one contestant."""

    name: str
    values: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        """The middle value."""
        return statistics.median(self.values)

    def spread(self, digits: int = 1) -> str:
        """`min-max`."""
        return f"{min(self.values):,.{digits}f}-{max(self.values):,.{digits}f}"


def interleave(contestants: dict[str, Callable[[], float]], runs: int, *, warm_up: bool = True) -> dict[str, Series]:
    """Run all contestants in turn, once to warm up (unless told not to) and `runs` times for the record."""
    series = {name: Series(name) for name in contestants}
    for number in range(0 if warm_up else 1, runs + 1):
        for name, run in contestants.items():
            value = run()
            if number:
                series[name].values.append(value)
            print(f"  {name}: {value:.2f}{'' if number else ' (warm-up)'}", file=sys.stderr)
    return series


def timed(command: Sequence[str], **environment: str) -> float:
    """Wall seconds of a command; raises if it fails."""
    began = time.perf_counter()
    subprocess.run(
        command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env={**os.environ, **environment}
    )
    return time.perf_counter() - began


def peak_memory(command: Sequence[str]) -> float:
    """Peak resident memory of a command and all its children, in MiB, sampled every 10 ms."""
    import psutil

    process = psutil.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    peak = 0
    done = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.01):
            try:
                tree = [process, *process.children(recursive=True)]
                peak = max(peak, sum(member.memory_info().rss for member in tree))
            except psutil.Error:
                continue

    watcher = threading.Thread(target=watch)
    watcher.start()
    code = process.wait()
    done.set()
    watcher.join()
    if code:
        raise RuntimeError(f"{command} ended with {code}")
    return peak / 2**20


def dataforge(*words: str) -> list[str]:
    """The command line of this environment's dataforge."""
    return [sys.executable, "-m", "dataforge", *words]


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    """A Markdown table."""
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    return lines + ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]


def machine(*packages: str) -> str:
    """Where the figures were taken: cores, Python, versions."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("dataforge", *packages))
    return f"{cores} cores, {platform.machine()}, {platform.system()}, Python {platform.python_version()}; {versions}"


def publish(subject: str, title: str, lines: Sequence[str], *, write: bool, page: Path = PAGE) -> None:
    """Print a section; with `write`, put it into the page (docs/benchmarks.md) in place of the old one."""
    section = [f"<!-- {subject} -->", f"## {title}", "", *lines, f"<!-- /{subject} -->"]
    print("\n".join(section[1:-1]))
    if not write:
        return
    text = page.read_text(encoding="utf-8")
    begin, end = text.find(section[0]), text.find(section[-1])
    body = "\n".join(section)
    text = text[:begin] + body + text[end + len(section[-1]) :] if begin >= 0 else text.rstrip() + "\n\n" + body + "\n"
    page.write_text(text, encoding="utf-8")
