"""Formats of Kimi.

Kimi K2 and K3 of Moonshot. K2 writes calls in a section; the id of a call is its tool's name and
its number in the whole conversation. K3 has a notation of its own for everything: `<|open|>` and
`<|close|>` with a name between, where each argument says its type.
"""

from __future__ import annotations

from dataclasses import replace

from schemask.chat.notations.typed import TypedArguments
from schemask.chat.spec import FormatSpec, turns_of

KIMI_K2 = FormatSpec(
    name="kimi_k2",
    models="Kimi K2",
    templates=("Kimi-K2-Instruct",),
    call_open="<|tool_call_begin|>",
    call_close="<|tool_call_end|>",
    calls_open="<|tool_calls_section_begin|>",
    calls_close="<|tool_calls_section_end|>",
    call="functions.{name}:{index}<|tool_call_argument_begin|>{arguments}",
    counts_on=True,
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

KIMI_K2_THINKING = replace(
    KIMI_K2,
    name="kimi_k2_thinking",
    models="Kimi K2 Thinking",
    templates=("Kimi-K2-Thinking",),
    no_reasoning="<think></think>",
    reasons=True,
)

# A turn holds reasoning, then words, then calls, each with tags, empty ones too.
KIMI_K3 = FormatSpec(
    name="kimi_k3",
    models="Kimi K3",
    templates=("Kimi-K3",),
    call_open='<|open|>call tool="',
    call_close="<|close|>call<|sep|>",
    calls_open="<|close|>response<|sep|><|open|>tools<|sep|>",
    calls_close="<|close|>tools<|sep|>",
    call='{name}" index="{index}"<|sep|>{arguments}',
    first_index=1,
    arguments=TypedArguments(
        '<|open|>argument key="{key}" type="{type}"<|sep|>{value}<|close|>argument<|sep|>',
        types=tuple(
            (kind, kind) for kind in ("string", "number", "boolean", "null", "array", "object")
        ),
    ),
    words_close="<|close|>response<|sep|>",
    reasoning_open="<|open|>think<|sep|>",
    reasoning_close="<|close|>think<|sep|><|open|>response<|sep|>",
    no_reasoning="<|open|>think<|sep|><|close|>think<|sep|><|open|>response<|sep|>",
    reasons=True,
    thinking_prompt="<|open|>think<|sep|>",
    plain_prompt="<|open|>response<|sep|>",
    result_open="",
    result_close="",
    turn_start="",
    turn_end="<|close|>message<|sep|><|end_of_msg|>",
    turns=turns_of('<|open|>message role="{role}"<|sep|>', "<|close|>message<|sep|><|end_of_msg|>"),
    escapes=False,
)

FORMATS = (
    KIMI_K2,
    KIMI_K2_THINKING,
    KIMI_K3,
)
