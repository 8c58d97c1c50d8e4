"""novelty: verdicts against rouge_score, ties in whole numbers, the nearest member against all pairs, both languages."""

import json
import os
import random
import re
from fractions import Fraction
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer

from dataforge.errors import UsageError
from dataforge.generate import novelty
from dataforge.generate.nearest.pool import Pool
from dataforge.generate.nearest.terms import read_terms, unspaced_share
from dataforge.generate.novelty import NoveltyFilter, chinese_threshold

DATA = Path(os.environ.get("DATAFORGE_DATA") or Path(__file__).resolve().parents[3] / "shared" / "data")
SCORER = RougeScorer(["rougeL"], use_stemmer=False)
PIECES = [
    *(
        "write a poem about",
        "the history of tea",
        "in three sentences",
        "Explain",
        "how to",
        "sort a list",
        "in Python",
    ),
    *(
        "the",
        "the the",
        "a",
        "of a",
        "café",
        "déjà vu",
        "don't",
        "3.14",
        "C++",
        "(2024)",
        "...",
        "Translate it:",
        "_x_",
    ),
]
ZH_PIECES = [
    *(
        "写一首关于",
        "茶叶的诗",
        "请解释",
        "什么是",
        "人工智能",
        "用Python",
        "排序",
        "的",
        "的的",
        "，",
        "。",
        "三句话",
        "2024年",
    ),
    *("Ａ", "が", "解释一下", "列表", "café"),
]
TEXTS = st.lists(st.sampled_from(PIECES), max_size=8).map(" ".join)
ANY_TEXTS = st.one_of(
    TEXTS, st.lists(st.sampled_from(ZH_PIECES + PIECES), max_size=8).map("".join), st.text(max_size=12)
)


def plain_lcs(a, b):
    """The length of the longest common subsequence, by the table of the textbook."""
    row = [0] * (len(b) + 1)
    for x in a:
        before = 0
        for j, y in enumerate(b, 1):
            above = row[j]
            row[j] = before + 1 if x == y else max(above, row[j - 1])
            before = above
    return row[-1]


def nearest_of_all(terms, pool):
    """(F as a fraction, index) of the nearest of all members, by comparing every pair; (0, None) if none has a term."""
    best = (Fraction(0), None)
    for index, member in enumerate(pool):
        lcs = plain_lcs(terms, member)
        f = Fraction(2 * lcs, len(terms) + len(member)) if lcs else Fraction(0)
        if f > best[0]:
            best = (f, index)
    return best


@cache
def score(text, member):
    return SCORER.score(text, member)["rougeL"].fmeasure


def reference_walk(texts, threshold):
    """[(kept, score, nearest)] as Self-Instruct decides, with rouge_score itself."""
    pool, said = [], []
    for text in texts:
        scores = [score(text, member) for member in pool]
        top = max(scores, default=0.0)
        said.append((not top > threshold, top, pool[scores.index(top)] if top > 0 else None))
        if said[-1][0]:
            pool.append(text)
    return said


@settings(max_examples=50, deadline=None)
@given(st.lists(TEXTS, max_size=12), st.sampled_from([0.3, 0.5, 0.6, 0.7, 0.8, 1.0]))
def test_reference_verdicts_scores_and_neighbours_are_those_of_rouge_score(texts, threshold):
    novel = NoveltyFilter(threshold, "reference", lang="en")
    said = [novel.admit(text) for text in texts]
    assert [(v.kept, v.score, v.nearest) for v in said] == reference_walk(texts, threshold)
    assert len(novel) == len(novel.kept) == sum(v.kept for v in said)


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=40))
def test_reference_terms_are_those_of_rouge_score_wherever_it_can_read(text):
    from rouge_score.tokenize import tokenize

    if not any(unspaced_share([char]) for char in text):
        assert read_terms(text, reference=True) == tokenize(text, None)


@settings(max_examples=50, deadline=None)
@given(st.lists(ANY_TEXTS, max_size=14), st.sampled_from(["exact", "reference"]))
def test_the_nearest_member_is_that_of_comparing_all_pairs(texts, compat):
    novel, pool = NoveltyFilter(1.0, compat), []
    for text in texts:
        terms = read_terms(text, reference=compat == "reference")
        f, index = nearest_of_all(terms, pool)
        verdict = novel.admit(text)
        assert verdict.kept and verdict.score == pytest.approx(float(f), abs=1e-15)
        if compat == "exact":
            assert verdict.nearest_index == index
        assert verdict.nearest == (None if verdict.nearest_index is None else texts[verdict.nearest_index])
        pool.append(terms)


