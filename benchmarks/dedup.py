"""dedup against rensa, datasketch and datatrove: the same documents, file to file, 128 permutations, 5-word shingles.

The threshold is 0.8. The peers' loops are their shortest correct use: a sketch a document, a query, an insertion, the
line written if it is new. rensa is measured with its full RMinHash, not with its path that samples token positions.
datatrove runs its four stages with two workers. Slow peers get fewer documents; their rates do not depend on it.
Then: signatures alone, on one core; exact duplicates; a million instruction rows; growth from 10,000 rows on.
Targets: 2.5 times rensa (aim 4), 10 times datasketch (aim 15), 100 times datatrove; 80,000 signatures a second a core;
a million rows in 60 s and 2.5 GiB; growth at most 1.1 times linear; exact 80 MB/s with two workers.

Run as: `make bench-dedup`
"""

from __future__ import annotations

import os
import shutil
import statistics
import sys
import time
from pathlib import Path

import orjson
from corpus import write_documents, write_instructions
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

from dataforge.ops.duplicates.minhash import Scheme
from dataforge.ops.terms import pack

LOOP = """
import sys, orjson
{make}
with open(sys.argv[1], "rb") as file, open(sys.argv[2], "wb") as out:
    for number, line in enumerate(file):
        words = orjson.loads(line)["text"].lower().split()
        shingles = [" ".join(words[k:k + 5]) for k in range(max(1, len(words) - 4))]
{body}
        if not index.query(sketch):
            index.insert({key}, sketch)
            out.write(line)
"""
RENSA = LOOP.format(
    make="from rensa import RMinHash, RMinHashLSH\nindex = RMinHashLSH(0.8, 128, 16)",
    body="        sketch = RMinHash(128, 1)\n        sketch.update(shingles)",
    key="number",
)
DATASKETCH = LOOP.format(
    make="from datasketch import MinHash, MinHashLSH\nindex = MinHashLSH(0.8, 128)",
    body="        sketch = MinHash(128)\n        sketch.update_batch([s.encode() for s in shingles])",
    key="str(number)",
)
DATATROVE = """
import os, sys
import xxhash
import datatrove.utils.hashes.xxhash as theirs
from datatrove.executor.local import LocalPipelineExecutor
from datatrove.pipeline.dedup import MinhashDedupBuckets, MinhashDedupCluster, MinhashDedupFilter, MinhashDedupSignature
from datatrove.pipeline.dedup.minhash import MinhashConfig
from datatrove.pipeline.readers import JsonlReader
from datatrove.pipeline.writers import JsonlWriter
from datatrove.utils.hashing import HashConfig

theirs.xxhash64 = lambda text: xxhash.xxh64_intdigest(text.encode())  # xxhash 4 takes no str any more
source, work = sys.argv[1:3]
config = MinhashConfig(hash_config=HashConfig(precision=64), num_buckets=14, hashes_per_bucket=8)

def reader():
    return JsonlReader(os.path.dirname(source), glob_pattern=os.path.basename(source))

def run(stage, tasks, *pipeline):
    LocalPipelineExecutor(pipeline=list(pipeline), tasks=tasks, workers=2, logging_dir=f"{work}/logs/{stage}").run()

if __name__ == "__main__":
    run(1, 2, reader(), MinhashDedupSignature(output_folder=work + "/signatures", config=config))
    run(2, 14, MinhashDedupBuckets(input_folder=work + "/signatures", output_folder=work + "/buckets", config=config))
    run(3, 1, MinhashDedupCluster(input_folder=work + "/buckets", output_folder=work + "/remove", config=config))
    run(4, 2, reader(), MinhashDedupFilter(input_folder=work + "/remove"), JsonlWriter(work + "/out", compression=None))
"""
MINHASH = ("--method", "minhash", "-q", "-f", "-j", "2")


