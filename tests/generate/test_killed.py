"""SIGKILL at random moments: the resumed run ends with the same bytes, pays for nothing twice, and keeps its budget."""

import json
import random
import subprocess
import sys
import time
from collections import Counter

import pytest
from generate.runs import asked, echo, read, rows, wait_for
from generate.writer import Writer
from llm.server import Server, ok

IN_FLIGHT = 64


def start(folder, environment, words):
    line = [sys.executable, "-m", "dataforge", *map(str, words)]
    return subprocess.Popen(line, cwd=folder, env=environment, stderr=subprocess.PIPE, text=True)


def answered(folder, output):
    """Ids of the requests whose answers the journal holds, torn last line left out."""
    path = folder / f"{output}.forge" / "partial" / "journal.jsonl"
    lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
    return {value["id"] for value in map(json.loads, lines) if "id" in value}


def kill_often(folder, environment, server, words, output, kills, seed):
    """Kill the run so many times and let it end; after each kill: (ids answered by then, requests seen by then)."""
    chance = random.Random(seed)
    moments = []
    for _ in range(kills):
        more = ["--resume"] if answered(folder, output) else ["--force"]
        process = start(folder, environment, [*words, "-o", output, *more])
        before = server.count
        wait_for(lambda before=before, process=process: server.count > before or process.poll() is not None)
        time.sleep(chance.random() * 0.25)
        process.kill()
        process.communicate()
        moments.append((answered(folder, output), server.count))
    process = start(folder, environment, [*words, "-o", output, "--resume" if moments[-1][0] else "--force"])
    _, said = process.communicate(timeout=120)
    assert process.returncode == 0, said
    return moments


def kill_answers(folder, environment, kills, count, seed):
    source = rows(folder / "in.jsonl", count)
    questions = [json.loads(line)["question"] for line in source.read_text().splitlines()]
    most = count + (kills + 1) * IN_FLIGHT
    with Server(answer=lambda body: ok(echo(body), delay=0.03)) as server:
        words = ["answers", "in.jsonl", "--model", "m", "--base-url", server.url, "--cache", "none"]
        words += ["--concurrency", IN_FLIGHT, "--max-requests", most]
        process = start(folder, environment, [*words, "-o", "whole.jsonl"])
        assert process.communicate(timeout=60) and process.returncode == 0
        first = server.count
        moments = kill_often(folder, environment, server, words, "out.jsonl", kills, seed)
        assert server.count - first <= most
        assert (folder / "out.jsonl").read_bytes() == (folder / "whole.jsonl").read_bytes()
        manifests = [read_manifest(folder, name) for name in ("out.jsonl", "whole.jsonl")]
        assert manifests[0] == manifests[1]
        sent = [asked(body) for body in server.requests]
    for ids, seen in moments:
        paid = {questions[int(id.split(".")[0])] for id in ids}
        assert not paid & set(sent[seen:])
    assert any(ids for ids, _ in moments)


def read_manifest(folder, name):
    manifest = json.loads((folder / f"{name}.forge" / "manifest.json").read_text())
    manifest["outputs"][0].pop("name")
    return manifest


def test_answers_killed_thrice(tmp_path, environment):
    kill_answers(tmp_path, environment, kills=3, count=400, seed=5)


@pytest.mark.slow
def test_answers_killed_thirty_times(tmp_path, environment):
    kill_answers(tmp_path, environment, kills=30, count=3000, seed=6)


def write_seeds(path):
    verbs = "Describe Compare Explain Summarise Rank Translate Estimate Criticise".split()
    things = "a lighthouse,the tides,two bridges,an old recipe,the night sky,a bus timetable,three poems".split(",")
    lines = [
        {"id": f"s{n}", "name": "t", "instruction": f"{verb} {thing} in your own words.", "is_classification": False,
         "instances": [{"input": "", "output": f"So it is with {thing}."}]}
        for n, (verb, thing) in enumerate((v, t) for v in verbs for t in things)
    ]  # fmt: skip
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def kill_self_instruct(folder, environment, kills, count, seed):
    write_seeds(folder / "seeds.jsonl")
    writer = Writer()

    def answer(body):
        text, finish = writer.write("\n".join(message["content"] for message in body["messages"]))
        return ok(text, finish=finish, delay=0.02)

    with Server(answer=answer) as server:
        words = ["self-instruct", "--seeds", "seeds.jsonl", "-n", count, "--model", "m", "--base-url", server.url]
        words += ["--cache", "none"]
        process = start(folder, environment, [*words, "-o", "whole.jsonl", "--concurrency", 1])
        _, said = process.communicate(timeout=120)
        assert process.returncode == 0, said
        whole = Counter(json.dumps(body["messages"]) for body in server.requests)
        first = server.count
        kill_often(folder, environment, server, words, "out.jsonl", kills, seed)
        sent = Counter(json.dumps(body["messages"]) for body in server.requests[first:])
    assert (folder / "out.jsonl").read_bytes() == (folder / "whole.jsonl").read_bytes()
    assert sent.keys() == whole.keys()
    assert sent.total() - whole.total() <= kills * IN_FLIGHT
    made = read(folder / "out.jsonl")
    assert len(made) == count and {"seeds", "nearest"} <= made[-1]["provenance"].keys()


def test_self_instruct_killed_twice(tmp_path, environment):
    kill_self_instruct(tmp_path, environment, kills=2, count=40, seed=7)


@pytest.mark.slow
def test_self_instruct_killed_thirty_times(tmp_path, environment):
    kill_self_instruct(tmp_path, environment, kills=30, count=300, seed=8)
