"""dedup --method minhash: near duplicates by an oracle of Python sets; keepers, scopes, saved scores, the index."""

import gc
import json
import tempfile
from pathlib import Path

import numpy as np
import plain_terms as plain
import polars
import pytest
from filelock import FileLock
from hypothesis import given, settings
from hypothesis import strategies as st

import dataforge
from dataforge.engine import ledgerfile
from dataforge.engine.run import Run
from dataforge.engine.worker import Task
from dataforge.errors import InputError, OutputError, UsageError
from dataforge.io.chunks import Chunk
from dataforge.ops.duplicates.decision import Candidates, Table, decide
from dataforge.ops.duplicates.keys import KEY
from dataforge.ops.duplicates.minhash import bands

TEA = "the water for green tea should never boil because boiling water makes the leaves bitter and dull"
TEA_TOO = TEA.replace("dull", "grey")
ZH = "泡绿茶的水不应该烧开，因为滚烫的水会让茶叶变得又苦又涩，失去原有的清香和甘甜的味道。"
ZH_TOO = ZH.replace("味道", "滋味")
MIXED = "请用 Python 写一个函数 count_tea_leaves 来计算 green tea 的茶叶数量 and return the total number of leaves"


SIGNED = {"permutations": 16, "ngram": 2, "seed": 1, "bands": 2, "band_rows": 8, "save": False}


def write(path, rows):
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def texts(path):
    return [json.loads(line)["text"] for line in Path(path).read_text(encoding="utf-8").splitlines()]


def near(inputs, output, **settings):
    return dataforge.dedup(inputs, output=output, method="minhash", workers=1, **{"threshold": 0.7, **settings})


def drops(decision):
    return [(d.source, d.ordinal, d.keeper_source, d.keeper_ordinal, d.rule) for d in decision.dropped()]


def test_near_duplicates_go_in_english_chinese_and_mixed_text(tmp_path):
    rows = [TEA, ZH, MIXED, TEA_TOO, ZH_TOO, MIXED + "!", "你好", "谢谢。", "hello"]
    source = write(tmp_path / "in.jsonl", [{"text": text} for text in rows])
    result = near(source, tmp_path / "out.jsonl")
    assert texts(tmp_path / "out.jsonl") == [TEA, ZH, MIXED, "你好", "谢谢。", "hello"]
    assert drops(result.decision) == [
        ("in.jsonl", 3, "in.jsonl", 0, "duplicate:minhash"),
        ("in.jsonl", 4, "in.jsonl", 1, "duplicate:minhash"),
        ("in.jsonl", 5, "in.jsonl", 2, "duplicate:minhash"),
    ]
    wanted = [plain.jaccard(plain.shingles(a), plain.shingles(b)) for a, b in ((TEA, TEA_TOO), (ZH, ZH_TOO))]
    assert [d.similarity for d in result.decision.dropped()] == pytest.approx([*wanted, 1.0], abs=1e-6)
    assert all(abs(d.estimate - d.similarity) < 0.2 for d in result.decision.dropped())


def test_the_ledger_says_keeper_similarity_and_cluster(tmp_path):
    source = write(tmp_path / "in.jsonl", [{"text": text} for text in (ZH, "茶", ZH_TOO, ZH, "茶 ")])
    near(source, tmp_path / "out.jsonl")
    ledger = polars.read_parquet(tmp_path / "out.jsonl.forge" / "ledger.parquet")
    said = ledger.select("fate", "rule", "keeper_ordinal", "cluster", "similarity").rows()
    similar = plain.jaccard(plain.shingles(ZH), plain.shingles(ZH_TOO))
    assert said[0] == ("kept", "", None, 0, None)
    assert said[1] == ("kept", "", None, 1, None)
    assert said[2] == ("dropped", "duplicate:minhash", 0, 0, pytest.approx(similar))
    assert said[3] == ("dropped", "duplicate:exact", 0, 0, 1.0)
    assert said[4] == ("dropped", "duplicate:exact", 1, 1, 1.0)
    assert ledger["estimate"].is_null().to_list() == [True, True, False, True, True]


