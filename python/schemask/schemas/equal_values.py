"""Whether values are the same: equal as JSON, once the defaults of a schema are filled in."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from schemask.schemas.pointer import resolve
from schemask.schemas.schema import Schema
from schemask.schemas.value_types import TYPES, type_of, types_of


def are_equal(one: Any, other: Any) -> bool:
    """Whether two values are the same JSON value: 1 is 1.0, and not true.

    Args:
        one: A JSON value.
        other: Another.
    """
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(are_equal(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        return len(one) == len(other) and all(map(are_equal, one, other))
    return bool(one == other)


def filled(arguments: Mapping[str, Any], parameters: Schema) -> dict[str, Any]:
    """The arguments with the defaults of those that are left out, also inside objects and lists.

    Args:
        arguments: Plain JSON values.
        parameters: JSON Schema of the arguments.
    """
    made: dict[str, Any] = _filled(dict(arguments), parameters, parameters, frozenset())
    return made


def call_text(name: str, arguments: Mapping[str, Any], parameters: Schema) -> str:
    """What a call says: equal calls have one text, whatever defaults and numbers they spell out.

    Args:
        name: The tool.
        arguments: Plain JSON values.
        parameters: JSON Schema of the arguments; empty if it is not known.
    """
    # By the decoder, since values may be nested deeper than functions here may call themselves.
    said = json.loads(json.dumps([name, filled(arguments, parameters)]), parse_float=_number)
    return json.dumps(said, sort_keys=True)


def _number(text: str) -> float | int:
    value = float(text)
    return int(value) if value.is_integer() else value


def resolved(schema: Any, document: Schema) -> Any:
    """What a schema refers to within the document, with what stands beside the reference.

    Args:
        schema: The schema; a reference that leads nowhere stays.
        document: The whole of which it is a part.
    """
    seen: set[str] = set()
    while isinstance(schema, dict) and isinstance(reference := schema.get("$ref"), str):
        if reference in seen:
            break
        seen.add(reference)
        try:
            found = resolve(document, reference)[0]
        except (LookupError, ValueError):
            break
        beside = {key: value for key, value in schema.items() if key != "$ref"}
        schema = {**found, **beside} if isinstance(found, dict) else found
    return schema


def type_of_value(value: Any) -> str:
    """The type of a JSON value, of which a tuple is a list."""
    return type_of(list(value) if isinstance(value, tuple) else value)


def _filled(value: Any, schema: Any, document: Schema, inside: frozenset[int]) -> Any:
    """The value with defaults; `inside` are the schemas whose own default is being filled."""
    schema = resolved(schema, document)
    if not isinstance(schema, dict):
        return value
    ways = [*(schema.get("anyOf") or []), *(schema.get("oneOf") or [])]
    fitting = [way for way in ways if type_of_value(value) in _types(way, document)]
    if len(fitting) == 1:
        value = _filled(value, fitting[0], document, inside)
    if isinstance(value, list) and "items" in schema:
        return [_filled(item, schema["items"], document, inside) for item in value]
    properties = schema.get("properties")
    if not isinstance(value, dict) or not isinstance(properties, dict):
        return value
    made = {
        name: _filled(part, properties.get(name), document, inside) for name, part in value.items()
    }
    for name, part in properties.items():
        if name in made or not isinstance(part, dict) or "default" not in part:
            continue
        # A default may hold, by a reference, an object that has the same default.
        if id(part) in inside:
            continue
        made[name] = _filled(part["default"], part, document, inside | {id(part)})
    return made


def _types(schema: Any, document: Schema) -> frozenset[str]:
    schema = resolved(schema, document)
    if isinstance(schema, dict) and schema.get("type") in TYPES:
        return frozenset({schema["type"]})
    return types_of(schema)
