"""Other names for tools and their parameters, wherever a conversation has them."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from schemask.chat.messages import Message
from schemask.schemas.schema import Schema, subschemas
from schemask.synth.values import leaves_of

# Schemas that say no more of the arguments than which there are, so that new names fit.
_PLAIN = {
    *("type", "properties", "required", "additionalProperties", "description", "title"),
    *("$defs", "definitions", "$schema", "$comment"),
}
# What nobody writes by chance: `get_weather`, `getWeather`, `math.sqrt`, `tool2`.
_NO_PLAIN_WORD = re.compile(r"[^\W_]+[_.:/-]+\w|\w*[a-z]\w*[A-Z]|\w*\d")


@dataclass(frozen=True)
class Renaming:
    """New names by the old ones.

    Attributes:
        tools: Of tools.
        parameters: Of parameters, by the old name of the tool.
    """

    tools: Mapping[str, str]
    parameters: Mapping[str, Mapping[str, str]]


def is_told(definition: Mapping[str, Any]) -> bool:
    """Whether the description says what a tool does, so that the name need not."""
    return bool(definition["function"].get("description", "").strip())


def told_parameters(parameters: Schema) -> list[str]:
    """The parameters whose descriptions say what they are, so that their names need not."""
    properties = parameters.get("properties", {})
    if not _PLAIN.issuperset(parameters) or not isinstance(properties, dict):
        return []
    references = (str(part.get("$ref", "")) for part in subschemas(parameters))
    if any(place == "#" or place.startswith("#/properties") for place in references):
        return []
    return [
        key
        for key, schema in properties.items()
        if isinstance(schema, dict) and str(schema.get("description", "")).strip()
    ]


def renamed(
    messages: Sequence[Message], definitions: Sequence[Mapping[str, Any]], renaming: Renaming
) -> tuple[list[Message], list[dict[str, Any]]]:
    """A conversation and its tools with the new names.

    Calls and results have them, and so do texts that mention an old name that is no plain word;
    users do not know how parameters are called. Names that a value of an argument holds stay in
    texts, where the value may come from.

    Args:
        messages: Messages that have been checked.
        definitions: Definitions in the shape of `Tool.definition`.
        renaming: The new names.
    """
    values = list(leaves_of([call["arguments"] for call in _calls(messages)]))
    texts = [value for value in values if isinstance(value, str)]
    tell_tools = _replacer(renaming.tools, texts)
    tell_all = _replacer({**_agreed(definitions, renaming), **renaming.tools}, texts)
    return (
        [
            _renamed_message(
                message, renaming, tell_tools if message["role"] == "user" else tell_all
            )
            for message in messages
        ],
        [_renamed_tool(definition, renaming, tell_all) for definition in definitions],
    )


def _calls(messages: Iterable[Message]) -> Iterator[dict[str, Any]]:
    for message in messages:
        for call in message.get("tool_calls", ()):
            yield call["function"]


def _agreed(definitions: Sequence[Mapping[str, Any]], renaming: Renaming) -> dict[str, str]:
    """The new names of parameters that have one wherever a tool has such a parameter."""
    new: dict[str, str] = {}
    kept: set[str] = set()
    for definition in definitions:
        function = definition["function"]
        names = renaming.parameters.get(function["name"], {})
        new.update(names)
        kept |= set(function["parameters"].get("properties", ())) - set(names)
    return {old: name for old, name in new.items() if old not in kept}


def _replacer(names: Mapping[str, str], values: Sequence[str]) -> Callable[[str], str]:
    told = [
        name
        for name in sorted(names, key=len, reverse=True)
        if _NO_PLAIN_WORD.match(name) and not any(name in value for value in values)
    ]
    if not told:
        return str
    pattern = re.compile(rf"(?<![\w.:/-])(?:{'|'.join(map(re.escape, told))})(?![\w:/-]|\.\w)")
    return lambda text: pattern.sub(lambda found: names[found[0]], text)


def _renamed_message(message: Message, renaming: Renaming, tell: Callable[[str], str]) -> Message:
    made: Message = {**message, "content": tell(message["content"])}
    if "reasoning_content" in message:
        made["reasoning_content"] = tell(message["reasoning_content"])
    if message["role"] == "tool" and "name" in message:
        made["name"] = renaming.tools.get(message["name"], message["name"])
    if "tool_calls" in message:
        made["tool_calls"] = [_renamed_call(call, renaming) for call in message["tool_calls"]]
    return made


def _renamed_call(call: dict[str, Any], renaming: Renaming) -> dict[str, Any]:
    name, arguments = call["function"]["name"], call["function"]["arguments"]
    keys = renaming.parameters.get(name, {})
    function = {
        "name": renaming.tools.get(name, name),
        "arguments": {keys.get(key, key): value for key, value in arguments.items()},
    }
    return {**call, "function": function}


def _renamed_tool(
    definition: Mapping[str, Any], renaming: Renaming, tell: Callable[[str], str]
) -> dict[str, Any]:
    function = copy.deepcopy(definition["function"])
    name = function["name"]
    function["name"] = renaming.tools.get(name, name)
    if "description" in function:
        function["description"] = tell(function["description"])
    keys = renaming.parameters.get(name, {})
    parameters = function["parameters"]
    if keys:
        parameters["properties"] = {
            keys.get(key, key): _untitled(schema) if key in keys else schema
            for key, schema in parameters["properties"].items()
        }
        if "required" in parameters:
            parameters["required"] = [keys.get(key, key) for key in parameters["required"]]
        parameters.pop("title", None)
    for part in _described(parameters):
        part["description"] = tell(part["description"])
    return {**definition, "function": function}


def _untitled(schema: Any) -> Any:
    """Without the title, which is the name in other words."""
    return {key: value for key, value in schema.items() if key != "title"}


def _described(parameters: Schema) -> Iterator[dict[str, Any]]:
    """The parameters themselves, and those properties whose descriptions are texts."""
    for part in (parameters, *parameters.get("properties", {}).values()):
        if isinstance(part, dict) and isinstance(part.get("description"), str):
            yield part
