r"""What a chat template writes before the user speaks, and what ends the user's turn: all that Magpie needs of a model.

A tuned model that is given the text before a query, and nothing else, writes the query itself (Xu et al., Magpie,
arXiv 2406.08464). The whole text counts, the template's own system text too: without it, Qwen2.5 gives fragments
(github.com/magpie-align/magpie/issues/28). It is found by rendering a conversation whose query is a mark. A token that
the tokenizer puts before every text by itself is left out of it.

Reads a tokenizer folder. Cost: one import of transformers (2 s).
Python: `prequery("models/small")  # Prequery(text="<|im_start|>user\n", end="<|im_end|>")`
"""

from __future__ import annotations

from typing import Any, NamedTuple

from dataforge.errors import UsageError

__all__ = ["Prequery", "prequery"]

MARK = "Q0U1E2R3Y"


class Prequery(NamedTuple):
    """text: what stands before a query. end: what ends it, as a stop text ("" if the template has no such thing)."""

    text: str
    end: str


def prequery(tokenizer: str, system: str | None = None) -> Prequery:
    """Of a tokenizer folder (or hub id); system: a system text that stands before the query.

    Raises InputError if it cannot be opened, UsageError if it has no chat template, or one that changes the query.
    """
    from dataforge.shards.template import load_tokenizer

    opened = load_tokenizer(tokenizer)
    messages = [{"role": "system", "content": system}] if system else []
    messages.append({"role": "user", "content": MARK})
    rendered: str = opened.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    before, mark, after = rendered.partition(MARK)
    if not mark or MARK in after:
        raise UsageError(
            f"--tokenizer: the chat template of {tokenizer} does not write a query as it stands",
            help="name the text before a query with --pre-query",
        )
    return Prequery(_without_first(opened, before), _end(opened, after))


def _without_first(tokenizer: Any, text: str) -> str:
    """The text without a first token that the tokenizer adds by itself."""
    first = tokenizer.bos_token
    adds = first and tokenizer("a")["input_ids"][:1] == [tokenizer.bos_token_id]
    return text.removeprefix(first) if adds else text


def _end(tokenizer: Any, after: str) -> str:
    """The first token of the template's own behind a query, or else the first word there."""
    own = {*tokenizer.get_added_vocab(), *tokenizer.all_special_tokens}
    places = sorted((place, -len(token), token) for token in own if token and (place := after.find(token)) >= 0)
    words: list[str] = after.split(maxsplit=1)
    if places and not after[: places[0][0]].strip():
        return str(places[0][2])
    return words[0] if words else ""
