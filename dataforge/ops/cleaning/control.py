r"""Repair `control`: control characters that no text has, terminal escapes, and lone surrogates.

C0 controls other than tab and line ends go, and with them whole terminal escapes (ECMA-48: ESC [ ... letter); form feed
and vertical tab become line ends. C1 controls are what Windows-1252 means by these bytes (as the WHATWG encoding
standard reads them: U+0085 is an ellipsis), or go where it has no character. Lone surrogates and noncharacters
become U+FFFD, so that it shows that something is missing there.
Where \frac, \beta, \alpha or \vec went through a reader of escapes (form feed + rac), the backslash comes back.
"""

from __future__ import annotations

import re
from collections import Counter

from dataforge.ops.cleaning.repair import Repair, Settings

__all__ = ["REPAIRS", "needed", "repair"]

_ASCII = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_ANY = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
_ESCAPE = re.compile("\x1b(?:\\[[0-?]*[ -/]*[@-~]|\\][^\x07\x1b]{0,500}(?:\x07|\x1b\\\\))")
_LATEX = re.compile(
    "\x0c(?=rac[ {\\d]|orall\\b|box\\b|lat\\b)|\x08(?=eta\\b|egin\\{|ar[ {]|inom\\{|ecause\\b|oldsymbol\\{|mod\\b|ig)"
    "|\x07(?=lpha\\b|pprox\\b|ngle\\b|st\\b)|\x0b(?=ec[ {]|ar(?:epsilon|phi|theta)\\b|dots\\b|ee\\b)"
)
_LETTERS = {"\x07": "a", "\x08": "b", "\x0b": "v", "\x0c": "f"}


def _meaning(code: int) -> str:
    """What stands for a character that does not belong into text."""
    if code in (0x0B, 0x0C):
        return "\n"
    if 0x80 <= code <= 0x9F:
        return bytes([code]).decode("cp1252", errors="ignore")
    return "\ufffd" if code > 0x9F else ""


def needed(text: str) -> bool:
    """True if there is such a character."""
    return (_ASCII if text.isascii() else _ANY).search(text) is not None


def repair(text: str, settings: Settings, found: Counter[str]) -> str:
    """The text without them."""
    text = _LATEX.sub(lambda match: "\\" + _LETTERS[match[0]], _ESCAPE.sub("", text))
    return _ANY.sub(lambda match: _meaning(ord(match[0])), text)


REPAIRS = (Repair("control", "control characters, terminal escapes, lone surrogates", needed, repair, default=True),)
