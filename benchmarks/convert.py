"""convert against `datasets`: the same rows from alpaca to sharegpt, whole processes, start-up included.

Targets: 60 MB/s or more with 2 workers on 2 cores (ids, ledger and manifest included), 6 times `datasets` or more;
JSON arrays at 30 MB/s or more; at most 500 MiB for the whole process tree on 1 GB, the same as on 100 MB.

Run as: `make bench-convert`
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from harness import (
    alpaca_rows,
    arguments,
    dataforge,
    interleave,
    machine,
    peak_memory,
    publish,
    table,
    timed,
    write_rows,
)

PEER = """
import sys
from datasets import load_dataset
def turn(row):
    text = row["instruction"] + ("\\n" + row["input"] if row["input"] else "")
    return {"conversations": [{"from": "human", "value": text}, {"from": "gpt", "value": row["output"]}]}
def main():
    source, target, cache, workers = sys.argv[1:]
    data = load_dataset("json", data_files=source, split="train", cache_dir=cache)
    data = data.map(turn, remove_columns=data.column_names, num_proc=int(workers))
    data.to_json(target, force_ascii=False, num_proc=int(workers))
if __name__ == "__main__":
    main()
"""


def main() -> None:
    """Measure and publish."""
    options = arguments(__doc__ or "", megabytes=200, big_megabytes=1000)
    work = Path(options.work)
    rows, what = alpaca_rows()
    lines, array = work / "alpaca.jsonl", work / "alpaca.json"
    count = write_rows(lines, rows, options.megabytes * 10**6)
    write_rows(array, rows, options.megabytes * 10**6, array=True)
    size = lines.stat().st_size / 1e6
    array_size = array.stat().st_size / 1e6
    script, cache = work / "peer_convert.py", work / "cache"
    script.write_text(PEER)
    out = str(work / "out.jsonl")

    def ours(source: Path, workers: int, *more: str) -> float:
        Path(out).unlink(missing_ok=True)
        words = ("--to", "sharegpt", "-o", out, "-f", "-q", "-j", str(workers), *more)
        return timed(dataforge("convert", str(source), *words))

    def peer(workers: int) -> float:
        shutil.rmtree(cache, ignore_errors=True)
        (work / "peer.jsonl").unlink(missing_ok=True)
        return timed([sys.executable, str(script), str(lines), str(work / "peer.jsonl"), str(cache), str(workers)])

    series = interleave(
        {
            "dataforge -j 2": lambda: ours(lines, 2),
            "dataforge -j 1": lambda: ours(lines, 1),
            "dataforge -j 2, JSON array": lambda: ours(array, 2),
            "dataforge -j 2 --keep-layout": lambda: ours(lines, 2, "--keep-layout"),
            "datasets, num_proc=2": lambda: peer(2),
        },
        options.runs,
    )
    best = series["datasets, num_proc=2"].median
    body = []
    for name, measured in series.items():
        megabytes = array_size if "array" in name else size
        ratio = best / measured.median if "array" not in name else float("nan")
        cells = [name, f"{measured.median:.2f}", measured.spread(2), f"{megabytes / measured.median:.0f}"]
        body.append([*cells, f"{count / measured.median:,.0f}", f"{ratio:.1f}x" if ratio == ratio else "-"])
    big = work / "big.jsonl"
    memory = []
    for megabytes in (options.big_megabytes // 100, options.big_megabytes // 10, options.big_megabytes):
        write_rows(big, rows, megabytes * 10**6)
        command = dataforge("convert", str(big), "--to", "sharegpt", "-o", out, "-f", "-q", "-j", "2")
        memory.append([f"{megabytes} MB", f"{peak_memory(command):.0f} MiB"])
    text = [
        f"{count:,} {what} ({size:.0f} MB of jsonl, {size * 1e6 / count:.0f} bytes a row) from alpaca to sharegpt.",
        f"Medians of {options.runs} interleaved runs. {machine('datasets', 'orjson', 'pyarrow')}.",
        "",
        *table(["contestant", "seconds", "min-max", "MB/s", "rows/s", "against datasets"], body),
        "",
        "Peak resident memory of the whole process tree with 2 workers (shared pages counted once a process):",
        "",
        *table(["input", "peak"], memory),
    ]
    publish("convert", "convert", text, write=options.write)
    for path in (lines, array, big, work / "out.jsonl", work / "peer.jsonl"):
        path.unlink(missing_ok=True)
    shutil.rmtree(cache, ignore_errors=True)


if __name__ == "__main__":
    main()