WORDS = st.sampled_from(["tea", "cup", "hot", "绿", "茶", "水", "3", "+"])
ROWS = st.lists(st.lists(WORDS, max_size=12).map(" ".join), min_size=1, max_size=25)


@settings(max_examples=40, deadline=None)
@given(ROWS, ROWS, st.sampled_from(["first", "longest"]), st.sampled_from(["all", "within", "across"]), st.booleans())
def test_every_decision_is_sound(one, two, keep, scope, reject):
    """Nothing vanishes; every dropped row has a kept keeper that is as similar as is said; no kept pair is a candidate."""
    with tempfile.TemporaryDirectory() as folder:
        files = [write(Path(folder) / f"{n}.jsonl", [{"text": t} for t in rows]) for n, rows in ((1, one), (2, two))]
        scopes = {} if scope == "all" else {scope: True}
        result = near(files, Path(folder) / "out.jsonl", keep=keep, ngram=2, threshold=0.5, **scopes)
        decision = result.decision
        everything = [(n, text) for n, rows in enumerate((one, two)) for text in rows]
        dropped = {row for row in range(len(everything)) if decision.keeper[row] >= 0}
        assert texts(Path(folder) / "out.jsonl") == [t for n, (_, t) in enumerate(everything) if n not in dropped]
    sets = [plain.shingles(text, 2) for _, text in everything]

    def comparable(a, b):
        same = everything[a][0] == everything[b][0]
        return scope == "all" or same == (scope == "within")

    def better(a, b):
        """True if a is kept before b."""
        lengths = [len(everything[row][1]) for row in (a, b)]
        return (-lengths[0], a) < (-lengths[1], b) if keep == "longest" else a < b

    for row in dropped:
        keeper = int(decision.keeper[row])
        assert keeper not in dropped and comparable(row, keeper)
        similar = plain.jaccard(sets[row], sets[keeper])
        equal = " ".join(everything[row][1].split()) == " ".join(everything[keeper][1].split())
        assert decision.similarity[row] == pytest.approx(1.0 if equal else similar)
        assert equal or similar >= 0.5
    kept = [row for row in range(len(everything)) if row not in dropped]
    for a in kept:
        for b in kept:
            if better(a, b) and comparable(a, b) and (sets[a] or sets[b]):
                assert sets[a] != sets[b], "equal sets agree in all bands"


def test_a_row_is_dropped_for_the_row_most_like_it(tmp_path):
    words = [f"w{n}" for n in range(60)]
    rows = [" ".join(words), " ".join([*words[:55], *"abcde"]), " ".join([*words[:56], *"abcd"])]
    source = write(tmp_path / "in.jsonl", [{"text": text} for text in rows])
    result = near(source, tmp_path / "out.jsonl", threshold=0.85, ngram=1, permutations=256)
    assert [d.keeper_ordinal for d in result.decision.dropped()] == [1]


def test_keep_longest_and_best(tmp_path):
    longer = ZH + "请记住这一点。"
    source = write(tmp_path / "in.jsonl", [{"text": ZH}, {"text": longer}, {"text": TEA}])
    near(source, tmp_path / "long.jsonl", keep="longest")
    assert texts(tmp_path / "long.jsonl") == [longer, TEA]
    with pytest.raises(InputError):
        near(source, tmp_path / "best.jsonl", keep="best:n_chars")


def test_keep_best_keeps_the_row_of_the_highest_score(tmp_path, cli):
    longer = ZH + "请记住这一点。"
    source = write(tmp_path / "in.jsonl", [{"text": ZH}, {"text": TEA}, {"text": longer}, {"text": TEA}])
    assert cli("score", source, "--with", "length").code == 0
    near(source, tmp_path / "best.jsonl", keep="best:n_chars")
    assert texts(tmp_path / "best.jsonl") == [TEA, longer]
    with pytest.raises(UsageError, match="2 were read"):
        near(source, tmp_path / "few.jsonl", keep="best:n_chars", limit=2)
    with pytest.raises(InputError, match="no score column"):
        near(source, tmp_path / "few.jsonl", keep="best:nothing")


