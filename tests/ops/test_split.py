"""split: groups stay whole, every row goes out once, content and seed alone decide, and what cannot be met is said.

The oracles: prompts and clusters are known here because the rows are made here; SplitMix64, the join of groups and the
filling of an amount are written anew in plain Python.
"""

import gzip
import json
import os
import random
import tempfile
from pathlib import Path

import dirty
import jsonschema
import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import dataforge
from dataforge.engine.rowfile import RowFile
from dataforge.errors import DataError, InputError, OutputError, RowError, UsageError
from dataforge.ops.duplicates.keys import KEY
from dataforge.ops.splitting.clusters import components, read_clusters
from dataforge.ops.splitting.decision import Groups, Plan, decide, fill, numbered, positions

PARTS = ("train", "validation", "test")
PROMPTS = [
    "What is tea?",
    "茶是什么？",
    "How is it brewed?",
    "怎么泡茶？",
    "Name a cup.",
    "杯子",
    "Why green?",
    "为什么",
]
DATA = Path(os.environ.get("DATAFORGE_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))


def said(role, text):
    return {"role": role, "content": text}


KINDS = {
    "pair": lambda p, a: {"prompt": p, "chosen": a, "rejected": a + " no"},
    "talk pair": lambda p, a: {"prompt": [said("user", p)], "chosen": [said("assistant", a)],
                               "rejected": [said("assistant", a + "不")]},
    "kto": lambda p, a: {"prompt": p, "completion": a, "label": len(a) % 2 == 0},
    "alpaca": lambda p, a: {"instruction": p, "input": "", "output": a},
    "messages": lambda p, a: {"messages": [said("user", p), said("assistant", a)]},
    "sharegpt": lambda p, a: {"conversations": [{"from": "human", "value": p}, {"from": "gpt", "value": a}]},
    "spaced": lambda p, a: {"question": f" {p}\u3000\n", "answer": a},
}  # fmt: skip
"""Ways in which a prompt and an answer are written; the prompt is the same in all of them."""


def rows_of(prompts, kinds, answers):
    return [
        (prompt, KINDS[kind](prompt, f"{answer} 答{number}"))
        for number, (prompt, kind, answer) in enumerate(zip(prompts, kinds, answers, strict=True))
    ]


ROWS = st.lists(st.tuples(st.sampled_from(PROMPTS), st.sampled_from(sorted(KINDS)), st.text("ab茶 ", max_size=9)))


def write(path, rows):
    path.write_bytes(b"".join(dirty.line_of(row) + b"\n" for row in rows))
    return path


def lines(path):
    return path.read_bytes().splitlines(keepends=True)


def parts_of(folder, container="jsonl"):
    """{part: rows of its file}."""
    found = {}
    for name in PARTS:
        path = folder / f"{name}.{container}"
        if path.exists() and container == "jsonl":
            found[name] = [json.loads(line) for line in lines(path)]
        elif path.exists():
            found[name] = json.loads(path.read_bytes()) if container == "json" else pq.read_table(path).to_pylist()
    return found


def documents(path, count, text="text {} 文"):
    return write(path, [{"text": text.format(number)} for number in range(count)])


SIZES = st.sampled_from([(0.3, 0.0), (0.2, 0.2), (2, 0.0), (0.3, 2), (1, 3), (0.0, 0.4)])


@settings(max_examples=50, deadline=None)
@given(
    made=ROWS.filter(bool),
    sizes=SIZES,
    seed=st.integers(0, 5),
    by=st.sampled_from(["rows", "chars"]),
    stratify=st.sampled_from([None, "dialect", "source"]),
)
def test_every_row_goes_out_once_and_no_prompt_is_on_two_sides(made, sizes, seed, by, stratify):
    rows = rows_of(*zip(*made, strict=True))
    sizes = [size if size < 1 or by == "rows" else size * 15 for size in sizes]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder / "r.jsonl", [row for _, row in rows])
        options = {"validation": sizes[0], "test": sizes[1], "seed": seed, "by": by, "stratify": stratify}
        try:
            dataforge.split(folder / "r.jsonl", output=folder / "o", workers=1, **options)
        except DataError:
            assert sorted(path.name for path in folder.iterdir()) == ["r.jsonl"]
            return
        found = parts_of(folder / "o")
        ledger = dirty.audit(folder / "o", {"r.jsonl": (folder / "r.jsonl").read_bytes()})
    where = {}
    for (prompt, row), entry in zip(rows, ledger, strict=True):
        assert found[entry["part"]][entry["position"]] == row
        assert where.setdefault(prompt, (entry["part"], entry["group"])) == (entry["part"], entry["group"])
    assert sum(map(len, found.values())) == len(rows)
    assert len({entry["group"] for entry in ledger}) == len(where)
    for name in found:
        own = [entry["position"] for entry in ledger if entry["part"] == name]
        assert own == list(range(len(found[name]))) and own  # in the order of the input, none empty


@settings(max_examples=25, deadline=None)
@given(made=ROWS.filter(lambda rows: len(rows) > 5), sizes=SIZES, seed=st.integers(0, 3), data=st.data())
def test_neither_the_order_nor_the_files_of_rows_matter(made, sizes, seed, data):
    rows = [row for _, row in rows_of(*zip(*made, strict=True))]
    shuffled = data.draw(st.permutations(rows))
    cut = data.draw(st.integers(1, len(rows) - 1))
    seen = []
    for own in ([rows], [shuffled[:cut], shuffled[cut:]]):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            paths = [write(folder / f"{n}.jsonl", some) for n, some in enumerate(own)]
            try:
                dataforge.split(
                    paths, output=folder / "o", workers=1, validation=sizes[0], test=sizes[1], seed=seed,
                    stratify="dialect",
                )  # fmt: skip
            except DataError as fault:
                seen.append(str(fault))
                continue
            seen.append({part: sorted(map(str, found)) for part, found in parts_of(folder / "o").items()})
    assert seen[0] == seen[1]


def test_workers_and_small_chunks_change_no_byte(tmp_path, small_chunks):
    documents(tmp_path / "r.jsonl", 300)
    made = []
    for workers, size in ((1, 1 << 20), (2, 700), (1, 90)):
        small_chunks(size)
        dataforge.split(
            tmp_path / "r.jsonl", output=tmp_path / "o", workers=workers, validation=0.2, test=30, force=True
        )
        files = [*sorted((tmp_path / "o").iterdir()), tmp_path / "o.forge/manifest.json"]
        made.append([path.read_bytes() for path in files])
    assert made[0] == made[1] == made[2] and len(made[0]) == 5


def test_rows_that_come_later_move_none_that_was_there(tmp_path):
    documents(tmp_path / "old.jsonl", 200)
    documents(tmp_path / "new.jsonl", 150, "新 {}")
    homes = []
    for inputs in (["old.jsonl"], ["new.jsonl", "old.jsonl"]):
        paths = [tmp_path / name for name in inputs]
        dataforge.split(paths, output=tmp_path / "o", validation=0.2, test=0.1, force=True)
        homes.append({row["text"]: name for name, rows in parts_of(tmp_path / "o").items() for row in rows})
    assert homes[0].items() < homes[1].items()
    dataforge.split(tmp_path / "old.jsonl", output=tmp_path / "o", validation=0.3, test=0.1, force=True)
    grown = {row["text"]: name for name, rows in parts_of(tmp_path / "o").items() for row in rows}
    assert all(grown[text] in (name, "validation") for text, name in homes[0].items())


@settings(max_examples=25, deadline=None)
@given(data=dirty.FILES, seed=st.integers(0, 2))
def test_of_any_file_every_row_has_one_fate(data, seed):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "r.jsonl").write_bytes(data)
        options = {"validation": 1, "on_error": "reject", "workers": 1, "seed": seed, "stratify": "lang"}
        try:
            dataforge.split(folder / "r.jsonl", output=folder / "o", **options)
        except (DataError, InputError):
            return
        dirty.audit(folder / "o", {"r.jsonl": data})
        files = b"".join(path.read_bytes() for path in (folder / "o").glob("*.jsonl"))
        fates = [entry["fate"] for entry in dirty.ledger_of(folder / "o.forge")]
        rows = [raw for (_, raw), fate in zip(dirty.rows_of(data), fates, strict=True) if fate == "kept"]
        assert sorted(files.split(b"\n")[:-1]) == sorted(rows)


