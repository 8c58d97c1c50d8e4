"""`transformers serve`, a real OpenAI-compatible server, with a small random model: a fixture for tests of any folder."""

from __future__ import annotations

import importlib.util
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from small_models import save_small_model

PACKAGES = ("torch", "transformers", "accelerate", "fastapi", "uvicorn", "openai")
PATIENCE = 120
"""Seconds until the server must answer; about 5 on an idle machine."""


@dataclass(frozen=True)
class RealServer:
    """url: of its API. model: the name to ask for, which is the folder of the model too."""

    url: str
    model: str


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def serving(folder, log):
    """Run the server for a model folder as a process of its own; its address."""
    port = free_port()
    command = [sys.executable, "-m", "transformers.cli.transformers", "serve", folder, "--device", "cpu"]
    environment = {
        **os.environ,
        "HF_HUB_OFFLINE": "1",
        "HF_HOME": str(Path(log).parent / "hub"),
        "OMP_NUM_THREADS": "1",
        "TOKENIZERS_PARALLELISM": "false",
    }
    with open(log, "wb") as output:
        process = subprocess.Popen(
            [*command, "--host", "127.0.0.1", "--port", str(port), "--default-seed", "1"],
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
        )
    try:
        wait_for(f"http://127.0.0.1:{port}/health", process, log)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_for(url, process, log):
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError("the server did not start:\n" + Path(log).read_text(errors="replace")[-2000:])


@pytest.fixture(scope="session")
def transformers_server(tmp_path_factory):
    """A running `transformers serve` with a small model: `.url` and `.model`."""
    for package in PACKAGES:
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"transformers serve needs {package}: pip install 'dataforge[train,dev]'")
    root = tmp_path_factory.mktemp("serve")
    folder = save_small_model(root / "small-chat")
    advice = Path(folder, "generation_config.json")  # without do_sample the server draws at no temperature
    advice.write_text(json.dumps({**json.loads(advice.read_text()), "do_sample": True}))
    with serving(folder, root / "log.txt") as url:
        yield RealServer(url, folder)