def test_no_verify_trusts_the_signatures(tmp_path):
    source = write(tmp_path / "in.jsonl", [{"text": text} for text in (TEA, TEA_TOO, ZH)])
    result = near(source, tmp_path / "out.jsonl", no_verify=True)
    (only,) = result.decision.dropped()
    assert only.similarity is None or only.rule == "duplicate:exact"
    assert only.estimate is not None and only.estimate >= 0.7


def test_copies_of_a_near_duplicate_have_its_keeper(tmp_path):
    source = write(tmp_path / "in.jsonl", [{"text": text} for text in (TEA, TEA_TOO, TEA_TOO, TEA)])
    result = near(source, tmp_path / "out.jsonl")
    assert [d.keeper_ordinal for d in result.decision.dropped()] == [0, 0, 0]
    assert [d.rule for d in result.decision.dropped()] == ["duplicate:minhash", "duplicate:minhash", "duplicate:exact"]


def test_a_higher_threshold_is_decided_again_from_the_same_scores(tmp_path):
    source = write(tmp_path / "in.jsonl", [{"text": text} for text in (TEA, TEA_TOO, ZH, ZH, ZH_TOO)])
    decision = near(source, tmp_path / "out.jsonl").decision
    assert len(drops(decision)) == 3
    assert [d.ordinal for d in decision.rethreshold(0.99).dropped()] == [3]
    with pytest.raises(UsageError, match="threshold"):
        decision.rethreshold(0.5)


def test_saved_signatures_decide_alike_and_at_other_thresholds(tmp_path):
    rows = [TEA, TEA_TOO, ZH, ZH_TOO, "你好", "", "你好", ZH.replace("茶", "水")]
    source = write(tmp_path / "in.jsonl", [{"text": text} for text in rows])
    near(source, tmp_path / "a.jsonl", save_scores=True)
    near(source, tmp_path / "b.jsonl", from_scores=True)
    assert (tmp_path / "a.jsonl").read_bytes() == (tmp_path / "b.jsonl").read_bytes()
    for threshold in (0.3, 0.95):
        fresh = near(source, tmp_path / "c.jsonl", threshold=threshold, force=True)
        again = near(source, tmp_path / "d.jsonl", threshold=threshold, from_scores=True, force=True)
        assert drops(fresh.decision) == drops(again.decision)
    with pytest.raises(OutputError, match="already"):
        near(source, tmp_path / "e.jsonl", save_scores=True)


def test_stale_or_other_signatures_are_refused(tmp_path):
    source = write(tmp_path / "in.jsonl", [{"text": TEA}, {"text": ZH}])
    with pytest.raises(InputError, match="no saved signatures"):
        near(source, tmp_path / "a.jsonl", from_scores=True)
    near(source, tmp_path / "a.jsonl", save_scores=True)
    with pytest.raises(InputError, match="scheme"):
        near(source, tmp_path / "b.jsonl", from_scores=True, permutations=64)
    write(source, [{"text": TEA}, {"text": ZH_TOO}])
    with pytest.raises(InputError, match="stale"):
        near(source, tmp_path / "b.jsonl", from_scores=True)
    assert not (tmp_path / "b.jsonl").exists()


