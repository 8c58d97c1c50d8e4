"""A run: sources in, one task over their chunks, fates counted, and everything a command leaves behind.

The engine knows files, workers, order, progress and conservation, and no step by name.

Python:
    with Run("convert", inputs, "out.jsonl", options) as run:
        for part in run.parts("rows", {"to": "sharegpt"}):
            run.output.write(part.result.out)
            run.settle(part)
        result = run.finish(config)
"""

from __future__ import annotations

import dataclasses
import os
import sys
import tempfile
import time
import uuid
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import numpy as np

from dataforge.config import RunOptions
from dataforge.engine.account import manifest_of, report_of, summary_of
from dataforge.engine.batch import Batch, Note, Result, sniff
from dataforge.engine.ledgerfile import LedgerFile, RejectsFile, Rows
from dataforge.engine.outputs import Output, out_of_space
from dataforge.engine.pool import Crew, run_ordered, usable_cores
from dataforge.engine.progress import Progress, tell
from dataforge.errors import InputError, RowError
from dataforge.io.chunks import CHUNK_BYTES, Chunk, Reading, open_reading, read_chunks
from dataforge.io.hub import is_hub
from dataforge.io.paths import STDIN, Source, find_sources
from dataforge.ledger import DROPPED, ERROR, Counts
from dataforge.ledger import Result as CommandResult
from dataforge.record import Record, record_id

__all__ = ["Part", "Run", "is_file"]

SHOWN = 10


@dataclass
class Part:
    """A finished chunk: its result, and its rows with their place in the source."""

    chunk: Chunk
    result: Result
    rows: Rows


