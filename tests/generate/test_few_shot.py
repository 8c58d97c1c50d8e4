"""Few-shot: which examples stand before a question, and which reasoning is kept."""

import json
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sinks import ListSink, Script, make_task

import dataforge
from dataforge.errors import RowError, UsageError
from dataforge.generate.chain import drive
from dataforge.generate.few_shot import FewShotConfig, expand, prepare, stages
from dataforge.generate.reading.replies import Unreadable
from dataforge.generate.worked.examples import draw, gather
from dataforge.generate.worked.reasoned import hints, read_worked
from dataforge.llm.request import Failure, Reply
from dataforge.record import Reasoning, Record, Turn, record_id

SUM = {
    "en": ["Ann has 9 eggs and sells 7. How many are left?", "9 - 7 = <<9-7=2>>2\n#### 2"],
    "zh": ["小明有9个鸡蛋，卖了7个，还剩几个？", "9 - 7 = 2\n#### 2"],
}
WORKED = {
    "en": "She begins with 9.\nShe sells 7, so 9 - 7 = 2 are left.\n<answer>2 eggs</answer>",
    "zh": "他开始有9个。\n卖掉7个，还剩 9 - 7 = 2 个。\n<answer>两个</answer>",
}
SHOWN = {
    "en": "She begins with 9.\nShe sells 7, so 9 - 7 = 2 are left.",
    "zh": "他开始有9个。\n卖掉7个，还剩 9 - 7 = 2 个。",
}


def row(question, answer, *before):
    return Record([*before, Turn("user", [question]), Turn("assistant", [answer])])


def rows(count, lang="en"):
    said = ("Question number {}?", "Answer {}.") if lang == "en" else ("第{}个问题是什么？", "第{}个回答。")
    return [row(said[0].format(n), said[1].format(n)) for n in range(count)]


def run(options, record, model=None, *, lang="en", seed=0, others=()):
    sink = ListSink()
    shared = prepare(options, iter(others), seed)
    drive(
        expand(make_task("few-shot", options, record, lang=lang, seed=seed, shared=shared), sink), model or Script({})
    )
    assert sink.settled
    return sink


def cot(**values):
    return FewShotConfig(cot=True, model="m", **values)


@pytest.mark.parametrize(("lang", "asks", "answers"), [("en", "Question: ", "Answer: "), ("zh", "问题：", "回答：")])
def test_examples_stand_before_the_question_and_no_model_is_asked(lang, asks, answers):
    others = rows(6, lang) + rows(6, "zh" if lang == "en" else "en")
    model = Script({})
    sink = run(FewShotConfig(shots=3), others[0], model, lang=lang, others=others)
    assert model.asked == []
    text, answer = sink.texts[0]
    named = sink.kept[0].provenance["examples"]
    by_id = {record_id(other).hex(): other for other in others}
    blocks = [f"{asks}{by_id[n].turns[0].text}\n{answers}{by_id[n].turns[1].text}\n" for n in named]
    assert text == "\n".join([*blocks, f"{asks}{others[0].turns[0].text}\n{answers.rstrip()}"])
    assert answer == others[0].turns[1].text
    assert all(n in {record_id(other).hex() for other in others[1:6]} for n in named)  # its language, and not itself
    assert sink.kept[0].provenance["prompt"].startswith(f"few-shot/shots.{lang}@")


def test_examples_may_be_earlier_turns():
    system = Turn("system", ["Be kind."])
    others = rows(4)
    sink = run(FewShotConfig(shots=2, as_turns=True), row("{{ why }}?", "So.", system), others=others)
    turns = sink.kept[0].record.turns
    assert [t.role for t in turns] == ["system", "user", "assistant", "user", "assistant", "user", "assistant"]
    assert turns[-2].text == "{{ why }}?" and turns[0].text == "Be kind."
    pairs = {(other.turns[0].text, other.turns[1].text) for other in others}
    assert {(turns[1].text, turns[2].text), (turns[3].text, turns[4].text)} <= pairs


def test_the_system_turn_stays_first_and_braces_do_nothing():
    sink = run(
        FewShotConfig(shots=1),
        row("{% raw %}[[user]]", "So.", Turn("system", ["Be kind."])),
        others=[row("{{ a }}", "{b}")],
    )
    assert [t.role for t in sink.kept[0].record.turns] == ["system", "user", "assistant"]
    assert "Question: {{ a }}\nAnswer: {b}" in sink.texts[0][1] and "{% raw %}[[user]]" in sink.texts[0][1]


