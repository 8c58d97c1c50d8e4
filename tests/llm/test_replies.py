"""What servers send is a reply or a fault with a name, whatever it is; errors mean what they mean."""

import email.utils
import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataforge.errors import UsageError
from dataforge.llm.faults import Fault, Kind, error_text, of_status, retry_after
from dataforge.llm.request import Reply, Request, message
from dataforge.llm.settings import ModelConfig
from dataforge.llm.wire import Shape, extra_body, learn, read, same_model, write

ASKED = Request((message("user", "x"),), stop=("\n",))
scalars = st.none() | st.booleans() | st.integers(-5, 5) | st.floats(allow_nan=False) | st.text(max_size=5)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
)
KEYS = ("content", "refusal", "tool_calls", "reasoning_content", "reasoning", "function_call")
messages = st.dictionaries(st.sampled_from(KEYS), values, max_size=4)
choice = st.fixed_dictionaries(
    {}, optional={"message": messages | values, "finish_reason": values, "text": values, "error": values}
)
bodies = st.fixed_dictionaries(
    {},
    optional={
        "choices": st.lists(choice | values, max_size=2) | values,
        "usage": values,
        "error": values,
        "model": values,
        "id": values,
    },
)


@settings(max_examples=50, deadline=None)
@given(bodies | values, st.integers(0, 200))
def test_any_json_whole_or_cut_is_a_sound_reply_or_a_fault(body, cut):
    data = json.dumps(body).encode()
    for sent in (data, data[:cut]):
        try:
            reply = read(sent, ASKED, Shape())
        except Fault as fault:
            assert fault.paid and fault.rule and "\n" not in fault.rule
        else:
            assert isinstance(reply, Reply) and reply.text.strip()
            assert reply.finish in ("stop", "length")
            assert reply.prompt_tokens is None or reply.prompt_tokens >= 0


@settings(max_examples=50, deadline=None)
@given(
    st.integers(300, 599),
    st.binary(max_size=80) | bodies.map(lambda body: json.dumps(body).encode()),
    st.text(max_size=9),
)
def test_any_error_is_a_fault_in_one_line(status, body, wait):
    fault = of_status(status, {"retry-after": wait}, body)
    assert fault.rule
    assert len(fault.detail.splitlines()) == 1
    assert fault.wait is None or fault.wait >= 0


def finished(reason, text="text"):
    return json.dumps({"choices": [{"message": {"content": text}, "finish_reason": reason}]}).encode()


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("stop", "stop"),
        (None, "stop"),
        ("", "stop"),
        ("eos_token", "stop"),
        ("length", "length"),
        ("MAX_TOKENS", "length"),
    ],
)
def test_finish_reasons_of_all_servers_come_to_two(reason, finish):
    assert read(finished(reason), ASKED, Shape()).finish == finish


@pytest.mark.parametrize(
    ("reason", "rule"), [("content_filter", "content_filter"), ("SAFETY", "content_filter"), ("error", "error_body")]
)
def test_finish_reasons_that_leave_no_reply_are_faults(reason, rule):
    with pytest.raises(Fault) as caught:
        read(finished(reason), ASKED, Shape())
    assert caught.value.rule == rule


@pytest.mark.parametrize(
    ("usage", "counted"),
    [
        ({"prompt_tokens": 3, "completion_tokens": 4}, (3, 4)),
        ({"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 27}, (3, 24)),
        ({"prompt_tokens": 3, "completion_tokens": None}, (3, None)),
        ({"prompt_tokens": 3, "total_tokens": 5}, (3, 2)),
        ({"prompt_tokens": 3.0, "completion_tokens": 4.0}, (3, 4)),
        ({"prompt_tokens": -1, "completion_tokens": True}, (None, None)),
        ({"prompt_tokens": "3"}, (None, None)),
        (None, (None, None)),
        ([], (None, None)),
    ],
)
def test_usage_is_believed_only_where_it_can_be(usage, counted):
    body = json.loads(finished("stop")) | {"usage": usage}
    reply = read(json.dumps(body).encode(), ASKED, Shape())
    assert (reply.prompt_tokens, reply.completion_tokens) == counted


def test_a_bad_reply_that_was_counted_says_what_it_cost():
    body = {"choices": [{"message": {"content": ""}}], "usage": {"prompt_tokens": 3, "completion_tokens": 4}}
    with pytest.raises(Fault) as caught:
        read(json.dumps(body).encode(), ASKED, Shape())
    assert (caught.value.rule, caught.value.tokens) == ("empty", (3, 4))


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"retry-after": "3"}, 3.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after": "-4"}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0),
        ({}, None),
    ],
)
def test_how_long_a_server_asks_to_wait(headers, wait):
    assert retry_after(headers) == wait


