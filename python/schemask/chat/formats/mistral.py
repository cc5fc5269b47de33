"""Mistral."""

from __future__ import annotations

from schemask.chat.spec import FormatSpec

_MISTRAL_TURNS = (
    ("system", "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]"),
    ("user", "[INST]", "[/INST]"),
    ("assistant", "", "</s>"),
    ("tool", "", ""),
)

# mistral_common, instruct tokenizer v3 to v7.
MISTRAL_V3 = FormatSpec(
    name="mistral_v3",
    call_open="",
    call_close="",
    call_separator=", ",
    calls_open="[TOOL_CALLS][",
    calls_close="]",
    call_members=(("name", "{name}"), ("arguments", "{arguments}"), ("id", "{id}")),
    result_open="[TOOL_RESULTS]",
    result_close="[/TOOL_RESULTS]",
    result_separator="",
    turn_start="[INST]",
    turn_end="</s>",
    turns=_MISTRAL_TURNS,
)

# mistral_common, instruct tokenizer v11.
MISTRAL_V11 = FormatSpec(
    name="mistral_v11",
    call_open="[TOOL_CALLS]",
    call_close="",
    call="{name}[CALL_ID]{id}[ARGS]{arguments}",
    result_open="[TOOL_RESULTS]",
    result_close="[/TOOL_RESULTS]",
    result_separator="",
    turn_start="[INST]",
    turn_end="</s>",
    turns=_MISTRAL_TURNS,
)

# mistral_common, instruct tokenizer v13.
MISTRAL_V13 = FormatSpec(
    name="mistral_v13",
    call_open="[TOOL_CALLS]",
    call_close="",
    call="{name}[ARGS]{arguments}",
    reasoning_open="[THINK]",
    reasoning_close="[/THINK]",
    result_open="[TOOL_RESULTS]",
    result_close="[/TOOL_RESULTS]",
    result_separator="",
    turn_start="[INST]",
    turn_end="</s>",
    turns=_MISTRAL_TURNS,
)

FORMATS = (
    MISTRAL_V3,
    MISTRAL_V11,
    MISTRAL_V13,
)
