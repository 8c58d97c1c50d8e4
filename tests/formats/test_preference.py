"""What dialects of pairs, verdicts and TRL read and write, and the faults of other tools that they do not share."""

import os
from pathlib import Path

import pytest
from strategies import exactly, resolve

import dataforge
from dataforge.engine.batch import Batch
from dataforge.errors import NotRepresentable, RowError
from dataforge.formats.detect import find
from dataforge.formats.spelling import Spelling
from dataforge.io import jsontext
from dataforge.io.chunks import open_reading, read_chunks
from dataforge.io.paths import find_sources
from dataforge.record import Candidate, Reasoning, Record, ToolCall, Turn, record_id
from dataforge.registry import DIALECTS, load_dialect

AS_IS = Spelling()
DATA = Path(os.environ.get("DATAFORGE_DATA", Path(__file__).resolve().parents[3] / "shared" / "data")) / "preference"
SKY = "What colour is the sky?"
SIDES = ("chosen", "rejected")
PAIRS = (
    *("hh-rlhf", "argilla", "ultrafeedback-binarized", "alpaca-preference", "orca-dpo", "sharegpt-preference"),
    *("stackexchange", "response-pairs", "trl-preference"),
)
VERDICTS = ("alpaca-kto", "sharegpt-kto", "trl-unpaired")


def read(row, dialect=None, **spelling):
    module = find(row) if dialect is None else load_dialect(dialect)
    return module.read(row, Spelling(**spelling))


def write(dialect, record):
    return load_dialect(dialect).write(record, AS_IS)


def user(text):
    return {"role": "user", "content": text}


def answer(text):
    return {"role": "assistant", "content": text}


def human(text):
    return {"from": "human", "value": text}


def gpt(text):
    return {"from": "gpt", "value": text}


def pair(*prompt, chosen="Blue.", rejected="Green.", **more):
    """A record of a pair; the prompt is texts of user and assistant in turn."""
    turns = [Turn(("user", "assistant")[index % 2], [text]) for index, text in enumerate(prompt or (SKY,))]
    texts = {"chosen": chosen, "rejected": rejected}
    sides = [Candidate([Turn("assistant", [text])], label=side) for side, text in texts.items()]
    return Record(turns, candidates=sides, **more)


def told(turns):
    """Turns as (role, text)."""
    return [(turn.role, turn.text) for turn in turns]


def sides(record):
    """The turns of both answers as (role, text)."""
    assert [candidate.label for candidate in record.candidates] == ["chosen", "rejected"]
    return [told(candidate.turns) for candidate in record.candidates]


def fault(row, dialect=None):
    """(rule, path, help) of a faulty row."""
    with pytest.raises(RowError) as caught:
        read(row, dialect)
    return caught.value.rule, caught.value.path, caught.value.help


def verdict(dialect, record):
    """What the dialect says it cannot carry, and where that stands."""
    with pytest.raises(NotRepresentable) as caught:
        write(dialect, record)
    assert caught.value.rule == f"not_representable:{dialect}"
    return caught.value.message.partition(f"{dialect}: ")[2], caught.value.path


@pytest.mark.parametrize("question", [SKY, "天空是什么颜色？"])
def test_one_pair_is_one_record_in_all_dialects_of_pairs(question):
    record = pair(question, chosen="晴天时是蓝色的。", rejected=" 绿色。\n")
    for dialect in PAIRS:
        row = write(dialect, record)
        assert find(row).NAME == dialect
        again = read(row)
        assert record_id(again) == record_id(record), dialect
        assert again.extras is None


@pytest.mark.parametrize("label", [True, False])
def test_one_verdict_is_one_record_in_all_dialects_of_verdicts(label):
    record = Record([Turn("user", ["水在几度结冰？"]), Turn("assistant", [" 零度。"])], label=label)
    for dialect in VERDICTS:
        row = write(dialect, record)
        assert find(row).NAME == dialect
        assert record_id(read(row)) == record_id(record), dialect


