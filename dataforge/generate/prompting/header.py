"""The YAML header of a prompt file, checked key by key.

Python: `header, first_line = read_header(text, "deepen.en.prompt")`
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import yaml

from dataforge.errors import UsageError, did_you_mean, shorten

__all__ = ["KEYS", "MARK", "read_header"]

MARK = "[[user]]"
FENCE = "---"


def _number(low: float, high: float) -> Callable[[Any], str | None]:
    def fault(value: Any) -> str | None:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return None if number and low <= value <= high else f"a number between {low:g} and {high:g} is needed"

    return fault


def _text(value: Any) -> str | None:
    return None if isinstance(value, str) and value.strip() and "\n" not in value.strip() else "a line is needed"


def _count(value: Any) -> str | None:
    sound = isinstance(value, int) and not isinstance(value, bool) and value >= 1
    return None if sound else "a whole number of 1 or more is needed"


def _stop(value: Any) -> str | None:
    sound = isinstance(value, list) and value and all(isinstance(text, str) and text for text in value)
    return None if sound else "a list of texts is needed"


def _schema(value: Any) -> str | None:
    import jsonschema

    if not isinstance(value, dict):
        return "a JSON schema is needed"
    try:
        jsonschema.Draft202012Validator.check_schema(value)
    except jsonschema.SchemaError as fault:
        return f"this is no JSON schema: {fault.message}"
    return None


KEYS: dict[str, Callable[[Any], str | None]] = {
    "description": _text,
    "temperature": _number(0, 10),
    "top_p": _number(0, 1),
    "max_tokens": _count,
    "presence_penalty": _number(-2, 2),
    "frequency_penalty": _number(-2, 2),
    "stop": _stop,
    "schema": _schema,
}
"""Key of a header -> what says which fault its value has (None: none)."""


def read_header(text: str, place: str) -> tuple[dict[str, Any], int]:
    """The header, and the index of the line after it; UsageError with file and line for any fault."""
    lines = text.split("\n")
    if lines[0].rstrip() != FENCE:
        raise UsageError(
            f"does not begin with a header, but with {shorten(lines[0])!r}",
            place=f"{place}:1",
            help=f"begin with a line {FENCE}, then description: ..., then a line {FENCE}",
        )
    end = next((index for index, line in enumerate(lines) if index and line.rstrip() == FENCE), None)
    if end is None:
        raise UsageError("the header does not end", place=f"{place}:1", help=f"end it with a line {FENCE}")
    node = _compose("\n".join(lines[1:end]), place)
    header: dict[str, Any] = {}
    loader = yaml.SafeLoader("")
    for key_node, value_node in node:
        where = f"{place}:{key_node.start_mark.line + 2}"
        try:
            key = loader.construct_object(key_node, deep=True)
            value = loader.construct_object(value_node, deep=True)
        except (yaml.YAMLError, ValueError) as fault:
            problem = getattr(fault, "problem", None) or fault
            raise UsageError(f"the header is no readable YAML: {problem}", place=where) from None
        if key not in KEYS:
            raise UsageError(
                f"unknown key {shorten(key)!r} in the header", place=where, help=did_you_mean(str(key), KEYS)
            )
        if key in header:
            raise UsageError(f"{key} is given twice in the header", place=where, help="remove one of them")
        fault_found = KEYS[key](value)
        if fault_found:
            raise UsageError(f"{key}: {fault_found}, not {shorten(value)!r}", place=where)
        header[key] = value
    if "description" not in header:
        raise UsageError("the header has no description", place=f"{place}:1", help="say in one line what it is for")
    header["description"] = header["description"].strip()
    return header, end + 1


def _compose(text: str, place: str) -> list[tuple[Any, Any]]:
    """(key, value) nodes of the header."""
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as fault:
        mark = getattr(fault, "problem_mark", None)
        line = f":{mark.line + 2}" if mark else ""
        problem = getattr(fault, "problem", None) or fault
        raise UsageError(f"the header is no readable YAML: {problem}", place=f"{place}{line}") from None
    if node is None:
        return []
    if not isinstance(node, yaml.MappingNode):
        raise UsageError("the header is no list of KEY: VALUE lines", place=f"{place}:2")
    return list(node.value)