def against_peers(work: Path, runs: int, documents: int) -> list[str]:
    """The table of documents a second beside the peers."""
    counts = {"dataforge": documents, "rensa": documents, "datasketch": documents // 5, "datatrove": documents // 10}
    paths = {name: work / f"documents-{count}.jsonl" for name, count in counts.items()}
    for name, count in counts.items():
        if not paths[name].exists():
            write_documents(paths[name], count, 270)
    for name, text in (("rensa", RENSA), ("datasketch", DATASKETCH), ("datatrove", DATATROVE)):
        (work / f"peer_{name}.py").write_text(text)
    out = work / "out.jsonl"

    def peer(name: str) -> float:
        shutil.rmtree(work / "trove", ignore_errors=True)
        target = work / "trove" if name == "datatrove" else out
        return timed([sys.executable, str(work / f"peer_{name}.py"), str(paths[name]), str(target)])

    contestants = {
        "dataforge": lambda: timed(dataforge("dedup", str(paths["dataforge"]), "-o", str(out), *MINHASH)),
        "rensa": lambda: peer("rensa"),
        "datasketch": lambda: peer("datasketch"),
    }
    series = interleave(contestants, runs)
    series |= interleave({"datatrove": lambda: peer("datatrove")}, 1, warm_up=False)
    speed = {name: counts[name] / s.median for name, s in series.items()}
    body = [
        [
            name,
            f"{counts[name]:,}",
            f"{s.median:.2f}",
            s.spread(2),
            f"{speed[name]:,.0f}",
            f"{speed['dataforge'] / speed[name]:.1f}x",
        ]
        for name, s in series.items()
    ]
    header = ["file to file", "documents", "seconds", "min-max", "documents/s", "dataforge is faster by"]
    return table(header, body)


def signatures(path: Path, runs: int) -> str:
    """Documents a second of one core's time, texts to signatures."""
    texts = [orjson.loads(line)["text"] for line in path.read_bytes().splitlines()[:20_000]]
    scheme, speeds = Scheme(), []
    scheme.sign(texts[:10])
    for _ in range(runs):
        began = time.thread_time()
        scheme.sign(pack(texts))
        speeds.append(len(texts) / (time.thread_time() - began))
    return f"{statistics.median(speeds):,.0f} signatures a second of one core's time (270 words, 128 permutations)"


def growth(work: Path, runs: int, most: int) -> list[str]:
    """The table of time and memory by number of instruction rows."""
    body, first = [], 0.0
    counts = [count for count in (10_000, 100_000, 1_000_000) if count <= most]
    for count in counts:
        path = work / f"rows-{count}.jsonl"
        if not path.exists():
            write_instructions(path, count)
        command = dataforge("dedup", str(path), "-o", str(work / "out.jsonl"), *MINHASH)
        seconds = statistics.median(timed(command) for _ in range(runs if count < 1_000_000 else 1))
        memory = peak_memory(command)
        first = first or seconds / count
        body.append(
            [f"{count:,}", f"{path.stat().st_size / 1e6:.0f}", f"{seconds:.1f}", f"{memory:,.0f}"]
            + [f"{seconds / count / first:.2f}"]
        )
    return table(["instruction rows", "MB", "seconds", "peak MiB", "time a row against the first"], body)


def exact(work: Path, documents: Path, runs: int, megabytes: int) -> str:
    """MB/s of exact duplicates, on documents and on real Alpaca rows."""
    rows, what = alpaca_rows()
    short = work / "alpaca.jsonl"
    write_rows(short, rows, megabytes * 10**6)
    said = []
    for path, name in ((documents, "the documents"), (short, f"{what}, 390 bytes each")):
        command = dataforge("dedup", str(path), "-o", str(work / "out.jsonl"), "-q", "-f", "-j", "2")
        seconds = statistics.median(timed(command) for _ in range(runs))
        size = path.stat().st_size / 1e6
        said.append(f"{size / seconds:.0f} MB/s on {size:.0f} MB of {name}")
    short.unlink()
    return "exact, two workers: " + ", ".join(said)


def main() -> None:
    """Measure and publish."""
    options = arguments(__doc__ or "", documents=100_000, rows=1_000_000, megabytes=200)
    work = Path(options.work)
    documents = work / f"documents-{options.documents}.jsonl"
    lines = against_peers(work, options.runs, options.documents)
    text = [
        "English documents of 270 words made of spans of real texts, a tenth of them near duplicates; two workers. "
        f"Medians of {options.runs} interleaved runs (datatrove: one).",
        f"{machine('datasketch', 'rensa', 'datatrove', 'numba')}.",
        "",
        *lines,
        "",
        signatures(documents, options.runs) + "; " + exact(work, documents, options.runs, options.megabytes) + ".",
        "",
        *growth(work, min(options.runs, 3), options.rows),
    ]
    publish("dedup", "dedup", text, write=options.write)


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "2")
    main()
