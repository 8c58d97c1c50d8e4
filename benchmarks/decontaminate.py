"""decontaminate: speed over real rows, and what of planted items is found, by disguise and benchmark.

Speed: MB/s of whole runs with 2 workers and with 1, against gsm8k, HumanEval and CMMLU; and, where it is installed,
datatrove's n-gram filter (one process, English, questions and answers of gsm8k alone, over the hashes that its own code
computes: its indexer cannot be run as it is, for it downloads tasks; hashed by sha1, for its xxhash refuses texts).
Recall: every item of the references, in each disguise of benchmarks/planted.py, asked in an instruction row; precision:
the same references against all real rows of the folder, each removal of which should be read by a person.
Target: 30 MB/s with 2 workers.

Run as: `make bench-decontaminate`
"""

from __future__ import annotations

import functools
import importlib.util
import resource
import sys
from collections import Counter
from pathlib import Path

import orjson
from harness import (
    alpaca_rows,
    arguments,
    data_folder,
    dataforge,
    interleave,
    machine,
    publish,
    table,
    timed,
    write_rows,
)
from planted import DISGUISES, plant

from dataforge.io.paths import find_sources
from dataforge.ops.decontamination.references import read_references

BENCHMARKS = {"gsm8k": "gsm8k__test.jsonl", "HumanEval": "humaneval__HumanEval.jsonl.gz", "CMMLU": "cmmlu_dev"}
REAL = ("instruct", "corpus", "tools", "seeds", "chat/[fm]*", "chat/lf*")
MOST_ITEMS = 170
PEER = """
import json, sys, numpy as np
from datatrove.data import Document
from datatrove.pipeline.decont import n_grams
rows, items, folder = sys.argv[1:4]
n_grams.NGramsDecontIndexer._requires_dependencies = []
config = n_grams.NGramsDecontConfig(find_query_ngrams=True, hash_config=n_grams.HashConfig(hash_fc="sha1"))
indexer = n_grams.NGramsDecontIndexer(folder, config=config)
hashes = set()
for line in open(items):
    item = json.loads(line)
    hashes.update(indexer.compute_hashes(item["answer"], item["question"]))
np.array(list(hashes), dtype=config.hash_config.np_descr).tofile(folder + "/items.index.hashes")
step = n_grams.NGramsDecontFilter(folder, config=config)
removed = 0
for number, line in enumerate(open(rows)):
    row = json.loads(line)
    text = "\\n".join((row["instruction"], row["input"], row["output"]))
    removed += step.filter(Document(text=text, id=str(number))) is not True
print(removed)
"""