def test_a_date_to_wait_for_is_a_number_of_seconds():
    wait = retry_after({"retry-after": email.utils.formatdate(time.time() + 100, usegmt=True)})
    assert 95 <= wait <= 100


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"error": {"message": "no", "code": "c", "type": "t"}}, "no / c / t"),
        ({"error": "plain"}, "plain"),
        ({"object": "error", "message": "vLLM says", "code": 400}, "vLLM says / 400"),
        ({"detail": "FastAPI says"}, "FastAPI says"),
        (
            {"detail": [{"loc": ["body", "stop"], "msg": "Extra inputs are not permitted"}]},
            "Extra inputs are not permitted (body.stop)",
        ),
        ([{"error": {"message": "in a list"}}], "in a list"),
        ({}, "(no reason given)"),
    ],
)
def test_errors_of_all_servers_are_worded(body, text):
    assert error_text(json.dumps(body).encode()) == text


def test_a_page_is_worded_without_its_markup():
    assert error_text(b"<html><style>p{}</style><h1>502</h1>\n<p>Bad Gateway</html>") == "502 Bad Gateway"


@pytest.mark.parametrize(
    "text", ["This model supports at most 16384 completion tokens, max_tokens is too large", "bad temperature value"]
)
def test_a_value_that_is_wrong_is_no_lesson(text):
    shape, asked = Shape(), Request(ASKED.messages, temperature=0.5)
    assert learn(shape, ModelConfig(model="m"), asked, text, shape.state()) is None
    assert shape == Shape()


def test_strict_schemas_are_said_to_be_strict_and_others_not():
    closed = {
        "type": "object",
        "properties": {"a": {"type": "array"}},
        "required": ["a"],
        "additionalProperties": False,
    }
    for schema, strict in (
        (closed, True),
        ({"type": "object", "properties": {"a": {}}}, False),
        ({**closed, "required": []}, False),
    ):
        _, body = write(Request(ASKED.messages, schema=schema), "m", Shape(), None)
        assert json.loads(body)["response_format"]["json_schema"] == {
            "name": "reply",
            "schema": schema,
            "strict": strict,
        }


@pytest.mark.parametrize(
    ("answered", "asked", "same"),
    [
        ("gpt-4o-2024-08-06", "gpt-4o", True),
        ("models/Qwen3", "qwen3", True),
        ("gpt-3.5", "gpt-4o", False),
        ("", "m", True),
    ],
)
def test_names_of_the_same_model(answered, asked, same):
    assert same_model(answered, asked) is same


def test_kinds_of_errors():
    kinds = {status: of_status(status, {}, b"{}").kind for status in (400, 401, 404, 408, 409, 422, 429, 500, 503)}
    assert kinds == {
        400: Kind.REQUEST, 401: Kind.RUN, 404: Kind.RUN, 408: Kind.PASSES, 409: Kind.PASSES,
        422: Kind.REQUEST, 429: Kind.PASSES, 500: Kind.PASSES, 503: Kind.PASSES,
    }  # fmt: skip


RATE = (
    "Rate limit reached for gpt-4o on requests per min. Please try again in 20s. You can increase your rate limit by "
    "adding a payment method at https://platform.openai.com/account/billing."
)


@pytest.mark.parametrize(
    ("text", "rule", "wait"),
    [
        (RATE, "http_429", 20.0),
        ("Please try again in 250ms.", "http_429", 0.25),
        ("Please try again in 6m0s.", "http_429", 360.0),
        (
            "You exceeded your current quota, please check your plan and billing details. Please retry in 23.5s.",
            "http_429",
            23.5,
        ),
        ("You exceeded your current quota, please check your plan and billing details.", "quota", None),
        ("insufficient_quota", "quota", None),
        ("账户余额不足", "quota", None),
        ("请求过多", "http_429", None),
    ],
)
def test_a_rate_limit_is_told_from_a_quota_that_is_used_up(text, rule, wait):
    fault = of_status(429, {}, json.dumps({"error": {"message": text}}).encode())
    assert (fault.rule, fault.wait) == (rule, wait)


def test_what_a_server_takes_beyond_openai_is_added_to_each_body():
    shape = Shape(extra=extra_body('{"enable_thinking": false, "思考": {"budget": 0}}'))
    _, body = write(ASKED, "m", shape, None)
    assert json.loads(body)["enable_thinking"] is False and json.loads(body)["思考"] == {"budget": 0}
    assert json.loads(body)["messages"]


@pytest.mark.parametrize(
    "text", ["{", "[1]", '"a"', '{"max_tokens": 9999}', '{"n": 3}', '{"stream": true}', '{"seed": 1}']
)
def test_extra_bodies_that_budget_and_checks_could_not_bear_are_refused(text):
    with pytest.raises(UsageError, match="--extra-body"):
        extra_body(text)


def test_half_a_character_at_the_end_and_figures_that_are_none_do_not_spoil_a_reply():
    body = rb'{"choices": [{"message": {"content": "\u7eff\u8336 \ud83c\udf75 \ud83d"}, "score": NaN}]}'
    assert read(body, ASKED, Shape()).text == "绿茶 🍵 \ufffd"
