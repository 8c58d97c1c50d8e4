"""The client over real sockets, against a server that misbehaves."""

import asyncio
import logging
import random
import sqlite3
from contextlib import contextmanager

import pytest
from llm.server import (
    Server,
    bad_key,
    drip,
    fail,
    half_body,
    half_json,
    hang,
    html,
    ok,
    quota,
    raw,
    reset,
    too_long,
)

from dataforge.errors import ServiceError, UsageError
from dataforge.llm.client import Client, Spent
from dataforge.llm.pace import REAL, Clock
from dataforge.llm.prices import Prices
from dataforge.llm.remarks import Remarks
from dataforge.llm.request import Failure, Reply, Request, message
from dataforge.llm.settings import ClientConfig
from dataforge.llm.targets import Targets

KEY = "sk-proj-Zx81kQwErTy5Tn3Vb7Lm9Pd2"


@pytest.fixture(autouse=True)
def environment_of_keys(monkeypatch):
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


class Hurried:
    """A clock whose sleeps take no time, and are written down."""

    def __init__(self):
        self.time = 0.0
        self.slept = []

    def clock(self):
        return Clock(lambda: self.time, self.sleep)

    async def sleep(self, seconds):
        self.slept.append(seconds)
        self.time += seconds
        await asyncio.sleep(0)


def question(text="How is green tea brewed?", **more):
    return Request((message("user", text),), **({"max_tokens": 100} | more))


def asked(server, requests, *, hurried=None, seed=0, spent=None, on_send=None, **config):
    """(outcomes, client) of requests asked at once."""

    async def run():
        settings = ClientConfig(**({"model": "m", "base_url": server.url, "cache": "none"} | config))
        clock = (hurried or Hurried()).clock()
        client = Client(settings, seed=seed, spent=spent or Spent(), on_send=on_send, clock=clock)
        try:
            jobs = [client.ask(f"row-{number}", request) for number, request in enumerate(requests)]
            return await asyncio.gather(*jobs), client
        finally:
            await client.close()

    return asyncio.run(run())


def answer_to(behaviours, request=None, **config):
    """(answer, server, client) of one request, met by behaviours one after another."""
    with Server(script=behaviours) as server:
        ((outcome,), client) = asked(server, [request or question()], **config)
        return outcome.answer, server, client


@contextmanager
def ends_the_run(*words):
    with pytest.raises(ServiceError) as caught:
        yield
    said = f"{caught.value} {caught.value.help}"
    for word in words:
        assert word in said, said
    assert KEY not in said


def test_a_reply_says_text_tokens_model_and_costs_what_the_server_counted():
    with Server(answer=lambda body: "先用八十度的水。") as server:
        (outcome,), client = asked(server, [question("绿茶怎么泡？")])
    assert outcome.answer == Reply("先用八十度的水。", prompt_tokens=11, completion_tokens=9, model="m", id="reply-1")
    assert outcome.spent == client.budget.spent == Spent(1, 20, 0.0)
    assert server.tokens == 20
    assert client.remarks == []


def test_a_request_carries_what_was_asked_and_nothing_else():
    request = question(max_tokens=7, temperature=0.7, stop=("\n\n",), presence_penalty=2.0)
    _, server, _ = answer_to([], request)
    assert server.requests == [
        {
            "model": "m",
            "messages": [{"role": "user", "content": "How is green tea brewed?"}],
            "max_tokens": 7,
            "temperature": 0.7,
            "presence_penalty": 2.0,
            "stop": ["\n\n"],
        }
    ]


def test_a_text_to_be_continued_goes_to_the_completions_address():
    reply, server, _ = answer_to(["4. 写一首诗"], Request((message("text", "1. a\n2. b\n3."),), max_tokens=9))
    assert reply.text == "4. 写一首诗"
    assert server.requests[0]["prompt"] == "1. a\n2. b\n3."


