"""What the tests of whole runs share: input rows, a server's answers, waiting."""

import json
import time


def rows(path, count, start=0):
    texts = (
        f"第 {n} 问：绿茶怎么泡？" if n % 2 else f"Question {n}: how is tea brewed?"
        for n in range(start, start + count)
    )
    path.write_text("".join(json.dumps({"question": t, "answer": "so"}, ensure_ascii=False) + "\n" for t in texts))
    return path


def asked(body):
    return body["messages"][-1]["content"]


def echo(body):
    return f"About {asked(body)} 好的。"


def read(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def wait_for(condition, seconds=30.0):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not come"
        time.sleep(0.005)
