"""The client with a real server: `transformers serve` says what the same model says in this process."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
import torch

from dataforge.llm.client import Client
from dataforge.llm.local import LocalModel
from dataforge.llm.request import Failure, Reply, Request, message
from dataforge.llm.settings import ClientConfig

pytestmark = pytest.mark.slow  # the server takes several seconds to start

QUESTIONS = ["What is the capital of France?", "法国的首都是哪里？", "How is green tea brewed?", "一加一等于几？"]
SYSTEM = message("system", "Answer in one sentence. 请用一句话回答。")


@pytest.fixture(autouse=True)
def no_keys(monkeypatch):
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


def chat(question, **more):
    return Request((SYSTEM, message("user", question)), **{"temperature": 0.0, "max_tokens": 16, **more})


def ask_all(server, requests, **settings):
    """The answers of the server, all requests in flight at once."""
    settings = {"model": server.model, "base_url": server.url, "cache": "none", "retries": 1, **settings}

    async def run():
        client = Client(ClientConfig(**settings), seed=5)
        try:
            outcomes = await asyncio.gather(*(client.ask(f"r{n}", request) for n, request in enumerate(requests)))
        finally:
            await client.close()
        return [outcome.answer for outcome in outcomes], client

    return asyncio.run(run())


@pytest.fixture(scope="module")
def local(transformers_server):
    torch.set_num_threads(1)
    return LocalModel(transformers_server.model)


def test_chats_and_continued_texts_are_answered_as_by_the_model_in_this_process(transformers_server, local):
    requests = [
        *[chat(question) for question in QUESTIONS],
        Request((message("text", "The capital of"),), temperature=0.0, max_tokens=12),
        Request((message("text", "天空是"),), temperature=0.0, max_tokens=12),
    ]
    answers, client = ask_all(transformers_server, requests)
    wanted = local.answer(requests)
    for answer, want in zip(answers, wanted, strict=True):
        assert isinstance(answer, Reply)
        assert answer.text == want.text
        assert (answer.finish, answer.prompt_tokens, answer.completion_tokens) == (
            want.finish,
            want.prompt_tokens,
            want.completion_tokens,
        )
    assert client.budget.spent.requests == len(requests)
    assert client.budget.spent.tokens == sum(reply.prompt_tokens + reply.completion_tokens for reply in wanted)


def ending(local, question):
    """A request whose reply ends by itself: its stop text stands in the reply of the model."""
    (whole,) = local.answer([chat(question)])
    parts = [part for part in whole.text.split("\ufffd") if len(part) > 1 and part.strip()]
    return chat(question, stop=(parts[-1],))


def test_a_stop_text_that_this_server_leaves_standing_is_cut_off(transformers_server, local):
    request = ending(local, QUESTIONS[0])
    (answer,), _ = ask_all(transformers_server, [request])
    (want,) = local.answer([request])
    assert (answer.text, answer.finish) == (want.text, "stop")
    assert request.stop[0] not in answer.text


def test_drawn_replies_differ_and_a_seed_repeats_them_when_alone(transformers_server):
    request = chat(QUESTIONS[1], temperature=1.0)
    texts = []
    for _ in range(2):
        (answer,), _ = ask_all(transformers_server, [request], server_seed=True)
        texts.append(answer.text)
    (other,), _ = ask_all(transformers_server, [replace(request, sample=1)], server_seed=True)
    assert texts[0] == texts[1] != other.text


def test_a_schema_that_this_server_does_not_heed_still_gives_a_reply(transformers_server):
    schema = {"type": "object", "properties": {"task": {"type": "string"}}, "required": ["task"]}
    (answer,), _ = ask_all(transformers_server, [chat(QUESTIONS[0], schema=schema)])
    assert isinstance(answer, Reply)


def test_a_model_that_the_server_does_not_serve_is_a_fault_that_says_so(transformers_server):
    (answer,), _ = ask_all(transformers_server, [chat("Hi")], model="another-model")
    assert isinstance(answer, Failure)
    assert "another-model" in answer.detail


def test_paid_replies_come_from_the_cache_the_second_time_and_cut_ones_do_not(transformers_server, local, tmp_path):
    requests = [ending(local, QUESTIONS[0]), chat(QUESTIONS[1])]
    cache = str(tmp_path / "replies.sqlite")
    first, _ = ask_all(transformers_server, requests, cache=cache)
    again, client = ask_all(transformers_server, requests, cache=cache)
    assert [answer.text for answer in again] == [answer.text for answer in first]
    assert [(answer.finish, answer.cached) for answer in again] == [("stop", True), ("length", False)]
    assert client.budget.spent.requests == 1
