"""The formats of all families of models, as data."""

from __future__ import annotations

from schemask.chat.formats import (
    command_r,
    deepseek,
    gemma,
    glm,
    gpt_oss,
    granite,
    kimi,
    lfm,
    llama,
    mistral,
    phi,
    qwen,
    tool_code,
)
from schemask.chat.spec import FormatSpec

_FAMILIES = (
    tool_code,
    qwen,
    glm,
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
)

SPECS: tuple[FormatSpec, ...] = tuple(spec for family in _FAMILIES for spec in family.FORMATS)
"""All of them."""
