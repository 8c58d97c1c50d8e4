"""The exception tree: every error says what, where, the value met, and what to do.

    DataforgeError
    +-- UsageError            an option or argument is wrong                  exit 2
    |   +-- ConfigError       a recipe or settings mapping, all faults at once exit 2
    +-- InputError            an input is missing, empty or unreadable        exit 2
    +-- OutputError           an output exists or cannot be written           exit 2
    +-- DependencyError       an optional package is not installed            exit 2
    +-- ServiceError          a model server makes going on senseless         exit 2
    +-- RowError              one row is faulty                               exit 1
    |   +-- NotRepresentable  the row is fine, the target dialect cannot carry it
    +-- DataError             the data as a whole does not allow the work     exit 1
    +-- ConservationError     rows or tokens do not add up (a bug in dataforge) exit 1

A place reads `train.jsonl:17: $.conversations[2].from`, as compilers write it.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = [
    "ConfigError",
    "ConservationError",
    "DataError",
    "DataforgeError",
    "DependencyError",
    "InputError",
    "NotRepresentable",
    "OutputError",
    "RowError",
    "ServiceError",
    "UsageError",
    "did_you_mean",
    "shorten",
]

VALUE_WIDTH = 80


class DataforgeError(Exception):
    """Root of all errors that dataforge raises on purpose.

    `message` is one line without the place; `place` names file, line and JSON path; `help` says what to do.
    """

    exit_code = 2

    def __init__(self, message: str, *, place: str = "", help: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.place = place
        self.help = help

    def __str__(self) -> str:
        return f"{self.place}: {self.message}" if self.place else self.message


class UsageError(DataforgeError):
    """An option or argument has a value that cannot be used."""


class ConfigError(UsageError):
    """A recipe or settings mapping is wrong; `problems` holds every fault found, not only the first."""

    def __init__(self, problems: list[str], *, place: str = "", help: str = "") -> None:
        super().__init__("\n".join(problems), place=place, help=help)
        self.problems = problems


class InputError(DataforgeError):
    """An input does not exist, holds no data, or cannot be read as what its name promises."""


class OutputError(DataforgeError):
    """An output exists already, or cannot be written (no space, no permission)."""


class DependencyError(DataforgeError):
    """A package of an extra is needed and not installed."""

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(
            f"{purpose} needs the package {package!r}",
            help=f"pip install 'dataforge[{extra}]'",
        )


class ServiceError(DataforgeError):
    """A model server answers in a way that makes going on senseless: wrong key, no such model, quota used up, down.

    What was asked and answered until then is kept; the run can be resumed.
    """


class RowError(DataforgeError):
    """One row is faulty: `rule` names the kind of fault, `path` the place inside the row (`$.a[0].b`)."""

    exit_code = 1

    def __init__(self, rule: str, message: str, *, path: str = "$", place: str = "", help: str = "") -> None:
        super().__init__(message, place=place, help=help)
        self.rule = rule
        self.path = path

    def at(self, source: str, line: int) -> RowError:
        """The same error with file, line and path as its place (for printing)."""
        where = f"{source}:{line}" if line else source
        placed = RowError(self.rule, self.message, path=self.path, help=self.help)
        placed.place = where if self.path == "$" else f"{where}: {self.path}"
        return placed


class NotRepresentable(RowError):
    """The row is sound, but the target dialect has no place for a part of it."""

    def __init__(self, dialect: str, what: str, *, path: str = "$") -> None:
        super().__init__(f"not_representable:{dialect}", f"not representable in {dialect}: {what}", path=path)


class DataError(DataforgeError):
    """The run worked, and what it found means that no sound result can be made (nothing left, nothing trained)."""

    exit_code = 1


class ConservationError(DataforgeError):
    """The counts of a run do not add up; this is a fault of dataforge and never of the data."""

    exit_code = 1


def shorten(value: object, width: int = VALUE_WIDTH) -> str:
    """`repr` of a value in one line, cut at `width` characters."""
    try:
        text = value if isinstance(value, str) else repr(value)
    except RecursionError:
        text = f"a {type(value).__name__} nested too deep to be shown"
    text = text[: width * 4].replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")
    return text if len(text) <= width else text[: width - 3] + "..."


ALSO_CALLED: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("human", "user", "prompter", "customer", "client", "用户", "人类", "问"), ("human", "user")),
    **dict.fromkeys(
        ("gpt", "assistant", "bot", "chatbot", "robot", "ai", "model", "chatgpt", "gpt4", "gpt-4", "助手", "答"),
        ("gpt", "assistant"),
    ),
    **dict.fromkeys(("function_call", "tool_call"), ("function_call", "assistant")),
    "系统": ("system",),
    **dict.fromkeys(
        ("observation", "tool", "tool_response", "tool_result", "function_response", "function", "工具"),
        ("observation", "tool"),
    ),
}
"""Other names of roles -> what they may be called where they are not known."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`did you mean 'gpt'?`, or the list of what is known when nothing is close.

    Close is what differs in few letters, or another name of the same role ('bot' of 'gpt', 'prompter' of 'human').
    """
    choices = sorted(known)
    folded = {choice.casefold(): choice for choice in choices}
    word = name.casefold()
    close = [] if word in folded else [other for other in ALSO_CALLED.get(word, ()) if other in folded]
    # One of two letters may differ, or two of five: what is further away was hardly meant.
    close = close or difflib.get_close_matches(word, folded, n=1, cutoff=0.5 if len(word) < 4 else 0.6)
    if close:
        return f"did you mean {folded[close[0]]!r}?"
    return "known: " + ", ".join(choices) if choices else ""
