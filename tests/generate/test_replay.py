"""replay: rows answered anew, new requests from examples and from nothing, and what they fall to."""

import itertools
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sinks import ListSink, Script, make_task
from small_models import small_tokenizer

from dataforge.config import RunOptions
from dataforge.errors import DataError, InputError, RowError, UsageError
from dataforge.generate.chain import drive
from dataforge.generate.replay import ANSWER, INSTRUCTION, QUERY, ReplayConfig, expand, replay, stages
from dataforge.generate.talk.prequery import Prequery, prequery
from dataforge.generate.talk.rehearsal import examples_of, start
from dataforge.llm.request import Failure, Reply
from dataforge.record import Candidate, Record, Turn, record_id

GENERAL = [
    ("Name a river.", "The Rhine."),
    ("绿茶怎么泡？", "先温杯。"),
    ("What is 2 + 2?", "Four."),
    ("一加一？", "二。"),
]


def config(**values):
    return ReplayConfig(**{"model": "a", **values})


def rows(pairs=GENERAL):
    return [Record([Turn("user", [question]), Turn("assistant", [answer])]) for question, answer in pairs]


def run(settings, replies, seeds=(), seed=0):
    """(sink, script, why rows are missing) of a pool."""
    sink, script = ListSink(), Script(replies)
    reason = drive(start(list(seeds), make_task("replay", settings, seed=seed), sink), script)
    assert sink.settled
    return sink, script, reason


def nothing(**values):
    return config(from_nothing=True, pre_query="<|im_start|>user\n", turn_end="<|im_end|>", **values)


def fresh():
    """A model that never asks for the same thing twice."""
    numbers = itertools.count()
    return lambda request: Reply(f"How do I mend bicycle number {next(numbers)}?")


# rows


def test_a_row_is_answered_anew_by_the_model_itself():
    record = Record([Turn("user", ["泡茶？"]), Turn("assistant", ["旧"])], extras={"id": 3})
    sink, script = ListSink(), Script("<think>嗯</think>\n新")
    drive(expand(make_task("replay", config(reasoning="drop"), record), sink), script)
    (made,) = sink.kept
    assert sink.settled and made.record == Record(
        [Turn("user", ["泡茶？"]), Turn("assistant", ["新"])], extras={"id": 3}
    )
    assert made.provenance["parents"] == [record_id(record).hex()] and made.novel == "泡茶？"
    assert [m["content"] for m in script.asked[0].messages] == ["泡茶？"] and script.asked[0].model == ""
    with pytest.raises(RowError, match="document"):
        next(expand(make_task("replay", config(), "文章"), ListSink()))


@pytest.mark.parametrize(
    ("reply", "rule"),
    [
        (Reply("cut", finish="length"), "truncated"),
        (Reply("<think>x</think>"), "empty"),
        (Reply("好的，好的，" * 20), "stuck"),
        (Reply("and so on and so on " * 20), "stuck"),
    ],
)
def test_unsound_answers_fall_to_their_rule(reply, rule):
    for record in (["q", "a"], ["问", "答"]):
        sink = ListSink()
        drive(expand(make_task("replay", config(), record), sink), lambda request: reply)
        assert sink.settled and sink.rules == [rule] and not sink.kept


@pytest.mark.parametrize("refusal", ["I'm sorry, but I can't help with that.", "抱歉，我无法回答这个问题。"])
def test_refusals_are_counted_and_kept_unless_they_are_not_wanted(refusal):
    for drop in (False, True):
        sink = ListSink()
        drive(expand(make_task("replay", config(drop_refusals=drop), ["q"]), sink), Script(refusal))
        assert (len(sink.kept), sink.rules) == ((0, ["refusal"]) if drop else (1, []))
        assert sink.counts == ({} if drop else {"refusals kept": 1}) and sink.settled


# from nothing


