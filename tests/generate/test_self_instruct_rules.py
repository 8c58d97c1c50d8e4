"""The filters of instructions and the seeds: against plain oracles, and what the references do wrong."""

import json
import os
import re
import string
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataforge.engine.records import read_records
from dataforge.errors import DataError, RowError, UsageError
from dataforge.generate.selfinstruct.pool import Pool
from dataforge.generate.selfinstruct.rules import BELLE_WORDS, Fault, Rules, instruction_of
from dataforge.generate.selfinstruct.seeds import Seed, check_seeds, seed_of
from dataforge.generate.task import chance, language_of

ROOT = Path(__file__).resolve().parents[2]
SEEDS = Path(os.environ.get("DATAFORGE_DATA", ROOT.parent / "shared" / "data")) / "seeds"
real_seeds = pytest.mark.skipif(not SEEDS.is_dir(), reason=f"the real seed files are not in {SEEDS}")
WORDS = [
    "image",
    "images",
    "graph",
    "graphs",
    "picture",
    "pictures",
    "file",
    "files",
    "map",
    "maps",
    "draw",
    "plot",
    "go to",
]


def passes_reference(text):
    """The reference's verdict on an instruction as its notes describe it, written without looking at ours."""
    words = text.split()
    if not 3 < len(words) <= 150:
        return False
    for word in WORDS:
        if re.search(r"\b" + word + r"\b", text, re.IGNORECASE):
            return False
    return not (text.startswith("Write a program") or text[0] in string.punctuation or ord(text[0]) > 127)


PIECES = st.sampled_from([
    "Write", "write", "a", "program", "poem", "tea", "image", "Images", "profile", "database", "map", "bitmap", "go", "to", "(the)",
    "“quoted”", "Élan", "泡茶", "e.g.", "plot,", "draw-bridge", "1.",
])  # fmt: skip


@settings(max_examples=50, deadline=None)
@given(st.lists(PIECES, min_size=1, max_size=12))
def test_verdicts_of_compat_reference_are_those_of_the_reference(pieces):
    text = instruction_of(" ".join(pieces), reference=True)
    assert (Rules("en", reference=True).fault(text) is None) == passes_reference(text)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("Explain human's behavior.", "too_short"),
        ("word " * 151, "too_long"),
        ("Tell me about this picture please", "keyword"),
        ("Where should I go to tonight?", "keyword"),
        ("Write a program to add numbers", "program"),
        ("write a Program to add numbers", "program"),
        ("(Optional) say what tea is", "punctuation"),
        ("“Tea” is made of what", "punctuation"),
        ("Élan is what kind of thing", "script"),
        ("泡茶 的 步骤 是什么", "script"),
        ("", "empty"),
    ],
)
def test_each_english_rule_has_its_name(text, rule):
    assert Rules("en").fault(instruction_of(text)).rule == rule


@pytest.mark.parametrize(
    "text", ["Design a database of profiles", "Explain JSON and NASA to Bob", "word " * 150, "Say what a bitmap is"]
)
def test_what_only_looks_like_a_fault_stays(text):
    assert Rules("en").fault(instruction_of(text)) is None


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("写诗吧", "too_short"),
        ("写" * 150, "too_long"),
        ("描述这张图片里的内容", "keyword"),
        ("打开下面的HTTP地址", "keyword"),
        ("请ChatGPT介绍一下自己", "keyword"),
        ("编写一个程序来计算整数之和。", "program"),
        ("请你写一段程序统计字数", "program"),
        ("（选做）说说茶的历史", "punctuation"),
        ("【任务】说说茶的历史", "punctuation"),
        ("Explain how green tea is brewed", "script"),
    ],
)
def test_each_chinese_rule_has_its_name(text, rule):
    assert Rules("zh").fault(instruction_of(text)).rule == rule


