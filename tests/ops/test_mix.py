"""mix: the share that is asked for, spread evenly, by seed, without replacement, each source in its own order.

The bound on evenness. A row of length l of a source with total T stands where the middle of its length falls, at
(sum before + l / 2) / T. A window of the output covers the same stretch x of every source, up to half a row at both
ends, so that source s gives T_s x + e_s with |e_s| <= m_s, its longest row. With p the general share of all, the
general amount in a window of amount w differs from p w by at most (1 - p) * sum of m over the general sources
+ p * sum of m over the domain sources. By rows, with one source in each pool, that is one row.
"""

import gzip
import json
import re
import tempfile
from pathlib import Path

import dirty
import numpy as np
import pytest
import zstandard
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import dataforge
from dataforge.errors import ConfigError, DataError, InputError, RowError, UsageError
from dataforge.ops.mix import choose, interleave

LENGTHS = st.lists(st.integers(1, 40), min_size=1, max_size=60).map(lambda own: np.array(own, np.int64))


def write(path, texts):
    path.write_bytes(b"".join(dirty.line_of({"text": text}) + b"\n" for text in texts))
    return path


def texts_of(path):
    return [json.loads(line)["text"] for line in path.read_bytes().split(b"\n")[:-1]]


def pools(folder, domain, general):
    """Two files of documents: domain texts begin with d, general ones with g."""
    write(folder / "d.jsonl", [f"d{n}" for n in range(domain)])
    write(folder / "g.jsonl", [f"g{n}" for n in range(general)])
    return {"domain": [folder / "d.jsonl"], "general": [folder / "g.jsonl"]}


@settings(max_examples=60, deadline=None)
@given(domain=st.integers(1, 60), general=st.integers(1, 80), replay=st.floats(0, 0.9), seed=st.integers(0, 3))
def test_the_share_is_within_one_row_of_what_is_asked_for(domain, general, replay, seed):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        wanted = replay / (1 - replay) * domain
        assume(0.51 < wanted < general + 0.49 or replay == 0)
        dataforge.mix(output=folder / "o.jsonl", **pools(folder, domain, general), replay=replay, seed=seed, workers=1)
        texts = texts_of(folder / "o.jsonl")
        chosen = [text for text in texts if text[0] == "g"]
        assert [text for text in texts if text[0] == "d"] == [f"d{n}" for n in range(domain)]
        assert abs(len(chosen) - wanted) <= 0.5
        assert abs(len(chosen) - replay * len(texts)) <= 1
        numbers = [int(text[1:]) for text in chosen]
        assert numbers == sorted(set(numbers))  # its own order, and no row twice


@settings(max_examples=60, deadline=None)
@given(lengths=st.lists(LENGTHS, min_size=2, max_size=5), cut=st.integers(1, 4), size=st.integers(1, 100))
def test_any_window_of_the_output_holds_close_to_the_share(lengths, cut, size):
    domains = min(cut, len(lengths) - 1)
    home, _ = interleave(lengths)
    streams = [iter(own.tolist()) for own in lengths]
    placed = [(source >= domains, next(streams[source])) for source in home.tolist()]
    share = sum(own.sum() for own in lengths[domains:]) / sum(own.sum() for own in lengths)
    longest = [int(own.max()) for own in lengths]
    bound = (1 - share) * sum(longest[domains:]) + share * sum(longest[:domains])
    for start in range(max(1, len(placed) - size + 1)):
        window = placed[start : start + size]
        general = sum(length for is_general, length in window if is_general)
        assert abs(general - share * sum(length for _, length in window)) <= bound + 1e-9


@settings(max_examples=60, deadline=None)
@given(domain=st.integers(1, 80), general=st.integers(1, 80))
def test_by_rows_any_window_is_within_one_row(domain, general):
    home, _ = interleave([np.ones(domain, np.int64), np.ones(general, np.int64)])
    share = general / (domain + general)
    counted = np.concatenate([[0], np.cumsum(home)])
    for size in (1, 2, 7, 30, len(home)):
        windows = counted[size:] - counted[: -size or None]
        if size <= len(home):
            assert np.abs(windows - share * size).max() <= 1 + 1e-9