def test_rows_of_all_dialects_have_a_prompt_or_are_one(tmp_path):
    paths = sorted((Path(__file__).resolve().parents[2] / "samples" / "dialects").iterdir())
    for group_by in ("prompt", "opening"):
        options = {"stratify": "dialect", "validation": 0.2, "group_by": group_by, "force": True}
        result = dataforge.split(paths, output=tmp_path / "o", **options)
        assert result.ok and len(result.report["split"]["strata"]) > 40


def keys(count, seed=0):
    words = np.random.default_rng(seed).integers(0, 2**64, (count, 2), np.uint64, endpoint=False)
    return np.ascontiguousarray(words).view(KEY).reshape(-1)


def mixed(word):
    """The finaliser of SplitMix64."""
    word = ((word ^ (word >> 30)) * 0xBF58476D1CE4E5B9) % 2**64
    word = ((word ^ (word >> 27)) * 0x94D049BB133111EB) % 2**64
    return word ^ (word >> 31)


@pytest.mark.parametrize("seed", [0, 1, 2**63 - 1])
def test_the_place_of_a_key_is_that_of_splitmix(seed):
    some = keys(20)
    start = mixed((seed + 1) * 0x9E3779B97F4A7C15 % 2**64)
    assert positions(some, seed).tolist() == [mixed(mixed(int(a) ^ start) ^ int(b)) for a, b in some.tolist()]


