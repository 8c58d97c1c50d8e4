"""journal: what was answered is found again, whatever byte the process died at; what was sent counts as spent."""

import json
import os
from dataclasses import astuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataforge.errors import InputError, OutputError
from dataforge.generate.running.journal import Journal, in_use, read_head
from dataforge.llm.budget import Spent
from dataforge.llm.request import Failure, Reply

HEAD = {"command": "evol", "version": "1"}
REPLIES = {
    "0.0.0": Reply("绿茶用 80 度的水泡。", "stop", 12, 9, "m", "id-1"),
    "0.1.0": Reply("", "length", 3, 0, "m", "id-2", reasoning="想一想"),
    "1.0.0": Failure("timeout", "no answer in 600 s", 7),
}


def fill(path):
    with Journal(path, HEAD) as journal:
        for id, answer in REPLIES.items():
            journal.sent(id, "k" + id, 100, 0.5)
            journal.answered(id, "k" + id, answer, Spent(1, 21, 0.1))
        journal.sent("2.0.0", "k2", 100, 0.5)
    return path.read_bytes()


def test_answers_are_found_again_as_they_were(tmp_path):
    path = tmp_path / "journal.jsonl"
    fill(path)
    with Journal(path, HEAD, resume=True) as journal:
        for id, answer in REPLIES.items():
            assert journal.find(id, "k" + id) == answer
        assert journal.find("2.0.0", "k2") is None
        assert journal.find("0.0.0", "another key") is None
        assert journal.answers == 3


def test_what_was_sent_and_never_answered_counts_by_its_reserve(tmp_path):
    path = tmp_path / "journal.jsonl"
    fill(path)
    with Journal(path, HEAD, resume=True) as journal:
        assert astuple(journal.spent) == pytest.approx((4, 163, 0.8))
        journal.sent("2.0.0", "k2", 100, 0.5)
    with Journal(path, HEAD, resume=True) as journal:
        assert astuple(journal.spent) == pytest.approx((5, 263, 1.3))
        journal.sent("2.0.0", "k2", 100, 0.5)
        journal.answered("2.0.0", "k2", Reply("so"), Spent(1, 10, 0.1))
    with Journal(path, HEAD, resume=True) as journal:
        assert astuple(journal.spent) == pytest.approx((6, 273, 1.4))


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_a_journal_cut_at_any_byte_gives_its_whole_lines(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("j") / "journal.jsonl"
    whole = fill(path)
    cut = data.draw(st.integers(0, len(whole)))
    path.write_bytes(whole[:cut])
    lines = [json.loads(line) for line in whole[:cut].split(b"\n")[:-1]]
    answered = {line["id"] for line in lines if "id" in line}
    with Journal(path, HEAD, resume=True) as journal:
        assert {id for id in REPLIES if journal.find(id, "k" + id)} == answered
        journal.answered("9.0.0", "k9", Reply("后来"), Spent(1, 1, 0.0))
    assert read_head(path)["command"] == "evol"
    with Journal(path, HEAD, resume=True) as journal:
        assert journal.find("9.0.0", "k9") == Reply("后来")


def test_failures_that_ended_a_run_are_asked_again(tmp_path):
    path = tmp_path / "journal.jsonl"
    with Journal(path, HEAD) as journal:
        journal.answered("0.0.0", "k", Failure("timeout"), Spent(7, 0, 0.0))
        journal.again(["0.0.0"])
    with Journal(path, HEAD, resume=True) as journal:
        assert journal.find("0.0.0", "k") is None
        assert journal.spent.requests == 7


def test_a_damaged_line_is_named(tmp_path):
    path = tmp_path / "journal.jsonl"
    fill(path)
    lines = path.read_bytes().split(b"\n")
    lines[2] = lines[2][:20]
    path.write_bytes(b"\n".join(lines))
    with pytest.raises(InputError) as fault:
        Journal(path, HEAD, resume=True)
    assert str(fault.value.place).endswith("journal.jsonl:3")


def test_a_second_run_on_the_same_journal_is_refused(tmp_path):
    path = tmp_path / "journal.jsonl"
    fill(path)
    with Journal(path, HEAD, resume=True) as journal:
        before = path.read_bytes()
        assert in_use(path)
        for resume in (True, False):
            with pytest.raises(OutputError, match="another run"):
                Journal(path, HEAD, resume=resume)
        assert path.read_bytes() == before and journal.answers == 3
    assert not in_use(path)
    Journal(path, HEAD, resume=True).__exit__(None, None, None)


def test_half_a_line_on_a_full_disk_is_taken_back(tmp_path, monkeypatch):
    path = tmp_path / "journal.jsonl"
    fill(path)
    write = os.write
    with Journal(path, HEAD, resume=True) as journal:
        before = path.read_bytes()
        monkeypatch.setattr(os, "write", lambda file, data: write(file, data[:11]))
        with pytest.raises(OutputError, match="no space"):
            journal.answered("5.0.0", "k5", Reply("so"), Spent(1, 1, 0.0))
        monkeypatch.undo()
        assert path.read_bytes() == before
        journal.answered("6.0.0", "k6", Reply("so"), Spent(1, 1, 0.0))
    with Journal(path, HEAD, resume=True) as journal:
        assert journal.find("6.0.0", "k6") == Reply("so") and journal.find("5.0.0", "k5") is None


def test_without_a_place_nothing_is_kept():
    with Journal(None, HEAD) as journal:
        journal.answered("0.0.0", "k", Reply("x"), Spent(1, 1, 0.0))
        assert journal.find("0.0.0", "k") is None