def test_what_dialects_of_pairs_write():
    record = pair(chosen="Blue.", rejected="Green.")
    record.candidates[0].score, record.candidates[1].model = 4.5, "small"
    marks = {"score_chosen": 4.5, "rejected_model": "small"}
    talk = {side: [user(SKY), answer(text)] for side, text in zip(SIDES, ("Blue.", "Green."), strict=True)}
    texts = {"chosen": "Blue.", "rejected": "Green."}
    dialogue = f"\n\nHuman: {SKY}\n\nAssistant: "
    assert {dialect: write(dialect, record) for dialect in PAIRS} == {
        "hh-rlhf": {"chosen": dialogue + "Blue.", "rejected": dialogue + "Green.", **marks},
        "argilla": {
            **{"instruction": SKY, "chosen_response": "Blue.", "rejected_response": "Green."},
            **{"chosen_avg_rating": 4.5, "rejected_model": "small"},
        },
        "ultrafeedback-binarized": {"prompt": SKY, **talk, **marks},
        "alpaca-preference": {"instruction": SKY, "input": "", **texts, **marks},
        "orca-dpo": {"system": "", "question": SKY, **texts, **marks},
        "sharegpt-preference": {
            **{"conversations": [human(SKY)], "chosen": gpt("Blue."), "rejected": gpt("Green.")},
            **marks,
        },
        "stackexchange": {"question": SKY, "response_j": "Blue.", "response_k": "Green.", **marks},
        "response-pairs": {
            **{"system": "", "history": [], "question": SKY},
            **{"response_chosen": "Blue.", "response_rejected": "Green."},
            **marks,
        },
        "trl-preference": {
            **{"prompt": [user(SKY)], "chosen": [answer("Blue.")], "rejected": [answer("Green.")]},
            **marks,
        },
    }


@pytest.mark.parametrize("dialect", [*PAIRS, *VERDICTS, "trl-prompt", "trl-completion", "trl-stepwise"])
def test_what_is_no_row_of_the_dialect_is_never_written_as_one(dialect):
    question, said = Turn("user", ["问"]), Turn("assistant", ["答"])
    other = [Candidate([said], rank=0), Candidate([said], rank=1)]
    for record in (
        Record([question], candidates=other),
        Record([question], candidates=pair().candidates[:1]),
        pair(label=True),
        pair(weight=0.5),
        Record([question, said], label="good"),
        Record([Turn("document", ["茶"])]),
    ):
        verdict(dialect, record)


@pytest.mark.parametrize("dialect", PAIRS)
def test_scores_and_models_of_a_side_are_read_in_every_spelling(dialect):
    row = write(dialect, pair())
    for chosen, rejected in (("score_chosen", "score_rejected"), ("chosen_rating", "rejected_rating")):
        record = read({**row, chosen: 5, rejected: 1.5, "chosen_model": "a"}, dialect)
        assert [one.score for one in record.candidates] == [5, 1.5]
        assert [one.model for one in record.candidates] == ["a", None]
        assert record.extras is None
    odd = {"score_chosen": None, "chosen_rating": "N/A", "rejected_model": 3, "margin": 2}
    assert read({**row, **odd}, dialect).extras == odd


def test_a_second_score_stays_an_extra_key_and_is_never_taken_for_the_first():
    record = read({"question": "问", "response_j": "答", "response_k": "不", "score_chosen": 3, "chosen_rating": 9})
    assert record.candidates[0].score == 3 and record.extras == {"chosen_rating": 9}
    assert read(write("trl-preference", record)).extras == {"chosen_rating": 9}
    record.candidates[0].score = None
    assert "extra key 'chosen_rating'" in verdict("trl-preference", record)[0]


# alpaca-preference and alpaca-kto


def test_an_alpaca_pair_has_the_prompt_of_an_alpaca_row():
    row = {
        **{"instruction": "译成英文", "input": "茶", "chosen": "tea", "rejected": "cha"},
        **{"system": "你是翻译", "history": [["译：水", "water"]], "id": 7},
    }
    record = read(row, joiner="：")
    assert told(record.turns) == [
        ("system", "你是翻译"), ("user", "译：水"), ("assistant", "water"), ("user", "译成英文：茶"),
    ]  # fmt: skip
    assert sides(record) == [[("assistant", "tea")], [("assistant", "cha")]]
    assert record.extras == {"id": 7}
    record.layout = None
    assert write("alpaca-preference", record) == {**row, "instruction": "译成英文：茶", "input": ""}


@pytest.mark.parametrize("value", [None, 5, ["a"], {"from": "gpt", "value": "a"}, True])
def test_a_side_that_is_no_text_is_refused_and_the_row_is_never_taken_for_a_plain_one(value):
    row = {"instruction": "问", "input": "", "output": "答", "chosen": value, "rejected": "no"}
    assert find(row).NAME == "alpaca-preference"
    assert fault(row)[:2] == ("not_text", "$.chosen")


