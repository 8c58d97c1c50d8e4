"""back: instructions written for documents, each rule with a planted fault, curation, and accounts that add up."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sinks import ListSink, Script, make_task

from dataforge.errors import UsageError
from dataforge.generate.back import BackConfig, expand, faulty, stages, written
from dataforge.generate.chain import drive
from dataforge.generate.prompting.promptset import PromptSet
from dataforge.generate.reading.replies import Unreadable
from dataforge.llm.request import Failure, Reply
from dataforge.record import Record, Turn

EN = (
    "Warm the pot first. Put in one spoon of leaves for each cup, and pour on water of 80 degrees. Wait two minutes, "
    "then pour all of it out, so that the second brew does not turn bitter."
)
ZH = "先用热水温壶。每杯放一勺茶叶，注入八十度的水，静置两分钟后全部倒出，否则第二泡会发苦。茶叶可以冲泡三次，每次延长半分钟。"
DOCUMENTS = {"en": EN, "zh": ZH}
ASKED = {"en": "How do I brew green tea properly?", "zh": "请介绍冲泡绿茶的正确步骤。"}
LANGS = pytest.mark.parametrize("lang", ["en", "zh"])


def make(reply, lang="en", document=None, **options):
    """(sink, script) of a run over one row."""
    script = reply if isinstance(reply, Script) else Script(reply)
    sink = ListSink()
    task = make_task("back", BackConfig(model="m", **options), document or DOCUMENTS[lang], lang=lang)
    drive(expand(task, sink), script)
    assert sink.settled and sink.candidates == 1
    return sink, script


@LANGS
def test_a_document_becomes_the_answer_to_the_instruction_written_for_it(lang):
    sink, script = make(ASKED[lang], lang)
    assert sink.texts == [[ASKED[lang], DOCUMENTS[lang]]]
    made = sink.kept[0]
    assert made.novel == ASKED[lang] and made.provenance["prompt"].startswith(f"back/instruction.{lang}@")
    assert made.provenance["parents"] == list(made.record.parents)
    assert DOCUMENTS[lang] in script.asked[0].messages[-1]["content"] and len(script.asked) == 1


def test_of_a_conversation_the_last_answer_is_asked_for_anew():
    record = Record(
        [Turn("user", ["old"]), Turn("assistant", ["no"]), Turn("user", ["older"]), Turn("assistant", [ZH])]
    )
    assert make(ASKED["zh"], "zh", record)[0].texts == [[ASKED["zh"], ZH]]


@pytest.mark.parametrize(
    ("record", "rule"),
    [
        (Record([Turn("document", ["  \n"])]), "empty_answer"),
        (Record([Turn("user", ["no answer at all"])]), "empty_answer"),
        (Record([Turn("document", ["茶。"])]), "too_short"),
        (Record([Turn("document", ["茶" * 8001])]), "too_long"),
    ],
)
def test_an_answer_that_does_not_fit_is_dropped_before_anything_is_paid(record, rule):
    sink, script = make("", document=record)
    assert sink.rules == [rule] and script.asked == []


def test_a_long_answer_is_never_cut():
    assert make(ASKED["en"], document=EN * 40, max_chars=100)[0].rules == ["too_long"]
    assert make(ASKED["en"], document=EN * 40, max_chars=10_000)[0].texts[0][1] == EN * 40


@LANGS
@pytest.mark.parametrize(
    ("rule", "planted"),
    [
        ("holds_answer", {"en": f"Tell me this: {EN}", "zh": f"请写一段话：{ZH}"}),
        ("not_self_contained", {"en": "Summarise the following text.", "zh": "请概括这篇文章的内容。"}),
        ("empty", {"en": "?!", "zh": "……"}),
    ],
)
def test_a_planted_fault_falls_to_its_rule(rule, planted, lang):
    sink, _ = make(planted[lang], lang)
    assert sink.rules == [rule] and sink.dropped[0][1] == planted[lang]


def test_a_long_copy_of_a_long_answer_is_found_where_its_share_is_small():
    words = [f"word{number}" for number in range(600)]
    answer = " ".join(words)
    assert faulty("Explain " + " ".join(words[100:129]), answer) is None
    assert faulty("Explain " + " ".join(words[100:130]), answer) == ("holds_answer", "30 terms of the answer in a row")


@pytest.mark.parametrize(
    ("reply", "instruction"),
    [
        ("Instruction: Brew tea.", "Brew tea."),
        ("**Instruction:** Brew tea.", "Brew tea."),
        ("Sure! Here's the instruction:\n\nBrew tea.", "Brew tea."),
        ("指令：请泡茶。", "请泡茶。"),
        ("好的，指令如下：\n请泡茶。", "请泡茶。"),
        ("“请泡茶。”", "请泡茶。"),
        ('"Brew tea."', "Brew tea."),
        ('"Brew" and "tea"', '"Brew" and "tea"'),
        ("<think>hm</think>\n```\nBrew tea.\n```", "Brew tea."),
        ("Write a prompt: it should name tea.", "Write a prompt: it should name tea."),
        ("Instructions for tea", "Instructions for tea"),
        ("Here is an instruction that would lead to this answer:\n\nBrew tea.", "Brew tea."),
        ('Based on the answer, the instruction was likely:\n"Brew tea."', "Brew tea."),
        ("The instruction could be:\nBrew tea.", "Brew tea."),
        ("<instruction>\nBrew tea.\n</instruction>", "Brew tea."),
        ("<instruction>请泡茶。</instruction>", "请泡茶。"),
        ("以下是可能的指令：\n\n请泡茶。", "请泡茶。"),
        ("以下是对应的指令：请泡茶。", "请泡茶。"),
        ("根据这个回答，指令可能是：\n“请泡茶。”", "请泡茶。"),
        ("用户指令：请泡茶。", "请泡茶。"),
        ("下面是一条指令：开灯。请判断它是否有礼貌。", "下面是一条指令：开灯。请判断它是否有礼貌。"),
        ("根据下面的要求写信：\n一、要短。", "根据下面的要求写信：\n一、要短。"),
        ("Answer the following request:\nBrew tea.", "Answer the following request:\nBrew tea."),
        (
            "Here is a request of a guest:\nTea at six. Answer it.",
            "Here is a request of a guest:\nTea at six. Answer it.",
        ),
        ("Here is a letter:\nDear Ann. Reply to it.", "Here is a letter:\nDear Ann. Reply to it."),
    ],
)
def test_labels_and_quotation_marks_around_an_instruction_are_taken_off(reply, instruction):
    assert written(Reply(reply)) == instruction


@pytest.mark.parametrize(
    "reply", [Reply(""), Reply("<think>x</think>"), Reply("Instruction:"), Reply("Brew", finish="length")]
)
def test_replies_that_hold_no_whole_instruction_are_unreadable(reply):
    with pytest.raises(Unreadable):
        written(reply)


def test_an_unreadable_reply_is_asked_for_again_and_a_failure_is_not():
    sink, script = make(["<think>", ASKED["en"]])
    assert len(sink.kept) == 1 and [request.sample for request in script.asked] == [0, 1]
    for rule in ("budget", "timeout"):
        sink, script = make(Failure(rule))
        assert len(script.asked) == 1 and sink.failures[0][0].rule == rule


@LANGS
def test_curation_keeps_what_reaches_the_mark(lang):
    def marked(score, least, **more):
        reply = json.dumps({"reason": "理由", "score": score})
        return make(
            {"back/instruction": ASKED[lang], "back/score": reply}, lang, curate="self", min_score=least, **more
        )

    sink, script = marked(4, 4, temperature=1.2)
    assert sink.kept[0].provenance["curation"]["score"] == 4 and sink.kept[0].provenance["curation"]["reason"] == "理由"
    assert [request.temperature for request in script.asked] == [1.2, 0] and script.asked[1].model == ""
    sink, _ = marked(3, 4)
    assert sink.rules == ["low_score"] and sink.dropped[0][2] == "3 of 5: 理由"


def test_a_curator_is_named_without_the_address_of_its_server():
    mark = Reply(json.dumps({"reason": "", "score": 5}))  # the server does not say who answers
    secret = "judge@http://user:secret@localhost:8000/v1"
    sink, _ = make({"back/instruction": ASKED["zh"], "back/score": mark}, "zh", curate=secret)
    assert sink.kept[0].provenance["curation"]["model"] == "judge"


def test_a_faulty_instruction_is_not_marked():
    sink, script = make({"back/instruction": "Summarise this text."}, curate="judge-model")
    assert sink.rules == ["not_self_contained"] and script.stages() == ["back/instruction"]


@pytest.mark.parametrize("score", ["6", "0", "true", '"4"', "3.5", "null"])
def test_what_is_no_mark_from_1_to_5_is_a_failure_and_no_mark(score):
    replies = {"back/instruction": ASKED["en"], "back/score": f'{{"reason": "x", "score": {score}}}'}
    sink, script = make(replies, curate="self", tries=2)
    assert not sink.kept and sink.failures[0][0].rule == "schema" and len(script.asked) == 3


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"curate": ""}, "--curate"),
        ({"min_score": 6}, "--min-score"),
        ({"least_chars": 9, "max_chars": 8}, "--least-chars 9"),
    ],
)
def test_settings_that_make_no_sense_are_refused_by_name(options, said):
    with pytest.raises(UsageError, match=said):
        BackConfig(model="m", **options)


def test_the_plan_names_the_stages_that_are_asked():
    assert [stage.name for stage in stages(BackConfig(model="m"))] == ["back/instruction"]
    assert [stage.name for stage in stages(BackConfig(model="m", curate="self"))] == ["back/instruction", "back/score"]


@LANGS
@pytest.mark.parametrize("name", ["back/instruction", "back/score"])
def test_a_document_with_braces_and_marks_is_only_text(name, lang):
    nasty = "{{ answer }} {% if %} [[user]]\n---\n</answer> 茶"
    request = PromptSet().get(name, lang).request({"answer": nasty, "instruction": "{{ x }}"})
    assert [message["role"] for message in request.messages] == ["system", "user"]
    assert nasty in request.messages[1]["content"]


@given(st.text(max_size=60), st.text(max_size=200))
@settings(max_examples=50, deadline=None)
def test_accounts_add_up_whatever_the_model_writes(reply, document):
    make(reply, document=document or " ", least_chars=1)
