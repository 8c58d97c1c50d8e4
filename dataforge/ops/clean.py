"""`clean`: the texts of every row repaired, each change by a named repair; rows that need none stay byte for byte.

Reads rows of any dialect; writes them in their own, in jsonl or json. By default what is safe runs: mojibake, control,
zero-width, unicode, spaces. --with adds html, width, nfkc, simplified, traditional, boilerplate, repeats; --pii KIND
replaces personal data; --harmful LIST and --language CODE drop rows. Text of all turns is repaired, reasoning and the
answers of preference data too; tool calls, tool results and unknown keys are not. Fenced code keeps its form.

The ledger names the repairs of each row (`html+spaces`) and counts what they found, never what it was. --diff N shows
the first N changed rows, with --dry-run before anything is written. docs/clean.md has every repair with an example.

Cost: cheap scans decide which repairs a text needs; about 30 MB/s on 2 cores, flat memory.
CLI: `dataforge clean raw.jsonl -o clean.jsonl --diff 5`
Python: `dataforge.clean("raw.jsonl", output="clean.jsonl").counts.repaired`
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from typing import Any

import orjson

from dataforge.config import RunOptions, check, option
from dataforge.engine.plan import plan_result
from dataforge.engine.run import Run
from dataforge.errors import InputError, UsageError, did_you_mean
from dataforge.ledger import Result
from dataforge.ops.cleaning.order import DEFAULTS, NAMES
from dataforge.ops.cleaning.personal import KINDS
from dataforge.ops.dedup import refuse_tables
from dataforge.registry import DIALECTS, Operation

__all__ = ["OPERATION", "CleanConfig", "clean"]

ALL = "all"
MEANT = {"cn": "zh", "tw": "zh", "hk": "zh", "chinese": "zh", "us": "en", "english": "en", "jp": "ja", "kr": "ko"}
"""Codes of countries and names that are taken for codes of languages."""
REQUESTED = tuple(name for name in NAMES if name not in (*DEFAULTS, "pii"))


@dataclass(frozen=True)
class CleanConfig:
    """Settings of clean."""

    source_dialect: str | None = option(
        None, help="dialect of every input row (default: found row by row)", choices=tuple(DIALECTS), flags=("--from",)
    )
    also: tuple[str, ...] = option(
        (), help=f"run this repair too (repeatable): {', '.join(REQUESTED)}", choices=NAMES, flags=("--with",)
    )
    without: tuple[str, ...] = option(
        (), help=f"leave out this repair (repeatable): {', '.join(DEFAULTS)}", choices=NAMES
    )
    only: tuple[str, ...] = option((), help="run this repair alone (repeatable)", choices=NAMES)
    pii: tuple[str, ...] = option((), help="replace this kind of personal data (repeatable)", choices=(*KINDS, ALL))
    harmful: tuple[str, ...] = option(
        (), help="drop rows with a word of this list: en, zh or a file (repeatable)", path=True
    )
    language: tuple[str, ...] = option((), help="drop rows that are surely in none of these languages: en, zh, ...")
    boilerplate: str | None = option(None, help="a file of further boilerplate lines", path=True)
    diff: int = option(0, help="show the first N changed rows", unit="rows", minimum=0, maximum=10_000)

    def __post_init__(self) -> None:
        check(self)
        for name in (*self.also, *self.only):
            if name in self.without:
                raise UsageError(f"--without: {name!r} is also asked for")
        if self.boilerplate is not None and "boilerplate" not in self.repairs:
            raise UsageError("--boilerplate: its repair does not run", help="add --with boilerplate")
        if "simplified" in self.repairs and "traditional" in self.repairs:
            raise UsageError("--with: simplified and traditional undo each other")
        if self.language:
            _check_languages(self.language)

    @property
    def repairs(self) -> tuple[str, ...]:
        """The names of the repairs that run, in order."""
        wanted = {*(self.only or DEFAULTS), *self.also} - set(self.without)
        if self.pii and "pii" not in self.without:
            wanted.add("pii")
        return tuple(name for name in NAMES if name in wanted)

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of personal data that are replaced."""
        return tuple(kind for kind in KINDS if kind in self.pii) if self.pii and ALL not in self.pii else tuple(KINDS)

    def task(self) -> dict[str, Any]:
        """The options of the worker task; raises UsageError or InputError for a list that cannot be read."""
        from dataforge.ops.cleaning import harmful

        lists = [name if name in harmful.BUILT_IN else os.path.abspath(name) for name in self.harmful]
        for name in lists:
            harmful.load(name)
        return {
            "repairs": self.repairs,
            "kinds": self.kinds,
            "lines": _lines(self.boilerplate),
            "harmful": lists,
            "languages": self.language,
            "from": self.source_dialect,
            "diff": self.diff,
        }