PASSING = {
    "429": fail(429, "slow down"),
    "429 with Retry-After": fail(429, retry_after=2),
    "408": fail(408),
    "409": fail(409),
    "500": fail(500),
    "502 page": fail(502, body=b"<html>Bad Gateway</html>"),
    "503": fail(503),
    "529": fail(529),
    "reset": reset(),
    "half body": half_body(),
    "half json": half_json(),
    "html": html(),
    "not json": raw(b"upstream timed out"),
    "nothing": raw(b""),
    "a list": raw([1, 2]),
    "error in a 200": raw({"error": {"message": "overloaded", "code": 503}}),
    "unnamed error in a 200": raw({"error": "try later"}),
    "choices null": raw({"choices": None}),
    "choices empty": raw({"choices": []}),
    "choice null": raw({"choices": [None]}),
    "message null": raw({"choices": [{"message": None, "finish_reason": "stop"}]}),
    "content null": ok(message={"content": None}),
    "content empty": ok(""),
    "content blank": ok(" \n"),
    "only reasoning": ok(message={"content": "", "reasoning_content": "Hm."}),
    "error in a choice": raw({"choices": [{"error": {"message": "lost", "code": 502}}]}),
}


@pytest.mark.parametrize("name", PASSING)
def test_a_fault_that_passes_is_tried_again(name):
    reply, server, client = answer_to([PASSING[name], PASSING[name], "fine"])
    assert reply.text == "fine"
    assert server.count == 3
    assert client.budget.spent.requests == 3


@pytest.mark.parametrize("name", PASSING)
def test_a_fault_that_does_not_pass_becomes_a_failure_after_the_tries(name):
    failure, server, _ = answer_to([PASSING[name]] * 9, retries=2)
    assert isinstance(failure, Failure)
    assert (failure.attempts, server.count) == (3, 3)
    assert failure.rule
    assert "\n" not in failure.detail


@pytest.mark.parametrize(
    ("behaviour", "rule"),
    [
        (too_long(), "too_long"),
        (fail(413, "Request Entity Too Large"), "too_long"),
        (fail(400, "the request exceeds the available context size"), "too_long"),
        (fail(400, "输入过长，超出最大长度"), "too_long"),
        (fail(400, "filtered", code="content_filter"), "content_filter"),
        (fail(403, "Your input was flagged by moderation"), "content_filter"),
        (fail(422, "no such thing"), "http_422"),
        (ok(finish="content_filter"), "content_filter"),
        (ok(message={"content": None, "refusal": "I will not."}), "refused"),
        (ok(message={"content": [{"type": "refusal", "refusal": "No."}]}), "refused"),
        (ok(message={"content": None, "tool_calls": [{"id": "1"}]}, finish="tool_calls"), "tool_call"),
        (ok("", finish="length"), "empty"),
    ],
)
def test_a_fault_of_the_request_itself_is_not_tried_again(behaviour, rule):
    failure, server, _ = answer_to([behaviour])
    assert (failure.rule, failure.attempts, server.count) == (rule, 1, 1)


def test_parts_reasoning_and_a_missing_finish_reason_make_a_sound_reply():
    parts = [{"type": "text", "text": "绿"}, {"type": "text", "text": "茶"}]
    reply, _, _ = answer_to([ok(message={"content": parts, "reasoning": "想一想"}, finish=None)])
    assert (reply.text, reply.reasoning, reply.finish) == ("绿茶", "想一想", "stop")


def test_a_reply_cut_at_its_longest_says_so_and_is_never_kept(tmp_path):
    with Server(answer=lambda body: ok("half a", finish="length")) as server:
        for count in (1, 2):
            (outcome,), _ = asked(server, [question()], cache=str(tmp_path / "replies.sqlite"))
            assert outcome.answer.truncated
            assert server.count == count


def test_a_reply_without_usage_is_charged_with_all_that_was_reserved():
    reply, server, client = answer_to([ok(usage=False)])
    assert reply.prompt_tokens is None
    assert client.budget.spent.tokens == len("How is green tea brewed?") + 16 + 128 + 100


def test_a_server_that_counts_prompts_as_nothing_is_charged_like_one_that_does_not_count():
    nothing = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
    reply = {"choices": [{"message": {"content": "fine"}}], "usage": nothing}
    _, _, client = answer_to([raw(reply)])
    assert client.budget.spent.tokens == 268


@pytest.mark.parametrize(
    ("behaviour", "charged"), [(fail(500), False), (fail(429), False), (reset(), True), (html(), True)]
)
def test_what_may_have_been_paid_stays_charged(behaviour, charged):
    _, server, client = answer_to([behaviour], retries=0)
    assert client.budget.spent == Spent(1, 268 if charged else 0, 0.0)


def test_replies_without_text_are_paid_for_three_times_at_most():
    failure, server, _ = answer_to([ok("")] * 9, retries=6)
    assert (failure.rule, server.count) == ("empty", 3)


