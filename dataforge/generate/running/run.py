"""A run of a method: input rows in, chains at work, new rows out, every candidate and every input row accounted for.

Reads the input rows (or seeds); writes OUT, and in OUT.forge/ besides the usual files `journal.jsonl` (every request
and answer) and `dropped.jsonl` (candidates that became no row, with rule and text). An interrupted run leaves its
journal in `OUT.forge/partial/`, and --resume goes on from it.

What becomes of an input row: kept (n_out new rows), dropped (all of its candidates fell to rules; the first one names
it), error (no sound answer; it stands in rejects.jsonl, ready to be asked again), unused (the budget ended before it;
a seed).

Python: `make_rows(METHOD, ("in.jsonl",), "out.jsonl", config, options)`
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from dataforge.config import RunOptions
from dataforge.engine.batch import Batch, Note
from dataforge.engine.progress import tell
from dataforge.engine.run import Part, Run, is_file
from dataforge.errors import DataforgeError, NotRepresentable, UsageError
from dataforge.formats.spelling import Spelling
from dataforge.generate.method import GenerationConfig, Method
from dataforge.generate.prompting.promptset import PromptSet
from dataforge.generate.running.dropped import DroppedFile
from dataforge.generate.running.journal import Journal
from dataforge.generate.running.resume import JOURNAL, about_run, find_journal, goes_on, refuse_idle_limits, shaping
from dataforge.generate.running.schedule import Live
from dataforge.generate.running.session import Session, Status
from dataforge.generate.running.tally import COUNT, DROP, FAIL, KEEP, Event, Events, Tally
from dataforge.generate.task import Task, chance, language_of
from dataforge.io.chunks import open_reading
from dataforge.io.paths import STDIN
from dataforge.ledger import DROPPED, ERROR, KEPT, UNUSED, Result
from dataforge.ops.rows import TABLES, json_line
from dataforge.ops.rowtext import row_text
from dataforge.record import Record
from dataforge.registry import TARGETS, load_dialect

__all__ = ["make_rows"]


def make_rows(
    method: Method, inputs: tuple[str, ...], output: str | None, config: GenerationConfig, options: RunOptions
) -> Result:
    """Run a method; the Result's `data` is the tally. Its `shortfall` says why less came than was asked for.

    Raises ServiceError where a server makes going on senseless; what was answered stays in the journal.
    """
    if method.inputs is not None:
        inputs = method.inputs(config)
    refuse_idle_limits(config)
    none = method.inputs is not None and not inputs
    dialect = load_dialect(TARGETS.get(config.to or method.to, config.to or method.to))
    prompts = PromptSet(config.prompts)
    if options.dry_run:
        from dataforge.generate.running.plan import plan

        return plan(method, Run(method.name, inputs, output, options, sourceless=none), config, prompts)
    options, asked = dataclasses.replace(options, force=options.force or options.resume), options
    run = Run(method.name, inputs, output, options, lasting=(JOURNAL,), sourceless=none)
    if run.output.container in (*TABLES, "txt"):
        raise UsageError(
            f"-o: rows with provenance have no place in .{run.output.container}",
            help="write .jsonl or .parquet; `dataforge convert` makes a table of it",
        )
    place = find_journal(run.output.forge, asked)
    with contextlib.ExitStack() as stack:
        stack.enter_context(run)
        run.spool()
        head = about_run(method.name, config, options, list(_entries(run)), prompts.fingerprint())
        journal = stack.enter_context(Journal(place, head, resume=goes_on(place, head, asked)))
        work = _Work(method, run, config, prompts, dialect, journal)
        stack.enter_context(work)
        try:
            return work.go()
        except BaseException as fault:
            if place is not None and (kept := journal.answers + work.session.status.answers):
                _say_kept(fault, f"{kept:,} answers are kept in {place}; --resume goes on from them")
            raise


def _say_kept(fault: BaseException, what: str) -> None:
    """Let whoever shows the fault say what was kept."""
    if isinstance(fault, DataforgeError):
        fault.help = f"{fault.help}; {what}" if fault.help else what
    elif isinstance(fault, KeyboardInterrupt):
        fault.args = (what,)
    else:
        tell([what])


def _entries(run: Run) -> Iterator[dict[str, Any]]:
    """Bytes and hash of each input."""
    for source in run.sources:
        if is_file(source) or source.path != STDIN:
            with contextlib.closing(open_reading(source)) as reading:
                reading.finish()
            yield {"name": source.name, "bytes": reading.bytes, "hash": reading.hash}


@dataclass(eq=False)
class _OpenPart:
    """A part at work: the numbers of its readable rows, and how many of them have no fate yet (the last ones)."""

    part: Part
    rows: list[int]
    left: int
    batch: Batch | None = None

    def raw(self, row: int) -> bytes:
        """The bytes of a row. The part is cut into rows once, however many are asked for."""
        self.batch = self.batch or Batch(self.part.chunk)
        return self.batch.raw(row)


class _Work:
    """One run at work: its rows, its chains and its files."""

    def __init__(
        self,
        method: Method,
        run: Run,
        config: GenerationConfig,
        prompts: PromptSet,
        dialect: Any,
        journal: Journal,
    ) -> None:
        self.method, self.run, self.config, self.prompts, self.dialect = method, run, config, prompts, dialect
        self.tally = Tally()
        self.session = Session(
            config, run.options, journal, Status(method.wanted(config), self.tally), again=method.expand is not None
        )
        partial = run.output.partial
        self._dropped = DroppedFile(partial / "dropped.jsonl" if partial is not None else None)
        self._open: deque[_OpenPart] = deque()
        self._novel = self._novelty()
        self._shared: Any = None
        self._source = run.records()
        self._ordinal = 0
        self._of_row: dict[int, list[Event]] = {}
        self._short = ""

    def __enter__(self) -> _Work:
        return self

    def __exit__(self, *_: object) -> None:
        self._source.close()
        self._dropped.give_up()

    def go(self) -> Result:
        """Run all chains, account for all rows, and finish."""
        if self.method.prepare is not None:
            with contextlib.closing(self.run.records()) as parts:
                records = (record for _, rows in parts for _, record in rows)
                self._shared = self.method.prepare(self.config, records, self.run.options.seed)
        lives = self._one() if self.method.start is not None else self._each()
        finished = self.session.run(lives, self._take, self._end)
        self._rest()
        self.tally.check()
        return self._finish(finished)

    def _novelty(self) -> Any:
        if self.config.novelty is None:
            return None
        from dataforge.generate.novelty import NoveltyFilter

        return NoveltyFilter(threshold=self.config.novelty)

    # chains

    def _each(self) -> Iterator[Live]:
        """A chain for each readable row."""
        assert self.method.expand is not None
        for part, rows in self._source:
            opened = _OpenPart(part, [row for row, _ in rows], len(rows))
            self._open.append(opened)
            self._settle()
            for row, record in rows:
                events = Events()
                chain = self.method.expand(self._task(record, self._ordinal), events)
                self._ordinal += 1
                yield Live(self._ordinal - 1, chain, events, (opened, row))

    def _one(self) -> Iterator[Live]:
        """One chain for the whole run; its rows (seeds) are read first, and are not rows of the output."""
        assert self.method.start is not None
        seeds: list[Record] = []
        for part, rows in self._source:
            seeds += [record for _, record in rows]
            for row, _ in rows:
                part.rows.mark(row, UNUSED, "seed")
            self.run.settle(part)
        text = "\n".join(row_text(seed, "prompt") for seed in seeds)
        task = self._task(Record([]), 0)
        task.lang = self.config.lang if self.config.lang != "auto" else language_of(text)
        events = Events()
        yield Live(0, self.method.start(seeds, task, events), events)

    def _task(self, record: Record, ordinal: int) -> Task:
        config = self.config
        lang = config.lang if config.lang != "auto" else language_of(row_text(record)) if record.turns else "en"
        rng = chance(self.run.options.seed, ordinal)
        return Task(self.method.name, config, self.prompts, record, ordinal, lang, rng, self._shared)

    # verdicts

    def _take(self, live: Live) -> None:
        """Write the rows that a chain has made, and note what it dropped."""
        for event in live.events.events:
            event = self._judge(event)
            self.tally.add(event)
            if event.fate == COUNT:
                continue
            self._of_row.setdefault(live.ordinal, []).append(Event(event.fate, event.rule, "", event.detail))
            if event.fate != KEEP:
                self._dropped.add(event, self._row(live))
        live.events.events.clear()
        self.tally.asked += live.events.candidates
        live.events.candidates = 0
        if self.method.start is not None:
            self._of_row.clear()

    def _row(self, live: Live) -> dict[str, Any]:
        """Where the input row of a chain stands."""
        if live.place is None:
            return {}
        opened, row = live.place
        part = opened.part
        return {"source": self.run.sources[part.rows.source].name, "line": int(part.rows.lines[row])}

    def _judge(self, event: Event) -> Event:
        """The event; a row that is not new, or has no place in the dialect, is dropped instead."""
        made = event.made
        if made is None:
            return event
        provenance = made.provenance
        if self._novel is not None and made.novel is not None:
            verdict = self._novel.admit(made.novel)
            if not verdict.kept:
                detail = f"{verdict.score:.3f} to: {verdict.nearest}"
                return Event(DROP, "not_novel", made.novel, detail, number=event.number)
            provenance = {**provenance, "nearest": {"text": verdict.nearest, "score": round(verdict.score, 4)}}
        record = made.record
        record.extras = {**(record.extras or {}), "provenance": provenance}
        try:
            line = json_line(self.dialect.write(record, Spelling()))
        except NotRepresentable as fault:
            return Event(DROP, fault.rule, row_text(record), fault.message, number=event.number)
        self.run.output.write(line)
        return event

    def _end(self, live: Live) -> None:
        """Give the row of an ended chain its fate."""
        if self.method.start is not None:
            self._short = live.returned if isinstance(live.returned, str) else ""
            return
        opened, row = live.place
        events = self._of_row.pop(live.ordinal, [])
        rows = opened.part.rows
        kept = sum(event.fate == KEEP for event in events)
        lost = [event for event in events if event.fate == FAIL]
        fallen = next((event for event in events if event.fate == DROP), None)
        if live.fault is not None:
            fault = live.fault
            note = self._note(opened, row, ERROR, fault.rule, fault.message)
            note.path, note.help = fault.path, fault.help
            self.run.note(opened.part, note)
        elif kept:
            rows.mark(row, KEPT, "", kept)
        elif lost and all(event.rule == "budget" for event in lost):
            rows.mark(row, UNUSED, "budget")
        elif lost:
            note = self._note(opened, row, ERROR, "failed_" + lost[0].rule, lost[0].detail or lost[0].rule)
            self.run.note(opened.part, note, ends=False)
        else:
            rule = fallen.rule if fallen else "nothing_made"
            note = self._note(opened, row, DROPPED, rule, fallen.detail if fallen else "")
            self.run.note(opened.part, note)
        opened.left -= 1
        self._settle()

    def _note(self, opened: _OpenPart, row: int, fate: int, rule: str, detail: str) -> Note:
        raw = opened.raw(row) if fate == ERROR or self.run.options.keep_dropped else None
        return Note(row, int(opened.part.rows.lines[row]), fate, rule, 0, detail, raw=raw)

    def _settle(self) -> None:
        """Write the ledger of parts whose rows all have a fate."""
        while self._open and not self._open[0].left:
            self.run.settle(self._open.popleft().part)

    def _rest(self) -> None:
        """Rows that the budget left no room for."""
        for opened in self._open:
            for row in opened.rows[len(opened.rows) - opened.left :]:
                opened.part.rows.mark(row, UNUSED, "budget")
            opened.left = 0
        self._settle()
        for part, rows in self._source:
            for row, _ in rows:
                part.rows.mark(row, UNUSED, "budget")
            self.run.settle(part)

    # the end

    def _finish(self, finished: bool) -> Result:
        wanted = self.method.wanted(self.config)
        files = [JOURNAL] if self.run.output.partial is not None else []
        files += ["dropped.jsonl"] if self._dropped.close() else []
        pool = self.method.start is not None
        self.run.counts.generated = self.tally.rows if pool else 0
        extra = {"generation": self.tally.as_dict()}
        report = {"client": self.session.report(), "examples": self.tally.examples}
        result = self.run.finish(
            shaping(self.config),
            rows_out=self.tally.rows,
            extra=extra,
            data=self.tally.as_dict(),
            files=tuple(files),
            report=report,
        )
        asked = self.session.line()
        result.lines[0:0] = [self.tally.line(), *([asked] if asked else []), *self.session.remarks()]
        result.shortfall = _shortfall(self.tally, wanted, self._short, finished)
        if result.shortfall:
            result.problems.append(result.shortfall)
        return result


def _shortfall(tally: Tally, wanted: int | None, reason: str, finished: bool) -> str:
    """Why less came than was asked for; "" if nothing is missing."""
    if wanted is not None and tally.rows >= wanted and not reason:
        return ""  # all that was asked for is there; what failed on the way stands in the tally
    if not finished:
        of = f" of {wanted:,}" if wanted is not None else ""
        return f"the budget ended the run with {tally.rows:,}{of} rows made; a larger one and --resume go on from there"
    if reason:
        return reason
    if tally.kept == 0:
        return "no row was made: " + tally.line()
    if failed := tally.failed.total():
        worst, count = tally.failed.most_common(1)[0]
        return f"{failed:,} of {tally.asked:,} got no sound answer (most often: {worst}, {count:,} times)"
    return ""
