"""The format of Apertus.

Apertus of the Swiss AI initiative. All calls of a turn stand in one list, each an object whose
only key is the tool's name. The results stand in a list inside the turn that called, which then
goes on.
"""

from __future__ import annotations

from schemask.chat.spec import FormatSpec

# Results stand in the turn that called, which goes on after them.
APERTUS = FormatSpec(
    name="apertus",
    models="Apertus",
    templates=("Apertus-8B-Instruct",),
    call_open="",
    call_close="",
    call_separator=", ",
    calls_open="<|tools_prefix|>[",
    calls_close="]<|tools_suffix|>",
    call='{"{name}": {arguments}}',
    result_open="",
    result_close="",
    result_separator=", ",
    turn_start="",
    turn_end="<|assistant_end|>",
    turns=(
        ("system", "<|system_start|>", "<|system_end|>"),
        ("user", "<|user_start|>", "<|user_end|>"),
        ("assistant", "<|assistant_start|>", "<|assistant_end|>"),
        ("tool", "[", "]"),
    ),
)

FORMATS = (APERTUS,)