class Run:
    """One command at work on its inputs; see the module docstring for its course.

    output None writes rows to standard output, "" writes none. documents: what is one document of a .txt file.
    ledger: columns of the command's own in the ledger, by their kinds (`engine/ledgerfile.py`).
    lasting: files of the command's own in the partial folder that outlive a failed run (`engine/outputs.py`).
    sourceless: whether the command works without any input.
    Raises InputError, OutputError and, under `on_error="stop"`, the RowError of the first faulty row.
    """

    def __init__(
        self,
        command: str,
        inputs: Sequence[str],
        output: str | None,
        options: RunOptions,
        *,
        container: str | None = None,
        documents: str = "line",
        ledger: Mapping[str, str | tuple[str, ...]] | None = None,
        lasting: tuple[str, ...] = (),
        sourceless: bool = False,
    ) -> None:
        self.command = command
        self._columns = ledger
        self.options = options
        self.sources = find_sources(inputs, documents=documents) if inputs or not sourceless else []
        self._places = [source.place for source in self.sources]
        self.counts = Counts()
        self.stats: Counter[str] = Counter()
        self.output = Output(output, options, container=container, lasting=lasting)
        self.workers = options.workers or usable_cores()
        self.problems: list[str] = []
        self.input_rows = [0] * len(self.sources)
        self._entries: list[dict[str, Any]] = []
        self._readings: list[Reading] = []
        self._remarks: list[str] = []
        self._ledger: LedgerFile | None = None
        self._rejects: RejectsFile | None = None
        self._spooled: list[str] = []
        self._crew: Crew | None = None
        self.began = time.perf_counter()

    def __enter__(self) -> Run:
        if self.output.path and os.path.exists(self.output.path):
            for source in self.sources:
                if is_file(source) and os.path.samefile(source.path, self.output.path):
                    raise InputError("is also the output", place=source.path, help="choose another -o")
        try:
            self.output.__enter__()
            partial = self.output.partial
            if partial is not None:
                self._rejects = RejectsFile(partial / "rejects.jsonl")
                self._ledger = LedgerFile(
                    partial / "ledger.parquet", [source.name for source in self.sources], self._columns
                )
        except BaseException:
            self.__exit__(*sys.exc_info())
            raise
        return self

    def spool(self) -> None:
        """Copy streams to disk, for commands that read their input twice."""
        for index, source in enumerate(self.sources):
            if is_file(source):
                continue
            # The name is noted before the file exists, so that an interrupt finds it.
            path = os.path.join(tempfile.gettempdir(), f"dataforge-{uuid.uuid4().hex}")
            self._spooled.append(path)
            reading = open_reading(source)
            try:
                with open(path, "xb", opener=_private) as file:
                    # A hub data set has a row a line, and may be far larger than what is wanted of it.
                    for block in _blocks(reading, self.options.limit if is_hub(source.path) else None):
                        file.write(block)
            except OSError as fault:
                raise out_of_space(fault, path) from None
            finally:
                reading.close()
            self.sources[index] = dataclasses.replace(source, path=path)

    def _chunks(self, readings: list[Reading]) -> Iterator[Chunk]:
        left = self.options.limit
        for index, source in enumerate(self.sources):
            reading = open_reading(source)
            readings.append(reading)
            prefer: list[str] | None = None
            for chunk in read_chunks(source, index, reading) if left != 0 else ():
                prefer = sniff(chunk) if prefer is None else prefer
                chunk.prefer = prefer
                if left is not None:
                    chunk.limit = left
                yield chunk
                if left is not None:
                    left -= min(left, self._seen)
                    if left == 0:
                        break
            if left != 0 or is_file(source):
                reading.finish()  # a stream may have no end, and nothing more is wanted of it

    def parts(self, task: str, task_options: dict[str, Any], *, keep: Any = None) -> Iterator[Part]:
        """Run a task over all chunks, in order. `keep(part number) -> bytes` hands each chunk an earlier decision."""
        if self._crew is None and self.workers > 1 and self.options.limit is None:
            self._crew = Crew(self.workers)  # with a limit, the next chunk is read when the rows of this one are known
        # Starting workers takes longer than one chunk's work; who names a number of workers gets them.
        small = 0 if self.options.workers else CHUNK_BYTES

        def work(chunks: Iterator[Chunk]) -> Iterator[tuple[Chunk, Result]]:
            if keep is not None:
                chunks = _with_keep(chunks, keep)
            return run_ordered(task, task_options, chunks, crew=self._crew, small=small)

        yield from self._parts(work)

    def records(self) -> Generator[tuple[Part, list[tuple[int, Record]]], None, None]:
        """All rows as records, read in this process: each chunk's part, and (row, record) of its readable rows.

        Whoever stops before the end closes the generator, which closes the file.
        """
        held: deque[list[tuple[int, Record]]] = deque()

        def work(chunks: Iterator[Chunk]) -> Iterator[tuple[Chunk, Result]]:
            for chunk in chunks:
                batch = Batch(chunk)
                held.append(list(batch.records()))
                for index, record in held[-1]:
                    batch.ids[index] = record_id(record)
                yield chunk, batch.result()

        for part in self._parts(work, bar=False):
            yield part, held.popleft()

    def _parts(
        self, work: Callable[[Iterator[Chunk]], Iterator[tuple[Chunk, Result]]], *, bar: bool = True
    ) -> Iterator[Part]:
        """The parts that some work makes of all chunks, as they come."""
        readings = self._readings = []
        firsts = [0] * len(self.sources)
        self._seen = 0
        total = sum(os.path.getsize(s.path) for s in self.sources) if all(map(is_file, self.sources)) else None
        try:
            with Progress(self.command, total, quiet=self.options.quiet or not bar) as shown:
                for chunk, result in work(self._chunks(readings)):
                    self._seen = n = result.n_in
                    given = result.lines
                    lines = np.arange(chunk.line, chunk.line + n) if given is None else np.array(given)
                    rows = Rows(chunk.source, firsts[chunk.source], lines.astype(np.int64), result.ids)
                    rows.note(result.notes)
                    firsts[chunk.source] += n
                    self._faults(chunk, result.notes)
                    self.stats.update(result.stats)
                    shown.advance(chunk.length)
                    yield Part(chunk, result, rows)
            self.input_rows = firsts
            self._take_entries(readings)
        finally:
            for reading in readings:
                reading.close()
                self._remarks += [remark for remark in reading.remarks if remark not in self._remarks]

    def chunks(self) -> Iterator[Chunk]:
        """All chunks once more, as they stand, after a pass; the inputs must still be what they were."""
        readings: list[Reading] = []
        try:
            with Progress(
                self.command, sum(chunk["bytes"] for chunk in self._entries), quiet=self.options.quiet
            ) as bar:
                for chunk in self._chunks(readings):
                    yield chunk
                    bar.advance(chunk.length)
            self._take_entries(readings)
        finally:
            for reading in readings:
                reading.close()

    def _take_entries(self, readings: list[Reading]) -> None:
        entries = [
            {"name": source.name, "bytes": reading.bytes, "hash": reading.hash, "rows": rows}
            for source, reading, rows in zip(self.sources, readings, self.input_rows, strict=True)
        ]
        for place, old, new in zip(self._places, self._entries, entries, strict=False):
            if old != new:
                raise InputError("the input changed while it was read", place=place)
        self._entries = entries
        if self.sources and sum(self.input_rows) == 0 and self.options.limit != 0:
            more = f" and {len(self._places) - 3} more" if len(self._places) > 3 else ""
            places = ", ".join(self._places[:3]) + more
            raise InputError("holds no rows", place=places, help="is it the right file?")

    def entry(self, source: int) -> dict[str, Any]:
        """Name, bytes and hash of a source that this pass has read to its end (rows of a later one have come)."""
        reading = self._readings[source]
        return {"name": self.sources[source].name, "bytes": reading.bytes, "hash": reading.hash}

    @property
    def entries(self) -> list[dict[str, Any]]:
        """Name, bytes, hash and rows of each source, once all of it has been read."""
        return self._entries

    def _faults(self, chunk: Chunk, notes: list[Note]) -> None:
        """Show faulty rows; under `on_error="stop"` the first one ends the run."""
        source = self._places[chunk.source]
        for note in notes:
            if note.fate != ERROR:
                continue
            fault = RowError(note.rule, note.detail, path=note.path, help=note.help).at(source, note.line)
            if self.options.on_error == "stop":
                fault.help = fault.help or "--on-error reject puts such rows into rejects.jsonl and goes on"
                raise fault
            said = f"{fault}\n  help: {fault.help}" if fault.help else str(fault)
            if len(self.problems) < SHOWN and said not in self.problems:  # an earlier pass may have said so
                self.problems.append(said)

    def note(self, part: Part, note: Note, *, ends: bool = True) -> None:
        """Give a row a fate after its part has come. ends: a fault ends the run under `on_error="stop"`, as usual."""
        part.result.notes.append(note)
        part.rows.note([note])
        if ends:
            self._faults(part.chunk, [note])
        elif note.fate == ERROR and len(self.problems) < SHOWN:
            self.problems.append(f"{self._places[part.chunk.source]}:{note.line}: {note.detail}")

    def name_sources(self, names: Sequence[str]) -> int:
        """Names of keepers that are in no input, for the ledger; the number of the first of them."""
        return self._ledger.name_sources(names) if self._ledger is not None else len(self.sources)

    def settle(self, part: Part) -> None:
        """Count the rows of a part and write their ledger rows and rejects."""
        part.rows.count(self.counts)
        if self._ledger is not None:
            self._ledger.add(part.rows)
        if self._rejects is not None:
            wanted = (ERROR, DROPPED) if self.options.keep_dropped else (ERROR,)
            notes = [note for note in part.result.notes if note.fate in wanted]
            if notes:
                self._rejects.add(self.sources[part.chunk.source].name, notes)

    def finish(
        self,
        config: Any,
        *,
        rows_out: int,
        extra: dict[str, Any] | None = None,
        data: Any = None,
        files: tuple[str, ...] = (),
        report: dict[str, Any] | None = None,
    ) -> CommandResult:
        """End the output, check conservation, put everything into place, and say what happened.

        extra: for report and manifest. report: for the report alone. files: of the command's own, left in the partial
        folder.
        """
        self.counts.rows_out = rows_out
        self.counts.check()
        entry = self.output.finish()
        if entry is not None:
            entry["rows"] = rows_out
        names = list(files)
        if self._ledger is not None:
            self._ledger.close()
            names.append("ledger.parquet")
        if self._rejects is not None and self._rejects.close():
            names.append("rejects.jsonl")
        report = {**report_of(self, extra), **(report or {})}
        if self._remarks:
            report["remarks"] = self._remarks
            tell(self._remarks)
        self.output.commit(tuple(names), report, manifest_of(self, config, entry, extra))
        result = CommandResult(
            self.command, self.counts, report, self.output.path or None, problems=self.problems, data=data
        )
        result.lines.append(summary_of(self, report))
        if self.counts.errors > len(self.problems):
            result.lines.append(f"{self.counts.errors - len(self.problems):,} more faulty rows are not shown")
        if self.output.forge is not None and "rejects.jsonl" in names:
            result.lines.append(f"rejected rows: {self.output.forge / 'rejects.jsonl'}")
        elif self.counts.errors and self.output.path is None:
            result.lines.append("rejected rows are kept nowhere, as there is no -o; --forge DIR keeps them")
        return result

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._crew is not None:
            self._crew.stop()
        for path in self._spooled:
            if os.path.exists(path):
                os.unlink(path)
        if self._ledger is not None:
            self._ledger.give_up()
        if self._rejects is not None:
            self._rejects.give_up()
        self.output.__exit__(kind, value, trace)


def is_file(source: Source) -> bool:
    """True for a file that can be read again; False for standard input, pipes and devices."""
    return source.path != STDIN and os.path.isfile(source.path)


def _private(path: str, flags: int) -> int:
    """Open a file that only its owner may read."""
    return os.open(path, flags, 0o600)


def _blocks(reading: Reading, rows: int | None) -> Iterator[bytes]:
    """The bytes of a stream; with `rows`, its first lines alone."""
    while rows != 0 and (block := reading.read(CHUNK_BYTES)):
        if rows is not None:
            *lines, _ = block.split(b"\n", rows)
            if len(lines) == rows:
                block = b"\n".join(lines) + b"\n"
            rows -= len(lines)
        yield block


def _with_keep(chunks: Iterator[Chunk], keep: Any) -> Iterator[Chunk]:
    for number, chunk in enumerate(chunks):
        chunk.keep = keep(number)
        yield chunk
