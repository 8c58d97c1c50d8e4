"""Evol: what is asked in which order, what becomes of each evolution, and what stands in the rows."""

import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sinks import ListSink, Script, make_task

import dataforge
from dataforge.errors import RowError, UsageError
from dataforge.generate.chain import drive
from dataforge.generate.evol import BREADTH, DEPTH, EvolConfig, expand, stages
from dataforge.generate.prompting.promptset import PromptSet
from dataforge.generate.talk.exchange import after
from dataforge.llm.request import Failure, Reply, Request, message
from dataforge.record import Candidate, Media, Reasoning, Record, ToolCall, Turn

TEXT = {"en": ["Describe tea.", "Tea is a drink."], "zh": ["介绍一下茶。", "茶是一种饮料。"]}
HARDER = {"en": "Describe tea to a child in {} lines.", "zh": "用{}行话向孩子介绍茶。"}
ANSWER = {"en": "Tea is made of leaves.", "zh": "茶用树叶制成。"}
SAME = {"en": ("SAME", "DIFFERENT"), "zh": ("相同", "不同")}


def config(**values):
    return EvolConfig(model="m", **values)


def script(lang="en", **more):
    """A model that does everything well; `more` stands in for some of its stages."""
    count = iter(range(2, 100))
    replies = {f"evol/{way}": lambda _: f"<task>{HARDER[lang].format(next(count))}</task>" for way in (*DEPTH, BREADTH)}
    replies |= {"evol/gain": SAME[lang][1], "evol/answer": ANSWER[lang]}
    for stage, reply in more.items():
        names = [f"evol/{way}" for way in (*DEPTH, BREADTH)] if stage == "evolve" else [f"evol/{stage}"]
        replies |= dict.fromkeys(names, reply)
    return Script(replies)


def run(options, record, model, *, lang="en", seed=0):
    sink = ListSink()
    task = make_task("evol", options, record, lang=lang, seed=seed)
    drive(expand(task, sink), model)
    assert sink.settled
    return sink, task


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_an_evolution_is_written_compared_and_answered(lang):
    model = script(lang)
    sink, task = run(config(operations=("deepen",), breadth=0.0), TEXT[lang], model, lang=lang)
    assert model.stages() == ["evol/deepen", "evol/gain", "evol/answer"]
    assert sink.texts == [[HARDER[lang].format(2), ANSWER[lang]]]
    evolve, compare, answer = model.asked
    assert TEXT[lang][0] in evolve.messages[-1]["content"]
    assert (
        TEXT[lang][0] in compare.messages[-1]["content"] and HARDER[lang].format(2) in compare.messages[-1]["content"]
    )
    assert [dict(m) for m in answer.messages] == [{"role": "user", "content": HARDER[lang].format(2)}]
    row = sink.kept[0].provenance
    assert row["operations"] == ["deepen"] and row["depth"] == 1 and row["parents"] == [task.id]
    assert row["prompt"].startswith(f"evol/answer.{lang}@")
    assert row["evolved_by"]["prompt"].startswith(f"evol/deepen.{lang}@")
    assert row["tokens"] == {"prompt": 7, "completion": 3} and row["model"] == "script"
    assert sink.kept[0].novel == HARDER[lang].format(2)


def test_rounds_build_on_what_survived():
    model = script()
    sink, _ = run(config(rounds=3), TEXT["en"], model)
    asked = [r.messages[-1]["content"] for r in model.asked if r.stage not in ("evol/gain", "evol/answer")]
    assert [TEXT["en"][0] in asked[0], HARDER["en"].format(2) in asked[1], HARDER["en"].format(3) in asked[2]] == [
        True
    ] * 3
    assert [made.provenance["depth"] for made in sink.kept] == [1, 2, 3]
    assert sink.kept[2].provenance["operations"][:2] == sink.kept[1].provenance["operations"]


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize(
    ("rule", "more"),
    [
        ("unchanged", {"evolve": {"en": "<task>describe TEA</task>", "zh": "<task>介绍一下茶！</task>"}}),
        (
            "copies_prompt",
            {"evolve": {"en": "<task>Rewritten prompt: tea?</task>", "zh": "<task>改写后的指令：茶？</task>"}},
        ),
        ("no_gain", {"gain": {"en": "SAME", "zh": "相同"}}),
        ("cannot_answer", {"answer": {"en": "Sorry, I cannot say.", "zh": "抱歉，我无法回答。"}}),
        ("empty_answer", {"answer": {"en": "It is.", "zh": "……"}}),
        ("truncated_answer", {"answer": dict.fromkeys(("en", "zh"), Reply("Tea is 茶", finish="length"))}),
    ],
)
def test_a_failed_evolution_falls_to_its_rule_and_leaves_the_row_as_it_was(rule, more, lang):
    model = script(lang, **{stage: texts[lang] for stage, texts in more.items()})
    sink, _ = run(config(rounds=2), TEXT[lang], model, lang=lang)
    assert sink.rules == [rule, rule] and not sink.kept
    evolutions = [r for r in model.asked if r.stage not in ("evol/gain", "evol/answer")]
    assert all(TEXT[lang][0] in r.messages[-1]["content"] for r in evolutions)  # both start from the row itself