def test_shares_are_met_as_closely_as_chance_allows_and_seeds_differ():
    count = 40_000
    groups = Groups(keys(count), np.ones(count, np.int64), np.zeros(count, np.int64))
    made = [decide(groups, Plan(0.05, 0.1), seed) for seed in range(4)]
    for parts in made:
        for part, share in ((1, 0.05), (2, 0.1)):
            assert abs((parts == part).sum() - share * count) < 5 * (share * (1 - share) * count) ** 0.5
    both = ((made[0] == 1) & (made[1] == 1)).sum()  # seeds are independent of one another
    assert abs(both - 0.0025 * count) < 5 * (0.0025 * count) ** 0.5


@settings(max_examples=50, deadline=None)
@given(
    amounts=st.lists(st.integers(0, 30), min_size=1, max_size=60),
    strata=st.integers(1, 4),
    share=st.floats(0.02, 0.5),
    seed=st.integers(0, 9),
)
def test_within_strata_shares_are_as_close_as_groups_allow(amounts, strata, share, seed):
    amount = np.array(amounts, np.int64)
    groups = Groups(np.sort(keys(len(amount))), amount, np.arange(len(amount)) % strata)
    parts = decide(groups, Plan(share, 0.0), seed, stratified=True)
    for stratum in range(strata):
        own = groups.stratum == stratum
        got, largest = int(amount[own & (parts == 1)].sum()), int(amount[own].max(initial=0))
        assert got - share * amount[own].sum() <= 1.5 * max(1, amount.max())  # half a group, and what another lacks
        assert largest == 0 or got <= amount[own].sum()
    one = np.ones(len(amount), np.int64)
    parts = decide(Groups(groups.keys, one, groups.stratum), Plan(share, 0.0), seed, stratified=True)
    for stratum in range(strata):
        own = groups.stratum == stratum
        assert abs((parts[own] == 1).sum() - share * own.sum()) <= 1 + 1e-9
    assert abs((parts == 1).sum() - share * len(amount)) <= 0.5 + 1e-9


@settings(max_examples=50, deadline=None)
@given(amounts=st.lists(st.integers(0, 20), max_size=40), wanted=st.integers(0, 200))
def test_an_amount_is_filled_by_the_first_groups_that_fit(amounts, wanted):
    taken = fill(np.array(amounts, np.int64), wanted).tolist()
    chosen, missing = set(), wanted
    for place, amount in enumerate(amounts):
        if missing and amount <= missing:
            chosen.add(place)
            missing -= amount
    more = set(taken) - chosen
    assert chosen <= set(taken) == set(sorted(taken)) and len(more) <= 1
    nearest = min(
        (abs(amount - missing) for place, amount in enumerate(amounts) if place not in chosen), default=missing
    )
    assert abs(sum(amounts[place] for place in taken) - wanted) == (min(missing, nearest) if missing else 0)
    if set(amounts) == {1}:
        assert taken == list(range(min(wanted, len(amounts))))


@settings(max_examples=50, deadline=None)
@given(count=st.integers(1, 30), data=st.data())
def test_groups_are_joined_as_a_plain_union_find_joins_them(count, data):
    node = st.integers(0, count - 1)
    edges = data.draw(st.lists(st.tuples(node, node), max_size=40))
    parent = list(range(count))

    def root(n):
        return n if parent[n] == n else root(parent[n])

    for a, b in edges:
        a, b = sorted((root(a), root(b)))
        parent[b] = a
    one, other = (np.array([edge[side] for edge in edges], np.int64) for side in (0, 1))
    assert components(count, one, other).tolist() == [root(n) for n in range(count)]


def test_keys_that_share_one_half_are_told_apart():
    some = np.array([(5, 2), (5, 1), (5, 2), (4, 9), (5, 1)], KEY)
    number, distinct = numbered(some)
    assert number.tolist() == [2, 1, 2, 0, 1] and distinct.tolist() == [(4, 9), (5, 1), (5, 2)]


