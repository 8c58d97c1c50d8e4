"""The chains of self-instruct: what prompts hold, what becomes of every candidate, when it ends, and what it repeats."""

import re
import string
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rouge_score import rouge_scorer
from sinks import ListSink, Script, make_task
from writer import FAULTS, REFUSAL, Writer, faultless, stage_of, writer, writer_text

from dataforge.config import RunOptions
from dataforge.errors import DataError, RowError, UsageError
from dataforge.formats import alpaca, seeds
from dataforge.formats.spelling import Spelling
from dataforge.generate.chain import drive
from dataforge.generate.self_instruct import METHOD, SelfInstructConfig, self_instruct, stages, start
from dataforge.llm.request import Failure, Reply

JOBS = "baker,sailor,nurse,tailor,gardener,miller,teacher,painter,farmer,weaver,potter,smith".split(",")
ZH_JOBS = "面包师,水手,护士,裁缝,园丁,磨坊主,教师,画家,农夫,织布工,陶匠,铁匠".split(",")


def seed_records(lang="en", count=12):
    for n, job in enumerate((ZH_JOBS if lang == "zh" else JOBS)[:count]):
        text = (
            f"请说说{job}每天清早第{n}件要做的事"
            if lang == "zh"
            else f"Tell me the number {n} duty of a {job} before dawn:"
        )
        row = {
            "id": f"s{n}",
            "instruction": text,
            "instances": [{"input": "", "output": job}],
            "is_classification": n % 4 == 0,
        }
        yield seeds.read(row, Spelling())


def config_of(n=10, **options):
    return SelfInstructConfig(seeds=("seeds.jsonl",), n=n, model="writer", **options)


def make(answer, n=10, lang="en", seed=0, count=12, **options):
    """(sink, why, requests) of a run over seeds of a language."""
    config, sink, requests = config_of(n, **options), ListSink(), []

    def asked(request):
        requests.append(request)
        return answer(request)

    why = drive(
        start(list(seed_records(lang, count)), make_task(METHOD.name, config, lang=lang, seed=seed), sink), asked
    )
    assert sink.settled
    return sink, why, requests


def rows(sink):
    return [alpaca.write(made.record, Spelling()) for made in sink.kept]


def text_of(request):
    return "\n".join(message["content"] for message in request.messages)


def stage(name):
    return f"self-instruct/{name}"


STYLES = [
    {}, {"style": "completion"}, {"recipe": "alpaca"}, {"recipe": "alpaca", "structured": "never"},
    {"recipe": "alpaca", "style": "completion"}, {"instances": "all"}, {"recipe": "alpaca", "machine": 2}, {"only_classification": True},
]  # fmt: skip
REFERENCE = [
    {"compat": "reference"},
    {"compat": "reference", "recipe": "alpaca"},
    {"compat": "reference", "style": "chat"},
]


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("options", STYLES, ids=str)
def test_every_way_makes_what_was_asked_for_in_both_languages(options, lang):
    sink, why, _ = make(writer, lang=lang, **options)
    assert why == ""
    assert len({row["instruction"] for row in rows(sink)}) == 10
    assert len(sink.kept) == 10 or options.get("instances") == "all"
    for row in rows(sink):
        assert row["output"] and bool(re.search("[\u4e00-\u9fff]", row["instruction"])) == (lang == "zh")


@pytest.mark.parametrize("options", REFERENCE, ids=str)
def test_the_reference_makes_english_rows(options):
    sink, why, _ = make(writer, **options)
    assert why == "" and len(sink.kept) == 10


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from([*STYLES, *REFERENCE]),
    st.sampled_from(["en", "zh"]),
    st.integers(1, 12),
    st.integers(0, 2**32),
    st.sampled_from([0.0, 0.2, 0.6, 1.0]),
    st.integers(1, 4),
)
def test_candidates_add_up_and_the_same_seed_gives_the_same_rows(options, lang, n, seed, faults, size):
    lang = "en" if "compat" in options else lang
    runs = [make(Writer(faults), n, lang, seed, round=size, patience=2, tries=1, **options) for _ in range(2)]
    sink, why, requests = runs[0]
    assert (why == "") == (len({made.provenance["number"] for made in sink.kept}) == n)
    assert [made.provenance for made in sink.kept] == [made.provenance for made in runs[1][0].kept]
    assert rows(sink) == rows(runs[1][0]) and requests == runs[1][2]
    assert len({(request.key("m"), request.stage) for request in requests}) == len(requests), (
        "no request is asked twice alike"
    )


