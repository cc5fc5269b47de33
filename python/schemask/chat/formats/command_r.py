"""Command R."""

from __future__ import annotations

from schemask.chat.spec import FormatSpec

# The tool-use template of Command R7B.
COMMAND_R7B = FormatSpec(
    name="command_r7b",
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
    words_open="<|START_RESPONSE|>",
    words_close="<|END_RESPONSE|>",
    words_with_calls="none",
    reasoning_open="<|START_THINKING|>",
    reasoning_close="<|END_THINKING|>",
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

FORMATS = (COMMAND_R7B,)
