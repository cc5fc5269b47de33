"""Formats of Apriel.

Apriel 1.5 and 1.6 of ServiceNow. Calls are a JSON list between `<tool_calls>` tags, on a line of
its own. Apriel 1.6 reasons first, between two English sentences instead of tags: each prompt
ends with the first one, and `[BEGIN FINAL RESPONSE]` comes before the answer.
"""

from __future__ import annotations

from dataclasses import replace

from schemask.chat.spec import FormatSpec

APRIEL15 = FormatSpec(
    name="apriel15",
    models="Apriel 1.5",
    templates=("unsloth-Apriel-1.5",),
    call_open="",
    call_close="",
    call_separator=", ",
    calls_open="<tool_calls>[",
    calls_close="]</tool_calls>",
    call_members=(("name", "{name}"), ("arguments", "{arguments}"), ("id", "{id}")),
    optional_members=("id",),
    id_pattern="[a-zA-Z0-9_-]{1,64}",
    preamble_close="\n",
    no_preamble="\n",
    result_open="",
    result_close="",
    turn_start="",
    turn_end="\n<|end|>",
    turns=(
        ("system", "<|system|>\n", "\n<|end|>\n"),
        ("user", "<|user|>\n", "\n<|end|>\n"),
        ("assistant", "<|assistant|>\n", "\n<|end|>\n"),
        ("tool", "<|tool_result|>\n", "\n<|end|>\n"),
    ),
)

# Each prompt opens reasoning.
APRIEL16 = replace(
    APRIEL15,
    name="apriel16",
    models="Apriel 1.6",
    templates=("Apriel-1.6-15b-Thinker-fixed",),
    reasoning_open="Here are my reasoning steps:\n",
    reasoning_close="\n[BEGIN FINAL RESPONSE]\n",
    reasons=True,
    thinking_prompt="Here are my reasoning steps:\n",
    turns=(
        ("system", "<|begin_system|>\n", "\n"),
        ("user", "<|begin_user|>\n", "\n"),
        ("assistant", "<|begin_assistant|>\n", "\n<|end|>\n"),
        ("tool", "<|begin_tool_result|>\n", "\n"),
    ),
)

FORMATS = (APRIEL15, APRIEL16)
