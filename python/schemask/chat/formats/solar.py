"""The format of Solar.

Solar Open of Upstage. A call begins with its id, which the results name, and parts of it follow
tags. A turn has words, after `<|content|>`, or calls.
"""

from __future__ import annotations

from schemask.chat.spec import FormatSpec

SOLAR_OPEN = FormatSpec(
    name="solar_open",
    models="Solar Open",
    templates=("upstage-Solar-Open-100B",),
    call_open="<|tool_call:begin|>",
    call_close="<|tool_call:end|>",
    calls_open="<|tool_calls|>",
    calls_end="<|calls|>",
    call="{id}<|tool_call:name|>{name}<|tool_call:args|>{arguments}",
    id_pattern="[a-zA-Z0-9_-]{1,64}",
    words_open="<|content|>",
    words_with_calls="none",
    result_open="<|tool_response:result|>",
    result_close="<|tool_response:end|>",
    result_separator="",
    turn_start="<|begin|>",
    turn_end="<|end|>",
    turns=(
        ("system", "<|begin|>system<|content|>", "<|end|>"),
        ("user", "<|begin|>user<|content|>", "<|end|>"),
        ("assistant", "<|begin|>assistant", "<|end|>"),
        ("tool", "<|begin|>tool<|tool_response|>", "<|end|>"),
    ),
)

FORMATS = (SOLAR_OPEN,)
