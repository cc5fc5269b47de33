"""Llama 3 and 4."""

from __future__ import annotations

from schemask.chat.notations.python import PythonArguments
from schemask.chat.spec import FormatSpec, turns_of

_LLAMA3_TURNS = turns_of(
    "<|start_header_id|>{role}<|end_header_id|>\n\n", "<|eot_id|>", tool="ipython"
)

# The chat templates of Llama 3.1 and 3.2, without their built-in tools.
LLAMA3_JSON = FormatSpec(
    name="llama3_json",
    call_open="",
    call_close="",
    call_members=(("name", "{name}"), ("parameters", "{arguments}")),
    max_calls=1,
    bare="{",
    words_with_calls="none",
    result_open="",
    result_close="",
    turn_start="<|start_header_id|>",
    turn_end="<|eot_id|>",
    calls_end="<|eom_id|>",
    turns=_LLAMA3_TURNS,
)

# The prompts of Llama 3.2 and 4.
LLAMA4_PYTHONIC = FormatSpec(
    name="llama4_pythonic",
    call_open="",
    call_close="",
    call_separator=", ",
    calls_open="[",
    calls_close="]",
    call="{name}({arguments})",
    arguments=PythonArguments("{key}={value}", separator=", "),
    bare="[",
    words_with_calls="none",
    result_open="",
    result_close="",
    turn_start="<|header_start|>",
    turn_end="<|eot|>",
    turns=turns_of("<|header_start|>{role}<|header_end|>\n\n", "<|eot|>", tool="ipython"),
)

FORMATS = (
    LLAMA3_JSON,
    LLAMA4_PYTHONIC,
)
