"""Qwen 2.5 to 3.5, and who writes the same: Hermes and Nemotron 3."""

from __future__ import annotations

from schemask.chat.notations.raw import RawArguments
from schemask.chat.spec import FormatSpec

# Byte for byte what the chat templates of Qwen2.5 and Qwen3 write.
HERMES = FormatSpec(
    name="hermes",
    call_open="<tool_call>",
    call_close="</tool_call>",
    call_padding="\n",
    call_separator="\n",
    preamble_close="\n",
    result_role="user",
    result_open="<tool_response>",
    result_close="</tool_response>",
    result_padding="\n",
    result_separator="\n",
    reasoning_open="<think>\n",
    reasoning_close="\n</think>\n\n",
    tools_intro=(
        "# Tools\n\nYou may call one or more functions to assist with the user query.\n\n"
        "You are provided with function signatures within <tools></tools> XML tags:\n<tools>"
    ),
    tools_outro=(
        "\n</tools>\n\nFor each function call, return a json object with function name and "
        "arguments within <tool_call></tool_call> XML tags:\n<tool_call>\n"
        '{"name": <function-name>, "arguments": <args-json-object>}\n</tool_call>'
    ),
)

# The chat template of Qwen3-Coder; Qwen3.5 and Nemotron 3 write the same.
QWEN3_CODER = FormatSpec(
    name="qwen3_coder",
    call_open="<tool_call>",
    call_close="</tool_call>",
    call_padding="\n",
    call_separator="\n",
    preamble_close="\n",
    call="<function={name}>\n{arguments}</function>",
    arguments=RawArguments("<parameter={key}>\n{value}\n</parameter>\n"),
    result_role="user",
    result_padding="\n",
    reasoning_open="<think>\n",
    reasoning_close="\n</think>\n\n",
)

FORMATS = (
    HERMES,
    QWEN3_CODER,
)
