"""Model specs and addresses: taken apart as users write them, and shown without secrets."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataforge.errors import UsageError
from dataforge.llm.address import Mask, ModelSpec, open_server, parse_spec


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("gpt-4o", ModelSpec("gpt-4o")),
        ("org/model:free", ModelSpec("org/model:free")),
        ("@cf/meta/llama", ModelSpec("@cf/meta/llama")),
        ("m@2024", ModelSpec("m@2024")),
        ("m@http://h:1/v1", ModelSpec("m", url="http://h:1/v1")),
        ("@cf/m@HTTPS://u:p@h/v1", ModelSpec("@cf/m", url="HTTPS://u:p@h/v1")),
        ("local:models/小模型", ModelSpec("local:models/小模型", folder="models/小模型")),
    ],
)
def test_a_spec_is_taken_apart(text, spec):
    assert parse_spec(text) == spec


@pytest.mark.parametrize("text", ["", " ", "local:", "http://h/v1", "@http://h/v1", "https://user:geheim@h/v1"])
def test_a_spec_without_a_name_is_an_error(text):
    with pytest.raises(UsageError) as caught:
        parse_spec(text)
    assert "geheim" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["localhost:8000/v1", "ftp://h/v1", "http://", "http://h:99999/v1", "http://user:geheim@h:x/v1"]
)
def test_what_is_no_address_is_an_error(url):
    with pytest.raises(UsageError, match="--base-url") as caught:
        open_server(url, "NO_SUCH_KEY")
    assert "geheim" not in f"{caught.value} {caught.value.help}"


def test_user_info_query_and_key_are_kept_off_the_address(monkeypatch):
    monkeypatch.setenv("MY_KEY", " abcdefgh12345678 \n")
    server = open_server("https://ann:pa%40ss@Host.example:8443/v1/?api-version=1&sig=xyzw#MY_KEY", "OTHER")
    assert server.address == "https://host.example:8443/v1"
    assert server.key == "abcdefgh12345678"
    assert server.query == {"api-version": "1", "sig": "xyzw"}
    assert server.headers["Authorization"].startswith("Basic ")
    for secret in ("ann", "pa@ss", "xyzw", "abcdefgh12345678"):
        assert secret not in repr(server)
    assert open_server("http://[::1]:80/v1", "OTHER").address == "http://[::1]:80/v1"


@pytest.mark.parametrize("key", ["abc\ndefghijk", "schlüssel-1234", "abc\x00def"])
def test_a_key_that_cannot_be_sent_is_an_error_that_does_not_show_it(monkeypatch, key):
    monkeypatch.setattr("os.environ", {"OPENAI_API_KEY": key})
    with pytest.raises(UsageError) as caught:
        open_server("http://h/v1", "OPENAI_API_KEY")
    assert key not in str(caught.value)


KEY = "sk-proj-Zx81kQwErTy5Tn3Vb7Lm9Pd2"


@settings(max_examples=50)
@given(st.text(max_size=30), st.integers(3, 12), st.integers(2, 6), st.sampled_from(["****", "...", "…", "**********"]))
def test_no_part_of_a_key_passes_the_mask(around, head, tail, middle):
    mask = Mask()
    mask.add((KEY,))
    shown = mask(f"{around} {KEY} {around} key: {KEY[:head]}{middle}{KEY[-tail:]}, see {around}")
    assert KEY not in shown
    assert KEY[:head] + middle not in shown
    assert middle + KEY[-tail:] not in shown


def test_the_mask_leaves_other_words_alone():
    mask = Mask()
    mask.add((KEY,))
    for text in ("You exceeded your quota... see billing", "模型 m 不存在 (404)", "task-specific sky-blue words"):
        assert mask(text) == text
    assert mask("Bearer abcdef123456 and hf_abcdefghijk") == "[key] and [key]"
