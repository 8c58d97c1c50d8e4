"""`decontaminate`: rows that repeat what a benchmark or a held-out file asks are taken out, with the evidence.

Reference files may be of any container and dialect. What is compared (--fields) is the prompt of each item (all of a
document), its answer, either, or both together. Three methods, all used unless --method names some:

    exact    the whole of it stands in the row, term by term (case, width, punctuation and spacing aside)
    ngram    coverage, the share of it that stands in the row in runs of --ngram words or more, is at least --threshold
    minhash  the share of its small shingles within one stretch of the row is at least --containment: rewordings

By the last two, --evidence words must have been found, or four fifths of the item: half of a short item is a phrase.
A character of a script without spaces counts as half a word. An item shorter than an n-gram is sought whole; one
shorter than --shortest words only where a turn is exactly it. What is in more than --common items is template and has
no weight.

Score and decide in one pass (in worker processes); kept rows are copied as they stand. The ledger has the evidence:
item, coverage, what both say. --dry-run scores, reports and writes nothing; exit code 1 if it found anything.

Cost: one pass over the rows; 200 bytes of memory a word of the references while the index is made.
CLI: `dataforge decontaminate train.jsonl --against gsm8k.jsonl --against cmmlu/ -o clean.jsonl`
Python: `dataforge.decontaminate("train.jsonl", output="clean.jsonl", against=["val.jsonl"]).data["against"]`
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dataforge.config import RunOptions, check, option
from dataforge.engine.run import Part, Run
from dataforge.errors import InputError, UsageError
from dataforge.io.paths import STDIN, Source, find_sources
from dataforge.ledger import DROPPED, Result
from dataforge.ops.decontamination.references import LETTERS, Item, Reference, read_references
from dataforge.ops.dedup import refuse_tables
from dataforge.registry import Operation

__all__ = ["OPERATION", "Contamination", "DecontaminateConfig", "decontaminate"]

METHODS = ("exact", "ngram", "minhash")
FIELDS = {
    "prompt": ("prompt", "question"),
    "answer": ("answer",),
    "either": ("prompt", "question", "answer"),
    "all": ("all",),
}
ROLES = ("prompt", "answer", "all", "question")
"""What a part of the index is of its item; `question`: one that is too short, without its options."""
FEW = 5
"""Files without a finding that are told of one by one."""
SHINGLE = 3
"""Words of a shingle."""


@dataclass(frozen=True)
class DecontaminateConfig:
    """Settings of decontaminate."""

    against: tuple[str, ...] = option(
        help="file, folder or glob of items that must not be learned (repeatable)", path=True
    )
    method: tuple[str, ...] = option((), help="use this method (repeatable; default: all three)", choices=METHODS)
    fields: str = option(
        "prompt",
        help="what of an item is compared: prompt, answer, either of them, or all as one",
        choices=tuple(FIELDS),
    )
    ngram: int = option(
        5, help="length of an n-gram; two characters of Chinese are a word", unit="words", minimum=2, maximum=100
    )
    threshold: float = option(0.5, help="least coverage of an item by n-grams, 0 < share <= 1", minimum=0.01, maximum=1)
    evidence: int = option(
        13, help="so much of an item must have been found, or four fifths of it", unit="words", minimum=1, maximum=1000
    )
    containment: float = option(0.45, help="least share of an item's shingles (minhash)", minimum=0.3, maximum=1)
    shortest: int = option(
        5, help="items that are shorter count only where a turn is exactly them", unit="words", minimum=1, maximum=100
    )
    common: int = option(10, help="n-grams that are in more items weigh nothing", unit="items", minimum=1)
    show: int = option(10, help="removed rows to show; the ledger has all", unit="rows", minimum=0, maximum=100_000)

    def __post_init__(self) -> None:
        check(self)
        if not self.against:
            raise UsageError("decontaminate needs --against", help="it may be given several times")
        if self.shortest > self.ngram:
            raise UsageError(f"--shortest {self.shortest} is longer than --ngram {self.ngram}")

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods used."""
        return self.method or METHODS


@dataclass
class Contamination(Result):
    """The result of decontaminate. found: rows that repeat an item; checked: nothing was to be written (--dry-run)."""

    found: int = 0
    checked: bool = False

    @property
    def exit_code(self) -> int:
        """1 if rows were faulty, or a dry run found something."""
        return 1 if self.counts.errors or (self.checked and self.found) else 0


