"""`split`: rows into train, validation and test, so that no prompt and no cluster of near duplicates is on two sides.

Rows of one group stay together: those of one prompt (the turns before the last answer, or before the candidates; of a
document all of its text), or of one value of a column; with --clusters also those of one cluster of dedup's ledger, and
whatever these two relations join. A group goes by the hash of its key and the seed: not by order, workers or other
rows. So with shares a row that comes later moves none that was there; with amounts (--validation 500) the lowest hashes
are taken, whole groups. Rows are copied as they stand.

Reads rows of any dialect and container; writes FOLDER/train.jsonl, validation.jsonl, test.jsonl, and split.json last.
Score: keys (in worker processes). Decide: `splitting/decision.py`. Apply: one pass over all inputs.
Cost: two passes over the input, 50,000 preference rows a second on two cores; 120 bytes of memory a row.
CLI: `dataforge split pairs.jsonl -o parts --validation 0.05 --test 0.05`
Python: `dataforge.split("pairs.jsonl", output="parts", validation=500, clusters="unique.jsonl.forge")`
"""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from xxhash import xxh3_128_hexdigest

from dataforge import __version__
from dataforge.config import RunOptions, check, option
from dataforge.engine import progress
from dataforge.engine.distributing import NOWHERE, Homes, distribute
from dataforge.engine.outputs import out_of_space
from dataforge.engine.rowfile import CONTAINERS, RowFile
from dataforge.engine.run import Part, Run, is_file
from dataforge.errors import ConservationError, DataError, UsageError
from dataforge.ledger import KEPT, Result
from dataforge.ops.splitting.account import Account
from dataforge.ops.splitting.clusters import Clusters, read_clusters
from dataforge.ops.splitting.decision import NAMES, Plan, decide
from dataforge.ops.splitting.table import MOST_STRATA, Table, collect
from dataforge.registry import DIALECTS, Operation
from dataforge.shards.folder import Folder

__all__ = ["MANIFEST", "OPERATION", "SplitConfig", "split"]

MANIFEST = "split.json"
SCHEMA = "dataforge.split/1"
UNITS = ("rows", "chars", "tokens")
MOST = 10**15
LEDGER: dict[str, str | tuple[str, ...]] = {"part": NAMES, "group": "int64"}
"""Columns of the ledger: the part of each row, and the first row (its number over all inputs) of the row's group."""


@dataclass(frozen=True)
class SplitConfig:
    """Settings of split."""

    validation: float = option(
        0.05, help="size of validation: a share below 1, or an amount from 1 on", minimum=0, maximum=MOST
    )
    test: float = option(
        0.0, help="size of test: a share below 1, or an amount from 1 on (0: none)", minimum=0, maximum=MOST
    )
    group_by: str = option(
        "prompt",
        help="what keeps rows together: prompt, opening (the first turn of the user), none (equal rows alone), or a "
        "column (a.b for one inside another; column:NAME for one that is called like these)",
    )
    clusters: str | None = option(
        None, help="ledger of dedup, or the OUT.forge folder with it, whose clusters stay together too", path=True
    )
    stratify: str | None = option(
        None, help="hold the shares within each: dialect, lang, source (the input file), or a column"
    )
    by: str | None = option(None, help="unit of sizes (default: tokens with --tokenizer, else rows)", choices=UNITS)
    tokenizer: str | None = option(None, help="tokenizer folder or hub id that counts tokens", path=True)
    template: str | None = option(
        None, help="chat template where the tokenizer has none: chatml, or a .jinja file", path=True
    )
    container: str | None = option(
        None, help="container of the parts (default: that of the input, jsonl if these differ)", choices=CONTAINERS
    )
    source_dialect: str | None = option(
        None, help="dialect of every input row (default: found row by row)", choices=tuple(DIALECTS), flags=("--from",)
    )

    def __post_init__(self) -> None:
        check(self)
        for name in ("validation", "test"):
            size = getattr(self, name)
            if size >= 1 and size != int(size):
                raise UsageError(f"--{name}: {size:g} is no share and no amount", help="e.g. 0.05, or 500")
        if not self.validation and not self.test:
            raise UsageError("nothing to split off: --validation and --test are both 0", help="e.g. --validation 0.05")
        shares = sum(size for size in (self.validation, self.test) if size < 1)
        if shares >= 1:
            raise UsageError(f"--validation and --test together are {shares:g} of 1", help="leave something for train")
        if self.by == "tokens" and self.tokenizer is None:
            raise UsageError("--by tokens needs --tokenizer")
        for name in ("group_by", "stratify"):
            if getattr(self, name) in ("", "column:"):
                raise UsageError(f"--{name.replace('_', '-')}: a column without a name")

    @property
    def unit(self) -> str:
        """The unit that sizes are counted in."""
        return self.by or ("tokens" if self.tokenizer else "rows")

    @property
    def task(self) -> dict[str, Any]:
        """The options of the worker task."""
        names = ("group_by", "stratify", "tokenizer", "template")
        own = {name: getattr(self, name) for name in names}
        return {**own, "by": self.unit, "from": self.source_dialect, "ends": True}