def test_variants_have_other_examples_and_the_same_seed_the_same():
    others = rows(40)
    options = FewShotConfig(shots=4, variants=3)
    named = [
        [m.provenance["examples"] for m in run(options, others[0], seed=seed, others=others).kept] for seed in (1, 1, 2)
    ]
    assert len(named[0]) == 3 and len({tuple(n) for n in named[0]}) == 3
    assert named[0] == named[1] != named[2]


def test_too_few_examples_drop_the_row_by_name():
    sink = run(FewShotConfig(shots=3), rows(1, "zh")[0], lang="zh", others=rows(9) + rows(3, "zh"))
    assert sink.rules == ["too_few_examples"] and "2 of 3" in sink.dropped[0][2]


def test_only_single_exchanges_of_text_with_an_answer_are_examples():
    others = [
        Record([Turn("document", ["a text"])]),
        Record([Turn("user", ["open question?"])]),
        row("q" * 300, "too long"),
        row("empty answer?", " "),
        Record([Turn("user", ["a"]), Turn("assistant", ["b"]), Turn("user", ["c"]), Turn("assistant", ["d"])]),
        row("with tools?", "yes"),
        row("good?", "good"),
        row("good?", "good"),
    ]
    others[5].tools = [{"name": "f"}]
    found = gather(others, seed=0, most=10, longest=100)
    assert [(e.question, e.answer) for e in found["en"]] == [("good?", "good")]


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.integers(0, 60), max_size=80), st.integers(1, 20), st.integers(0, 3), st.randoms(use_true_random=False)
)
def test_the_sample_depends_on_content_and_seed_alone(numbers, most, seed, rng):
    others = [row(f"Question {n}?", f"Answer {n}.") for n in numbers]
    shuffled = others[:]
    rng.shuffle(shuffled)
    one, other = (gather(given_rows, seed=seed, most=most, longest=1000) for given_rows in (others, shuffled))
    assert one == other
    sample = one.get("en", [])
    assert len(sample) == len({e.id for e in sample}) == min(most, len(set(numbers)))
    own = sample[0] if sample else None
    drawn = draw(sample, 5, rng, own=own.id if own else "", question="question 7? ")
    assert len({e.question for e in drawn}) == len(drawn) <= 5
    assert own not in drawn and all(e.question != "Question 7?" for e in drawn)
    assert len(drawn) == min(5, len([e for e in sample if e != own and e.question != "Question 7?"]))


def test_every_row_is_as_likely_an_example_as_any_other():
    others = rows(30)
    found = Counter(e.question for seed in range(400) for e in gather(others, seed=seed, most=3, longest=99)["en"])
    assert len(found) == 30 and all(abs(count - 40) < 33 for count in found.values())  # 5 deviations of 6.3


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_reasoning_that_leads_to_the_answer_is_kept(lang):
    model = Script({"few-shot/explain": WORKED[lang]})
    sink = run(cot(), row(*SUM[lang]), model, lang=lang)
    assert sink.kept[0].record.turns[1].parts == [Reasoning(SHOWN[lang]), "#### 2"]
    shown = model.asked[0].messages[-1]["content"]
    assert shown.rstrip().endswith("\n2") and "<<9-7" not in shown  # the hint is the final answer alone
    found = sink.kept[0].provenance
    assert (found["hinted"], found["attempt"], found["agrees_by"], found["agreement"]) == (True, 1, "number", 1.0)
    inline = run(cot(reasoning="inline"), row(*SUM[lang]), Script({"few-shot/explain": WORKED[lang]}), lang=lang)
    assert inline.texts == [[SUM[lang][0], SHOWN[lang] + "\n\n#### 2"]]


def test_reasoning_that_leads_elsewhere_is_dropped_with_both_answers():
    sink = run(cot(), row(*SUM["zh"]), Script({"few-shot/explain": "我想是三个。\n答案是3个。"}), lang="zh")
    assert sink.rules == ["wrong_answer"] and "'2'" in sink.dropped[0][2] and "'3个'" in sink.dropped[0][2]


def test_the_answer_is_not_shown_unless_wanted():
    wrong, right = "Hm.\n#### 3", "9 - 7 = 2.\n#### 2"
    model = Script({"few-shot/solve": [wrong, right]})
    sink = run(cot(hint="never", attempts=3), row(*SUM["en"]), model)
    assert model.stages() == ["few-shot/solve"] * 2 and model.asked[0].sample != model.asked[1].sample
    assert "#### 2" not in model.asked[0].messages[-1]["content"] and not sink.kept[0].provenance["hinted"]
    model = Script({"few-shot/solve": wrong, "few-shot/explain": right})
    sink = run(cot(hint="retry", attempts=2), row(*SUM["en"]), model)
    assert model.stages() == ["few-shot/solve", "few-shot/solve", "few-shot/explain"]
    assert sink.kept[0].provenance["attempt"] == 3 and sink.kept[0].provenance["hinted"]
    assert (hints("retry", 2), hints("always", 1), hints("never", 2)) == ([False, False, True], [True], [False, False])


