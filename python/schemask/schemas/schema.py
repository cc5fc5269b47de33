"""JSON Schemas as Python holds them, and the one walk through a schema's parts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

Schema: TypeAlias = dict[str, Any]

# Keywords whose value maps names to schemas, and those whose value is data and no schema at all.
_SCHEMA_MAPS = {
    *("properties", "patternProperties", "dependentSchemas", "dependencies"),
    *("$defs", "definitions"),
}
_DATA = {
    *("const", "default", "enum", "example", "examples"),
    *("required", "dependentRequired", "$vocabulary"),
}


def map_schema(schema: Any, change: Callable[[Schema], Schema]) -> Any:
    """A copy of `schema` in which every object that is itself a schema went through `change`.

    Names of properties and definitions and the data under `const`, `enum`, `default` and `examples`
    are left alone, even where they look like keywords.
    """
    if isinstance(schema, list):
        return [map_schema(item, change) for item in schema]
    if not isinstance(schema, dict):
        return schema
    copy: Schema = {}
    for keyword, value in schema.items():
        if keyword in _DATA:
            copy[keyword] = value
        elif keyword in _SCHEMA_MAPS and isinstance(value, dict):
            copy[keyword] = {name: map_schema(sub, change) for name, sub in value.items()}
        else:
            copy[keyword] = map_schema(value, change)
    return change(copy)


def subschemas(schema: Any) -> list[Schema]:
    """Copies of all objects in a schema that are themselves schemas, inner ones first."""
    found: list[Schema] = []

    def find(part: Schema) -> Schema:
        found.append(part)
        return part

    map_schema(schema, find)
    return found


def closed(schema: Schema) -> Schema:
    """The schema of a type with no keys but those that the type declares, unless it says so itself.

    Small models invent keys until the budget ends.

    Args:
        schema: One schema, which is changed; for `map_schema`.
    """
    if schema.get("type") == "object" and "properties" in schema:
        schema.setdefault("additionalProperties", False)
    return schema
