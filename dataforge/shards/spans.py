"""Where the answers stand in a rendered conversation, found by rendering prefixes: no marks in the template needed.

Reads and writes nothing. Cost: two renderings of a prefix for each assistant turn.

CLI: `dataforge shard in.jsonl -o shards --tokenizer my-tokenizer --template my.jinja`
Python: `answer = find_span(text_of, index=1, count=2, whole=text_of(2, False))`

An answer reaches from the end of the rendering of all before it with the generation prompt, which is what a model sees
when it has to answer, to the end of its own rendering. The comparison is one of texts; tokens come after.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable

__all__ = ["Edges", "Span", "cut_terminator", "find_span"]

Span = tuple[int, int]
"""(first character, character after the last)."""

TextOf = Callable[[int, bool], str]
"""The rendering of the first n messages, and whether with the generation prompt behind them."""


def find_span(text_of: TextOf, index: int, count: int, whole: str) -> Span | None:
    """Where message `index` of `count` stands in the whole: (end of its prompt, end of its own rendering).

    None where the template writes the turn otherwise once others follow it, so that no place is certain.
    """
    own = whole if index + 1 == count else text_of(index + 1, False)
    if not whole.startswith(own):
        return None
    if index:
        prompt = text_of(index, True)
        return (len(prompt), len(own)) if own.startswith(prompt) else None
    # No template renders zero messages; what it writes before an answer is seen behind the first message.
    behind = text_of(1, True)
    opening = behind[len(own) :] if behind.startswith(own) else ""
    if not opening or opening not in own:
        return None
    return own.index(opening) + len(opening), len(own)


def cut_terminator(whole: str, span: Span, markers: tuple[str, ...]) -> int | None:
    """The end of the terminator (one of `markers`) that ends a span; None if it ends with none.

    White space behind the terminator is the template's, and no part of the answer.
    """
    begin, end = span
    tail = whole[begin:end].rstrip()
    return begin + len(tail) if tail.endswith(markers) else None


class Edges:
    """First and last character of each token, both ascending, from a tokenizer's offsets.

    A tokenizer that trims its offsets reports white space as an empty span at its end; such a token begins where the
    last one ended.
    """

    def __init__(self, offsets: list[Span]) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []
        previous = 0
        for start, end in offsets:
            self._starts.append(previous if start == end else start)
            previous = max(previous, end)
            self._ends.append(previous)

    def tokens(self, span: Span) -> tuple[int, int, bool]:
        """(first token, token after the last, whether an edge lies inside a token) of all tokens that touch a span."""
        first = bisect_right(self._ends, span[0])
        last = bisect_left(self._starts, span[1])
        if first >= last:
            return first, first, False
        return first, last, self._starts[first] < span[0] or self._ends[last - 1] > span[1]
