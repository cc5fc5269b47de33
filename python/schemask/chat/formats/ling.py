"""The format of Ling, in whose turns calls are spelt as in those of GLM.

Ling 3.0 of InclusionAI. A call is a name, and a tagged key and a tagged value for each argument.
The roles stand between tags in capitals, and every turn begins with a block of thinking, if an
empty one.
"""

from __future__ import annotations

from schemask.chat.notations.raw import RawArguments
from schemask.chat.spec import FormatSpec

LING3 = FormatSpec(
    name="ling3",
    models="Ling 3.0",
    templates=("inclusionai-ling-3.0-flash",),
    call_open="<tool_call>",
    call_close="</tool_call>",
    call_separator="\n",
    preamble_close="\n",
    call="{name}\n{arguments}\n",
    arguments=RawArguments(
        "<arg_key>{key}</arg_key>\n<arg_value>{value}</arg_value>",
    ),
    result_padding="\n",
    reasoning_open="\n<think>",
    reasoning_close="</think>",
    no_reasoning="\n<think></think>",
    reasons=True,
    thinking_prompt="\n<think>",
    plain_prompt="\n<think></think>",
    turn_start="<role>",
    turn_end="<|role_end|>",
    turns=(
        ("system", "<role>SYSTEM</role>", "<|role_end|>"),
        ("user", "<role>HUMAN</role>", "<|role_end|>"),
        ("assistant", "<role>ASSISTANT</role>", "<|role_end|>"),
        ("tool", "<role>OBSERVATION</role>\n", "<|role_end|>"),
    ),
)

FORMATS = (LING3,)
