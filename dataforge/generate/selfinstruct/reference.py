r"""How the reference programs read replies, faults included, for `--compat reference`.

Rewritten from what they do (github.com/yizhongw/self-instruct, bootstrap_instructions.py and prepare_for_finetuning.py;
github.com/tatsu-lab/stanford_alpaca, generate_instruction.py), to give the same verdicts on the same replies:
- instructions are cut at newline, number, optional blank, ". "; "10.x" and "10)" are text;
- only "Output:" up to the next one counts, so that an output with a second "Output:" in it loses what follows;
- alpaca's items must be numbered by their place in the reply, or they are not seen.

Python: `split_instructions(" Name a tea.\n10. Name a river.")  # ["Name a tea.", "Name a river."]`
"""

from __future__ import annotations

import re

from dataforge.generate.selfinstruct.rules import instruction_of

__all__ = ["labelled_instances", "split_instructions", "split_items", "worked_instances"]

NUMBER = re.compile(r"\n\d+\s?\. ")
EXAMPLE = re.compile(r"Example\s?\d*\.?")
INPUT, OUTPUT = re.compile(r"Input\s*\d*\s*:"), re.compile(r"Output\s*\d*\s*:")
LABEL = "Class label:"
Instance = tuple[str, str]
"""(input, output)"""


def split_instructions(text: str) -> list[str]:
    """The instructions of a completion after "9.", capitalised as the reference does; empty ones are left out."""
    found = (instruction_of(piece, reference=True) for piece in NUMBER.split(text))
    return [line for line in found if line]


def worked_instances(text: str) -> list[Instance]:
    """Instances of a reply that was asked for the input first ("Example 1 ... Output: ...")."""
    text = text.strip()
    if EXAMPLE.search(text):
        return [_exchange(piece) for piece in EXAMPLE.split(text) if piece.strip()]
    return [_exchange(text)] if OUTPUT.search(text) else []


def _exchange(text: str) -> Instance:
    pieces = OUTPUT.split(text.strip())
    given, output = (pieces[0].strip(), pieces[1].strip()) if len(pieces) > 1 else ("", text.strip())
    output = INPUT.split(output)[0].strip()
    begin = INPUT.match(given)
    return (given[begin.end() :].strip() if begin else given), output


def labelled_instances(text: str) -> list[Instance]:
    """Instances of a reply that was asked for the label first ("Class label: ...", then the input)."""
    found = []
    for piece in text.split(LABEL)[1:]:
        label, _, given = piece.strip().partition("\n")
        found.append((given.strip(), label.strip()))
    return found


def split_items(text: str, shown: int) -> list[tuple[str, str, str] | str]:
    """Alpaca's items (instruction, input, output) of a completion after "4. Instruction:"; what is none stays a text.

    shown: tasks in the prompt; the items are numbered from shown + 1.
    """
    found: list[tuple[str, str, str] | str] = []
    for number, piece in enumerate(f"{shown + 1}. Instruction:{text}".split("###"), shown + 1):
        parts = re.split(rf"{number}\.\s+(?:Instruction|Input|Output):", piece)
        if len(parts) != 4:
            found.append(piece)
            continue
        instruction, given, output = (part.strip() for part in parts[1:])
        found.append((instruction, "" if given.lower() == "<noinput>" else given, output))
    return found