ENGLISH = "leaf spring shoot bamboo tray shade hour kettle steam garden hill rain cup dry pick roll warm slow north old".split()
CHINESE = "清明前后采摘嫩芽竹匾摊晾几个小时再下锅杀青揉捻烘干就成了市面上常见的绿茶味道香回甘"


def story(cluster, length=40):
    """A text of its own for each cluster: even ones English, odd ones Chinese."""
    pick = random.Random(cluster)
    return "".join(pick.choices(CHINESE, k=length)) if cluster % 2 else " ".join(pick.choices(ENGLISH, k=length))


@pytest.fixture
def near(tmp_path):
    """Rows of twelve clusters of near duplicates, English and Chinese, each under prompts of their own; their ledger."""
    rows = []
    for cluster in range(12):
        for copy in range(4):
            text = story(cluster) + " and so on 如此" * copy
            rows.append({"instruction": f"问{cluster}-{copy}", "input": "", "output": text, "c": cluster})
    write(tmp_path / "n.jsonl", rows)
    dataforge.dedup(tmp_path / "n.jsonl", output=tmp_path / "u.jsonl", method="minhash", fields="answer", threshold=0.6)
    assert len(lines(tmp_path / "u.jsonl")) == 12
    return tmp_path


def sides(folder):
    """{cluster: parts that its rows are in}."""
    found = {}
    for part, rows in parts_of(folder).items():
        for row in rows:
            found.setdefault(row["c"], set()).add(part)
    return found


def test_clusters_stay_on_one_side_and_would_not_without_their_ledger(near):
    options = {"validation": 0.3, "test": 0.2, "force": True}
    dataforge.split(near / "n.jsonl", output=near / "o", **options)
    assert any(len(parts) > 1 for parts in sides(near / "o").values())
    for place in ("u.jsonl.forge", "u.jsonl.forge/ledger.parquet"):
        for seed in range(5):
            result = dataforge.split(near / "n.jsonl", output=near / "o", clusters=near / place, seed=seed, **options)
            assert len(sides(near / "o")) == 12 and all(len(parts) == 1 for parts in sides(near / "o").values())
            assert result.report["split"]["groups"] == 12


def test_prompts_and_clusters_join_one_another_in_chains(near):
    rows = [json.loads(line) for line in lines(near / "n.jsonl")]
    bridge = {"instruction": "问0-0", "input": "", "output": "an answer of its own", "c": 0}
    other = {**rows[7], "instruction": "问0-0"}  # the prompt of cluster 0, an answer of cluster 1
    write(near / "n.jsonl", [*rows, bridge, other])
    dataforge.dedup(
        near / "n.jsonl", output=near / "u.jsonl", method="minhash", fields="answer", force=True, threshold=0.6
    )
    result = dataforge.split(near / "n.jsonl", output=near / "o", clusters=near / "u.jsonl.forge", validation=8)
    assert result.report["split"]["groups"] == 11 and result.report["split"]["largest_group"]["rows"] == 10
    found = sides(near / "o")
    assert found[0] == found[1] and all(len(parts) == 1 for parts in found.values())


def test_a_ledger_serves_the_same_rows_in_another_dialect_and_order(near):
    dataforge.convert(near / "n.jsonl", output=near / "m.jsonl", to="openai")
    shuffled = lines(near / "m.jsonl")
    random.Random(3).shuffle(shuffled)
    extra = dirty.line_of({"messages": [said("user", "new"), said("assistant", "新")], "c": 99}) + b"\n"
    (near / "m.jsonl").write_bytes(b"".join(shuffled) + extra)
    result = dataforge.split(
        near / "m.jsonl", output=near / "o", clusters=near / "u.jsonl.forge", dry_run=True, validation=0.3
    )
    assert result.lines[-2:] == [
        "  clusters: 12 in the ledger; 49 groups became 13",
        "  warning: 1 rows are not in the ledger, and are kept together by their groups alone",
    ]
    assert not (near / "o").exists() and not (near / "o.forge").exists()


def test_a_ledger_that_is_none_or_of_other_rows_is_refused(near):
    documents(near / "d.jsonl", 9)
    with pytest.raises(DataError, match="the ledger knows none of the rows"):
        dataforge.split(near / "d.jsonl", output=near / "o", clusters=near / "u.jsonl.forge", validation=2)
    dataforge.convert(near / "n.jsonl", output=near / "m.jsonl", to="openai")
    for place, said_so in (
        ("m.jsonl.forge", "no ledger of dedup"),
        ("n.jsonl", "no sound Parquet"),
        ("x.forge", "no such ledger"),
    ):
        with pytest.raises(InputError, match=said_so):
            read_clusters(str(near / place))
    assert not (near / "o").exists() and not (near / "o.forge").exists()