def test_faults_of_a_prompt_in_columns_are_found_in_their_place():
    row = {"question": "问", "response_chosen": "好", "response_rejected": "坏"}
    assert fault({**row, "history": [["一", "二"], ["三"]]})[:2] == ("bad_history", "$.history[1]")
    assert fault({**row, "history": [["一", None]]})[:2] == ("not_text", "$.history[0][1]")
    assert fault({**row, "history": {"一": "二"}})[:2] == ("bad_history", "$.history")
    assert fault({**row, "system": 0})[:2] == ("not_text", "$.system")
    assert fault({**row, "question": None})[:2] == ("not_text", "$.question")


@pytest.mark.parametrize(
    ("value", "help"),
    [
        (1, "true"),
        (0, "false"),
        ("true", "true"),
        (" False ", "false"),
        ("1", "true"),
        (None, ""),
        ("good", ""),
        (2, ""),
    ],
)
def test_a_verdict_that_is_no_boolean_is_refused_and_the_row_is_never_taken_for_a_plain_one(value, help):
    rows = [
        {"instruction": "问", "input": "", "output": "答", "kto_tag": value},
        {"conversations": [human("问"), gpt("答")], "kto_tag": value},
        {"messages": [user("问"), answer("答")], "kto_tag": value},
    ]
    for row in rows:
        rule, path, advice = fault(row)
        assert (rule, path) == ("bad_label", "$.kto_tag")
        assert advice.startswith(f"did you mean {help}?" if help else "write true where the answer is wanted")


def test_a_label_is_a_verdict_where_it_is_a_boolean():
    row = {"messages": [user("问"), answer("答")], "label": False}
    assert find(row).NAME == "sharegpt-kto"
    assert find({**row, "system": "简短"}).NAME == "sharegpt-kto"
    assert find({**row, "label": 1}).NAME == "openai"
    assert find({**row, "label": "spam"}).NAME == "openai"
    assert verdict("trl-unpaired", read({**row, "label": 1}))[0] == "a conversation without a verdict"
    row = {"prompt": "问", "completion": "答", "label": 1}
    assert fault(row)[:2] == ("bad_label", "$.label")
    assert find({**row, "label": "spam"}).NAME == "trl-completion"


def test_rows_without_a_true_verdict_are_named_in_a_run(tmp_path):
    lines = [
        f'{{"instruction": "问", "input": "", "output": "答", "kto_tag": {tag}}}' for tag in ("true", "1", "false")
    ]
    (tmp_path / "in.jsonl").write_text("\n".join(lines), encoding="utf-8")
    result = dataforge.convert(tmp_path / "in.jsonl", output=tmp_path / "o.jsonl", to="kto", on_error="reject")
    assert dict(result.counts.rules) == {("error", "bad_label"): 1}
    assert [jsontext.decode(line)["label"] for line in (tmp_path / "o.jsonl").read_bytes().splitlines()] == [
        True,
        False,
    ]


# sharegpt-preference and sharegpt-kto


def test_a_sharegpt_pair_has_turns_or_texts_as_sides_and_the_columns_of_sharegpt():
    call = '{"name": "clock", "arguments": {"city": "Lima"}}'
    row = {
        **{"system": "简短", "tools": '[{"name": "clock"}]', "conversations": [human("几点？")]},
        **{"chosen": {"from": "function_call", "value": call}, "rejected": "不知道。"},
    }
    record = read(row)
    assert told(record.turns) == [("system", "简短"), ("user", "几点？")]
    assert record.tools == [{"name": "clock"}]
    assert record.candidates[0].turns == [Turn("assistant", [ToolCall("clock", '{"city":"Lima"}')])]
    assert record.candidates[1].turns == [Turn("assistant", ["不知道。"])]
    trl = write("trl-preference", record)
    assert trl["chosen"][0]["tool_calls"][0]["function"] == {"name": "clock", "arguments": '{"city":"Lima"}'}
    assert trl["tools"] == [{"type": "function", "function": {"name": "clock"}}]
    assert write("sharegpt-preference", read(trl)) == {
        **{"conversations": [{"from": "system", "value": "简短"}, human("几点？")]},
        **{
            "tools": '[{"name":"clock"}]',
            "chosen": {"from": "function_call", "value": call.replace(": ", ":").replace(", ", ",")},
        },
        **{"rejected": gpt("不知道。")},
    }