def test_a_mix_that_is_not_spread_would_be_caught():
    home = np.array([0] * 80 + [1] * 20)
    counted = np.concatenate([[0], np.cumsum(home)])
    windows = counted[30:] - counted[:-30]
    assert np.abs(windows - 0.2 * 30).max() > 1


@settings(max_examples=100, deadline=None)
@given(lengths=st.lists(LENGTHS, min_size=1, max_size=5))
def test_every_row_has_one_position_and_every_source_its_order(lengths):
    home, positions = interleave(lengths)
    assert sorted(np.concatenate(positions).tolist()) == list(range(sum(map(len, lengths))))
    for source, own in enumerate(positions):
        assert (np.diff(own) > 0).all()
        assert (home[own] == source).all()


@settings(max_examples=100, deadline=None)
@given(lengths=LENGTHS, share=st.floats(0, 1), seed=st.integers(0, 5))
def test_what_is_chosen_comes_within_half_a_row_of_what_is_wanted(lengths, share, seed):
    wanted = share * float(lengths.sum())
    chosen = choose(lengths, wanted, seed)
    assert abs(lengths[chosen].sum() - wanted) <= lengths.max() / 2
    assert (choose(lengths, wanted, seed) == chosen).all()


def test_every_row_of_the_pool_is_chosen_equally_often():
    hits = sum(choose(np.ones(20, np.int64), 5, seed) for seed in range(2000))
    assert np.abs(hits - 500).max() < 100  # five standard deviations


def test_the_seed_decides_and_nothing_else(tmp_path):
    given_pools = pools(tmp_path, 40, 200)
    made = {}
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        dataforge.mix(output=tmp_path / f"{name}.jsonl", **given_pools, replay=0.3, seed=seed)
        made[name] = [text for text in texts_of(tmp_path / f"{name}.jsonl") if text[0] == "g"]
    assert made["a"] == made["b"] != made["c"]
    assert len(made["a"]) == len(made["c"])


@pytest.mark.parametrize("unit", ["rows", "chars"])
def test_amounts_are_counted_in_the_unit_that_is_named(unit, tmp_path):
    write(tmp_path / "d.jsonl", ["茶" * 10] * 30)
    write(tmp_path / "g.jsonl", ["general " * 10] * 30)
    result = dataforge.mix(
        output=tmp_path / "o.jsonl", domain=tmp_path / "d.jsonl", general=tmp_path / "g.jsonl", replay=0.4, by=unit
    )
    texts = texts_of(tmp_path / "o.jsonl")
    amounts = [(text[0] == "g", 1 if unit == "rows" else len(text)) for text in texts]
    share = sum(size for is_general, size in amounts if is_general) / sum(size for _, size in amounts)
    assert abs(share - 0.4) <= (0.5 / 50 if unit == "rows" else 40 / 500)
    assert f"mix by {unit}, replay 0.4:" in result.report["plan"]
    assert result.report["unit"] == unit


def test_the_plan_says_what_is_taken_and_the_ledger_where_it_went(tmp_path):
    write(tmp_path / "d.jsonl", [f"d{n}" for n in range(8)])
    write(tmp_path / "e.jsonl", [f"e{n}" for n in range(4)])
    write(tmp_path / "g.jsonl", [f"g{n}" for n in range(9)])
    domain = [tmp_path / "d.jsonl", tmp_path / "e.jsonl"]
    result = dataforge.mix(output=tmp_path / "o.jsonl", domain=domain, general=tmp_path / "g.jsonl", replay=0.25)
    assert result.report["plan"] == [
        "mix by rows, replay 0.25:",
        "  domain  d.jsonl: 8 of 8 rows, 50.0% of the result",
        "  domain  e.jsonl: 4 of 4 rows, 25.0% of the result",
        "  general g.jsonl: 4 of 9 rows, 25.0% of the result",
        "  general share: 25.00% of 16 rows",
    ]
    texts = texts_of(tmp_path / "o.jsonl")
    for row in dirty.ledger_of(tmp_path / "o.jsonl.forge"):
        if row["fate"] == "kept":
            assert texts[row["position"]] == f"{row['source'][0]}{row['ordinal']}"
        else:
            assert (row["fate"], row["rule"], row["position"]) == ("unused", "beyond_share", None)
    assert result.counts.unused == 5


