"""The support check: containment against a plain-Python oracle, planted faults, numbers, references."""

import json
import os
import random
from pathlib import Path

import plain_terms
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataforge.generate.documents.passages import cut, sentences
from dataforge.generate.documents.selfcontained import references
from dataforge.generate.documents.support import Source, longest_copy
from dataforge.generate.reading.numbers import foreign, numbers

DATA = Path(os.environ.get("DATAFORGE_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))
TEA = "Green tea is brewed at 80 degrees for two minutes. Boiling water makes it bitter."
CHA = "绿茶用八十度的水冲泡两分钟。沸水会使茶汤发苦。"
WORDS = st.lists(st.sampled_from(["tea", "Tea", "绿茶", "水", "80", "is", "not", "。", ". ", "\n", "+"]), max_size=25)


def oracle(sentence, source):
    """|G(s) & G(p)| / |G(s)| over sets of tuples of words."""
    said, known = ([word for _, word in plain_terms.terms(text)] for text in (sentence, source))
    size = 3 if len(said) >= 3 else 1

    def grams(terms):
        return {tuple(terms[i : i + size]) for i in range(len(terms) - size + 1)}

    return len(grams(said) & grams(known)) / len(grams(said)) if said else None


@given(WORDS.map(" ".join), WORDS.map("".join))
@settings(max_examples=50, deadline=None)
def test_containment_is_that_of_a_plain_python_oracle(answer, source):
    for support in Source(source).supports(answer):
        assert support.containment == pytest.approx(oracle(support.sentence, source))


@pytest.mark.parametrize("text", [TEA, CHA])
def test_what_a_passage_says_is_supported_by_it(text):
    source = Source(text)
    for sentence in sentences(text):
        assert source.weakest(sentence).containment == 1
    assert source.weakest("\n".join(reversed(sentences(text)))).containment == 1


@pytest.mark.parametrize(
    ("text", "answer", "planted"),
    [
        (TEA, "Green tea is brewed at 80 degrees. It was first grown by monks in Kyoto.", "It was first grown by monks in Kyoto."),
        (CHA, "绿茶用八十度的水冲泡。它最早由京都的僧人种植。", "它最早由京都的僧人种植。"),
    ],
)  # fmt: skip
def test_one_invented_sentence_is_not_hidden_by_sound_ones(text, answer, planted):
    weakest = Source(text).weakest(f"{answer}\n" + "\n".join(sentences(text)))
    assert weakest.sentence == planted and weakest.containment < 0.2


def test_short_sentences_count_by_their_terms():
    source = Source(TEA)
    assert source.weakest("Two minutes.").containment == 1
    assert source.weakest("Three minutes.").containment == 0.5
    assert Source(CHA).weakest("发苦").containment == 1


def test_bare_assent_is_passed_over_beside_facts_and_says_nothing_alone():
    assert Source(TEA).weakest("Yes. Boiling water makes it bitter.").containment == 1
    assert Source(CHA).weakest("是的。沸水会使茶汤发苦。").containment == 1
    assert Source(TEA).weakest("Yes.").containment == 0
    assert Source(CHA).weakest("是的。").containment == 0


def test_an_answer_of_no_words_has_no_support():
    assert Source(TEA).weakest("").containment == 0
    assert Source(TEA).weakest("?!").containment == 0
    assert Source("").weakest("Tea.").containment == 0


def test_numbers_are_compared_however_they_are_written():
    assert foreign("第32条规定 1,000 元", numbers("第三十二条：一千元")) == []
    assert foreign("It takes 25 minutes and 3.50 dollars", numbers("twenty-five minutes, 3.5 dollars")) == []
    assert foreign("1949年10月1日", numbers("1949.10.1")) == []
    assert foreign("１２３", numbers("123")) == []
    assert foreign("1. Boil.\n2. Wait 3 minutes", numbers("boil, then wait 3 minutes")) == []


def test_a_changed_number_is_found_where_containment_is_blind():
    source = Source(TEA)
    changed = TEA.replace("80", "90")
    assert source.weakest(changed).containment > 0.5
    assert source.foreign_numbers(changed) == ["90"]
    assert Source(CHA).foreign_numbers("绿茶用90度的水冲泡。") == ["90"]


@given(st.integers(0, 99_999_999))
@settings(max_examples=50, deadline=None)
def test_chinese_numerals_mean_their_number(value):
    digits, units = "零一二三四五六七八九", ["", "十", "百", "千"]

    def below_myriad(number):
        text = "".join(
            (digits[int(d)] + unit if d != "0" else "零")
            for d, unit in zip(str(number), reversed(units[: len(str(number))]), strict=True)
        )
        return text.rstrip("零")

    high, low = divmod(value, 10_000)
    text = (below_myriad(high) + "万" if high else "") + (below_myriad(low) if low or not high else "")
    assert str(value) in numbers(f"共{text or '零'}元")


@pytest.mark.parametrize(
    "question",
    [
        "According to the passage, when was it built?",
        "What does the author claim?",
        "Which steps are mentioned in the text?",
        "What is the main idea of this article?",
        "What problem does the passage above describe?",
        "文中提到了哪些步骤？",
        "根据上述材料，茶怎样冲泡？",
        "本文的主要内容是什么？",
        "这段文字说明了什么？",
        "作者认为茶应当怎样冲泡？",
        "根据文章，谁发明了它？",
    ],
)
def test_questions_about_a_text_are_found(question):
    assert references(question)


@pytest.mark.parametrize(
    "question",
    [
        "Who wrote the article on tea in the Britannica?",
        "How do I select all text in Vim?",
        "How does the passage of time change tea?",
        "What does the text command of ImageMagick draw?",
        "Who is the author of Hamlet?",
        "How is the document signed?",
        "中文中有多少个汉字？",
        "上下文中的变量是什么？",
        "什么是脚本文件？",
        "日本文化有什么特点？",
        "参考资料应当怎样列出？",
        "合同文本由谁保管？",
    ],
)
def test_questions_about_the_world_are_not(question):
    assert references(question) is None


def test_laws_that_are_only_this_one_are_found_in_questions_alone():
    for text in (
        "本法所称合同是什么？",
        "What does this Act regulate?",
        "第三条规定了什么？",
        "本标准适用于哪些情形？",
        "前款规定的期限是多久？",
    ):
        assert references(text, deictic=True)
        assert references(text) is None
    for text in (
        "日本标准时间比北京时间快多少？",
        "样本标准差怎么算？",
        "基本规范有哪些？",
        "日本法院怎样判决？",
        "根本法是什么？",
        "《合同法》第三条规定了什么？",
        "How many acts has Hamlet?",
    ):
        assert references(text, deictic=True) is None


@given(st.text("abc ", max_size=40), st.text("abc ", max_size=40))
@settings(max_examples=50, deadline=None)
def test_the_longest_copy_is_that_of_plain_python(text, source):
    said, known = text.split(), source.split()
    runs = [
        size
        for start in range(len(said))
        for size in range(1, len(said) - start + 1)
        if any(known[at : at + size] == said[start : start + size] for at in range(len(known)))
    ]
    assert longest_copy(text, source) == max(runs, default=0)


@pytest.mark.parametrize(
    ("name", "key", "few"),
    [("en_medquad_first2600", "answer", 0.06), ("lf_c4_demo", "text", 0.03), ("zh_lctt_to2016", "text", 0.06)],
)
def test_on_real_documents_own_sentences_pass_and_those_of_the_next_passage_fall(name, key, few):
    path = DATA / "corpus" / f"{name}.jsonl"
    if not path.exists():
        pytest.skip(f"no {path.name}: real data are not part of the repository")
    chance = random.Random(3)
    wrong = []
    with path.open(encoding="utf-8") as rows:
        for line in list(rows)[:300]:
            passages = [passage.text for passage in cut(json.loads(line).get(key) or "", 2000)]
            said = [sentence for sentence in sentences(passages[0]) if len(sentence) > 15] if len(passages) > 1 else []
            if len(said) < 4:
                continue
            start = chance.randrange(len(said) - 1)
            answer = "\n".join(said[start : start + 2])
            assert Source(passages[0]).weakest(answer).containment == 1
            assert Source(passages[0]).foreign_numbers(answer) == []
            wrong.append(Source(passages[1]).weakest(answer).containment >= (0.5 if name.startswith("zh") else 0.4))
    assert len(wrong) > 15 and sum(wrong) <= few * len(wrong)
