"""LFM 2."""

from __future__ import annotations

from schemask.chat.notations.python import PythonArguments
from schemask.chat.spec import FormatSpec

# The chat template of LFM2 and LFM2.5, but that strings have double quotes.
LFM2 = FormatSpec(
    name="lfm2",
    call_open="",
    call_close="",
    call_separator=", ",
    calls_open="<|tool_call_start|>[",
    calls_close="]<|tool_call_end|>",
    call="{name}({arguments})",
    arguments=PythonArguments("{key}={value}", separator=", "),
    reasoning_open="<think>",
    reasoning_close="</think>",
    result_open="<|tool_response_start|>",
    result_close="<|tool_response_end|>",
)

FORMATS = (LFM2,)
