"""Random rows of every dialect, a JSON writer and reader that share no code with dataforge, and the settings of laws.

Numbers are `Number(text)`, so that their digits are chosen, not Python's. `dump` writes a row as JSON in one of many
spellings; `exactly` reads JSON with the standard library, keeping key order, duplicate keys and every digit.
"""

import json
import os
import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

EXAMPLES = int(os.environ.get("DATAFORGE_EXAMPLES", "100"))
"""Examples a law; more of them search deeper: `DATAFORGE_EXAMPLES=5000 pytest tests/formats`."""
LAW = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


@dataclass(frozen=True)
class Number:
    """A JSON number, as it is written."""

    text: str


NUMBERS = st.one_of(
    st.integers(-10, 10**6).map(str),
    st.integers(-(10**30), 10**30).map(str),
    st.integers(2**63 - 2, 2**64 + 2).map(str),
    st.integers(10**15, 10**17).map(lambda n: f"{n}e{n % 7}"),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.decimals(-10, 10, places=19).map(lambda number: f"{number:f}"),
    st.sampled_from(
        ["1e400", "-1E400", "1e-400", "4.9e-324", "1.5E-310", "-0.0", "0e9", "1E5", "1.10", "9007199254740993"]
    ),
    st.sampled_from(["0.1000000000000000055511151231257827", "1e-99999999999999999999", "123456789012345.6"]),
).map(Number)

WORDS = st.sampled_from(
    [
        *(
            "",
            " ",
            "\n",
            "\t",
            "  padded  ",
            "\u3000全角空格\u3000",
            "你好，世界。",
            "什么是茶？",
            "「引号」",
            "𠮷野家",
        ),
        *("emoji 👩‍👩‍👧🇨🇳", "é́", "\u2028\u2029\x85", "\x00\x1f\x7f", 'say "hi" \\ /', "{[,]}:", "\r\n", "\ufeff"),
        *("lone \ud800", "\udfff lone", "123456789012345678901234567890", "1e-400", "</s><|im_end|>"),
    ]
)
TEXTS = st.one_of(WORDS, st.text(max_size=12), st.lists(WORDS, max_size=3).map(" ".join))
PLAIN_TEXTS = st.sampled_from(["Hi", "你好", "What is tea?", "茶是什么？", " padded ", "a\nb", "👍"])

VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)),
    max_leaves=6,
)

FOREIGN_KEYS = [
    *(
        "instruction",
        "input",
        "output",
        "system",
        "history",
        "指令",
        "输入",
        "输出",
        "messages",
        "conversations",
        "tools",
    ),
    *(
        "question",
        "answer",
        "query",
        "response",
        "问题",
        "答案",
        "text",
        "id",
        "来源",
        "label",
        "weight",
        "images",
        "name",
    ),
]
KEYS = st.one_of(st.sampled_from(FOREIGN_KEYS), TEXTS)


def mixed(fields, extras):
    """One dictionary of fields and extras in any order of keys."""
    return st.permutations([*fields.items(), *((k, v) for k, v in extras.items() if k not in fields)]).map(dict)


def extras_without(*keys):
    """Unknown keys of a row or turn: any but these."""
    return st.dictionaries(KEYS.filter(lambda key: key not in keys), VALUES, max_size=2)


@st.composite
def rows(draw, required, optional, known):
    """A row from required and optional fields and unknown keys, in any order."""
    fields = {name: draw(values) for name, values in required.items()}
    for name, values in optional.items():
        if draw(st.booleans()):
            fields[name] = draw(values)
    if draw(st.booleans()):
        return fields
    return draw(mixed(fields, draw(extras_without(*known))))


BLANK = st.sampled_from([None, ""])
MAYBE_TEXT = st.one_of(BLANK, TEXTS)
HISTORY = st.one_of(BLANK, st.lists(st.tuples(TEXTS, TEXTS).map(list), max_size=2))
CHINESE = {"instruction": "指令", "input": "输入", "output": "输出", "system": "系统", "history": "历史"}
ALPACA_KEYS = (*CHINESE, *CHINESE.values())

ALPACA = st.one_of(
    rows({"instruction": TEXTS, "output": TEXTS}, {"input": MAYBE_TEXT}, ALPACA_KEYS),
    rows(
        {"instruction": TEXTS, "output": st.one_of(st.none(), TEXTS)},
        {"input": MAYBE_TEXT, "system": MAYBE_TEXT, "history": HISTORY},
        ALPACA_KEYS,
    ),
    rows(
        {"指令": TEXTS, "输出": TEXTS},
        {"输入": MAYBE_TEXT, "系统": MAYBE_TEXT, "历史": HISTORY},
        ALPACA_KEYS,
    ),
)