def test_from_nothing_the_text_before_a_query_is_continued_and_the_query_answered_as_a_chat():
    sink, script, reason = run(nothing(n=3, system="Be kind."), {QUERY: fresh(), ANSWER: "Like so."})
    queries = [request for request in script.asked if request.stage == QUERY]
    assert all(request.raw and request.messages[0]["content"] == "<|im_start|>user\n" for request in queries)
    assert [request.sample for request in queries] == [0, 1, 2]
    assert {request.stop for request in queries} == {("<|im_end|>", "\n")}
    assert {(request.temperature, request.top_p, request.max_tokens) for request in queries} == {(1.0, 1.0, 512)}
    answers = [request for request in script.asked if request.stage == ANSWER]
    assert [[m["role"] for m in request.messages] for request in answers] == [["system", "user"]] * 3
    assert reason == "" and len(sink.kept) == 3
    for made in sink.kept:
        assert [turn.role for turn in made.record.turns] == ["system", "user", "assistant"]
        assert made.provenance["prompt"].startswith("replay/query.en@") and "parents" not in made.provenance
    _, script, _ = run(nothing(n=1, one_line=False), {QUERY: fresh(), ANSWER: "x"})
    assert script.asked[0].stop == ("<|im_end|>",)


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("text", ["<|im_start|>user\n", "[INST] ", "{{ x }}[[user]]\n\n", "用户："])
def test_the_text_before_a_query_is_sent_to_the_last_blank(lang, text):
    chain = start([], make_task("replay", replace(nothing(n=1), pre_query=text), lang=lang), ListSink())
    assert [dict(m) for m in next(chain)[0].messages] == [{"role": "text", "content": text}]


QUERIES = [
    ("   ", "empty_request"),
    ("？！", "empty_request"),
    ("How is tea brewed?<|im_end|>\nIt is", "template_marks_request"),
    ("How is tea brewed?\nassistant\nIt is", "template_marks_request"),
    ("茶怎么泡？<｜Assistant｜>好", "template_marks_request"),
    ("tell me more about it " * 10, "stuck_request"),
    ("再说一遍吧" * 10, "stuck_request"),
]


@pytest.mark.parametrize(("query", "rule"), QUERIES)
def test_requests_that_are_none_fall_to_their_rule_and_are_not_answered(query, rule):
    sink, script, reason = run(nothing(n=1, patience=2), {QUERY: query})
    assert sink.rules == [rule] * 2 and script.stages() == [QUERY] * 2
    assert reason == "0 of 1 rows were made: 2 rounds in a row brought no new one"


def test_cut_requests_repeated_ones_and_those_in_another_language_are_dropped():
    sink, _, _ = run(nothing(n=1, patience=1), {QUERY: Reply("How do I", finish="length")})
    assert sink.rules == ["truncated_request"]
    sink, _, _ = run(nothing(n=3, patience=2), {QUERY: "How is tea brewed?", ANSWER: "Hot."})
    assert len(sink.kept) == 1 and set(sink.rules) == {"same_request"}
    mixed = {QUERY: ["How is tea brewed?", "绿茶怎么泡？"], ANSWER: "好。"}
    sink, _, _ = run(nothing(n=1, lang="zh"), mixed)
    assert sink.texts == [["绿茶怎么泡？", "好。"]] and sink.rules == ["other_language_request"]


def test_novelty_compares_new_requests_with_each_other_and_with_the_examples():
    near = [
        "Name three rivers in the south of France.",
        "Name three rivers in the north of France.",
        "Why is tea green?",
    ]
    sink, _, _ = run(nothing(n=2, round=1, novelty=0.7), {QUERY: near, ANSWER: "x"})
    assert [texts[0] for texts in sink.texts] == [near[0], near[2]] and sink.rules == ["not_novel_request"]
    seeds = rows([(near[0], "The Rhone.")])
    sink, _, _ = run(config(shots=1, n=1, novelty=0.7), {INSTRUCTION: near[1:], ANSWER: "x"}, seeds)
    assert sink.texts == [[near[2], "x"]] and sink.rules == ["not_novel_request"]


def test_the_pool_goes_in_rounds_and_asks_for_no_more_than_is_missing():
    replies = {
        QUERY: fresh(),
        ANSWER: lambda request: Reply("cut", finish="length") if hash_bit(request) else Reply("ok"),
    }
    sink, script, _ = run(nothing(n=10, round=4), replies)
    assert len(sink.kept) == 10
    asked = Counter(request.stage for request in script.asked)
    assert asked[QUERY] == sink.candidates == 10 + len(sink.rules)
    samples = [request.sample for request in script.asked if request.stage == QUERY]
    assert samples == list(range(len(samples)))


def hash_bit(request):
    return sum(request.messages[-1]["content"].encode()) % 3 == 0


def test_an_empty_budget_ends_the_pool_with_what_is_there():
    for stage in (QUERY, ANSWER):
        answers = {QUERY: [Reply(f"Why {word}?") for word in ("tea", "rain", "snow")], ANSWER: "So."}
        answers[stage] = [*([answers[stage]] if stage == ANSWER else answers[stage])[:1], Failure("budget")]
        sink, _, reason = run(nothing(n=9, round=3), answers)
        assert [failure.rule for failure, _ in sink.failures] == ["budget"] * 2
        assert len(sink.kept) == 1 and reason == ""


