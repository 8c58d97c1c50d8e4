"""validate against jsonschema alone: the same rows and schema; the peer's best case, rows parsed by orjson.

Target: 10 times the rows/s of jsonschema or more.

Run as: `make bench-validate`
"""

from __future__ import annotations

import sys
from pathlib import Path

from harness import ROOT, alpaca_rows, arguments, dataforge, interleave, machine, publish, table, timed, write_rows

PEER = """
import json, sys, orjson, jsonschema
schema = json.load(open(sys.argv[2]))
check = jsonschema.Draft202012Validator(schema).is_valid
bad = 0
with open(sys.argv[1], "rb") as file:
    for line in file:
        bad += not check(orjson.loads(line))
assert bad == 0
"""


def main() -> None:
    """Measure and publish."""
    options = arguments(__doc__ or "", megabytes=100)
    work = Path(options.work)
    rows, what = alpaca_rows()
    lines, few = work / "alpaca.jsonl", work / "few.jsonl"
    count = write_rows(lines, rows, options.megabytes * 10**6)
    few_count = write_rows(few, rows, options.megabytes * 10**5)
    script = work / "peer_validate.py"
    script.write_text(PEER)
    schema = str(ROOT / "schemas" / "alpaca.schema.json")
    # The peer gets a tenth of the rows: its speed does not depend on their number, and its runs would take minutes.
    counts = {"dataforge -j 2": count, "dataforge -j 1": count, "jsonschema": few_count}
    series = interleave(
        {
            "dataforge -j 2": lambda: timed(dataforge("validate", str(lines), "-q", "-j", "2")),
            "dataforge -j 1": lambda: timed(dataforge("validate", str(lines), "-q", "-j", "1")),
            "jsonschema": lambda: timed([sys.executable, str(script), str(few), schema]),
        },
        options.runs,
    )
    speed = {name: counts[name] / measured.median for name, measured in series.items()}
    body = [
        [
            name,
            f"{counts[name]:,}",
            f"{s.median:.2f}",
            s.spread(2),
            f"{speed[name]:,.0f}",
            f"{speed[name] / speed['jsonschema']:.1f}x",
        ]
        for name, s in series.items()
    ]
    text = [
        f"{what.capitalize()} against the alpaca schema. Medians of {options.runs} interleaved runs.",
        f"{machine('jsonschema', 'jsonschema-rs', 'orjson')}.",
        "",
        *table(["contestant", "rows", "seconds", "min-max", "rows/s", "against jsonschema"], body),
    ]
    publish("validate", "validate", text, write=options.write)
    lines.unlink()
    few.unlink()


if __name__ == "__main__":
    main()
