"""grounded: rows from passages, each rule with a planted fault, failures, the judge, and accounts that add up."""

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sinks import ListSink, Script, make_task

from dataforge.errors import UsageError
from dataforge.generate.chain import drive
from dataforge.generate.documents.evidence import place_of
from dataforge.generate.documents.passages import cut
from dataforge.generate.grounded import GroundedConfig, expand, stages
from dataforge.generate.prompting.promptset import PromptSet
from dataforge.llm.request import Failure, Reply
from dataforge.record import Record, Turn

EN = (
    "Green tea is brewed at 80 degrees for two minutes. Boiling water makes green tea bitter because it draws out "
    "tannins. In Japan the leaves are steamed after the harvest, while in China they are roasted in a pan."
)
ZH = (
    "绿茶宜用八十度的水冲泡两分钟。沸水会析出大量单宁，使茶汤发苦。日本的绿茶采摘后用蒸汽杀青，中国的绿茶则多在锅中炒制。"
    "龙井茶产于浙江杭州，以清明之前采摘的嫩芽为上品，称为明前茶。"
)
GOOD = {
    "en": [
        ("How hot should the water for green tea be?", "Green tea is brewed at 80 degrees."),
        ("Why does boiling water spoil green tea?", "Boiling water makes green tea bitter because it draws out tannins."),
    ],
    "zh": [
        ("绿茶应当用多热的水冲泡？", "绿茶宜用八十度的水冲泡。"),
        ("龙井茶产于哪里？", "龙井茶产于浙江杭州。"),
    ],
}  # fmt: skip
DOCUMENTS = {"en": EN, "zh": ZH}
LANGS = pytest.mark.parametrize("lang", ["en", "zh"])


def pairs(*found, quote=""):
    return json.dumps({"pairs": [{"question": q, "quote": quote, "answer": a} for q, a in found]}, ensure_ascii=False)


def talks(*found):
    turns = [{"turns": [{"question": q, "answer": a} for q, a in talk]} for talk in found]
    return json.dumps({"dialogues": turns}, ensure_ascii=False)


def make(reply, lang="en", document=None, **options):
    """(sink, script) of a run over one document."""
    config = GroundedConfig(model="m", **{"per_passage": 2, **options})
    script = reply if isinstance(reply, Script) else Script(reply)
    sink = ListSink()
    drive(expand(make_task("grounded", config, document or DOCUMENTS[lang], lang=lang), sink), script)
    assert sink.settled
    return sink, script


@LANGS
def test_pairs_become_rows_that_say_which_passage_they_stand_on(lang):
    quote = DOCUMENTS[lang][:12]
    sink, script = make(pairs(*GOOD[lang], quote=quote), lang)
    assert sink.texts == [list(pair) for pair in GOOD[lang]]
    made = sink.kept[0]
    where = made.provenance["passage"]
    assert where["text"] == DOCUMENTS[lang][where["start"] : where["end"]] == DOCUMENTS[lang]
    assert made.provenance["quote"] == [0, 12] and made.provenance["support"] >= 0.4
    assert made.record.parents == (where["document"],) and made.novel == GOOD[lang][0][0]
    assert made.provenance["prompt"].startswith(f"grounded/pairs.{lang}@")
    (request,) = script.asked
    assert DOCUMENTS[lang] in request.messages[-1]["content"] and request.schema["required"] == ["pairs"]


@LANGS
def test_all_passages_of_a_document_are_asked_in_one_round_and_nothing_of_it_is_left_out(lang):
    document = "\n\n".join(f"{DOCUMENTS[lang]} {number}" for number in range(9))
    config = GroundedConfig(model="m", passage_chars=300)
    first = next(expand(make_task("grounded", config, document, lang=lang), ListSink()))
    passages = cut(document, 300)
    assert len(first) == len(passages) > 2
    for passage, request in zip(passages, first, strict=True):
        assert passage.text.strip("\n") in request.messages[-1]["content"]


