"""The format of a model that vLLM serves, and what it lets a model write in answer to a request."""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from typing import Any

from schemask.chat.format import ChatFormat
from schemask.errors import FormatError, UnsupportedSchemaError


@functools.lru_cache(4)
def format_of(tokenizer: Any) -> ChatFormat:
    """The format of the model's own template.

    Args:
        tokenizer: vLLM's tokenizer of the model.

    Raises:
        FormatError: As `ChatFormat.from_template`.
    """
    return ChatFormat.from_template(getattr(tokenizer, "transformers_tokenizer", tokenizer))


def definitions_of(tools: Sequence[Any] | None) -> list[dict[str, Any]]:
    """Tools of a request, of chat completions or of responses, as definitions.

    Args:
        tools: vLLM's objects.

    Raises:
        FormatError: One is not a function.
    """
    found = []
    for tool in tools or ():
        held = getattr(tool, "function", tool)
        if getattr(tool, "type", "function") != "function" or not hasattr(held, "parameters"):
            raise FormatError(f"tools are functions, not {type(tool).__name__}")
        schema = {"type": "object", **(held.parameters or {})}
        function = {"name": held.name, "parameters": schema}
        found.append({"type": "function", "function": function})
    return found


def choice_of(tool_choice: Any) -> str:
    """The choice of a request, as a format takes it.

    Args:
        tool_choice: "auto", "required", "none" or None; or vLLM's object that names a tool.

    Raises:
        FormatError: Another kind of choice.
    """
    if tool_choice is None or isinstance(tool_choice, str):
        return tool_choice or "auto"
    name = getattr(getattr(tool_choice, "function", tool_choice), "name", None)
    if not isinstance(name, str):
        raise FormatError(f"tool_choice {type(tool_choice).__name__} is not supported")
    return name


def turns_of(
    form: ChatFormat,
    tools: Sequence[dict[str, Any]],
    choice: str,
    parallel: bool,
    other: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """The turns that a request allows, as a structural tag.

    Of a model that reasons they are those from the beginning of the turn on, and those that follow
    its reasoning: which of them it is depends on whether vLLM has a parser of reasoning.

    Args:
        form: The format.
        tools: The tools, as definitions.
        choice: "auto", "required" or the name of a tool.
        parallel: Whether a turn may hold several calls.
        other: What the request asks for in the place of words, as a format of structural tags.

    Raises:
        FormatError: As `ChatFormat.structural_tag`.
        ToolError: Two tools of the same name.
    """
    if other is not None:
        choice = "required" if choice == "auto" else choice
    ways = [form.structural_tag(tools, choice, parallel)["format"]]
    spec = form.spec
    closing = spec.reasoning_close.strip()
    if spec.reasoning_open and closing and not spec.has_channels:
        closed = spec.around("assistant")[0] + spec.plain_prompt
        after = form.structural_tag(tools, choice, parallel, reasoning=False, prompt=closed)
        space = {"type": "const_string", "value": spec.reasoning_close.partition(closing)[2]}
        optional = {"type": "optional", "content": space}
        ways.append({"type": "sequence", "elements": [optional, after["format"]]})
    if other is not None:
        ways.append(other)
    whole = ways[0] if len(ways) == 1 else {"type": "or", "elements": ways}
    return {"type": "structural_tag", "format": whole}


def as_format(wanted: Any) -> dict[str, Any]:
    """What a request asks for beside its tools, as a format of structural tags.

    Args:
        wanted: vLLM's `StructuredOutputsParams`.

    Raises:
        UnsupportedSchemaError: A grammar in Lark, or another structural tag.
    """
    if wanted.json is not None:
        schema = json.loads(wanted.json) if isinstance(wanted.json, str) else wanted.json
        return {"type": "json_schema", "json_schema": schema}
    if wanted.json_object:
        return {"type": "json_schema", "json_schema": {"type": "object"}}
    if wanted.regex is not None:
        return {"type": "regex", "pattern": wanted.regex}
    if wanted.choice is not None:
        texts = [{"type": "const_string", "value": choice} for choice in wanted.choice]
        return {"type": "or", "elements": texts}
    raise UnsupportedSchemaError("a grammar or a structural tag beside tools is not supported")
