"""Formats of MiniMax.

MiniMax M1 and M2. M1 writes a JSON object a line between `<tool_calls>` tags. M2 writes XML-like
elements with names in attributes, strings as they are, and reasons before everything; the
markers of its turns are `]~b]` and `[e~[`.
"""

from __future__ import annotations

from schemask.chat.notations.raw import RawArguments
from schemask.chat.spec import FormatSpec, turns_of

MINIMAX_M1 = FormatSpec(
    name="minimax_m1",
    models="MiniMax M1",
    templates=("MiniMax-M1",),
    call_open="",
    call_close="",
    call_separator="\n",
    calls_open="<tool_calls>\n",
    calls_close="\n</tool_calls>",
    words_with_calls="none",
    result_open="tool result: ",
    result_close="\n\n",
    result_separator="",
    turn_start="<beginning_of_sentence>",
    turn_end="<end_of_sentence>",
    turns=tuple(
        (role, f"<beginning_of_sentence>{opening}\n", "<end_of_sentence>\n")
        for role, opening in {
            "system": "system ai_setting=assistant",
            "user": "user name=user",
            "assistant": "ai name=assistant",
            "tool": "tool name=tools",
        }.items()
    ),
    escapes=False,
)

MINIMAX_M2 = FormatSpec(
    name="minimax_m2",
    models="MiniMax M2",
    templates=("MiniMax-M2",),
    call_open='<invoke name="',
    call_close="</invoke>",
    call_separator="\n",
    calls_open="<minimax:tool_call>\n",
    calls_close="\n</minimax:tool_call>",
    call='{name}">\n{arguments}',
    arguments=RawArguments('<parameter name="{key}">{value}</parameter>\n'),
    preamble_close="\n",
    no_preamble="\n",
    reasoning_open="<think>\n",
    reasoning_close="\n</think>\n\n",
    reasons=True,
    thinking_prompt="<think>\n",
    result_open="<response>",
    result_close="</response>",
    turn_start="]~b]",
    turn_end="[e~[",
    turns=turns_of("]~b]{role}\n", "[e~[\n", assistant="ai"),
    escapes=False,
)

FORMATS = (MINIMAX_M1, MINIMAX_M2)
