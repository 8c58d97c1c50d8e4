"""Battles (Chatbot Arena, MT-Bench): `{"model_a", "model_b", "winner", "conversation_a", "conversation_b"}`.

winner is model_a or model_b, then that side is labelled chosen and the other rejected; "tie", "tie (bothbad)" and
other values give no label and stay as they are. What both conversations begin with, up to the last turn that is no
answer, is the prompt; what follows is the answer of each. `judge` (judge_gpt4, a person), `turn`, language and
moderation are extra keys; `turn` is how many rounds were judged, and `pair` takes no more of a conversation than
these.
Fields after the dataset cards huggingface.co/datasets/lmsys/chatbot_arena_conversations and
huggingface.co/datasets/lmsys/mt_bench_human_judgments; the samples are new rows of that shape.

CLI: `dataforge pair battles.jsonl --to dpo`
"""

from __future__ import annotations

from typing import Any

from dataforge.errors import NotRepresentable
from dataforge.formats import openai
from dataforge.formats.candidates import expect_answers, labels_of, write_candidate
from dataforge.formats.detect import MAYBE, SURE
from dataforge.formats.pairs import SIDES, shared_turns, spell_candidate
from dataforge.formats.spelling import Spelling, assemble, extras_of, turn_path
from dataforge.formats.whole import piece, source_row, spell, whole
from dataforge.record import Candidate, Record

__all__ = ["COLUMNS", "EXAMPLE", "MODELS", "NAME", "RULES", "detect", "read", "write"]

NAME = "arena"
COLUMNS = ("conversation_a", "conversation_b")
MODELS = ("model_a", "model_b")
EXAMPLE = {
    "question_id": "q1",
    "model_a": "large",
    "model_b": "small",
    "winner": "model_a",
    "judge": "a person",
    "conversation_a": [
        {"role": "user", "content": "Name a green tea."},
        {"role": "assistant", "content": "Longjing."},
    ],
    "conversation_b": [
        {"role": "user", "content": "Name a green tea."},
        {"role": "assistant", "content": "Tea is green."},
    ],
    "turn": 1,
}
RULES = (
    "winner model_a or model_b is the chosen side; tie, tie (bothbad), other values and none give no label",
    "carries: two answers of any turns to one prompt, one chosen and one rejected or neither, with models",
)


def detect(row: dict[str, Any]) -> int:
    """SURE of two lists."""
    return SURE if all(isinstance(row[key], list) for key in COLUMNS) else MAYBE


def read(row: dict[str, Any], options: Spelling) -> Record:
    """A prompt and two answers; RowError for conversations that are no lists of messages."""
    sides = [piece(openai, "messages", row[key], f"$.{key}", options).turns for key in COLUMNS]
    count = shared_turns(sides[0], sides[1])
    candidates = [Candidate(side[count:]) for side in sides]
    known = set(COLUMNS)
    for candidate, key in zip(candidates, MODELS, strict=True):
        if isinstance(row.get(key), str):
            candidate.model = row[key]
            known.add(key)
    if row.get("winner") in MODELS:
        better = MODELS.index(row["winner"])
        candidates[better].label, candidates[1 - better].label = SIDES
        known.add("winner")
    places = [f"$.{COLUMNS[0]}[{index}]" for index in range(count)]
    layout = whole(NAME, row, places, [f"$.{key}" for key in COLUMNS])
    return Record(sides[0][:count], extras_of(row, known), layout, candidates=candidates)


def write(record: Record, options: Spelling) -> dict[str, Any]:
    """The row of a battle; NotRepresentable unless one prompt has two answers that part where they begin."""
    row = source_row(record, NAME, read, options)
    if row is not None:
        return row
    candidates = expect_answers(record, NAME, 2)
    better = labels_of(record, NAME)
    places = [turn_path(record, index) for index in range(len(record.turns))]
    prompt = spell(openai, "messages", record.turns, places, NAME, options) if record.turns else []
    models: dict[str, Any] = {}
    talks: dict[str, Any] = {}
    for key, model, candidate in zip(COLUMNS, MODELS, candidates, strict=True):
        models |= write_candidate({}, candidate, record, {"model": model}, NAME, apart=("label",))
        if candidate.extras:
            raise NotRepresentable(NAME, "the extra keys of a candidate")
        answer = spell_candidate(openai, "messages", record, candidate, NAME, options) if candidate.turns else []
        talks[key] = prompt + answer
    winner = {} if better is None else {"winner": MODELS[better]}
    again = read(talks, options) if all(talks.values()) else None
    if again is None or len(again.turns) != len(record.turns):
        where = places[-1] if places else "$"
        raise NotRepresentable(NAME, "a prompt that ends with an answer, or that both answers go on with", path=where)
    extras = record.extras or {}
    told = {key for key in MODELS if isinstance(extras.get(key), str)}
    if extras.get("winner") in MODELS:
        told.add("winner")
    return assemble({**models, **winner, **talks}, None, record.extras, NAME, reserved=frozenset(COLUMNS) | told)
