"""A model in this process that answers requests in batches, with transformers and torch.

Reads a model folder; writes nothing. Cost: loading the weights once; then a forward pass of the batch for each token.
What prompts have in common at their beginning is run once and kept (`llm/prefix.py`).

CLI: `dataforge self-instruct --seeds seeds.jsonl -n 100 --model local:my-model -o out.jsonl`
Python: `answers = LocalModel("my-model", batch_size=16).answer([Request((message("user", "你好"),))])`

Chats go through the chat template of the tokenizer; raw requests are continued as they stand. What a request leaves
open comes from the model's generation_config.json (temperature, top_p, top_k, where it asks for drawing), else from
OpenAI's defaults (1, 1, all). Each request draws from random numbers of its own, made of the request and the seed, so a
reply does not depend on its neighbours or its place in a batch, but for rounding: sums in float32 (bfloat16 on a GPU)
come out a little different in batches of another shape, which can turn a choice between two tokens that are as good as
equal. The same batches give the same replies.

A schema of a request is not enforced: the reader of the replies repairs and checks them. Reasoning stays in the text.
A stop text ends a reply and is cut off. Token counts hold what was run and what was drawn, with the token that ended
it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from dataforge.errors import DataError, UsageError, shorten
from dataforge.llm.request import Answer, Failure, Message, Reply, Request, message

__all__ = ["LocalModel"]


@dataclass
class _Row:
    """A request on its way: `limit` tokens at most, `out` so far; `text` once a stop text was met."""

    index: int
    request: Request
    ids: list[int]
    limit: int
    stop: frozenset[int]
    tail: int
    out: list[int] = field(default_factory=list)
    finish: str = ""
    text: str | None = None


class LocalModel:
    """Answers requests from a folder of weights.

    batch_size: requests that run together. threads: of the CPU (None: torch's own choice). prefix_tokens: most tokens
    of common beginnings that are kept; 0 runs every prompt whole. remarks: what a user should be told once.

    Raises InputError where the folder cannot be opened, UsageError where its kind of model cannot be run here,
    DependencyError without torch and transformers.
    """

    def __init__(
        self,
        folder: str,
        *,
        batch_size: int = 8,
        threads: int | None = None,
        seed: int = 0,
        prefix_tokens: int = 8192,
    ) -> None:
        from dataforge.llm.weights import open_weights

        if batch_size < 1:
            raise UsageError(f"--batch-size: {batch_size} is less than 1")
        self.batch_size = batch_size
        self.seed = seed
        self.remarks: list[str] = []
        self._opened = open_weights(folder)
        if threads is not None:
            import torch

            torch.set_num_threads(threads)
        from dataforge.llm.prefix import PrefixCache

        self._prefixes = PrefixCache(self._opened, tokens=prefix_tokens)
        self._busy = threading.Lock()

    def answer(self, requests: Sequence[Request]) -> list[Answer]:
        """The answers, in the order of the requests.

        A Failure is `too_long` (the prompt leaves no room in the model's context), `chat_template` (the template does
        not take these messages), `empty_prompt` or `empty`. Raises UsageError for a chat without a chat template,
        DataError if memory runs out or the model gives no numbers.
        """
        answers: list[Answer] = [Failure("empty_prompt", "the prompt has no text", attempts=0)] * len(requests)
        with self._busy:
            rows = []
            for index, request in enumerate(requests):
                row = self._row(index, request)
                if isinstance(row, _Row):
                    rows.append(row)
                elif row is not None:
                    answers[index] = row
            # Neighbours of the same prompt file begin alike; of like length, they need little padding.
            rows.sort(key=lambda row: (row.request.raw, row.request.prompt, len(row.ids), row.index))
            for start in range(0, len(rows), self.batch_size):
                batch = rows[start : start + self.batch_size]
                with self._memory(batch):
                    self._run(batch)
                for row in batch:
                    answers[row.index] = self._reply(row)
        return answers

    def _row(self, index: int, request: Request) -> _Row | Failure | None:
        """The request as tokens; None if it has none."""
        ids = self._tokens(request)
        if isinstance(ids, Failure) or not ids:
            return ids if isinstance(ids, Failure) else None
        room = request.max_tokens
        if self._opened.context is not None:
            room = min(room, self._opened.context - len(ids))
        if room < 1:
            detail = f"the prompt has {len(ids):,} tokens, the model {self._opened.context:,} for prompt and reply"
            return Failure("too_long", detail, attempts=0)
        special = self._opened.tokenizer.get_added_vocab() if request.stop else {}
        stop = self._opened.stop.union(special[text] for text in request.stop if text in special)
        # A character takes at most four tokens; some more, as the first of a stretch may decode to something else.
        tail = 4 * max(map(len, request.stop), default=0) + 16
        return _Row(index, request, ids, room, stop, tail)

    def _tokens(self, request: Request) -> list[int] | Failure:
        """The tokens of a request, through the chat template unless it is raw."""
        tokenizer = self._opened.tokenizer
        if request.raw:
            ids: list[int] = tokenizer(request.messages[0]["content"])["input_ids"]
            return ids
        if not tokenizer.chat_template:
            raise UsageError(
                f"--model local:{self._opened.name}: its tokenizer has no chat template, so it cannot answer a chat",
                help="take a chat model, put chat_template.jinja into the folder, or use prompts that continue a text",
            )
        try:
            text = self._rendered(request.messages)
        except Exception as error:  # a template raises jinja2.TemplateError, or whatever its expressions come to
            return Failure("chat_template", f"the chat template does not take this chat: {shorten(error)}", attempts=0)
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids

    def _rendered(self, messages: Sequence[Message]) -> str:
        """The chat as the model reads it; a system text that it has no place for goes before the question."""
        try:
            return self._template(messages)
        except Exception:
            if len(messages) < 2 or (messages[0]["role"], messages[1]["role"]) != ("system", "user"):
                raise
        first = message("user", f"{messages[0]['content']}\n\n{messages[1]['content']}")
        text = self._template([first, *messages[2:]])
        self._remark("the model's chat template takes no system text: it was put before the first question")
        return text

    def _template(self, messages: Sequence[Message]) -> str:
        chat = [dict(one) for one in messages]
        tokenizer = self._opened.tokenizer
        text: str = tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
        return text

    def _remark(self, text: str) -> None:
        if text not in self.remarks:
            self.remarks.append(text)

    @contextmanager
    def _memory(self, batch: Sequence[_Row]) -> Iterator[None]:
        """Say what to do where memory runs out."""
        from dataforge.llm.weights import out_of_memory

        longest = max(len(row.ids) + row.limit for row in batch)
        try:
            yield
        except (RuntimeError, MemoryError) as error:
            smaller = "--batch-size " + str(len(batch) // 2) + " or " if len(batch) > 1 else ""
            message = f"memory ran out with {len(batch)} requests at a time of up to {longest:,} tokens each"
            if out_of_memory(error, message) is None:
                raise
            raise DataError(message, help=f"{smaller}a shorter --reply-tokens; else a smaller model") from error

    def _run(self, rows: list[_Row]) -> None:
        """Decode a batch to its end; a row that ends leaves it."""
        import torch

        from dataforge.llm.choosing import Chooser
        from dataforge.llm.prefix import forward

        device = self._opened.device
        with torch.inference_mode():
            cache, known = self._prefixes.begin([row.ids for row in rows])
            widest = max(len(row.ids) for row in rows)
            ids = torch.tensor([[0] * (widest - len(row.ids)) + row.ids for row in rows], device=device)
            mask = torch.tensor([[0] * (widest - len(row.ids)) + [1] * len(row.ids) for row in rows], device=device)
            chooser = Chooser([self._rule(row.request) for row in rows], device=device)
            ids = ids[:, known:]
            while True:
                tokens = chooser.choose(forward(self._opened, ids, mask, cache))
                for row, token in zip(rows, tokens, strict=True):
                    self._take(row, token)
                going = [place for place, row in enumerate(rows) if not row.finish]
                if not going:
                    return
                ids = torch.tensor([[tokens[place]] for place in going], device=device)
                if len(going) < len(rows):
                    index = torch.tensor(going, device=device)
                    rows, mask = [rows[place] for place in going], mask[index]
                    cache.reorder_cache(index)
                    chooser.keep(going)
                mask = torch.cat([mask, mask.new_ones((len(rows), 1))], 1)

    def _rule(self, request: Request) -> Any:
        """How the request wants its tokens chosen, with random numbers of its own."""
        from dataforge.llm.choosing import Rule

        advised = self._opened.defaults
        temperature, top_p = request.temperature, request.top_p
        return Rule(
            temperature=advised.get("temperature", 1.0) if temperature is None else temperature,
            top_p=advised.get("top_p", 1.0) if top_p is None else top_p,
            top_k=int(advised.get("top_k", 0)),
            presence_penalty=request.presence_penalty or 0.0,
            frequency_penalty=request.frequency_penalty or 0.0,
            random=Random(int(replace(request, model="").key("local", self.seed), 16)),
        )

    def _take(self, row: _Row, token: int) -> None:
        """Add a token to a row, and see whether it ends there."""
        row.out.append(token)
        if token in row.stop:
            row.finish = "stop"
        elif row.request.stop and any(stop in self._text(row.out[-row.tail :]) for stop in row.request.stop):
            text = self._continuation(row, row.out)
            places = [place for stop in row.request.stop if (place := text.find(stop)) >= 0]
            if places:
                row.finish, row.text = "stop", text[: min(places)]
        if not row.finish and len(row.out) >= row.limit:
            row.finish = "length"

    def _reply(self, row: _Row) -> Answer:
        ended = row.out[-1] in row.stop
        text = self._continuation(row, row.out[:-1] if ended else row.out) if row.text is None else row.text
        if not text.strip():
            return Failure("empty", f"the reply has no text ({len(row.out)} tokens, finish {row.finish})")
        return Reply(
            text,
            finish=row.finish,
            prompt_tokens=len(row.ids),
            completion_tokens=len(row.out),
            model=self._opened.name,
        )

    def _text(self, ids: Sequence[int]) -> str:
        text: str = self._opened.tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return text

    def _continuation(self, row: _Row, ids: Sequence[int]) -> str:
        """The text of a reply, with the blank that some tokenizers drop at the beginning of a text."""
        before = self._text(row.ids[-1:])
        whole = self._text([*row.ids[-1:], *ids])
        return whole[len(before) :] if before and whole.startswith(before) else self._text(ids)