def test_an_index_remembers_what_came_before(tmp_path):
    monday = write(tmp_path / "monday.jsonl", [{"text": text} for text in (TEA, "你好", ZH, TEA_TOO)])
    tuesday = write(tmp_path / "tuesday.jsonl", [{"text": text} for text in (ZH_TOO, "你好", MIXED, TEA)])
    index = tmp_path / "seen"
    near(monday, tmp_path / "m.jsonl", index=index)
    result = near(tuesday, tmp_path / "t.jsonl", index=index)
    assert texts(tmp_path / "t.jsonl") == [MIXED]
    assert drops(result.decision) == [
        ("tuesday.jsonl", 0, "monday.jsonl", 2, "duplicate:minhash"),
        ("tuesday.jsonl", 1, "monday.jsonl", 1, "duplicate:exact"),
        ("tuesday.jsonl", 3, "monday.jsonl", 0, "duplicate:exact"),
    ]
    ledger = polars.read_parquet(tmp_path / "t.jsonl.forge" / "ledger.parquet")
    assert ledger["keeper_source"].to_list() == ["monday.jsonl", "monday.jsonl", None, "monday.jsonl"]
    about = json.loads((index / "index.json").read_text())
    assert [segment["rows"] for segment in about["segments"]] == [3, 1]
    wednesday = write(tmp_path / "wednesday.jsonl", [{"text": text} for text in (MIXED + "?", "新的")])
    near(wednesday, tmp_path / "w.jsonl", index=index)
    assert texts(tmp_path / "w.jsonl") == ["新的"]


def test_an_index_in_parts_decides_as_one_run_would(tmp_path):
    rows = [f"{TEA} {n % 7} {ZH[: n % 5]}" for n in range(40)]
    whole = near(write(tmp_path / "all.jsonl", [{"text": t} for t in rows]), tmp_path / "whole.jsonl", threshold=0.9)
    kept = []
    for part in range(4):
        source = write(tmp_path / f"{part}.jsonl", [{"text": t} for t in rows[part * 10 : part * 10 + 10]])
        near(source, tmp_path / f"out{part}.jsonl", threshold=0.9, index=tmp_path / "seen")
        kept += texts(tmp_path / f"out{part}.jsonl")
    assert kept == texts(tmp_path / "whole.jsonl")
    assert whole.counts.kept == len(kept)


def test_an_index_refuses_what_does_not_fit(tmp_path):
    source = write(tmp_path / "in.jsonl", [{"text": TEA}])
    other = write(tmp_path / "other.jsonl", [{"text": ZH}])
    index = tmp_path / "seen"
    near(source, tmp_path / "a.jsonl", index=index)
    for wrong in ({"permutations": 64}, {"ngram": 3}, {"threshold": 0.4}, {"normalise": "words"}):
        with pytest.raises(InputError, match="asked for"):
            near(other, tmp_path / "b.jsonl", index=index, **wrong)
    with pytest.raises(InputError, match="in the index already"):
        near(source, tmp_path / "b.jsonl", index=index)
    with pytest.raises(InputError, match="no index"):
        near(other, tmp_path / "b.jsonl", index=tmp_path)
    with pytest.raises(UsageError, match="--within"):
        near(other, tmp_path / "b.jsonl", index=index, within=True)
    assert not (tmp_path / "b.jsonl").exists()
    (index / "000001" / "set_values").write_bytes(b"")
    with pytest.raises(InputError, match="damaged"):
        near(write(tmp_path / "c.jsonl", [{"text": TEA_TOO}]), tmp_path / "b.jsonl", index=index)


def test_options_that_need_minhash_say_so(tmp_path):
    source = write(tmp_path / "in.jsonl", [{"text": TEA}])
    for name, value in (("no_verify", True), ("index", "seen"), ("save_scores", True), ("from_scores", True)):
        with pytest.raises(UsageError, match="minhash"):
            dataforge.dedup(source, output=tmp_path / "o.jsonl", **{name: value})
    with pytest.raises(UsageError, match="exclude"):
        near(source, tmp_path / "o.jsonl", within=True, across=True)
    with pytest.raises(UsageError, match="--keep"):
        near(source, tmp_path / "o.jsonl", keep="newest")


