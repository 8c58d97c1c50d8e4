"""Price tables: found by name and dated name, every fault of a table said at once."""

import pytest

from dataforge.errors import InputError, UsageError
from dataforge.llm.prices import Price, Prices


def table(tmp_path, text):
    path = tmp_path / "prices.yaml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_the_built_in_table_has_dated_names_too():
    prices = Prices.read(None)
    assert prices.of("gpt-4o-mini") == Price(0.15, 0.60)
    assert prices.of("gpt-4o-mini-2024-07-18") == Price(0.15, 0.60)
    assert prices.of("gpt-4o-2024-05-13") == Price(5.0, 15.0)
    assert prices.of("gpt-4o-2024-11-20") == Price(2.5, 10.0)
    assert prices.of("gpt-4o-mini").cost(1_000_000, 500_000) == pytest.approx(0.45)
    assert prices.currency == "USD"
    assert prices.date


@pytest.mark.parametrize("model", ["gpt-4", "gpt-4o-audio", "gpt-4o-minimal", "my-gpt-4o", "", "qwen-max"])
def test_a_name_that_only_begins_alike_has_no_price(model):
    assert Prices.read(None).of(model) is None


def test_the_users_table_comes_first_and_may_have_its_own_currency(tmp_path):
    prices = Prices.read(
        table(tmp_path, "currency: CNY\n通义-max: {prompt: 2.4, reply: 9.6}\nqwen3: {prompt: 0, reply: 0}\n")
    )
    assert prices.of("通义-max") == Price(2.4, 9.6)
    assert prices.of("qwen3-2507") == Price(0, 0)
    assert prices.currency == "CNY"
    assert prices.of("gpt-4o") is None, "dollars are no yuan"
    dated = Prices.read(table(tmp_path, "m: {prompt: 1, reply: 1}\nm-2024: {prompt: 2, reply: 2}\n"))
    assert dated.of("m-2024-05-13") == Price(2, 2), "the longest name counts"
    mine = Prices.read(table(tmp_path, "gpt-4o: {prompt: 1, reply: 2}\n"))
    assert mine.of("gpt-4o") == Price(1, 2)
    assert mine.of("gpt-4o-mini") == Price(0.15, 0.60)


def test_an_unknown_model_shows_the_form_of_the_table():
    with pytest.raises(UsageError, match="my model") as caught:
        Prices.read(None).needed("my model")
    assert '"my model": {prompt: 0.15, reply: 0.60}' in caught.value.help


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: {prompt: 1}\nb: {prompt: -1, reply: 2}\nc: 3\nd: {prompt: .nan, reply: 1}\n", ["a:", "b:", "c:", "d:"]),
        ("a: {prompt: '1', reply: true}\n", ["a:"]),
        ("a: {prompt: 1, reply: 1, more: 1}\n", ["a:"]),
        ("- a\n", ["no mapping"]),
        ("", ["no mapping"]),
        ("a: [", ["no YAML"]),
    ],
)
def test_faults_of_a_table_are_all_said_with_its_name(tmp_path, text, words):
    with pytest.raises(UsageError) as caught:
        Prices.read(table(tmp_path, text))
    for word in [*words, "prices.yaml"]:
        assert word in str(caught.value)


def test_a_table_that_is_not_there_is_an_input_error(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        Prices.read(str(tmp_path / "none.yaml"))