def test_a_large_pool_gives_the_nearest_of_all_pairs_too():
    draw = random.Random(5)
    words = [f"w{int(draw.paretovariate(0.7)) % 400}" for _ in range(3000)]
    texts = [" ".join(draw.choices(words, k=draw.choice([1, 3, 9, 12, 20]))) for _ in range(1200)]
    novel, pool = NoveltyFilter(), [text.split() for text in texts]
    for text in texts:
        novel.add(text)
    for k in range(20):
        text = texts[k] if k % 5 == 0 else " ".join(draw.choices(words, k=draw.choice([2, 8, 15, 80])))
        f, index = nearest_of_all(text.split(), pool)
        verdict = novel.check(text)
        assert (verdict.score, verdict.nearest_index) == (float(f), index)
    assert 0 < novel.compared < 20 * len(pool) / 4  # most pairs are ruled out by their bounds
    assert len(novel) == len(texts) and novel.kept == []


def test_ties_at_the_threshold_follow_the_floats_of_rouge_score_or_whole_numbers():
    to_40 = range(1, 41)
    ties = [(k, m, n) for k in to_40 for m in to_40 for n in to_40 if k <= min(m, n) and 20 * k == 7 * (m + n)]
    assert len(ties) == 40
    dropped = 0
    for lcs, m, n in ties:
        shared = [f"s{k}" for k in range(lcs)]
        member = " ".join(shared + [f"m{k}" for k in range(n - lcs)])
        candidate = " ".join([f"c{k}" for k in range(m - lcs)] + shared)
        f = SCORER.score(candidate, member)["rougeL"].fmeasure
        for compat, kept in (("reference", not f > 0.7), ("exact", True)):
            novel = NoveltyFilter(0.7, compat)
            novel.add(member)
            verdict = novel.admit(candidate)
            assert verdict.kept is kept, (lcs, m, n, compat)
            assert verdict.score == (f if compat == "reference" else 0.7)
        dropped += f > 0.7
    assert 0 < dropped < len(ties)  # the trap is there, and it is not everywhere


def test_only_more_than_the_threshold_is_dropped():
    for compat in novelty.COMPATS:
        novel = NoveltyFilter(0.5, compat)
        novel.add("a b")
        assert novel.check("b c").kept and novel.check("b c").score == 0.5
        assert not novel.check("a b c").kept and not novel.check("a b c").kept
        assert NoveltyFilter(0.0, compat).admit("a").kept
        strict = NoveltyFilter(0.0, compat)
        strict.add("a b")
        assert not strict.check("b c d").kept and strict.check("d").kept


def test_chinese_is_compared_character_by_character():
    for compat in novelty.COMPATS:
        novel = NoveltyFilter(0.7, compat)
        assert novel.admit("请写一首关于春天的诗").kept
        same = novel.admit("请写一首关于春天的诗。")
        assert (same.kept, same.score, same.nearest, same.nearest_index) == (False, 1.0, "请写一首关于春天的诗", 0)
        near = novel.admit("请写一首关于夏天的诗")
        assert (near.kept, near.score) == (False, 0.9)
        assert novel.admit("解释什么是光合作用").kept
        assert novel.admit("用 Python 写一个排序").kept and novel.admit("用 Python 画一幅画").kept
        assert novel.check("用Ｐｙｔｈｏｎ写一个排序").score == 1.0
        assert novel.kept == [
            "请写一首关于春天的诗",
            "解释什么是光合作用",
            "用 Python 写一个排序",
            "用 Python 画一幅画",
        ]


@pytest.mark.parametrize(
    ("text", "ours", "reference"),
    [
        ("Don't stop_me, COVID-19!", ["don", "t", "stop", "me", "covid", "19"], None),
        ("A café, déjà vu", ["a", "café", "déjà", "vu"], ["a", "caf", "d", "j", "vu"]),
        ("Cafe\u0301", ["café"], ["cafe"]),
        ("Привет, Мир 2024", ["привет", "мир", "2024"], ["2024"]),
        ("हिन्दी भाषा", ["हिन्दी", "भाषा"], []),
        ("한국어 텍스트", ["한국어", "텍스트"], []),
        ("用 Python３写①个", ["用", "python3", "写", "1", "个"], None),
        ("Say 你好 to a café", ["say", "你", "好", "to", "a", "café"], None),
        ("パパﾊﾟ", ["パ", "パ", "パ"], None),
        ("\u212aelvin", ["kelvin"], ["kelvin"]),
        ("，。！ \ud800 ☠\ufe0f", [], []),
        ("", [], None),
    ],
)
def test_what_the_terms_of_a_text_are(text, ours, reference):
    assert read_terms(text) == ours
    assert read_terms(text, reference=True) == (ours if reference is None else reference)