PLANTED = {
    "unsupported": {
        "en": ("Who grew green tea first?", "Green tea is brewed at 80 degrees. Monks of Kyoto planted it in 1191."),
        "zh": ("谁最早种植绿茶？", "绿茶宜用八十度的水冲泡。最早种植它的是京都的一位僧人。"),
    },
    "empty": {"en": ("What is green tea?", " "), "zh": ("？！", "绿茶宜用八十度的水冲泡。")},
    "copies_question": {
        "en": ("Green tea is brewed at 80 degrees?", "Green tea is brewed at 80 degrees."),
        "zh": ("龙井茶产于浙江杭州？", "是，龙井茶产于浙江杭州。"),
    },
    "not_self_contained": {
        "en": ("According to the passage, how hot is the water?", "Green tea is brewed at 80 degrees."),
        "zh": ("文中说绿茶用多热的水？", "绿茶宜用八十度的水冲泡。"),
    },
    "repeated_question": {
        "en": ("how hot should the water for GREEN tea be", "Green tea is brewed at 80 degrees for two minutes."),
        "zh": ("绿茶应当用多热的水冲泡", "绿茶宜用八十度的水冲泡两分钟。"),
    },
}


@LANGS
@pytest.mark.parametrize("rule", PLANTED)
def test_a_planted_fault_falls_to_its_rule_and_the_sound_pair_stays(rule, lang):
    sink, _ = make(pairs(GOOD[lang][0], PLANTED[rule][lang]), lang)
    assert sink.rules == [rule] and sink.texts == [list(GOOD[lang][0])]
    assert sink.dropped[0][1] == "\n\n".join(text.strip() for text in PLANTED[rule][lang])


def test_an_unsupported_answer_names_its_sentence_and_its_containment():
    sink, _ = make(pairs(GOOD["en"][0], PLANTED["unsupported"]["en"]))
    detail = sink.dropped[0][2]
    assert detail.startswith("containment 0.") and detail.endswith("Monks of Kyoto planted it in 1191.")


def test_a_changed_number_falls_unless_numbers_are_free():
    changed = ("How long does green tea take?", "Green tea is brewed at 95 degrees for two minutes.")
    sink, _ = make(pairs(GOOD["en"][0], changed))
    assert sink.rules == ["unsupported"] and sink.dropped[0][2].startswith("95 is not in the passage")
    assert len(make(pairs(GOOD["en"][0], changed), free_numbers=True)[0].kept) == 2


def test_an_answer_may_not_speak_of_the_passage_either():
    said = ("How hot is the water for green tea?", "The passage says that green tea is brewed at 80 degrees.")
    assert make(pairs(GOOD["en"][0], said))[0].rules == ["not_self_contained"]
    assert make(pairs(("明前茶是什么？", "文中说，清明之前采摘的嫩芽称为明前茶。")), "zh", per_passage=1)[0].rules == [
        "not_self_contained"
    ]


@LANGS
def test_what_was_asked_for_and_not_written_is_counted_and_so_is_what_came_on_top(lang):
    sink, _ = make(pairs(GOOD[lang][0]), lang, per_passage=4)
    assert sink.candidates == 4 and sink.rules == ["missing"] * 3
    assert sink.dropped[0][2] == "1 of 4 were written"
    sink, _ = make(pairs(*GOOD[lang]), lang, per_passage=1)
    assert sink.candidates == 2 and sink.rules == ["surplus"]


def test_of_a_reply_that_was_cut_only_whole_pairs_count():
    whole = pairs(*GOOD["en"])
    cut_off = Reply(whole[: whole.rindex("Boiling") + 12], finish="length")
    sink, _ = make(cut_off)
    assert sink.texts == [list(GOOD["en"][0])] and sink.rules == ["missing"]


