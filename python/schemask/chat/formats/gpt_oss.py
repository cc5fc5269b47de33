"""gpt-oss."""

from __future__ import annotations

from schemask.chat.spec import FormatSpec

# The harmony format of gpt-oss. A turn is one message of a channel; reasoning is one before it.
HARMONY = FormatSpec(
    name="harmony",
    call_open="<|channel|>commentary to=functions.",
    call_close="",
    call="{name} <|constrain|>json<|message|>{arguments}",
    max_calls=1,
    words_open="<|channel|>final<|message|>",
    preamble_open="<|channel|>commentary<|message|>",
    preamble_close="<|end|><|start|>assistant",
    reasoning_open="<|channel|>analysis<|message|>",
    reasoning_close="<|end|><|start|>assistant",
    calls_end="<|call|>",
    result_open="",
    result_close="",
    turn_start="<|start|>",
    turn_end="<|return|>",
    turns=(
        ("system", "<|start|>system<|message|>", "<|end|>"),
        ("user", "<|start|>user<|message|>", "<|end|>"),
        ("assistant", "<|start|>assistant", "<|return|>"),
        ("tool", "<|start|>tool to=assistant<|channel|>commentary<|message|>", "<|end|>"),
    ),
)

FORMATS = (HARMONY,)