def test_the_threshold_is_that_of_the_characters_where_half_of_the_terms_are_characters():
    novel = NoveltyFilter(0.7)
    assert novel.check("写诗").threshold == novel.check("a b 写诗").threshold == chinese_threshold(0.7)
    assert novel.check("a b c 写诗").threshold == novel.check("").threshold == novel.check("привет").threshold == 0.7
    assert NoveltyFilter(0.7, lang="en").check("写诗").threshold == 0.7
    assert NoveltyFilter(0.7, lang="zh").check("a b").threshold == chinese_threshold(0.7)
    grid = [k / 200 for k in range(201)]
    curve = [chinese_threshold(t) for t in grid]
    assert curve[0] == 0 and curve[-1] == 1 and curve == sorted(set(curve))
    assert all(abs(x - y) <= 0.06 for x, y in zip(grid, curve, strict=True))
    assert [x for x, _ in novelty.CURVE] == sorted({x for x, _ in novelty.CURVE})


@pytest.mark.parametrize("empty", ["", "!!!", "。。", " \n"])
def test_a_text_without_terms_is_near_nothing(empty):
    for compat in novelty.COMPATS:
        novel = NoveltyFilter(0.0, compat)
        for _ in range(2):
            verdict = novel.admit(empty)
            assert (verdict.kept, verdict.score, verdict.nearest, verdict.nearest_index) == (True, 0.0, None, None)
        assert novel.admit("a").kept and not novel.admit("a").kept and len(novel) == 3


def test_a_candidate_that_is_dropped_or_checked_leaves_no_trace():
    draw = random.Random(3)
    texts = [" ".join(draw.choices("abcdefg", k=draw.randint(1, 7))) for _ in range(300)]
    once, busy = NoveltyFilter(0.6), NoveltyFilter(0.6)
    for text in texts:
        for other in draw.sample(texts, 3):
            busy.check(other + " zz " + other)
        assert once.admit(text) == busy.admit(text)
    assert 5 < len(once) < 250 and once.kept == busy.kept
    again = NoveltyFilter(0.6)
    for text in once.kept:
        assert again.admit(text).kept  # what was kept is novel in its own order
    assert not any(again.check(text).kept for text in set(texts) - set(once.kept))


def test_equal_neighbours_give_way_to_the_earliest():
    for compat in novelty.COMPATS:
        novel = NoveltyFilter(1.0, compat)
        for text in ("x y", "a b c d", "d c b a q", "A, b; c d.", "a b c d"):
            novel.add(text)
        assert novel.check("a b c d").nearest_index == 1 and novel.check("c d").nearest == "a b c d"