def test_a_sharegpt_pair_may_hold_messages():
    row = {"messages": [user(SKY)], "chosen": answer("Blue."), "rejected": answer("Green."), "system": "Be brief."}
    record = read(row)
    assert record.layout["dialect"] == "sharegpt-preference"
    assert told(record.turns) == [("system", "Be brief."), ("user", SKY)]
    assert write("sharegpt-preference", record) == row
    record.candidates[0].turns[0].parts.insert(0, Reasoning("Rayleigh."))
    assert verdict("sharegpt-preference", record)[1] == "$.chosen"


@pytest.mark.parametrize(
    ("row", "rule", "path"),
    [
        ({"chosen": {"from": "bot", "value": "x"}}, "unknown_role", "$.chosen.from"),
        ({"chosen": {"from": "gpt", "value": None}}, "not_text", "$.chosen.value"),
        ({"chosen": {"from": "gpt"}}, "bad_turn", "$.chosen"),
        ({"rejected": 5}, "bad_side", "$.rejected"),
        ({"rejected": [gpt("x")]}, "bad_side", "$.rejected"),
        ({"conversations": []}, "bad_conversations", "$.conversations"),
        ({"conversations": [human(1)]}, "not_text", "$.conversations[0].value"),
        ({"system": 5}, "not_text", "$.system"),
    ],
)
def test_faults_of_a_sharegpt_pair_are_found_in_their_place(row, rule, path):
    good = {"conversations": [human("问")], "chosen": gpt("好"), "rejected": gpt("坏")}
    assert fault({**good, **row})[:2] == (rule, path)


def test_an_answer_of_several_turns_is_no_side_of_sharegpt():
    record = read(
        {"prompt": [user("问")], "chosen": [answer("一"), user("二"), answer("三")], "rejected": [answer("四")]}
    )
    assert verdict("sharegpt-preference", record) == ("an answer of several turns", "$.chosen")
    assert verdict("alpaca-preference", record) == (
        "an answer that is more than one assistant turn of text",
        "$.chosen",
    )
    assert sides(read(write("hh-rlhf", record))) == sides(record)


def test_messages_with_a_label_become_a_prompt_up_to_the_last_question_and_its_answer():
    row = {"messages": [user("一"), answer("二"), user("三"), answer("四")], "label": False}
    assert write("trl-unpaired", read(row)) == {
        "prompt": [user("一"), answer("二"), user("三")],
        "completion": [answer("四")],
        "label": False,
    }


def test_a_verdict_is_never_left_out():
    record = read({"conversations": [human("问"), gpt("坏")], "kto_tag": False})
    for dialect in ("openai", "sharegpt", "alpaca", "qa", "trl-completion", "trl-preference"):
        verdict(dialect, record)
    empty = Record([Turn("user", ["问"]), Turn("assistant", [""])], label=True)
    assert [read(write(dialect, empty)).label for dialect in VERDICTS] == [True, True, True]


# TRL


def test_the_space_that_a_completion_begins_with_is_kept():
    row = {"prompt": "The sky is", "completion": " blue. \n"}
    record = read(row)
    assert told(record.turns) == [("user", "The sky is"), ("assistant", " blue. \n")]
    assert write("trl-completion", record) == row
    assert write("openai", record) == {"messages": [user("The sky is"), answer(" blue. \n")]}


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": "The sky is", "completion": " blue."},
        {"prompt": "The sky is", "completion": " blue.", "label": True},
        {"prompt": "The sky is", "chosen": " blue.", "rejected": " green."},
        {"chosen": "The sky is blue.", "rejected": "The sky is green."},
        {"prompt": "The sky is"},
        {"prompt": "天空是", "completions": ["蓝色的", "。"], "labels": [True, False]},
    ],
)
def test_a_row_of_texts_is_still_one_after_an_edit(row):
    record = read(row)
    turn = record.turns[0] if record.turns else record.candidates[0].turns[0]
    turn.parts[0] += " now"
    key = "prompt" if record.turns else "chosen"
    assert write(record.layout["dialect"], record) == {**row, key: row[key] + " now"}


def test_a_prompt_is_a_row_of_prompts_only_where_no_answer_stands_beside_it():
    assert find({"prompt": "问", "level": "7"}).NAME == "trl-prompt"
    assert find({"prompt": [user("问")], "solution": "7"}).NAME == "trl-prompt"
    assert find({"prompt": [user("问")], "answer": "7", "question": "问"}).NAME == "trl-prompt"
    assert find({"prompt": "问", "question": "问", "answer": "7"}).NAME == "qa"
    assert find({"prompt": "问", "response": "答"}).NAME == "qa"
    assert find({"prompt": "问", "text": "答"}).NAME == "text"
    assert fault({"prompt": "问", "chosen": "答"})[:2] == ("half_a_row", "$.chosen")
    assert fault({"prompt": "问", "completions": []})[:2] == ("half_a_row", "$.completions")
    assert fault({"prompt": 5})[:2] == ("bad_side", "$.prompt")
    assert fault({"prompt": []})[:2] == ("bad_messages", "$.prompt")


