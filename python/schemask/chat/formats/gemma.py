"""Formats of Gemma.

FunctionGemma and Gemma 4 of Google. Calls look like JSON without quotes: keys are bare, strings
stand between markers. The results come in the turn that called; with Gemma 4 words may follow
them there. Gemma 3 has no format of its own for calls.
"""

from __future__ import annotations

from dataclasses import replace

from schemask.chat.notations.marked import MarkedArguments
from schemask.chat.spec import FormatSpec, turns_of

# From the formatting guide of FunctionGemma.
FUNCTION_GEMMA = FormatSpec(
    name="function_gemma",
    models="FunctionGemma",
    call_open="<start_function_call>",
    call_close="<end_function_call>",
    call="call:{name}{{arguments}}",
    calls_end="<start_function_response>",
    arguments=MarkedArguments("<escape>"),
    result_open="<start_function_response>",
    result_close="<end_function_response>",
    turn_start="<start_of_turn>",
    next_turns=("<start_function_response>",),
    turn_end="<end_of_turn>",
    turns=turns_of("<start_of_turn>{role}\n", "<end_of_turn>\n", assistant="model"),
)

# The reader of results writes into the turn that called, and words may follow.
GEMMA4 = FormatSpec(
    name="gemma4",
    models="Gemma 4",
    templates=("gemma4_v5", "diffusion_gemma"),
    call_open="<|tool_call>",
    call_close="<tool_call|>",
    call="call:{name}{{arguments}}",
    calls_end="<|tool_response>",
    arguments=MarkedArguments('<|"|>', sort_keys=True),
    words_with_calls="after",
    reasoning_open="<|channel>thought\n",
    reasoning_close="\n<channel|>",
    reasons=True,
    plain_prompt="<|channel>thought\n<channel|>",
    result_open="<|tool_response>",
    result_close="<tool_response|>",
    turn_start="<|turn>",
    turn_end="<turn|>",
    turns=turns_of("<|turn>{role}\n", "<turn|>\n", assistant="model"),
)

# null is spelt as in Python.
GEMMA4_NONE = replace(
    GEMMA4,
    name="gemma4_none",
    models="Gemma 4, templates of its first months",
    templates=("gemma4", "gemma4_v2", "gemma4_v3", "gemma4_v4", "google-gemma-4-31B-it"),
    arguments=MarkedArguments('<|"|>', sort_keys=True, null="None"),
)

FORMATS = (
    FUNCTION_GEMMA,
    GEMMA4,
    GEMMA4_NONE,
)
