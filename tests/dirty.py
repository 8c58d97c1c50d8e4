"""Rows good and bad for the tests, and an audit of what a command left behind that trusts none of its counts.

The audit splits the input into rows on its own (lines that hold more than white space), and reads output, ledger,
rejects and manifest as any reader would.
"""

import base64
import json

import pyarrow.parquet as pq
from hypothesis import strategies as st

TEXTS = st.sampled_from(
    ["Hi", "How?", "你好", "为什么？", "tea 茶", "ｔｅａ", "a\nb", "", "line\r\nend", 'say "x"', "é́"]
)
NAMED = st.text(min_size=1, max_size=6).filter(lambda text: text.strip())

ALPACA = st.fixed_dictionaries(
    {"instruction": TEXTS.filter(bool), "output": TEXTS},
    optional={"input": st.one_of(st.none(), TEXTS), "system": st.one_of(st.none(), TEXTS), "id": st.integers(0, 9)},
)
SHAREGPT = st.builds(
    lambda turns, more: {"conversations": turns, **more},
    st.lists(
        st.fixed_dictionaries({"from": st.sampled_from(["human", "gpt", "user", "system"]), "value": TEXTS}),
        min_size=1,
        max_size=4,
    ),
    st.sampled_from([{}, {"id": "x"}, {"system": "简短"}]),
)
OPENAI = st.builds(
    lambda messages: {"messages": messages},
    st.lists(
        st.fixed_dictionaries({"role": st.sampled_from(["user", "assistant", "system"]), "content": TEXTS}),
        min_size=1,
        max_size=4,
    ),
)
QA = st.builds(
    lambda pair, question, answer: {pair[0]: question, pair[1]: answer},
    st.sampled_from([("question", "answer"), ("query", "response"), ("问题", "答案")]),
    TEXTS.filter(bool),
    TEXTS,
)
TEXT = st.fixed_dictionaries({"text": TEXTS})
GOOD = st.one_of(ALPACA, SHAREGPT, OPENAI, QA, TEXT)
"""Rows that some dialect reads."""


def line_of(row, *, ascii=False):
    """A row as the bytes of a line, without its end."""
    return json.dumps(row, ensure_ascii=ascii).encode()


GOOD_LINES = st.builds(line_of, GOOD, ascii=st.booleans())
CUT = st.builds(lambda line, share: line[: max(1, int(len(line) * share))], GOOD_LINES, st.floats(0.1, 0.95))
NO_UTF8 = st.sampled_from(
    [b'{"text": "\xff"}', '{"question": "茶", "answer": "好"}'.encode("gb18030"), b"\xfe\xfe", b'{"text": "\xe8\x8c"}']
)
WRONG = st.sampled_from(
    [
        b"[]",
        b"5",
        b"null",
        b'"text"',
        b"{}",
        b'{"headline": 1}',
        b'{"text": 5}',
        b'{"text": null}',
        b'{"instruction": [], "output": "x"}',
        b'{"instruction": "x", "input": 5, "output": "x"}',
        b'{"conversations": []}',
        b'{"conversations": [{"from": "bot", "value": "x"}]}',
        b'{"messages": {"role": "user"}}',
        b'{"messages": [{"role": "user"}]}',
        b'{"question": "x", "answer": 5}',
        b'{"text": NaN}',
        b'{"text": "a"} {"text": "b"}',
    ]
)
RARE = st.sampled_from(
    [
        b'{"text": "\\ud800"}',
        b'{"text": "a", "n": 123456789012345678901234567890}',
        b'{"text": "a", "n": 0.1000000000000000055511151231257827}',
        b'{"text": "a", "text": "b"}',
        b'{"question": "q", "answer": "a"}\r',
        b'  {"text": "a"}  ',
    ]
)
BLANK = st.sampled_from([b"", b" ", b"\t", b"\r"])
LINES = st.one_of(GOOD_LINES, GOOD_LINES, GOOD_LINES, CUT, NO_UTF8, WRONG, RARE, BLANK)
FILES = st.builds(
    lambda lines, end: b"\n".join(lines) + (b"\n" if end and lines else b""),
    st.lists(LINES, max_size=12),
    st.booleans(),
)


def rows_of(data):
    """(line number, bytes) of each row of a JSON Lines file: what a reader with a text editor would count."""
    rows = []
    for number, line in enumerate(data.split(b"\n"), 1):
        if line.strip():
            rows.append((number, line.removesuffix(b"\r")))
    return rows


def ledger_of(forge):
    """The ledger as a list of dicts."""
    return pq.read_table(f"{forge}/ledger.parquet").to_pylist()


def rejects_of(forge):
    """The rejects as dicts, with `bytes` as they stood in the input; [] without the file."""
    path = forge / "rejects.jsonl"
    if not path.exists():
        return []
    rejects = [json.loads(line) for line in path.read_bytes().splitlines()]
    for row in rejects:
        given = {"raw", "raw_base64"} & row.keys()
        assert len(given) == 1
        row["bytes"] = row["raw"].encode() if "raw" in row else base64.b64decode(row["raw_base64"])
    return rejects


def manifest_of(forge):
    """The manifest as a dict."""
    return json.loads((forge / "manifest.json").read_text(encoding="utf-8"))


def out_of(path):
    """The forge folder that belongs to an output."""
    return path.with_name(path.name + ".forge")


def audit(out, inputs, *, dropped_in_rejects=False):
    """Check conservation from outside: `inputs` is {name: bytes} of JSON Lines files in the order they were read.

    Returns the ledger's rows. Raises AssertionError where anything is lost, invented or misplaced.
    """
    forge = out_of(out)
    ledger, rejects, manifest = ledger_of(forge), rejects_of(forge), manifest_of(forge)
    counts = manifest["counts"]
    expected = [
        (name, ordinal, line) for name, data in inputs.items() for ordinal, (line, _) in enumerate(rows_of(data))
    ]
    assert [(row["source"], row["ordinal"], row["line"]) for row in ledger] == expected
    fates = [row["fate"] for row in ledger]
    assert len(ledger) == counts["in"] == sum(entry["rows"] for entry in manifest["inputs"])
    for name, fate in (("kept",) * 2, ("repaired",) * 2, ("dropped",) * 2, ("unused",) * 2, ("errors", "error")):
        assert fates.count(fate) == counts[name], name
    written = out.read_bytes().count(b"\n") if out.suffix == ".jsonl" else None
    n_out = sum(row["n_out"] for row in ledger)
    assert n_out == counts["out"] == manifest["outputs"][0]["rows"]
    assert written is None or written == n_out
    raws = {(name, line): raw for name, data in inputs.items() for line, raw in rows_of(data)}
    wanted = ("error", "dropped") if dropped_in_rejects else ("error",)
    lost = [row for row in ledger if row["fate"] in wanted]
    key = [(row["source"], row["line"], row["rule"]) for row in lost]
    assert sorted((row["source"], row["line"], row["rule"]) for row in rejects) == sorted(key)
    for row in rejects:
        assert row["bytes"] == raws[row["source"], row["line"]]
    for row in ledger:
        assert (row["rule"] == "") == (row["fate"] == "kept")
        assert row["n_out"] == (1 if row["fate"] in ("kept", "repaired") else 0)
    return ledger