def test_a_conversation_with_its_answer_is_not_written_as_a_prompt():
    record = read({"messages": [user("问"), answer("答")]})
    assert verdict("trl-prompt", record) == ("a conversation that ends with an answer", "$.messages[1]")
    begun = read({"prompt": [user("问"), answer("答案是")]})
    assert told(begun.turns)[-1] == ("assistant", "答案是")
    record.turns.pop()
    assert write("trl-prompt", record) == {"prompt": [user("问")]}


def test_a_completion_ends_with_the_assistant_and_answers_something():
    assert fault({"prompt": "问", "completion": [user("再问")]})[:2] == ("bad_completion", "$.completion[0]")
    assert fault({"prompt": [answer("你好")], "completion": "答"})[:2] == ("bad_prompt", "$.prompt")
    assert verdict("trl-completion", read({"messages": [user("问")]}))[1] == "$.messages[0]"
    assert verdict("trl-completion", read({"messages": [answer("答")]}))[1] == "$.messages[0]"


def test_the_verdicts_on_steps_stay_with_their_steps_and_go_nowhere_else():
    row = {"prompt": "91 是质数吗？", "completions": ["91 = 7 × 13。\n", "所以是。"], "labels": [True, False]}
    record = read(row)
    assert record.turns[1] == Turn("assistant", ["91 = 7 × 13。\n", "所以是。"])
    for dialect in DIALECTS:
        if dialect != "trl-stepwise":
            verdict(dialect, record)
    other = read({**row, "labels": [True, True]})
    assert record_id(other) != record_id(record)
    record.turns[1].parts.pop()
    assert verdict("trl-stepwise", record) == ("1 steps with 2 verdicts", "$.completions")


@pytest.mark.parametrize(
    ("more", "rule", "path"),
    [
        ({"labels": [True]}, "bad_steps", "$.labels"),
        ({"labels": [1, 0]}, "bad_label", "$.labels[0]"),
        ({"labels": [True, None]}, "bad_label", "$.labels[1]"),
        ({"labels": True}, "bad_steps", "$.labels"),
        ({"completions": "ab"}, "bad_steps", "$.completions"),
        ({"completions": ["a", 2]}, "not_text", "$.completions[1]"),
        ({"prompt": None}, "bad_side", "$.prompt"),
    ],
)
def test_faults_of_steps_are_found_in_their_place(more, rule, path):
    assert fault({"prompt": "p", "completions": ["a", "b"], "labels": [True, False], **more})[:2] == (rule, path)


@pytest.mark.parametrize(
    ("chosen", "rejected"),
    [
        ("The sky is blue", "The sky is blu"),  # one is the beginning of the other
        ("Blue is the sky ", "Green is the sky"),  # the first letters differ
        ("The sky is blue.", "The sky is blue."),
        ("The sky is blue.", ""),
        ("", ""),
        (" ", "  "),
    ],
)
def test_texts_without_a_prompt_are_not_cut_in_two(chosen, rejected):
    """TRL's extract_prompt cuts letters off some of these, and stops at an empty side."""
    row = {"chosen": chosen, "rejected": rejected}
    record = read(row)
    assert record.turns == []
    assert sides(record) == [[("assistant", chosen)], [("assistant", rejected)]]
    assert write("trl-preference", record) == row
    record.layout = None
    assert write("trl-preference", record) == row
    assert verdict("alpaca-preference", record)[0] == "a pair without a prompt"


@pytest.mark.parametrize(
    ("chosen", "rejected", "prompt"),
    [
        ([user("问"), answer("好")], [user("问"), answer("坏")], 1),
        ([user("问"), answer("好")], [user("问"), answer("好")], 1),  # TRL takes the question for the answer of both
        ([user("问"), answer("好")], [user("问")], 1),  # one is the beginning of the other
        ([user("甲"), answer("好")], [user("乙"), answer("坏")], 0),  # OpenRLHF takes the prompt of chosen for both
        ([user("甲"), answer("一"), user("乙"), answer("二")], [user("甲"), answer("一"), user("丙"), answer("三")], 1),
        ([answer("一"), user("问"), answer("二")], [answer("一"), user("问"), answer("三")], 2),
        ([answer("一")], [answer("二")], 0),
    ],
)
def test_the_prompt_of_two_conversations_is_what_they_share_up_to_a_question(chosen, rejected, prompt):
    record = read({"chosen": chosen, "rejected": rejected})
    assert told(record.turns) == [(message["role"], message["content"]) for message in chosen[:prompt]]
    for side, messages in zip(sides(record), (chosen, rejected), strict=True):
        assert side == [(message["role"], message["content"]) for message in messages[prompt:]]


