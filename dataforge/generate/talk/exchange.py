"""The last exchange of a row: its last question, what stands before it, and its answer.

Python: `last_exchange(record).question`
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from dataforge.errors import RowError
from dataforge.generate.talk.conversation import messages
from dataforge.llm.request import Request
from dataforge.ops.rowtext import best_candidate
from dataforge.record import Record, Turn

__all__ = ["Exchange", "after", "last_exchange"]


@dataclass(frozen=True, slots=True)
class Exchange:
    """before: the turns that the question follows. question: text of the last user turn. answer: None if there is none.

    Of candidates, the answer is the best one.
    """

    before: list[Turn]
    question: str
    answer: Turn | None

    @property
    def history(self) -> list[dict[str, str]]:
        """What stands before, for prompt files: `role` (system, user, assistant) and `text` of each turn."""
        return [{"role": m["role"], "text": m["content"]} for m in messages(Record(self.before))] if self.before else []


def last_exchange(record: Record) -> Exchange:
    """The last exchange of a conversation of texts.

    Raises RowError: not_a_conversation, no_question, empty_question, has_tools, has_media.
    """
    if record.is_document:
        help = "`grounded` and `back` make rows of documents"
        raise RowError("not_a_conversation", "a document asks nothing", help=help)
    turns = record.turns
    last = max((index for index, turn in enumerate(turns) if turn.role == "user"), default=-1)
    if last < 0:
        raise RowError("no_question", "the row has no turn of the user")
    answers = best_candidate(record.candidates).turns if record.candidates else turns[last + 1 :]
    messages(Record([*turns[: last + 1], *answers], extras=record.extras, tools=record.tools))  # refuses tools, media
    if not turns[last].text.strip():
        raise RowError("empty_question", "what the user says last is empty")
    parts = [part for turn in answers if turn.role == "assistant" for part in turn.parts]
    return Exchange(turns[:last], turns[last].text, Turn("assistant", parts) if parts else None)


def after(before: list[Turn], request: Request) -> Request:
    """The request, asked at the end of a conversation. A system turn of the row stands in for that of the prompt."""
    if not before:
        return request
    earlier, own = messages(Record(before)), request.messages
    if own[0]["role"] == "system":
        first, own = own[:1], own[1:]
        earlier = earlier if any(m["role"] == "system" for m in earlier) else (*first, *earlier)
    return replace(request, messages=(*earlier, *own))
