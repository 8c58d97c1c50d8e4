"""clean: every row comes out once, in its own dialect, changed where it had to be and nowhere else."""

import json
from pathlib import Path

import orjson
import polars
import pytest

import dataforge
from dataforge.errors import InputError, RowError, UsageError
from dataforge.formats.detect import find
from dataforge.formats.spelling import Spelling
from dataforge.ops.cleaning.edit import edited, texts_of
from dataforge.ops.cleaning.order import Cleaner

SAMPLES = Path(__file__).resolve().parent.parent.parent / "samples"


def write(path, rows):
    path.write_bytes(b"".join(row if isinstance(row, bytes) else orjson.dumps(row) + b"\n" for row in rows))
    return str(path)


def cleaned(tmp_path, rows, **options):
    """(result, rows that came out)."""
    out = tmp_path / "out.jsonl"
    result = dataforge.clean(write(tmp_path / "in.jsonl", rows), output=str(out), workers=1, force=True, **options)
    return result, [json.loads(line) for line in out.read_text().splitlines()]


def fates(tmp_path):
    table = polars.read_parquet(tmp_path / "out.jsonl.forge" / "ledger.parquet")
    return list(
        zip(
            table["fate"].cast(str),
            table["rule"].cast(str).fill_null(""),
            table["detail"].cast(str).fill_null(""),
            strict=True,
        )
    )


def test_rows_that_need_nothing_keep_their_bytes(tmp_path):
    rows = [
        b'{"question" : "\\u4f60\\u597d", "answer":"\xe8\xb0\xa2\xe8\xb0\xa2\xe3\x80\x82", "n": 1e400}\n', b'{"text": "x"}\n', b'{"text": ""}\n',
        b'{"question": "a", "answer": ""}\n', '{"text": "👨‍👩‍👧 می‌خواهم"}\n'.encode(), b'{"text": "def f():\\n    return 1"}\n',
    ]  # fmt: skip
    result, _ = cleaned(tmp_path, rows)
    assert (tmp_path / "out.jsonl").read_bytes() == b"".join(rows)
    assert result.counts.kept == len(rows) == result.counts.rows_out


def test_a_repaired_row_keeps_its_keys_order_and_extras(tmp_path):
    row = {
        "id": " a\u200b ",
        "output": "schÃ¶n  ",
        "meta": {"note": "x  "},
        "instruction": "问\u200b题",
        "input": "输入 \n",
    }
    result, (out,) = cleaned(tmp_path, [row])
    assert out == {**row, "output": "schön", "instruction": "问题", "input": "输入"} and list(out) == list(row)
    assert result.counts.repaired == 1
    assert fates(tmp_path) == [("repaired", "mojibake+zero-width+spaces", "")]
    assert result.data["repairs"] == {"mojibake": 1, "zero-width": 1, "spaces": 1}


DIRT = "\u200b"


