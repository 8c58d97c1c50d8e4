"""decontaminate: planted items are found in every disguise and told apart from innocent rows; oracles know no hash."""

import csv
import json
import tempfile
from pathlib import Path

import dirty
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import dataforge
from dataforge.errors import InputError, RowError, UsageError
from dataforge.ops.decontamination import pieces
from dataforge.ops.decontamination.index import Index, Sizes, build
from dataforge.ops.decontamination.matching import Matcher
from dataforge.ops.decontamination.pieces import Said

EGGS = (
    "Mira's hens lay 23 eggs every single day. She boils five of them for breakfast and bakes a cake with seven more. "
    "The remaining eggs are sold at the village market for 3 coins each. How many coins does she earn in a day?"
)
LAKE = "下列关于青海湖的说法中，哪一项正确地说明了湖水盐度逐年升高的主要原因，以及当地气候在其中所起的作用？"
INNOCENT = [
    "Explain how a hen house should be cleaned in winter, and how many times a week.",
    "The village market opens at six. Farmers sell eggs, flour and apples until noon.",
    "青海湖位于青藏高原东北部，是中国最大的内陆咸水湖，风景优美，游客众多。",
    "请说明怎样煮鸡蛋。",
    "How many coins are there?",
    "",
]


def write(path, rows):
    path.write_bytes(b"".join(dirty.line_of(row) + b"\n" for row in rows))
    return path


def qa(*pairs):
    return [{"question": q, "answer": a} for q, a in pairs]


@pytest.fixture
def found(tmp_path):
    """Decontaminate rows against reference rows: the ledger as a list of dicts (and the result as `found.result`)."""

    def run(rows, items, **options):
        write(tmp_path / "rows.jsonl", rows)
        write(tmp_path / "items.jsonl", items)
        out = tmp_path / "out.jsonl"
        run.result = dataforge.decontaminate(
            tmp_path / "rows.jsonl", output=out, against=[str(tmp_path / "items.jsonl")], force=True, **options
        )
        ledger = dirty.ledger_of(tmp_path / "out.jsonl.forge")
        kept = [dirty.line_of(row) for row, mark in zip(rows, ledger, strict=True) if mark["fate"] == "kept"]
        assert out.read_bytes() == b"".join(line + b"\n" for line in kept)
        return ledger

    return run


def fates(ledger):
    return [row["rule"].removeprefix("contaminated:") if row["fate"] == "dropped" else "" for row in ledger]


# What is found


@pytest.mark.parametrize("item", [EGGS, LAKE])
@pytest.mark.parametrize(
    "row",
    [
        lambda item: {"question": item, "answer": "x"},
        lambda item: {"instruction": "Solve this.", "input": item, "output": "y"},
        lambda item: {"conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Ask! " + item}]},
        lambda item: {"messages": [{"role": "user", "content": item}]},
        lambda item: {"text": f"A page of a forum.\n\n> {item}\n\n好的，谢谢。"},
        lambda item: {"prompt": "Which?", "chosen": "none", "rejected": item},
    ],
)
def test_an_item_is_found_in_rows_of_any_dialect(found, item, row):
    ledger = found([row(item), *qa(*((text, "x") for text in INNOCENT))], qa((item, "41")))
    assert fates(ledger) == ["exact"] + [""] * len(INNOCENT)
    assert (ledger[0]["keeper_source"], ledger[0]["keeper_ordinal"], ledger[0]["coverage"]) == ("items.jsonl", 0, 1.0)


@pytest.mark.parametrize(
    "disguised",
    [
        EGGS.upper(),
        EGGS.replace(". ", " —\n\n• "),
        EGGS.replace(" ", "\u3000"),
        EGGS.translate({code: code + 0xFEE0 for code in range(0x30, 0x7B)}),
        LAKE.replace("，", ",").replace("？", "?"),
        LAKE.replace("，", "\n，  "),
        " ".join(LAKE),
    ],
)
def test_case_width_punctuation_and_spacing_do_not_hide_an_item(found, disguised):
    assert fates(found(qa((disguised, "x")), qa((EGGS, "60"), (LAKE, "丙")))) == ["exact"]


