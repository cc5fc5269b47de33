"""Hermes function calling: `<tools>` in the system turn, `<tool_call>` and `<tool_response>`."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from schemask.chat.catalog import HERMES
from schemask.errors import Error
from schemask.synth.importers.conversation import (
    ConversationBuilder,
    GivenCall,
    GivenResult,
    as_text,
    json_value,
)
from schemask.synth.importers.instructions import without_instructions
from schemask.synth.importers.notes import ImportRefusal, Notes
from schemask.synth.importers.sharegpt import turns_of

_TOOLS = re.compile(r"<tools>\s*([\[{].*?)\s*</tools>", re.DOTALL)
_CALL = re.compile(r"<tool_call>\s*(.*?)\s*</tool_call>", re.DOTALL)
_RESPONSE = re.compile(r"<tool_response>\s*(.*?)\s*</tool_response>", re.DOTALL)
_INSTRUCTIONS = re.compile(
    r"</?tools?>|tool_call|function call|function signature|pydantic model|<args-dict>|'arguments'"
)


def read_hermes(record: Mapping[str, Any], notes: Notes) -> dict[str, Any]:
    """The line of a record.

    Args:
        record: The record.
        notes: What is mended is told here.

    Raises:
        ImportRefusal: It cannot be one.
    """
    turns = list(turns_of(record))
    system = ""
    if turns[0][0] == "system":
        system = str(turns.pop(0)[1])
    found = _TOOLS.search(system)
    if found is not None:
        builder = ConversationBuilder(_tools(found[1], notes), notes)
        system = system[: found.start()] + "\n" + system[found.end() :]
    else:
        builder = ConversationBuilder(json_value(record.get("tools") or [], "tools"), notes)
    system = without_instructions(system, _INSTRUCTIONS, notes)
    if system:
        builder.say("system", system)
    for role, value in turns:
        if role == "tool":
            builder.results(list(_results(as_text(value))))
        elif role == "assistant":
            words, calls, reasoning = _turn(as_text(value), notes)
            builder.say("assistant", words, calls, reasoning)
        else:
            builder.say(role, value)
    return builder.line()


def _tools(text: str, notes: Notes) -> list[Any]:
    """A list of definitions, or a definition in each line; of JSON, or as Python shows them."""
    try:
        value = json.loads(text)
        return value if isinstance(value, list) else [value]
    except (ValueError, RecursionError):
        pass
    rows = [row for row in text.splitlines() if row.strip()]
    try:
        return [json.loads(row) for row in rows]
    except (ValueError, RecursionError):
        value = _python(text, "tools", notes)
        return value if isinstance(value, list) else [value]


def _python(text: str, what: str, notes: Notes) -> Any:
    try:
        value = ast.literal_eval(text.strip())
        json.dumps(value)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError) as error:
        raise ImportRefusal("unreadable", f"{what}: neither JSON nor Python: {text!r}") from error
    notes.add("Python for JSON", what)
    return value


def _turn(text: str, notes: Notes) -> tuple[str, list[GivenCall], str]:
    """Words, calls and reasoning of a turn."""
    try:
        turn = HERMES.parse(text.strip(), ())
    except Error:
        return _mended_turn(text, notes)
    calls = [GivenCall(call.name, call.arguments) for call in turn.tool_calls]
    if calls:
        try:
            written = HERMES.render_assistant(turn.message)
        except Error:
            written = ""
        if "".join(written.split()) != "".join(text.split()):
            notes.add("call spelt otherwise")
    return turn.content.strip(), calls, turn.reasoning.strip()


def _mended_turn(text: str, notes: Notes) -> tuple[str, list[GivenCall], str]:
    """A turn whose calls are no JSON, but the same in Python."""
    calls = []
    for found in _CALL.finditer(text):
        try:
            call = json.loads(found[1])
        except (ValueError, RecursionError):
            call = _python(found[1], "a call", notes)
        if not isinstance(call, Mapping) or not {"name", "arguments"} <= set(call):
            raise ImportRefusal("unreadable", f"a call without name and arguments: {call!r}")
        calls.append(GivenCall(call["name"], call["arguments"]))
    words = _CALL.sub("", text).strip()
    if not calls or "tool_call>" in words:
        raise ImportRefusal("unreadable", f"a call without an end: {text!r}")
    return words, calls, ""


def _results(text: str) -> Iterator[GivenResult]:
    blocks = _RESPONSE.findall(text) or [text]
    for block in blocks:
        try:
            value = json.loads(block)
        except (ValueError, RecursionError):
            value = None
        if isinstance(value, dict) and set(value) == {"name", "content"}:
            yield GivenResult(value["name"], as_text(value["content"]))
        else:
            yield GivenResult(None, block)