def test_a_pool_that_is_too_small_says_how_much_it_allows(tmp_path):
    for domain, general, unit in ((50, 10, "rows"), (7, 3, "rows"), (30, 11, "chars")):
        given_pools = pools(tmp_path, domain, general)
        with pytest.raises(DataError) as fault:
            dataforge.mix(output=tmp_path / "o.jsonl", **given_pools, replay=0.8, by=unit)
        assert fault.value.exit_code == 1
        assert not (tmp_path / "o.jsonl").exists()
        most = float(re.search(r"--replay ([\d.]+) at most", fault.value.help)[1])
        assert 0 < most < 0.8
        dataforge.mix(output=tmp_path / "o.jsonl", **given_pools, replay=most, by=unit, force=True)
        with pytest.raises(DataError):
            dataforge.mix(output=tmp_path / "p.jsonl", **given_pools, replay=most + 0.1, by=unit)
        (tmp_path / "o.jsonl").unlink()


def test_a_share_of_none_is_the_domain_alone(tmp_path):
    result = dataforge.mix(output=tmp_path / "o.jsonl", **pools(tmp_path, 5, 5), replay=0)
    assert texts_of(tmp_path / "o.jsonl") == [f"d{n}" for n in range(5)]
    assert (result.counts.kept, result.counts.unused) == (5, 5)


def test_a_share_of_less_than_a_row_is_refused(tmp_path):
    with pytest.raises(DataError, match="less than one general row"):
        dataforge.mix(output=tmp_path / "o.jsonl", **pools(tmp_path, 3, 5), replay=0.1)


def test_a_domain_without_a_readable_row_is_refused(tmp_path):
    given_pools = pools(tmp_path, 1, 5)
    (tmp_path / "d.jsonl").write_bytes(b"[]\n{}\n")
    with pytest.raises(DataError, match="holds no readable row"):
        dataforge.mix(output=tmp_path / "o.jsonl", **given_pools, on_error="reject")
    with pytest.raises(RowError):
        dataforge.mix(output=tmp_path / "o.jsonl", **given_pools)


def test_an_empty_document_of_the_domain_is_used_like_any_other(tmp_path):
    write(tmp_path / "d.jsonl", ["", "茶茶茶", "", "tea"])
    write(tmp_path / "g.jsonl", ["g"] * 9)
    dataforge.mix(
        output=tmp_path / "o.jsonl", domain=tmp_path / "d.jsonl", general=tmp_path / "g.jsonl", replay=0.5, by="chars"
    )
    assert [text for text in texts_of(tmp_path / "o.jsonl") if text != "g"] == ["", "茶茶茶", "", "tea"]


def test_a_file_belongs_to_one_pool_however_it_is_spelled(tmp_path, monkeypatch):
    given_pools = pools(tmp_path, 3, 3)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link.jsonl").symlink_to("d.jsonl")
    for other in ("d.jsonl", "./d.jsonl", "link.jsonl", str(tmp_path / "*.jsonl")):
        with pytest.raises(UsageError, match="domain and general at once"):
            dataforge.mix(output="o.jsonl", domain=given_pools["domain"], general=[other])