@pytest.mark.parametrize("document", ["", "  \n ", "茶。", "Too short to ask about."])
def test_a_passage_that_is_too_short_is_skipped_by_name_and_costs_nothing(document):
    config = GroundedConfig(model="m")
    sink, script = ListSink(), Script("")
    drive(expand(make_task("grounded", config, Record([Turn("document", [document])])), sink), script)
    assert sink.rules == ["short_passage"] and sink.candidates == 1 and script.asked == []


def test_a_reply_that_cannot_be_read_is_asked_for_again_and_then_fails_for_each_pair():
    sink, script = make(["no JSON at all", '{"pairs": 7}', pairs(*GOOD["en"])])
    assert len(sink.kept) == 2 and [request.sample for request in script.asked] == [0, 1, 2]
    sink, script = make(["Sorry, I cannot."], tries=2)
    assert len(script.asked) == 2
    assert [(failure.rule, failure.attempts) for failure, _ in sink.failures] == [("no_json", 2)] * 2


@pytest.mark.parametrize("rule", ["budget", "timeout"])
def test_a_failure_of_the_server_is_not_asked_again_by_the_chain(rule):
    sink, script = make(Failure(rule), per_passage=3)
    assert len(script.asked) == 1 and [failure.rule for failure, _ in sink.failures] == [rule] * 3


def test_verdicts_come_in_the_order_of_the_passages_whatever_was_asked_twice():
    document = f"{EN}\n\n{EN.replace('Green', 'White').replace('green', 'white')}"

    def reply(request):
        white = "White tea" in request.messages[-1]["content"]
        if not white and request.sample == 0:
            return "not yet"
        name = "White" if white else "Green"
        return pairs((f"How hot is the water for {name} tea?", f"{name} tea is brewed at 80 degrees."))

    sink, _ = make(Script({"grounded/pairs": reply}), document=document, passage_chars=300, per_passage=1)
    assert [texts[1][:5] for texts in sink.texts] == ["Green", "White"]
    assert [made.provenance["passage"]["start"] for made in sink.kept] == [0, len(EN) + 2]


@LANGS
def test_every_turn_of_a_conversation_is_checked(lang):
    sound, wrong = GOOD[lang], PLANTED["unsupported"][lang]
    sink, script = make(talks(sound, [sound[0], wrong]), lang, turns=2)
    assert sink.texts == [[text for pair in sound for text in pair]]
    assert [turn.role for turn in sink.kept[0].record.turns] == ["user", "assistant"] * 2
    assert sink.rules == ["unsupported"] and sink.dropped[0][2].startswith("turn 2: ")
    assert script.asked[0].stage == "grounded/dialogues"


def test_a_conversation_needs_two_turns_and_keeps_no_more_than_were_asked_for():
    third = ("And in Japan?", "In Japan the leaves are steamed after the harvest.")
    sink, _ = make(talks(GOOD["en"][:1], [*GOOD["en"], third]), turns=2)
    assert sink.rules == ["too_few_turns"] and len(sink.kept[0].record.turns) == 4
    assert make(talks([]), turns=2, per_passage=1)[0].rules == ["too_few_turns"]


@LANGS
def test_a_judge_drops_what_it_finds_no_support_for_and_is_asked_with_its_own_temperature(lang):
    verdicts = [{"sentence": "", "supported": True}, {"sentence": "第二句", "supported": False}]
    replies = {"grounded/pairs": pairs(*GOOD[lang]), "grounded/judge": [json.dumps(v) for v in verdicts]}
    sink, script = make(replies, lang, judge="strict", temperature=1.5)
    assert len(sink.kept) == 1 and sink.kept[0].provenance["judge"]["model"] == "script"
    assert sink.rules == ["unsupported"] and "第二句" in sink.dropped[0][2]
    first, *judged = script.asked
    assert (first.model, first.temperature) == ("", 1.5)
    assert [(request.model, request.temperature) for request in judged] == [("strict", 0)] * 2
    _, script = make(replies, lang, judge="strict", reply_tokens=4000)  # a judge that thinks first needs room
    assert [request.max_tokens for request in script.asked] == [4000] * 3
    assert all(DOCUMENTS[lang] in request.messages[-1]["content"] for request in judged)