@pytest.mark.parametrize("length", [1, 63, 64, 65, 128, 200, 700])
def test_common_subsequences_of_long_and_repetitive_texts_are_exact(length):
    draw = random.Random(length)
    for kinds in (1, 2, 40):
        one = [str(draw.randrange(kinds)) for _ in range(length)]
        other = [str(draw.randrange(kinds)) for _ in range(draw.randint(1, 300))]
        for member in (other, one[: length // 2] + one[length // 2 + 1 :] + ["new"]):
            pool = Pool()
            pool.append(member)
            found = pool.nearest(one, exact=True)
            assert (found.lcs if found else 0) == plain_lcs(one, member)


def test_a_carry_passes_through_a_strip_without_a_match():
    fillers = [f"f{k}" for k in range(127)]
    pool = Pool()
    for term in ("x", *fillers):
        pool.append([term])
    assert pool.nearest(["x", *fillers, "x"], exact=True) == (0, 1, 1)


def test_repeated_terms_count_as_often_as_both_have_them():
    novel = NoveltyFilter(1.0)
    for text in ("the " * 500, "the " * 7 + "end", "na " * 3):
        novel.add(text)
    assert novel.check("the " * 500).score == 1.0
    assert novel.check("the " * 9).score == 14 / 17 and novel.check("the " * 9).nearest_index == 1
    assert novel.check("the " * 400).score == 800 / 900
    assert novel.check("的" * 700).nearest is None


def test_candidates_of_more_masks_than_are_held_are_compared_all_the_same():
    """Longer than 64 * 16,384 masks: the strips are made anew for each pair."""
    long = [f"t{k}" for k in range(9000)]
    pool = Pool()
    pool.append(long[:4000] + ["x"] + long[4100:])
    pool.append(long[::-1])
    assert pool.nearest(long, exact=True) == (0, 8900, 8901)
    assert pool.nearest(long[::-1], exact=False) == (1, 9000, 9000)


def test_the_pool_uses_outgrown_room_again():
    pool = Pool()
    for k in range(3000):
        pool.append(["every", f"n{k}", f"m{k % 50}"])
    assert pool.nbytes / len(pool) < 150
    assert pool.nearest(["every", "m7"], exact=True).member == 7


@pytest.mark.parametrize("value", [-0.1, 1.01, float("nan"), float("inf"), "0.7", None, True])
def test_a_threshold_that_is_none_is_refused(value):
    with pytest.raises(UsageError, match="threshold .* is not a number from 0 to 1"):
        NoveltyFilter(value)
    with pytest.raises(UsageError, match="0 to 1"):
        chinese_threshold(value)


def test_unknown_ways_are_refused():
    with pytest.raises(UsageError, match="compat 'rouge' is not known"):
        NoveltyFilter(compat="rouge")
    with pytest.raises(UsageError, match="lang 'fr' is not known"):
        NoveltyFilter(lang="fr")


def test_a_broken_score_would_be_found(monkeypatch):
    """The planted fault: 2 lcs / (m + n) in place of rouge_score's p and r changes verdicts at ties."""

    def walk(compat):
        said = []
        for lcs, m, n in ((7, 10, 10), (7, 9, 11), (14, 17, 23), (14, 19, 21), (21, 29, 31), (28, 40, 40), (7, 7, 13)):
            shared = [f"s{k}" for k in range(lcs)]
            novel = NoveltyFilter(0.7, compat)
            novel.add(" ".join(shared + [f"m{k}" for k in range(n - lcs)]))
            said.append(novel.check(" ".join(shared + [f"c{k}" for k in range(m - lcs)])).kept)
        return said

    sound = walk("reference")
    monkeypatch.setattr(novelty, "_score", lambda found, length, exact: 2 * found.lcs / (length + found.length))
    assert walk("reference") != sound and all(walk("exact"))


def test_the_page_says_what_happens(capsys):
    page = (Path(__file__).resolve().parents[2] / "docs" / "novelty.md").read_text(encoding="utf-8")
    block = re.search(r"```python\n(.*?)```", page, re.S).group(1)
    exec(block, {})
    assert capsys.readouterr().out.splitlines() == [line[2:] for line in block.splitlines() if line.startswith("# ")]
    rows = [line.replace("*", "").split("|")[2:-1] for line in page.splitlines() if line.startswith("| threshold for ")]
    assert [[chinese_threshold(float(cell)) for cell in rows[0]]] == [[float(cell) for cell in rows[1]]]


def real(name, zh=False):
    paths = [
        DATA / "seeds" / ("belle__zh_seed_tasks.json" if zh else "self_instruct__seed_tasks.jsonl"),
        DATA / "instruct" / name,
    ]
    if not all(path.exists() for path in paths):
        pytest.skip(f"the real data is not here ({DATA})")
    seeds = [json.loads(line)["instruction"] for line in paths[0].read_text(encoding="utf-8").splitlines()]
    return seeds, [row["instruction"] for row in json.loads(paths[1].read_text(encoding="utf-8"))]


def test_verdicts_on_real_seeds_and_instructions_are_those_of_rouge_score():
    seeds, rows = real("alpaca_en_00000_03252.json")
    texts = seeds[:90] + rows[:60]
    for threshold in (0.4, 0.7):
        novel = NoveltyFilter(threshold, "reference")
        assert [(v.kept, v.score, v.nearest) for v in map(novel.admit, texts)] == reference_walk(texts, threshold)


def test_real_chinese_instructions_are_told_apart():
    seeds, rows = real("alpaca_zh_00000_03252.json", zh=True)
    novel = NoveltyFilter(0.7)
    for seed in seeds:
        novel.add(seed)
    kept = sum(novel.admit(row).kept for row in rows)
    assert 0.9 < kept / len(rows) < 0.995
    assert not any(novel.check(row + "。").kept for row in rows[:200])
