"""Formats of Llama.

Llama 3.1 to 4 of Meta. No tag comes before a call: a turn that begins with `{` (or `[`, as
Python's calls) is one, so that a turn has words or calls, and words begin otherwise.
"""

from __future__ import annotations

from schemask.chat.notations.python import PythonArguments
from schemask.chat.spec import FormatSpec, turns_of

# Without the built-in tools of these models.
LLAMA3_JSON = FormatSpec(
    name="llama3_json",
    models="Llama 3.1, 3.2, 3.3",
    templates=(
        *("llama3", "llama3_1", "llama3_2", "meta-llama-Llama-3.1-8B-Instruct"),
        *("meta-llama-Llama-3.2-3B-Instruct", "meta-llama-Llama-3.3-70B-Instruct"),
    ),
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
    turns=turns_of("<|start_header_id|>{role}<|end_header_id|>\n\n", "<|eot_id|>", tool="ipython"),
)

# From the documented prompts of Llama 3.2 and 4: their templates do not write it.
LLAMA4_PYTHONIC = FormatSpec(
    name="llama4_pythonic",
    models="Llama 4, small Llama 3.2",
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