def test_short_and_odd_rows_stay(tmp_path):
    rows = [
        "你好",
        "谢谢。",
        "hi",
        "",
        "😀",
        "👨‍👩‍👧",
        "مرحبا بالعالم",
        "こんにちは",
        "!!!",
        "...",
        "1+1",
        "1-1",
        "ばば",
        "はは",
        "\ud800",
    ]
    source = tmp_path / "in.jsonl"
    source.write_text("".join(json.dumps({"text": text}) + "\n" for text in rows))
    result = near(source, tmp_path / "out.jsonl")
    assert result.counts.kept == len(rows)


def test_identical_rows_leave_one(tmp_path):
    source = tmp_path / "in.jsonl"
    source.write_text(json.dumps({"text": ZH}, ensure_ascii=False).join(["", "\n"]) * 20000, encoding="utf-8")
    result = near(source, tmp_path / "out.jsonl")
    assert (result.counts.kept, result.counts.dropped) == (1, 19999)


def test_rows_of_conversations_are_compared_by_all_that_they_say(tmp_path):
    def row(answer, name="a"):
        call = {"id": "1", "type": "function", "function": {"name": name, "arguments": "{}"}}
        return {
            "messages": [
                {"role": "user", "content": TEA},
                {"role": "assistant", "content": answer, "tool_calls": [call]},
            ]
        }

    source = write(
        tmp_path / "in.jsonl", [row(ZH), row(ZH_TOO), row("完全不同的一句回答，与茶无关，说的是天气和旅行。" * 3)]
    )
    result = near(source, tmp_path / "out.jsonl")
    assert [d.ordinal for d in result.decision.dropped()] == [1]
    answers = near(source, tmp_path / "answers.jsonl", fields="answer", threshold=0.6)
    assert [d.ordinal for d in answers.decision.dropped()] == [1]
    prompts = near(source, tmp_path / "prompts.jsonl", fields="prompt")
    assert [d.ordinal for d in prompts.decision.dropped()] == [1, 2]


def test_workers_and_containers_decide_alike(tmp_path):
    rows = [{"text": text} for text in (TEA, ZH, TEA_TOO, "你好", ZH_TOO, "你好")] * 3
    lines = write(tmp_path / "in.jsonl", rows)
    array = tmp_path / "in.json"
    array.write_text(json.dumps(rows, ensure_ascii=False, indent=1), encoding="utf-8")
    alone = drops(near(lines, tmp_path / "a.jsonl").decision)
    many = dataforge.dedup(lines, output=tmp_path / "b.jsonl", method="minhash", threshold=0.7, workers=3).decision
    other = near(array, tmp_path / "c.jsonl").decision
    assert (
        [d[1:2] + d[3:] for d in alone]
        == [d[1:2] + d[3:] for d in drops(many)]
        == [d[1:2] + d[3:] for d in drops(other)]
    )


def test_the_figures_say_what_was_asked_of_chance(tmp_path, cli):
    source = write(tmp_path / "in.jsonl", [{"text": TEA}, {"text": TEA_TOO}])
    said = cli("dedup", source, "-o", tmp_path / "out.jsonl", "--method", "minhash", "--threshold", "0.7", "--json")
    report = json.loads(said.out)
    b, r = bands(0.7, 128)
    assert (report["minhash"]["bands"], report["minhash"]["rows"]) == (b, r)
    assert report["minhash"]["recall_at_threshold"] == pytest.approx(1 - (1 - 0.7**r) ** b, abs=1e-4)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.text("ab 茶\t\n\x1f\x85\xa0\u2003\u2028\u202f\u205f\u3000\u200be\u0301\ud800", max_size=12),
        min_size=1,
        max_size=6,
    )
)
def test_keys_are_the_same_whichever_loop_makes_them(texts):
    """The signing task normalises white space in a compiled loop, the other one in Python."""
    rows = [{"text": text} for text in texts]
    rows.append({"messages": [{"role": "user", "content": texts[0]}, {"role": "assistant", "content": texts[-1]}]})
    data = "".join(json.dumps(row) + "\n" for row in rows).encode()
    found = []
    for name, task in (("signed", SIGNED), ("fingerprint", {"chars": True})):
        chunk = Chunk(0, "lines", 1, len(data), data=data)
        payload = Task(name, {"fields": "all", "normalise": "spaces", **task}).run(chunk).payload
        found.append((payload["keys"], payload["chars"]))
    assert found[0][0] == found[1][0]


