"""Elimination of failed evolutions: the four rules of Evol-Instruct, which its published code leaves out.

Source: Xu et al., WizardLM: Empowering Large Language Models to Follow Complex Instructions (arXiv 2304.12244), 3.2.
The model's part of the first rule (is there any gain?) is a prompt, `evol/gain`; `reads_same` reads its reply.

    unchanged      the new instruction says the words of the old one: no gain, seen without a model
    no_gain        a model finds no difference in what is asked, or in how deep and broad it is asked
    copies_prompt  it holds words of the prompt that evolved it
    cannot_answer  the answer is short (under 80 words) and says that it cannot
    empty_answer   the answer holds nothing but punctuation and stop words
    truncated_answer  the answer was cut at its longest length (not of the paper)

A Chinese character counts as 1/1.5 of a word: the answers of Alpaca have 42 words in English, and 63 characters in
Chinese. The paper drops every short answer with "sorry" in it. Of 12,406 answers of Alpaca, 19 are dropped by that, 16
of them wrongly (letters of apology, proverbs). So the `careful` reading also asks that the answer say in its first
sentence that it is sorry, and somewhere that it cannot: of those 19, it drops the 3 that refuse.

Python: `eliminated_answer("Sorry, I cannot draw.", "Draw a cat.")  # ("cannot_answer", "...")`
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from dataforge.generate.reading.replies import Unreadable, plain
from dataforge.llm.request import Reply, Request
from dataforge.ops.rules.answers import refuses

__all__ = ["SHORT", "eliminated_answer", "eliminated_instruction", "marked", "reads_same", "tokens", "word_count"]

SHORT = 80
"""Words: an apology shorter than that is an answer that could not be given."""
CHARS_A_WORD = 1.5
COPIED = {"en": 8, "zh": 14}
"""So many words (characters) in a row that stand in the evolving prompt as well were copied from it."""
PHRASES = (
    *("given prompt", "rewritten prompt", "created prompt", "original prompt", "rewritten task", "evolved task"),
    *("<task>", "</task>"),
    *(
        "给定提示",
        "给定的提示",
        "给定指令",
        "给定的指令",
        "改写后的提示",
        "改写后的指令",
        "改写后的任务",
        "演化后的任务",
    ),
)
"""What evolving prompts call their texts: the names of the paper's, their Chinese forms, and our marks."""
STOP_WORDS = frozenset(
    "an the and or but nor so if then than as at by for from in into of off on onto out over to up with about this "
    "that these those it its he him his she her hers they them their theirs we us our ours you your yours me my mine "
    "am is are was were be been being do does did doing have has had having will would shall should can could may "
    "might must there here when where who whom whose which what why how just also too very such only own same again "
    "further once each both more most other some any few all because while until during before after above below "
    "between through "
    "的 了 着 过 地 得 之 和 与 及 或 而 且 但 也 又 都 还 就 才 再 很 更 最 太 这 那 其 此 该 各 每 某 在 于 以 为 "
    "从 向 到 把 被 让 使 由 给 跟 同 因 所 则 如 若 虽 并 呢 吗 吧 啊 呀 嘛 哦 我 你 您 他 她 它 们 个 些 么 什 "
    "怎".split()
)
"""Words and characters that carry no answer; yes, no, 是, 否 and their like may be one."""
_TOKENS = re.compile(r"[\u3400-\u9fff\uf900-\ufaff\U00020000-\U000323af]|[^\W_\u3400-\u9fff]+(?:['’][^\W_]+)?")
_HAN = re.compile(r"[\u3400-\u9fff\uf900-\ufaff\U00020000-\U000323af]")
_SORRY_OF_PAPER = re.compile(r"\bsorry\b|抱歉|对不起", re.IGNORECASE)
_SORRY = re.compile(r"\bsorry\b|\bapologi[sz]e\b|\bapologies\b|抱歉|对不起|不好意思|很遗憾", re.IGNORECASE)
_CANNOT = re.compile(
    r"\bcan ?not\b|\bcan['’]t\b|\bunable\b|\bnot able\b|\bnot possible\b"
    r"|无法|不能|没办法|没有办法|不可能",
    re.IGNORECASE,
)
_FIRST_SENTENCE = re.compile(r"[^.!?。！？\n]*")
_SAME = re.compile(
    r"(?P<alike>\bnot (?:\w+ )?different\b|\bno (?:\w+ )?difference"
    r"|(?:没有?|[毫并]?无)(?:什么|任何|明显|实质)?性?的?(?:不同|差[别异]|区别))"
    r"|(?P<different>\bnot (?:the )?(?:same|equal)\b|\bunequal\b|\bdifferent\b|不相同|不一样|不同)"
    r"|(?P<same>\bsame\b|\bequal\b|相同|一样)",
    re.IGNORECASE,
)


