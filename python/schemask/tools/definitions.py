"""Definitions of tools, in the shapes of the common interfaces."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from schemask.errors import ToolError, shortened
from schemask.schemas.schema import Schema, map_schema

# Where a definition may hold the schema of its arguments.
_SCHEMA_KEYS = (
    *("parameters", "input_schema", "inputSchema"),
    *("parametersJsonSchema", "parameters_json_schema"),
)
# What else a definition may hold that is an object or a list, and says nothing of the arguments.
_OTHER_KEYS = {
    *("annotations", "_meta", "meta", "icons", "execution", "outputSchema", "output_schema"),
    *("cache_control", "input_examples", "allowed_callers", "examples", "metadata", "tags"),
    *("response", "responseJsonSchema", "response_json_schema", "return", "returns", "strict"),
}
# What holds the definition proper.
_WRAPPERS = ("function", "toolSpec", "tool_spec")
# Other types are tools of the provider, of which nothing is known here.
_TYPES = (None, "function", "custom")
_CAPITALS = {"OBJECT", "ARRAY", "STRING", "NUMBER", "INTEGER", "BOOLEAN", "NULL"}


def read_definition(definition: Any) -> tuple[str, str, Schema, dict[str, Any]]:
    """Name, description, parameters and annotations; see `Tool.from_definition`."""
    given = _members(definition)
    inner = next((_members(given[key]) for key in _WRAPPERS if given.get(key) is not None), given)
    name = inner.get("name")
    if not isinstance(name, str):
        raise ToolError(f"a tool definition needs a name: {shortened(definition)}")
    description = inner.get("description")
    if description is None:
        description = ""
    if not isinstance(description, str):
        raise ToolError(f"{name}: the description must be a string")
    annotations = inner.get("annotations")
    annotations = dict(annotations) if isinstance(annotations, Mapping) else {}
    return name, description, _parameters(name, inner), annotations


def _members(definition: Any) -> Mapping[str, Any]:
    if isinstance(definition, Mapping):
        return definition
    if not isinstance(definition, type) and callable(getattr(definition, "model_dump", None)):
        return _members(definition.model_dump(by_alias=True, exclude_none=True))
    keys = ("name", "description", "annotations", *_SCHEMA_KEYS)
    if isinstance(getattr(definition, "name", None), str):
        return {key: getattr(definition, key, None) for key in keys}
    raise ToolError(f"not a tool: {shortened(definition)}")


def _parameters(name: str, definition: Mapping[str, Any]) -> Schema:
    found = [key for key in _SCHEMA_KEYS if definition.get(key) is not None]
    if len(found) > 1:
        raise ToolError(f"{name}: the schema of its arguments stands in {' and in '.join(found)}")
    if not found:
        unknown = [
            key
            for key, value in definition.items()
            if isinstance(value, (Mapping, list)) and key not in _OTHER_KEYS
        ]
        if unknown or definition.get("type") not in _TYPES:
            what = f"{unknown[0]!r} is" if unknown else f"the type {definition['type']!r} is"
            keys = ", ".join(_SCHEMA_KEYS)
            raise ToolError(f"{name}: {what} not known; the schema of arguments is one of {keys}")
        return {"type": "object", "properties": {}, "additionalProperties": False}
    schema = definition[found[0]]
    if isinstance(schema, Mapping) and set(schema) == {"json"}:
        schema = schema["json"]
    if schema == {}:  # clients of OpenAI say so that there are none
        return {"type": "object", "properties": {}, "additionalProperties": False}
    if isinstance(schema, Mapping) and schema.get("type") == "OBJECT":
        schema = map_schema(dict(schema), _in_small_letters)
    if not isinstance(schema, Mapping) or schema.get("type") != "object":
        raise ToolError(f'{name}: {found[0]} must be a JSON Schema with "type": "object"')
    return dict(schema)


def _in_small_letters(schema: Schema) -> Schema:
    kind = schema.get("type")
    return {**schema, "type": kind.lower()} if kind in _CAPITALS else schema
