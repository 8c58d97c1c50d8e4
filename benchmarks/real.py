"""The whole way on real rows: `benchmarks/real.yaml` over the folder of real data, step times and losses.

Skipped with a message where that folder does not exist ($DATAFORGE_DATA, or ../shared/data beside the checkout).

Run as: `make bench-real`
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

from harness import ROOT, arguments, data_folder, dataforge, machine, publish, table


def main() -> None:
    """Run the recipe and publish what its steps did."""
    options = arguments(__doc__ or "")
    data = data_folder()
    if not (data / "instruct").is_dir():
        print(f"skipped: there is no real data in {data.name}/ (set DATAFORGE_DATA)", file=sys.stderr)
        return
    place = Path(options.work) / "real"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    for name in ("real.yaml", "llama-5m.json"):
        shutil.copy(ROOT / "benchmarks" / name, place / name)
    (place / "data").symlink_to(data.resolve(), target_is_directory=True)
    out = place / "out"
    began = time.perf_counter()
    run = subprocess.run(
        dataforge("run", str(place / "real.yaml"), "-o", str(out)), stdout=subprocess.PIPE, text=True, check=False
    )
    seconds = time.perf_counter() - began
    body = []
    for report in sorted(out.glob("*.forge/report.json"), key=lambda path: path.stat().st_mtime):
        value = json.loads(report.read_text(encoding="utf-8"))
        counts = value.get("counts")
        fates = (
            "-"
            if counts is None
            else ", ".join(
                f"{n:,} {k}" for k, n in counts.items() if k in ("in", "kept", "dropped", "unused", "errors") and n
            )
        )
        body.append(
            [value["command"], report.parent.name.removesuffix(".forge"), fates, f"{value.get('seconds', 0):.1f}"]
        )
    text = [
        f"`benchmarks/real.yaml` over the real files, {seconds:.0f} s in all; exit code {run.returncode}.",
        f"{machine('torch', 'transformers')}.",
        "",
        *table(["step", "output", "rows", "seconds"], body),
        "",
        "```",
        *run.stdout.rstrip().splitlines(),
        "```",
    ]
    publish("real", "The whole way on real rows", text, write=options.write)
    if run.returncode:
        sys.exit(run.returncode)


if __name__ == "__main__":
    main()
