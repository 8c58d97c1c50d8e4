"""A prompt file: a YAML header, then messages whose values are Jinja expressions.

    ---
    description: Make a task harder.      (needed; all else may be absent)
    temperature: 0.7                      (also top_p, max_tokens, presence_penalty, frequency_penalty)
    stop: ["###"]                         (texts that end the reply)
    schema: {type: object}                (JSON schema that the reply is to follow)
    ---
    [[system]]
    You rewrite tasks.
    [[user]]
    {% for task in tasks %}
    - {{ task }}
    {% endfor %}

Marks: `[[system]]` (first, may be absent), `[[user]]`, `[[assistant]]`, the last a `[[user]]`; or one `[[text]]` alone,
a text that the model continues as it stands. A mark stands alone on its line.
White space: a message is all that stands between its mark's line and the next mark's, less one newline at its end.
A line that holds nothing but `{% %}` tags and comments leaves no line behind. All other white space stays as written.
Values: the file is cut into messages before values come in, and values are never read as templates or marks. A value
that is missing, or neither text nor number, is an error. The template is sandboxed: no files, no includes, no chance.

Reads: one file. Cost: about 1 ms to read and compile a file, 20 us to render it.
Python: `read_prompt(Path("deepen.en.prompt"), "evol/deepen", "en").request({"task": "Brew tea"})`
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from xxhash import xxh3_64_hexdigest

from dataforge.errors import InputError, UsageError, did_you_mean, shorten
from dataforge.generate.prompting.header import MARK, read_header
from dataforge.generate.prompting.template import MessageTemplate
from dataforge.llm.request import Request, message

__all__ = ["Prompt", "read_prompt"]

ROLES = ("system", "user", "assistant", "text")
ANY_MARK = re.compile(r"\[\[([a-z_]+)\]\][ \t]*")


class Section(NamedTuple):
    """One message of the file."""

    role: str
    template: MessageTemplate


@dataclass(frozen=True)
class Prompt:
    """A prompt in one language, checked and ready to be asked.

    name: METHOD/STAGE. lang: `en` or `zh`. text: the whole file. header: its YAML. place: the file, for messages.
    """

    name: str
    lang: str
    text: str
    header: Mapping[str, Any]
    sections: tuple[Section, ...]
    place: str

    @property
    def description(self) -> str:
        """What the prompt is for, in one line."""
        return str(self.header["description"])

    @cached_property
    def hash(self) -> str:
        """xxh3-64 (hex) of the file's text, with newlines as LF."""
        return xxh3_64_hexdigest(self.text.encode("utf-8", "surrogatepass"))

    @cached_property
    def values(self) -> frozenset[str]:
        """Names of the values that the file uses."""
        return frozenset(self.lines_of_values)

    @cached_property
    def lines_of_values(self) -> dict[str, int]:
        """Value -> the line on which it is first named."""
        found: dict[str, int] = {}
        for section in self.sections:
            found = {**section.template.values, **found}
        return found

    def request(self, values: Mapping[str, Any], **overrides: Any) -> Request:
        """The request with these values in it; `overrides` are fields of Request that stand in for the header's.

        Raises UsageError with file and line for a value that is missing, or is neither text nor number.
        """
        rendered = [(role, template.render(values).removesuffix("\n")) for role, template in self.sections]
        # A system message that came out empty is none.
        messages = tuple(message(role, text) for role, text in rendered if text or role != "system")
        own = {key: value for key, value in self.header.items() if key != "description"}
        if "stop" in own:
            own["stop"] = tuple(own["stop"])
        fields = {"stage": self.name, "prompt": f"{self.name}.{self.lang}@{self.hash}", **own, **overrides}
        return Request(messages, **fields)

    def compile(self) -> None:
        """Compile all of it, so that its faults come now; UsageError with file and line."""
        for section in self.sections:
            section.template.compiled  # noqa: B018


def read_prompt(path: Path, name: str, lang: str) -> Prompt:
    """Read a prompt file; raises UsageError with file and line for whatever is wrong in its header and marks."""
    place = str(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as fault:
        raise InputError(f"cannot be read: {fault.strerror}", place=place) from None
    except UnicodeDecodeError as fault:
        raise UsageError(f"is not UTF-8 (byte {fault.start})", place=place, help="save it as UTF-8") from None
    header, start = read_header(text, place)
    return Prompt(name, lang, text, header, _sections(text.split("\n"), start, place), place)


def _sections(lines: list[str], start: int, place: str) -> tuple[Section, ...]:
    """The messages that begin at line index `start`."""
    if lines[-1] == "":
        lines = lines[:-1]  # the newline at the end of the file
    sections: list[Section] = []
    begun = start
    role = ""
    for index in range(start, len(lines) + 1):
        mark = ANY_MARK.fullmatch(lines[index]) if index < len(lines) else None
        if index < len(lines) and mark is None:
            if not role and lines[index].strip():
                fault = f"text before the first message: {shorten(lines[index])!r}"
                raise UsageError(fault, place=f"{place}:{index + 1}", help=f"begin messages with a line like {MARK}")
            continue
        if role:
            text = "".join(line + "\n" for line in lines[begun:index])
            sections.append(Section(role, MessageTemplate(text, begun + 1, place)))
        if mark is not None:
            role, begun = mark[1], index + 1
            _check_role(role, sections, f"{place}:{index + 1}")
    _check_order(sections, place)
    return tuple(sections)


def _check_role(role: str, before: list[Section], place: str) -> None:
    if role not in ROLES:
        help = f"{did_you_mean(role, ROLES)} (as a text of the message, write {{{{ '[[{role}]]' }}}})"
        raise UsageError(f"unknown mark [[{role}]]", place=place, help=help)
    if role == "system" and before:
        raise UsageError("[[system]] is not the first message", place=place, help="put it before all others")
    if before and "text" in (role, before[0].role):
        raise UsageError("[[text]] is not the only message", place=place, help="a text to be continued stands alone")


def _check_order(sections: list[Section], place: str) -> None:
    if not sections:
        raise UsageError("holds no message", place=place, help=f"begin messages with a line like {MARK}")
    last = sections[-1]
    if last.role not in ("user", "text"):
        help = "end with what is asked, a [[user]] message"
        raise UsageError(f"the last message is [[{last.role}]]", place=f"{place}:{last.template.line - 1}", help=help)
    for section in sections:
        if not section.template.text.strip():
            place = f"{place}:{section.template.line - 1}"
            raise UsageError(
                f"the message [[{section.role}]] is empty", place=place, help="write it or remove its mark"
            )
