"""Conditions over score columns, as people type them: polars' SQL expressions, and `quantile(column, q)` besides.

`quantile(ppl, 0.9)` is the linearly interpolated quantile over the values of all rows, nulls left out (q from 0 to 1);
min, max, avg (mean), median, stddev (std), sum and count are over all rows too. A condition is cut at its top-level
ANDs, so that each part is a rule of its own. Expressions alone are read: a query (SELECT) could open files.

Python: `Condition.of("ppl < quantile(ppl, 0.9)").columns  # ("ppl",)`
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from dataforge.errors import UsageError, shorten

if TYPE_CHECKING:
    import polars as pl

__all__ = ["Condition", "split_clauses"]

TOKEN = re.compile(
    r"""(?P<space>\s+|--[^\n]*|/\*.*?\*/)
    |(?P<text>'(?:[^']|'')*')
    |(?P<name>"(?:[^"]|"")*"|`[^`]*`)
    |(?P<word>[^\W\d]\w*)
    |(?P<number>\d+(?:\.\d*)?(?:[eE][+-]?\d+)?)
    |(?P<mark>.)""",
    re.VERBOSE | re.DOTALL,
)
QUERIES = ("select", "table", "values", "insert", "update", "delete", "create", "drop", "into", "copy")
"""Words that begin a query; a column of such a name can be written in double quotes."""
ALSO_CALLED = {"quantile": "quantile_cont", "mean": "avg", "std": "stddev"}
AGGREGATES = (
    *("quantile_cont", "quantile_disc", "avg", "median", "min", "max", "stddev", "stddev_samp", "stdev"),
    *("sum", "count", "var", "variance", "var_samp", "corr", "covar", "covar_samp", "first", "last"),
)


class Token(NamedTuple):
    """A piece of a condition: its kind (a group of TOKEN) and its text."""

    kind: str
    text: str

    @property
    def word(self) -> str:
        """A word in lower case; empty for everything else."""
        return self.text.lower() if self.kind == "word" else ""


def _tokens(text: str) -> list[Token]:
    """The pieces of a condition, comments and all white space as one blank each."""
    found: list[Token] = []
    for match in TOKEN.finditer(text):
        token = Token(str(match.lastgroup), match[0])
        if token.kind != "space":
            found.append(token)
        elif not found or found[-1].kind != "space":
            found.append(Token("space", " "))
    return found


def _spelled(tokens: list[Token]) -> str:
    return "".join(token.text for token in tokens).strip()


def split_clauses(text: str) -> list[str]:
    """The parts of a condition between its top-level ANDs; itself alone where there is an OR beside them."""
    tokens = _tokens(text)
    parts: list[list[Token]] = [[]]
    depth, between = 0, 0
    for token in tokens:
        if token.text == "(" or token.word == "case":
            depth += 1
        elif token.text == ")" or token.word == "end":
            depth -= 1
        elif token.word == "between" and depth == 0:
            between += 1
        elif token.word in ("or", "xor") and depth == 0:
            return [_spelled(tokens)]
        elif token.word == "and" and depth == 0:
            if between == 0:
                parts.append([])
                continue
            between -= 1
        parts[-1].append(token)
    clauses = [_spelled(part) for part in parts]
    return clauses if all(clauses) else [_spelled(tokens)]


@dataclass(frozen=True)
class Condition:
    """A condition (or any expression) that can be read; `text` is as typed, without comments."""

    text: str
    sql: str

    @classmethod
    def of(cls, text: str) -> Condition:
        """The condition of a text; raises UsageError if it cannot be read or is a query."""
        tokens = _tokens(text)
        for token in tokens:
            if token.word in QUERIES:
                message = f"{shorten(text)!r} is no expression: {token.text!r} belongs to a query"
                raise UsageError(message, help="conditions are over the score columns alone, like n_chars >= 20")
        made = cls(_spelled(tokens), _renamed(tokens))
        made.columns  # noqa: B018  (what cannot be parsed is said here)
        return made

    @cached_property
    def expression(self) -> pl.Expr:
        """The polars expression."""
        import polars as pl

        try:
            return pl.sql_expr(self.sql)
        except pl.exceptions.PolarsError as fault:
            raise unreadable(self.text, fault) from None

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The columns that it needs, in the order in which they are named."""
        return tuple(dict.fromkeys(self.expression.meta.root_names()))

    @cached_property
    def aggregates(self) -> tuple[Condition, ...]:
        """Its parts that are one value for all rows, such as `quantile(ppl, 0.9)`, each once."""
        tokens = _tokens(self.text)
        found: dict[str, None] = {}
        for start, token in enumerate(tokens):
            if ALSO_CALLED.get(token.word, token.word) in AGGREGATES:
                end = _closing(tokens, start + 1)
                if end is not None:
                    found[_spelled(tokens[start : end + 1])] = None
        return tuple(Condition(text, _renamed(_tokens(text))) for text in found)

    @property
    def has_window(self) -> bool:
        """True if it says itself over which rows it goes (OVER)."""
        return any(token.word == "over" for token in _tokens(self.text))


def _closing(tokens: list[Token], at: int) -> int | None:
    """The place of the bracket that closes the one after `at`; None if none opens there."""
    while at < len(tokens) and tokens[at].kind == "space":
        at += 1
    depth = 0
    for place in range(at, len(tokens)):
        depth += {"(": 1, ")": -1}.get(tokens[place].text, 0)
        if depth == 0:
            return place if place > at else None
    return None


def _renamed(tokens: list[Token]) -> str:
    """The text with function names as polars' SQL has them."""
    out = []
    for place, token in enumerate(tokens):
        call = _closing(tokens, place + 1) is not None
        out.append(ALSO_CALLED.get(token.word, token.text) if call else token.text)
    return "".join(out).strip()


def unreadable(text: str, fault: Any) -> UsageError:
    """The UsageError of a condition that polars refuses."""
    reason = str(fault).strip().splitlines()[0] if str(fault).strip() else "no expression"
    help = "conditions are SQL over the score columns: n_chars >= 20 and lang in ('en', 'zh')"
    if "unsupported function" in reason:
        help = f"functions over all rows: quantile(column, q), {', '.join(AGGREGATES[2:9])}, sum, count"
    return UsageError(f"{shorten(text)!r} cannot be used: {reason}", help=help)