def shown_numbers(request):
    return re.findall(r"(?m)^(\d+)\. (.+)$", text_of(request))


@pytest.mark.parametrize(("lang", "span"), [("en", "numbered 9 to 16"), ("zh", "编号从 9 到 16")])
def test_a_prompt_shows_eight_tasks_in_one_line_each_and_asks_for_the_next_eight(lang, span):
    _, _, requests = make(faultless, 24, lang, round=1)
    prompts = [request for request in requests if request.stage == stage("tasks")]
    assert all(span in text_of(request) for request in prompts)
    shown = [shown_numbers(request) for request in prompts]
    assert [[int(number) for number, _ in one] for one in shown] == [[*range(1, 9)]] * len(prompts)
    human = [
        sum(any(job in text for job in JOBS + ZH_JOBS) and ("duty" in text or "清早" in text) for _, text in one)
        for one in shown
    ]
    assert human == [8] + [6] * (len(prompts) - 1)
    assert not any(text.endswith((":", "：")) for one in shown for _, text in one)


def test_the_completion_has_the_numbers_of_the_reference():
    _, _, requests = make(writer, style="completion")
    first = requests[0]
    assert first.raw and first.messages[0]["content"].endswith("\n9.")
    assert (first.temperature, first.top_p, first.presence_penalty, first.max_tokens) == (0.7, 0.5, 2, 1024)
    assert first.stop == ("\n\n", "\n16", "16.", "16 .")
    by_stage = {request.stage: request for request in requests}
    assert by_stage[stage("class-text")].max_tokens == 3 and by_stage[stage("class-text")].stop == ("\n", "Task")
    worked = by_stage[stage("input-first-text")]
    assert (worked.temperature, worked.presence_penalty, worked.max_tokens, worked.stop) == (
        0,
        1.5,
        350,
        ("Example 3", "Task:"),
    )
    _, _, requests = make(writer, compat="reference")
    assert {request.stop for request in requests if "put-first" in request.stage} == {("Example 6", "Task:")}
    _, _, requests = make(writer, recipe="alpaca", compat="reference")
    assert (
        requests[0].stop == ("\n20", "20.")
        and requests[0].max_tokens == 3072
        and text_of(requests[0]).endswith("\n4. Instruction:")
    )


def test_options_set_how_many_are_shown_and_asked_for():
    _, _, requests = make(faultless, 6, human=3, machine=1, tasks=5, round=1)
    prompts = [request for request in requests if request.stage == stage("tasks")]
    assert all(len(shown_numbers(request)) == 4 and "numbered 5 to 9" in text_of(request) for request in prompts)
    _, _, requests = make(writer, 10, recipe="alpaca", style="completion", lang="zh")
    assert len(re.findall("(?m)^\\d+\\. 输出：", text_of(requests[0]))) == 3


def test_only_classification_shows_seeds_that_say_they_are():
    _, _, requests = make(writer, only_classification=True)
    assert len(shown_numbers(requests[0])) == 3
    assert all(int(re.search(r"number (\d+)", text)[1]) % 4 == 0 for _, text in shown_numbers(requests[0]))
    with pytest.raises(DataError, match="is_classification"):
        make(writer, only_classification=True, count=0)


def list_of(*tasks, first=9):
    return "Sure!\n" + "\n".join(f"{number}) {task}" for number, task in enumerate(tasks, first))


def scripted(tasks, told="No", worked="Example 1\nInput: tea\nOutput: 茶", labelled="Class label: x\nthe text", **more):
    replies = {"tasks": tasks, "class": told, "input-first": worked, "output-first": labelled, **more}
    return Script({stage(name): reply for name, reply in replies.items()})


def test_chat_numbers_are_no_part_of_the_task_and_its_capitals_stay():
    script = scripted(list_of("Explain JSON and NASA to Bob", "Compare two of the teas, please", "说说 JSON 是什么"))
    sink, _, _ = make(script, 2, round=1)
    assert [row["instruction"] for row in rows(sink)] == [
        "Explain JSON and NASA to Bob",
        "Compare two of the teas, please",
    ]