def _check_languages(codes: tuple[str, ...]) -> None:
    from dataforge.ops.langid import known_codes

    known = known_codes()
    for code in codes:
        if code not in known:
            near = re.split("[-_ ,]", code.casefold())[0]
            near = MEANT.get(near, near)
            help = f"did you mean {near!r}?" if near in known else did_you_mean(code, known)
            if "," in code:
                help = "name one at a time: " + " ".join(f"--language {one.strip()}" for one in code.split(","))
            raise UsageError(f"--language: {code!r} is no code that is told apart", help=help)


def _lines(path: str | None) -> list[str]:
    """The lines of a file of boilerplate, as they are compared."""
    if path is None:
        return []
    try:
        with open(path, encoding="utf-8-sig") as file:
            return sorted({line.strip().casefold() for line in file if line.strip()})
    except OSError as fault:
        raise InputError(f"cannot be read: {fault.strerror}", place=path) from None
    except UnicodeDecodeError:
        raise InputError("is no UTF-8 text", place=path) from None


def clean(inputs: tuple[str, ...], output: str | None, config: CleanConfig, options: RunOptions) -> Result:
    """Repair the texts of all rows. `data` has `repairs` (rows by repair), `found` (counts) and `diff`."""
    look = options.dry_run and config.diff > 0
    run = Run("clean", inputs, "" if look else output, replace(options, forge=None) if look else options)
    refuse_tables(run)
    task = config.task()
    if options.dry_run and not look:
        return plan_result(run, f"clean by {', '.join(config.repairs) or 'no repair'}")
    changed: list[dict[str, Any]] = []
    with run:
        rows_out = 0
        for part in run.parts("cleaned", task):
            if look:
                part.rows.n_out[:] = 0
            else:
                run.output.write(part.result.out)
                rows_out += part.result.stats["written"]
            _collect(changed, part.result.payload.pop("diff", b"[]"), run.sources[part.chunk.source].place, config.diff)
            run.settle(part)
        counts = {name: run.stats[f"repair:{name}"] for name in NAMES if run.stats[f"repair:{name}"]}
        found = {name[6:]: n for name, n in sorted(run.stats.items()) if name.startswith("found:") and n}
        extra = {"repairs": counts, "found": found}
        result = run.finish(config, rows_out=rows_out, extra=extra)
    result.data = {**extra, "diff": changed}
    _say(result)
    return result


def _collect(changed: list[dict[str, Any]], payload: bytes, place: str, most: int) -> None:
    """Add the changed rows of a chunk to those that are shown."""
    for line, rule, detail, changes in orjson.loads(payload)[: most - len(changed)]:
        changed.append({"place": f"{place}:{line}", "rule": rule, "detail": detail, "changes": changes})


def _say(result: Result) -> None:
    """Put counts and changed rows into the lines."""
    data = result.data
    if data["repairs"]:
        shares = ", ".join(f"{name} {number:,}" for name, number in data["repairs"].items())
        result.lines.insert(1, f"rows by repair: {shares}")
    if data["found"]:
        found = ", ".join(f"{what} {number:,}" for what, number in data["found"].items())
        result.lines.insert(2, f"found: {found}")
    shown = []
    for row in data["diff"]:
        shown.append(f"{row['place']}  {row['rule']}" + (f" ({row['detail']})" if row["detail"] else ""))
        shown += [f"  {line}" for lines in row["changes"] for line in lines]
    result.lines[:0] = shown


OPERATION = Operation(
    name="clean",
    config=CleanConfig,
    run=clean,
    options=("workers", "on_error", "force", "dry_run", "limit", "json", "quiet", "forge", "keep_dropped"),
)