ODD = b'{"text": "a"}\r\n\n{"text": "\xe8\x8c\xb6"}\n   \n{"text": "b", "n": 12345678901234567890123}\n'


@pytest.mark.parametrize("container", ["jsonl", "json", "parquet", "jsonl.gz", "csv"])
def test_parts_have_the_container_of_the_input(container, tmp_path):
    rows = [{"question": f"问 {n}", "answer": "茶\n" * (n % 3)} for n in range(40)]
    path = tmp_path / f"r.{container}"
    if container == "jsonl.gz":
        path.write_bytes(gzip.compress(b"".join(dirty.line_of(row) + b"\n" for row in rows)))
    else:
        dataforge.convert(write(tmp_path / "first.jsonl", rows), output=path, to="qa")
    dataforge.split(path, output=tmp_path / "o", validation=0.3)
    kind = container if container in ("json", "parquet") else "jsonl"
    found = parts_of(tmp_path / "o", kind)
    assert sorted(found) == ["train", "validation"]
    assert sorted(map(str, [*found["train"], *found["validation"]])) == sorted(map(str, rows))
    dataforge.split(path, output=tmp_path / "o", validation=0.3, container="json", force=True)
    assert parts_of(tmp_path / "o", "json") == found and not list((tmp_path / "o").glob("*.jsonl"))


def test_inputs_of_several_containers_give_lines_and_rows_stay_as_they_stand(tmp_path, small_chunks):
    (tmp_path / "a.jsonl").write_bytes(ODD * 30)
    (tmp_path / "b.json").write_bytes(json.dumps([{"text": str(n)} for n in range(60)], indent=1).encode())
    made = []
    for size in (1 << 20, 60):  # few chunks that are not plain lines, and many of them
        small_chunks(size)
        inputs = [tmp_path / "a.jsonl", tmp_path / "b.json"]
        dataforge.split(inputs, output=tmp_path / "o", validation=0.4, force=True, workers=1)
        made.append([(tmp_path / "o" / f"{name}.jsonl").read_bytes() for name in PARTS[:2]])
        ledger = dirty.ledger_of(tmp_path / "o.forge")
        assert [row["line"] for row in ledger[:4]] == [1, 3, 5, 6]
    assert made[0] == made[1]
    rows = b"".join(made[0]).splitlines()
    assert len(rows) == 150 and rows.count(b'{"text": "b", "n": 12345678901234567890123}') == 30


def test_a_limit_splits_the_first_rows(tmp_path):
    documents(tmp_path / "r.jsonl", 100)
    assert dataforge.split(tmp_path / "r.jsonl", output=tmp_path / "o", validation=5, limit=40).counts.rows_out == 40
    assert len(parts_of(tmp_path / "o")["validation"]) == 5


def test_an_amount_is_met_exactly_where_rows_are_single(tmp_path):
    documents(tmp_path / "r.jsonl", 300)
    result = dataforge.split(tmp_path / "r.jsonl", output=tmp_path / "o", validation=50, test=17)
    assert {name: len(rows) for name, rows in parts_of(tmp_path / "o").items()} == {
        "train": 233, "validation": 50, "test": 17,
    }  # fmt: skip
    manifest = json.loads((tmp_path / "o/split.json").read_text(encoding="utf-8"))
    assert [(file["name"], file["rows"]) for file in manifest["files"]] == [
        ("train.jsonl", 233), ("validation.jsonl", 50), ("test.jsonl", 17),
    ]  # fmt: skip
    assert manifest["parts"] == result.report["split"]["parts"]
    assert manifest["parts"]["test"] == {"rows": 17, "groups": 17, "chars": manifest["parts"]["test"]["chars"],
                                         "share": round(17 / 300, 6)}  # fmt: skip
    schema = Path(__file__).resolve().parents[2] / "schemas" / "manifest.schema.json"
    jsonschema.validate(dirty.manifest_of(tmp_path / "o.forge"), json.loads(schema.read_bytes()))
    chars = sum(len(row["text"]) for row in parts_of(tmp_path / "o")["test"])
    assert manifest["parts"]["test"]["chars"] == chars


