"""Random rows of dialects for ranked lists, scores, labels and trees."""

from hypothesis import strategies as st
from strategies import (
    CALLS,
    MAYBE_TEXT,
    NUMBERS,
    PLAIN_TEXTS,
    SHAREGPT_TOOLS,
    SPECS,
    TEXTS,
    VALUES,
    Number,
    extras_without,
    messages,
    mixed,
    rows,
    sharegpt_turns,
)

SOME_TEXTS = st.one_of(TEXTS, PLAIN_TEXTS)
SCORES = st.one_of(NUMBERS, st.sampled_from([Number("9.0"), Number("-0.5"), None, "N/A", True]))
RANKS = st.one_of(
    st.integers(-1, 5).map(lambda rank: Number(str(rank))),
    st.sampled_from([Number("1.0"), Number("2.5"), Number("1e20"), None, "1", False]),
)
LABELS = st.sampled_from(["chosen", "rejected", None, "good", True])
MODELS = st.one_of(PLAIN_TEXTS, st.sampled_from(["large", None, 5]))


@st.composite
def answers(draw, required, optional):
    """One answer with what is known of it, in any order of keys."""
    fields = {key: draw(values) for key, values in required.items()}
    fields |= {key: draw(values) for key, values in optional.items() if draw(st.booleans())}
    known = (*required, *optional)
    return draw(mixed(fields, draw(extras_without(*known)) if draw(st.integers(0, 3)) == 0 else {}))


def listed(required, **optional):
    return st.lists(answers(required, optional), max_size=3)


ULTRAFEEDBACK = rows(
    {
        "instruction": SOME_TEXTS,
        "completions": listed({"response": SOME_TEXTS}, model=MODELS, overall_score=SCORES, annotations=VALUES),
    },
    {"source": VALUES, "models": VALUES},
    ("instruction", "completions"),
)

SPEAKERS = st.sampled_from(["\n\nHuman: ", "\n\nAssistant: ", "\n\nHuman:", "\n\nAssistant:"])
DIALOGUES = st.lists(st.tuples(SPEAKERS, SOME_TEXTS).map("".join), max_size=3).map("".join)
NECTAR = rows(
    {
        "prompt": st.one_of(
            DIALOGUES.map(lambda dialogue: f"\n\nHuman: 问{dialogue}\n\nAssistant: "), DIALOGUES, SOME_TEXTS
        ),
        "answers": listed({"answer": SOME_TEXTS}, model=MODELS, rank=RANKS),
    },
    {"turns": VALUES, "good_natured": VALUES},
    ("prompt", "answers"),
)

SIDES = st.one_of(SOME_TEXTS, st.lists(messages(), max_size=3))
RANKED = rows(
    {"prompt": SIDES, "responses": listed({"content": SIDES}, score=SCORES, rank=RANKS, label=LABELS, model=MODELS)},
    {"tools": st.one_of(st.none(), SPECS)},
    ("prompt", "responses", "tools"),
)

SUMMARIES = st.lists(answers({"text": SOME_TEXTS}, {"policy": MODELS, "note": MAYBE_TEXT}), min_size=2, max_size=2)
INFO = st.one_of(
    answers({"post": SOME_TEXTS}, {"title": VALUES, "article": VALUES}),
    answers({"article": SOME_TEXTS}, {"post": st.none(), "site": VALUES}),
)
SUMMARIZE = rows(
    {
        "info": INFO,
        "summaries": SUMMARIES,
        "choice": st.sampled_from([Number("0"), Number("1"), Number("1.0"), None]),
    },
    {"worker": VALUES, "extra": VALUES},
    ("info", "summaries", "choice"),
)

WEBGPT_KEYS = [f"{key}_{number}" for number in range(2) for key in ("quotes", "tokens", "score", "answer")]
WEBGPT = rows(
    {"question": answers({"full_text": SOME_TEXTS}, {"id": VALUES}), "answer_0": SOME_TEXTS, "answer_1": SOME_TEXTS},
    {key: SCORES if key.startswith("score") else VALUES for key in WEBGPT_KEYS if not key.startswith("answer")},
    ("question", *WEBGPT_KEYS),
)

GPT4_COMPARISON = st.one_of(
    rows(
        {
            "user_input": SOME_TEXTS,
            "responses_and_scores": listed({"response": SOME_TEXTS}, source=MODELS, score=SCORES),
        },
        {},
        ("user_input", "responses_and_scores"),
    ),
    rows(
        {"user_input": SOME_TEXTS, "completion_a": SOME_TEXTS, "completion_b": SOME_TEXTS},
        {},
        ("user_input", "completion_a", "completion_b", "responses_and_scores"),
    ),
)

PREFERENCES = st.one_of(st.sampled_from([Number(n) for n in ("1", "2", "1.0", "1.5", "0", "1.25", "1.9375")]), SCORES)
ALPACA_EVAL = rows(
    {"instruction": SOME_TEXTS, "output_1": SOME_TEXTS, "output_2": SOME_TEXTS},
    {"generator_1": MODELS, "generator_2": MODELS, "preference": PREFERENCES, "input": MAYBE_TEXT, "dataset": VALUES},
    ("instruction", "output_1", "output_2", "input", "preference", "generator_1", "generator_2"),
)

BATTLE = st.lists(messages(), min_size=1, max_size=3)
WINNERS = st.one_of(st.sampled_from(["model_a", "model_b", "tie", "tie (bothbad)", None]), VALUES)


