"""Workers: order, errors that keep their class, workers that die, and nobody left behind."""

import os
import signal
import subprocess
import sys
import threading

import pytest

from dataforge import errors, registry
from dataforge.engine import worker
from dataforge.engine.pool import run_ordered, usable_cores
from dataforge.engine.worker import chunk_frames, read_frames, write_frames
from dataforge.errors import DataforgeError, InputError
from dataforge.io.chunks import Chunk


def chunks(count, rows=1):
    for number in range(count):
        data = b"".join(b'{"text": "%d-%d"}\n' % (number, row) for row in range(rows))
        yield Chunk(0, "lines", 1 + number * rows, len(data), data=data)


def children():
    """Processes whose parent is this one."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat") as file:
                    fields = file.read().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == os.getpid() and fields[0] != "Z":
                found.append(int(name))
    return found


@pytest.fixture
def alone():
    """No worker outlives a test."""
    before = set(children())
    yield lambda: sorted(set(children()) - before)
    assert set(children()) <= before


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_results_come_back_in_the_order_of_the_chunks(workers, alone):
    done = list(run_ordered("rows", {"to": "text"}, chunks(15), workers=workers))
    assert [chunk.line for chunk, _ in done] == list(range(1, 16))
    assert b"".join(result.out for _, result in done) == b"".join(b'{"text":"%d-0"}\n' % n for n in range(15))


def test_one_chunk_needs_no_process(monkeypatch, alone):
    monkeypatch.setattr(subprocess, "Popen", None)
    assert len(list(run_ordered("rows", {"to": "text"}, chunks(1), workers=4))) == 1
    assert list(run_ordered("rows", {"to": "text"}, [], workers=4)) == []


def test_little_work_needs_no_process_unless_it_is_asked_for(monkeypatch, alone):
    work = list(chunks(5))
    size = sum(chunk.length for chunk in work)
    done = list(run_ordered("rows", {"to": "text"}, iter(work), workers=2, small=size - 1))
    monkeypatch.setattr(subprocess, "Popen", None)
    here = list(run_ordered("rows", {"to": "text"}, iter(work), workers=2, small=size))
    assert [result for _, result in here] == [result for _, result in done]


def test_chunks_are_taken_only_as_workers_need_them(alone):
    taken = []

    def counted():
        for chunk in chunks(40):
            taken.append(chunk.line)
            yield chunk

    running = run_ordered("rows", {"to": "text"}, counted(), workers=2)
    next(running)
    assert len(taken) <= 6
    running.close()


def test_a_consumer_that_stops_early_leaves_no_process(alone):
    running = run_ordered("rows", {"to": "text"}, chunks(20), workers=2)
    next(running)
    assert alone()
    running.close()
    assert alone() == []


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_raised_on_purpose_keeps_class_place_and_help(workers, tmp_path, alone):
    missing = [Chunk(0, "lines", 1, 9, path=str(tmp_path / "gone.jsonl")) for _ in range(3)]
    (tmp_path / "gone.jsonl").write_bytes(b"{}")
    with pytest.raises(InputError, match="became shorter") as fault:
        list(run_ordered("rows", {"to": "text"}, missing, workers=workers))
    assert fault.value.place == str(tmp_path / "gone.jsonl")


@pytest.mark.parametrize("workers", [1, 2])
def test_a_schema_that_is_none_is_told_by_the_worker(workers, tmp_path, alone):
    (tmp_path / "s.json").write_text("{")
    with pytest.raises(InputError, match="is no JSON Schema"):
        list(run_ordered("check", {"schema": str(tmp_path / "s.json")}, chunks(3), workers=workers))


def test_a_bug_in_a_worker_is_raised_here_with_its_traceback_as_a_note(capfd, alone):
    options = {"to": "text", "encode": "csv", "columns": 5}  # a number, where names are due
    with pytest.raises(RuntimeError, match="TypeError: .*'int'") as fault:
        list(run_ordered("rows", options, chunks(3), workers=2))
    assert "Traceback" in fault.value.__notes__[0]
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_a_worker_that_dies_is_an_error_and_no_hang(number, alone):
    running = run_ordered("rows", {"to": "text"}, chunks(400, rows=200), workers=2)
    next(running)
    for process in alone():
        os.kill(process, number)
    with pytest.raises(DataforgeError, match=f"a worker process was killed by signal {int(number)}") as fault:
        list(running)
    assert "fewer workers" in fault.value.help
    assert alone() == []


def test_a_worker_that_dies_in_the_middle_of_an_answer_is_an_error(monkeypatch, alone):
    monkeypatch.setitem(registry.TASKS, "rows", "dataforge.ops.rows")
    script = (
        "import os, struct, sys\n"
        "sys.stdin.buffer.read(8)\n"
        "os.write(1, struct.pack('<3Q', 2, 2, 1000) + b'ok' + b'only a part')\n"
        "sys.exit(3)\n"
    )
    real = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", lambda words, **more: real([sys.executable, "-c", script], **more))
    with pytest.raises(DataforgeError, match="ended with status 3"):
        list(run_ordered("rows", {"to": "text"}, chunks(3), workers=2))


def test_a_machine_that_starts_no_more_processes_is_said_so(monkeypatch, alone):
    def full(*words, **more):
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(subprocess, "Popen", full)
    with pytest.raises(DataforgeError, match="cannot start a worker process") as fault:
        list(run_ordered("rows", {"to": "text"}, chunks(3), workers=2))
    assert "-j" in fault.value.help


def test_a_worker_whose_parent_is_gone_ends_without_a_word(environment):
    process = subprocess.Popen(
        [sys.executable, "-m", "dataforge.engine.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
    )
    process.stdout.close()
    write_frames(process.stdin, [b"task", b'{"task": "rows", "options": {"to": "text"}}'])
    for chunk in chunks(1):
        write_frames(process.stdin, [b"chunk", *chunk_frames(chunk)])
    process.stdin.close()
    process.stdin = None
    assert process.communicate(timeout=20)[1] == b""
    process.stderr.close()
    assert process.returncode is not None


def test_workers_do_not_hear_ctrl_c(alone):
    running = run_ordered("rows", {"to": "text"}, chunks(8), workers=2)
    next(running)
    for process in alone():
        assert os.getpgid(process) != os.getpgid(0)  # a terminal sends SIGINT to its foreground group only
    assert len(list(running)) == 7


def test_a_chunk_crosses_the_pipe_unchanged():
    chunk = Chunk(3, "array", 7, 5, None, 11, b"[1\n]", [2, 9], {0: "坏"}, 4, b"\x01\x00")
    assert worker._chunk(chunk_frames(chunk)) == chunk
    empty = Chunk(0, "lines", 1, 0)
    assert worker._chunk(chunk_frames(empty)) == empty


def test_frames_that_end_too_early_are_no_frames():
    import io

    stream = io.BytesIO()
    write_frames(stream, [b"one", b"", b"three" * 100])
    whole = stream.getvalue()
    assert read_frames(io.BytesIO(whole)) == [b"one", b"", b"three" * 100]
    for size in range(len(whole)):
        assert read_frames(io.BytesIO(whole[:size])) is None


def test_every_error_class_survives_the_pipe():
    from dataforge.engine.pool import _failure

    for name in errors.__all__:
        kind = getattr(errors, name)
        if isinstance(kind, type):
            fault = _failure({"type": name, "message": "m", "place": "p:1", "help": "h"})
            assert type(fault) is kind and str(fault) == "p:1: m" and fault.help == "h"


def test_stopping_does_not_wait_for_work_that_is_under_way(alone):
    running = run_ordered("rows", {"to": "text"}, chunks(200, rows=3000), workers=2)
    next(running)
    stopper = threading.Thread(target=running.close)
    stopper.start()
    stopper.join(timeout=20)
    assert not stopper.is_alive()


def test_usable_cores_is_a_number_of_cores():
    assert 1 <= usable_cores() <= os.cpu_count()