QA = st.sampled_from(
    [
        ("question", "answer"),
        ("query", "response"),
        ("prompt", "response"),
        ("问题", "答案"),
        ("提问", "回答"),
        ("问", "答"),
    ]
).flatmap(
    lambda pair: rows(
        {pair[0]: TEXTS, pair[1]: TEXTS},
        {},
        ("question", "answer", "query", "response", "prompt", "问题", "答案", "提问", "回答", "问", "答"),
    )
)

TEXT = rows({"text": TEXTS}, {}, ("text",))

NAMES = st.sampled_from(["get_weather", "查询天气", "f"])
ARGUMENTS = st.one_of(
    st.dictionaries(st.sampled_from(["city", "城市", "n"]), st.one_of(PLAIN_TEXTS, NUMBERS), max_size=2),
    st.lists(st.booleans(), max_size=2),
    TEXTS,
    st.sampled_from(['{"city": "北京"}', '{"n": 12345678901234567890123}', '{"a":1,"a":2}', "null", "{", "5"]),
)


def spelled(values, **more):
    """JSON texts of values, in several spellings."""
    return st.builds(dump, values, st.sampled_from([(",", ":"), (", ", ": "), (" ,\n", " :\t")]), **more)


def dump(value, separators=(", ", ": "), ascii=False):
    """JSON text of a value whose numbers may be `Number`; written without dataforge and without json.dumps of numbers."""
    comma, colon = separators
    if isinstance(value, Number):
        return value.text
    if isinstance(value, dict):
        items = (dump(key, separators, ascii) + colon + dump(item, separators, ascii) for key, item in value.items())
        return "{" + comma.join(items) + "}"
    if isinstance(value, list | tuple):
        return "[" + comma.join(dump(item, separators, ascii) for item in value) + "]"
    if isinstance(value, str):
        lone = re.search("[\ud800-\udfff]", value) is not None
        return json.dumps(value, ensure_ascii=ascii or lone)
    return json.dumps(value)


def exactly(data):
    """The JSON value of some bytes with all its order, doublets and digits: an oracle that shares nothing with dataforge."""
    return json.loads(
        data.decode(),
        parse_int=lambda text: ("integer", int(text)),
        parse_float=lambda text: ("decimal", decimal(text)),
        object_pairs_hook=lambda pairs: ("object", pairs),
    )


def decimal(text):
    """The number of a text, or the text where its exponent is beyond Decimal too."""
    try:
        return Decimal(text)
    except InvalidOperation:
        return text


SPECS = st.lists(
    st.one_of(
        st.fixed_dictionaries({"name": NAMES, "parameters": VALUES}),
        st.fixed_dictionaries({"type": st.just("function"), "function": st.fixed_dictionaries({"name": NAMES})}),
        st.fixed_dictionaries({"type": st.just("function"), "function": st.fixed_dictionaries({"strict": VALUES})}),
    ),
    max_size=2,
)
SHAREGPT_TOOLS = st.one_of(BLANK, SPECS, spelled(SPECS), st.just("[]"), st.just(" [ ] "))
CALL = st.fixed_dictionaries({"name": NAMES}, optional={"arguments": ARGUMENTS})
CALLS = st.one_of(
    spelled(CALL),
    spelled(st.lists(CALL, max_size=3)),
    st.sampled_from(["", "not JSON", '{"name": 5}', "[]", '{"name": "f", "id": 1}', '{"name": "f", "arguments": NaN}']),
)
SPEAKERS = ["human", "gpt", "human", "gpt", "system", "user", "assistant", "chatgpt", "bard", "bing", "model"]


@st.composite
def sharegpt_turns(draw):
    """One turn of a ShareGPT row."""
    role = draw(
        st.sampled_from([*SPEAKERS, "function_call", "function_call", "observation", "tool", "function_response"])
    )
    turn = {"from": role, "value": draw(CALLS if role == "function_call" else TEXTS)}
    kind = draw(st.sampled_from(["plain", "plain", "plain", "turned", "weighed", "extras"]))
    if kind == "turned":
        return {"value": turn["value"], "from": role}
    if kind == "weighed":
        return draw(mixed(turn, {"weight": draw(st.one_of(NUMBERS, st.sampled_from([None, True, "high"])))}))
    return turn if kind == "plain" else draw(mixed(turn, draw(extras_without("from", "value", "weight"))))