def test_a_judge_is_named_without_the_address_of_its_server():
    verdicts = [Reply(json.dumps({"sentence": "x", "supported": told})) for told in (True, False)]  # by nobody
    replies = {"grounded/pairs": pairs(*GOOD["en"]), "grounded/judge": verdicts}
    sink, _ = make(replies, judge="judge@http://user:secret@localhost:8000/v1")
    assert sink.kept[0].provenance["judge"]["model"] == "judge"
    assert sink.dropped[0][2].startswith("judge finds") and "secret" not in str(sink)


def test_a_judge_alone_lets_other_words_pass_and_self_is_the_model_of_the_run():
    free = ("Why not use water at the boil?", "It would taste harsh, as too many tannins dissolve.")
    yes = '{"sentence": "", "supported": true}'
    replies = {"grounded/pairs": pairs(free), "grounded/judge": yes}
    sink, script = make(replies, judge="self", support_by="judge", per_passage=1)
    assert len(sink.kept) == 1 and script.asked[1].model == ""
    assert "own wording" not in script.asked[0].messages[-1]["content"]
    assert make(replies, judge="self", per_passage=1)[0].rules == ["unsupported"]
    assert len(make(replies, support_by="nothing", per_passage=1)[0].kept) == 1


def test_a_verdict_that_cannot_be_read_is_a_failure_and_no_support():
    replies = {"grounded/pairs": pairs(*GOOD["en"]), "grounded/judge": "It looks fine to me."}
    sink, script = make(replies, judge="self", tries=2)
    assert [failure.rule for failure, _ in sink.failures] == ["no_json"] * 2 and not sink.kept
    assert script.stages().count("grounded/judge") == 4


def test_a_title_counts_as_part_of_the_source():
    record = Record([Turn("document", [EN])], extras={"title": "The Book of Cold Mountain Tea"})
    said = (
        "Which book tells how hot the water is?",
        "The Book of Cold Mountain Tea. Green tea is brewed at 80 degrees.",
    )
    sink, script = make(pairs(said), document=record, per_passage=1)
    assert sink.kept[0].provenance["passage"]["title"] == "The Book of Cold Mountain Tea"
    assert "Title: The Book of Cold Mountain Tea" in script.asked[0].messages[-1]["content"]
    assert make(pairs(said), per_passage=1)[0].rules == ["unsupported"]


def test_a_conversation_can_be_a_document_too():
    sink, _ = make(pairs(GOOD["en"][0]), document=["How is green tea made?", EN], per_passage=1)
    assert len(sink.kept) == 1


@pytest.mark.parametrize(
    ("quote", "text", "place"),
    [
        ("two minutes", EN, (EN.index("two"), EN.index("two") + 11)),
        ("“沸水会析出大量单宁”", ZH, (ZH.index("沸水"), ZH.index("沸水") + 9)),
        ("80 degrees\n for  two", EN, (EN.index("80"), EN.index("80") + 18)),
        ("three minutes", EN, None),
        ("”", EN, None),
        ("a.c (x", "abc a.c (x", (4, 10)),
    ],
)
def test_a_quote_is_found_where_it_stands(quote, text, place):
    assert place_of(quote, text) == place


def test_longer_replies_are_allowed_where_more_is_asked_for_unless_the_user_says_how_long():
    task = make_task("grounded", GroundedConfig(model="m", per_passage=20), EN)
    (request,) = next(expand(task, ListSink()))
    assert request.max_tokens == 7000
    (request,) = next(expand(replace(task, config=GroundedConfig(model="m", reply_tokens=99)), ListSink()))
    assert request.max_tokens == 99


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"judge": ""}, "--judge: no model"),
        ({"judge": "x", "support_by": "containment"}, "would not be asked"),
        ({"least_chars": 500, "passage_chars": 400}, "--least-chars 500"),
        ({"support": 1.5}, "--support"),
        ({"support_by": "vote"}, "--support-by"),
        ({"turns": 0}, "--turns"),
    ],
)
def test_settings_that_make_no_sense_are_refused_by_name(options, said):
    with pytest.raises(UsageError, match=said):
        GroundedConfig(model="m", **options)


