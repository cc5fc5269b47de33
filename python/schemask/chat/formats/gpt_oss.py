"""The format of gpt-oss.

gpt-oss of OpenAI, whose format is called harmony. A turn is a series of messages, each to a
channel: `analysis` has reasoning, `commentary` calls and what is said before them, `final` the
answer. The recipient of a call stands in the header of its message.
"""

from __future__ import annotations

from schemask.chat.spec import FormatSpec

# A turn is one message of a channel; reasoning, and words before a call, are one before it.
HARMONY = FormatSpec(
    name="harmony",
    models="gpt-oss",
    templates=("gptoss",),
    call_open="",
    call_close="",
    call=" to=functions.{name}<|channel|>commentary json<|message|>{arguments}",
    max_calls=1,
    words_open="<|channel|>final<|message|>",
    preamble_open="<|channel|>commentary<|message|>",
    preamble_close="<|end|><|start|>assistant",
    reasoning_open="<|channel|>analysis<|message|>",
    reasoning_close="<|end|><|start|>assistant",
    reasons=True,
    calls_end="<|call|>",
    next_turns=("<|end|>",),
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
