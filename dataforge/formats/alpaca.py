"""Alpaca: `{"instruction", "input", "output"}` with optional `system` and `history: [[question, answer], ...]`.

The user turn is instruction + joiner + input where input is not empty (`null`, "" and absent are kept apart on the way
back). Chinese headers 指令/输入/输出 are read too. Fields after Stanford Alpaca (github.com/tatsu-lab/stanford_alpaca),
`system` and `history` as LLaMA-Factory's data/README.md has them.

CLI: `dataforge convert rows.jsonl --to alpaca`
"""

from __future__ import annotations

from typing import Any

from dataforge.errors import NotRepresentable, RowError, shorten
from dataforge.formats.spelling import Spelling, assemble, expect_plain, expect_text, extras_of, text_of, turn_path
from dataforge.record import Record, Turn

__all__ = ["COLUMNS", "EXAMPLE", "NAME", "RULES", "detect", "read", "write"]

NAME = "alpaca"
COLUMNS = ("instruction", "input", "output")
EXAMPLE = {"instruction": "Translate into Chinese.", "input": "Good morning", "output": "早上好"}
RULES = (
    "instruction and input are joined by --joiner (default newline) unless input is null, empty or absent",
    "history holds earlier turns as [question, answer] pairs",
    "carries: an optional system turn, then user and assistant in turn, ending with the assistant; text only",
)
KNOWN = frozenset({"instruction", "input", "output", "system", "history"})
CHINESE = {"指令": "instruction", "输入": "input", "输出": "output", "系统": "system", "历史": "history"}
PLAIN = {keys: {"dialect": NAME, "keys": keys} for keys in (COLUMNS, ("instruction", "output"))}
"""Layouts of the commonest rows, shared by all of them."""


def detect(row: dict[str, Any]) -> bool:
    """True if the keys are those of an alpaca row."""
    return ("instruction" in row and "output" in row) or ("指令" in row and "输出" in row)


def read(row: dict[str, Any], options: Spelling) -> Record:
    """A record from an alpaca row; raises RowError for a value of the wrong type."""
    if "指令" in row:
        return _read_chinese(row, options)
    instruction = row["instruction"]
    given = row.get("input")
    output = row["output"]
    if type(instruction) is not str or type(output) is not str or (given is not None and type(given) is not str):
        _check_types(row)
    keys = tuple(row)
    layout = PLAIN.get(keys)
    if layout is not None and output is not None:
        if not given:
            turns = [Turn("user", [instruction]), Turn("assistant", [output])]
            if given is None and len(keys) == 3:
                layout = {"dialect": NAME, "keys": keys, "blank": {"input": None}}
            return Record(turns, None, layout)
        joiner = options.joiner
        layout = {"dialect": NAME, "keys": keys, "split": (len(instruction), len(joiner))}
        return Record([Turn("user", [instruction + joiner + given]), Turn("assistant", [output])], None, layout)
    return _read_rare(row, options)


def _check_types(row: dict[str, Any]) -> None:
    expect_text(row["instruction"], "$.instruction", "instruction")
    if row.get("input") is not None:
        expect_text(row["input"], "$.input", "input")
    if row["output"] is not None:
        expect_text(row["output"], "$.output", "output")


def _read_rare(row: dict[str, Any], options: Spelling) -> Record:
    """Rows with system, history, unknown keys or an output of null."""
    blank = {key: row[key] for key in ("input", "system", "history") if key in row and not row[key]}
    layout: dict[str, Any] = {"dialect": NAME, "keys": tuple(row)}
    turns: list[Turn] = []
    if row.get("system"):
        turns.append(Turn("system", [expect_text(row["system"], "$.system", "system")]))
    turns += _history(row.get("history"))
    question = row["instruction"]
    if row.get("input"):
        layout["split"] = (len(question), len(options.joiner))
        question = question + options.joiner + row["input"]
    turns.append(Turn("user", [question]))
    turns.append(Turn("assistant", [] if row["output"] is None else [row["output"]]))
    if blank:
        layout["blank"] = blank
    return Record(turns, extras_of(row, KNOWN), layout)