@st.composite
def battles(draw):
    """Two conversations that mostly begin alike, and who won."""
    shared = draw(st.lists(messages(), max_size=2))
    fields = {key: shared + draw(BATTLE) for key in ("conversation_a", "conversation_b")}
    return draw(
        rows(
            {key: st.just(value) for key, value in fields.items()},
            {"winner": WINNERS, "model_a": MODELS, "model_b": MODELS, "judge": VALUES, "turn": VALUES},
            ("conversation_a", "conversation_b", "winner", "model_a", "model_b"),
        )
    )


REVIEW_SCORES = st.one_of(
    st.sampled_from(["[9.0, 8.5]", "[-1, -1]", "[1", "9 8", "[8]"]), st.lists(SCORES, max_size=3), VALUES
)
CHERRY_REVIEWS = rows(
    {"text": SOME_TEXTS, "Answer1": SOME_TEXTS, "Answer2": SOME_TEXTS},
    {"review": MAYBE_TEXT, "scores": REVIEW_SCORES, "scores_reverse": REVIEW_SCORES},
    ("text", "Answer1", "Answer2"),
)

HELPSTEER2 = rows(
    {"prompt": SOME_TEXTS, "response": SOME_TEXTS, "helpfulness": st.one_of(RANKS, VALUES)},
    {"correctness": RANKS, "verbosity": RANKS},
    ("prompt", "response", "helpfulness"),
)

MESSAGE = {"text": SOME_TEXTS, "role": st.sampled_from(["prompter", "assistant"])}
IDS = st.sampled_from(["m1", "m2", "茶", None])
OASST = rows({**MESSAGE, "message_id": IDS}, {"rank": RANKS, "parent_id": IDS}, ("message_id", "text", "role"))


@st.composite
def oasst_messages(draw, depth):
    """A message with replies of at most this depth."""
    fields = {key: draw(values) for key, values in MESSAGE.items()}
    if draw(st.integers(0, 3)):
        fields = {"message_id": draw(st.one_of(IDS, st.uuids().map(str))), **fields}
    if draw(st.booleans()):
        fields["rank"] = draw(RANKS)
    if depth and draw(st.integers(0, 3)):
        fields["replies"] = draw(st.lists(oasst_messages(depth - 1), max_size=3))
    elif draw(st.booleans()):
        fields["replies"] = draw(st.sampled_from([None, []]))
    return draw(mixed(fields, draw(extras_without("text", "role", "replies")))) if draw(st.booleans()) else fields


OASST_TREE = rows(
    {"message_tree_id": IDS, "prompt": oasst_messages(3)}, {"tree_state": VALUES}, ("message_tree_id", "prompt")
)

ANSWERERS = st.sampled_from(["gpt", "gpt", "gpt", "assistant", "chatgpt", "function_call"])
ANSWER = {"score": SCORES, "rank": RANKS, "model": MODELS, "weight": st.one_of(SCORES), "note": VALUES}


@st.composite
def places(draw, mid):
    """The turns of one labelled place: answers one after the other, or in a list. mid: exactly one is chosen."""
    count = draw(st.integers(1, 3))
    chosen = draw(st.integers(0, count - 1))
    found = []
    for number in range(count):
        speaker = draw(ANSWERERS)
        answer = {"from": speaker, "value": draw(CALLS if speaker == "function_call" else SOME_TEXTS)}
        answer["label"] = "chosen" if number == chosen else "rejected" if mid else draw(LABELS)
        answer |= {key: draw(values) for key, values in ANSWER.items() if draw(st.integers(0, 4)) == 0}
        found.append(draw(mixed(answer, {})))
    if draw(st.booleans()) and all(one["label"] in ("chosen", "rejected") for one in found):
        return found
    for answer in found:
        if draw(st.booleans()):
            del answer["from"]
        if answer["label"] is None:
            del answer["label"]
    key = draw(st.sampled_from(["candidates", "value"]))
    return [draw(mixed({"from": draw(ANSWERERS), key: found}, {}))]


@st.composite
def labelled_talks(draw):
    """Conversations with labelled places in the middle, at the end, or both."""
    talk = [{"from": "human", "value": draw(SOME_TEXTS)}]
    mid = draw(st.integers(0, 2))
    for _ in range(mid):
        talk += draw(places(True))
        talk.append({"from": draw(st.sampled_from(["human", "gpt", "observation"])), "value": draw(SOME_TEXTS)})
        if draw(st.booleans()):
            talk.append(draw(sharegpt_turns()))
    if not mid or draw(st.booleans()):
        talk += draw(places(False))
    return talk


SHAREGPT_LABELLED = rows(
    {"conversations": labelled_talks()},
    {"system": MAYBE_TEXT, "tools": SHAREGPT_TOOLS},
    ("conversations", "system", "tools"),
)

ROWS = {
    "sharegpt-labelled": SHAREGPT_LABELLED,
    "ultrafeedback": ULTRAFEEDBACK,
    "nectar": NECTAR,
    "ranked": RANKED,
    "summarize": SUMMARIZE,
    "webgpt": WEBGPT,
    "gpt4-comparison": GPT4_COMPARISON,
    "alpaca-eval": ALPACA_EVAL,
    "arena": battles(),
    "cherry-reviews": CHERRY_REVIEWS,
    "helpsteer2": HELPSTEER2,
    "oasst": OASST,
    "oasst-tree": OASST_TREE,
}
