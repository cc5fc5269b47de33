"""Kimi."""

from __future__ import annotations

from schemask.chat.spec import FormatSpec

# The chat template of Kimi K2.
KIMI_K2 = FormatSpec(
    name="kimi_k2",
    call_open="<|tool_call_begin|>",
    call_close="<|tool_call_end|>",
    calls_open="<|tool_calls_section_begin|>",
    calls_close="<|tool_calls_section_end|>",
    call="functions.{name}:{index}<|tool_call_argument_begin|>{arguments}",
    reasoning_open="<think>",
    reasoning_close="</think>",
    result_open="",
    result_close="",
    turn_start="<|im_user|>",
    turn_end="<|im_end|>",
    turns=tuple(
        (role, f"<|im_{kind}|>{role}<|im_middle|>", "<|im_end|>")
        for role, kind in {
            "system": "system",
            "user": "user",
            "assistant": "assistant",
            "tool": "system",
        }.items()
    ),
)

FORMATS = (KIMI_K2,)