def test_the_bold_of_a_title_is_taken_off_and_its_words_stay():
    titled = (
        "**Packing:** List what to take along.",
        "**写诗**：写一首秋天的诗。",
        "Explain **kwargs and **args in Python",
    )
    sink, _, _ = make(scripted(list_of(*titled)), 3, round=1)
    assert [row["instruction"] for row in rows(sink)] == ["Packing: List what to take along.", titled[2]]
    assert "写诗：写一首秋天的诗。" in [text for _, text, _ in sink.dropped]


def test_a_cut_reply_loses_its_last_task_only_and_under_the_reference_all():
    tasks = ("List five old rivers", "Name a calm harbour town", "Describe how a comp")
    cut = Reply(list_of(*tasks), "length")
    sink, why, _ = make(scripted([cut, Failure("budget")]), 5, round=1)
    assert [row["instruction"] for row in rows(sink)] == [*tasks[:2]]
    assert sink.dropped == [("truncated", tasks[2], "the reply was cut at its longest length")]
    assert why == "2 of 5: the budget is used up"
    text = Reply(" " + "\n10. ".join(tasks), "length")
    sink, _, _ = make(scripted("", **{"tasks-text": [text, Failure("budget")]}), 5, round=1, compat="reference")
    assert sink.rules == ["truncated"] * 3 and not sink.kept


def test_new_tasks_are_compared_with_each_other_in_the_order_of_requests():
    script = scripted(
        [list_of("泡一壶茉莉花茶要几步？"), list_of("泡一壶茉莉花茶要几步", "怎样种向日葵？"), Failure("budget")],
        told="否",
    )
    sink, _, _ = make(script, 16, "zh", round=2)
    assert [row["instruction"] for row in rows(sink)] == ["泡一壶茉莉花茶要几步？", "怎样种向日葵？"]
    assert sink.rules == ["not_novel"] and "茉莉花茶" in sink.dropped[0][2]


def test_what_is_not_needed_is_not_paid_for():
    script = scripted(
        list_of("List five old rivers", "Name a calm harbour town", "Invent a board game", "Praise an honest baker")
    )
    sink, _, requests = make(script, 2, round=1)
    assert Counter(request.stage for request in requests) == {
        stage("tasks"): 1,
        stage("class"): 2,
        stage("input-first"): 2,
    }
    assert sink.rules == ["surplus"] * 2


def test_instructions_whose_instances_all_fall_do_not_count():
    worked = ["Example 1\nInput: a\nOutput: a", "Example 1\nInput: tea\nOutput: 茶\nExample 2\nInput: b\nOutput: c"]
    script = scripted(list_of("List five old rivers", "Name a calm harbour town"), worked=worked)
    sink, why, _ = make(script, 1, round=1)
    assert why == "" and [row["instruction"] for row in rows(sink)] == ["Name a calm harbour town"]
    assert sink.rules == ["same_as_input", "spare_instance"]
    sink, _, _ = make(scripted(list_of("List five old rivers"), worked=worked[1]), 1, round=1, instances="all")
    assert [(row["input"], row["output"]) for row in rows(sink)] == [("tea", "茶"), ("b", "c")]


def test_classification_tasks_are_asked_for_the_label_first():
    script = scripted(list_of("判断这段话是褒义还是贬义"), told="是", labelled="类别标签：褒义\n他很勤快。")
    sink, _, requests = make(script, 1, "zh", round=1)
    assert [request.stage for request in requests] == [stage("tasks"), stage("class"), stage("output-first")]
    assert rows(sink)[0] == {"instruction": "判断这段话是褒义还是贬义", "input": "他很勤快。", "output": "褒义"}
    assert sink.kept[0].provenance["classification"] is True


def test_what_cannot_be_read_is_asked_again_and_then_counted():
    script = scripted(
        [REFUSAL["en"], list_of("List five old rivers", "Name a calm harbour town")],
        told=["Hm.", "Perhaps", "Well", "No"],
    )
    sink, _, requests = make(script, 1, round=1)
    assert [request.sample for request in requests if request.stage == stage("tasks")] == [0, 1]
    assert [(failure.rule, text) for failure, text in sink.failures] == [("no_class", "List five old rivers")]
    assert [row["instruction"] for row in rows(sink)] == ["Name a calm harbour town"]


def test_a_reply_cut_before_it_said_anything_says_what_to_do():
    thinking = Reply("<think>Is this one? Perhaps", "length")
    sink, _, _ = make(scripted([list_of("怎样种好一株向日葵？"), Failure("budget")], told=thinking), 1, "zh", round=1)
    assert sink.failures[0][0].rule == "truncated" and "--reply-tokens" in sink.failures[0][0].detail