def test_any_container_can_be_mixed_and_rows_of_json_lines_stand_as_they_are(tmp_path):
    raw = b'{ "question":"q",   "answer":"\\u8336" }\n'
    (tmp_path / "d.jsonl.zst").write_bytes(zstandard.compress(raw * 3))
    (tmp_path / "e.csv").write_text("问题,答案\n茶？,好\n", encoding="utf-8")
    (tmp_path / "g.json").write_text(json.dumps([{"instruction": "a", "output": "b"}, {"text": "t"}]))
    (tmp_path / "h.jsonl.gz").write_bytes(gzip.compress(raw))
    result = dataforge.mix(
        output=tmp_path / "o.jsonl.gz",
        domain=[tmp_path / "d.jsonl.zst", tmp_path / "e.csv"],
        general=[tmp_path / "g.json", tmp_path / "h.jsonl.gz"],
        replay=0.4,
    )
    lines = gzip.decompress((tmp_path / "o.jsonl.gz").read_bytes()).splitlines(keepends=True)
    assert lines.count(raw) >= 3
    assert '{"问题":"茶？","答案":"好"}\n'.encode() in lines
    assert (result.counts.kept, result.counts.rows_in) == (7, 7)
    dataforge.mix(output=tmp_path / "o.json", domain=[tmp_path / "e.csv"], general=[tmp_path / "g.json"], replay=0)
    assert json.loads((tmp_path / "o.json").read_text(encoding="utf-8")) == [{"问题": "茶？", "答案": "好"}]


def test_faulty_rows_are_left_out_by_choice_only(tmp_path):
    given_pools = pools(tmp_path, 4, 4)
    with (tmp_path / "g.jsonl").open("ab") as file:
        file.write(b"{cut\n")
    with pytest.raises(RowError):
        dataforge.mix(output=tmp_path / "o.jsonl", **given_pools)
    result = dataforge.mix(output=tmp_path / "o.jsonl", **given_pools, replay=0.5, on_error="reject")
    assert (result.counts.kept, result.counts.errors) == (8, 1)
    with pytest.raises(DataError, match="4 are there"):  # a faulty row is nothing to mix in
        dataforge.mix(output=tmp_path / "p.jsonl", **given_pools, replay=0.6, on_error="reject")


def test_options_that_do_not_fit_are_refused(tmp_path):
    given_pools = pools(tmp_path, 2, 2)
    for options in (
        {"by": "tokens"},
        {"replay": 1.0},
        {"replay": -0.1},
        {"by": "words"},
        {"domain": []},
        {"replay": "x"},
    ):
        with pytest.raises((UsageError, ConfigError)):
            dataforge.mix(output=tmp_path / "o.jsonl", **{**given_pools, **options})
    with pytest.raises(UsageError, match="mix writes rows as they are"):
        dataforge.mix(output=tmp_path / "o.csv", **given_pools)
    with pytest.raises(InputError, match="no such file"):
        dataforge.mix(output=tmp_path / "o.jsonl", **{**given_pools, "general": tmp_path / "x.jsonl"})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["d.jsonl", "g.jsonl"]


def test_a_dry_run_shows_the_plan_and_leaves_nothing(tmp_path):
    result = dataforge.mix(output=tmp_path / "o.jsonl", **pools(tmp_path, 4, 4), replay=0.5, dry_run=True)
    assert result.lines[0] == "mix by rows, replay 0.5:"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["d.jsonl", "g.jsonl"]


def test_tokens_are_those_that_shard_makes(tmp_path):
    pytest.importorskip("transformers")
    samples = Path(__file__).resolve().parent.parent.parent / "samples"
    domain, general = samples / "domain_tea.jsonl", samples / "alpaca_zh.json"
    dataforge.train_tokenizer([domain, general], output=tmp_path / "tok", vocab_size=300)
    result = dataforge.mix(
        output=tmp_path / "o.jsonl", domain=domain, general=general, replay=0.3, tokenizer=tmp_path / "tok"
    )
    dataforge.shard(
        tmp_path / "o.jsonl", output=tmp_path / "shards", tokenizer=tmp_path / "tok", stage="sft", max_length=4096
    )
    made = json.loads((tmp_path / "shards" / "shards.json").read_text())["tokens"]["in"]
    share, total = re.search(r"general share: ([\d.]+)% of ([\d,]+) tokens", result.report["plan"][-1]).groups()
    assert made == int(total.replace(",", ""))
    assert abs(float(share) - 30) < 3  # the longest row is some three hundredths of the whole
    assert result.report["unit"] == "tokens"
