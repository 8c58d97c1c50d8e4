"""The README's sessions are run, and must print what they say."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dataforge.registry import COMMANDS

ROOT = Path(__file__).resolve().parent.parent
PAGES = ["README.md", "README.zh.md"]


def sessions(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    for block in re.findall(r"```console\n(.*?)```", text, flags=re.DOTALL):
        for part in block.split("$ dataforge ")[1:]:
            command, _, expected = part.partition("\n")
            yield command, expected.strip()


def plain(text):
    """Times and speeds differ from run to run; everything else must not."""
    return re.sub(r"\[[\d.]+ s(, \d+ MB/s)?\]", "[time]", text.strip())


@pytest.mark.parametrize("page", PAGES)
def test_every_session_prints_what_the_page_says(page, tmp_path):
    shutil.copytree(ROOT / "samples", tmp_path / "samples")
    commands = list(sessions(page))
    assert len(commands) >= 6
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"}
    for command, expected in commands:
        run = subprocess.run(
            [sys.executable, "-m", "dataforge", *command.split()],
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert plain(run.stdout) == plain(expected), command


@pytest.mark.parametrize("page", PAGES)
def test_the_table_of_commands_is_the_registry(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    named = re.findall(r"^\| `dataforge ([a-z -]+)` \|", text, flags=re.MULTILINE)
    assert named == list(COMMANDS)


def test_the_english_table_says_what_help_says():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for name, (_, line) in COMMANDS.items():
        assert f"| `dataforge {name}` | {line} |" in text


def test_the_python_example_works(tmp_path, monkeypatch):
    shutil.copytree(ROOT / "samples", tmp_path / "samples")
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    names = {}
    exec(block, names)  # the page is ours, and this is what a reader would do
    assert names["result"].counts.kept == 52