def test_the_reference_takes_all_but_yes_for_no():
    script = Script({
        stage("tasks-text"): " List five old rivers", stage("class-text"): " Yes, it is",
        stage("input-first-text"): "Example 1\nOutput: the Nile",
    })  # fmt: skip
    sink, _, _ = make(script, 1, round=1, compat="reference")
    assert rows(sink) == [{"instruction": "List five old rivers", "input": "", "output": "the Nile"}]
    assert sink.kept[0].provenance["classification"] is False


def test_a_row_says_where_it_comes_from():
    sink, _, _ = make(faultless, 12, round=1)
    made, first = sink.kept[-1], sink.kept[0]
    told = made.provenance
    assert told["method"] == "self-instruct" and told["recipe"] == "self-instruct" and told["model"] == "writer"
    assert re.fullmatch(r"self-instruct/(in|out)put-first\.en@[0-9a-f]+", told["prompt"])
    assert (
        told["instruction"]["prompt"].startswith("self-instruct/tasks.en@") and told["instruction"]["finish"] == "stop"
    )
    assert len(told["seeds"]) == 6 and len(told["machine"]) == 2 and set(told["parents"]) == set(made.record.parents)
    assert len(first.provenance["seeds"]) == 8 and "machine" not in first.provenance
    ids = {record.extras["id"] for record in seed_records()}
    assert set(told["seeds"]) <= ids and told["tokens"]["completion"] > 0
    nearest = told["nearest"]
    assert 0 < nearest["score"] <= 0.7 and nearest["text"] != rows(sink)[-1]["instruction"]
    texts = {made.provenance["number"]: row["instruction"] for made, row in zip(sink.kept, rows(sink), strict=True)}
    assert all(
        texts[one.provenance["nearest"]["number"]] == one.provenance["nearest"]["text"]
        for one in sink.kept
        if one.provenance["nearest"].get("number") in texts
    )


def test_rows_come_out_in_the_order_of_the_pool():
    sink, _, _ = make(writer, 20, round=3)
    numbers = [made.provenance["number"] for made in sink.kept]
    assert numbers == sorted(numbers)


def test_barren_rounds_end_the_run_and_say_why():
    sink, why, requests = make(scripted(list_of("Write", "Draw a sheep for me")), 3, patience=3, round=3)
    assert why == "0 of 3: 3 rounds in a row brought nothing new (in the last: too_short 3, keyword 3)"
    assert len(requests) == 1 + 2 + 3, "after a barren round twice as many, never more than --round"
    _, why, _ = make(scripted(Failure("timeout")), 3, patience=1, round=3)
    assert "timeout 1" in why


def test_the_budget_ends_the_run_tidily():
    for allowed in (0, 1, 2, 3, 5, 8):
        left = [allowed]

        def answer(request, left=left):
            left[0] -= 1
            return writer(request) if left[0] >= 0 else Failure("budget", attempts=0)

        sink, why, _ = make(answer, 10, round=2)
        assert why == f"{len(sink.kept)} of 10: the budget is used up"
        assert any(failure.rule == "budget" for failure, _ in sink.failures)


def test_seeds_can_be_written_too():
    sink, _, _ = make(writer, 3, "zh", with_seeds=True)
    assert len(sink.kept) == 12 + 3
    assert rows(sink)[0] == {"instruction": "请说说面包师每天清早第0件要做的事", "input": "", "output": "面包师"}
    assert sink.kept[0].provenance["seed"] == "s0"


def test_alpaca_reads_whole_tasks_and_counts_each_fault():
    text = """Instruction: List five old rivers
4. Input:
<noinput>
4. Output:
Nile and others
###
5. Instruction: Name the moon
5. Input:
<noinput>
5. Output:
Luna
###
6. Instruction: Say what follows from this
6. Input:
x = 1
6. Output:
###
7. Instruction: Suggest calm music for tea time
7. Input:
<noinput>
7. Output:
Satie
###
8. Instruction: Without its parts"""
    sink, _, _ = make(
        Script({stage("alpaca"): [text, Failure("budget")]}), 5, recipe="alpaca", structured="never", round=1
    )
    assert rows(sink) == [{"instruction": "List five old rivers", "input": "", "output": "Nile and others"}]
    assert sink.rules == ["too_short", "empty_output", "keyword", "malformed"]


