"""JSON Schemas of calls and of single arguments."""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from schemask import _native
from schemask.definitions import Schema, map_schema
from schemask.errors import SchemaError
from schemask.tools import ToolSet

# Keywords that can change which types `type` names.
_TYPING = {
    *("$ref", "$dynamicRef", "allOf", "anyOf", "const", "enum", "if", "not", "nullable", "oneOf"),
}

CallMembers = Sequence[tuple[str, str]]


def call_schema(
    tools: ToolSet,
    members: CallMembers = (("name", "{name}"), ("arguments", "{arguments}")),
    patterns: dict[str, str] | None = None,
) -> Schema:
    """The JSON Schema of one call: an object with the name of a tool and that tool's arguments.

    The parameters of tool `t` stand at `#/$defs/t`; their own references are rewritten to match.

    Args:
        tools: The tools that may be called.
        members: Keys of the object, each with what it holds: `{name}`, `{arguments}`, or a key of
            `patterns`.
        patterns: Patterns of the strings that other members hold.
    """
    definitions: Schema = {}
    options = []
    for item in ToolSet.of(tools):
        place, definitions[item.name] = _placed(item.parameters, item.name)
        held: dict[str, Schema] = {"{name}": {"const": item.name}, "{arguments}": {"$ref": place}}
        for what, pattern in (patterns or {}).items():
            held[what] = {"type": "string", "pattern": f"^(?:{pattern})$"}
        options.append(
            {
                "type": "object",
                "properties": {key: held[what] for key, what in members},
                "required": [key for key, _ in members],
                "additionalProperties": False,
            }
        )
    return {"anyOf": options, "$defs": definitions}


def argument_schema(parameters: Schema, path: Sequence[str | int]) -> Any:
    """The schema at a path inside the parameters of a tool, as one that stands by itself."""
    schema: Any = parameters
    for key in path:
        schema = schema[key]
    if not _refers(schema) and "$schema" not in parameters:
        return schema
    pointer = "".join("/" + _token(str(key)) for key in path)
    place, whole = _placed(parameters, "parameters")
    return {"$ref": place + pointer, "$defs": {"parameters": whole}}


def _placed(parameters: Schema, name: str) -> tuple[str, Schema]:
    """A reference to parameters, and what to define under a name for it.

    Parameters with a draft or an identifier of their own are a resource of their own, in which
    references and keywords mean what they did.
    """
    key = "id" if "draft-04" in str(parameters.get("$schema")) else "$id"
    if "$schema" not in parameters and not isinstance(parameters.get(key), str):
        place = "#/$defs/" + _token(name)
        return place, rebase(parameters, place)
    own = parameters.get(key)
    identifier = own if isinstance(own, str) else "urn:tool:" + quote(name, safe="")
    return identifier.partition("#")[0] + "#", {**parameters, key: identifier}


def _refers(schema: Any) -> bool:
    if isinstance(schema, dict):
        return "$ref" in schema or any(map(_refers, schema.values()))
    return isinstance(schema, list) and any(map(_refers, schema))


def types_of(schema: Any) -> frozenset[str]:
    """The types of which a schema allows values; integers are numbers."""
    kind = schema.get("type") if isinstance(schema, dict) else None
    if isinstance(kind, str) and _TYPING.isdisjoint(schema):
        return frozenset({"number" if kind == "integer" else kind})
    if schema is True or schema == {}:
        return _EVERY_TYPE
    return _types_of(json.dumps(schema))


_EVERY_TYPE = frozenset({"null", "boolean", "number", "string", "array", "object"})


@functools.lru_cache(maxsize=4096)
def _types_of(schema: str) -> frozenset[str]:
    try:
        grammar = _native.Grammar.from_json_schema(schema, "spaced", "schema", "any", False, [], {})
    except SchemaError:
        # Whoever compiles it says what is wrong with it.
        return frozenset()
    return frozenset(grammar.types)


def _token(key: str) -> str:
    return quote(key.replace("~", "~0").replace("/", "~1"), safe="~")


def rebase(parameters: Schema, place: str) -> Schema:
    """A copy of a schema whose references into itself fit `place`, a pointer to where it is put."""

    def moved(schema: Schema) -> Schema:
        reference = schema.get("$ref")
        if isinstance(reference, str) and (reference == "#" or reference.startswith("#/")):
            return {**schema, "$ref": place + reference[1:]}
        return schema

    rebased: Schema = map_schema(parameters, moved)
    return rebased