def tokens(text: str) -> list[str]:
    """Words in lower case and Han characters, in order."""
    return _TOKENS.findall(unicodedata.normalize("NFKC", text).casefold())


def word_count(text: str) -> float:
    """Words, 1.5 Han characters counting as one."""
    found = tokens(text)
    chars = sum(_HAN.match(token) is not None for token in found)
    return len(found) - chars + chars / CHARS_A_WORD


def marked(reply: Reply, name: str) -> str:
    """The text that a reply holds between `<name>` and `</name>`.

    Raises Unreadable where there is no mark, nothing in it, or the reply was cut before its end. An end mark may be
    missing where the reply was not cut.
    """
    text = plain(reply.text)
    start, end = text.find(f"<{name}>"), text.rfind(f"</{name}>")
    if start < 0:
        raise Unreadable("no_mark", f"the reply holds no <{name}>")
    if end < start:
        if reply.truncated:
            raise Unreadable("truncated", "the reply was cut at its longest length; --reply-tokens allows longer ones")
        end = len(text)
    found = text[start + len(name) + 2 : end].strip()
    if not found:
        raise Unreadable("empty", f"<{name}> holds nothing")
    return found


def reads_same(reply: Reply) -> bool:
    """True if a reply says `same` (相同), False if `different` (不同); the last word of the kind counts.

    Raises Unreadable where it says neither, or was cut before it had said its last word.
    """
    if reply.truncated:
        raise Unreadable("truncated", "the reply was cut at its longest length; --reply-tokens allows longer ones")
    found = list(_SAME.finditer(plain(reply.text)))
    if not found:
        raise Unreadable("no_verdict", "the reply says neither same nor different")
    return found[-1].lastgroup != "different"


def eliminated_instruction(
    new: str, old: str, request: Request, lang: str, history: Sequence[str] = ()
) -> tuple[str, str] | None:
    """(rule, detail) by which an evolved instruction falls without asking a model, or None.

    request: the one that evolved it. lang: `en` or `zh`. history: texts of the conversation, which may be repeated.
    """
    if tokens(new) == tokens(old) and not _differs_in_signs(new, old):
        return "unchanged", "it says what the instruction before it says"
    low, before = new.casefold(), old.casefold()
    for phrase in PHRASES:
        if phrase in low and phrase not in before:
            return "copies_prompt", f"it holds {phrase!r}"
    copied = _copied(new, (old, *history), request, COPIED[lang])
    return ("copies_prompt", f"it holds {copied!r}") if copied else None


def _differs_in_signs(new: str, old: str) -> bool:
    """True if texts of the same words differ in symbols, as `1 + 1` and `1 - 1` do."""

    def symbols(text: str) -> list[str]:
        return [char for char in text if unicodedata.category(char)[0] == "S" or char in "-*/%&#@\\"]

    return symbols(new) != symbols(old)


def _copied(new: str, known: Sequence[str], request: Request, length: int) -> str:
    """The first run of `length` words that the instruction shares with its prompt, but with none of the known texts."""
    prompt = {run for m in request.messages for run in _runs(m["content"], length)}
    allowed = {run for text in known for run in _runs(text, length)}
    found = next((run for run in _runs(new, length) if run in prompt and run not in allowed), ())
    return (" " if any(len(word) > 1 for word in found) else "").join(found)


def _runs(text: str, length: int) -> list[tuple[str, ...]]:
    words = tokens(text)
    return [tuple(words[at : at + length]) for at in range(len(words) - length + 1)]


def eliminated_answer(answer: str, instruction: str, *, refusals: str = "careful") -> tuple[str, str] | None:
    """(rule, detail) by which an evolved instruction falls for its answer, or None.

    refusals: `paper` takes any short answer with an apology in it for one that could not be given; `careful` wants it
    in the first sentence, an inability as well, and an instruction that does not speak of apologies itself.
    """
    words = tokens(answer)
    signs = any(unicodedata.category(char)[0] == "S" for char in answer)
    if not signs and all(word in STOP_WORDS for word in words):
        return "empty_answer", "it holds nothing but punctuation and stop words"
    if word_count(answer) >= SHORT:
        return None
    if refusals == "paper":
        found = _SORRY_OF_PAPER.search(answer)
        return ("cannot_answer", f"it is short and says {found[0]!r}") if found else None
    if _SORRY.search(instruction):
        return None
    said = refuses(answer.strip())
    if said:
        return "cannot_answer", said
    sorry = _SORRY.search(_FIRST_SENTENCE.match(answer.strip())[0])  # type: ignore[index]
    cannot = _CANNOT.search(answer)
    if sorry and cannot:
        return "cannot_answer", f"it is short and says {sorry[0]!r} and {cannot[0]!r}"
    return None