def test_half_a_character_is_a_failure_of_its_request():
    with Server() as server:
        outcomes, _ = asked(server, [question("tea \ud83d"), question("茶")])
    assert [getattr(outcome.answer, "rule", "fine") for outcome in outcomes] == ["not_unicode", "fine"]


ENDING = {
    "a wrong key": (bad_key(KEY), ("key", "OPENAI_API_KEY", "--api-key-env")),
    "no rights": (fail(403, "Country not supported"), ("not allow", "Country not supported")),
    "no money": (fail(402, "Insufficient Balance"), ("paid", "Insufficient Balance")),
    "no model": (fail(404, "The model `m` does not exist"), ("--model", "does not exist")),
    "no quota": (quota(), ("quota is used up", "billing")),
    "a long wait": (fail(429, retry_after=90000), ("90,000 seconds", "--timeout")),
    "no quota in a 200": (raw({"error": {"message": "insufficient_quota"}}), ("quota",)),
}


@pytest.mark.parametrize("name", ENDING)
def test_what_makes_going_on_senseless_ends_the_run_at_once(name):
    behaviour, words = ENDING[name]
    with Server(answer=lambda body: behaviour) as server, ends_the_run(*words):
        try:
            asked(server, [question(str(number)) for number in range(50)], concurrency=4)
        finally:
            assert server.count <= 4


def test_a_server_that_cannot_be_reached_ends_the_run_with_its_address():
    with Server() as server:
        url = server.url
    with ends_the_run(url, "--base-url"):
        answer_to([], base_url=url, retries=1)


def test_many_failures_in_a_row_end_the_run_and_show_the_count():
    with Server(answer=lambda body: fail(500, "kaputt")) as server, ends_the_run("5 requests in a row", "kaputt"):
        asked(server, [question(str(number)) for number in range(30)], retries=1, give_up=5, concurrency=1)
    assert 10 <= server.count <= 12


def test_a_success_between_failures_and_faults_of_content_keep_the_run_going():
    def answer(body):
        number = int(body["messages"][0]["content"])
        return too_long() if number % 3 == 0 else fail(500) if number % 3 == 1 else "fine"

    with Server(answer=answer) as server:
        outcomes, _ = asked(server, [question(str(n)) for n in range(60)], retries=0, give_up=3, concurrency=1)
    assert [getattr(o.answer, "rule", "fine") for o in outcomes] == ["too_long", "http_500", "fine"] * 20


def test_a_slow_drip_ends_at_the_time_limit():
    failure, server, client = answer_to([drip()], timeout=0.3, retries=0)
    assert (failure.rule, server.count) == ("timeout", 1)
    assert client.budget.spent.tokens == 268


def test_a_server_that_says_nothing_is_asked_again():
    reply, server, _ = answer_to([hang(), "fine"], timeout=0.3)
    assert (reply.text, server.count) == ("fine", 2)


class Real:
    """The clock as it is."""

    def clock(self):
        return REAL


def test_what_the_server_asks_to_wait_is_waited_by_all_its_requests():
    with Server(script=[fail(429, retry_after=0.4)]) as server:
        asked(server, [question(str(number)) for number in range(3)], hurried=Real(), concurrency=1)
    assert server.count == 4
    assert all(time - server.times[0] >= 0.4 for time in server.times[1:])


def test_back_off_grows_with_full_jitter_and_is_the_same_for_the_same_request():
    waits = []
    for _ in range(2):
        hurried = Hurried()
        answer_to([fail(500)] * 9, hurried=hurried, retries=8)
        waits.append(hurried.slept)
    assert waits[0] == waits[1]
    assert len(waits[0]) == 8
    assert all(0 <= wait <= min(60.0, 0.5 * 2.0**number) for number, wait in enumerate(waits[0]))
    assert len(set(waits[0])) == 8


def test_the_budget_is_never_exceeded_with_64_in_flight():
    def answer(body):
        return ok("好" * (len(body["messages"][0]["content"]) % 90), delay=0.002)

    with Server(answer=answer) as server:
        requests = [question("茶" * (number % 70 + 1)) for number in range(400)]
        outcomes, client = asked(server, requests, max_tokens=20_000, concurrency=64)
    assert server.tokens == client.budget.spent.tokens <= 20_000
    assert server.tokens > 20_000 - 500, "what is left would not hold another request"
    assert client.budget.exhausted
    assert client.budget.reserved == Spent()
    failed = [outcome.answer for outcome in outcomes if isinstance(outcome.answer, Failure)]
    assert failed and {failure.rule for failure in failed} == {"budget"}
    assert server.count == len(outcomes) - len(failed)