def test_alpaca_shows_inputs_and_marks_missing_ones():
    _, _, requests = make(writer, 3, "zh", recipe="alpaca", structured="never")
    assert "1. 输入：\n<无输入>\n1. 输出：\n" in text_of(requests[0])
    _, _, requests = make(writer, 3, recipe="alpaca")
    assert requests[0].schema is not None and '"input": ""' in text_of(requests[0])


def accepted_by_reference(replies, seed_texts):
    """Step 1 of the reference over replies in order, written plainly from its description, with rouge_score itself."""
    scorer, pool, kept = rouge_scorer.RougeScorer(["rougeL"], use_stemmer=False), list(seed_texts), []
    banned = "image images graph graphs picture pictures file files map maps draw plot".split() + ["go to"]
    for text, finish in replies:
        for piece in re.split(r"\n\d+\s?\. ", text) if finish != "length" else ():
            line = re.sub(r"\s+", " ", piece).strip().capitalize()
            words = line.split()
            if len(words) <= 3 or len(words) > 150 or line[0] in string.punctuation or not line[0].isascii():
                continue
            if line.startswith("Write a program") or any(
                re.search(rf"\b{word}\b", line, re.IGNORECASE) for word in banned
            ):
                continue
            if max(scorer.score(line, other)["rougeL"].fmeasure for other in pool) > 0.7:
                continue
            pool.append(line)
            kept.append(line)
    return kept


def test_step_one_under_compat_reference_is_the_reference_itself():
    replies, pool = [], []
    model = Writer(0.4)

    def answer(request):
        if request.stage == stage("tasks-text"):
            if len(replies) == 49:
                return Failure("budget")
            reply = model(request)
            replies.append((reply.text, reply.finish))
            return reply
        if request.stage == stage("class-text"):
            pool.append(re.findall(r"(?m)^Task: (.+)$", text_of(request))[-1])
        return faultless(request)

    make(answer, 1000, compat="reference", round=7)
    seed_texts = [record.turns[0].text for record in seed_records()]
    assert pool == accepted_by_reference(replies, seed_texts)
    assert len(pool) > 60 and any(finish == "length" for _, finish in replies)


def test_settings_that_do_not_go_together_are_refused():
    with pytest.raises(UsageError, match="non-ASCII|ASCII"):
        config_of(compat="reference", lang="zh")
    with pytest.raises(UsageError, match="Alpaca"):
        config_of(compat="reference", recipe="alpaca", style="chat")
    with pytest.raises(UsageError, match="--n"):
        config_of(n=0)
    with pytest.raises(UsageError, match="ASCII"):
        make(writer, lang="zh", compat="reference")


def test_faulty_seeds_are_errors_before_anything_is_asked_or_left_out_by_name(tmp_path):
    place = tmp_path / "seeds.jsonl"
    place.write_text(
        '{"instruction": "译", "input": "tea", "output": "茶"}\n{"instruction": "写诗", "input": "", "output": ""}\n',
        "utf-8",
    )
    config = SelfInstructConfig(seeds=(str(place),), n=1, model="m", base_url="http://localhost:9/v1")
    with pytest.raises(RowError) as fault:
        self_instruct((), str(tmp_path / "out.jsonl"), config, RunOptions())
    assert fault.value.place == f"{place}:2: $.output" and not list(tmp_path.glob("out*"))
    records = [alpaca.read({"instruction": "写诗", "input": "", "output": ""}, Spelling()), *seed_records("zh")]
    sink = ListSink()
    drive(start(records, make_task(METHOD.name, config_of(1), lang="zh"), sink), writer)
    assert sink.counts == {"seeds left out: empty_output": 1}


def test_the_plan_names_the_stages_that_are_asked():
    for options in STYLES[:5]:
        _, _, requests = make(writer, 12, **options)
        assert {request.stage for request in requests} <= {one.name for one in stages(config_of(**options))}


def test_the_writer_answers_bodies_as_it_answers_requests():
    _, _, requests = make(writer, 12, "zh")
    for request in requests:
        body = {"messages": [dict(message) for message in request.messages]}
        assert request.sample or writer_text(body) == writer(request).text
    assert stage_of("...\nClassification:") == "class" and set(FAULTS["en"]) == set(FAULTS["zh"])
    with pytest.raises(ValueError, match="not a prompt"):
        writer_text({"prompt": "Hello"})
