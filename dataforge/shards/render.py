"""Records to token ids, with a mask that says which of them are trained.

Reads and writes nothing. Cost: about 4 MB of text a second and core; with a template other than `chatml` a half to a
tenth of that, as each assistant turn renders its conversation again.

CLI: `dataforge shard in.jsonl -o shards --tokenizer my-tokenizer --stage sft`
Python: `Renderer(load_tokenizer("my-tokenizer")).render(record)`

The ids of a conversation are those of `tokenizer.apply_chat_template(messages, tools=tools)`, always. What is
trained are the answers: for each assistant turn, the text from the end of the rendering of all before it with the
generation prompt (which is what a model sees when it has to answer) to the end of its own rendering, up to and
including the terminator (`<|im_end|>`); the line break that a template puts behind the terminator is never generated
and not trained. This needs no marks in the template.

Where a token holds both the last character of the prompt and the first of the answer, it is trained (note
`boundary_merged`). A template that rewrites turns once others follow (dropping their reasoning, say) shows the model
in training what it will not see in use; such rows are errors (`template_not_prefix_stable`). A turn of weight 0, or
in a row of weight 0, is not trained. A text that spells a special token (`<|im_end|>` typed by a user) becomes that
token, as it would in `apply_chat_template`; the row carries the note `special_in_text`.

A document is its text and the end-of-text token, all of it trained.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from dataforge.errors import RowError, shorten
from dataforge.formats.spelling import turn_path
from dataforge.record import Record
from dataforge.shards.chatml import CHATML, TURN_END, TURN_START, render_chatml
from dataforge.shards.messages import Message, messages_with_turns
from dataforge.shards.spans import Edges, Span, cut_terminator, find_span
from dataforge.shards.template import end_of_text_id

__all__ = ["Rendered", "Renderer"]


@dataclass(slots=True)
class Rendered:
    """A record as tokens: `mask[i]` is 1 where `ids[i]` is trained; `notes` are names of what was met on the way.

    Notes: boundary_merged, special_in_text, no_terminator.
    """

    ids: list[int]
    mask: list[int]
    notes: tuple[str, ...] = ()


@dataclass(slots=True)
class _Conversation:
    """A conversation on its way: its messages, and for each whether it is an answer to train."""

    record: Record
    messages: list[Message]
    trained: list[bool]
    origin: list[int]
    tools: list[Any] | None
    special: bool


class Renderer:
    """Turns records into tokens with one tokenizer and its template.

    all_tokens: train every token of a conversation, not only the answers (continued pre-training).
    """

    def __init__(self, tokenizer: Any, *, all_tokens: bool = False) -> None:
        self.tokenizer = tokenizer
        self.end_of_text = end_of_text_id(tokenizer)
        self._all_tokens = all_tokens
        self._backend = tokenizer.backend_tokenizer
        self._backend.no_truncation()
        self._backend.no_padding()
        added = list(tokenizer.added_tokens_decoder.values())
        self._markers = tuple(token.content for token in added)
        special = [re.escape(token.content) for token in added if token.special]
        self._special = re.compile("|".join(special)) if special else None
        self._turn = _turn_tokens(tokenizer)

    def render(self, record: Record) -> Rendered:
        """The tokens of one record; raises RowError where the record or the template does not allow it."""
        (result,) = self.render_many([record])
        if isinstance(result, RowError):
            raise result
        return result

    def render_many(self, records: Sequence[Record]) -> list[Rendered | RowError]:
        """The tokens of each record, or the error that says why there are none; much faster than one at a time."""
        results: list[Any] = [None] * len(records)
        texts: list[str] = []
        waiting: list[tuple[int, _Conversation]] = []
        documents: list[int] = []
        for index, record in enumerate(records):
            try:
                if record.is_document:
                    _check_text(_document_text(record))
                    documents.append(index)
                    continue
                conversation = self._prepare(record)
                if self._turn is None or conversation.special:
                    results[index] = self._render_any(conversation)
                else:
                    text = render_chatml(conversation.messages, conversation.tools)
                    _check_text(text)
                    texts.append(text)
                    waiting.append((index, conversation))
            except RowError as error:
                results[index] = error
        for index, rendered in zip(documents, self._documents([records[i] for i in documents]), strict=True):
            results[index] = rendered
        for (index, conversation), ids in zip(waiting, self._encode(texts), strict=True):
            try:
                results[index] = self._mask_chatml(conversation, ids) or self._render_any(conversation)
            except RowError as error:
                results[index] = error
        return results

    def _encode(self, texts: list[str], *, special: bool = False) -> list[list[int]]:
        if not texts:
            return []
        self._backend.encode_special_tokens = False
        return [encoding.ids for encoding in self._backend.encode_batch_fast(texts, add_special_tokens=special)]

    def _documents(self, records: list[Record]) -> list[Rendered]:
        rendered = []
        texts = [_document_text(record) for record in records]
        for text, ids in zip(texts, self._encode(texts, special=True), strict=True):
            if not ids or ids[-1] != self.end_of_text:
                ids.append(self.end_of_text)
            rendered.append(Rendered(ids, [1] * len(ids), ("special_in_text",) if self._is_special(text) else ()))
        return rendered

    def _is_special(self, text: str) -> bool:
        return self._special is not None and self._special.search(text) is not None

    def _prepare(self, record: Record) -> _Conversation:
        """The messages of a record, with what is known about them before a template sees them."""
        messages, origin, tools = messages_with_turns(record)
        if not self.tokenizer.chat_template:
            raise RowError(
                "no_template",
                "a conversation, and the tokenizer has no chat template",
                help="name one with --template (chatml, or a .jinja file)",
            )
        special = any(self._is_special(text) for text in _texts(messages, tools))
        turns = record.turns
        trained = [
            message["role"] == "assistant" and turns[turn].weight != 0 and record.weight != 0
            for message, turn in zip(messages, origin, strict=True)
        ]
        return _Conversation(record, messages, trained, origin, tools, special)

    def _mask_chatml(self, conversation: _Conversation, ids: list[int]) -> Rendered | None:
        """The mask of a chatml conversation, found by its turn tokens; None where that would not be certain.

        Both come from the template alone here. If the tokens behind `<|im_start|>` are those of "assistant" and a
        line break on their own, then the answer begins exactly behind them, as a byte-level tokenizer neither adds
        nor drops a byte; if not, a token crosses the edge and the offsets have to tell.
        """
        assert self._turn is not None
        if self._all_tokens:
            return Rendered(ids, [1] * len(ids))
        start, end, header = self._turn
        mask = [0] * len(ids)
        position = 0
        blocks = conversation.trained
        if conversation.tools and conversation.messages[0]["role"] not in ("system", "developer"):
            blocks = [False, *blocks]
        for is_trained in blocks:
            position = ids.index(start, position) + 1
            stop = ids.index(end, position) + 1
            if is_trained:
                first = position + len(header)
                if ids[position:first] != header:
                    return None
                mask[first:stop] = [1] * (stop - first)
            position = stop
        return Rendered(ids, mask)

    def _render_any(self, conversation: _Conversation) -> Rendered:
        """Any template: render prefixes, compare texts, tokenise the whole once and map characters to tokens."""
        whole = self._text(conversation, len(conversation.messages))
        _check_nothing_lost(conversation, whole)
        _check_text(whole)
        notes = ["special_in_text"] if conversation.special else []
        self._backend.encode_special_tokens = False
        encoding = self._backend.encode(whole, add_special_tokens=False)
        ids = encoding.ids
        if self._all_tokens:
            return Rendered(ids, [1] * len(ids), tuple(notes))
        mask = [0] * len(ids)
        edges = Edges(encoding.offsets)
        for index, is_trained in enumerate(conversation.trained):
            if not is_trained:
                continue
            begin, end = self._span(conversation, index, whole)
            stop = cut_terminator(whole, (begin, end), self._markers)
            if stop is None:
                notes.append("no_terminator")
            first, last, merged = edges.tokens((begin, end if stop is None else stop))
            if merged:
                notes.append("boundary_merged")
            mask[first:last] = [1] * (last - first)
        return Rendered(ids, mask, tuple(dict.fromkeys(notes)))

    def _text(self, conversation: _Conversation, count: int, *, prompt: bool = False) -> str:
        """The rendering of the first `count` messages; with the generation prompt behind it if `prompt`."""
        from jinja2 import TemplateError

        try:
            text: str = self.tokenizer.apply_chat_template(
                conversation.messages[:count], tools=conversation.tools, tokenize=False, add_generation_prompt=prompt
            )
        except (TemplateError, TypeError, ValueError, KeyError, AttributeError) as error:
            raise RowError("template_error", f"the chat template refuses the row: {shorten(str(error))}") from error
        return text

    def _span(self, conversation: _Conversation, index: int, whole: str) -> Span:
        """Where message `index` stands in the whole, its prompt left out."""

        def text_of(count: int, prompt: bool) -> str:
            return self._text(conversation, count, prompt=prompt)

        span = find_span(text_of, index, len(conversation.messages), whole)
        if span is None:
            raise RowError(
                "template_not_prefix_stable",
                "the chat template writes this turn otherwise once others follow it, so no part of the row is certain",
                path=turn_path(conversation.record, conversation.origin[index]),
                help="--template chatml writes every turn alike",
            )
        return span


def _texts(messages: list[Message], tools: list[Any] | None) -> Iterator[str]:
    """Every text of a conversation that comes from its row."""
    for message in messages:
        yield message["content"]
        if len(message) > 2:
            yield message.get("reasoning_content", "")
            yield json.dumps(message.get("tool_calls"), ensure_ascii=False)
    if tools:
        yield json.dumps(tools, ensure_ascii=False)


def _check_text(text: str) -> None:
    """Refuse half characters (lone surrogates), which no tokenizer can read."""
    if text.isascii():
        return
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise RowError(
            "lone_surrogate", f"half of a surrogate pair in {shorten(text[max(0, error.start - 20) : error.end])!a}"
        ) from None


def _document_text(record: Record) -> str:
    turn = record.turns[0]
    if not all(isinstance(part, str) for part in turn.parts):
        raise RowError("misplaced_part", "a document holds something that is no text")
    return turn.text


def _turn_tokens(tokenizer: Any) -> tuple[int, int, list[int]] | None:
    """(id of `<|im_start|>`, id of `<|im_end|>`, ids of an answer's first line) where these are enough to mask chatml.

    That takes the built-in template, a byte-level tokenizer, and turn tokens that swallow no white space beside them.
    """
    from tokenizers import decoders

    if tokenizer.chat_template != CHATML or not isinstance(tokenizer.backend_tokenizer.decoder, decoders.ByteLevel):
        return None
    found = {token.content: (number, token) for number, token in tokenizer.added_tokens_decoder.items()}
    for marker in (TURN_START, TURN_END):
        if marker not in found:
            return None
        token = found[marker][1]
        if token.lstrip or token.rstrip or token.single_word:
            return None
    header = tokenizer.backend_tokenizer.encode("assistant\n", add_special_tokens=False).ids
    return found[TURN_START][0], found[TURN_END][0], header


def _check_nothing_lost(conversation: _Conversation, whole: str) -> None:
    """Refuse a template that leaves out or rewrites the text of a turn (an unknown role, reasoning in older turns)."""
    for message, turn in zip(conversation.messages, conversation.origin, strict=True):
        for key in ("content", "reasoning_content"):
            text = message.get(key, "").strip()
            if message["role"] != "tool" and text and text not in whole:
                what = "reasoning" if key == "reasoning_content" else "text"
                raise RowError(
                    "template_loses_text",
                    f"the chat template does not write the {what} of this {message['role']} turn: {shorten(text)}",
                    path=turn_path(conversation.record, turn),
                    help="--template chatml writes every turn as it is",
                )