def test_a_group_larger_than_its_share_is_said(tmp_path):
    rows = [{"prompt": "常见", "completion": f"a {n}", "label": True} for n in range(60)]
    rows += [{"prompt": f"rare {n}", "completion": "b", "label": False} for n in range(40)]
    write(tmp_path / "r.jsonl", rows)
    result = dataforge.split(tmp_path / "r.jsonl", output=tmp_path / "o", validation=10)
    assert result.report["split"]["largest_group"] == {"rows": 60, "part": "train", "first": 0}
    assert result.report["split"]["warnings"] == [
        "the largest group holds 60 of 100 rows, more than validation is to hold (10); it stays whole, in train"
    ]
    assert len(parts_of(tmp_path / "o")["validation"]) == 10
    result = dataforge.split(tmp_path / "r.jsonl", output=tmp_path / "o", validation=55, force=True)
    assert (
        result.report["split"]["parts"]["validation"]["rows"] == 40
    )  # the group of 60 would go further beyond 55 than is missing


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"validation": 10}, "ask for 10 rows, 10 are there"),
        ({"validation": 6, "test": 0.4}, "ask for 10 rows, 10 are there"),
        ({"validation": 0.0001}, "no group goes to validation: it is to hold about 0 of 10 rows, in 10 groups of 1"),
        ({"validation": 2, "group_by": "same"}, "no group goes to validation: .* in 1 groups of 10"),
        ({"validation": 0.99999, "seed": 3}, "nothing is left for train"),
    ],
)
def test_a_part_without_rows_is_no_split(options, message, tmp_path):
    write(tmp_path / "r.jsonl", [{"text": f"{n}", "same": 1} for n in range(10)])
    with pytest.raises(DataError, match=message):
        dataforge.split(tmp_path / "r.jsonl", output=tmp_path / "o", **options)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["r.jsonl"]


@pytest.mark.parametrize(
    "options",
    [
        {"validation": 1.5},
        {"validation": 0.6, "test": 0.4},
        {"validation": 0},
        {"validation": -0.1},
        {"by": "tokens"},
        {"group_by": ""},
        {"stratify": "column:"},
        {"container": "csv"},
    ],
)
def test_wrong_sizes_and_names_are_refused(options, tmp_path):
    documents(tmp_path / "r.jsonl", 10)
    with pytest.raises(UsageError):
        dataforge.split(tmp_path / "r.jsonl", output=tmp_path / "o", **options)


def test_rows_are_grouped_by_a_column_a_nested_one_or_one_of_a_taken_name(tmp_path):
    rows = [{"text": f"{n}", "meta": {"书": n % 7}, "prompt": n % 5, "a.b": n % 3} for n in range(70)]
    write(tmp_path / "r.jsonl", rows)
    for column, read in (
        ("meta.书", lambda row: row["meta"]["书"]),
        ("column:prompt", lambda row: row["prompt"]),
        ("a.b", lambda row: row["a.b"]),
        ("meta", lambda row: str(row["meta"])),
    ):
        dataforge.split(tmp_path / "r.jsonl", output=tmp_path / "o", validation=25, group_by=column, force=True)
        found = {name: {read(row) for row in rows} for name, rows in parts_of(tmp_path / "o").items()}
        assert found["train"] and found["validation"] and not found["train"] & found["validation"]


def test_rows_without_their_column_are_errors(tmp_path):
    write(tmp_path / "r.jsonl", [{"text": f"{n}", "topic": None if n == 2 else n} for n in range(9)])
    with pytest.raises(RowError, match="the column 'topic' that rows are grouped by is null") as caught:
        dataforge.split(tmp_path / "r.jsonl", output=tmp_path / "o", validation=2, group_by="topic")
    assert caught.value.place.endswith("r.jsonl:3")
    with pytest.raises(RowError, match="is not there") as caught:
        dataforge.split(tmp_path / "r.jsonl", output=tmp_path / "o", validation=2, group_by="topci")
    assert "did you mean 'topic'" in caught.value.help
    with pytest.raises(DataError, match="no readable row") as problem:
        dataforge.split(tmp_path / "r.jsonl", output=tmp_path / "o", group_by="topci", on_error="reject")
    assert "'topci' that rows are grouped by is not there" in problem.value.help
    options = {"validation": 2, "group_by": "topic", "on_error": "reject"}
    result = dataforge.split(tmp_path / "r.jsonl", output=tmp_path / "o", **options)
    assert result.exit_code == 1 and result.counts.errors == 1 and result.counts.rows_out == 8
    ledger = dirty.audit(tmp_path / "o", {"r.jsonl": (tmp_path / "r.jsonl").read_bytes()})
    assert [ledger[2][name] for name in ("part", "position", "group", "n_out")] == [None, None, None, 0]


def test_turns_of_one_conversation_stay_together_by_its_opening(tmp_path):
    rows = []
    for number in range(40):
        talk = [
            said("user", f"问题 {number}"),
            said("assistant", "第一"),
            said("user", "more"),
            said("assistant", "二"),
        ]
        rows += [{"messages": talk[:2], "n": number}, {"messages": talk, "n": number}]
    write(tmp_path / "r.jsonl", rows)
    shared = {}
    for group_by in ("prompt", "opening"):
        dataforge.split(tmp_path / "r.jsonl", output=tmp_path / "o", validation=0.4, group_by=group_by, force=True)
        sides = [{row["n"] for row in rows} for rows in parts_of(tmp_path / "o").values()]
        shared[group_by] = sides[0] & sides[1]
    assert shared["prompt"] and not shared["opening"]