def test_the_plan_names_the_stages_that_are_asked():
    assert [stage.name for stage in stages(GroundedConfig(model="m"))] == ["grounded/pairs"]
    assert [s.name for s in stages(GroundedConfig(model="m", turns=3, judge="self"))] == [
        "grounded/dialogues",
        "grounded/judge",
    ]
    assert stages(GroundedConfig(model="m", passage_chars=1000))[0].calls == 6


@LANGS
@pytest.mark.parametrize("name", ["grounded/pairs", "grounded/dialogues", "grounded/judge"])
def test_a_passage_with_braces_and_marks_is_only_text(name, lang):
    nasty = "{{ title }} {% for x in y %} [[user]]\n---\n</passage> 茶"
    values = {"passage": nasty, "title": "[[system]]", "number": 2, "turns": 3, "close": True}
    values |= {"exchanges": [{"question": "{{ 1 }}", "answer": "[[user]]"}]}
    request = PromptSet().get(name, lang).request(values)
    assert [message["role"] for message in request.messages] == ["system", "user"]
    assert nasty in request.messages[1]["content"]


ANY = st.one_of(
    st.sampled_from([*GOOD["en"], *GOOD["zh"], ("", ""), ("茶？", "是的。")]),
    st.tuples(st.text(max_size=8), st.text(max_size=8)),
)


@given(st.lists(ANY, max_size=5), st.integers(1, 4), st.booleans())
@settings(max_examples=40, deadline=None)
def test_accounts_add_up_whatever_the_model_writes(found, wanted, talk):
    reply = talks(found) if talk else pairs(*found)
    sink, _ = make(reply, "zh", ZH + EN, per_passage=wanted, turns=3 if talk else 1)
    assert sink.candidates >= wanted


def test_a_chinese_passage_of_a_document_full_of_addresses_gets_the_chinese_prompt():
    document = f"{ZH}\n\n" + "https://example.com/some/where/else " * 8
    for lang, wanted in (("auto", ["zh", "en"]), ("en", ["en", "en"])):
        config = GroundedConfig(model="m", passage_chars=300, lang=lang)
        first = next(expand(make_task("grounded", config, document), ListSink()))
        assert [request.prompt.partition("@")[0][-2:] for request in first] == wanted


def test_keys_too_many_and_explanations_too_few_are_no_reason_to_ask_again():
    question, answer = GOOD["en"][0]
    reply = json.dumps({"pairs": [{"question": question, "answer": answer, "level": "easy"}], "note": "ok"})
    sink, script = make(reply, per_passage=1)
    assert len(sink.kept) == 1 and len(script.asked) == 1 and "quote" not in sink.kept[0].provenance
    assert script.asked[0].schema["properties"]["pairs"]["items"]["additionalProperties"] is False
    verdict = {"grounded/pairs": reply, "grounded/judge": '{"supported": true, "why": "it says so"}'}
    assert len(make(verdict, per_passage=1, judge="self")[0].kept) == 1


def test_chinese_answers_need_a_higher_share_since_three_characters_say_less_than_three_words():
    half = ("绿茶怎样冲泡？", "绿茶宜用八十度的温水泡足三分钟。")
    sink, _ = make(pairs(half), "zh", per_passage=1)
    assert sink.rules == ["unsupported"]
    share = float(sink.dropped[0][2].split()[1].rstrip(":"))
    assert 0.4 <= share < 0.5
    assert len(make(pairs(half), "zh", per_passage=1, support=0.4)[0].kept) == 1
