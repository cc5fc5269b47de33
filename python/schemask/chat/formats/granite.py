"""Granite."""

from __future__ import annotations

from schemask.chat.spec import FormatSpec, turns_of

_GRANITE_TURNS = turns_of(
    "<|start_of_role|>{role}<|end_of_role|>", "<|end_of_text|>\n", tool="tool_response"
)

# The chat template of Granite 3.0, 3.2 and 3.3.
GRANITE3 = FormatSpec(
    name="granite3",
    call_open="",
    call_close="",
    call_separator=", ",
    calls_open="<|tool_call|>[",
    calls_close="]",
    result_open="",
    result_close="",
    turn_start="<|start_of_role|>",
    turn_end="<|end_of_text|>",
    turns=_GRANITE_TURNS,
)

# The chat template of Granite 3.1.
GRANITE31 = FormatSpec(
    name="granite31",
    call_open="",
    call_close="",
    call_separator=", ",
    reasoning_open="<think>",
    reasoning_close="</think>",
    calls_open="<tool_call>[",
    calls_close="]",
    result_open="",
    result_close="",
    turn_start="<|start_of_role|>",
    turn_end="<|end_of_text|>",
    turns=_GRANITE_TURNS,
)

FORMATS = (
    GRANITE3,
    GRANITE31,
)