def test_without_groups_equal_rows_alone_stay_together(tmp_path):
    rows = [{"question": "同一个问题", "answer": f"{n % 30}"} for n in range(60)]
    write(tmp_path / "r.jsonl", rows)
    result = dataforge.split(tmp_path / "r.jsonl", output=tmp_path / "o", validation=10, group_by="none")
    assert result.report["split"]["groups"] == 30
    found = [{row["answer"] for row in rows} for rows in parts_of(tmp_path / "o").values()]
    assert len(found[1]) == 5 and not found[0] & found[1]


@pytest.mark.parametrize("stratify", ["lang", "dialect", "source", "kind"])
def test_strata_keep_their_shares(stratify, tmp_path):
    english = [{"text": f"A long sentence about green tea and how it grows in the hills, number {n}.", "kind": 1}
               for n in range(100)]  # fmt: skip
    chinese = [
        {"question": f"绿茶是怎样在山坡上生长的，第{n}种说法？", "answer": "不知道。", "kind": "二"} for n in range(300)
    ]
    write(tmp_path / "en.jsonl", english)
    write(tmp_path / "zh.jsonl", chinese)
    result = dataforge.split(
        [tmp_path / "en.jsonl", tmp_path / "zh.jsonl"],
        output=tmp_path / "o",
        validation=0.1,
        test=40,
        stratify=stratify,
    )
    strata = result.report["split"]["strata"]
    assert list(strata.values()) == [
        {"train": 240, "validation": 30, "test": 30},
        {"train": 80, "validation": 10, "test": 10},
    ]
    names = {"lang": ["zh", "en"], "dialect": ["qa", "text"], "source": ["zh.jsonl", "en.jsonl"], "kind": ["二", "1"]}
    assert list(strata) == names[stratify]
    found = parts_of(tmp_path / "o")
    assert [sum("question" in row for row in found[name]) for name in PARTS] == [240, 30, 30]


def test_a_column_that_tells_all_rows_apart_is_no_stratum(tmp_path, monkeypatch):
    monkeypatch.setattr("dataforge.ops.split.MOST_STRATA", 5)
    write(tmp_path / "r.jsonl", [{"text": f"{n}", "id": n} for n in range(6)] + [{"text": "x"}])
    with pytest.raises(DataError, match="tells 7 strata apart"):
        dataforge.split(tmp_path / "r.jsonl", output=tmp_path / "o", validation=2, stratify="id")


def test_characters_are_those_of_the_text_of_rows(tmp_path):
    documents(tmp_path / "r.jsonl", 400, "茶" * 20 + "{:04d}")
    result = dataforge.split(tmp_path / "r.jsonl", output=tmp_path / "o", validation=2400, by="chars")
    assert result.report["split"]["unit"] == "chars" and result.report["split"]["parts"]["validation"]["rows"] == 100
    assert "validation 100 rows in 100 groups, 2,400 chars, 25.00% of the chars (2,400 asked for)" in " ".join(
        dataforge.split(
            tmp_path / "r.jsonl", output=tmp_path / "o", validation=2400, by="chars", dry_run=True, force=True
        ).lines
    )


def test_tokens_of_a_pair_are_those_of_its_prompt_with_each_answer(tmp_path):
    texts = [f"brew tea {n} 泡茶" for n in range(40)]
    documents(tmp_path / "d.jsonl", 200)
    dataforge.train_tokenizer(tmp_path / "d.jsonl", output=tmp_path / "tok", vocab_size=300)
    write(tmp_path / "p.jsonl", [{"prompt": t, "chosen": t + " 好", "rejected": t + " no"} for t in texts])
    write(tmp_path / "q.jsonl", [{"question": t, "answer": t + end} for t in texts for end in (" 好", " no")])
    totals = []
    for name in ("p", "q"):
        result = dataforge.split(
            tmp_path / f"{name}.jsonl", output=tmp_path / "o", tokenizer=tmp_path / "tok", dry_run=True, force=True,
            validation=0.3,
        )  # fmt: skip
        assert result.report["split"]["unit"] == "tokens"
        totals.append(sum(part["tokens"] for part in result.report["split"]["parts"].values()))
    assert totals[0] == totals[1] > 40


