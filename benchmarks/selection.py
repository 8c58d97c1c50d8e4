"""select and filter against Hugging Face datasets: rows below a length quantile, written as JSON Lines; then again.

First: nothing is known of the rows (`filter` scores and selects; the peer loads, maps a length, filters, writes).
Again: another threshold on the same rows (`select` reads the score table; the peer finds its load and its map in its
cache). Rehearsed: how many rows it would be (`select --dry-run`). All contestants must keep the same number of rows.
Target: a decision on a million rows in a second or two.

Run as: `make bench-selection`
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from harness import alpaca_rows, arguments, dataforge, interleave, machine, publish, table, timed, write_rows

PEER = """
import sys, numpy, datasets
datasets.disable_progress_bars()
source, out, q, cache = sys.argv[1], sys.argv[2], float(sys.argv[3]), sys.argv[4]
rows = datasets.load_dataset("json", data_files=source, split="train", cache_dir=cache)
def length(row):
    prompt = "\\n".join(part for part in (row["instruction"], row["input"]) if part)
    return {"n_chars": len(prompt) + 1 + len(row["output"])}
scored = rows.map(length, num_proc=2)
bound = numpy.quantile(numpy.array(scored["n_chars"]), q)
kept = scored.filter(lambda n: n < bound, input_columns="n_chars", num_proc=2).remove_columns("n_chars")
kept.to_json(out, force_ascii=False, num_proc=2)
"""


def rows_in(path: Path) -> int:
    """Lines of a file."""
    with open(path, "rb") as file:
        return sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b""))


def main() -> None:
    """Measure and publish."""
    options = arguments(__doc__ or "", megabytes=200)
    work = Path(options.work)
    rows, what = alpaca_rows()
    source, out, peer_out = work / "select.jsonl", work / "selected.jsonl", work / "peer.jsonl"
    script, cache, scores = work / "peer_select.py", work / "select-cache", Path(f"{source}.scores")
    script.write_text(PEER)
    count = write_rows(source, rows, options.megabytes * 10**6)
    size = source.stat().st_size / 1e6

    def ours(command: str, q: float, *more: str) -> list[str]:
        where = f"n_chars < quantile(n_chars, {q})"
        return dataforge(command, str(source), "-o", str(out), "-fq", "-j", "2", "--where", where, *more)

    def peer(q: float) -> list[str]:
        return [sys.executable, str(script), str(source), str(peer_out), str(q), str(cache)]

    def anew(command: list[str], *folders: Path) -> float:
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)
        return timed(command, HF_HUB_OFFLINE="1")

    def again(command: list[str]) -> float:
        for made in cache.rglob("cache-*.arrow"):
            if made.stat().st_size < 9 * count:  # what the last filter left: indices of rows, 8 bytes each
                made.unlink()
        return timed(command, HF_HUB_OFFLINE="1")

    series = interleave(
        {
            "first, dataforge filter": lambda: anew(ours("filter", 0.9), scores),
            "first, datasets": lambda: anew(peer(0.9), cache),
            "again, dataforge select": lambda: timed(ours("select", 0.5)),
            "again, datasets": lambda: again(peer(0.5)),
            "rehearsed, dataforge select": lambda: timed(ours("select", 0.7, "--dry-run")),
        },
        options.runs,
    )
    subprocess.run(ours("select", 0.5), check=True)
    kept = rows_in(out)
    assert kept == rows_in(peer_out), (kept, rows_in(peer_out))
    body = [
        [name, f"{s.median:.2f}", s.spread(2), f"{size / s.median:.0f}", f"{count / s.median:,.0f}"]
        for name, s in series.items()
    ]
    text = [
        f"{count:,} {what} ({size:.0f} MB), -j 2. Medians of {options.runs} interleaved runs.",
        f"{machine('polars', 'datasets', 'orjson')}.",
        f"Again: q = 0.5 in place of 0.9; both keep {kept:,} rows.",
        "",
        *table(["run", "seconds", "min-max", "MB/s", "rows/s"], body),
    ]
    publish("selection", "select and filter", text, write=options.write)
    for path in (source, out, peer_out):
        path.unlink()
    for folder in (cache, scores, Path(f"{out}.forge")):
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
