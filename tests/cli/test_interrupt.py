"""Ctrl-C, killed workers and killed runs: nothing half-written, nobody left running, no traceback."""

import contextlib
import os
import signal
import subprocess
import sys
import time
import uuid

import pytest

from dataforge.cli import main as command_line

LINE = b'{"instruction": "%d \xe8\x8c\xb6", "input": "", "output": "steep for three minutes, not longer than that"}\n'


@pytest.fixture(scope="module")
def big(tmp_path_factory):
    """A file of 200,000 rows."""
    path = tmp_path_factory.mktemp("big") / "big.jsonl"
    path.write_bytes(b"".join(LINE % number for number in range(200_000)))
    return path


@pytest.fixture
def started(big, tmp_path, environment):
    """Start a command over a big file; `tag` marks its processes. Everything is killed at the end."""
    os.link(big, tmp_path / "big.jsonl")
    tag = uuid.uuid4().hex
    del environment["PYTHONWARNINGS"]  # an interrupt may strike between opening a file and keeping it
    running = []

    def start(*words, spool="/tmp"):
        process = subprocess.Popen(
            [sys.executable, "-m", "dataforge", *words],
            cwd=tmp_path,
            env={**environment, "TAG": tag, "TMPDIR": str(spool)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        running.append(process)
        return process, lambda: tagged(tag)

    yield start
    for process in running:
        if process.poll() is None:
            process.kill()
        process.communicate()


def tagged(tag):
    """{pid: command line} of the living processes that carry the tag in their environment."""
    found = {}
    for name in os.listdir("/proc"):
        try:
            with open(f"/proc/{name}/environ", "rb") as file:
                if f"TAG={tag}".encode() not in file.read():
                    continue
            with open(f"/proc/{name}/cmdline", "rb") as file:
                found[int(name)] = file.read().decode()
        except (OSError, ValueError):
            continue
    return found


def wait_for(condition, seconds=30):
    """Poll until the condition gives something; that something."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.01)
    raise AssertionError("it never happened")


def at_work(tmp_path, living, workers=2):
    """Wait until workers run and rows are being written; the pids of the workers."""
    partial = tmp_path / "o.jsonl.forge" / "partial" / "out"
    wait_for(lambda: partial.exists() and partial.stat().st_size > 0)
    return wait_for(lambda: [pid for pid, line in living().items() if "dataforge.engine.worker" in line])


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("older", [False, True])
def test_ctrl_c_leaves_nothing_half_written_and_nobody_running(workers, older, started, tmp_path):
    if older:
        (tmp_path / "o.jsonl").write_bytes(b"precious")
    process, living = started("convert", "big.jsonl", "--to", "openai", "-o", "o.jsonl", "-j", workers, "--force")
    if workers == "2":
        at_work(tmp_path, living)
    else:
        wait_for(lambda: (tmp_path / "o.jsonl.forge" / "partial" / "out").exists())
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the whole group
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert err.decode().strip() == "error: interrupted; nothing half-written was kept"
    assert names(tmp_path) == (["big.jsonl", "o.jsonl"] if older else ["big.jsonl"])
    assert not older or (tmp_path / "o.jsonl").read_bytes() == b"precious"
    wait_for(lambda: not living())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_scheduler_that_ends_a_run_finds_it_as_tidy_as_ctrl_c_does(number, started, tmp_path):
    if signal.getsignal(number) is signal.SIG_IGN:
        pytest.skip("the tests run where this signal is ignored (nohup), and so do the commands they start")
    process, living = started("convert", "big.jsonl", "--to", "openai", "-o", "o.jsonl", "-j", "2")
    at_work(tmp_path, living)
    process.send_signal(number)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130 and "error: interrupted" in err.decode()
    assert names(tmp_path) == ["big.jsonl"]
    wait_for(lambda: not living())


def test_an_interrupt_that_an_import_turns_into_a_fault_is_an_interrupt(monkeypatch, capsys):
    def imports(**_):
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            raise ImportError("numpy._core.multiarray failed to import") from None  # as C code does

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    monkeypatch.setattr(command_line.cli, "main", imports)
    try:
        with pytest.raises(SystemExit) as end:
            command_line.main()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert end.value.code == 130 and capsys.readouterr().err.startswith("error: interrupted")


def test_ctrl_c_while_a_pipe_is_copied_leaves_no_copy(started, tmp_path):
    (tmp_path / "spool").mkdir()
    os.mkfifo(tmp_path / "pipe.jsonl")
    process, living = started("dedup", "pipe.jsonl", "-o", "o.jsonl", spool=tmp_path / "spool")
    with (tmp_path / "pipe.jsonl").open("wb", buffering=0) as pipe:
        pipe.write(LINE % 1)
        wait_for(lambda: list((tmp_path / "spool").iterdir()))
        process.send_signal(signal.SIGINT)
        while process.poll() is None:  # a signal that comes just before a read is heard when the read ends
            with contextlib.suppress(BrokenPipeError):
                pipe.write(LINE % 2)
            time.sleep(0.05)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130 and "Traceback" not in err.decode()
    assert names(tmp_path) == ["big.jsonl", "pipe.jsonl", "spool"] and names(tmp_path / "spool") == []


@pytest.mark.parametrize("words", [["dedup", "big.jsonl"], ["mix", "--domain", "big.jsonl", "--general", "g.jsonl"]])
def test_ctrl_c_in_a_command_of_two_passes(words, started, tmp_path):
    (tmp_path / "g.jsonl").write_bytes(LINE % 1 * 100_000)
    process, living = started(*words, "-o", "o.jsonl", "-j", "2")
    wait_for(lambda: [line for line in living().values() if "dataforge.engine.worker" in line])
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in err.decode() and "error: interrupted" in err.decode()
    assert names(tmp_path) == ["big.jsonl", "g.jsonl"]
    wait_for(lambda: not living())


def test_a_worker_killed_in_the_middle_is_a_clear_error_and_no_hang(started, tmp_path):
    (tmp_path / "o.jsonl").write_bytes(b"precious")
    process, living = started("convert", "big.jsonl", "--to", "openai", "-o", "o.jsonl", "-j", "2", "--force")
    os.kill(at_work(tmp_path, living)[0], signal.SIGKILL)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 2
    assert err.decode().splitlines() == [
        "error: a worker process was killed by signal 9",
        "  help: if memory ran out, use fewer workers (-j)",
    ]
    assert names(tmp_path) == ["big.jsonl", "o.jsonl"]
    assert (tmp_path / "o.jsonl").read_bytes() == b"precious"
    wait_for(lambda: not living())


def test_workers_of_a_killed_run_end_by_themselves_and_the_next_run_is_whole(started, tmp_path):
    process, living = started("convert", "big.jsonl", "--to", "openai", "-o", "o.jsonl", "-j", "2")
    at_work(tmp_path, living)
    process.kill()
    _, err = process.communicate(timeout=30)
    wait_for(lambda: not living())
    assert b"Traceback" not in err
    assert not (tmp_path / "o.jsonl").exists() and not (tmp_path / "o.jsonl.forge" / "manifest.json").exists()
    again, _ = started("convert", "big.jsonl", "--to", "openai", "-o", "o.jsonl", "-j", "2", "-q")
    assert again.communicate(timeout=60) == (b"", b"")
    assert (tmp_path / "o.jsonl").read_bytes().count(b"\n") == 200_000
    assert not (tmp_path / "o.jsonl.forge" / "partial").exists()


def test_ctrl_c_while_texts_of_pairs_are_put_aside_leaves_none_of_them(started, tmp_path):
    process, living = started("pair", "big.jsonl", "-o", "o.jsonl", "-j", "2")
    wait_for(lambda: [path for path in tmp_path.glob("o.jsonl.forge/partial/*/texts") if path.stat().st_size])
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert err.decode().strip() == "error: interrupted; nothing half-written was kept"
    assert names(tmp_path) == ["big.jsonl"]
    wait_for(lambda: not living())