def test_an_item_is_found_across_turns_and_in_the_other_order_of_its_sentences(found):
    first, second, third, last = EGGS.split(". ")[0], EGGS.split(". ")[1], EGGS.split(". ")[2], EGGS.split("each. ")[1]
    turns = [{"role": "user", "content": part} for part in (first + ".", second + ".", third + ".")]
    rows = [{"messages": [{"role": "user", "content": EGGS[:60]}, {"role": "user", "content": EGGS[60:]}]}]
    rows += [{"messages": turns}, *qa((f"{last} {third}. {first}. {second}.", "x"))]
    assert fates(found(rows, qa((EGGS, "60")))) == ["exact", "ngram", "ngram"]


def test_a_part_of_an_item_counts_by_its_coverage(found):
    words, chars = EGGS.split(), LAKE
    rows = []
    for tenths in range(1, 11):
        rows += qa((" ".join(words[: len(words) * tenths // 10]), "x"), (chars[: len(chars) * tenths // 10], "x"))
    for threshold in (0.3, 0.5, 0.75):
        ledger = found(rows, qa((EGGS, "60"), (LAKE, "丙")), threshold=threshold, method=["ngram"], evidence=1)
        for number, row in enumerate(ledger):
            tenths = number // 2 + 1
            assert (row["fate"] == "dropped") == ((row["coverage"] or 0) >= threshold), row
            if tenths >= 4:
                assert abs(row["coverage"] - tenths / 10) < 0.08, row
    assert [row["keeper_ordinal"] for row in ledger[10:]] == [0, 1] * 5


def test_half_of_a_short_item_is_a_phrase_and_no_evidence(found):
    item = "Describe the advantages of a compact electric car for families"
    row = "Describe the advantages of a compact camera for travel photography in the mountains"
    assert fates(found(qa((row, "x")), qa((item, "x")))) == [""]
    assert fates(found(qa((row, "x")), qa((item, "x")), evidence=5)) == ["ngram"]
    assert fates(found(qa(("写一篇关于人工智能与教育的短文", "x")), qa(("写一篇关于人工智能的诗歌", "x")))) == [""]


def test_rewordings_are_found_by_minhash_alone(found):
    reworded = EGGS
    changes = (("single ", ""), ("five", "six"), ("cake", "pie"), ("remaining", "other"), ("village", "town"))
    for old, new in (*changes, ("coins does", "dollars does")):
        reworded = reworded.replace(old, new)
    rows = qa((reworded, "x"))
    assert fates(found(rows, qa((EGGS, "60")), method=["exact"])) == [""]
    assert fates(found(rows, qa((EGGS, "60")), method=["exact", "ngram"], ngram=8)) == [""]
    (row,) = found(rows, qa((EGGS, "60")), method=["minhash"])
    assert fates([row]) == ["minhash"]
    own, other = shingles(EGGS), shingles(reworded)
    assert abs(row["containment"] - len(own & other) / len(own)) < 1e-6


def shingles(text):
    words = "".join(c if c.isalnum() else " " for c in text.lower()).split()
    return {tuple(words[k : k + 3]) for k in range(len(words) - 2)}


def test_shingles_scattered_over_a_long_row_contain_nothing(found):
    words = EGGS.split()
    filler = " ".join(f"w{n}" for n in range(400))
    scattered = f" {filler} ".join(" ".join(words[k : k + 3]) for k in range(0, len(words) - 2, 2))
    assert fates(found([{"text": scattered}], qa((EGGS, "60")), method=["minhash"], containment=0.3)) == [""]


# What is not found


def test_short_items_count_only_where_a_turn_is_exactly_them(found):
    items = qa(("你好", "x"), ("2+2?", "4"), ("Yes.", "x"), ("？！", "x"), ("", ""), ("Name a fruit", "x"))
    rows = qa(("你好！", "a"), ("你好，请问怎么走？", "b"), ("2 + 2", "c"), ("What is 2+2?", "d"), ("yes", "e"))
    rows += qa(
        ("Is it? Yes.", "Yes."), ("", ""), ("...", "?"), ("Name a fruit that is red", "x"), ("NAME A FRUIT!", "x")
    )
    rows += [
        {"text": "你好"},
        {"conversations": [{"from": "human", "value": "Well"}, {"from": "gpt", "value": "Yes."}]},
    ]
    ledger = found(rows, items)
    assert fates(ledger) == ["exact", "", "exact", "", "exact", "", "", "", "", "exact", "exact", ""]
    (one,) = found.result.data["against"]
    assert (one["items"], one["only_whole"], one["sought"], one["items_hit"]) == (6, 4, 4, 4)


def test_items_shorter_than_an_ngram_are_sought_whole(found):
    item, zh = "Which planet has rings of ice", "哪颗行星有冰做的光环呢"
    rows = qa((f"Tell me. {item}, and why?", "x"), ("Which planet has rings of rock", "x"), (f"请问{zh}", "x"))
    rows += qa(("哪颗行星有石做的光环呢", "x"))
    assert fates(found(rows, qa((item, "x"), (zh, "x")), ngram=8)) == ["exact", "", "exact", ""]
    assert fates(found(rows, qa((item, "x"), (zh, "x")), ngram=8, method=["ngram"])) == ["ngram", "", "ngram", ""]


TEMPLATE = "Below is a question that somebody asked on the internet. Answer the question as well as you can.\n"
ASKED = [
    f"Where did the {noun} of {place} hide the {thing} when the winter storms arrived that year?"
    for noun, place, thing in zip(
        ["baker", "miller", "singer", "doctor", "tailor", "hunter", "sailor", "weaver", "potter", "writer", "mayor", "cook"],
        ["Lorn", "Vask", "Teld", "Murn", "Orsk", "Pell", "Quar", "Rend", "Sarn", "Tolm", "Ulfa", "Wend"],
        ["flour", "wheel", "harp", "pills", "cloth", "bow", "map", "loom", "clay", "ink", "seal", "pan"],
        strict=True,
    )
]  # fmt: skip


def test_what_many_items_begin_with_is_template_and_weighs_nothing(found):
    items = qa(*((TEMPLATE + question, "x") for question in ASKED))
    rows = qa((TEMPLATE + "How is bread made?", "x"), (TEMPLATE, "x"), (TEMPLATE + ASKED[3], "x"), (ASKED[5], "x"))
    rows += qa((TEMPLATE + "面包是怎么做的？", "x"))
    ledger = found(rows, items, common=5)
    assert fates(ledger) == ["", "", "exact", "ngram", ""]
    assert [ledger[2]["keeper_ordinal"], ledger[3]["keeper_ordinal"]] == [3, 5]
    assert fates(found(rows, items, common=1000, evidence=5)) != fates(ledger)  # the trap is there


def test_a_chinese_template_weighs_nothing(found):
    template = "以下是一道关于中国历史的单项选择题，请仔细阅读题目并直接给出正确答案的选项。\n"
    items = qa(*((template + f"{name}朝的开国皇帝在位多少年，年号是什么？", "x") for name in "秦汉晋隋唐宋元明清梁陈"))
    rows = qa(
        (template + "面包是怎么做的，需要多少时间？", "x"), (template + "唐朝的开国皇帝在位多少年，年号是什么？", "x")
    )
    assert fates(found(rows, items, common=5)) == ["", "exact"]


def test_one_prompt_with_many_answers_is_no_template(found):
    items = qa(*((EGGS, f"Perhaps {n}.") for n in range(30)))
    assert fates(found(qa((EGGS[:150], "x"), (INNOCENT[0], "x")), items, common=3)) == ["ngram", ""]
    assert found.result.data["against"][0]["items_hit"] == 30


# What of an item is compared


def test_fields_choose_what_of_an_item_counts(found):
    answer = (
        "She has 23 - 5 - 7 = 11 eggs left, and earns 11 * 3 = 33 coins by selling every one of them at the market."
    )
    items = qa((EGGS, answer))
    rows = qa((EGGS, "x"), ("Solve it", answer), (f"{EGGS}\n{answer}", "x"), (INNOCENT[0], INNOCENT[1]))
    expected = {
        "prompt": ["exact", "", "exact", ""],
        "answer": ["", "exact", "exact", ""],
        "either": ["exact", "exact", "exact", ""],
        "all": ["ngram", "", "exact", ""],
    }
    for fields, wanted in expected.items():
        assert fates(found(rows, items, fields=fields)) == wanted, fields
    found(rows, items)
    assert "its answer 1.00" in dirty.ledger_of(Path(found.result.output + ".forge"))[2]["detail"]


def test_short_answers_are_no_evidence(found):
    assert fates(found(qa(("Is it?", "Yes."), ("a", "Yes.")), qa(("Really?", "Yes.")), fields="either")) == ["", ""]


CODE = 'def longest_word(words: list[str]) -> str:\n    """Return the longest of the words, the first of equals."""\n'
SOLUTION = (
    "    best = words[0]\n    for word in words[1:]:\n        if len(word) > len(best):\n            best = word\n"
)


@pytest.mark.parametrize(
    ("item", "way", "asked"),
    [
        ({"task_id": 1, "prompt": CODE, "canonical_solution": SOLUTION}, "prompt, canonical_solution", CODE),
        ({"question": EGGS, "choices": ["1", "2"], "answer": 1}, "question, choices", EGGS),
        ({"Question": LAKE, "A": "甲", "B": "乙", "Answer": "A"}, "Question, A, B, Answer", LAKE),
        ({"goal": EGGS, "sol1": "a", "sol2": "b", "label": 0}, "goal", EGGS),
        ({"ctx": EGGS, "note": 7}, "all texts: ctx", EGGS),
        ({"text": EGGS}, "document", EGGS),
        ({"题目": LAKE, "解析": "略"}, "题目, 解析", LAKE),
        ({"instruction": "Solve.", "input": EGGS, "output": "60"}, "prompt and answer", "Solve. " + EGGS),
    ],
)
def test_items_are_read_from_any_columns_and_it_is_said_which(found, item, way, asked):
    assert fates(found(qa((asked, "x"), (INNOCENT[1], "y")), [item])) == ["exact", ""]
    assert list(found.result.data["against"][0]["read_as"]) == [way]


def test_a_short_question_is_compared_with_its_options_or_as_a_whole_turn(tmp_path):
    with open(tmp_path / "exam.csv", "w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["", "Question", "A", "B", "C", "D", "Answer"])
        table.writerow([0, "产蛋最多的是", "高邮鸭", "北京鸭", "樱桃谷鸭", "绍兴麻鸭", "D"])
    options = "A. 高邮鸭\nB. 北京鸭\nC. 樱桃谷鸭\nD. 绍兴麻鸭"
    rows = qa((f"请回答：产蛋最多的是\n{options}\n", "D"), ("产蛋最多的是？", "D"), ("产蛋最多的是谁家的鸡", "我家"))
    rows += qa(("产蛋最多的是\nA. 甲鸡\nB. 乙鸡\nC. 丙鸡\nD. 丁鸡", "A"))
    write(tmp_path / "rows.jsonl", rows)
    dataforge.decontaminate(tmp_path / "rows.jsonl", output=tmp_path / "o.jsonl", against=[str(tmp_path / "exam.csv")])
    assert fates(dirty.ledger_of(tmp_path / "o.jsonl.forge")) == ["exact", "exact", "", ""]


# What it leaves behind, and what it refuses


def test_the_evidence_stands_in_the_ledger_also_of_rows_that_nearly_count(found):
    half = " ".join(EGGS.split()[:18])
    gone, near, far = found(
        qa((f"Well: {EGGS}", "x"), (half, "x"), ("No.", "x")), qa(("Why?", "x"), (EGGS, "sixty coins"))
    )
    assert gone["detail"].startswith("items.jsonl:2 prompt, coverage 1.00, containment 1.00, its answer 0.00: ")
    assert "Mira's hens lay 23 eggs" in gone["detail"]
    assert near["fate"] == "kept" and 0.3 < near["coverage"] < 0.5 and "items.jsonl:2" in near["detail"]
    assert (far["detail"], far["coverage"], far["keeper_source"]) == (None, None, None)
    data = found.result.data
    assert data["examples"][0]["place"].endswith("rows.jsonl:1") and data["against"][0]["rows_removed"] == 1
    assert data["coverage"]["1.0"] == 1 and sum(data["coverage"].values()) == 2


def test_every_row_has_one_fate_and_dropped_rows_can_be_kept(tmp_path):
    lines = [dirty.line_of(row) for row in qa((EGGS, "x"), ("Hi", "x"))] + [b"[]", dirty.line_of({"text": LAKE})]
    (tmp_path / "rows.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    write(tmp_path / "items.jsonl", qa((EGGS, "x"), (LAKE, "y")))
    out = tmp_path / "o.jsonl"
    options = {"against": [str(tmp_path / "items.jsonl")], "force": True}
    with pytest.raises(RowError):
        dataforge.decontaminate(tmp_path / "rows.jsonl", output=out, **options)
    for keep in (False, True):
        result = dataforge.decontaminate(
            tmp_path / "rows.jsonl", output=out, on_error="reject", keep_dropped=keep, **options
        )
        assert (result.counts.kept, result.counts.dropped, result.counts.errors) == (1, 2, 1)
        assert [row["line"] for row in dirty.rejects_of(dirty.out_of(out))] == ([1, 3, 4] if keep else [3])
        assert out.read_bytes() == lines[1] + b"\n"


@settings(max_examples=25, deadline=None)
@given(dirty.FILES, st.lists(dirty.GOOD, max_size=4))
def test_any_input_is_accounted_for(data, items):
    if not dirty.rows_of(data) or data.strip() == b"[]":
        return
    with tempfile.TemporaryDirectory() as folder:
        place, out = Path(folder, "0.jsonl"), Path(folder, "out.jsonl")
        place.write_bytes(data)
        write(Path(folder, "items.jsonl"), [*items, *qa((EGGS, "x"), ("Hi", "x"), ("为什么", "x"))])
        dataforge.decontaminate(
            place, output=out, against=[str(Path(folder, "items.jsonl"))], on_error="reject", workers=1
        )
        ledger = dirty.audit(out, {"0.jsonl": data})
        raws = [raw for _, raw in dirty.rows_of(data)]
        kept = [raw for raw, row in zip(raws, ledger, strict=True) if row["fate"] == "kept"]
        assert out.read_bytes() == b"".join(raw + b"\n" for raw in kept)


def test_lone_surrogates_neither_hide_an_item_nor_break_the_evidence(tmp_path):
    halves = EGGS.replace("five", "five \ud83d")
    rows = qa((f"\ud83d {EGGS} \ude00", "x"), (halves, "x"), ("\ud83d", "x"))
    (tmp_path / "rows.jsonl").write_bytes(b"".join(dirty.line_of(row, ascii=True) + b"\n" for row in rows))
    items = write(tmp_path / "items.jsonl", qa((EGGS, "60")))
    dataforge.decontaminate(tmp_path / "rows.jsonl", output=tmp_path / "o.jsonl", against=[str(items)])
    ledger = dirty.ledger_of(tmp_path / "o.jsonl.forge")
    assert fates(ledger) == ["exact", "ngram", ""]
    assert "bakes a cake" in ledger[1]["detail"]


def test_a_dry_run_writes_nothing_and_its_exit_code_says_what_it_found(tmp_path, cli):
    write(tmp_path / "rows.jsonl", qa((EGGS, "x"), ("Hi", "x")))
    write(tmp_path / "items.jsonl", qa((EGGS, "x")))
    write(tmp_path / "others.jsonl", qa((LAKE, "x")))
    before = sorted(path.name for path in tmp_path.iterdir())
    for name, code in (("items", 1), ("others", 0)):
        said = cli("decontaminate", tmp_path / "rows.jsonl", "--against", tmp_path / f"{name}.jsonl", "--dry-run")
        assert (said.code, said.out) == (code, b""), said.err
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    said = cli("decontaminate", tmp_path / "rows.jsonl", "--against", tmp_path / "items.jsonl")
    assert (said.code, said.out) == (0, dirty.line_of(qa(("Hi", "x"))[0]) + b"\n")
    assert "contaminated:exact" in said.err and "1 found in 1 rows" in said.err


def test_faulty_rows_of_a_reference_stop_or_are_counted(found):
    items = [*qa((EGGS, "x")), {"n": 5}]
    with pytest.raises(RowError, match="no dialect has these keys") as caught:
        found(qa((EGGS, "x")), items)
    assert caught.value.place.endswith("items.jsonl:2")
    assert fates(found(qa((EGGS, "x")), items, on_error="reject")) == ["exact"]
    assert found.result.data["against"][0]["faulty"] == 1


def test_wrong_uses_are_refused(tmp_path):
    rows = write(tmp_path / "rows.jsonl", qa((EGGS, "x")))
    items = write(tmp_path / "items.jsonl", qa((EGGS, "x")))
    (tmp_path / "link.jsonl").symlink_to(rows)

    def run(against, output="o.jsonl", **options):
        dataforge.decontaminate(rows, output=tmp_path / output, against=[str(place) for place in against], **options)

    with pytest.raises(InputError, match="is also in --against"):
        run([tmp_path / "link.jsonl"])
    with pytest.raises(InputError, match="is also in --against"):
        run([tmp_path])
    with pytest.raises(InputError, match="is also the output"):
        run([items], "items.jsonl", force=True)
    with pytest.raises(InputError, match="no such file"):
        run([tmp_path / "missing.jsonl"])
    with pytest.raises(UsageError, match="--shortest 9 is longer than --ngram 5"):
        run([items], shortest=9)
    with pytest.raises(UsageError, match="which csv may not hold"):
        run([items], "o.csv")
    (tmp_path / "blank.jsonl").write_bytes(b"\n")
    with pytest.raises(InputError, match="holds no items"):
        run([tmp_path / "blank.jsonl"])
    with pytest.raises(UsageError, match="standard input"):
        dataforge.decontaminate("-", output=tmp_path / "o.jsonl", against=["-"])


def test_references_of_which_nothing_can_be_compared_remove_nothing(found):
    rows = qa(("?", "!"), ("", ""), (EGGS, "x"))
    assert fates(found(rows, qa(("...", "?"), ("", "")))) == ["", "", ""]
    assert found.result.data["against"][0]["sought"] == 0


def test_workers_chunks_and_containers_do_not_change_what_is_found(tmp_path, small_chunks):
    rows = [row for k in range(40) for row in qa((INNOCENT[k % 6] + f" {k}", "x"), (EGGS if k % 5 else LAKE, str(k)))]
    items = write(tmp_path / "items.jsonl", qa((EGGS, "x"), (LAKE, "y")))
    write(tmp_path / "a.jsonl", rows)
    (tmp_path / "a.json").write_text(json.dumps(rows, ensure_ascii=False, indent=1), encoding="utf-8")

    def run(source, workers):
        out = tmp_path / f"{source}-{workers}.jsonl"
        dataforge.decontaminate(tmp_path / source, output=out, against=[str(items)], workers=workers)
        ledger = pl.read_parquet(out.with_name(out.name + ".forge") / "ledger.parquet").drop("source", "line")
        return [json.loads(line) for line in out.read_bytes().splitlines()], ledger.rows()

    expected = run("a.jsonl", 1)
    assert len(expected[0]) == 40
    small_chunks(500)
    assert run("a.jsonl", 2) == expected
    assert run("a.json", 1) == expected


def test_the_manifest_says_what_it_was_compared_with_and_no_places(found, tmp_path):
    found(qa((EGGS, "x")), qa((EGGS, "x")))
    text = (tmp_path / "out.jsonl.forge" / "manifest.json").read_text()
    manifest = json.loads(text)
    assert manifest["against"][0]["name"] == "items.jsonl" and manifest["against"][0]["hash"].startswith("xxh3-128:")
    assert str(tmp_path) not in text and tempfile.gettempdir() + "/dataforge" not in text


def test_a_text_in_pieces_gives_what_it_gives_whole(monkeypatch):
    index, _ = build([EGGS, LAKE], np.ones(2, bool), Sizes())
    filler = " ".join(f"word{n % 97}" for n in range(900))
    for gap in range(0, 260, 20):
        text = filler[: 700 + gap] + " " + EGGS + " " + LAKE + filler
        whole = Matcher(index, 0.5).score([Said(["a"], [0], 1), Said([text], [0], 1), Said(["b", "c"], [0], 1)])
        with monkeypatch.context() as patch:
            patch.setattr(pieces, "PIECE", 1000)
            patch.setattr(pieces, "OVERLAP", 400)
            cut = Matcher(index, 0.5).score([Said(["a"], [0], 1), Said([text], [0], 1), Said(["b", "c"], [0], 1)])
        for one in (whole, cut):
            assert (one.row.tolist(), one.part.tolist()) == ([1, 1], [0, 1])
            assert one.exact.tolist() == [True, True] and one.containment.tolist() == [1.0, 1.0]
            assert one.text(0, 1000).startswith("Mira's hens") and one.text(1).endswith("所起的作用")


# Oracles

WORDS = ["red", "blue", "Tea", "茶", "水", "山", "+", "7", "go"]
WEIGHT = {"茶": 1, "水": 1, "山": 1, "+": 1}
TERMS = st.lists(st.sampled_from(WORDS), min_size=1, max_size=24)


def weigh(terms):
    return sum(WEIGHT.get(term, 2) for term in terms)


def grams(terms, size):
    """(begin, end) of each run that weighs at least `size` and would not without its last term."""
    for begin in range(len(terms)):
        for end in range(begin + 1, len(terms) + 1):
            if weigh(terms[begin:end]) >= size:
                yield begin, end
                break


def stands_in(run, terms):
    return any(terms[k : k + len(run)] == run for k in range(len(terms) - len(run) + 1))


@settings(max_examples=50, deadline=None)
@given(st.lists(TERMS, min_size=1, max_size=5), st.sampled_from([6, 8]), st.data())
def test_coverage_and_exactness_agree_with_lists_of_words(items, size, data):
    cut = st.sampled_from(items).flatmap(
        lambda item: st.tuples(st.integers(0, len(item)), st.integers(0, len(item))).map(
            lambda ends: item[min(ends) : max(ends)]
        )
    )
    row = sum(data.draw(st.lists(st.one_of(TERMS, cut), min_size=1, max_size=4)), [])
    items = [list(item) for item in dict.fromkeys(map(tuple, items))]
    index, part_of = build([" ".join(item) for item in items], np.ones(len(items), bool), Sizes(size, 6, 4, 1000))
    with tempfile.TemporaryDirectory() as folder:
        index.save(folder)
        hits = Matcher(Index.load(folder), None).score([Said([" ".join(row)], [0], 1)])
    known = {int(part): k for k, part in enumerate(hits.part)}
    for number, item in enumerate(items):
        covered = set()
        for begin, end in grams(item, size):
            if stands_in(item[begin:end], row):
                covered |= set(range(begin, end))
        whole = stands_in(item, row) if weigh(item) >= 6 else item == row
        coverage = 1.0 if whole else weigh([item[k] for k in covered]) / weigh(item)
        k = known.get(int(part_of[number]))
        assert (k is not None) == (coverage > 0), (item, row)
        if k is not None:
            assert (hits.coverage[k], hits.exact[k]) == (pytest.approx(coverage), whole), (item, row)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from(WORDS + [f"n{k}" for k in range(60)]), min_size=30, max_size=80), st.data())
def test_containment_agrees_with_sets_of_shingles(item, data):
    row = list(item)
    for place in data.draw(st.lists(st.integers(0, len(item) - 1), max_size=4)):
        row[place] = "other"
    index, _ = build([" ".join(item)], np.ones(1, bool), Sizes(16, 10, 6, 1000))
    hits = Matcher(index, 0.3).score([Said([" ".join(row)], [0], 1)])
    own = {tuple(item[begin:end]) for begin, end in grams(item, 6)}
    other = {tuple(row[begin:end]) for begin, end in grams(row, 6)}
    share = len(own & other) / len(own)
    if len(own) >= 12 and share >= 0.6:
        assert hits.containment[0] == pytest.approx(share)
    elif len(hits.row):
        assert hits.containment[0] in (0, pytest.approx(share))