SHAREGPT = rows(
    {"conversations": st.lists(sharegpt_turns(), min_size=1, max_size=5)},
    {"system": MAYBE_TEXT, "tools": SHAREGPT_TOOLS},
    ("conversations", "system", "tools"),
)

TEXT_PARTS = st.lists(
    st.fixed_dictionaries({"type": st.just("text"), "text": TEXTS}, optional={"cache": VALUES}), max_size=2
)
PARTS = st.one_of(
    TEXT_PARTS,
    st.lists(
        st.one_of(
            st.fixed_dictionaries({"type": st.just("text"), "text": TEXTS}),
            st.fixed_dictionaries({"type": st.just("image_url"), "image_url": VALUES}),
        ),
        max_size=3,
    ),
)
FUNCTION = st.fixed_dictionaries({"name": NAMES}, optional={"arguments": ARGUMENTS})
IDS = st.sampled_from(["call_0", "call_1", "a", "b", "呼叫"])
OPENAI_CALLS = st.lists(
    st.fixed_dictionaries(
        {"function": FUNCTION}, optional={"id": st.one_of(st.none(), IDS), "type": st.just("function")}
    ),
    max_size=3,
)
WEIGHTS = st.one_of(
    st.none(), st.sampled_from([Number("0"), Number("1"), Number("0.50"), Number("0.1234567890123456789")])
)
MESSAGE = ("role", "content", "name", "weight", "tool_calls", "tool_call_id", "function_call", "reasoning_content")


@st.composite
def messages(draw):
    """One message of an OpenAI row."""
    role = draw(st.sampled_from(["user", "assistant", "user", "assistant", "system", "developer", "tool", "function"]))
    message = {
        "role": role,
        "content": draw(st.one_of(st.none(), TEXTS, TEXTS, TEXT_PARTS if role in ("tool", "function") else PARTS)),
    }
    if draw(st.booleans()):
        return message
    more = {}
    if role == "assistant":
        for key, values in (
            ("tool_calls", st.one_of(st.none(), OPENAI_CALLS)),
            ("function_call", FUNCTION),
            ("reasoning_content", MAYBE_TEXT),
        ):
            if draw(st.booleans()):
                more[key] = draw(values)
        if more.get("tool_calls") and draw(st.booleans()):
            del message["content"]
    if role in ("tool", "function"):
        more["tool_call_id"] = draw(st.one_of(st.none(), IDS))
    if draw(st.integers(0, 3)) == 0:
        more |= {"name": draw(MAYBE_TEXT), "weight": draw(WEIGHTS)}
    if draw(st.integers(0, 3)) == 0:
        more |= draw(extras_without(*MESSAGE))
    return draw(mixed(message, more))


OPENAI = rows(
    {"messages": st.lists(messages(), min_size=1, max_size=5)},
    {"tools": st.one_of(BLANK, SPECS, spelled(SPECS))},
    ("messages", "tools"),
)


@st.composite
def tool_talks(draw):
    """Conversations in which tools are called and answer, as OpenAI rows: parallel calls, results in any order."""
    talk = [{"role": "user", "content": draw(PLAIN_TEXTS)}]
    for _ in range(draw(st.integers(1, 2))):
        names = draw(st.lists(IDS, min_size=1, max_size=3, unique=True))
        calls = [
            {"id": name, "type": "function", "function": {"name": draw(NAMES), "arguments": "{}"}} for name in names
        ]
        talk.append({"role": "assistant", "content": draw(BLANK), "tool_calls": calls})
        for name in draw(st.permutations(names))[: draw(st.integers(0, 3))]:
            talk.append({"role": "tool", "tool_call_id": name, "content": draw(PLAIN_TEXTS)})
        if draw(st.booleans()):
            talk.append({"role": "assistant", "content": draw(PLAIN_TEXTS)})
    return {"messages": talk}


ROWS = {
    "openai": st.one_of(OPENAI, tool_talks()),
    "sharegpt": SHAREGPT,
    "alpaca": ALPACA,
    "qa": QA,
    "text": TEXT,
}
"""Random rows by dialect; every one is sound."""


def resolve(path, row):
    """The value at a JSON path such as `$.a[0].b`; KeyError or IndexError if the row has no such place."""
    value = row
    for name, index in re.findall(r"\.([^.\[]+)|\[(\d+)\]", path):
        value = value[int(index)] if index else value[name]
    return value
