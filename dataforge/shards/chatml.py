r"""The built-in chat template `chatml`, as Jinja and as a Python function that writes the same.

Reads and writes nothing. Cost: a few microseconds a turn with `render_chatml`; hundreds with Jinja.

CLI: `dataforge shard in.jsonl -o shards --tokenizer my-tokenizer --template chatml`
Python: `render_chatml([{"role": "user", "content": "hi"}])`

Every turn is written alike, wherever it stands, so that a conversation's rendering only ever grows at its end (no turn
is rewritten because another one follows it). A turn is `<|im_start|>ROLE\nTEXT<|im_end|>\n`; reasoning stands in
`<think>` tags before the answer, calls in `<tool_call>` tags after it, a tool's answer is a turn of role `tool`, and
the functions on offer end the first system turn (`developer` is written as `system`).
"""

from __future__ import annotations

import json
from typing import Any

__all__ = ["CHATML", "END_OF_TEXT", "PAD", "TURN_END", "TURN_START", "render_chatml"]

END_OF_TEXT = "<|endoftext|>"
TURN_START = "<|im_start|>"
TURN_END = "<|im_end|>"
PAD = "<|pad|>"

_TOOLS_HEAD = """# Tools

Functions that you can call, one JSON object a line:
<tools>"""

_TOOLS_TAIL = """
</tools>

To call a function, write its name and its arguments as JSON inside tags, with a pair of tags for each call:
<tool_call>
{"name": "function name", "arguments": {"argument name": "value"}}
</tool_call>"""

CHATML = """\
{%- set system_roles = ['system', 'developer'] %}
{%- if tools %}
    {{- '<|im_start|>system\\n' }}
    {%- if messages and messages[0].role in system_roles %}
        {{- messages[0].content + '\\n\\n' }}
    {%- endif %}
    {{- TOOLS_HEAD }}
    {%- for tool in tools %}
        {{- '\\n' + (tool | tojson) }}
    {%- endfor %}
    {{- TOOLS_TAIL + '<|im_end|>\\n' }}
{%- endif %}
{%- for message in messages %}
    {%- if message.role == 'assistant' %}
        {{- '<|im_start|>assistant\\n' }}
        {%- if message.reasoning_content %}
            {{- '<think>\\n' + message.reasoning_content + '\\n</think>\\n\\n' }}
        {%- endif %}
        {{- message.content or '' }}
        {%- for call in message.tool_calls or [] %}
            {%- set function = call.function or call %}
            {%- if message.content or not loop.first %}
                {{- '\\n' }}
            {%- endif %}
            {{- '<tool_call>\\n{"name": ' + (function.name | tojson) + ', "arguments": ' }}
            {{- function.arguments if function.arguments is string else (function.arguments | tojson) }}
            {{- '}\\n</tool_call>' }}
        {%- endfor %}
        {{- '<|im_end|>\\n' }}
    {%- elif message.role in system_roles %}
        {%- if not (tools and loop.first) %}
            {{- '<|im_start|>system\\n' + message.content + '<|im_end|>\\n' }}
        {%- endif %}
    {%- elif message.role in ['user', 'tool'] %}
        {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}
    {%- else %}
        {{- raise_exception('chatml has no role ' + (message.role | tojson)) }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
{%- endif %}
""".replace("TOOLS_HEAD", repr(_TOOLS_HEAD)).replace("TOOLS_TAIL", repr(_TOOLS_TAIL))
"""The built-in template as Jinja, in the form that tokenizers carry."""


def _chatml_assistant(message: dict[str, Any]) -> str:
    parts = []
    if message.get("reasoning_content"):
        parts.append(f"<think>\n{message['reasoning_content']}\n</think>\n\n")
    content = message.get("content") or ""
    parts.append(content)
    for number, call in enumerate(message.get("tool_calls") or ()):
        function = call.get("function") or call
        arguments = function["arguments"]
        text = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
        name = json.dumps(function["name"], ensure_ascii=False)
        gap = "\n" if content or number else ""
        parts.append(f'{gap}<tool_call>\n{{"name": {name}, "arguments": {text}}}\n</tool_call>')
    return "".join(parts)


def render_chatml(messages: list[dict[str, Any]], tools: list[Any] | None = None) -> str:
    """What the Jinja template CHATML makes of the same messages, without Jinja (a test compares the two).

    messages: as `messages_of` gives them. tools: function specifications, or None.
    """
    out = []
    first = messages[0] if messages and messages[0]["role"] in ("system", "developer") else None
    if tools:
        opening = first["content"] + "\n\n" if first else ""
        listed = "".join("\n" + json.dumps(tool, ensure_ascii=False) for tool in tools)
        out.append(f"<|im_start|>system\n{opening}{_TOOLS_HEAD}{listed}{_TOOLS_TAIL}<|im_end|>\n")
    for message in messages:
        if tools and message is first:
            continue
        role = message["role"]
        if role == "assistant":
            out.append(f"<|im_start|>assistant\n{_chatml_assistant(message)}<|im_end|>\n")
        else:
            role = "system" if role == "developer" else role
            out.append(f"<|im_start|>{role}\n{message['content']}<|im_end|>\n")
    return "".join(out)