@pytest.mark.parametrize(
    "text",
    [
        "怎么泡茶",
        "写" * 149,
        "《红楼梦》的作者是谁？",
        "“算法”是什么意思？",
        "用 Python 写一个排序函数",
        "介绍一下编写程序的乐趣",
        "３月的节日有哪些",
    ],
)
def test_sound_chinese_instructions_stay(text):
    assert Rules("zh").fault(instruction_of(text)) is None


def test_the_chinese_list_holds_all_words_of_belle_and_can_be_left_out():
    assert len(BELLE_WORDS) == 18
    for word in BELLE_WORDS:
        assert Rules("zh").fault(f"请说说{word}的用处").rule == "keyword"
        assert Rules("zh", keywords=False).fault(f"请说说{word}的用处") is None


def test_the_recipe_of_alpaca_has_more_keywords():
    for lang, text in (("en", "Suggest some calm music please"), ("zh", "推荐一段轻松的视频")):
        assert Rules(lang).fault(text) is None
        assert Rules(lang, media=True).fault(text).rule == "keyword"


def test_a_chinese_instruction_beside_an_input_has_less_room_unless_it_gives_examples():
    rules, long = Rules("zh"), "说" * 100
    assert rules.crowded(long, "输入").rule == "too_long"
    assert rules.crowded(long, "") is rules.crowded("示例" + long, "输入") is rules.crowded("说" * 99, "输入") is None
    assert Rules("en").crowded("word " * 120, "input") is None


def test_only_the_reference_lowers_case():
    assert instruction_of("Explain JSON  and\nNASA to Bob") == "Explain JSON and NASA to Bob"
    assert instruction_of("Explain JSON and NASA to Bob", reference=True) == "Explain json and nasa to bob"


@real_seeds
def test_the_seeds_of_self_instruct_fail_three_times():
    seeds = check_seeds((str(SEEDS / "self_instruct__seed_tasks.jsonl"),))
    assert (
        len(seeds),
        sum(seed.classification for seed in seeds),
        language_of("\n".join(seed.instruction for seed in seeds)),
    ) == (175, 26, "en")
    texts = [instruction_of(seed.instruction, reference=True) for seed in seeds]
    rules = [fault.rule for text in texts if (fault := Rules("en", reference=True).fault(text))]
    assert sorted(rules) == ["program", "too_short", "too_short"]
    assert [passes_reference(text) for text in texts].count(False) == 3


@real_seeds
def test_the_seeds_of_belle_are_read_as_chinese():
    seeds = check_seeds((str(SEEDS / "belle__zh_seed_tasks.json"),))
    assert (len(seeds), language_of("\n".join(seed.instruction for seed in seeds))) == (175, "zh")
    faults = [Rules("zh").fault(instruction_of(seed.instruction)) for seed in seeds]
    assert sorted(fault.rule for fault in faults if fault) == ["keyword", "program"]


def write(path, *rows):
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def test_seed_alpaca_and_question_rows_are_seeds(tmp_path):
    place = write(
        tmp_path / "seeds.jsonl",
        {
            "id": "a1",
            "instruction": "反义词",
            "instances": [{"input": "冷", "output": "热"}],
            "is_classification": True,
        },
        {"instruction": "Give two.", "instances": [{"input": "1", "output": "2"}, {"input": "", "output": "3"}]},
        {"instruction": "译成中文", "input": "tea", "output": "茶"},
        {"question": "水的沸点？", "answer": "一百摄氏度"},
        {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]},
    )
    seeds = check_seeds((place,))
    assert [seed.instruction for seed in seeds] == ["反义词", "Give two.", "译成中文", "水的沸点？", "Hi"]
    assert [seed.instances for seed in seeds] == [
        (("冷", "热"),), (("1", "2"), ("", "3")), (("tea", "茶"),), (("", "一百摄氏度"),), (("", "Hello"),),
    ]  # fmt: skip
    assert seeds[0].name == "a1" and seeds[0].classification is True and seeds[2].classification is None
    assert [seed_of(record) for record in read_records(place)] == seeds
    assert check_seeds((place,), limit=2) == seeds[:2]


