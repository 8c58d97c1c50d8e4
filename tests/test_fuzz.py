"""Damaged files: whatever the bytes, a command ends with 0, 1 or 2, its rows add up, and it never stumbles.

Files of samples/ are cut, spliced, repeated and sprinkled with bytes and JSON that hurts. DATAFORGE_FUZZ says how many
(2,000; `make fuzz` takes 100,000), DATAFORGE_FUZZ_SEED where to begin. A failure names its seed, which alone makes it
again.
"""

import os
import random
from pathlib import Path

import pytest

import dataforge
from dataforge.config import settings
from dataforge.errors import ConservationError, DataforgeError
from dataforge.formats.repairs import Repairs
from dataforge.io.paths import container_of
from dataforge.registry import DIALECTS

SAMPLES = Path(__file__).resolve().parents[1] / "samples"
FILES = sorted(path for path in SAMPLES.rglob("*") if path.is_file() and container_of(str(path))[0])
MANY = int(os.environ.get("DATAFORGE_FUZZ", "2000"))
FIRST = int(os.environ.get("DATAFORGE_FUZZ_SEED", "0"))
BLOCK = 100
HURTS = [
    *(b"null", b"true", b"-1", b"0.1e-400", b"123456789012345678901234567890", b"NaN", b"Infinity", b"1e999"),
    *(b'""', b'"\\ud800"', b'"\\u0000"', b"[]", b"{}", b"[[]]", b'{"a":{"a":{}}}', b'{"role":"user"}', b'"\xff"'),
    *(b"\xef\xbb\xbf", b"\x00", b"\xff\xfe", b"\r", b"\n", b"\n\n", b",", b":", b"]", b"}", b"[" * 300, b'{"":' * 300),
    *(
        "的".encode("gb18030"),
        "👩‍👩‍👧".encode(),
        b"<|im_start|>",
        b'"_layout":"{}"',
        b'"label":"chosen"',
        b"\t",
        b'""""',
    ),
]


def cut(random, data):
    return data[: random.randrange(len(data) + 1)]


def flip(random, data):
    place = random.randrange(len(data))
    return data[:place] + bytes([random.randrange(256)]) + data[place + 1 :]


def insert(random, data):
    place = random.randrange(len(data) + 1)
    return data[:place] + random.choice(HURTS) + data[place:]


def remove(random, data):
    start = random.randrange(len(data))
    return data[:start] + data[start + random.randrange(1, 40) :]


def repeat(random, data):
    start = random.randrange(len(data))
    piece = data[start : start + random.randrange(1, 200)]
    return data[:start] + piece * random.randrange(2, 5) + data[start:]


def replace(random, data):
    """A JSON value (a text, or a number) replaced by one that hurts."""
    start = data.find(b'": ', random.randrange(len(data)))
    if start < 0:
        return flip(random, data)
    ends = [end for end in (data.find(mark, start + 3) for mark in (b", ", b"}", b"]")) if end >= 0]
    return data[: start + 3] + random.choice(HURTS) + data[min(ends, default=len(data)) :]


def splice(random, data):
    other = random.choice(FILES).read_bytes()
    return cut(random, data) + other[random.randrange(len(other) + 1) :]


CHANGES = [cut, flip, flip, insert, insert, remove, repeat, replace, replace, replace, splice]


def damaged(random):
    """(name, bytes) of a damaged file."""
    path = random.choice(FILES)
    data = path.read_bytes()
    if path.suffix in (".jsonl", ".csv", ".tsv", ".txt") and random.random() < 0.7:
        lines = data.splitlines(keepends=True)
        start = random.randrange(len(lines))
        data = b"".join(lines[start : start + random.randrange(1, 8)])
    for _ in range(random.choice([0, 1, 1, 2, 3, 6])):
        if data:
            data = random.choice(CHANGES)(random, data)
    return "in" + (path.suffix if random.random() < 0.9 else random.choice([".jsonl", ".json", ".csv", ".txt"])), data


def convert(random, source, out):
    ways = {}
    if random.random() < 0.3:
        ways = {setting.name: random.choice(setting.choices) for setting in settings(Repairs)}
    return dataforge.convert(
        source,
        output=out.with_suffix(random.choice([".jsonl", ".jsonl", ".json", ".csv", ".txt"])),
        to=random.choice([*DIALECTS, "source", "dpo"]),
        source_dialect=random.choice([None, None, None, *DIALECTS]),
        keep_layout=random.random() < 0.4,
        on_error=random.choice(["stop", "reject", "reject"]),
        workers=1,
        **ways,
    )


COMMANDS = [
    convert,
    convert,
    convert,
    lambda random, source, out: dataforge.validate(source, output=random.choice([None, out]), workers=1),
    lambda random, source, out: dataforge.inspect(source, workers=1),
    lambda random, source, out: dataforge.head(source, rows=random.randrange(4)),
    lambda random, source, out: dataforge.dedup(source, output=out, workers=1, on_error="reject"),
    lambda random, source, out: dataforge.clean(
        source, output=out, workers=1, on_error="reject", also=["html", "repeats"], pii="all"
    ),
]


def try_one(seed, folder):
    """Run one command on one damaged file."""
    rng = random.Random(seed)
    name, data = damaged(rng)
    source = folder / f"{seed}{name}"
    source.write_bytes(data)
    try:
        result = rng.choice(COMMANDS)(rng, source, folder / f"{seed}out.jsonl")
    except ConservationError:
        raise
    except DataforgeError as fault:
        assert fault.exit_code in (1, 2)
        assert str(fault).strip() and "Traceback" not in str(fault)
        assert not [path for path in folder.glob(f"{seed}out*") if path.is_file()], "half-written"
        return
    assert result.exit_code in (0, 1)
    result.counts.check()
    if result.output and Path(result.output).suffix == ".jsonl":
        assert Path(result.output).read_bytes().count(b"\n") == result.counts.rows_out


@pytest.mark.parametrize("first", range(FIRST, FIRST + MANY, BLOCK))
def test_damaged_files_are_read_or_refused_and_nothing_is_lost(first, tmp_path):
    for seed in range(first, min(first + BLOCK, FIRST + MANY)):
        try:
            try_one(seed, tmp_path)
        except Exception as fault:
            raise AssertionError(f"DATAFORGE_FUZZ_SEED={seed} DATAFORGE_FUZZ=1") from fault
