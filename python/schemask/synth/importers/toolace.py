"""ToolACE: tools as JSON in the system text, calls as Python writes them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from schemask.synth.importers.conversation import ConversationBuilder, GivenResult, as_text
from schemask.synth.importers.instructions import without_instructions
from schemask.synth.importers.notes import ImportRefusal, Notes
from schemask.synth.importers.python_calls import looks_like_calls, read_calls
from schemask.synth.importers.sharegpt import turns_of

_INSTRUCTIONS = re.compile(
    r"\b(?:functions?|tools?|parameters|params\w*)\b|point it out|^\W*$|NO other text"
)


def read_toolace(record: Mapping[str, Any], notes: Notes) -> dict[str, Any]:
    """The line of a record.

    Args:
        record: The record.
        notes: What is mended is told here.

    Raises:
        ImportRefusal: It cannot be one.
    """
    system = record.get("system")
    if not isinstance(system, str):
        raise ImportRefusal("wrong shape", "system is no text")
    tools, rest = _tools(system)
    builder = ConversationBuilder(tools, notes)
    rest = without_instructions(rest, _INSTRUCTIONS, notes)
    if rest:
        builder.say("system", rest)
    for role, value in turns_of(record):
        if role == "assistant" and isinstance(value, str) and looks_like_calls(value):
            builder.say("assistant", "", read_calls(value, builder.names, notes))
        elif role == "tool":
            builder.results(list(_results(as_text(value))))
        else:
            builder.say(role, value)
    return builder.line()


def _tools(system: str) -> tuple[list[Any], str]:
    """The tools, and the text around them."""
    for found in re.finditer(r"\[\s*(?=[{\]])", system):
        try:
            value, end = json.JSONDecoder().raw_decode(system, found.start())
        except (ValueError, RecursionError):
            continue
        return value, system[: found.start()] + system[end:]
    raise ImportRefusal("unreadable", "no JSON list of tools in the system text")


def _results(text: str) -> Iterator[GivenResult]:
    """The results of a turn: a list of `{"name", "results"}`, or the text as it is."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    listed = isinstance(value, list) and all(
        isinstance(item, dict) and set(item) == {"name", "results"} for item in value
    )
    if not listed or not value:
        yield GivenResult(None, text)
        return
    for item in value:
        yield GivenResult(item["name"], as_text(item["results"]))
