"""Formats of Mistral, named after versions of its tokenizer.

Mistral's open models: what they write follows the version of the tokenizer. Up to v7, calls are
one JSON list with ids of nine characters; from v11 on, each call has a marker, name and
arguments of its own, at first with an id between them. The markers are in capitals between
square brackets.
"""

from __future__ import annotations

from dataclasses import replace

from schemask.chat.spec import FormatSpec

MISTRAL_V3 = FormatSpec(
    name="mistral_v3",
    models="Mistral, tokenizers v3 to v7",
    templates=("mistralai-Mistral-Nemo-Instruct-2407",),
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
    turns=(
        ("system", "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]"),
        ("user", "[INST]", "[/INST]"),
        ("assistant", "", "</s>"),
        ("tool", "", ""),
    ),
)

MISTRAL_V11 = replace(
    MISTRAL_V3,
    name="mistral_v11",
    models="Mistral, tokenizer v11",
    templates=("Mistral-Small-3.2-24B-Instruct-2506",),
    call_open="[TOOL_CALLS]",
    call_separator="",
    calls_open="",
    calls_close="",
    call="{name}[CALL_ID]{id}[ARGS]{arguments}",
)

MISTRAL_V13 = replace(
    MISTRAL_V11,
    name="mistral_v13",
    models="Mistral, tokenizer v13",
    templates=(
        *("mistralai-Ministral-3-14B-Reasoning-2512", "unsloth-mistral-Devstral-Small-2507"),
    ),
    call="{name}[ARGS]{arguments}",
    reasoning_open="[THINK]",
    reasoning_close="[/THINK]",
)

FORMATS = (
    MISTRAL_V3,
    MISTRAL_V11,
    MISTRAL_V13,
)