def prompts(name: str) -> list[str]:
    """The prompts of a benchmark, at most MOST_ITEMS, evenly spread."""
    references = read_references(find_sources([str(data_folder() / "eval" / BENCHMARKS[name])]), skip_faulty=False)
    items = [item.prompt for reference in references for item in reference.items]
    return items[:: max(1, len(items) // MOST_ITEMS)][:MOST_ITEMS]


def against() -> list[str]:
    """The flags that name the references."""
    return [word for file in BENCHMARKS.values() for word in ("--against", str(data_folder() / "eval" / file))]


def hosts(pattern: str) -> list[dict[str, str]]:
    """Real instruction rows."""
    files = sorted((data_folder() / "instruct").glob(pattern))
    return [row for file in files for row in orjson.loads(file.read_bytes())]


def recall(work: Path) -> list[str]:
    """The table of planted items that are found."""
    import polars

    rows = []
    for name in BENCHMARKS:
        rows += [
            (disguise, name, row)
            for disguise, _, row in plant(
                prompts(name), hosts("alpaca_zh_*" if name == "CMMLU" else "alpaca_en_*"), seed=0
            )
        ]
    place, out = work / "planted.jsonl", work / "unplanted.jsonl"
    place.write_bytes(b"".join(orjson.dumps(row) + b"\n" for _, _, row in rows))
    timed(dataforge("decontaminate", str(place), *against(), "-o", str(out), "--force", "-q"))
    fates = polars.read_parquet(f"{out}.forge/ledger.parquet")["fate"].to_list()
    there, found = Counter(), Counter()
    for (disguise, name, _), fate in zip(rows, fates, strict=True):
        there[disguise, name] += 1
        found[disguise, name] += fate == "dropped"
    body = [
        [disguise, *(f"{found[disguise, name] / there[disguise, name]:.1%}" for name in BENCHMARKS)]
        for disguise in DISGUISES
    ]
    counts = [f"{name} ({there['as it is', name]} items)" for name in BENCHMARKS]
    return table(["the question is asked", *counts], body)


def precision(work: Path) -> list[str]:
    """What is removed of the real rows, as a sentence and a list."""
    import polars

    out = work / "real.jsonl"
    folders = [str(data_folder() / name) for name in REAL]
    timed(dataforge("decontaminate", *folders, *against(), "-o", str(out), "--force", "-q"))
    ledger = polars.read_parquet(f"{out}.forge/ledger.parquet")
    gone = ledger.filter(polars.col("fate") == "dropped")
    lines = [f"Of {len(ledger):,} real rows ({', '.join(REAL)}), {len(gone):,} are removed."]
    return lines + [f"- `{row['source']}:{row['line']}` {row['detail']}" for row in gone.head(20).to_dicts()]


def speed(work: Path, size: int, runs: int) -> list[str]:
    """The table of MB a second."""
    rows, what = alpaca_rows()
    medical = [orjson.loads(line) for line in (data_folder() / "corpus/en_medquad_first2600.jsonl").open("rb")]
    chinese = hosts("alpaca_zh_*")
    law = [orjson.loads(line) for line in (data_folder() / "corpus/zh_law_national.jsonl").open("rb")]
    kinds = {
        what: rows,
        "real Chinese instructions": chinese,
        "real English answers (MedQuAD)": medical,
        "Chinese statutes": law,
    }
    out, body = str(work / "clean.jsonl"), []
    for name, kind in kinds.items():
        place = work / "rows.jsonl"
        write_rows(place, kind, size * 10**6)
        command = dataforge("decontaminate", str(place), *against(), "-o", out, "--force", "-q", "-j")
        contestants = {f"-j {n}": functools.partial(timed, [*command, str(n)]) for n in (2, 1)}
        megabytes = place.stat().st_size / 1e6
        series = interleave(contestants, runs)
        spent = _cpu_seconds([*command, "1"])
        for contestant, measured in series.items():
            figures = [f"{megabytes:.0f}", f"{measured.median:.2f}", f"{megabytes / measured.median:.0f}"]
            body.append([name, f"dataforge {contestant}", *figures, f"{megabytes / spent:.0f}"])
        if name == what and importlib.util.find_spec("datatrove"):
            body.append(_peer(work, kind[: len(kind) // 10], name, runs))
    return table(["rows", "", "MB", "seconds", "MB/s", "MB a CPU second"], body)


def _cpu_seconds(command: list[str]) -> float:
    """Processor time of a command, start-up included: other load on the machine weighs less in it than in wall time."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    timed(command)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _peer(work: Path, rows: list[dict[str, str]], name: str, runs: int) -> list[str]:
    """Datatrove over a few of the rows, against gsm8k."""
    script, few, index = work / "peer_decontaminate.py", work / "few.jsonl", work / "peer-index"
    index.mkdir(exist_ok=True)
    script.write_text(PEER)
    few.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    command = [sys.executable, str(script), str(few), str(data_folder() / "eval" / BENCHMARKS["gsm8k"]), str(index)]
    series = interleave({"datatrove": functools.partial(timed, command)}, runs)["datatrove"]
    megabytes = few.stat().st_size / 1e6
    speeds = [f"{megabytes / seconds:.2f}" for seconds in (series.median, _cpu_seconds(command))]
    return [name, "datatrove 1 process, gsm8k alone", f"{megabytes:.1f}", f"{series.median:.2f}", *speeds]


def main() -> None:
    """Measure and publish."""
    options = arguments(__doc__ or "", megabytes=100)
    work = Path(options.work)
    if not (data_folder() / "eval").is_dir():
        raise SystemExit("the benchmarks are not here (set DATAFORGE_DATA)")
    text = [
        f"Against gsm8k, HumanEval and CMMLU (dev). Medians of {options.runs} interleaved runs. {machine('numba')}.",
        "",
        *speed(work, options.megabytes, options.runs),
        "",
        "Planted items found, with the defaults:",
        "",
        *recall(work),
        "",
        *precision(work),
    ]
    publish("decontaminate", "decontaminate", text, write=options.write)


if __name__ == "__main__":
    main()
