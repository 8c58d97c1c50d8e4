"""What tokens cost: a price table of the user's, and before it a small one of ours (list prices, with their date).

    currency: USD
    my-model: {prompt: 0.15, reply: 0.60}      # for a million tokens each

A dated name (`gpt-4o-mini-2024-07-18`) has the price of the longest name in the table that it begins with.

Python: `Prices.read(None).of("gpt-4o-mini").cost(1000, 200)`
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

from dataforge.errors import InputError, UsageError, shorten

__all__ = ["FORM", "Price", "Prices"]

FORM = "MODEL: {prompt: 0.15, reply: 0.60}"
"""A line of a price table, in currency for a million tokens."""
MILLION = 1_000_000
NOTES = ("currency", "date", "source")
DATED = re.compile(r"[-@:](\d{4}-\d{2}-\d{2}|\d{8}|\d{6}|\d{4}|\d{2}-\d{2}|\d{3}|latest)")


@dataclass(frozen=True)
class Price:
    """Of a million prompt tokens and of a million reply tokens."""

    prompt: float
    reply: float

    def cost(self, prompt_tokens: int, reply_tokens: int) -> float:
        """prompt_tokens * prompt / 10^6 + reply_tokens * reply / 10^6."""
        return (prompt_tokens * self.prompt + reply_tokens * self.reply) / MILLION


@dataclass(frozen=True)
class Prices:
    """Price tables, the user's first. own: of the user's file; listed: of ours."""

    own: Mapping[str, Price]
    listed: Mapping[str, Price]
    currency: str = "USD"
    date: str = ""
    cache: dict[str, Price | None] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def read(cls, path: str | None) -> Prices:
        """Read the user's table (or none) and ours. Raises InputError or UsageError that say what is wrong with it.

        A table in another currency stands alone: ours is in USD.
        """
        text = (resources.files("dataforge.llm") / "prices.yaml").read_text(encoding="utf-8")
        listed, notes = _table(text, "prices.yaml")
        if path is None:
            return cls({}, listed, date=notes["date"])
        try:
            text = Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as fault:
            raise InputError(f"the price table cannot be read: {shorten(fault)}", place=path) from None
        own, theirs = _table(text, path)
        currency = theirs.get("currency", "USD")
        if currency.upper() not in ("USD", "$"):
            listed = {}
        return cls(own, listed, currency, notes["date"])

    def of(self, model: str) -> Price | None:
        """The price of a model, None if neither table has it."""
        if model not in self.cache:
            self.cache[model] = _find(self.own, model) or _find(self.listed, model)
        return self.cache[model]

    def needed(self, model: str) -> Price:
        """The price of a model; UsageError with the form of the table where there is none."""
        price = self.of(model)
        if price is None:
            raise UsageError(
                f"--max-cost: the price of {shorten(model)!r} is not known",
                help=f"write a YAML file with a line like {FORM.replace('MODEL', _quoted(model))} "
                "(for a million tokens each; 0 for a server of your own) and name it with --prices",
            )
        return price


def _quoted(model: str) -> str:
    return model if re.fullmatch(r"[A-Za-z][\w.\-/]*", model) else f'"{model}"'


def _find(table: Mapping[str, Price], model: str) -> Price | None:
    if model in table:
        return table[model]
    bases = [name for name in table if model.startswith(name) and DATED.fullmatch(model, len(name))]
    return table[max(bases, key=len)] if bases else None


def _table(text: str, place: str) -> tuple[dict[str, Price], dict[str, str]]:
    """(prices, notes) of a table's text; all faults at once."""
    import yaml

    try:
        raw = yaml.safe_load(text)
    except yaml.YAMLError as fault:
        raise UsageError(f"the price table is no YAML: {shorten(fault, 200)}", place=place) from None
    if not isinstance(raw, dict) or not raw:
        raise UsageError("the price table holds no mapping", place=place, help=f"write lines like {FORM}")
    notes = {key: str(raw.pop(key)) for key in NOTES if key in raw and not isinstance(raw[key], dict)}
    prices, faults = {}, []
    for model, entry in raw.items():
        if not isinstance(entry, dict) or entry.keys() != {"prompt", "reply"} or not all(map(_sound, entry.values())):
            faults.append(f"{shorten(model)}: {shorten(entry)}")
        else:
            prices[str(model)] = Price(float(entry["prompt"]), float(entry["reply"]))
    if faults:
        more = f" (and {len(faults) - 5} more)" if len(faults) > 5 else ""
        raise UsageError(
            f"not a price: {'; '.join(faults[:5])}{more}",
            place=place,
            help=f"write lines like {FORM}: numbers from 0 on, for a million tokens each",
        )
    return prices, notes


def _sound(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0 and math.isfinite(value)