@pytest.mark.parametrize(
    ("row", "rule", "path"),
    [
        ({"instruction": " ", "instances": [{"input": "", "output": "x"}]}, "no_instruction", "$.instruction"),
        ({"instruction": "x", "instances": [{"input": "", "output": "y"}, {"input": "", "output": " "}]}, "empty_output", "$.instances[1].output"),
        ({"instruction": "写诗", "input": "", "output": ""}, "empty_output", "$.output"),
        ({"instruction": "x", "instances": []}, "bad_instances", "$.instances"),
        ({"instruction": "x", "input": "", "output": "y", "history": [["a", "b"]]}, "no_seed", "$"),
        ({"text": "只是一段文字"}, "no_seed", "$"),
        ({"prompt": "q", "chosen": "a", "rejected": "b"}, "no_seed", "$"),
    ],
)  # fmt: skip
def test_a_row_that_is_no_seed_is_an_error_with_its_place(row, rule, path, tmp_path):
    good = {"instruction": "译", "input": "tea", "output": "茶"}
    place = write(tmp_path / "seeds.jsonl", good, row, good)
    with pytest.raises(RowError) as fault:
        check_seeds((place,))
    assert fault.value.rule == rule
    assert fault.value.place == (f"{place}:2" if path == "$" else f"{place}:2: {path}")


def test_no_seeds_and_standard_input_are_refused(tmp_path):
    (tmp_path / "empty.jsonl").write_text("\n")
    with pytest.raises(DataError, match="no seed task"):
        check_seeds((str(tmp_path / "empty.jsonl"),))
    with pytest.raises(UsageError, match="not standard input"):
        check_seeds(("-",))


def some_seeds(count):
    return [
        Seed(f"{n:032x}", f"seed_{n}", f"Say what number {n} means to a sailor", (("", f"It is {n}."),))
        for n in range(count)
    ]


def test_a_prompt_shows_six_human_and_two_machine_tasks_once_there_are_two():
    pool = Pool(some_seeds(20), chance(0, 0), human=6, machine=2, threshold=0.7)
    assert [member.number for member in pool.sample()] == [None] * 8
    pool.admit("List rivers of the northern plains")
    shown = pool.sample()
    assert sorted(member.seed is None for member in shown) == [False] * 7 + [True]
    for text in ("泡绿茶要用多少度的水？", "Compose a lullaby for a tired lighthouse keeper"):
        assert pool.admit(text)[1] is not None
    for _ in range(50):
        shown = pool.sample()
        assert len({member.text for member in shown}) == 8
        assert sum(member.seed is None for member in shown) == 2
    orders = {tuple(member.seed is None for member in pool.sample()) for _ in range(50)}
    assert len(orders) > 5, "shuffled"


def test_a_small_pool_shows_all_it_has():
    pool = Pool(some_seeds(3), chance(0, 0), human=6, machine=2, threshold=0.7)
    assert sorted(member.seed.name for member in pool.sample()) == ["seed_0", "seed_1", "seed_2"]


def test_new_tasks_are_compared_with_seeds_and_with_each_other_and_the_nearest_is_named():
    pool = Pool(some_seeds(2), chance(0, 0), human=6, machine=2, threshold=0.7)
    verdict, member = pool.admit("Say what number 1 means to a sailor")
    assert member is None and pool.nearest(verdict) == {
        "text": "Say what number 1 means to a sailor",
        "score": 1.0,
        "seed": "seed_1",
    }
    assert pool.admit("把下面这段话翻译成文言文")[1].number == 0
    verdict, member = pool.admit("把下面这段话翻译成文言文。")
    assert member is None and pool.nearest(verdict)["number"] == 0
    verdict, member = pool.admit("Recommend quiet islands")
    assert member.number == 1 and len(pool.made) == 2


def test_a_fault_says_what_met_it():
    assert Rules("en").fault("Please draw me a sheep") == Fault("keyword", "draw")
    assert "3 words" in Rules("en").fault("Draw a sheep").detail
