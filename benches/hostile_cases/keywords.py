"""Keywords inside of each other, and definitions that refer to the next."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from hostile_cases.case import Case, schema_case

# Keywords inside of each other. Each takes the schema below and the level.

NESTINGS: dict[str, Callable[[Any, int], Any]] = {
    "allOf": lambda s, i: {"allOf": [s]},
    "anyOf": lambda s, i: {"anyOf": [s]},
    "oneOf": lambda s, i: {"oneOf": [s]},
    "allOf with types": lambda s, i: {"allOf": [s, {"type": ["object", "string"]}]},
    "anyOf with const": lambda s, i: {"anyOf": [s, {"const": i}]},
    "oneOf with const": lambda s, i: {"oneOf": [s, {"const": i}]},
    "anyOf with required": lambda s, i: {"anyOf": [s, {"required": [f"k{i}"]}]},
    "oneOf with required": lambda s, i: {"oneOf": [s, {"required": [f"k{i}"]}]},
    "not": lambda s, i: {"not": s},
    "not anyOf with required": lambda s, i: {"not": {"anyOf": [s, {"required": [f"k{i}"]}]}},
    "if": lambda s, i: {"if": s, "then": True, "else": {"minLength": 1}},
    "if, in then": lambda s, i: {
        "if": {"required": [f"k{i}"]},
        "then": s,
        "else": {"required": [f"z{i}"]},
    },
    "if, in if": lambda s, i: {
        "if": s,
        "then": {"required": [f"k{i}"]},
        "else": {"required": [f"z{i}"]},
    },
    "properties": lambda s, i: {"properties": {"a": s}, "required": ["a"]},
    "items": lambda s, i: {"type": "array", "items": s, "minItems": 1},
    "prefixItems": lambda s, i: {"type": "array", "prefixItems": [s], "minItems": 1},
    "contains": lambda s, i: {"type": "array", "contains": s},
    "additionalProperties": lambda s, i: {"additionalProperties": s},
    "patternProperties": lambda s, i: {"patternProperties": {"^a": s}},
    "propertyNames": lambda s, i: {"propertyNames": s},
    "dependentSchemas": lambda s, i: {"dependentSchemas": {f"k{i}": s}},
    "unevaluatedProperties over allOf": lambda s, i: {
        "unevaluatedProperties": False,
        "allOf": [s],
    },
    "unevaluatedProperties over anyOf": lambda s, i: {
        "anyOf": [s, {"properties": {f"k{i}": True}}],
        "unevaluatedProperties": False,
    },
    "unevaluatedItems over anyOf": lambda s, i: {
        "anyOf": [s, {"prefixItems": [True] * (i % 5 + 1)}],
        "unevaluatedItems": False,
    },
}
DEPTHS = (10, 20, 60, 240)
_OVER_OBJECTS = (
    "required",
    "in then",
    "in if",
    "dependentSchemas",
    "unevaluatedProperties over any",
)


def nested(keyword: str, depth: int) -> Any:
    """A schema of one of `NESTINGS`, so many levels deep."""
    schema: Any = {"type": "string"}
    if any(part in keyword for part in _OVER_OBJECTS):
        schema = {"required": ["leaf"]}
    elif keyword == "contains":
        schema = {"type": "integer"}
    for level in range(depth):
        schema = NESTINGS[keyword](schema, level)
    return schema


def nestings() -> Iterator[Case]:
    for keyword in NESTINGS:
        for depth in DEPTHS:
            yield schema_case(f"nested: {keyword}, {depth} deep", nested(keyword, depth))


# Definitions of which each refers to the next. Each takes the reference and the number.

CHAINS: dict[str, Callable[[Any, int], Any]] = {
    "$ref": lambda ref, i: ref,
    "allOf twice": lambda ref, i: {"allOf": [ref, ref]},
    "anyOf twice": lambda ref, i: {"anyOf": [ref, ref]},
    "oneOf with const": lambda ref, i: {"oneOf": [ref, {"const": i}]},
    "two properties": lambda ref, i: {"type": "object", "properties": {"a": ref, "b": ref}},
    "two required properties": lambda ref, i: {
        "type": "object",
        "properties": {"a": ref, "b": ref},
        "required": ["a", "b"],
    },
    "not": lambda ref, i: {"not": ref},
    "two items": lambda ref, i: {"type": "array", "items": ref, "minItems": 2},
}


def chain(keyword: str, length: int) -> Any:
    """A schema of one of `CHAINS`, with so many definitions."""
    definitions: dict[str, Any] = {
        f"d{i}": CHAINS[keyword]({"$ref": f"#/$defs/d{i + 1}"}, i) for i in range(length)
    }
    definitions[f"d{length}"] = {"type": "integer"}
    return {"$ref": "#/$defs/d0", "$defs": definitions}


def chains() -> Iterator[Case]:
    for keyword in CHAINS:
        for length in (30, 300, 1000):
            yield schema_case(f"chain: {keyword}, {length} long", chain(keyword, length))
