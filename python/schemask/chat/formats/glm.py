"""Formats of GLM, whose turns have no end: the tag of the next role ends them.

GLM 4.5 to 4.7 of Z.ai. A call is the tool's name and then a tagged key and a tagged value for
each argument. Strings have no quotes, so that the schema tells "7" from 7. GLM 4.7 writes the
same without newlines, and the prompt decides whether it reasons.
"""

from __future__ import annotations

from dataclasses import replace

from schemask.chat.notations.raw import RawArguments
from schemask.chat.spec import FormatSpec

GLM45 = FormatSpec(
    name="glm45",
    models="GLM 4.5, 4.6",
    templates=("glm4moe", "GLM-4.6"),
    call_open="<tool_call>",
    call_close="</tool_call>",
    call_separator="\n",
    preamble_close="\n",
    call="{name}\n{arguments}",
    arguments=RawArguments("<arg_key>{key}</arg_key>\n<arg_value>{value}</arg_value>\n"),
    result_padding="\n",
    reasoning_open="\n<think>",
    reasoning_close="</think>\n",
    no_reasoning="\n<think></think>\n",
    reasons=True,
    plain_prompt="\n<think></think>",
    turn_start="",
    turn_end="",
    next_turns=("<|user|>", "<|observation|>"),
    turns=(
        ("system", "<|system|>\n", ""),
        ("user", "<|user|>\n", ""),
        ("assistant", "<|assistant|>", ""),
        ("tool", "<|observation|>\n", ""),
    ),
)

# Without the newlines.
GLM47 = replace(
    GLM45,
    name="glm47",
    models="GLM 4.7",
    templates=("GLM-4.7-Flash",),
    call_separator="",
    preamble_close="",
    call="{name}{arguments}",
    arguments=RawArguments("<arg_key>{key}</arg_key><arg_value>{value}</arg_value>"),
    result_padding="",
    result_separator="",
    reasoning_open="<think>",
    reasoning_close="</think>",
    no_reasoning="</think>",
    thinking_prompt="<think>",
    plain_prompt="</think>",
    turns=(
        ("system", "<|system|>", ""),
        ("user", "<|user|>", ""),
        ("assistant", "<|assistant|>", ""),
        ("tool", "<|observation|>", ""),
    ),
)

FORMATS = (GLM45, GLM47)