def test_no_fault_lets_more_be_billed_than_the_budget_allows():
    faults = [fail(500), reset(), half_body(), half_json(), html(), ok(usage=False), ok("", usage=True), fail(429)]

    def answer(body):
        number = chance.randrange(3 * len(faults))
        return faults[number] if number < len(faults) else "好" * (number * 4)

    chance = random.Random(5)
    with Server(answer=answer) as server:
        requests = [question("茶" * (number % 50 + 1)) for number in range(200)]
        _, client = asked(server, requests, max_tokens=15_000, max_requests=190, concurrency=64, give_up=100)
    assert server.tokens <= client.budget.spent.tokens <= 15_000
    assert server.count == client.budget.spent.requests <= 190
    assert client.budget.reserved == Spent()


def test_requests_are_counted_with_their_tries():
    with Server(answer=lambda body: fail(500)) as server:
        outcomes, client = asked(server, [question(str(n)) for n in range(9)], max_requests=10, retries=3)
    assert server.count == client.budget.spent.requests == 10
    assert "budget" in {outcome.answer.rule for outcome in outcomes}


def test_money_is_reserved_and_settled_by_the_price_table(tmp_path):
    table = tmp_path / "prices.yaml"
    table.write_text("m: {prompt: 1000000, reply: 2000000}\n")
    with Server(answer=lambda body: "fine") as server:
        (outcome, *_), client = asked(
            server, [question("x") for _ in range(120)], prices=str(table), max_cost=700.0, concurrency=8
        )
    assert outcome.spent == Spent(1, 7, 5 + 2 * 2.0)
    assert client.budget.spent.cost == pytest.approx(9.0 * server.count)
    assert 700 - (145 + 200) < client.budget.spent.cost <= 700
    assert client.budget.priced


def test_a_limit_of_money_needs_a_price():
    with pytest.raises(UsageError) as caught:
        Client(ClientConfig(model="my-model", base_url="http://127.0.0.1:9/v1", max_cost=1.0))
    assert "my-model: {prompt: 0.15, reply: 0.60}" in caught.value.help


def test_what_earlier_sittings_spent_counts():
    with Server() as server:
        (outcome,), client = asked(server, [question()], spent=Spent(10, 900), max_tokens=1000)
    assert outcome.answer.rule == "budget"
    assert server.count == 0
    assert client.budget.exhausted


def test_every_attempt_is_announced_with_what_it_may_cost():
    sent = []
    with Server(script=[fail(500), fail(429)]) as server:
        _, client = asked(server, [question()], on_send=lambda *words: sent.append(words))
    assert sent == [("row-0", client.key(question()), 268, 0.0)] * 3


def test_a_paid_reply_is_not_paid_again(tmp_path):
    cache = str(tmp_path / "replies.sqlite")
    with Server(answer=lambda body: "绿茶") as server:
        for number in range(2):
            outcomes, client = asked(server, [question(), question(), question(sample=1)], cache=cache)
            assert [outcome.answer.text for outcome in outcomes] == ["绿茶"] * 3
            assert [outcome.answer.cached for outcome in outcomes] == [number > 0, True, number > 0]
        assert server.count == 2
        asked(server, [question()], cache=cache, seed=1)
        asked(server, [question(temperature=0.5)], cache=cache)
        asked(server, [question()], cache=cache, model="n")
        assert server.count == 5
        asked(server, [question(schema=SCHEMA)], cache=cache)
        asked(server, [question(schema=SCHEMA)], cache=cache, structured="never")
        assert server.count == 7
    with Server() as other:
        asked(other, [question()], cache=cache)
        assert other.count == 1, "another server is another reply"


@pytest.mark.parametrize("behaviour", [half_json(), ok(""), ok(finish="content_filter"), raw({"choices": None})])
def test_bad_replies_are_never_kept(behaviour, tmp_path):
    cache = tmp_path / "replies.sqlite"
    answer_to([behaviour], retries=0, cache=str(cache))
    reply, server, _ = answer_to(["fine"], cache=str(cache))
    assert (reply.text, reply.cached, server.count) == ("fine", False, 1)
    with sqlite3.connect(cache) as open_cache:
        assert open_cache.execute("SELECT count(*) FROM replies").fetchone() == (1,)
    open_cache.close()