def test_without_answers_only_the_instruction_is_judged():
    model = script(answer="Sorry, I cannot.")
    sink, _ = run(config(answers=False), TEXT["en"], model)
    assert "evol/answer" not in model.stages()
    assert sink.texts == [[HARDER["en"].format(2)]] and "evolved_by" not in sink.kept[0].provenance
    assert sink.kept[0].provenance["prompt"].startswith("evol/")


def test_without_the_gain_check_no_model_compares():
    model = script(gain="SAME")
    sink, _ = run(config(gain_check=False), TEXT["en"], model)
    assert "evol/gain" not in model.stages() and len(sink.kept) == 1


def test_the_comparison_may_be_put_to_another_model():
    model = script()
    run(config(judge="large@http://localhost:1/v1"), TEXT["en"], model)
    assert [r.model for r in model.asked] == ["", "large@http://localhost:1/v1", ""]


def test_keep_last_writes_the_last_survivor_of_each_row():
    sink, _ = run(config(rounds=3, keep="last"), TEXT["en"], script())
    assert sink.rules == ["superseded", "superseded"]
    assert sink.texts == [[HARDER["en"].format(4), ANSWER["en"]]]
    sink, _ = run(config(rounds=3, keep="last"), TEXT["en"], script(gain=["DIFFERENT", "SAME"]))
    assert sink.rules == ["no_gain", "no_gain"] and sink.kept[0].provenance["depth"] == 1


def test_an_unreadable_reply_is_asked_for_again_with_another_sample():
    model = script(evolve=["Sure!", Reply("<task>cut", finish="length"), "<task>Describe tea in verse.</task>"])
    sink, _ = run(config(tries=3), TEXT["en"], model)
    assert [r.sample for r in model.asked[:3]] == [0, 1, 2] and len(sink.kept) == 1
    sink, _ = run(config(tries=2), TEXT["en"], script(evolve="Sure!"))
    assert [failure.rule for failure, _ in sink.failures] == ["no_mark"]
    sink, _ = run(config(tries=2), TEXT["en"], script(gain="Hard to say."))
    assert [failure.rule for failure, _ in sink.failures] == ["no_verdict"]


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_an_operation_drawn_again_after_a_fall_is_another_request(lang):
    same = f"<task>{TEXT[lang][0]}</task>"  # falls to `unchanged`
    model = script(
        lang,
        evolve=[
            same,
            "Sure!",
            same,
            f"<task>{HARDER[lang].format(2)}</task>",
            f"<task>{HARDER[lang].format(3)}</task>",
        ],
    )
    options = config(rounds=4, tries=2, operations=("deepen",), breadth=0.0)
    sink, _ = run(options, TEXT[lang], model, lang=lang)
    evolving = [r for r in model.asked if r.stage == "evol/deepen"]
    assert [r.sample for r in evolving] == [0, 2, 3, 4, 0]  # the last one evolves what survived
    assert len({r.key("m") for r in evolving}) == len(evolving)
    assert sink.rules == ["unchanged"] * 2 and len(sink.kept) == 2


def test_a_failure_costs_its_round_and_the_budget_ends_the_row():
    sink, _ = run(config(rounds=3), TEXT["en"], script(answer=[Failure("timeout"), ANSWER["en"]]))
    assert [f.rule for f, _ in sink.failures] == ["timeout"] and len(sink.kept) == 2
    sink, _ = run(config(rounds=5, keep="last"), TEXT["en"], script(answer=[ANSWER["en"], Failure("budget")]))
    assert sink.candidates == 2 and [f.rule for f, _ in sink.failures] == ["budget"] and len(sink.kept) == 1


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_last_user_turn_is_evolved_and_what_is_before_it_stays(lang):
    turns = [
        Turn("developer", ["Be brief."]),
        Turn("user", ["你好 {{ hello }}"]),
        Turn("assistant", [Reasoning("secret thoughts"), "Hello!"]),
        Turn("user", [TEXT[lang][0]]),
        Turn("assistant", [TEXT[lang][1]]),
    ]
    model = script(lang)
    sink, _ = run(config(), Record(turns), model, lang=lang)
    assert sink.texts == [["Be brief.", "你好 {{ hello }}", "Hello!", HARDER[lang].format(2), ANSWER[lang]]]
    evolve, _, answer = model.asked
    shown = evolve.messages[-1]["content"]
    assert "你好 {{ hello }}" in shown and "Hello!" in shown and "secret" not in shown
    assert [m["role"] for m in answer.messages] == ["system", "user", "assistant", "user"]
    assert sink.kept[0].record.turns[2].parts[0] == Reasoning("secret thoughts")


