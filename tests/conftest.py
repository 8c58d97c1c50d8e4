"""What the tests of several folders share: the command line called in this process, or as a process of its own."""

import io
import itertools
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from real_server import transformers_server

__all__ = ["transformers_server"]

ROOT = Path(__file__).resolve().parent.parent


@dataclass
class Said:
    """What a command line left: exit code, bytes on standard output, text on standard error."""

    code: int
    out: bytes
    err: str


@pytest.fixture(scope="session")
def cache_folders(tmp_path_factory):
    """Paths that nothing stands at yet, for caches of replies: `next(cache_folders)`."""
    folder = tmp_path_factory.mktemp("replies")
    return (folder / str(number) for number in itertools.count())


@pytest.fixture(autouse=True)
def own_cache(cache_folders):
    """No test reads or writes the user's cache of paid replies, nor that of another test."""
    os.environ["DATAFORGE_CACHE"] = str(next(cache_folders) / "replies.sqlite")
    yield
    os.environ.pop("DATAFORGE_CACHE", None)


@pytest.fixture
def cli(monkeypatch, capsysbinary):
    """Call `dataforge ...` in this process (fast): `cli("convert", path, "--to", "qa", stdin=b"...")`."""
    from dataforge.cli import main as command_line

    monkeypatch.setattr(command_line, "_heed_signals", lambda: None)  # the tests keep their own

    def call(*words, stdin=b""):
        monkeypatch.setattr(sys, "argv", ["dataforge", *map(str, words)])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        capsysbinary.readouterr()
        with pytest.raises(SystemExit) as leaving:
            command_line.main()
        out, err = capsysbinary.readouterr()
        return Said(leaving.value.code, out, err.decode())

    return call


@pytest.fixture
def environment():
    """The environment of a command line that runs as a process of its own."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1", "PYTHONWARNINGS": "error::ResourceWarning"}


@pytest.fixture
def shell(environment, tmp_path):
    """Run a line of bash in a fresh folder where `dataforge` is the command: `shell("dataforge head x | head -1")`."""
    command = f'dataforge() {{ "{sys.executable}" -m dataforge "$@"; }}\n'

    def run(line, stdin=b"", timeout=60):
        done = subprocess.run(
            ["bash", "-c", command + line],
            input=stdin,
            capture_output=True,
            cwd=tmp_path,
            env=environment,
            timeout=timeout,
            check=False,
        )
        return Said(done.returncode, done.stdout, done.stderr.decode())

    return run


@pytest.fixture
def small_chunks(monkeypatch):
    """Read inputs in chunks of so many bytes, so that small files make many chunks: `small_chunks(100)`."""
    from dataforge.io import chunks

    def set_size(size):
        monkeypatch.setattr(chunks.read_chunks, "__defaults__", (size,))

    return set_size
