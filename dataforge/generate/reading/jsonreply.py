r"""JSON in a reply: alone, fenced or inside prose; sloppy JSON is mended, cut JSON loses its half item.

Ways of reading, each checked against the schema; the first that holds is taken: the whole reply, each code fence, each
bracketed span (longest first), as strict JSON; then the same mended by json_repair (single quotes, trailing commas,
comments, missing commas); then several objects in a row as a list. json_repair closes whatever is open, so that half
an item would look whole: it is given balanced text only. What is open at its end was cut: the whole items of its
outermost list are kept, and a cut object is refused.

Python: `json_reply('Sure:\n[{"q": "茶?"}, {"q": "wa', {"type": "array"})` gives `[{"q": "茶?"}]`
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from dataforge.errors import shorten
from dataforge.generate.reading.brackets import Span, find_span
from dataforge.generate.reading.wrapping import Unreadable, after_thinking

__all__ = ["json_reply"]

FENCE = re.compile(
    r"^[ \t]*(`{3,}|~{3,})[ \t]*[\w+-]*[ \t]*\n(?P<body>.*?)(?:^[ \t]*\1[`~]*[ \t]*$|\Z)", re.DOTALL | re.MULTILINE
)
TEXT = re.compile(r'"(?:\\.|[^"\\])*"')
NOT_FINITE = re.compile(r"[:,\[]\s*[-+]?(?:NaN|Infinity|nan|inf)\s*[,}\]]")
BEGIN = tuple('{["-0123456789')
OPENING = re.compile(r"[\[{]")
MOST = 200
"""Values in one reply that are looked at."""
MOST_OPEN = 8
"""Brackets that never close: each is followed to the end of the reply, so their number is bounded."""
LIKELY = re.compile(r"""\[\s*(?:[\[{"']|-?\d|\Z)(?!\s*[\d.]*\s*,\s*[-\d.∞\w]+\s*\))|\{\s*(?:["'\w]|\Z)""")
"""How JSON begins, and neither prose nor an interval like [0, 1)."""


def json_reply(text: str, schema: Mapping[str, Any]) -> Any:
    """The JSON value of a reply that follows the schema.

    Raises Unreadable: `no_json` (nothing in brackets), `bad_json` (cannot be mended), `cut` (ends within its only
    value), `schema` (detail says where and why), `duplicate_key`, `not_finite` (NaN, Infinity), `surrogate`,
    `too_deep`. A list where the schema wants an object around it, and the reverse, are taken for what they are.
    """
    faults: list[Unreadable] = []
    try:
        for value in _values(after_thinking(text), faults, rows=schema.get("type") == "array"):
            for shape in _shapes(value, schema):
                fault = _fault(shape, schema)
                if fault is None:
                    return shape
                faults.append(Unreadable("schema", fault))
    except RecursionError:
        raise Unreadable("too_deep", "values are nested too deep") from None
    raise _worst(faults)


def _worst(faults: list[Unreadable]) -> Unreadable:
    """The fault that says most."""
    order = ("duplicate_key", "not_finite", "surrogate", "schema", "cut", "bad_json")
    ranked = sorted(faults, key=lambda fault: order.index(fault.rule))
    return ranked[0] if ranked else Unreadable("no_json", "no JSON in the reply")


def _values(text: str, faults: list[Unreadable], *, rows: bool) -> Iterator[Any]:
    """Values that the reply may mean, the likeliest first; what cannot be read goes to `faults`.

    rows: several objects in a row may mean a list.
    """
    bodies = [text.strip(), *(found["body"].strip() for found in FENCE.finditer(text))]
    for body in dict.fromkeys(bodies):
        if body[:1] in BEGIN or body in ("true", "false", "null"):
            yield from _loaded(body, faults, strict=True)
    spans = _spans(text)
    if rows:
        yield from _rows([span for span in spans if span.whole and span.text[0] == "{"], faults)
    longest = sorted(spans, key=lambda span: span.end - span.start, reverse=True)
    for span in longest:
        if span.whole and span.text not in bodies:
            yield from _loaded(span.text, faults, strict=True)
    for span in longest:
        if span.whole:
            yield from _loaded(span.strict, faults, strict=False)
            continue
        kept = span.whole_items()
        if kept is None:
            faults.append(Unreadable("cut", f"the reply ends within a value: {shorten(span.text[-40:])}"))
        else:
            yield from _loaded(find_span(kept, 0).strict, faults, strict=False)


def _rows(spans: list[Span], faults: list[Unreadable]) -> Iterator[list[Any]]:
    """Several objects in a row as a list, if all of them can be read."""
    values = [value for span in spans for value in _loaded(span.strict, faults, strict=False)]
    if len(spans) > 1 and len(values) == len(spans):
        yield values


def _spans(text: str) -> list[Span]:
    """Bracketed spans of the text, outermost ones, in order."""
    spans: list[Span] = []
    place = unclosed = 0
    while len(spans) < MOST and unclosed < MOST_OPEN:
        found = OPENING.search(text, place)
        if not found:
            break
        span = find_span(text, found.start())
        if span.whole or LIKELY.match(span.text):
            spans.append(span)
            place = span.end
        else:
            unclosed += 1
            place = found.end()  # a bracket of the prose
    return spans


def _loaded(text: str, faults: list[Unreadable], *, strict: bool) -> Iterator[Any]:
    """The value of a text, if it can be read."""
    try:
        value = json.loads(text, object_pairs_hook=_object, parse_constant=_constant, parse_float=_float)
    except Unreadable as fault:
        faults.append(fault)
        return
    except ValueError as fault:
        if strict:
            faults.append(Unreadable("bad_json", f"{fault}"))
            return
        value = _mended(text, faults)
        if value is None:
            return
    if _encodable(value):
        yield value
    else:
        faults.append(Unreadable("surrogate", "a text holds half of a character (a lone surrogate)"))


def _mended(text: str, faults: list[Unreadable]) -> Any:
    """What json_repair makes of a balanced text; None where that is no object or list."""
    import json_repair

    if NOT_FINITE.search(TEXT.sub('""', text)):
        faults.append(Unreadable("not_finite", "NaN and Infinity are no JSON numbers"))
        return None
    value = json_repair.repair_json(text, return_objects=True, skip_json_loads=True)
    if isinstance(value, dict | list) and value and not _lost(text, value):
        return value
    faults.append(Unreadable("bad_json", f"cannot be mended without loss: {shorten(text)}"))
    return None


def _lost(text: str, value: Any) -> bool:
    """True if a key or a text of the reply is not in the mended value, or a key was made up."""
    keys, texts = 0, Counter[str]()
    left = [value]
    while left:
        item = left.pop()
        if isinstance(item, dict):
            keys += len(item)
            texts.update(item.keys())
            left += item.values()
        elif isinstance(item, list):
            left += item
        elif isinstance(item, str):
            texts[item] += 1
    try:
        written = Counter[str](json.loads(found[0]) for found in TEXT.finditer(text))
    except ValueError:
        return True
    return bool(written - texts) or TEXT.sub('""', text).count(":") != keys


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A dict; the same key twice with different values is refused, because one of them would be lost."""
    value: dict[str, Any] = {}
    for key, item in pairs:
        if key in value and value[key] != item:
            raise Unreadable("duplicate_key", f"the key {shorten(key)!r} comes twice with different values")
        value[key] = item
    return value


def _constant(name: str) -> Any:
    raise Unreadable("not_finite", f"{name} is no JSON number")


def _float(digits: str) -> float:
    number = float(digits)
    if number in (float("inf"), float("-inf")):
        raise Unreadable("not_finite", f"{shorten(digits)} is too large for a number")
    return number


def _encodable(value: Any) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _shapes(value: Any, schema: Mapping[str, Any]) -> Iterator[Any]:
    """The value, and what it is inside of (or without) an object of one key."""
    yield value
    properties = schema.get("properties")
    if isinstance(value, list) and isinstance(properties, Mapping) and len(properties) == 1:
        yield {next(iter(properties)): value}
    elif isinstance(value, dict) and schema.get("type") == "array":
        yield from (item for item in value.values() if len(value) == 1 and isinstance(item, list))
        yield [value]


def _fault(value: Any, schema: Mapping[str, Any]) -> str | None:
    """What is wrong with a value, by its schema, in one line."""
    import jsonschema

    error = jsonschema.exceptions.best_match(_validator(json.dumps(schema, sort_keys=True)).iter_errors(value))
    return None if error is None else f"{error.json_path}: {shorten(error.message, 200)}"


@lru_cache(maxsize=64)
def _validator(schema: str) -> Any:
    """What checks values against a schema (as JSON text)."""
    import jsonschema

    return jsonschema.Draft202012Validator(json.loads(schema))
