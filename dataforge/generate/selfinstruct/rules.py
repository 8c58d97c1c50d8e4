"""Which instructions are fit to be asked: the filters of Self-Instruct as named rules, for English and for Chinese.

| rule | English | Chinese |
|---|---|---|
| too_short | 3 words or fewer | 3 characters or fewer |
| too_long | more than 150 words | 150 characters or more |
| keyword | a word of the list | a text of the list |
| program | begins with "Write a program" | begins with 编写一个程序 and the like |
| punctuation | begins with punctuation | the same, but a title or a quoted word (《 「 『 “ ‘) may begin it |
| script | begins with a character beyond ASCII | has no Chinese character |

English numbers and words: Self-Instruct (Y. Wang et al., 2022; github.com/yizhongw/self-instruct,
bootstrap_instructions.py), the further words of the recipe `alpaca`: Stanford Alpaca. Chinese numbers and the first 18
words: BELLE (github.com/LianjiaTech/BELLE, data/1.5M), whose limit of 150 characters is for instructions with examples
and whose limit of 100, for those with an input, is `crowded` here; the other Chinese words translate the English list.
English words are counted as `str.split` does, and keywords found between word boundaries; Chinese ones anywhere.

Cost: about 10 us an instruction.
Python: `Rules("zh").fault("给我看一张图片")  # Fault("keyword", "图片")`
"""

from __future__ import annotations

import re
import string
import unicodedata
from typing import NamedTuple

__all__ = ["Fault", "Rules", "instruction_of"]

SINGLE_WORDS = (
    "image",
    "images",
    "graph",
    "graphs",
    "picture",
    "pictures",
    "file",
    "files",
    "map",
    "maps",
    "draw",
    "plot",
)
WORDS = (*SINGLE_WORDS, "go to")
MEDIA_WORDS = ("video", "audio", "music", "flowchart", "diagram")
"""What Stanford Alpaca adds to the list."""
BELLE_WORDS = (
    "图像", "图片", "照片", "文件", "图表", "图层", "曲线图", "折线图", "直线图", "柱形图", "饼状图", "链接", "http",
    "OpenAI", "chatgpt", "gpt-3", "gpt-3.5", "gpt-4",
)  # fmt: skip
CHINESE_WORDS = (*BELLE_WORDS, "GPT", "地图", "画出", "绘制", "画一")
CHINESE_MEDIA_WORDS = ("视频", "音频", "流程图", "示意图")
PROGRAM = "write a program"
CHINESE_PROGRAM = re.compile(
    r"(?:请你?|帮我)*(?:编写|写)(?:出|一个|一段|一份|一款|个|段)*(?:简单的|计算机|电脑)?(?:程序|代码)"
)
HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0003ffff]")
QUOTED = "《「『“‘"
SHORT, LONG_WORDS, LONG_CHARACTERS = 3, 150, 150
CROWDED = 100
EXAMPLES = re.compile("示例|例子")


class Fault(NamedTuple):
    """Why an instruction falls: the rule's name, and what met it."""

    rule: str
    detail: str = ""


def instruction_of(text: str, *, reference: bool = False) -> str:
    """The text in one line, white space collapsed; for the reference, capitalised as it does (all else lower case)."""
    line = " ".join(text.split())
    return line.capitalize() if reference else line


class Rules:
    """The rules of one language.

    media: the words of the recipe `alpaca` too. keywords: False leaves that rule out. reference: the reference's
    verdicts exactly (English only): case matters in "Write a program", and punctuation is ASCII's.
    """

    def __init__(self, lang: str, *, media: bool = False, keywords: bool = True, reference: bool = False) -> None:
        self.lang = lang
        self.reference = reference
        if lang == "zh":
            words = CHINESE_WORDS + (CHINESE_MEDIA_WORDS if media else ())
            pattern = "|".join(map(re.escape, sorted(words, key=len, reverse=True)))
        else:
            words = WORDS + (MEDIA_WORDS if media else ())
            pattern = r"\b(?:" + "|".join(words) + r")\b"
        self._keywords = re.compile(pattern, re.IGNORECASE) if keywords else None

    def fault(self, text: str) -> Fault | None:
        """The first rule that the instruction breaks, in the order of the table; None for a sound one."""
        return self._length(text) or self._keyword(text) or self._program(text) or self._start(text)

    def crowded(self, text: str, given: str) -> Fault | None:
        """BELLE's further limit for a Chinese instruction that comes with an input: fewer than 100 characters.

        With 示例 or 例子 in it the limit stays at 150.
        """
        if self.lang != "zh" or not given or len(text) < CROWDED or EXAMPLES.search(text):
            return None
        return Fault("too_long", f"{len(text)} characters beside an input; fewer than {CROWDED} are allowed")

    def _length(self, text: str) -> Fault | None:
        if self.lang == "zh":
            size, unit, longest = len(text), "characters", LONG_CHARACTERS - 1
        else:
            size, unit, longest = len(text.split()), "words", LONG_WORDS
        if not text:
            return Fault("empty")
        if size <= SHORT:
            return Fault("too_short", f"{size} {unit}; more than {SHORT} are needed")
        return Fault("too_long", f"{size} {unit}; {longest} are allowed") if size > longest else None

    def _keyword(self, text: str) -> Fault | None:
        found = self._keywords.search(text) if self._keywords else None
        return Fault("keyword", found[0]) if found else None

    def _program(self, text: str) -> Fault | None:
        if self.reference:
            found = text.startswith(PROGRAM.capitalize())
        elif self.lang == "zh":
            found = CHINESE_PROGRAM.match(text) is not None
        else:
            found = text[: len(PROGRAM)].lower() == PROGRAM
        return Fault("program", text[:40]) if found else None

    def _start(self, text: str) -> Fault | None:
        first = text[0]
        full = not self.reference and unicodedata.category(first).startswith("P")
        if first in string.punctuation or (full and not (self.lang == "zh" and first in QUOTED)):
            return Fault("punctuation", first)
        if self.lang == "zh":
            return None if HAN.search(text) else Fault("script", "no Chinese character")
        return None if first.isascii() else Fault("script", f"begins with {first!r}")
