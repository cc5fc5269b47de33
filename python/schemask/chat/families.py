"""The formats of all families of models, as data."""

from __future__ import annotations

from schemask.chat.formats import (
    apertus,
    apriel,
    bielik,
    command_r,
    deepseek,
    gemma,
    gigachat,
    glm,
    gpt_oss,
    granite,
    kimi,
    laguna,
    lfm,
    ling,
    llama,
    minicpm,
    minimax,
    mistral,
    muse,
    nemotron,
    phi,
    qwen,
    seed,
    solar,
    tool_code,
)
from schemask.chat.spec import FormatSpec

_FAMILIES = (
    tool_code,
    qwen,
    nemotron,
    glm,
    laguna,
    ling,
    llama,
    lfm,
    mistral,
    deepseek,
    kimi,
    gpt_oss,
    gemma,
    granite,
    phi,
    command_r,
    minimax,
    seed,
    apertus,
    apriel,
    bielik,
    gigachat,
    minicpm,
    solar,
    muse,
)

SPECS: tuple[FormatSpec, ...] = tuple(spec for family in _FAMILIES for spec in family.FORMATS)
"""All of them."""
