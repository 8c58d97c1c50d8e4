"""The cache of paid replies: found again, never lost, never fatal, never someone else's file."""

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from dataforge.errors import OutputError, UsageError
from dataforge.llm.cache import DiskCache, default_path, open_cache
from dataforge.llm.request import Reply

REPLY = Reply("绿茶 🍵", prompt_tokens=3, completion_tokens=None, model="m", id="1", reasoning="想")


def key(number):
    return f"{number:032x}"


@pytest.fixture
def opened(tmp_path):
    """Open the cache of this test, again if need be; remarks gather in `.said`."""
    caches = []

    def open_it(path=None):
        said = []
        cache = open_cache(str(path or tmp_path / "replies.sqlite"), said.append)
        cache.said = said
        caches.append(cache)
        return cache

    yield open_it
    for cache in caches:
        cache.close()


def test_a_reply_is_found_at_once_and_after_closing(opened):
    cache = opened()
    assert cache.get(key(1)) is None
    cache.put(key(1), REPLY)
    for found in (cache.get(key(1)), (cache.close(), opened().get(key(1)))[1]):
        assert found.cached
        assert (found.text, found.prompt_tokens, found.completion_tokens) == ("绿茶 🍵", 3, None)
        assert (found.model, found.id, found.reasoning, found.finish) == ("m", "1", "想", "stop")


def test_nothing_is_lost_at_the_end(opened):
    cache = opened()
    for number in range(3000):
        cache.put(key(number), Reply(f"text {number}"))
    cache.close()
    again = opened()
    assert [again.get(key(number)).text for number in range(3000)] == [f"text {number}" for number in range(3000)]


def test_several_processes_write_at_once(tmp_path, environment):
    path = tmp_path / "replies.sqlite"
    code = (
        "import sys; from dataforge.llm.cache import open_cache; from dataforge.llm.request import Reply\n"
        "first = int(sys.argv[2]); said = []; cache = open_cache(sys.argv[1], said.append)\n"
        "for n in range(first, first + 300): cache.put(f'{n:032x}', Reply(str(n)))\n"
        "cache.close(); sys.exit(bool(said))"
    )
    writers = [
        subprocess.Popen([sys.executable, "-c", code, str(path), str(first)], env=environment)
        for first in (0, 200, 400)
    ]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    cache = open_cache(str(path), print)
    assert [cache.get(key(number)).text for number in range(700)] == [str(number) for number in range(700)]
    cache.close()


@pytest.mark.parametrize("damage", [b"not a database at all " * 100, b"SQLite format 3\x00" + b"\xff" * 4096])
def test_a_damaged_cache_is_set_aside_with_a_remark(tmp_path, opened, damage):
    path = tmp_path / "replies.sqlite"
    for number in (1, 2):
        path.write_bytes(damage)
        cache = opened()
        assert len(cache.said) == 1
        assert f"replies.sqlite.damaged-{number}" in cache.said[0]
        assert (tmp_path / f"replies.sqlite.damaged-{number}").read_bytes() == damage
        cache.put(key(1), REPLY)
        cache.close()
        cache = opened()
        assert cache.get(key(1)).text == REPLY.text
        cache.close()


def test_damage_that_comes_while_it_is_open_is_no_end(tmp_path, opened):
    path = tmp_path / "replies.sqlite"
    cache = opened()
    for number in range(2000):
        cache.put(key(number), REPLY)
    cache.close()
    data = bytearray(path.read_bytes())
    data[4096:] = os.urandom(len(data) - 4096)
    path.write_bytes(bytes(data))
    cache = opened()
    assert [cache.get(key(number)) for number in range(50)] == [None] * 50
    cache.put(key(1), REPLY)
    assert cache.get(key(1)).text == REPLY.text
    cache.close()
    assert any("damaged" in remark for remark in cache.said)
    assert opened().get(key(1)).text == REPLY.text


def test_a_row_that_cannot_be_read_counts_as_none(tmp_path, opened):
    opened().close()
    with sqlite3.connect(tmp_path / "replies.sqlite") as other:
        other.execute("INSERT INTO replies VALUES (?, ?)", (bytes.fromhex(key(1)), b'{"text": "cut'))
    other.close()
    cache = opened()
    assert cache.get(key(1)) is None
    assert "asked for again" in cache.said[0]


def test_a_file_of_something_else_is_left_alone(tmp_path, opened):
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"a": 1}\n')
    with sqlite3.connect(tmp_path / "other.sqlite") as other:
        other.execute("CREATE TABLE mine (x)")
    other.close()
    for path in (rows, tmp_path / "other.sqlite"):
        before = path.read_bytes()
        with pytest.raises(UsageError, match="no cache of replies"):
            opened(path)
        assert path.read_bytes() == before


def test_a_named_cache_that_cannot_be_written_is_an_error_and_the_default_one_a_remark(tmp_path, monkeypatch):
    blocked = tmp_path / "file"
    blocked.write_text("")
    said = []
    with pytest.raises(OutputError):
        open_cache(str(blocked / "replies.sqlite"), said.append)
    monkeypatch.setenv("DATAFORGE_CACHE", str(blocked / "replies.sqlite"))
    cache = open_cache(None, said.append)
    assert cache.get(key(1)) is None
    assert "not kept" in said[0]


def test_the_default_place_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("DATAFORGE_CACHE", str(tmp_path))
    assert default_path() == tmp_path / "replies.sqlite"
    monkeypatch.delenv("DATAFORGE_CACHE")
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_path() == tmp_path / "dataforge" / "replies.sqlite"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert default_path() == Path.home() / "Library" / "Caches" / "dataforge" / "replies.sqlite"


def test_no_cache_keeps_nothing():
    cache = open_cache("none", print)
    cache.put(key(1), REPLY)
    assert cache.get(key(1)) is None
    assert not cache.active
    assert DiskCache.active
