"""GLM."""

from __future__ import annotations

from schemask.chat.notations.raw import RawArguments
from schemask.chat.spec import FormatSpec

# The chat template of GLM 4.5 and 4.6.
GLM45 = FormatSpec(
    name="glm45",
    call_open="<tool_call>",
    call_close="</tool_call>",
    call_separator="\n",
    preamble_close="\n",
    call="{name}\n{arguments}",
    arguments=RawArguments("<arg_key>{key}</arg_key>\n<arg_value>{value}</arg_value>\n"),
    result_padding="\n",
    reasoning_open="<think>",
    reasoning_close="</think>\n",
    turn_start="<|user|>",
    turn_end="<|observation|>",
    turns=(
        ("system", "<|system|>\n", ""),
        ("user", "<|user|>\n", ""),
        ("assistant", "<|assistant|>\n", ""),
        ("tool", "<|observation|>\n", ""),
    ),
)

FORMATS = (GLM45,)
