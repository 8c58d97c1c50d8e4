"""Arithmetic over named numbers: `0.65*helpfulness + 0.8*correctness - 0.4*verbosity`.

+ - * / ( ), numbers, `min(a, b, ...)` and `max(...)`, and names. A name that is no plain word (spaces, a hyphen
before a letter) stands in quotes: `0.5*'fine-grained_score'`; dots lead into objects (`labels.quality`). The text is
parsed by Python's own parser and only these node types are taken; nothing is ever evaluated as code.

Cost: about 1 microsecond a name.
Python: `parse_arithmetic("2*a + 1").value({"a": 3.0}.__getitem__)  # 7.0`
"""

from __future__ import annotations

import ast
import operator
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass

from dataforge.errors import UsageError, shorten

__all__ = ["Arithmetic", "is_name", "parse_arithmetic"]

Look = Callable[[str], float]
LONGEST = 1000
"""Characters of an expression."""
BINARY: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
OPERATORS = re.compile(r"[+*/()]")
CALLS: dict[str, Callable[..., float]] = {"min": min, "max": max}
ALLOWED = "numbers, names, + - * / ( ), min(...) and max(...); other names in quotes: 0.5*'fine-grained_score'"


@dataclass(frozen=True)
class Arithmetic:
    """A parsed expression. value(look): its value; look gives the number of a name, and may raise.

    ZeroDivisionError and OverflowError come through.
    """

    text: str
    names: tuple[str, ...]
    value: Callable[[Look], float]


def parse_arithmetic(text: str) -> Arithmetic:
    """The expression of a text; UsageError names what is not allowed."""
    if len(text) > LONGEST:
        raise UsageError(f"--score: an expression of {len(text)} characters, at most {LONGEST}")
    body = _parsed(text)
    if body is None:
        raise UsageError(f"--score: {shorten(text)!r} cannot be read", help=f"allowed: {ALLOWED}")
    names: dict[str, None] = {}
    value = _node(body, text.strip(), names)
    return Arithmetic(text, tuple(names), value)


def _parsed(text: str) -> ast.expr | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)  # of what is refused anyway
            return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def is_name(text: str) -> bool:
    """True for a text without operators that is no expression at all, as the name of a rating may be (`整体 评分`)."""
    return OPERATORS.search(text) is None and len(text) <= LONGEST and _parsed(text) is None


def _node(node: ast.expr, text: str, names: dict[str, None]) -> Callable[[Look], float]:
    """The function of a node."""
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float) and not isinstance(node.value, bool):
        number = _number(node.value, text)
        return lambda look: number
    name = _name(node, text)
    if name is not None:
        names[name] = None
        return lambda look: look(name)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.UAdd | ast.USub):
        inner, sign = _node(node.operand, text, names), 1.0 if isinstance(node.op, ast.UAdd) else -1.0
        return lambda look: sign * inner(look)
    if isinstance(node, ast.BinOp) and type(node.op) in BINARY:
        work, left, right = BINARY[type(node.op)], _node(node.left, text, names), _node(node.right, text, names)
        return lambda look: work(left(look), right(look))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in CALLS:
        if node.args and not node.keywords and not any(isinstance(one, ast.Starred) for one in node.args):
            call, parts = CALLS[node.func.id], [_node(one, text, names) for one in node.args]
            return lambda look: call([part(look) for part in parts])
    what = ast.get_source_segment(text, node) or text
    raise UsageError(f"--score: {shorten(what)!r} is not allowed in {shorten(text)!r}", help=f"allowed: {ALLOWED}")


def _number(value: int | float, text: str) -> float:
    try:
        number = float(value)
    except OverflowError:
        number = float("inf")
    if number == float("inf"):
        raise UsageError(f"--score: a number in {shorten(text)!r} is too large")
    return number


def _name(node: ast.expr, text: str) -> str | None:
    """The name that a node is, as it is written; None for other nodes."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value:
        return node.value
    inner = node
    while isinstance(inner, ast.Attribute):
        inner = inner.value
    # As it is written: the parser would fold full-width letters into others.
    return ast.get_source_segment(text, node) if isinstance(inner, ast.Name) else None
