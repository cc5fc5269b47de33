"""ShareGPT with tools: `conversations` of human, gpt, function_call and observation; `tools`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from schemask.synth.importers.conversation import (
    ConversationBuilder,
    GivenCall,
    GivenResult,
    as_text,
    json_value,
)
from schemask.synth.importers.notes import ImportRefusal, Notes

_ROLES = {
    **dict.fromkeys(("human", "user"), "user"),
    **dict.fromkeys(("gpt", "assistant", "model"), "assistant"),
    **dict.fromkeys(("observation", "tool", "function_response"), "tool"),
    **dict.fromkeys(("function_call", "tool_call"), "call"),
    "system": "system",
}


def turns_of(record: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The turns of `conversations`: user, assistant, tool, call or system, and what they say.

    Args:
        record: The record.

    Raises:
        ImportRefusal: There are none, or of another shape.
    """
    turns = record.get("conversations", record.get("conversation"))
    if not isinstance(turns, list) or not turns:
        raise ImportRefusal("wrong shape", "no list of conversations")
    for number, turn in enumerate(turns):
        if not isinstance(turn, Mapping):
            raise ImportRefusal("wrong shape", f"turn {number} is no object")
        role = turn.get("from", turn.get("role"))
        if not isinstance(role, str) or role not in _ROLES:
            raise ImportRefusal("wrong shape", f"turn {number} is from {role!r}")
        yield _ROLES[role], turn.get("value", turn.get("content"))


def read_sharegpt(record: Mapping[str, Any], notes: Notes) -> dict[str, Any]:
    """The line of a record.

    Args:
        record: The record.
        notes: What is mended is told here.

    Raises:
        ImportRefusal: It cannot be one.
    """
    tools = json_value(record.get("tools") or [], "tools")
    builder = ConversationBuilder(tools, notes)
    if record.get("system"):
        builder.say("system", record["system"])
    results: list[GivenResult] = []
    for role, value in turns_of(record):
        if role == "tool":
            results.append(GivenResult(None, as_text(value)))
            continue
        if results:
            builder.results(results)
            results = []
        if role == "call":
            builder.say("assistant", "", list(_calls(value)))
        else:
            builder.say(role, value)
    if results:
        builder.results(results)
    return builder.line()


def _calls(value: Any) -> Iterator[GivenCall]:
    given = json_value(value, "a function_call")
    for call in given if isinstance(given, list) else [given]:
        if not isinstance(call, Mapping) or "name" not in call:
            raise ImportRefusal("wrong shape", f"a function_call without a name: {call!r}")
        yield GivenCall(call["name"], call.get("arguments", call.get("parameters")))
