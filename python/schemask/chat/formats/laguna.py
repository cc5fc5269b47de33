"""Formats of Laguna, in whose turns calls are spelt as in those of GLM.

Laguna S and XS of Poolside. Turns stand between tags of roles, as `<assistant>`. A call is a
name, and a tagged key and a tagged value for each argument; XS writes each on a line of its own.
"""

from __future__ import annotations

from schemask.chat.notations.raw import RawArguments
from schemask.chat.spec import FormatSpec

LAGUNA_S = FormatSpec(
    name="laguna_s",
    models="Laguna S 2.1",
    templates=("poolside-Laguna-S-2.1",),
    call_open="<tool_call>",
    call_close="</tool_call>",
    call="{name}{arguments}",
    arguments=RawArguments("<arg_key>{key}</arg_key><arg_value>{value}</arg_value>"),
    reasoning_open="<think>",
    reasoning_close="</think>",
    no_reasoning="<think></think>",
    reasons=True,
    thinking_prompt="<think>",
    plain_prompt="</think>",
    turn_start="",
    turn_end="</assistant>",
    turns=(
        ("system", "<system>", "</system>\n"),
        ("user", "<user>", "</user>\n"),
        ("assistant", "<assistant>", "</assistant>\n"),
        ("tool", "", "\n"),
    ),
)

LAGUNA_XS = FormatSpec(
    name="laguna_xs",
    models="Laguna XS 2",
    templates=("poolside-Laguna-XS.2",),
    call_open="<tool_call>",
    call_close="</tool_call>\n",
    preamble_close="\n",
    call="{name}\n{arguments}",
    arguments=RawArguments("<arg_key>{key}</arg_key>\n<arg_value>{value}</arg_value>\n"),
    result_padding="\n",
    reasoning_open="<think>\n",
    reasoning_close="\n</think>\n",
    no_reasoning="</think>\n",
    thinking_prompt="<think>",
    plain_prompt="</think>",
    turn_start="",
    turn_end="\n</assistant>",
    calls_end="</assistant>",
    turns=(
        ("system", "<system>\n\n", "\n</system>\n"),
        ("user", "<user>\n", "\n</user>\n"),
        ("assistant", "<assistant>\n", "\n</assistant>\n"),
        ("tool", "", "\n"),
    ),
)

FORMATS = (LAGUNA_S, LAGUNA_XS)
