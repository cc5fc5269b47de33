"""Formats of Qwen.

Qwen2.5 to Qwen3.8, QwQ, and Hermes of Nous Research, whose notation of calls the first ones took
over: a JSON object between `<tool_call>` tags. Qwen3-Coder and its successors write arguments
one by one between tags, with strings as they are. They differ in who opens reasoning: the model
or the prompt.
"""

from __future__ import annotations

from dataclasses import replace

from schemask.chat.notations.raw import RawArguments
from schemask.chat.notations.values import Styles
from schemask.chat.spec import FormatSpec

HERMES = FormatSpec(
    name="hermes",
    models="Qwen2.5, Qwen3-Instruct-2507, Hermes 2 and 3",
    templates=(
        *("qwen2_5", "qwen2_5_vl", "qwen3_instruct_2507", "qwen3_vl", "MiMo-VL"),
        *("Qwen-Qwen2.5-7B-Instruct", "HuggingFaceTB-SmolLM3-3B"),
    ),
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

# Reasons unless the prompt has closed the block; turns without reasoning hold an empty one.
QWEN3 = replace(
    HERMES,
    name="qwen3",
    models="Qwen3",
    templates=("qwen3",),
    no_reasoning="<think>\n\n</think>\n\n",
    reasons=True,
    plain_prompt="<think>\n\n</think>\n\n",
)

# Each prompt opens reasoning.
QWQ = replace(
    HERMES,
    name="qwq",
    models="QwQ, Qwen3-Thinking-2507",
    templates=("Qwen-QwQ-32B",),
    reasons=True,
    thinking_prompt="<think>\n",
    plain_prompt="<think>\n</think>",
)

QWEN3_CODER = FormatSpec(
    name="qwen3_coder",
    models="Qwen3-Coder",
    templates=("Qwen3-Coder",),
    call_open="<tool_call>",
    call_close="</tool_call>",
    call_padding="\n",
    call_separator="\n",
    preamble_close="\n\n",
    call="<function={name}>\n{arguments}</function>",
    arguments=RawArguments(
        "<parameter={key}>\n{value}\n</parameter>\n", styles=Styles(literals="python")
    ),
    result_role="user",
    result_padding="\n",
    reasoning_open="<think>\n",
    reasoning_close="\n</think>\n\n",
)

QWEN35 = replace(
    QWEN3_CODER,
    name="qwen35",
    models="Qwen3.5",
    templates=("qwen3_5_think", "qwen3_5_nothink", "Qwen3.5-4B"),
    no_reasoning="<think>\n\n</think>\n\n",
    reasons=True,
    thinking_prompt="<think>\n",
    plain_prompt="<think>\n\n</think>\n\n",
)

# Literals are those of JSON.
QWEN36 = replace(
    QWEN35,
    name="qwen36",
    models="Qwen3.6, Qwen3.8",
    templates=("qwen3_6", "qwen3_8"),
    arguments=RawArguments("<parameter={key}>\n{value}\n</parameter>\n"),
)

FORMATS = (
    HERMES,
    QWEN3,
    QWQ,
    QWEN3_CODER,
    QWEN35,
    QWEN36,
)
