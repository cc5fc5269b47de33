"""Formats of Command.

Command R7B and Command A of Cohere. Calls are an indented JSON list between action tags; their
ids count all calls of the conversation. Words stand between tags, too, and a turn has words or
calls. Command R7B writes an empty block of thinking before calls without reasoning.
"""

from __future__ import annotations

from dataclasses import replace

from schemask.chat.spec import FormatSpec

COMMAND_R7B = FormatSpec(
    name="command_r7b",
    models="Command R7B",
    templates=("CohereForAI-c4ai-command-r7b-12-2024-tool_use",),
    call_open="",
    call_close="",
    call_separator=",\n    ",
    calls_open="<|START_ACTION|>[\n    ",
    calls_close="\n]<|END_ACTION|>",
    call_members=(
        ("tool_call_id", "{index}"),
        ("tool_name", "{name}"),
        ("parameters", "{arguments}"),
    ),
    counts_on=True,
    words_open="<|START_RESPONSE|>",
    words_close="<|END_RESPONSE|>",
    words_with_calls="none",
    reasoning_open="<|START_THINKING|>",
    reasoning_close="<|END_THINKING|>",
    no_reasoning_calls="<|START_THINKING|><|END_THINKING|>",
    plain_prompt="<|START_THINKING|><|END_THINKING|>",
    result_open="<|START_TOOL_RESULT|>",
    result_close="<|END_TOOL_RESULT|>",
    turn_start="<|START_OF_TURN_TOKEN|>",
    turn_end="<|END_OF_TURN_TOKEN|>",
    turns=(
        ("system", "<|START_OF_TURN_TOKEN|><|SYSTEM_TOKEN|>", "<|END_OF_TURN_TOKEN|>"),
        ("user", "<|START_OF_TURN_TOKEN|><|USER_TOKEN|>", "<|END_OF_TURN_TOKEN|>"),
        ("assistant", "<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>", "<|END_OF_TURN_TOKEN|>"),
        ("tool", "<|START_OF_TURN_TOKEN|><|SYSTEM_TOKEN|>", "<|END_OF_TURN_TOKEN|>"),
    ),
)

COMMAND_A = replace(
    COMMAND_R7B,
    name="command_a",
    models="Command A, those that are mixtures of experts",
    templates=("Cohere2MoE",),
    words_open="<|START_TEXT|>",
    words_close="<|END_TEXT|>",
    no_reasoning_calls=None,
    reasons=True,
    thinking_prompt="<|START_THINKING|>",
)

FORMATS = (COMMAND_R7B, COMMAND_A)