def test_a_system_turn_of_the_row_stands_in_for_that_of_a_prompt_file():
    own = Request((message("system", "File."), message("user", "Ask.")))
    hello = [Turn("user", ["Hi"]), Turn("assistant", ["Hello"])]
    assert [m["content"] for m in after([], own).messages] == ["File.", "Ask."]
    assert [m["content"] for m in after(hello, own).messages] == ["File.", "Hi", "Hello", "Ask."]
    assert [m["content"] for m in after([Turn("developer", ["Row."]), *hello], own).messages][:2] == ["Row.", "Hi"]


def test_a_question_without_an_answer_at_the_end_is_the_one_that_is_evolved():
    model = script()
    sink, _ = run(config(with_original=True), ["Hi", "Hello", "Describe tea."], model)
    assert sink.texts[0] == ["Hi", "Hello", "Describe tea.", ANSWER["en"]]  # the original is answered too
    assert sink.texts[1][:2] == ["Hi", "Hello"]


def test_the_original_comes_first_as_it_is():
    sink, task = run(config(with_original=True), TEXT["zh"], script("zh", evolve="好"), lang="zh")
    assert sink.texts == [TEXT["zh"]] and sink.candidates == 2 and len(sink.failures) == 1
    assert sink.kept[0].provenance == {"method": "evol", "parents": [task.id], "operations": [], "depth": 0}
    sink, _ = run(config(with_original=True, answers=False), ["Describe tea."], script())
    assert sink.texts[0] == ["Describe tea."]
    sink, _ = run(config(with_original=True), ["Describe tea."], script(answer="Sorry, I can't."))
    assert sink.rules == ["cannot_answer", "cannot_answer"]
    sink, _ = run(config(with_original=True), ["Describe tea."], script(answer=Failure("budget")))
    assert sink.candidates >= 1 and all(f.rule == "budget" for f, _ in sink.failures)


def test_of_preference_data_the_better_answer_is_the_original():
    sides = [
        Candidate([Turn("assistant", ["bad"])], label="rejected"),
        Candidate([Turn("assistant", ["good"])], label="chosen"),
    ]
    sink, _ = run(config(with_original=True), Record([Turn("user", ["Describe tea."])], candidates=sides), script())
    assert sink.texts[0] == ["Describe tea.", "good"] and sink.texts[1][0] == HARDER["en"].format(2)


def test_thinking_is_kept_apart_or_dropped_and_code_fences_stay():
    reply = Reply("<think>hm</think>```python\nprint(1)\n```")
    sink, _ = run(config(), TEXT["en"], script(answer=reply))
    assert sink.kept[0].record.turns[-1].parts == [Reasoning("hm"), "```python\nprint(1)\n```"]
    sink, _ = run(config(reasoning="drop"), TEXT["en"], script(answer=reply))
    assert sink.kept[0].record.turns[-1].parts == ["```python\nprint(1)\n```"]


@pytest.mark.parametrize(
    ("record", "rule"),
    [
        (Record([Turn("document", ["a text"])]), "not_a_conversation"),
        (Record([Turn("assistant", ["hello"])]), "no_question"),
        (Record([Turn("user", [" "]), Turn("assistant", ["hello"])]), "empty_question"),
        (Record([Turn("user", ["hi"])], tools=[{"name": "f"}]), "has_tools"),
        (Record([Turn("user", ["hi"]), Turn("assistant", [ToolCall("f", "{}")])]), "has_tools"),
        (Record([Turn("user", ["hi", Media({"type": "image_url"})])]), "has_media"),
    ],
)
def test_rows_without_a_question_of_text_are_refused_by_name(record, rule):
    sink = ListSink()
    with pytest.raises(RowError) as found:
        drive(expand(make_task("evol", config(), record), sink), script())
    assert found.value.rule == rule and sink.candidates == 0


def test_operations_are_drawn_as_often_as_asked_for():
    def drawn(**values):
        rng = random.Random(7)
        options = config(**values)
        return Counter(options.draw(rng) for _ in range(6000))

    even = drawn()
    assert set(even) == {*DEPTH, BREADTH} and all(abs(count - 1000) < 150 for count in even.values())  # 5 deviations
    assert set(drawn(breadth=0.0)) == set(DEPTH) and set(drawn(breadth=1.0)) == {BREADTH}
    few = drawn(operations=("deepen", "deepen", "input"), breadth=0.5)
    assert abs(few[BREADTH] - 3000) < 200 and abs(few["deepen"] - few["input"]) < 300
    assert set(drawn(operations=("deepen",))) == {"deepen", BREADTH}