# from examples


def test_examples_are_drawn_from_the_rows_by_the_seed_and_named():
    seeds = rows()
    ids = {record_id(seed).hex(): seed.turns[0].text for seed in seeds}
    first = run(config(shots=2, n=4), {INSTRUCTION: fresh(), ANSWER: "So."}, seeds)
    again = run(config(shots=2, n=4), {INSTRUCTION: fresh(), ANSWER: "So."}, seeds)
    other = run(config(shots=2, n=4), {INSTRUCTION: fresh(), ANSWER: "So."}, seeds, seed=1)
    assert first[1].asked == again[1].asked
    assert first[1].asked != other[1].asked
    made_of = [request for request in first[1].asked if request.stage == INSTRUCTION]
    for request, made in zip(made_of, first[0].kept, strict=True):
        parents = made.provenance["parents"]
        assert len(set(parents)) == 2
        assert all(ids[parent] in request.messages[-1]["content"] for parent in parents)


def test_examples_of_one_request_are_of_one_language_and_so_is_its_prompt():
    seeds = rows()
    sink, script, _ = run(config(shots=2, n=12), {INSTRUCTION: fresh(), ANSWER: "So."}, seeds)
    asked = [request for request in script.asked if request.stage == INSTRUCTION]
    assert {request.prompt.partition("@")[0] for request in asked} == {f"{INSTRUCTION}.en", f"{INSTRUCTION}.zh"}
    for request in asked:
        said = request.messages[-1]["content"]
        assert ("绿茶" in said) == ("一加一" in said) == (".zh@" in request.prompt) != ("river" in said)
    _, script, _ = run(config(shots=2, n=4, lang="en"), {INSTRUCTION: fresh(), ANSWER: "So."}, seeds)
    assert all("绿茶" not in request.messages[-1]["content"] for request in script.asked)
    with pytest.raises(DataError, match="3 examples in Chinese are asked for, and 2 of 4 rows"):
        run(config(shots=3, n=1, lang="zh"), {}, seeds)


def test_only_rows_of_one_question_and_its_answer_are_examples():
    talk = Record([Turn(role, [role]) for role in ("user", "assistant", "user", "assistant")])
    open_row = Record([Turn("user", ["waiting"])])
    ranked = Record([Turn("user", ["问"])], candidates=[Candidate([Turn("assistant", ["好"])], score=2.0)])
    document = Record([Turn("document", ["文章"])])
    tools = Record([Turn("user", ["q"]), Turn("assistant", ["a"])], tools=[{"name": "f"}])
    found = examples_of([talk, open_row, ranked, document, tools, *rows()[:1]])
    assert [(one.question, one.answer) for one in found] == [("问", "好"), ("Name a river.", "The Rhine.")]
    with pytest.raises(DataError, match="3 examples are asked for, and 2 of 3 rows"):
        run(config(shots=3, n=1), {}, [document, *rows()[:2]])


@pytest.mark.parametrize(
    ("reply", "text"),
    [
        ("Request: Name a lake.", "Name a lake."),
        ("**Request 5:** Name a lake.", "Name a lake."),
        ("<think>hm</think>新的请求：说出一个湖。", "说出一个湖。"),
        ("请求3：说出一个湖。", "说出一个湖。"),
        ("Write a request: polite and short.", "Write a request: polite and short."),
        ("### Request 3\nName a lake.", "Name a lake."),
        ("Request 3:\nName a lake.\n\nAnswer 3:\nLake Como.", "Name a lake."),
        ("请求3：\n说出一个湖。\n\n**回答3**：太湖。", "说出一个湖。"),
        ("Fill in the gap.\nQuestion: Who?\nAnswer:", "Fill in the gap.\nQuestion: Who?\nAnswer:"),
    ],
)
def test_labels_before_a_new_request_are_taken_off(reply, text):
    sink, _, _ = run(config(shots=1, n=1), {INSTRUCTION: reply, ANSWER: "x"}, rows())
    assert sink.texts[0][0] == text


