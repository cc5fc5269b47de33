"""Gemma."""

from __future__ import annotations

from schemask.chat.notations.marked import MarkedArguments
from schemask.chat.spec import FormatSpec, turns_of

# The formatting guide of FunctionGemma.
FUNCTION_GEMMA = FormatSpec(
    name="function_gemma",
    call_open="<start_function_call>",
    call_close="<end_function_call>",
    call="call:{name}{{arguments}}",
    arguments=MarkedArguments("<escape>"),
    result_open="<start_function_response>",
    result_close="<end_function_response>",
    turn_start="<start_of_turn>",
    turn_end="<end_of_turn>",
    next_turns=("<start_function_response>",),
    turns=turns_of("<start_of_turn>{role}\n", "<end_of_turn>\n", assistant="model"),
)

# The chat template of Gemma 4.
GEMMA4 = FormatSpec(
    name="gemma4",
    call_open="<|tool_call>",
    call_close="<tool_call|>",
    call="call:{name}{{arguments}}",
    arguments=MarkedArguments('<|"|>', sort_keys=True),
    result_open="<|tool_response>",
    result_close="<tool_response|>",
    turn_start="<|turn>",
    reasoning_open="<|channel>thought\n",
    reasoning_close="<channel|>",
    turn_end="<turn|>",
    next_turns=("<|tool_response>",),
    turns=turns_of("<|turn>{role}\n", "<turn|>\n", assistant="model"),
)

FORMATS = (
    FUNCTION_GEMMA,
    GEMMA4,
)