def test_another_model_and_repeated_ids_are_told_with_their_number():
    with Server(answer=lambda body: ok(model="cheap-1", id="same")) as server:
        outcomes, client = asked(server, [question(str(number)) for number in range(3)])
    assert {outcome.answer.model for outcome in outcomes} == {"cheap-1"}
    assert client.remarks == [
        "cheap-1 answers where m was asked (3 times)",
        f"{server.url} gives the same id to several replies (2 times)",
    ]


@pytest.mark.parametrize("name", ["m-2026-01-01", "M", "org/m"])
def test_a_dated_name_is_the_same_model(name):
    _, _, client = answer_to([ok(model=name)])
    assert client.remarks == []


SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}


def test_a_reply_schema_is_sent_where_the_server_takes_it_and_left_out_where_not():
    def answer(body):
        return fail(400, "response_format json_schema is not supported") if "response_format" in body else '{"a": "b"}'

    with Server(answer=answer) as server:
        outcomes, client = asked(server, [question(str(n), schema=SCHEMA) for n in range(20)], concurrency=2, retries=0)
    assert {outcome.answer.text for outcome in outcomes} == {'{"a": "b"}'}
    assert server.count <= 22
    assert server.requests[0]["response_format"]["json_schema"]["strict"] is True
    assert client.remarks == [f"m at {server.url} takes no reply schema; replies are read without one"]
    assert client.budget.spent.requests == server.count


def test_structured_always_and_never_mean_what_they_say():
    refusal = fail(400, "response_format is not supported")
    failure, server, _ = answer_to([refusal], question(schema=SCHEMA), structured="always")
    assert (failure.rule, server.count) == ("unsupported", 1)
    assert "--structured" in failure.detail
    _, server, _ = answer_to([], question(schema=SCHEMA), structured="never")
    assert "response_format" not in server.requests[0]


def test_max_completion_tokens_is_learned():
    def answer(body):
        if "max_tokens" in body:
            return fail(400, "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.")
        return "fine"

    with Server(answer=answer) as server:
        outcomes, client = asked(server, [question("a"), question("b"), question("c")], concurrency=1, retries=0)
    assert [outcome.answer.text for outcome in outcomes] == ["fine"] * 3
    assert server.count == 4
    assert client.remarks == []


def test_openai_is_asked_in_its_own_terms_from_the_start():
    config = ClientConfig(model="gpt-4o-mini")
    assert (
        Targets(config, Prices.read(None), Remarks(), REAL).of("gpt-4o-mini").shape.longest == "max_completion_tokens"
    )


def test_a_server_that_refuses_both_names_of_a_limit_is_not_asked_for_ever():
    both = fail(400, "Unsupported parameters: 'max_tokens', 'max_completion_tokens'")
    failure, server, _ = answer_to([both] * 30)
    assert failure.rule == "http_400"
    assert server.count <= 10


def test_sampling_that_a_model_does_not_take_is_left_out_unless_the_user_asked_for_it():
    def answer(body):
        if "temperature" in body:
            return fail(
                400, "Unsupported value: 'temperature' does not support 0.7 with this model.", param="temperature"
            )
        return "fine"

    with Server(answer=answer) as server:
        (outcome,), client = asked(server, [question(temperature=0.7)])
        assert outcome.answer.text == "fine"
        assert client.remarks == [f"m at {server.url} takes no temperature; it uses its own"]
        (outcome,), _ = asked(server, [question(temperature=0.7)], temperature=0.7)
        assert outcome.answer.rule == "unsupported"
        assert "--temperature" in outcome.answer.detail


def test_stop_texts_that_a_server_does_not_take_are_heeded_here():
    def answer(body):
        return fail(400, "'stop' is not supported with this model.") if "stop" in body else "一\n\n二"

    with Server(answer=answer) as server:
        (outcome,), _ = asked(server, [question(stop=("\n\n",))])
    assert (outcome.answer.text, outcome.answer.finish) == ("一", "stop")