def _history(history: Any) -> list[Turn]:
    if not history:
        return []
    if not isinstance(history, list):
        raise RowError("bad_history", f"history must be a list of pairs, not {shorten(history)}", path="$.history")
    turns = []
    for index, pair in enumerate(history):
        if not isinstance(pair, list) or len(pair) != 2:
            raise RowError(
                "bad_history", f"must be a pair [question, answer], not {shorten(pair)}", path=f"$.history[{index}]"
            )
        question, answer = (expect_text(half, f"$.history[{index}][{n}]", "half of a pair") for n, half in enumerate(pair))
        turns += [Turn("user", [question]), Turn("assistant", [answer])]
    return turns


def _read_chinese(row: dict[str, Any], options: Spelling) -> Record:
    clash = [key for key, name in CHINESE.items() if key in row and name in row]
    if clash:
        raise RowError("two_spellings", f"both {clash[0]!r} and {CHINESE[clash[0]]!r} are present", path=f"$.{clash[0]}")
    record = read({CHINESE.get(key, key): value for key, value in row.items()}, options)
    layout = {**(record.layout or {}), "keys": tuple(row)}
    layout["names"] = {name: key for key, name in CHINESE.items() if key in row}
    record.layout = layout
    return record


def write(record: Record, options: Spelling) -> dict[str, Any]:
    """The alpaca row of a record; raises NotRepresentable for tool turns, other orders of roles, and parts not text."""
    turns = record.turns
    layout = record.layout
    own = layout if layout is not None and layout["dialect"] == NAME else None
    first = 1 if turns and turns[0].role == "system" else 0
    _check_order(record, first, own)
    texts = [_text(record, index, own) for index in range(len(turns))]
    fields: dict[str, Any] = {}
    fields["instruction"], fields["input"] = _split(texts[-2] or "", own, options)
    fields["output"] = texts[-1]
    if first:
        fields["system"] = texts[0]
    if len(turns) - first > 2:
        fields["history"] = [[texts[i], texts[i + 1]] for i in range(first, len(turns) - 2, 2)]
    if own is None:
        return assemble(fields, None, record.extras, NAME)
    return _as_spelled(fields, own, record)


def _as_spelled(fields: dict[str, Any], own: dict[str, Any], record: Record) -> dict[str, Any]:
    """The row in its source's key order, names and spelling of blank fields."""
    keys = own["keys"]
    names = own.get("names", {})
    blank = own.get("blank", {})
    if fields["input"] == "":
        del fields["input"]
        if names.get("input", "input") in keys:
            fields["input"] = blank.get("input", "")
    for key, value in blank.items():
        fields.setdefault(key, value)
    if names:
        fields = {names.get(key, key): value for key, value in fields.items()}
    return assemble(fields, keys, record.extras, NAME)


def _text(record: Record, index: int, own: dict[str, Any] | None) -> str | None:
    if own is not None and not record.turns[index].parts and index == len(record.turns) - 1:
        return None
    return text_of(record, index, NAME)


def _check_order(record: Record, first: int, own: dict[str, Any] | None) -> None:
    turns = record.turns
    for index in range(first, len(turns)):
        turn = turns[index]
        wanted = "assistant" if (index - first) % 2 else "user"
        if turn.role != wanted:
            what = f"{turn.role} turns" if turn.role in ("tool", "document", "developer", "system") else f"{turn.role} turn where {wanted} is due"
            raise NotRepresentable(NAME, what, path=turn_path(record, index))
        if turn.extras is not None or turn.name is not None or turn.weight is not None:
            expect_plain(turn, record, index, NAME)
    if (len(turns) - first) % 2 or len(turns) == first:
        raise NotRepresentable(NAME, "a conversation that does not end with the assistant", path=turn_path(record, len(turns) - 1))
    if record.tools is not None:
        raise NotRepresentable(NAME, "tools", path="$.tools")


def _split(text: str, own: dict[str, Any] | None, options: Spelling) -> tuple[str, str]:
    """(instruction, input) of the last user turn: where the source had the boundary, if the text still allows it."""
    if own is not None and "split" in own:
        start, width = own["split"]
        if start + width < len(text):
            return text[:start], text[start + width :]
    return text, ""