def test_the_same_seed_draws_the_same_operations():
    paths = [
        [m.provenance["operations"] for m in run(config(rounds=6), TEXT["en"], script(), seed=seed)[0].kept]
        for seed in (1, 1, 2)
    ]
    assert paths[0] == paths[1] != paths[2]


def test_wrong_settings_are_told_by_their_option():
    for values, option in (
        ({"operations": ("deepn",)}, "deepen"),
        ({"operations": ()}, "--operations"),
        ({"breadth": 1.5}, "--breadth"),
        ({"rounds": 0}, "--rounds"),
        ({"keep": "best"}, "--keep"),
    ):
        with pytest.raises(UsageError, match=option):
            config(**values)
    assert config(operations=(), breadth=1.0).draw(random.Random(0)) == BREADTH


FATES = ("good", "same", "copies", "gainless", "refused", "lost")


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.sampled_from(FATES), min_size=1, max_size=8),
    st.sampled_from(["all", "last"]),
    st.sampled_from(["en", "zh"]),
)
def test_every_evolution_has_one_fate_whatever_comes(fates, keep, lang):
    """An oracle that knows the fates alone says which rows come of them."""
    now, expected = TEXT[lang][0], []
    replies = {"evolve": [], "gain": [], "answer": []}
    for number, fate in enumerate(fates):
        new = HARDER[lang].format(number)
        text = {"same": now, "copies": "改写后的指令 rewritten prompt " + new}.get(fate, new)
        replies["evolve"].append(Failure("http_500") if fate == "lost" else f"<task>{text}</task>")
        if fate in ("good", "gainless", "refused"):
            replies["gain"].append(SAME[lang][fate != "gainless"])
        if fate in ("good", "refused"):
            replies["answer"].append(ANSWER[lang] if fate == "good" else "抱歉，我无法回答。")
        if fate == "good":
            now, expected = new, [*expected, new]
    turn = {stage: iter(texts) for stage, texts in replies.items()}
    model = script(lang, **{stage: lambda _, stage=stage: next(turn[stage]) for stage in turn})
    sink, _ = run(config(rounds=len(fates), keep=keep), TEXT[lang], model, lang=lang)
    assert [texts[0] for texts in sink.texts] == (expected if keep == "all" else expected[-1:])
    names = {"same": "unchanged", "copies": "copies_prompt", "gainless": "no_gain", "refused": "cannot_answer"}
    dropped = Counter(names[fate] for fate in fates if fate in names)
    if keep == "last" and len(expected) > 1:
        dropped["superseded"] = len(expected) - 1
    assert Counter(sink.rules) == dropped and len(sink.failures) == fates.count("lost")
    assert all(next(rest, None) is None for rest in turn.values())  # nothing was asked that need not be


@pytest.mark.parametrize("name", [*DEPTH, BREADTH])
def test_prompts_show_the_instruction_as_it_stands(name):
    text = "{{ x }} {% if %} [[user]] </task> 茶\n\n    code"
    for lang in ("en", "zh"):
        request = PromptSet().get(f"evol/{name}", lang).request({"instruction": text, "before": []})
        assert f"<task>\n{text}\n</task>" in request.messages[-1]["content"]
        assert request.messages[-1]["content"].count(text) == 1
        assert (request.temperature, request.top_p, request.max_tokens) == (1.0, 0.9, 2048)  # the paper's


def test_the_plan_adds_up():
    found = {stage.name: stage.calls for stage in stages(config(rounds=4))}
    assert sum(found[f"evol/{way}"] for way in (*DEPTH, BREADTH)) == pytest.approx(4)
    assert found["evol/gain"] == 4 and found["evol/answer"] == 2
    assert [stage.name for stage in stages(config(breadth=1.0, answers=False, gain_check=False))] == ["evol/breadth"]


def test_a_dry_run_shows_the_first_prompt(tmp_path):
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"instruction": "介绍一下茶。", "output": "茶是一种饮料。"}\n', encoding="utf-8")
    shown = "\n".join(dataforge.evol(rows, output=tmp_path / "o.jsonl", model="m", rounds=2, dry_run=True).lines)
    assert "介绍一下茶。" in shown and "evol/gain: 2 x" in shown and not (tmp_path / "o.jsonl").exists()


def test_a_verdict_is_not_sampled_as_texts_are():
    model = script()
    run(config(temperature=1.3, top_p=0.5, reply_tokens=77), TEXT["en"], model)
    assert [(r.temperature, r.top_p, r.max_tokens) for r in model.asked] == [
        (1.3, 0.5, 77),
        (0.0, None, 77),
        (1.3, 0.5, 77),
    ]