def test_a_seed_is_sent_only_where_it_is_asked_for():
    _, server, _ = answer_to([])
    assert "seed" not in server.requests[0]
    _, server, _ = answer_to([], server_seed=True)
    _, again, _ = answer_to([], server_seed=True)
    _, other, _ = answer_to([], question(sample=1), server_seed=True)
    assert server.requests[0]["seed"] == again.requests[0]["seed"] != other.requests[0]["seed"]


def test_requests_go_out_in_order_and_never_more_than_concurrency_at_once():
    with Server(answer=lambda body: ok(delay=0.005)) as server:
        asked(server, [question(str(number)) for number in range(120)], concurrency=12)
        assert server.peak <= 12
        asked(server, [question(str(number)) for number in range(20)], concurrency=1)
        assert [body["messages"][0]["content"] for body in server.requests[120:]] == [str(n) for n in range(20)]


def test_a_model_of_another_server_is_asked_there_and_only_there():
    with Server(answer=lambda body: "main") as main, Server(answer=lambda body: "judge") as judge:
        requests = [question(), question(model=f"other@{judge.url}")]
        outcomes, client = asked(main, requests, model="m", cache=None)
        assert [outcome.answer.text for outcome in outcomes] == ["main", "judge"]
        assert judge.requests[0]["model"] == "other"
        assert client.key(question(model=f"other@{judge.url}")) == client.key(question(model="other"))


def test_a_server_of_its_own_may_have_its_own_key(monkeypatch):
    monkeypatch.setenv("JUDGE_KEY", "judge-1234-secret")
    with Server() as main, Server() as judge:
        asked(main, [question(), question(model=f"other@{judge.url}#JUDGE_KEY")])
        assert main.headers[0]["authorization"] == f"Bearer {KEY}"
        assert judge.headers[0]["authorization"] == "Bearer judge-1234-secret"


def test_local_models_are_not_asked_over_a_client():
    client = Client(ClientConfig(model="local:folder", cache="none"))
    assert client.local(question())
    assert not client.local(question(model="gpt-4o"))
    with pytest.raises(UsageError):
        asyncio.run(client.ask("row", question()))


def test_a_key_is_nowhere_but_in_its_header(tmp_path, caplog, monkeypatch):
    caplog.set_level(logging.DEBUG)
    cache = tmp_path / "replies.sqlite"
    sent = []
    behaviours = [fail(500, f"cannot log in with {KEY}"), "fine"]
    with Server(script=[*behaviours, fail(400, f"bad key {KEY}"), ok(model=KEY)]) as server:
        url = server.url.replace("http://", "http://user:geheim-geheim@") + "?sig=s3cret-query"
        config = {"cache": str(cache), "base_url": url}
        outcomes, client = asked(server, [question()], on_send=lambda *words: sent.append(words), **config)
        (failed,), again = asked(server, [question("b")], **config)
        assert server.headers[0]["authorization"].startswith("Basic ")
        _, plain = asked(server, [question("c")])
        assert server.headers[-1]["authorization"] == f"Bearer {KEY}"
    assert "[key]" in failed.answer.detail
    seen = f"{sent} {client.remarks} {again.remarks} {plain.remarks} {failed} {caplog.text}".encode()
    seen += b"".join(path.read_bytes() for path in tmp_path.iterdir())
    for secret in (KEY, "geheim", "s3cret"):
        seen_at = seen.find(secret.encode())
        assert seen_at < 0, seen[max(0, seen_at - 200) : seen_at + 50]


def test_the_traceback_of_a_wrong_key_shows_no_part_of_it():
    import traceback

    with Server(answer=lambda body: bad_key(KEY)) as server:
        try:
            asked(server, [question()])
        except ServiceError as fault:
            shown = "".join(traceback.format_exception(fault))
    assert "[key]" in shown
    assert KEY[:8] not in shown
    assert KEY[-4:] not in shown


def test_openai_needs_a_key(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(UsageError, match="OPENAI_API_KEY") as caught:
        Client(ClientConfig(model="gpt-4o-mini"))
    assert "--api-key-env" in caught.value.help
    Client(ClientConfig(model="m", base_url="http://localhost:1/v1", cache="none"))


def test_the_server_may_be_named_in_the_environment(monkeypatch):
    with Server() as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        (outcome,), client = asked(server, [question()], base_url=None)
    assert outcome.answer.text == "fine"
    assert client.remarks == [f"requests go to {server.url}, as the environment variable OPENAI_BASE_URL says"]
