"""Formats of Granite.

Granite 3 and 4 of IBM. Granite 3 writes all calls as one JSON list after a tag that nothing
closes, up to the end of the turn; the tag of 3.1 is another one. Granite 4 writes the calls of
Hermes (`qwen.py`).
"""

from __future__ import annotations

from dataclasses import replace

from schemask.chat.formats.qwen import HERMES
from schemask.chat.spec import FormatSpec, turns_of

# From the documented prompts: the template does not write calls.
GRANITE3 = FormatSpec(
    name="granite3",
    models="Granite 3.0, 3.2, 3.3",
    templates=("ibm-granite-granite-3.3-2B-Instruct",),
    call_open="",
    call_close="",
    call_separator=", ",
    calls_open="<|tool_call|>[",
    calls_close="]",
    result_open="",
    result_close="",
    turn_start="<|start_of_role|>",
    turn_end="<|end_of_text|>",
    turns=turns_of(
        "<|start_of_role|>{role}<|end_of_role|>", "<|end_of_text|>\n", tool="tool_response"
    ),
)

GRANITE31 = replace(
    GRANITE3,
    name="granite31",
    models="Granite 3.1",
    templates=(),
    reasoning_open="<think>",
    reasoning_close="</think>",
    calls_open="<tool_call>[",
)

# The calls of Hermes in the turns of Granite.
GRANITE4 = replace(
    HERMES,
    name="granite4",
    models="Granite 4.0, 4.1",
    templates=("ibm-granite-granite-4.1",),
    reasoning_open="",
    reasoning_close="",
    turn_start=GRANITE3.turn_start,
    turn_end=GRANITE3.turn_end,
    turns=turns_of("<|start_of_role|>{role}<|end_of_role|>", "<|end_of_text|>\n"),
)

FORMATS = (
    GRANITE3,
    GRANITE31,
    GRANITE4,
)