@pytest.mark.parametrize(
    "told", ["As the given answer says, 2.", "The result is given as 2.", "根据给定的答案，是2个。", "参考答案是两个。"]
)
def test_reasoning_that_lets_on_that_it_knew_is_dropped(told):
    sink = run(cot(), row(*SUM["en"]), Script({"few-shot/explain": f"{told}\n<answer>2</answer>"}))
    assert sink.rules == ["refers_to_answer"]
    sink = run(cot(hint="never"), row(*SUM["en"]), Script({"few-shot/solve": f"{told}\n<answer>2</answer>"}))
    assert len(sink.kept) == 1  # nobody told it


def test_long_answers_go_by_overlap_or_by_a_judge():
    known = "Green tea is brewed at eighty degrees because boiling water makes its leaves bitter."
    near, far = (
        "Boiling water makes the leaves of green tea bitter, so it is brewed at eighty degrees.",
        "It is a matter of taste and habit, in my view, and of nothing else at all.",
    )
    for got, kept in ((near, 1), (far, 0)):
        sink = run(cot(), row("Why?", known), Script({"few-shot/explain": f"Think.\n<answer>{got}</answer>"}))
        assert len(sink.kept) == kept and (kept or "F1" in sink.dropped[0][2])
    for verdict, kept in (("SAME", 1), ("DIFFERENT", 0)):
        model = Script({"few-shot/explain": f"Think.\n<answer>{far}</answer>", "few-shot/judge": verdict})
        sink = run(cot(judge="large"), row("Why?", known), model)
        assert (
            len(sink.kept) == kept
            and model.asked[-1].model == "large"
            and far in model.asked[-1].messages[-1]["content"]
        )
    model = Script({"few-shot/explain": WORKED["en"]})
    run(cot(judge="large"), row(*SUM["en"]), model)
    assert model.stages() == ["few-shot/explain"]  # numbers need no judge


def test_failures_and_the_budget_are_told_apart():
    sink = run(cot(attempts=2), row(*SUM["en"]), Script({"few-shot/explain": [Failure("timeout"), WORKED["en"]]}))
    assert len(sink.kept) == 1 and sink.kept[0].provenance["attempt"] == 2
    model = Script({"few-shot/explain": Failure("budget")})
    sink = run(cot(attempts=3, variants=4), row(*SUM["en"]), model)
    assert len(model.asked) == 1 and [f.rule for f, _ in sink.failures] == ["budget"]
    sink = run(cot(tries=2), row(*SUM["en"]), Script({"few-shot/explain": "2"}))
    assert [f.rule for f, _ in sink.failures] == ["no_answer"]


def test_requests_never_share_a_sample():
    model = Script({"few-shot/solve": "no mark", "few-shot/explain": "no mark"})
    run(cot(hint="retry", attempts=2, variants=3, tries=2), row(*SUM["en"]), model)
    keys = [request.key("m") for request in model.asked]
    assert len(keys) == len(set(keys)) == 3 * 3 * 2


@pytest.mark.parametrize(
    ("reply", "found"),
    [
        (Reply("Steps.\n<answer>2</answer>"), ("Steps.", "2")),
        (Reply("<think>hm <answer>9</answer></think>步骤。\n<answer>二</answer>"), ("步骤。", "二")),
        (Reply("I write <answer> first.\n<answer>2"), ("I write <answer> first.", "2")),
        (Reply("Steps.\n#### 2"), ("Steps.", "2")),
        (Reply("步骤一。\n所以答案是2。"), ("步骤一。\n所以", "2")),
        (Reply("Whole.\n<answer>2</answer> cut", finish="length"), ("Whole.", "2")),
    ],
)
def test_reasoning_and_answer_are_read(reply, found):
    worked = read_worked(reply)
    assert (worked.reasoning, worked.answer) == found


@pytest.mark.parametrize(
    ("reply", "rule"),
    [
        (Reply("Some thoughts."), "no_answer"),
        (Reply("Steps <answer></answer>"), "no_answer"),
        (Reply("<answer>2</answer>"), "no_reasoning"),
        (Reply("#### 2"), "no_reasoning"),
        (Reply("**Answer:** 2"), "no_reasoning"),
        (Reply("**答案**：2"), "no_reasoning"),
        (Reply("Steps that were cu", finish="length"), "truncated"),
        (Reply("Steps <answer>12", finish="length"), "truncated"),
    ],
)
def test_replies_without_reasoning_or_answer_are_unreadable(reply, rule):
    with pytest.raises(Unreadable) as found:
        read_worked(reply)
    assert found.value.rule == rule


