"""grounded and back as users run them: documents in, a server over real sockets, rows out, in any order of replies."""

import importlib.util
import json
import random
import time
from pathlib import Path

import pytest

import dataforge
from dataforge.generate.documents.passages import sentences

PLACE = Path(__file__).resolve().parent.parent / "llm" / "server.py"
SPEC = importlib.util.spec_from_file_location("server_for_documents", PLACE)
server_module = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(server_module)

NAMES = [
    "the harbour of Lerwick",
    "苏州的拙政园",
    "the bridge at Iznik",
    "泉州的开元寺",
    "the mill of Sarhed",
    "大理的三塔",
]
INVENTED = {True: "月亮其实是一块又圆又绿的奶酪。", False: "The moon itself is made of the finest green cheese."}


def document(number):
    name = NAMES[number]
    if name.isascii():
        about = [f"{name.capitalize()} was begun in {1200 + number * 37} by masons from the north."]
        about += [f"Part {n} of {name} rests on {n + 20} pillars of dark local stone." for n in range(1, 12)]
        return "\n\n".join(about)
    about = [f"{name}始建于{1200 + number * 37}年，由北方来的工匠主持修造。"]
    about += [f"{name}的第{n}处院落有{n + 20}根本地所产青石凿成的柱子。" for n in range(1, 24)]
    return "\n\n".join(about)


def reply(body):
    """A model that copies from the passage, and now and then makes something up; it answers in its own time."""
    text = body["messages"][-1]["content"]
    chance = random.Random(text)
    time.sleep(chance.random() / 100)
    if "<source>" in text:
        bad = "38" in text.split("</source>")[1]
        return json.dumps({"sentence": "no" if bad else "", "supported": not bad})
    if "<instruction>" in text:
        return json.dumps({"reason": "fits", "score": 5 if "1200" in text or "1237" in text else 2})
    if "<answer>" in text:
        return "请介绍一处有名的古迹。" if "始建于" in text else "Tell me about some old building."
    said = sentences(text.split("<passage>")[1].split("</passage>")[0])
    zh = "。" in said[-1]
    chosen = chance.sample(said, 2)
    found = [
        {"question": f"{s[:12]}怎么样？" if zh else f"How about {s[:18]}?", "quote": s, "answer": s} for s in chosen
    ]
    found.append({"question": "月亮是什么？" if zh else "What is the moon?", "quote": "", "answer": INVENTED[zh]})
    return json.dumps({"pairs": found}, ensure_ascii=False)


@pytest.fixture
def rows(tmp_path):
    path = tmp_path / "documents.jsonl"
    path.write_text("".join(json.dumps({"text": document(n)}) + "\n" for n in range(6)), encoding="utf-8")
    return path


def read(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_every_row_stands_on_its_passage_and_what_was_made_up_is_gone(rows, tmp_path):
    out = tmp_path / "out.jsonl"
    with server_module.Server(answer=reply) as server:
        result = dataforge.grounded(rows, out, model="m", base_url=server.url, passage_chars=500, judge="self")
    tally = result.data
    made = read(out)
    assert tally["asked"] == len(made) + sum(tally["dropped"].values()) and not tally["failed"]
    assert tally["dropped"]["unsupported"] >= tally["asked"] // 3 and result.counts.rows_in == 6
    documents = [document(n) for n in range(6)]
    for row in made:
        where = row["provenance"]["passage"]
        answer = row["messages"][1]["content"]
        assert answer not in INVENTED.values() and answer in where["text"] and "38" not in answer
        (source,) = [text for text in documents if text[where["start"] : where["end"]] == where["text"]]
        first, last = row["provenance"]["quote"]
        assert source[first:last] == answer
        assert row["provenance"]["prompt"].startswith(f"grounded/pairs.{'en' if answer.isascii() else 'zh'}@")
    assert {row["messages"][1]["content"].isascii() for row in made} == {True, False}


def test_rows_are_the_same_whatever_the_number_of_requests_in_flight(rows, tmp_path):
    for name, flight in (("one", 1), ("many", 32)):
        with server_module.Server(answer=reply) as server:
            dataforge.grounded(
                rows, tmp_path / f"{name}.jsonl", model="m", base_url=server.url, passage_chars=400,
                concurrency=flight, cache="none",
            )  # fmt: skip
    assert (tmp_path / "one.jsonl").read_bytes() == (tmp_path / "many.jsonl").read_bytes()


def test_back_keeps_what_its_curator_marks_high_and_gives_documents_back_whole(rows, tmp_path):
    out = tmp_path / "out.jsonl"
    with server_module.Server(answer=reply) as server:
        result = dataforge.back(rows, out, model="m", base_url=server.url, curate="self", to="alpaca")
    assert result.data["dropped"] == {"low_score": 4}
    assert [row["output"] for row in read(out)] == [document(0), document(1)]
    assert [row["instruction"][:2] for row in read(out)] == ["Te", "请介"]
    assert all(row["provenance"]["curation"]["score"] == 5 for row in read(out))
