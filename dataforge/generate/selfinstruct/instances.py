r"""Instances of a task: read from replies in English and Chinese, and sifted by the filters of Self-Instruct.

Marks count at the beginning of a line only, so an output may speak of an "Input:"; bold marks, both colons, numbers and
the labels of both languages are read whatever the prompt's language is.

| rule | an instance falls if |
|---|---|
| truncated | the reply was cut, and it is its last |
| same_as_input | input and output are equal |
| empty_output | there is no output |
| ends_with_colon | input or output ends with ":" or "：" (it breaks off) |
| conflict | the task has the same (non-empty) input with two outputs: then all of its instances fall |
| same_instance | it stands there twice |
| beyond_most | there are more than were asked for |

Source: Self-Instruct, prepare_for_finetuning.py; there, exact duplicates leave in random order, here the first stays.
Python: `read_worked("Example 1\nInput: warm\nOutput: cold")  # [("warm", "cold")]`
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from dataforge.generate.reading.replies import Unreadable

__all__ = ["Instance", "Sifted", "given_of", "item_fault", "read_labelled", "read_worked", "sift"]

Instance = tuple[str, str]
"""(input, output)"""
_LEAD = r"^[ \t]*(?:[#>*_\-]+[ \t]*)*(?:\d{1,3}[.、)）][ \t]*)?[*_]*"
_TAIL = r"[ \t]*[*_]*[ \t]*[:：][ \t]*[*_]*[ \t]*"
EXAMPLE = re.compile(
    r"^[ \t]*[#>*_\- \t]*(?:Example|Instance|示例|例子|样例|例)"
    r"[ \t]*#?\d{1,3}[ \t]*[*_]*[ \t]*[.、:：)）]?[ \t]*[*_]*[ \t]*",
    re.I | re.M,
)
LAST_EXAMPLE = re.compile(EXAMPLE.pattern + r"\s*\Z", re.I | re.M)
"""An "Example 2" that stands before the next label, and belongs to it."""
INPUT = re.compile(_LEAD + r"(?:Input|输入)[ \t]*\d*" + _TAIL, re.I | re.M)
OUTPUTS = tuple(
    re.compile(_LEAD + rf"(?:{words})[ \t]*\d*" + _TAIL, re.I | re.M) for words in ("Output|输出", "Answer|答案|回答")
)
"""Marks of an output; the second counts only in replies without the first."""
LABELS = tuple(
    re.compile(_LEAD + rf"(?:{words})[ \t]*\d*" + _TAIL, re.I | re.M)
    for words in ("Class[ \t]+label|类别标签", "Label|类别|标签")
)
LAST_RULE = re.compile(r"(?:\s*^[ \t]*(?:-{3,}|\*{3,}|#{3,}|={3,})[ \t]*$)+\s*\Z", re.M)
"""Lines at the end that only part it from what follows."""
NEXT_TASK = re.compile(
    r"^[ \t]*(?:\*\*)?(?:Task|任务)[ \t]*[:：].*\n"
    r"\s*(?:\*\*)?(?:Example|示例|Input|输入|Output|输出|Class label|类别标签)",
    re.I | re.M,
)
"""Where a model goes on with a task of its own, after the one it was asked about."""
NOTHING = {"noinput", "no input", "none", "n/a", "na", "empty", "无", "无输入", "没有输入", "空", "不需要输入"}


def given_of(text: str) -> str:
    """The input as meant: "" for `<noinput>`, `None`, `无输入` and their like."""
    text = text.strip()
    bare = text.strip("<>()（）[]【】《》*_.。 \t").lower()
    return "" if bare in NOTHING else text


def read_worked(text: str) -> list[Instance]:
    """(input, output) pairs of a reply that was asked for the input first; Unreadable if there is no output."""
    mark = next((mark for mark in OUTPUTS if mark.search(text)), None)
    if mark is None:
        raise Unreadable("no_instance", f"no output in the reply: {text.strip()[:80]!r}")
    text = _own(text, mark)
    starts = [found.start() for found in EXAMPLE.finditer(text)]
    if not starts:  # a model that left out "Example N": its inputs tell the instances apart
        starts = [found.start() for found in INPUT.finditer(text)]
    return [_exchange(piece, mark) for piece in _cut(text, starts, mark)]


def _own(text: str, mark: re.Pattern[str]) -> str:
    """The reply without further tasks that the model made up; the task itself may stand before the first mark."""
    first = mark.search(text)
    following = NEXT_TASK.search(text, first.end()) if first else None
    return text[: following.start()] if following else text


def _bare(text: str) -> str:
    """The text without lines that part it from what follows."""
    return LAST_RULE.sub("", text).strip()


def _cut(text: str, starts: Sequence[int], mark: re.Pattern[str]) -> list[str]:
    """The text cut at these places, where each piece has a mark: what has none belongs to the piece before it."""
    cuts: list[int] = []
    for start, end in zip([0, *starts], [*starts, len(text)], strict=True):
        if mark.search(text, start, end):
            cuts.append(start)
    return [text[start:end] for start, end in zip(cuts, [*cuts[1:], len(text)], strict=True)]


def _exchange(piece: str, mark: re.Pattern[str]) -> Instance:
    """The pair of one piece; what stands before the output is the input, with "Input:" or without."""
    begin = EXAMPLE.match(piece)
    given, output = mark.split(piece[begin.end() :] if begin else piece, maxsplit=1)
    return _given(given), _bare(output)


def _given(text: str) -> str:
    """The input, without its mark."""
    text = _bare(text)
    begin = INPUT.match(text)
    return given_of(text[begin.end() :] if begin else text)


def read_labelled(text: str) -> list[Instance]:
    """(input, label) pairs of a reply that was asked for the label first; Unreadable if there is no label."""
    mark = next((mark for mark in LABELS if mark.search(text)), None)
    if mark is None:
        raise Unreadable("no_instance", f"no class label in the reply: {text.strip()[:80]!r}")
    text = _own(text, mark)
    marks = list(mark.finditer(text))
    ends = [mark.start() for mark in marks[1:]] + [len(text)]
    found: list[Instance] = []
    for begin, end in zip(marks, ends, strict=True):
        label, _, given = _bare(LAST_EXAMPLE.sub("", text[begin.end() : end])).partition("\n")
        found.append((_given(given), label.strip()))
    return found


class Sifted(NamedTuple):
    """An instance, and the rule that it fell to ("" for a good one)."""

    instance: Instance
    rule: str = ""
    detail: str = ""


def item_fault(given: str, output: str, *, reference: bool = False) -> str:
    """The rule that one instance breaks by itself, or ""."""
    if given == output:  # an empty output beside an empty input too, as in the reference
        return "same_as_input" if output else "empty_output"
    if not output:
        return "empty_output"
    colons = ":" if reference else (":", "：")
    return "ends_with_colon" if given.strip().endswith(colons) or output.strip().endswith(colons) else ""


def sift(instances: Sequence[Instance], *, most: int, truncated: bool, reference: bool = False) -> list[Sifted]:
    """A verdict for each instance of a task, in order. most: instances that were asked for."""
    verdicts: list[Sifted] = []
    last = len(instances) - 1
    for index, (given, output) in enumerate(instances):
        rule = "truncated" if truncated and index == last else item_fault(given, output, reference=reference)
        verdicts.append(Sifted((given, output), rule))
    return _beyond(_same(_conflicts(verdicts)), most)


def _conflicts(verdicts: list[Sifted]) -> list[Sifted]:
    outputs: dict[str, str] = {}
    clash = ""
    for (given, output), rule, _ in verdicts:
        if not rule and given and outputs.setdefault(given, output) != output:
            clash = clash or given
    if not clash:
        return verdicts
    detail = f"two outputs for the input {clash[:80]!r}"
    return [v if v.rule else Sifted(v.instance, "conflict", detail) for v in verdicts]


def _same(verdicts: list[Sifted]) -> list[Sifted]:
    seen: set[Instance] = set()
    found = []
    for verdict in verdicts:
        twice = not verdict.rule and verdict.instance in seen
        found.append(Sifted(verdict.instance, "same_instance") if twice else verdict)
        if not verdict.rule:
            seen.add(verdict.instance)
    return found


def _beyond(verdicts: list[Sifted], most: int) -> list[Sifted]:
    good = 0
    found = []
    for verdict in verdicts:
        good += not verdict.rule
        beyond = not verdict.rule and good > most
        found.append(Sifted(verdict.instance, "beyond_most") if beyond else verdict)
    return found
