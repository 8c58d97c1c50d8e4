"""llmock, a server that grades clients, as an independent judge of how ours behaves when refused."""

import asyncio
import itertools

import pytest

from dataforge.errors import ServiceError
from dataforge.llm.client import Client
from dataforge.llm.request import Failure, Reply, Request, message
from dataforge.llm.settings import ClientConfig

numbers = itertools.count()
"""No two prompts are alike: the judge takes a request that comes again for another try."""


def ask(mock, count, **config):
    """Answers to so many requests at once, in real time. Raises the first error, once all have ended."""

    async def run():
        settings = {"model": "gpt-4o-mini", "base_url": mock.base_url(), "cache": "none"} | config
        client = Client(ClientConfig(**settings))
        try:
            requests = [Request((message("user", f"问题 {next(numbers)}"),), max_tokens=50) for _ in range(count)]
            jobs = [client.ask(str(number), request) for number, request in enumerate(requests)]
            return await asyncio.gather(*jobs, return_exceptions=True)
        finally:
            await client.close()

    came = asyncio.run(run())
    for outcome in came:
        if isinstance(outcome, Exception):
            raise outcome
    return [outcome.answer for outcome in came]


def test_retry_after_is_waited_for_by_everyone(llmock):
    llmock.rate_limit(times=3, retry_after=0.3)
    assert all(isinstance(answer, Reply) for answer in ask(llmock, 6))
    llmock.assert_resilient(strict=True)
    assert llmock.verdict().attempts == 9


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_faults_that_may_pass_are_tried_again(llmock, status):
    llmock.fail(status, retry_after=0.1)
    (answer,) = ask(llmock, 1)
    assert isinstance(answer, Reply)
    llmock.assert_resilient(strict=True)


def test_a_burst_of_faults_is_backed_off_from(llmock):
    llmock.fail(500, times=5)
    assert all(isinstance(answer, Reply) for answer in ask(llmock, 5))
    llmock.assert_resilient()


@pytest.mark.parametrize("status", [400, 422])
def test_faults_of_the_request_are_not_tried_again(llmock, status):
    llmock.fail(status)
    (answer,) = ask(llmock, 1)
    assert isinstance(answer, Failure)
    assert len(llmock.requests) == 1
    llmock.assert_resilient(strict=True)


@pytest.mark.parametrize("status", [401, 403, 404])
def test_faults_of_the_whole_run_end_it(llmock, status):
    llmock.fail(status, times=None)
    with pytest.raises(ServiceError):
        ask(llmock, 20)
    llmock.assert_resilient(strict=True)
    assert len(llmock.requests) <= 8


def test_a_prompt_that_is_too_long_is_named_so(llmock):
    llmock.context_overflow()
    assert ask(llmock, 1)[0].rule == "too_long"
    llmock.assert_resilient(strict=True)


def test_a_server_that_stays_down_is_left_alone_after_the_tries(llmock):
    llmock.fail(503, times=None, retry_after=0.1)
    with pytest.raises(ServiceError, match="3 requests in a row"):
        ask(llmock, 12, retries=1, give_up=3)
    llmock.assert_resilient()
    assert len(llmock.requests) <= 24


def test_an_unanswered_tool_call_is_a_failure(llmock):
    llmock.call_tool("search", {"q": "tea"})
    assert ask(llmock, 1)[0].rule == "tool_call"