def decontaminate(
    inputs: tuple[str, ...], output: str | None, config: DecontaminateConfig, options: RunOptions
) -> Result:
    """Remove rows that repeat reference items; `data` has `against`, `coverage`, `examples` (docs/decontaminate.md)."""
    shares = {"coverage": "float32", "containment": "float32"}
    run = Run("decontaminate", inputs, "" if options.dry_run else output, options, ledger=shares)
    refuse_tables(run)
    sources = find_sources(config.against)
    _refuse_same(run, sources)
    references = read_references(sources, skip_faulty=options.on_error == "reject")
    if not any(reference.items for reference in references):
        places = ", ".join(source.place for source in sources[:3])
        raise InputError("holds no items to compare with", place=places, help="is it the right file?")
    with tempfile.TemporaryDirectory(prefix="dataforge-") as folder:
        tally = _prepare(references, config, folder)
        with run:
            rows_out = 0
            tally.first = run.name_sources([reference.name for reference in references])
            for part in run.parts("contamination", _task(config, options, folder, tally)):
                tally.take(run.sources[part.chunk.source].place, part, config.show)
                if options.dry_run:
                    part.rows.n_out[:] = 0
                else:
                    run.output.write(part.result.out)
                    rows_out += part.result.stats["written"]
                run.settle(part)
            figures = tally.figures(run.stats)
            done = run.finish(config, rows_out=rows_out, extra=figures)
    found = done.counts.dropped
    result = Contamination(**{**vars(done), "data": {**done.report, "examples": tally.examples}}, found=found)
    result.checked = options.dry_run
    _say(result, figures, tally)
    return result


def _refuse_same(run: Run, sources: list[Source]) -> None:
    """Raise if a file is input and reference at once, or a reference would be written over."""
    if any(source.path == STDIN for source in sources) and any(source.path == STDIN for source in run.sources):
        raise UsageError("standard input can be rows or references only")
    own = {os.path.realpath(source.path): source for source in run.sources if source.path != STDIN}
    for source in sources:
        if (os.path.realpath(source.path) in own) and own[os.path.realpath(source.path)].sheet == source.sheet:
            raise InputError("is also in --against: every row of it would be found", place=source.place)
        if run.output.path and os.path.exists(run.output.path) and os.path.exists(source.path):
            if os.path.samefile(source.path, run.output.path):
                raise InputError("is also the output", place=source.place, help="choose another -o")


@dataclass
class _Tally:
    """What was found so far, by reference file."""

    references: list[Reference]
    parts: NDArray[np.int64]
    files: NDArray[np.int64]
    found: NDArray[np.uint8]
    deciding: list[int]
    hit: NDArray[np.bool_]
    ordinals: NDArray[np.int64]
    first: int = 0
    examples: list[dict[str, Any]] = field(default_factory=list)

    def take(self, place: str, part: Part, most: int) -> None:
        """Count a finished chunk, write its evidence into its ledger rows, and keep its first removed rows."""
        payload, rows = part.result.payload, part.rows
        self.hit[np.frombuffer(payload.pop("hit"), np.int32)] = True
        item = np.frombuffer(payload.pop("item"), np.int64)
        rows.keeper_source = np.where(item < 0, -1, self.files[item] + self.first).astype(np.int32)
        rows.keeper_ordinal = np.where(item < 0, -1, self.ordinals[item])
        for name in ("coverage", "containment"):
            rows.extra[name] = np.frombuffer(payload.pop(name), np.float32)
        for note in part.result.notes:
            if len(self.examples) >= most:
                return
            if note.fate == DROPPED:
                row = rows.first + note.row + 1
                where = f"{place}:{note.line}" + (f" (row {row})" if row != note.line else "")
                self.examples.append({"place": where, "rule": note.rule, "evidence": note.detail})

    def figures(self, stats: Any) -> dict[str, Any]:
        """The part of the report that is about contamination."""
        against = []
        for number, reference in enumerate(self.references):
            parts = self.parts[self.files == number][:, self.deciding]
            there = parts >= 0
            how = np.where(there, self.found[parts], 255)
            hit = (there & self.hit[parts]).any(axis=1)
            against.append(
                {
                    "name": reference.name,
                    "bytes": reference.bytes,
                    "hash": reference.hash,
                    "rows": reference.rows,
                    "faulty": reference.faulty,
                    "read_as": dict(reference.ways.most_common()),
                    "items": len(parts),
                    "sought": int(((how == 1) | (how == 2)).any(axis=1).sum()),
                    "only_whole": int((how == 1).any(axis=1).sum()),
                    "items_hit": int(hit.sum()),
                    "rows_removed": stats[f"removed:{number}"],
                }
            )
        coverage = {f"{step / 10:.1f}": stats[f"coverage:{step}"] for step in range(11)}
        return {"against": against, "coverage": coverage}


