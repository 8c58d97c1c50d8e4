"""What the tests of sources share: choices of a row, and how they read."""

import pytest

from dataforge.errors import RowError
from dataforge.formats.detect import find
from dataforge.formats.spelling import Spelling
from dataforge.ops.preference.sources import SourceOptions, choices_of


def choices(row, value=None, model="", **options):
    """The choices of a row of whatever dialect it is. value: its score in a table."""
    module = find(row)
    return choices_of(module.read(row, Spelling()), module.NAME, SourceOptions(**options), score=value, model=model)


def choice(row, **options):
    (one,) = choices(row, **options)
    return one


def refused(row, **options):
    """(rule, path, help) of a row that is refused."""
    with pytest.raises(RowError) as caught:
        choices(row, **options)
    return caught.value.rule, caught.value.path, caught.value.help


def told(turns):
    """Turns as (role, text)."""
    return [(turn.role, turn.text) for turn in turns]


def texts(one):
    return ["|".join(turn.text for turn in entry.answer) for entry in one.entries]


def known(one, *fields):
    return [tuple(getattr(entry, field) for field in fields) for entry in one.entries]
