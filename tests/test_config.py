"""Settings: strict mappings, every fault at once, and messages that name the option."""

from dataclasses import dataclass

import pytest

from dataforge.config import RunOptions, check, flag_name, from_mapping, option, settings
from dataforge.errors import ConfigError, UsageError


@dataclass(frozen=True)
class Brew:
    """How to brew tea."""

    tea: str = option(help="kind of tea", choices=("longjing", "oolong", "红茶"))
    grams: float = option(3.0, help="leaves", unit="g", minimum=0.5, maximum=20)
    steeps: int = option(1, help="how often", minimum=1)
    water: str | None = option(None, help="source of the water", flags=("--from", "-w"))
    cups: tuple[str, ...] = option((), help="who drinks")
    degrees: tuple[int, ...] | None = option(None, help="degrees of each steep", maximum=100)
    covered: bool = option(True, help="with a lid")
    minutes: float = option(2.0, help="time of a steep")

    def __post_init__(self):
        check(self)
        if self.covered and self.steeps > 9:
            raise UsageError("--steeps: nobody steeps that often under a lid", help="take the lid off")


def problems(values, **more):
    with pytest.raises(ConfigError) as caught:
        from_mapping(Brew, values, **more)
    return caught.value.problems


def test_a_mapping_becomes_a_config_with_its_defaults():
    assert from_mapping(Brew, {"tea": "oolong"}) == Brew("oolong")
    values = {"tea": "红茶", "grams": 5, "from": "井水", "cups": ["甲", "乙"], "degrees": 95, "covered": False}
    assert from_mapping(Brew, values) == Brew("红茶", 5, 1, "井水", ("甲", "乙"), (95,), False)
    assert from_mapping(Brew, {"tea": "oolong", "cups": "甲", "water": None, "degrees": None}) == Brew(
        "oolong", cups=("甲",)
    )


def test_keys_may_be_spelled_with_either_dash_and_like_the_flag():
    assert from_mapping(RunOptions, {"on-error": "reject"}).on_error == "reject"
    assert from_mapping(RunOptions, {"on_error": "reject"}).on_error == "reject"
    assert from_mapping(Brew, {"tea": "oolong", "water": "x"}) == from_mapping(Brew, {"tea": "oolong", "from": "x"})


def test_all_faults_are_reported_at_once_and_in_order():
    found = problems({"grams": "many", "steps": 2, "steeps": 0, "cups": ["甲", 5], "covered": "yes", "minutes": None})
    assert found == [
        "grams: 'many' is not a number",
        "unknown option 'steps'; did you mean 'steeps'?",
        "steeps: 0 is out of range; it must be at least 1",
        "cups: '5' is not a text",
        "covered: 'yes' is not true or false",
        "minutes: 'None' is not a number",
        "tea: a value is needed (kind of tea)",
    ]


def test_an_error_names_its_place_and_joins_its_problems():
    with pytest.raises(ConfigError) as caught:
        from_mapping(Brew, {"te": "x"}, place="recipe.yaml:4")
    assert (
        str(caught.value)
        == "recipe.yaml:4: unknown option 'te'; did you mean 'tea'?\ntea: a value is needed (kind of tea)"
    )
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"tea": "olong"}, "tea: 'olong' is not one of longjing, oolong, 红茶; did you mean 'oolong'?"),
        ({"tea": "绿茶"}, "tea: '绿茶' is not one of longjing, oolong, 红茶; did you mean '红茶'?"),
        ({"tea": "咖啡"}, "tea: '咖啡' is not one of longjing, oolong, 红茶; known: longjing, oolong, 红茶"),
        ({"tea": None}, "tea: 'None' is not a text"),
        ({"tea": "oolong", "grams": 0.4}, "grams: 0.4 is out of range; it must be between 0.5 and 20"),
        ({"tea": "oolong", "grams": 21}, "grams: 21 is out of range; it must be between 0.5 and 20"),
        ({"tea": "oolong", "grams": True}, "grams: True is not a number"),
        ({"tea": "oolong", "grams": float("nan")}, "grams: nan is not a number to work with"),
        ({"tea": "oolong", "minutes": float("nan")}, "minutes: nan is not a number to work with"),
        ({"tea": "oolong", "steeps": 2.0}, "steeps: '2.0' is not a whole number"),
        ({"tea": "oolong", "steeps": "2"}, "steeps: '2' is not a whole number"),
        ({"tea": "oolong", "degrees": [90, 101]}, "degrees: 101 is out of range; it must be at most 100"),
        ({"tea": "oolong", "cups": None}, "cups: 'None' is not a list"),
        ({"tea": "oolong", "form": "x"}, "unknown option 'form'; did you mean 'from'?"),
        ({"tea": "oolong", "from": "a", "water": "b"}, "water: this option is given twice (it is also called 'from')"),
        (
            {"tea": "oolong", 5: "x"},
            "unknown option 5; known: covered, cups, degrees, from, grams, minutes, steeps, tea, water",
        ),
    ],
)
def test_one_planted_fault_gives_one_problem(values, says):
    assert problems(values) == [says]


def test_the_bounds_themselves_are_allowed():
    assert from_mapping(Brew, {"tea": "oolong", "grams": 0.5, "steeps": 1}).grams == 0.5
    assert from_mapping(Brew, {"tea": "oolong", "grams": 20, "minutes": float("inf")}).grams == 20


def test_what_single_fields_cannot_say_gets_the_place_too():
    with pytest.raises(ConfigError) as caught:
        from_mapping(Brew, {"tea": "oolong", "steeps": 10}, place="茶.yaml:2")
    assert str(caught.value) == "茶.yaml:2: --steeps: nobody steeps that often under a lid"
    assert caught.value.help == "take the lid off"


def test_a_config_that_is_built_directly_is_checked_too_and_names_the_flag():
    for values, says in (
        ({"tea": "olong"}, "--tea: 'olong' is not one of"),
        ({"tea": "oolong", "water": 5}, "--from: '5' is not a text"),
        ({"tea": "oolong", "cups": "甲"}, "--cups: '甲' is not a list"),
        ({"tea": "oolong", "grams": 0}, "--grams: 0 is out of range"),
    ):
        with pytest.raises(UsageError, match=says):
            Brew(**values)


def test_settings_tell_flags_kinds_and_limits():
    found = {setting.name: setting for setting in settings(Brew)}
    assert list(found) == ["tea", "grams", "steeps", "water", "cups", "degrees", "covered", "minutes"]
    assert found["tea"].required and not found["grams"].required
    assert found["water"].flag == "--from" and found["covered"].flag == "--covered"
    assert (found["degrees"].kind, found["degrees"].many, found["degrees"].optional) == (int, True, True)
    assert (found["water"].kind, found["water"].many, found["water"].optional) == (str, False, True)
    assert (found["grams"].unit, found["grams"].minimum, found["grams"].maximum) == ("g", 0.5, 20)
    assert flag_name("keep_dropped") == "--keep-dropped"


def test_the_run_options_are_checked():
    for values, says in (
        ({"workers": 0}, "workers: 0 is out of range; it must be between 1 and 1024"),
        ({"on_error": "skip"}, "on_error: 'skip' is not one of stop, reject"),
        ({"limit": -1}, "limit: -1 is out of range; it must be at least 0"),
        ({"seed": 2**63}, "seed: 9223372036854775808 is out of range"),
    ):
        with pytest.raises(ConfigError) as caught:
            from_mapping(RunOptions, values)
        assert caught.value.problems[0].startswith(says)
    assert from_mapping(RunOptions, {}) == RunOptions()
