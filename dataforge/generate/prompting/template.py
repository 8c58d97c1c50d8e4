r"""One message of a prompt file as a sandboxed Jinja template, whose faults carry file and line.

Values are texts and numbers that stand where they are named; they are never read as templates. There are no files, no
includes, no chance. A line that holds nothing but `{% %}` tags and comments leaves no line behind.

Cost: about 0.5 ms to compile, 10 us to render.
Python: `MessageTemplate("- {{ task }}\n", 7, "deepen.en.prompt").render({"task": "泡茶"})`
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

from dataforge.errors import UsageError, shorten

if TYPE_CHECKING:
    import jinja2

__all__ = ["MessageTemplate"]

ALONE = re.compile(r"[ \t]*((?:\{%(?:(?!%\}).)*%\}[ \t]*|\{#(?:(?!#\}).)*#\}[ \t]*)+)")
RAW = re.compile(r"\{%[-+]?\s*(end)?raw\s*[-+]?%\}")


class MessageTemplate:
    """A template. text: as written. line: the line of the file on which it begins. place: the file, for messages."""

    def __init__(self, text: str, line: int, place: str) -> None:
        self.text = text
        self.line = line
        self.place = place

    @cached_property
    def values(self) -> dict[str, int]:
        """Value that the template uses -> the line of the file that names it first."""
        from jinja2 import meta, nodes

        tree = self._tree()
        free = meta.find_undeclared_variables(tree)
        found: dict[str, int] = {}
        for name in tree.find_all(nodes.Name):
            if name.name in free:
                found.setdefault(name.name, self._line(name.lineno))
        return found

    @cached_property
    def compiled(self) -> jinja2.Template:
        """The template, compiled; UsageError with file and line for what is unsound in it."""
        import jinja2

        environment = _environment()
        try:
            code = environment.compile(self._tree(), filename=self.place)
        except jinja2.TemplateSyntaxError as fault:  # filters that do not exist
            raise self._unsound(fault) from None
        return jinja2.Template.from_code(environment, code, environment.make_globals(None))

    def render(self, values: Mapping[str, Any]) -> str:
        """The text with these values; UsageError with file and line for one that is missing, or no text or number."""
        from jinja2 import TemplateError

        template = self.compiled
        try:
            return template.render(values)
        except (TemplateError, TypeError, ValueError, ArithmeticError, LookupError, AttributeError) as fault:
            line = _line_of(fault, self.place)
            place = f"{self.place}:{self._line(line)}" if line else self.place
            known = ", ".join(sorted(values))
            raise UsageError(f"cannot be filled in: {fault}", place=place, help=f"values given: {known}") from None

    def _line(self, line: int) -> int:
        """The line of the file, of a line of the template (1 is its first)."""
        return self.line + line - 1

    def _tree(self) -> Any:
        """The syntax tree."""
        from jinja2 import TemplateSyntaxError, nodes

        try:
            tree = _environment().parse(_tags_alone(self.text), filename=self.place)
        except TemplateSyntaxError as fault:
            raise self._unsound(fault) from None
        for node in tree.find_all((nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends)):
            place = f"{self.place}:{self._line(node.lineno)}"
            raise UsageError("a prompt file cannot take in another file", place=place, help="write the text itself")
        return tree

    def _unsound(self, fault: jinja2.TemplateSyntaxError) -> UsageError:
        place = f"{self.place}:{self._line(fault.lineno)}"
        return UsageError(f"is no sound template: {fault.message}", place=place)


@cache
def _environment() -> Any:
    """Jinja without files, chance, or anything that could change a value."""
    import jinja2
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(
        undefined=jinja2.StrictUndefined, autoescape=False, keep_trailing_newline=True, finalize=_printable
    )
    environment.globals = {name: environment.globals[name] for name in ("range", "namespace")}
    environment.filters.pop("random")
    environment.filters["tojson"] = _json
    return environment


def _json(value: Any, indent: int | None = None) -> str:
    """JSON as people write it: Chinese and `<` stay as they are."""
    return json.dumps(value, ensure_ascii=False, indent=indent)


def _printable(value: Any) -> Any:
    """A value that may stand in a text; a list or None that is printed is a mistake of the file or of its caller."""
    import jinja2

    if isinstance(value, bool) or not isinstance(value, str | int | float | jinja2.Undefined):
        raise TypeError(f"a value is {type(value).__name__}, neither text nor number: {shorten(value)}")
    return value


def _tags_alone(text: str) -> str:
    """Let lines that hold only tags leave nothing: their blanks go, and their newline moves into a comment."""
    lines: list[str] = []
    raw, before = False, ""
    for line in text.split("\n"):
        plain = not raw
        for tag in RAW.finditer(line):
            raw = tag[1] is None
        alone = ALONE.fullmatch(line) if plain and not raw else None
        lines.append(before + (alone[1].rstrip() + "{#" if alone else line))
        before = "#}" if alone else ""
    return "\n".join(lines)


def _line_of(fault: BaseException, place: str) -> int | None:
    """The line of the template in which an error arose (1 is its first), where Jinja's traceback tells."""
    found = None
    trace = fault.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == place:
            found = trace.tb_lineno
        trace = trace.tb_next
    return found