def test_a_changed_word_counts_in_chinese_text_too(tmp_path):
    rows = [
        f"{block}这个积木是在哪个版本中引入的？{block}积木是在{n}.0版本中引入的。"
        for n, block in ((2, "When"), (3, "Length"))
    ]
    source = write(tmp_path / "in.jsonl", [{"text": text} for text in rows])
    assert near(source, tmp_path / "out.jsonl").counts.kept == 2


def decided(sets, order, threshold):
    """The keepers of rows with these shingle sets, all of one bucket; order as in `Table`."""
    n = len(sets)
    keys = np.array([(row + 1, row + 1) for row in range(n)], KEY)
    number = np.arange(n)
    table = Table(
        keys, np.zeros((n, 1), np.uint64), np.zeros(n, np.int32), number, keys["a"] > 0, keys["a"] > 0, order, [""]
    )
    ends = np.cumsum([len(one) for one in sets])
    values = np.concatenate([np.array(one, np.uint64) for one in sets])
    starts = ends - [len(one) for one in sets]
    candidates = Candidates(np.argsort(order), np.zeros((n, 1), np.int32), 1, values, starts, ends)
    return decide(table, number, candidates, threshold, scope="all", verify=True).keeper.tolist()


@pytest.mark.parametrize("threshold", [0.07, 0.14, 0.28, 0.55, 0.56, 0.57, 0.58, 0.8])
def test_a_similarity_of_exactly_the_threshold_is_enough(threshold):
    """0.55 * 100 is more than 55 in floating point, and 55 / 100 is 0.55."""
    share = round(threshold * 100)
    assert decided([range(100), range(share)], np.arange(2), threshold) == [-1, 0]
    assert decided([range(100), range(share - 1)], np.arange(2), threshold) == [-1, -1]


def test_rows_of_an_index_stay_and_are_keepers_whatever_they_are_like():
    """The second is near the first, the third near the second only; as rows of the input the second would go."""
    sets = [range(100), range(10, 110), range(20, 120)]
    assert decided(sets, np.array([-2, -1, 0]), 0.8) == [-1, -1, 1]
    assert decided(sets, np.array([0, 1, 2]), 0.8) == [-1, 0, -1]


def test_the_ledger_names_keepers_of_an_index_in_every_row_group(tmp_path, monkeypatch):
    monkeypatch.setattr(ledgerfile, "GROUP", 2)
    rows = [{"text": text} for text in (TEA, ZH, "你好", MIXED)]
    near(write(tmp_path / "monday.jsonl", rows), tmp_path / "m.jsonl", index=tmp_path / "seen")
    near(write(tmp_path / "tuesday.jsonl", [*rows, {"text": "新的"}]), tmp_path / "t.jsonl", index=tmp_path / "seen")
    ledger = polars.read_parquet(tmp_path / "t.jsonl.forge" / "ledger.parquet")
    assert ledger["keeper_source"].to_list() == [*["monday.jsonl"] * 4, None]