def test_what_stands_there_is_never_lost(tmp_path, monkeypatch):
    documents(tmp_path / "r.jsonl", 60)
    dataforge.split(tmp_path / "r.jsonl", output=tmp_path / "o", validation=0.3)
    before = {path.name: path.read_bytes() for path in (tmp_path / "o").iterdir()}
    with pytest.raises(OutputError, match="exists already"):
        dataforge.split(tmp_path / "r.jsonl", output=tmp_path / "o", validation=0.3)
    with pytest.raises(UsageError, match="lies in the output folder"):
        dataforge.split(tmp_path / "o/train.jsonl", output=tmp_path / "o", validation=0.3, force=True)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/notes.txt").write_text("precious", encoding="utf-8")
    with pytest.raises(OutputError, match="holds no split.json"):
        dataforge.split(tmp_path / "r.jsonl", output=tmp_path / "mine", validation=0.3, force=True)

    def interrupted(self, rows):
        raise KeyboardInterrupt

    monkeypatch.setattr(RowFile, "write", interrupted)
    for name, force in (("o", True), ("new", False)):
        with pytest.raises(KeyboardInterrupt):
            dataforge.split(tmp_path / "r.jsonl", output=tmp_path / name, validation=0.4, force=force)
    assert {path.name: path.read_bytes() for path in (tmp_path / "o").iterdir()} == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine", "o", "o.forge", "r.jsonl"]
    assert not (tmp_path / "o.forge/partial").exists()


def test_a_full_disk_is_said_and_leaves_nothing(tmp_path, monkeypatch):
    documents(tmp_path / "r.jsonl", 60)

    def full(self, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("dataforge.io.columnfile.ColumnFile.write", full)
    with pytest.raises(OutputError, match="no space left on the device"):
        dataforge.split(tmp_path / "r.jsonl", output=tmp_path / "o", validation=0.3, container="parquet")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["r.jsonl"]


def test_exit_codes_and_what_is_printed(cli, tmp_path):
    documents(tmp_path / "r.jsonl", 100)
    said_so = cli("split", tmp_path / "r.jsonl", "-o", tmp_path / "o", "--validation", "10")
    assert said_so.code == 0 and said_so.out == b""
    assert "  validation 10 rows in 10 groups, " in said_so.err
    assert "  largest group: 1 rows, in " in said_so.err
    assert "100 rows in, 100 kept; 100 out" in said_so.err and "(train.jsonl, validation.jsonl)" in said_so.err
    assert cli("split", tmp_path / "r.jsonl", "-o", tmp_path / "o").code == 2
    assert cli("split", tmp_path / "r.jsonl", "-o", tmp_path / "p", "--validation", "100").code == 1
    assert cli("split", tmp_path / "r.jsonl").code == 2
    broken = (tmp_path / "r.jsonl").read_bytes() + b'{"text": \n'
    words = ("split", "-", "-o", tmp_path / "q", "--validation", "10", "--on-error", "reject")
    assert cli(*words, stdin=broken).code == 1
    assert len(dirty.rejects_of(tmp_path / "q.forge")) == 1
    report = json.loads(cli("split", tmp_path / "r.jsonl", "-o", tmp_path / "r", "--json").out)
    assert report["split"]["parts"]["train"]["rows"] + report["split"]["parts"]["validation"]["rows"] == 100


@pytest.mark.parametrize("name", ["lf_dpo_en_demo", "lf_dpo_zh_demo", "alpaca_eval__gpt4__annotations"])
def test_real_pairs_are_split_without_a_shared_prompt(name, tmp_path):
    paths = sorted((DATA / "preference").glob(f"{name}.json"))
    if not paths:
        pytest.skip("no real data here; DATAFORGE_DATA names its folder")
    dataforge.split(paths, output=tmp_path / "o", validation=0.2, test=30)
    found = parts_of(tmp_path / "o", "json")
    rows = json.loads(paths[0].read_bytes())
    assert sorted(map(str, rows)) == sorted(str(row) for part in found.values() for row in part)
    prompts = [{str(row.get("conversations") or row["instruction"]) for row in part} for part in found.values()]
    assert len(prompts) == 3 and not prompts[0] & prompts[1] and not (prompts[0] | prompts[1]) & prompts[2]


@pytest.mark.slow
def test_datasets_finds_the_parts_by_their_names(tmp_path):
    from datasets import load_dataset

    documents(tmp_path / "r.jsonl", 50)
    dataforge.split(tmp_path / "r.jsonl", output=tmp_path / "o", validation=10, test=5)
    loaded = load_dataset(str(tmp_path / "o"), cache_dir=str(tmp_path / "cache"))
    assert {name: len(rows) for name, rows in loaded.items()} == {"train": 35, "validation": 10, "test": 5}