def test_white_space_at_the_ends_of_answers_is_kept_and_a_prompt_inside_an_answer_is_no_border():
    """axolotl finds the answer by searching for its text, and strips what it finds."""
    row = {"prompt": [user("echo")], "chosen": [answer("echo echo \n")], "rejected": [answer("echo")]}
    for dialect in PAIRS:
        assert sides(read(write(dialect, read(row)))) == [[("assistant", "echo echo \n")], [("assistant", "echo")]]


def test_every_turn_and_call_of_an_answer_is_kept():
    """axolotl keeps the last message of a side, and drops its calls."""
    calls = [{"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}]
    chosen = [
        {"role": "assistant", "tool_calls": calls},
        {"role": "tool", "tool_call_id": "a", "content": "1"},
        answer("一"),
    ]
    record = read({"prompt": [user("问")], "chosen": chosen, "rejected": [answer("不")], "tools": [{"name": "f"}]})
    row = write("ultrafeedback-binarized", record)
    assert row["chosen"] == [user("问"), {"role": "assistant", "content": None, "tool_calls": calls}, *chosen[1:]]
    assert record_id(read(row)) == record_id(record)
    assert record_id(read(write("argilla", record))) == record_id(record)
    assert verdict("alpaca-preference", record)[1] == "$.tools"


# hh-rlhf


def dialogue(*turns):
    return "".join(f"\n\n{speaker}: {text}" for speaker, text in turns)


def test_the_roles_of_a_dialogue_go_by_the_words_and_never_by_position():
    start = [
        ("Human", "喂？"),
        ("Human", "在吗？"),
        ("Assistant", "在。"),
        ("Assistant", "请讲。"),
        ("Human", "几点了？"),
    ]
    row = {"chosen": dialogue(*start, ("Assistant", "三点。")), "rejected": dialogue(*start, ("Assistant", ""))}
    record = read(row)
    assert told(record.turns) == [
        ({"Human": "user", "Assistant": "assistant"}[speaker], text) for speaker, text in start
    ]
    assert sides(record) == [[("assistant", "三点。")], [("assistant", "")]]
    record.layout = None
    assert write("hh-rlhf", record) == row


def test_dialogues_that_part_early_have_the_shared_turns_as_prompt_and_all_others_as_answers():
    row = {
        "chosen": dialogue(("Human", "a"), ("Assistant", "b"), ("Human", "c"), ("Assistant", "d")),
        "rejected": dialogue(("Human", "a"), ("Assistant", "b"), ("Human", "e"), ("Assistant", "f")),
    }
    record = read(row)
    assert told(record.turns) == [("user", "a")]
    assert sides(record) == [
        [("assistant", "b"), ("user", "c"), ("assistant", "d")],
        [("assistant", "b"), ("user", "e"), ("assistant", "f")],
    ]
    record.layout = None
    assert write("hh-rlhf", record) == row


def test_a_dialogue_that_is_the_beginning_of_the_other_leaves_no_answer():
    row = {
        "chosen": dialogue(("Human", "a"), ("Assistant", "b"), ("Human", "c")),
        "rejected": dialogue(("Human", "a"), ("Assistant", "b"), ("Human", "c"), ("Assistant", "d")),
    }
    record = read(row)
    assert sides(record) == [[], [("assistant", "d")]]
    assert write("hh-rlhf", record) == row
    for dialect in ("trl-preference", "ultrafeedback-binarized", "argilla"):
        assert record_id(read(write(dialect, record))) == record_id(record)
    assert write("trl-preference", record)["chosen"] == []
    assert verdict("sharegpt-preference", record) == ("an answer without turns", "$.chosen")
    assert verdict("orca-dpo", record) == ("an answer without turns", "$.chosen")


def test_spaces_and_short_speakers_of_a_dialogue_come_back():
    row = {"chosen": "\n\nHum: a\n\nAssistant:", "rejected": "\n\nHuman: a\n\nAssistant: \n"}
    record = read(row)
    assert told(record.turns) == [("user", "a")]
    assert sides(record) == [[("assistant", "")], [("assistant", "\n")]]
    assert write("hh-rlhf", record) == row
    record.layout = None
    assert write("hh-rlhf", record)["chosen"] == "\n\nHuman: a\n\nAssistant: "


def test_a_text_that_looks_like_turns_is_not_written_into_a_dialogue():
    for text in ("a\n\nHuman: b", "\n\nAssistant:", "x\n\n\nHuman:y", "\n\nHum: 你好"):
        record = read({"prompt": [user(text)], "chosen": [answer("好")], "rejected": [answer("坏")]})
        assert verdict("hh-rlhf", record) == ("a text that itself looks like several turns", "$.prompt[0]")
        record = read({"prompt": [user("问")], "chosen": [answer(text)], "rejected": [answer("坏")]})
        assert verdict("hh-rlhf", record)[1] == "$.chosen"
    for text in ("Human: b", "a\nHuman: b", "\n\nHuman", "\n\n人：你好", "\n"):
        record = read({"prompt": [user(text)], "chosen": [answer("好")], "rejected": [answer("坏")]})
        assert record_id(read(write("hh-rlhf", record))) == record_id(record)


def test_a_text_that_looks_like_turns_travels_in_the_layout(tmp_path):
    row = {"prompt": "问", "chosen": "\n\nHuman: 好", "rejected": "坏"}
    (tmp_path / "in.jsonl").write_bytes(jsontext.encode(row))
    dataforge.convert(tmp_path / "in.jsonl", output=tmp_path / "hh.jsonl", to="hh-rlhf", keep_layout=True)
    dataforge.convert(tmp_path / "hh.jsonl", output=tmp_path / "out.jsonl", to="source")
    assert jsontext.decode((tmp_path / "out.jsonl").read_bytes()) == row


def test_what_a_dialogue_has_no_place_for():
    spoken = {"chosen": [answer("好")], "rejected": [answer("坏")]}
    system = read({"prompt": [{"role": "system", "content": "简短"}, user("问")], **spoken})
    assert verdict("hh-rlhf", system)[1] == "$.prompt[0]"
    named = read({"prompt": [{"role": "user", "content": "问", "name": "小明"}], **spoken})
    assert verdict("hh-rlhf", named)[1] == "$.prompt[0]"
    ended = read({"prompt": [user("问"), answer("答")], **spoken})
    assert verdict("hh-rlhf", ended) == (
        "a prompt that ends with an answer, or that both answers go on with",
        "$.prompt[1]",
    )
    assert verdict("ultrafeedback-binarized", ended)[1] == "$.prompt[1]"


def test_texts_that_are_no_dialogues_are_refused_or_of_another_dialect():
    good = dialogue(("Human", "a"), ("Assistant", "b"))
    assert find({"chosen": good, "rejected": "b"}).NAME == "trl-preference"
    assert find({"prompt": dialogue(("Human", "a")), "chosen": good, "rejected": good}).NAME == "trl-preference"
    assert fault({"chosen": good, "rejected": "b"}, "hh-rlhf")[:2] == ("bad_dialogue", "$.rejected")
    assert fault({"chosen": "", "rejected": good}, "hh-rlhf")[:2] == ("bad_dialogue", "$.chosen")


# ultrafeedback-binarized, argilla and the others


def test_a_prompt_and_messages_that_repeat_the_conversation_are_no_extras():
    chosen, rejected = [user("问"), answer("好")], [user("问"), answer("坏")]
    row = {"prompt": "问", "prompt_id": "0a", "chosen": chosen, "rejected": rejected, "messages": chosen}
    record = read({**row, "score_chosen": 8.0, "score_rejected": 3.5})
    assert told(record.turns) == [("user", "问")]
    assert record.extras == {"prompt_id": "0a"}
    assert write("trl-preference", record) == {
        **{"prompt": [user("问")], "chosen": [answer("好")], "rejected": [answer("坏")]},
        **{"score_chosen": 8.0, "score_rejected": 3.5, "prompt_id": "0a"},
    }
    odd = read({**row, "prompt": "别的", "messages": rejected})
    assert odd.extras == {"prompt": "别的", "prompt_id": "0a", "messages": rejected}
    assert "extra key 'prompt'" in verdict("trl-preference", odd)[0]


def test_a_prompt_beside_answers_alone_is_the_question():
    record = read({"prompt": "问", "chosen": [answer("好")], "rejected": [answer("坏")]})
    assert told(record.turns) == [("user", "问")] and record.extras is None
    assert record.layout["places"] == ("$.prompt",)


def test_ratings_are_scores_in_argilla_and_distilabel():
    argilla = {"instruction": "问", "chosen_response": "好", "rejected_response": "坏", "chosen_avg_rating": 4.5}
    texts = {"instruction": "问", "chosen": "好", "rejected": "坏", "chosen_rating": 4.5}
    talks = {
        **{"prompt": "问", "instruction": "问", "chosen": [user("问"), answer("好")]},
        **{"rejected": [user("问"), answer("坏")], "chosen-rating": 4.5},
    }
    ids = set()
    for row in (argilla, texts, talks):
        record = read(row)
        assert record.layout["dialect"] == "argilla"
        assert record.extras is None
        assert record.candidates[0].score == 4.5
        ids.add(record_id(record))
    assert len(ids) == 1


def test_what_argilla_columns_cannot_hold_is_written_as_conversations():
    row = {
        "prompt": [{"role": "system", "content": "简短"}, user("问")],
        "chosen": [answer("好")],
        "rejected": [answer("坏")],
    }
    written = write("argilla", read({**row, "score_chosen": 2}))
    assert list(written) == ["prompt", "chosen", "rejected", "chosen_rating"]
    assert record_id(read(written)) == record_id(read({**row, "score_chosen": 2}))


@pytest.mark.parametrize("name", ["question", "input", "prompt"])
def test_orca_pairs_have_their_question_under_three_names(name):
    row = {"system": "简短", name: "问", "chosen": "好", "rejected": "坏"}
    record = read(row)
    assert record.layout["dialect"] == "orca-dpo"
    assert told(record.turns) == [("system", "简短"), ("user", "问")]
    assert write("orca-dpo", record) == row
    assert told(read({**row, "system": ""}).turns) == [("user", "问")]


def test_what_columns_have_no_place_for():
    empty = pair()
    empty.turns.insert(0, Turn("system", [""]))
    for dialect in ("orca-dpo", "response-pairs", "alpaca-preference"):
        assert verdict(dialect, empty)[0] == "an empty system turn"
    long = pair("一", "二", "三")
    assert read(write("response-pairs", long)).turns == long.turns
    for dialect in ("orca-dpo", "stackexchange"):
        assert verdict(dialect, long)[0] == "turns before the question"
    assert verdict("alpaca-preference", pair("一", "二"))[0] == "a prompt that does not end with a question"
    assert verdict("stackexchange", pair(tools=[{"name": "f"}])) == ("tools", "$")


@pytest.mark.parametrize("dialect", PAIRS)
def test_a_verdict_names_a_place_that_the_row_has(dialect):
    row = {"prompt": [user("问"), answer("答"), user("再问")], "chosen": [answer("好")], "rejected": [answer("坏")]}
    verdicts = 0
    for more in ({"prompt": [*row["prompt"], answer("完")]}, {"chosen": [answer("好"), user("吗")]}, {"text": "x"}):
        full = {**row, **more}
        try:
            write(dialect, read(full))
        except NotRepresentable as caught:
            resolve(caught.path, full)
            verdicts += 1
    assert verdicts or dialect in ("trl-preference", "sharegpt-preference")


@pytest.mark.parametrize(
    ("name", "dialect"),
    [
        ("lf_dpo_en_demo.json", "sharegpt-preference"),
        ("lf_dpo_zh_demo.json", "sharegpt-preference"),
        ("lf_kto_en_demo.json", "sharegpt-kto"),
    ],
)
def test_every_row_of_a_real_file_comes_back_and_goes_to_trl_and_back(name, dialect):
    if not (DATA / name).is_file():
        pytest.skip("no real data here; DATAFORGE_DATA names its folder")
    target = "trl-unpaired" if dialect == "sharegpt-kto" else "trl-preference"
    (source,) = find_sources([str(DATA / name)])
    reading = open_reading(source)
    rows = 0
    for chunk in read_chunks(source, 0, reading):
        batch = Batch(chunk)
        for index, record in batch.records():
            assert record.layout["dialect"] == dialect
            assert exactly(jsontext.encode(write(dialect, record))) == exactly(batch.raw(index))
            carried = read(write(target, record))
            assert record_id(carried) == record_id(record)
            assert record_id(read(write(dialect, carried))) == record_id(record)
            rows += 1
        assert not batch.notes
    reading.close()
    assert rows == 300