def test_the_longest_is_the_same_row_by_new_and_saved_signatures_and_by_keys(tmp_path):
    """Turns are joined by a newline, whichever pass counts their characters."""
    turns = [{"role": "user", "content": "绿茶 tea"}, {"role": "assistant", "content": "hot cup"}]
    source = write(tmp_path / "in.jsonl", [{"text": "绿茶 tea hot cup"}, {"messages": turns}, {"text": "绿茶"}])
    settings = {"keep": "longest", "ngram": 1}
    fresh = near(source, tmp_path / "a.jsonl", save_scores=True, **settings).decision
    again = near(source, tmp_path / "b.jsonl", from_scores=True, **settings).decision
    exact = dataforge.dedup(source, output=tmp_path / "c.jsonl", keep="longest").decision
    assert fresh.table.order.tolist() == again.table.order.tolist() == exact.table.order.tolist() == [0, 1, 2]
    assert drops(fresh) == drops(again) == [("in.jsonl", 1, "in.jsonl", 0, "duplicate:minhash")]


@pytest.mark.parametrize("flags", [["--save-scores"], ["--from-scores"], ["--keep", "best:n_chars"]])
def test_what_lies_beside_a_file_is_refused_for_a_stream(tmp_path, cli, flags):
    said = cli(
        "dedup", "-", "-o", tmp_path / "out.jsonl", "--method", "minhash", *flags, stdin=b'{"text": "\xe8\x8c\xb6"}\n'
    )
    assert said.code == 2
    assert "stdin is no file" in said.err
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_cannot_begin_leaves_nothing(tmp_path):
    source = write(tmp_path / "in.jsonl", [{"text": ZH}])
    with pytest.raises(InputError, match="no index"):
        near(source, tmp_path / "out.jsonl", save_scores=True, index=tmp_path)
    assert list(tmp_path.iterdir()) == [source]


def test_an_interrupted_run_leaves_no_index_and_no_signatures(tmp_path, monkeypatch):
    source = write(tmp_path / "in.jsonl", [{"text": ZH}, {"text": TEA}])

    def interrupted(*args, **more):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Run, "finish", interrupted)
        with pytest.raises(KeyboardInterrupt):
            near(source, tmp_path / "out.jsonl", save_scores=True, index=tmp_path / "all" / "seen")
    assert list(tmp_path.iterdir()) == [source]
    near(source, tmp_path / "out.jsonl", save_scores=True, index=tmp_path / "all" / "seen")
    assert sorted(path.name for path in (tmp_path / "all" / "seen").iterdir()) == ["000001", "index.json"]


def test_what_a_killed_run_left_in_an_index_does_not_count(tmp_path):
    index = tmp_path / "seen"
    for rest in ("000001", ".000001.abc.partial"):
        (index / rest).mkdir(parents=True)
    for name, text in (("a", ZH), ("b", ZH_TOO)):
        result = near(write(tmp_path / f"{name}.jsonl", [{"text": text}]), tmp_path / f"{name}.out.jsonl", index=index)
    assert result.counts.dropped == 1
    assert not list(index.glob(".*.partial"))


def test_two_runs_cannot_add_to_one_index_at_a_time(tmp_path):
    first, second = (write(tmp_path / f"{n}.jsonl", [{"text": t}]) for n, t in (("a", ZH), ("b", TEA)))
    index = tmp_path / "seen"
    near(first, tmp_path / "a.out.jsonl", index=index)
    before = (index / "index.json").read_bytes()
    with FileLock(index / ".lock"), pytest.raises(InputError, match="another run"):
        near(second, tmp_path / "b.out.jsonl", index=index)
    assert (index / "index.json").read_bytes() == before
    near(second, tmp_path / "b.out.jsonl", index=index)
    assert [one["rows"] for one in json.loads((index / "index.json").read_text())["segments"]] == [1, 1]


def test_a_decision_can_be_asked_again_after_its_run_has_ended(tmp_path):
    source = write(tmp_path / "in.jsonl", [{"text": text} for text in (ZH, TEA, ZH_TOO)])
    decision = near(source, tmp_path / "out.jsonl").decision
    gc.collect()
    similar = plain.jaccard(plain.shingles(ZH), plain.shingles(ZH_TOO))
    assert len(drops(decision.rethreshold(similar))) == 1
    assert drops(decision.rethreshold(np.nextafter(similar, 1))) == []