def dirtied(value, texts):
    """The JSON value with dirt in the middle of every string that holds a text of the record, or is held by one."""
    if isinstance(value, str):
        if any(text and (text in value or (value in text and len(value) > 12)) for text in texts):
            for text in sorted(filter(None, texts), key=len, reverse=True):
                if text in value:
                    return value.replace(text, text[: len(text) // 2] + DIRT + text[len(text) // 2 :], 1)
            return value[: len(value) // 2] + DIRT + value[len(value) // 2 :]
        return value
    if isinstance(value, dict):
        return {key: dirtied(item, texts) for key, item in value.items()}
    return [dirtied(item, texts) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("path", sorted((SAMPLES / "dialects").glob("*.jsonl")), ids=lambda path: path.stem)
def test_rows_of_every_dialect_are_repaired_in_their_own_dialect(path):
    cleaner = Cleaner(["zero-width"])
    tried = 0
    for line in path.read_bytes().splitlines():
        row = json.loads(line)
        module = find(row)
        texts = texts_of(module.read(row, Spelling()))
        dirty = dirtied(row, texts)
        try:
            record = find(dirty).read(dirty, Spelling())
        except RowError:
            continue
        if find(dirty) is not module or len(texts_of(record)) != len(texts):
            continue
        new = [cleaner.clean(text) for text in texts_of(record)]
        if new == texts_of(record):
            continue
        tried += 1
        again = edited(dirty, record, module, Spelling(), new, cleaner.clean)
        assert texts_of(module.read(again, Spelling())) == new
        assert list(again) == list(row)
    assert tried


def test_a_row_that_carries_its_source_is_repaired_in_both(tmp_path):
    row = {
        "conversations": [
            {"from": "human", "value": "问\u200b题一二三四五六七八九十"},
            {"from": "gpt", "value": "good  answer with words \n"},
        ],
        "extra": 1,
    }
    source = write(tmp_path / "chat.jsonl", [row])
    dataforge.convert(source, output=str(tmp_path / "alpaca.jsonl"), to="alpaca", keep_layout=True)
    dataforge.clean(str(tmp_path / "alpaca.jsonl"), output=str(tmp_path / "clean.jsonl"))
    (carrier,) = [json.loads(line) for line in (tmp_path / "clean.jsonl").read_text().splitlines()]
    assert carrier["instruction"] == "问题一二三四五六七八九十" and carrier["output"] == "good  answer with words"
    dataforge.convert(str(tmp_path / "clean.jsonl"), output=str(tmp_path / "back.jsonl"), to="source")
    wanted = json.loads(json.dumps(row))
    wanted["conversations"][0]["value"], wanted["conversations"][1]["value"] = carrier["instruction"], carrier["output"]
    assert json.loads((tmp_path / "back.jsonl").read_text()) == wanted


def test_a_repaired_row_loses_a_layout_that_no_longer_fits(tmp_path):
    source = write(tmp_path / "qa.jsonl", [{"question": "what is the question", "answer": "this is the answer"}])
    dataforge.convert(source, output=str(tmp_path / "a.jsonl"), to="alpaca", keep_layout=True)
    row = json.loads((tmp_path / "a.jsonl").read_text())
    row["output"] = "another\u200b answer"
    _, (out,) = cleaned(tmp_path, [row])
    assert out == {"instruction": "what is the question", "input": "", "output": "another answer"}
    assert fates(tmp_path) == [("repaired", "zero-width+stale_layout", "")]


def test_tool_calls_and_results_and_unknown_keys_are_left_alone(tmp_path):
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": '{"q": "a\\u200bb  "}'}}
    row = {
        "messages": [
            {"role": "user", "content": "hi\u200b"}, {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "1", "content": "raw\u200b \n"}, {"role": "assistant", "content": "done", "reasoning_content": "thought\u200b"},
        ],
        "note": "x\u200b",
    }  # fmt: skip
    _, (out,) = cleaned(tmp_path, [row])
    row["messages"][0]["content"], row["messages"][3]["reasoning_content"] = "hi", "thought"
    assert out == row


def test_the_blank_before_a_completion_stays(tmp_path):
    _, (out,) = cleaned(tmp_path, [{"prompt": "The sky\u200b is ", "completion": "blue"}])
    assert out == {"prompt": "The sky is ", "completion": "blue"}


def test_a_prompt_that_is_a_text_keeps_its_last_line_ends_too(tmp_path):
    rows = [
        {"prompt": 'def f():\n    """说明"""  \r\n', "completion": "    return 1 \n"},
        {"prompt": "def f():\u200b\n    ", "task_id": "T/1", "canonical_solution": "return 1\n"},
        {"prompt": [{"role": "user", "content": "你好\n"}], "completion": [{"role": "assistant", "content": "好 \n"}]},
        {"prompt": "x:\n\n\n\n\n", "chosen": "a\n", "rejected": "b\n"},
        {"prompt": "x:\n", "completion": "\n  y"},
    ]
    _, out = cleaned(tmp_path, rows)
    assert out == [
        {"prompt": 'def f():\n    """说明"""\n', "completion": "    return 1"},
        {"prompt": "def f():\n    ", "task_id": "T/1", "canonical_solution": "return 1\n"},
        {"prompt": [{"role": "user", "content": "你好"}], "completion": [{"role": "assistant", "content": "好"}]},
        {"prompt": "x:\n\n\n", "chosen": "a", "rejected": "b"},
        {"prompt": "x:\n", "completion": "  y"},
    ]


def test_an_input_without_an_instruction_stays_the_input(tmp_path):
    rows = [
        {"instruction": "", "input": "要求输入", "output": "好"},
        {"instruction": "", "input": "a\u200bb", "output": "x "},
        {"指令": "", "输入": "要求", "输出": "好\u200b"},
        {"instruction": "", "input": "x", "output": "y", "history": [["q", "a\u200b"]]},
    ]
    _, out = cleaned(tmp_path, rows)
    assert out == [
        rows[0],
        {"instruction": "", "input": "ab", "output": "x"},
        {"指令": "", "输入": "要求", "输出": "好"},
        {"instruction": "", "input": "x", "output": "y", "history": [["q", "a"]]},
    ]
    assert [fate for fate, _, _ in fates(tmp_path)] == ["kept", "repaired", "repaired", "repaired"]


def test_what_is_found_is_counted_once_and_never_shown(tmp_path):
    rows = [
        {"instruction": "mail a@b.co  \nplease ", "input": "or x@y.io  \nok ", "output": "done"},
        {"instruction": "写信", "input": "给 zhang@163.com ", "output": "好"},
    ]
    result, _ = cleaned(tmp_path, rows, pii="all", diff=5)
    assert result.data["found"] == {"email": 3}
    assert [detail for _, _, detail in fates(tmp_path)] == ["email 2", "email 1"]
    shown = "\n".join(result.lines)
    assert not any(text in shown for text in ("a@b.co", "x@y.io", "zhang@163.com", "b.co", "y.io"))


def test_a_row_that_had_text_and_has_none_left_is_dropped_by_name(tmp_path):
    rows = [
        {"text": "\u200b\ufeff"},
        {"text": ""},
        {"text": "   "},
        {"text": "Read more"},
        {"question": "", "answer": ""},
    ]
    result, out = cleaned(tmp_path, rows, also="boilerplate", keep_dropped=True)
    assert out == [{"text": ""}, {"text": ""}, {"question": "", "answer": ""}]
    assert [(fate, rule) for fate, rule, _ in fates(tmp_path)] == [
        ("dropped", "empty"), ("kept", ""), ("repaired", "spaces"), ("dropped", "empty"), ("kept", ""),
    ]  # fmt: skip
    rejects = [json.loads(line) for line in (tmp_path / "out.jsonl.forge" / "rejects.jsonl").read_text().splitlines()]
    assert [reject["rule"] for reject in rejects] == ["empty", "empty"] and result.counts.dropped == 2


def test_a_row_without_text_that_holds_a_call_or_a_picture_stays(tmp_path):
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    picture = {"type": "image_url", "image_url": {"url": "图.png"}}
    rows = [
        {"messages": [{"role": "user", "content": "\u200b"}, {"role": "assistant", "content": None, "tool_calls": [call]}]},
        {"messages": [{"role": "user", "content": [picture, {"type": "text", "text": "\ufeff"}]}, {"role": "assistant", "content": "\u200b"}]},
    ]  # fmt: skip
    _, out = cleaned(tmp_path, rows)
    assert [fate for fate, _, _ in fates(tmp_path)] == ["repaired", "repaired"]
    assert out[0]["messages"][1] == rows[0]["messages"][1] and out[1]["messages"][0]["content"][0] == picture


def test_harmful_rows_and_other_languages_are_dropped_by_name(tmp_path):
    (tmp_path / "mine.txt").write_text("坏词\n")
    rows = [
        {"question": "你好吗？", "answer": "我很好，谢谢你的关心。"}, {"question": "有坏词吗", "answer": "有"}, {"question": "What is the capital of France?", "answer": "It is Paris."},
        {"question": "1+1", "answer": "2"}, {"question": "加微信裸聊", "answer": "x"},
    ]  # fmt: skip
    result, out = cleaned(tmp_path, rows, harmful=["zh", str(tmp_path / "mine.txt")], language="zh")
    assert out == [rows[0], rows[3]]
    assert {rule: n for (fate, rule), n in result.counts.rules.items() if fate == "dropped"} == {
        "harmful:mine": 1,
        "harmful:zh": 1,
        "language:en": 1,
    }
    manifest = (tmp_path / "out.jsonl.forge" / "manifest.json").read_text()
    assert str(tmp_path) not in manifest


@pytest.mark.parametrize(
    ("code", "help"),
    [("cn", "'zh'"), ("zh-CN", "'zh'"), ("ZH", "'zh'"), ("English", "'en'"), ("zh,en", "--language zh --language en")],
)
def test_a_language_that_is_spelled_otherwise_is_guessed(code, help, tmp_path):
    with pytest.raises(UsageError) as fault:
        cleaned(tmp_path, [{"text": "x"}], language=code)
    assert help in str(fault.value.help)


def test_the_output_does_not_depend_on_workers(tmp_path):
    rows = [{"text": f"行{n} \n\u200b文字" * 20} for n in range(5_000)]
    source = write(tmp_path / "many.jsonl", rows)
    for workers in (1, 2):
        dataforge.clean(source, output=str(tmp_path / f"{workers}.jsonl"), workers=workers)
    assert (tmp_path / "1.jsonl").read_bytes() == (tmp_path / "2.jsonl").read_bytes()


def test_cleaning_twice_changes_nothing_more(tmp_path):
    for path in sorted(SAMPLES.glob("*.jsonl")):
        dataforge.clean(str(path), output=str(tmp_path / "a.jsonl"), force=True, on_error="reject")
        again = dataforge.clean(str(tmp_path / "a.jsonl"), output=str(tmp_path / "b.jsonl"), force=True)
        assert again.counts.repaired == 0 and again.counts.dropped == 0
        assert (tmp_path / "a.jsonl").read_bytes() == (tmp_path / "b.jsonl").read_bytes()


def test_only_with_and_without_choose_the_repairs(tmp_path):
    row = {"text": "a\u200b  \n<b>x</b> \x07"}
    assert cleaned(tmp_path, [row], only="zero-width")[1] == [{"text": "a  \n<b>x</b> \x07"}]
    assert cleaned(tmp_path, [row], without=["zero-width", "control"])[1] == [{"text": "a\u200b\n<b>x</b> \x07"}]
    assert cleaned(tmp_path, [row], also="html")[1] == [{"text": "a\nx"}]


def test_a_dry_run_with_diff_shows_rows_and_writes_nothing(tmp_path, cli):
    source = write(tmp_path / "in.jsonl", [{"text": "fine"}, {"text": "a\u200bb"}, {"text": "c  "}])
    said = cli("clean", source, "-o", tmp_path / "out.jsonl", "--dry-run", "--diff", "1")
    assert said.code == 0 and said.out == b""
    assert f"{source}:2  zero-width\n" in said.err and "\\u200b" in said.err and f"{source}:3" not in said.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.jsonl"]
    said = cli("clean", source, "--diff", "2")
    assert (
        said.out == b'{"text": "fine"}\n'.replace(b": ", b":") + b'{"text":"ab"}\n{"text":"c"}\n'
        and f"{source}:3  spaces" in said.err
    )


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"also": "htlm"}, "did you mean 'html'"), ({"pii": "e-mail"}, "did you mean 'email'"), ({"language": "english"}, "--language"),
        ({"harmful": "nolist.txt"}, "nolist.txt"), ({"also": "html", "without": "html"}, "--without"), ({"boilerplate": "x.txt"}, "repair does not run"),
        ({"also": ["simplified", "traditional"]}, "undo each other"),
    ],
)  # fmt: skip
def test_wrong_options_are_refused(tmp_path, options, words):
    with pytest.raises((UsageError, InputError), match=words):
        cleaned(tmp_path, [{"text": "a"}], **options)


def test_a_faulty_row_stops_or_is_rejected(tmp_path):
    rows = [{"text": "a "}, b"{broken\n", {"text": 5}, {"what": 1}, {"text": "b"}]
    with pytest.raises(RowError, match="in.jsonl:2"):
        cleaned(tmp_path, rows)
    result, out = cleaned(tmp_path, rows, on_error="reject")
    assert out == [{"text": "a"}, {"text": "b"}] and result.counts.errors == 3


def test_a_row_of_many_megabytes_comes_through(tmp_path):
    text = ("def f():\n    return '你好'  \n\u200b" * 300_000)[:8_000_000]
    result, (out,) = cleaned(tmp_path, [{"text": text}])
    assert out["text"] == text.replace("  \n", "\n").replace("\u200b", "").rstrip() and result.counts.repaired == 1
