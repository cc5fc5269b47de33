"""Which types of values a schema allows."""

from __future__ import annotations

import functools
import json
from typing import Any

from schemask import _native
from schemask.errors import SchemaError

# Keywords that can change which types `type` names.
_TYPING = {
    *("$ref", "$dynamicRef", "allOf", "anyOf", "const", "enum", "if", "not", "nullable", "oneOf"),
}


TYPES = ("string", "number", "boolean", "null", "array", "object")
"""The types of JSON; whole numbers are of the type "number", too."""


def type_of(value: Any) -> str:
    """The type of a JSON value."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    kinds = {str: "string", int: "number", float: "number", list: "array", dict: "object"}
    return kinds[type(value)]


def types_of(schema: Any) -> frozenset[str]:
    """The types of which a schema allows values; integers are numbers."""
    kind = schema.get("type") if isinstance(schema, dict) else None
    if isinstance(kind, str) and _TYPING.isdisjoint(schema):
        return frozenset({"number" if kind == "integer" else kind})
    if schema is True or schema == {}:
        return _EVERY_TYPE
    return _types_of(json.dumps(schema))


_EVERY_TYPE = frozenset(TYPES)


@functools.lru_cache(maxsize=4096)
def _types_of(schema: str) -> frozenset[str]:
    try:
        grammar = _native.Grammar.from_json_schema(schema, "spaced", "schema", "any", False, [], {})
    except SchemaError:
        # Whoever compiles it says what is wrong with it.
        return frozenset()
    return frozenset(grammar.types)
