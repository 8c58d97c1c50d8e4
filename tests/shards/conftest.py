"""A small tokenizer, trained once, and the records that the tests of this folder share."""

from __future__ import annotations

import os

import pytest

from dataforge.record import Reasoning, Record, ToolCall, ToolResult, Turn
from dataforge.shards.template import load_tokenizer
from dataforge.shards.train_tokenizer import train_bpe

# Tests of this folder start processes; tokenizers warns of its threads where both are used.
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

TEXTS = [
    "The quick brown fox jumps over the lazy dog. It's 2024, and we're fine.",
    "assistant user system tool What is the capital of France? The capital of France is Paris.",
    "你好，世界。法国的首都是巴黎。今天天气很好，我们去公园散步吧。",
    "问题：一加一等于几？答案：二。人工智能正在改变世界。",
    '{"name": "get_weather", "arguments": {"city": "北京", "days": 3}} <tool_call> </tool_call>\n\n',
]


def talk(*turns: tuple[str, str], **more: object) -> Record:
    """A conversation from (role, text) pairs."""
    return Record([Turn(role, [text]) for role, text in turns], **more)


def document(text: str) -> Record:
    """A document record."""
    return Record([Turn("document", [text])])


WEATHER = {
    "name": "get_weather",
    "description": '天气预报 <b>"quoted"</b>',
    "parameters": {"type": "object", "properties": {}},
}

CONVERSATIONS = {
    "one_turn": talk(("user", "What is the capital of France?"), ("assistant", "Paris.")),
    "chinese": talk(("system", "你是助手。"), ("user", "法国的首都是哪里？"), ("assistant", "法国的首都是巴黎。")),
    "many_turns": talk(
        ("user", "一加一等于几？"),
        ("assistant", "二。"),
        ("user", "And 2+2?"),
        ("assistant", "4, of course."),
        ("user", "ok"),
    ),
    "emoji": talk(("user", "🙂👨‍👩‍👧"), ("assistant", "𠮷 🎉\u0301 naïve")),
    "empty_answer": talk(("user", "say nothing"), ("assistant", ""), ("user", "again"), ("assistant", "你好")),
    "answer_first": talk(("assistant", "Hello! 你好！"), ("user", "hi"), ("assistant", "How are you?")),
    "line_breaks": talk(("user", "\n\nhi\n"), ("assistant", "\n\n  indented\n"), ("user", " "), ("assistant", " x ")),
    "answers_in_a_row": talk(("user", "hi"), ("assistant", "one"), ("assistant", "two")),
    "developer": talk(("developer", "Be brief."), ("user", "hi"), ("assistant", "ok")),
    "late_system": talk(("user", "hi"), ("system", "规则变了。"), ("assistant", "ok")),
    "reasoning": Record(
        [
            Turn("user", ["1+1?"]),
            Turn("assistant", [Reasoning("一加一"), "2"]),
            Turn("user", ["?"]),
            Turn("assistant", [Reasoning("just two"), "two"]),
        ]
    ),
    "tools": Record(
        [
            Turn("system", ["查天气。"]),
            Turn("user", ["Weather in Beijing?"]),
            Turn(
                "assistant",
                ["Let me see.", ToolCall("get_weather", '{"city":"北京","days":3}', "c1"), ToolCall("noop", "")],
            ),
            Turn("tool", [ToolResult('{"temp": 21}', "c1")]),
            Turn("tool", [ToolResult("晴")]),
            Turn("assistant", ["21 degrees, 晴。"]),
        ],
        tools=[WEATHER, {"type": "function", "function": {"name": "noop"}}],
    ),
    "tools_without_system": Record(
        [
            Turn("user", ["北京天气？"]),
            Turn("assistant", [ToolCall("get_weather", '{"city": "北京", "n": 1.50}')]),
            Turn("tool", [ToolResult("晴"), ToolResult("热")]),
            Turn("assistant", ["晴，热。"]),
        ],
        tools=[WEATHER],
    ),
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that asks for `conversation` runs once for each of the conversations above."""
    if "conversation" in metafunc.fixturenames:
        metafunc.parametrize("conversation", list(CONVERSATIONS.values()), ids=list(CONVERSATIONS))


@pytest.fixture(scope="session", name="talk")
def _talk() -> object:
    """`talk(("user", "hi"), ("assistant", "hello"))` makes a record."""
    return talk


@pytest.fixture(scope="session", name="document")
def _document() -> object:
    """`document("text")` makes a record."""
    return document


@pytest.fixture(scope="session")
def tokenizer_folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The folder of a small tokenizer with the chatml template."""
    folder = tmp_path_factory.mktemp("tokenizer")
    train_bpe(TEXTS * 3, vocab_size=600).save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="session")
def tokenizer(tokenizer_folder: str) -> object:
    """The small tokenizer, opened from its folder."""
    return load_tokenizer(tokenizer_folder)


@pytest.fixture(scope="session")
def foreign_tokenizer() -> object:
    """A tokenizer of another family: words with a mark for the space, a beginning and an end token, no chatml."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    backend = Tokenizer(models.BPE(unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="never", split=False)
    backend.decoder = decoders.Metaspace(prepend_scheme="never")
    trainer = trainers.BpeTrainer(vocab_size=400, special_tokens=["<unk>", "<s>", "</s>"], show_progress=False)
    backend.train_from_iterator([*TEXTS * 3, *"USER: ASSISTANT: 再问 The" * 3], trainer)
    backend.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", backend.token_to_id("<s>"))]
    )
    return PreTrainedTokenizerFast(tokenizer_object=backend, bos_token="<s>", eos_token="</s>", unk_token="<unk>")