def test_a_new_request_that_is_one_of_the_rows_is_dropped():
    sink, _, _ = run(config(shots=1, n=1), {INSTRUCTION: ["name a river", "说一个湖"], ANSWER: "x"}, rows())
    assert sink.rules == ["same_request"] and sink.texts == [["说一个湖", "x"]]


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.sampled_from(["tea?", "雨？", "", "a b c " * 20, "<|x|>"]).map(Reply) | st.just(Failure("timeout")),
        min_size=1,
    ),
    st.lists(
        st.sampled_from(["ok", "", "sorry, I cannot answer"]).map(Reply) | st.just(Failure("http_500")), min_size=1
    ),
    st.integers(1, 5),
    st.integers(1, 3),
)
def test_whatever_comes_back_the_pool_ends_and_adds_up(queries, answers, n, patience):
    sink, _, reason = run(nothing(n=n, patience=patience, round=2), {QUERY: queries, ANSWER: answers})
    assert len(sink.kept) <= n and bool(reason) == (len(sink.kept) < n)
    questions = [texts[0] for texts in sink.texts]
    assert len(set(questions)) == len(questions)


# settings and the text before a query


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"shots": 2}, "-n: it is not said"),
        ({"from_nothing": True}, "-n: it is not said"),
        ({"n": 5}, "-n: input rows are answered one for one"),
        ({"shots": 2, "from_nothing": True, "n": 5}, "--shots"),
        ({"pre_query": "x"}, "--pre-query"),
        ({"turn_end": "x", "shots": 1, "n": 1}, "--turn-end"),
        ({"tokenizer": "x"}, "--tokenizer"),
    ],
)
def test_settings_that_do_not_fit_each_other_are_named(values, named):
    with pytest.raises(UsageError, match=named):
        config(**values)


def test_inputs_and_the_way_asked_for_must_fit():
    options = RunOptions(quiet=True)
    with pytest.raises(UsageError, match="no input is read"):
        replay(("rows.jsonl",), None, nothing(n=1), options)
    with pytest.raises(UsageError, match="no input"):
        replay((), None, config(), options)
    with pytest.raises(UsageError, match="not known what the model's chat template writes"):
        replay((), None, replace(nothing(n=1), pre_query=None), options)
    with pytest.raises(InputError, match="no such folder"):
        replay((), None, config(from_nothing=True, n=1, tokenizer="nowhere/at/all"), options)


def test_the_plan_names_the_requests_of_each_way():
    assert [stage.name for stage in stages(config())] == [ANSWER]
    assert [stage.name for stage in stages(config(shots=2, n=1))] == [INSTRUCTION, ANSWER]
    assert [stage.name for stage in stages(nothing(n=1))] == [QUERY, ANSWER]


LLAMA2 = "{{ bos_token }}{% for m in messages %}[INST] {{ m['content'] }} [/INST]{% endfor %}"
DEEPSEEK = (
    "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'user' %}<｜User｜>{{ m['content'] }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<｜Assistant｜>{% endif %}"
)
QWEN = (
    "{% if messages[0]['role'] != 'system' %}<|im_start|>system\nYou are kind.<|im_end|>\n{% endif %}"
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SHOUTING = "{% for m in messages %}{{ m['content'] | lower }}{% endfor %}"


@pytest.fixture
def folder(tmp_path):
    """Saves a tokenizer with this template; says where."""

    def save(template, *, first=""):
        tokenizer = small_tokenizer()
        tokenizer.save_pretrained(tmp_path)
        from transformers import AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(tmp_path)
        tokenizer.chat_template = template
        if first:
            tokenizer.bos_token = first
            from tokenizers.processors import TemplateProcessing

            tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
                single=f"{first} $A", special_tokens=[(first, tokenizer.bos_token_id)]
            )
        tokenizer.save_pretrained(tmp_path)
        return str(tmp_path)

    return save


def test_the_text_before_a_query_is_the_templates_own(folder):
    assert prequery(folder(QWEN)) == Prequery(
        "<|im_start|>system\nYou are kind.<|im_end|>\n<|im_start|>user\n", "<|im_end|>"
    )
    mine = prequery(folder(QWEN), "你是数学老师。")
    assert mine == Prequery("<|im_start|>system\n你是数学老师。<|im_end|>\n<|im_start|>user\n", "<|im_end|>")
    assert prequery(folder(LLAMA2, first="<|im_start|>")) == Prequery("[INST] ", "[/INST]")
    assert prequery(folder(DEEPSEEK)).end == "<｜Assistant｜>"
    with pytest.raises(UsageError, match="does not write a query as it stands"):
        prequery(folder(SHOUTING))