def _prepare(references: list[Reference], config: DecontaminateConfig, folder: str) -> _Tally:
    """Make the index of all items in a folder."""
    from dataforge.ops.decontamination.index import Sizes, build
    from dataforge.ops.decontamination.task import Catalogue

    texts: list[str] = []
    roles: list[int] = []
    owner: list[int] = []
    places: list[tuple[int, int, int]] = []
    for number, reference in enumerate(references):
        for item in reference.items:
            for role, text in enumerate(_parts(item, config)):
                if text is not None:
                    texts.append(text)
                    roles.append(role)
                    owner.append(len(places))
            places.append((number, item.ordinal, item.line))
        reference.items = []
    sizes = Sizes(2 * config.ngram, 2 * config.shortest, 2 * SHINGLE, config.common)
    role_of, owners = np.array(roles, np.int64), np.array(owner, np.int64)
    index, part_of = build(texts, role_of != ROLES.index("answer"), sizes)
    parts = np.full((len(places), len(ROLES)), -1, np.int64)
    parts[owners, role_of] = part_of
    _, first = np.unique(part_of, return_index=True)
    index.save(folder)
    files, ordinals, lines = np.array(places, np.int64).reshape(-1, 3).T.copy()
    Catalogue(owners[first], role_of[first], files, ordinals, lines, parts).save(folder)
    deciding = [ROLES.index(role) for role in FIELDS[config.fields]]
    return _Tally(references, parts, files, index.found, deciding, np.zeros(len(index.weight), bool), ordinals)


def _parts(item: Item, config: DecontaminateConfig) -> tuple[str | None, ...]:
    """What is compared of an item, by ROLES: prompt, answer, all of it; and a short question without its options."""
    from dataforge.ops.terms import count_terms, pack

    prompt, answer, question = item.prompt, item.answer, None
    options = [f"{letter} {text}" for letter, text in zip(LETTERS, item.options, strict=False)]
    if options and int(count_terms(pack([prompt]))[0] @ [2, 1, 1]) < 2 * config.shortest:
        prompt, question = "\n".join([prompt, *options]), prompt
    whole = "\n".join(filter(None, (item.prompt, *options, answer))) if config.fields == "all" else None
    return prompt, answer, whole, question


def _task(config: DecontaminateConfig, options: RunOptions, folder: str, tally: _Tally) -> dict[str, Any]:
    """The options of the worker task."""
    return {
        "index": folder,
        "files": [reference.name for reference in tally.references],
        "roles": FIELDS[config.fields],
        "methods": config.methods,
        "threshold": config.threshold,
        "evidence": 2 * config.evidence,
        "containment": config.containment,
        "keep_dropped": options.keep_dropped,
        "copy": not options.dry_run,
    }


def _say(result: Contamination, figures: dict[str, Any], tally: _Tally) -> None:
    """Put the findings into lines: the references, the removed rows, and rows by coverage."""
    lines = []
    quiet = [one for one in figures["against"] if not one["items_hit"] and not one["faulty"]]
    quiet = quiet if len(quiet) > FEW else []
    for one in figures["against"]:
        if one in quiet:
            continue
        said = f"{one['name']}: {one['items']:,} items"
        if one["only_whole"]:
            said += f", {one['only_whole']:,} too short to be sought inside a text"
        if one["items"] > one["sought"]:
            said += f", {one['items'] - one['sought']:,} with nothing to compare"
        if one["faulty"]:
            said += f", {one['faulty']:,} faulty rows passed over"
        lines.append(f"{said}; {one['items_hit']:,} found in {one['rows_removed']:,} rows")
    if quiet:
        lines.append(f"{len(quiet):,} more files: {sum(one['items'] for one in quiet):,} items; none found")
    for example in tally.examples:
        lines.append(f"  {example['place']}: {example['rule']}: {example['evidence']}")
    if result.found > len(tally.examples):
        lines.append(f"  {result.found - len(tally.examples):,} more removed rows are not shown")
    shares = [f"{share} {rows:,}" for share, rows in figures["coverage"].items() if rows]
    if shares:
        lines.append("rows by coverage of their best item, from: " + ", ".join(shares))
    result.lines[:0] = lines


OPERATION = Operation(
    name="decontaminate",
    config=DecontaminateConfig,
    run=decontaminate,
    options=("workers", "on_error", "force", "dry_run", "limit", "json", "quiet", "forge", "keep_dropped"),
)