def split(inputs: tuple[str, ...], output: str | None, config: SplitConfig, options: RunOptions) -> Result:
    """Split rows into the folder `output`.

    Raises RowError at the first faulty row unless `on_error` is "reject"; DataError if a part would be empty, or if the
    ledger of clusters knows none of the rows.
    """
    folder = Folder("split", output, options, mark=MANIFEST)
    run = Run("split", inputs, "", folder.options, ledger=LEDGER)
    _refuse_own(run, folder)
    container = config.container or _container(run)
    clusters = None if config.clusters is None else read_clusters(config.clusters)
    with run:
        assert run.output.partial is not None
        run.spool()
        parts = []
        for part in run.parts("grouped", config.task):
            part.chunk.data = None  # of tables and packed files a chunk holds the rows themselves
            parts.append(part)
        if all((part.rows.fates != KEPT).all() for part in parts):
            raise DataError("there is no readable row to split", help=run.problems[0] if run.problems else "")
        account = _decide(collect(run, parts, clusters, config.unit, config.stratify), config, options.seed)
        lines = account.lines(config.group_by, options.seed) + _about_clusters(account.table, clusters)
        progress.tell(lines)
        if options.dry_run:
            return Result("split", lines=lines, report={"split": account.report(), "plan": lines})
        place = run.output.partial / "split"
        try:
            place.mkdir()
            files = _write(run, parts, account, place, container)
            manifest = _manifest(account, files, config, options.seed, clusters)
            (place / MANIFEST).write_text(json.dumps(manifest, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
        except OSError as fault:
            raise out_of_space(fault, str(place)) from None
        run.counts.rows_out = manifest["rows"]
        run.counts.check()
        folder.place(place)
        entry = {"bytes": sum(file["bytes"] for file in files), "rows": manifest["rows"], "hash": manifest["hash"]}
        result = folder.finish(run, config, entry, rows_out=manifest["rows"], extra={"split": manifest})
    result.lines[0] += f" -> {folder.path}/ ({', '.join(file['name'] for file in files)})"
    return result


def _refuse_own(run: Run, folder: Folder) -> None:
    """Raise UsageError if the folder that is to be replaced holds an input."""
    own = folder.path.resolve()
    for source in run.sources:
        if is_file(source) and own in Path(source.path).resolve().parents:
            raise UsageError(f"{source.path} lies in the output folder, which is replaced", help="choose another -o")


def _container(run: Run) -> str:
    """The container of all inputs, if rows can be written to it as they stand; jsonl otherwise."""
    found = {source.container for source in run.sources}
    return found.pop() if len(found) == 1 and found <= set(CONTAINERS) else "jsonl"


def _decide(table: Table, config: SplitConfig, seed: int) -> Account:
    """Which group goes where; DataError where that cannot be."""
    if len(table.strata) > MOST_STRATA:
        raise DataError(
            f"--stratify {config.stratify} tells {len(table.strata):,} strata apart",
            help="name a column with few values",
        )
    plan, groups = Plan(config.validation, config.test), table.groups()
    total = int(groups.amount.sum())
    asked = sum(plan.wanted(part, total) for part in (1, 2))
    if asked >= total:
        raise DataError(
            f"--validation and --test ask for {asked:,.0f} {config.unit}, {total:,} are there",
            help="ask for less, or give a share below 1",
        )
    where = decide(groups, plan, seed, stratified=config.stratify is not None)
    account = Account(table, groups, where, plan, config.unit, config.stratify)
    account.check()
    return account


def _about_clusters(table: Table, clusters: Clusters | None) -> list[str]:
    """What the ledger did; DataError if it speaks of other rows."""
    if clusters is None:
        return []
    if not table.found:
        raise DataError(
            "--clusters: the ledger knows none of the rows",
            help="name the ledger of a dedup over these rows, or over rows of the same content",
        )
    lines = [f"  clusters: {clusters.count:,} in the ledger; {table.apart:,} groups became {len(table.keys):,}"]
    if missing := len(table.row) - table.found:
        lines.append(f"  warning: {missing:,} rows are not in the ledger, and are kept together by their groups alone")
    return lines


def _write(run: Run, parts: list[Part], account: Account, place: Path, container: str) -> list[dict[str, Any]]:
    """Copy all rows to their files and the decision into the ledger; an entry of the manifest for each file."""
    table = account.table
    homes = np.full(table.count, NOWHERE, np.int8)
    homes[table.row] = account.homes
    group = np.full(table.count, -1, np.int64)
    group[table.row] = table.firsts()[table.group]
    starts = np.cumsum([0, *(len(part.rows) for part in parts)]).tolist()
    files = []
    with ExitStack() as stack:
        for name in NAMES:
            if name in account.names:
                files.append(RowFile(place / f"{name}.{container}", container))
                stack.callback(files[-1].give_up)
        order = np.array([account.names.index(name) if name in account.names else NOWHERE for name in NAMES], np.int8)

        def of_part(number: int) -> Homes:
            own = homes[starts[number] : starts[number + 1]]
            return np.where(own == NOWHERE, NOWHERE, order[own]).astype(np.int8)

        distribute(run, parts, of_part, files)
        entries = [file.close() for file in files]
    for entry, size in zip(entries, account.sizes.values(), strict=True):
        if entry["rows"] != size["rows"]:
            raise ConservationError(f"{entry['name']}: {size['rows']:,} rows decided, {entry['rows']:,} written")
    _settle(run, parts, homes, group)
    return entries


def _settle(run: Run, parts: list[Part], homes: Homes, group: Any) -> None:
    """The part, the place in it, and the group of every row, for the ledger."""
    position = np.full(len(homes), -1, np.int64)
    for part in range(len(NAMES)):
        there = homes == part
        position[there] = np.arange(int(there.sum()))
    start = 0
    for piece in parts:
        span = slice(start, start + len(piece.rows))
        start = span.stop
        piece.rows.position = position[span]
        piece.rows.extra = {"part": homes[span], "group": group[span]}
        run.settle(piece)


def _manifest(
    account: Account, files: list[dict[str, Any]], config: SplitConfig, seed: int, clusters: Clusters | None
) -> dict[str, Any]:
    """What split.json says."""
    digest = xxh3_128_hexdigest("".join(f"{file['name']} {file['hash']}\n" for file in files).encode())
    return {
        "schema": SCHEMA,
        "tool": f"dataforge {__version__}",
        "seed": seed,
        "group_by": config.group_by,
        **({} if clusters is None else {"clusters": clusters.entry}),
        "rows": sum(file["rows"] for file in files),
        "files": files,
        "hash": f"xxh3-128:{digest}",
        **account.report(),
    }


OPERATION = Operation(
    name="split",
    config=SplitConfig,
    run=split,
    output="folder",
    options=("workers", "on_error", "force", "dry_run", "limit", "seed", "json", "quiet", "forge"),
)
