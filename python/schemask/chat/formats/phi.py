"""The format of Phi-4-mini.

Phi-4-mini of Microsoft: one JSON list between two tags. Its template shows tools but writes no
calls, so that this is from the model card.
"""

from __future__ import annotations

from schemask.chat.spec import FormatSpec, turns_of

# From the model card: the template does not write calls.
PHI4_MINI = FormatSpec(
    name="phi4_mini",
    models="Phi-4-mini",
    call_open="",
    call_close="",
    call_separator=", ",
    calls_open="<|tool_call|>[",
    calls_close="]<|/tool_call|>",
    result_open="<|tool_response|>",
    result_close="<|/tool_response|>",
    turn_start="<|user|>",
    turn_end="<|end|>",
    turns=turns_of("<|{role}|>", "<|end|>"),
)

FORMATS = (PHI4_MINI,)
