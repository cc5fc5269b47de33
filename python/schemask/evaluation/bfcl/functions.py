"""BFCL's descriptions of functions, as tools with a JSON Schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from schemask.errors import DataError, shortened
from schemask.schemas.schema import Schema
from schemask.tools import Tool

# Python's types as BFCL names them, with those of JSON Schema.
_TYPES = {
    "string": "string",
    "integer": "integer",
    "number": "number",
    "float": "number",
    "boolean": "boolean",
    "bool": "boolean",
    "array": "array",
    "list": "array",
    "tuple": "array",
    "dict": "object",
    "object": "object",
    "any": None,
}
# What is said in BFCL of a parameter, and is none of JSON Schema's keywords.
_NO_KEYWORDS = {"optional"}
_TRUTHS = {"true": True, "false": False}


def tool_of(function: Mapping[str, Any], name: str) -> Tool:
    """The tool that a function's description means.

    Types get their names of JSON Schema; "any" is left without one. Objects whose members are named
    have no others: a member that is not described is never right. Where the values of an `enum`
    are spelt as texts though the type is another, they become values of the type, and the type is
    left out if one cannot.

    Args:
        function: An object with `name`, `description` and `parameters`.
        name: The name that the tool gets.

    Raises:
        DataError: Another shape, or a type that BFCL does not have in Python.
        ToolError: A name that models cannot write.
    """
    parameters = function.get("parameters")
    if not isinstance(parameters, Mapping) or not isinstance(parameters.get("properties"), Mapping):
        raise DataError(f"{name}: its parameters have no properties")
    schema = _schema(parameters, name)
    schema["additionalProperties"] = False
    return Tool(name, str(function.get("description") or ""), schema)


def _schema(described: Any, place: str) -> Schema:
    if not isinstance(described, Mapping):
        raise DataError(f"{place}: a parameter is described by an object, not {described!r}")
    schema = {key: value for key, value in described.items() if key not in _NO_KEYWORDS}
    kind = described.get("type")
    if kind is not None:
        if kind not in _TYPES:
            raise DataError(f"{place}: unknown type {shortened(kind)}")
        schema["type"] = _TYPES[kind]
    if schema.get("type") is None:
        schema.pop("type", None)
    if isinstance(properties := described.get("properties"), Mapping):
        schema["properties"] = {
            name: _schema(part, f"{place}/{name}") for name, part in properties.items()
        }
        if properties:
            schema["additionalProperties"] = False
    if "items" in described:
        schema["items"] = _schema(described["items"], f"{place}/items")
    if isinstance(described.get("enum"), list):
        schema = _mended_enum(schema)
    return _with_null(schema) if described.get("default", "") is None else schema


def _with_null(schema: Schema) -> Schema:
    """The schema of a value that is null unless it is given."""
    if isinstance(schema.get("type"), str):
        schema["type"] = [schema["type"], "null"]
    if "enum" in schema and None not in schema["enum"]:
        schema["enum"] = [*schema["enum"], None]
    return schema


def _mended_enum(schema: Schema) -> Schema:
    kind = schema.get("type")
    if kind == "array" and not any(isinstance(value, list) for value in schema["enum"]):
        # The values of the items stand beside the type of the list.
        items = {**schema.get("items", {}), "enum": schema["enum"]}
        return {**{key: value for key, value in schema.items() if key != "enum"}, "items": items}
    values = [_mended(value, kind) for value in schema["enum"]]
    mended = {**schema, "enum": values}
    if not all(_is_of(value, kind) for value in values):
        mended.pop("type", None)
    return mended


def _mended(value: Any, kind: Any) -> Any:
    if not isinstance(value, str) or kind not in ("integer", "number", "boolean"):
        return value
    if kind == "boolean":
        return _TRUTHS.get(value.lower(), value)
    try:
        return int(value) if kind == "integer" else float(value)
    except ValueError:
        return value


def _is_of(value: Any, kind: Any) -> bool:
    if kind == "boolean" or isinstance(value, bool):
        return kind in (None, "boolean") and isinstance(value, bool)
    types: dict[Any, Any] = {
        "string": str,
        "integer": int,
        "number": (int, float),
        "object": dict,
        "array": list,
    }
    return isinstance(value, types.get(kind, object))