def test_examples_and_reasoning_go_together():
    sink = run(cot(shots=2), row(*SUM["en"]), Script({"few-shot/explain": WORKED["en"]}), others=rows(5))
    assert sink.kept[0].record.turns[-1].parts == [Reasoning(SHOWN["en"]), "#### 2"]
    assert sink.texts[0][0].count("Question: ") == 3 and len(sink.kept[0].provenance["examples"]) == 2


def test_rows_that_have_no_answer_or_several_questions_are_refused_by_name():
    talk = Record([Turn("user", ["a"]), Turn("assistant", ["b"]), Turn("user", ["c"]), Turn("assistant", ["#### 2"])])
    for options, record, rule in (
        (cot(), Record([Turn("user", ["a?"])]), "no_answer"),
        (FewShotConfig(shots=1), row("a?", " "), "no_answer"),
        (FewShotConfig(shots=1), talk, "several_exchanges"),
        (cot(), Record([Turn("document", ["a"])]), "not_a_conversation"),
    ):
        with pytest.raises(RowError) as found:
            run(options, record, others=rows(3))
        assert found.value.rule == rule
    model = Script({"few-shot/explain": WORKED["en"]})
    sink = run(cot(), talk, model)
    assert [t.text for t in sink.kept[0].record.turns[:3]] == ["a", "b", "c"]
    assert "[assistant] b" in model.asked[0].messages[-1]["content"]


def test_wrong_settings_are_told_by_their_option():
    for values, option in (
        ({}, "nothing to do"),
        ({"cot": True}, "--cot"),
        ({"shots": 2, "model": "m"}, "--model: examples are drawn without"),
        ({"cot": True, "model": "m", "examples": "x.jsonl"}, "--examples"),
        ({"cot": True, "model": "m", "judge": ""}, "--judge"),
        ({"shots": 1, "judge": "self"}, "--judge"),
        ({"shots": 1, "novelty": 0.7}, "--novelty"),
        ({"shots": -1}, "--shots"),
        ({"shots": 1, "hint": "sometimes"}, "--hint"),
        ({"shots": 1, "overlap": 2.0}, "--overlap"),
    ):
        with pytest.raises(UsageError, match=option):
            FewShotConfig(**values)


def test_the_plan_knows_that_examples_cost_nothing():
    assert stages(FewShotConfig(shots=4)) == []
    assert [(s.name, s.calls) for s in stages(cot(hint="retry", attempts=2))] == [
        ("few-shot/solve", 1.5),
        ("few-shot/explain", 0.25),
    ]


def test_a_file_goes_through_without_key_model_or_server(tmp_path, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    source, gold = tmp_path / "rows.jsonl", tmp_path / "gold.jsonl"
    said = [(r.turns[0].text, r.turns[1].text) for r in [*rows(5), *rows(5, "zh")]]
    source.write_text("".join(json.dumps({"question": q, "answer": a}) + "\n" for q, a in said), encoding="utf-8")
    gold.write_text('{"question": "金?", "answer": "矿"}\n{"question": "gold?", "answer": "ore"}\n', encoding="utf-8")
    result = dataforge.few_shot(source, output=tmp_path / "a.jsonl", shots=2, variants=2)
    assert result.counts.rows_in == 10 and result.counts.rows_out == 20 and result.exit_code == 0
    again = dataforge.few_shot(source, output=tmp_path / "b.jsonl", shots=2, variants=2)
    assert again.ok and (tmp_path / "a.jsonl").read_bytes() == (tmp_path / "b.jsonl").read_bytes()
    dataforge.few_shot(source, output=tmp_path / "c.jsonl", shots=1, examples=gold)
    made = [json.loads(line) for line in (tmp_path / "c.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len(made) == 10 and "Question: gold?" in made[0]["messages"][0]["content"]
    assert all("问题：金?" in one["messages"][0]["content"] for one in made[5:])
    plan = dataforge.few_shot(source, output=tmp_path / "d.jsonl", shots=2, dry_run=True)
    assert not (tmp_path / "d.jsonl").exists() and "no request" in "\n".join(plan.lines)


def test_other_keys_of_a_row_go_along_with_its_variants():
    record = row("a?", "b")
    record.extras = {"category": "算术", "id": 7}
    sink = run(FewShotConfig(shots=1), record, others=rows(2))
    assert sink.kept[0].record.extras == {"category": "算术", "id": 7}
