"""Tools whose arguments say nothing new: their texts are taken from given ones."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from schemask.schemas.schema import Schema, subschemas
from schemask.schemas.strings import strings_of
from schemask.tools.tool_set import ToolSet

SPANS = "x-spans-of"
"""The keyword of a string that stands in one of some texts, from a word to a word."""

_DEFINITION = "schemask-spans"
_OWN_REFERENCE = {"$ref": f"#/$defs/{_DEFINITION}"}
_WITHOUT_STRINGS = frozenset({"number", "integer", "boolean", "null"})
_ELSEWHERE = frozenset(
    {"$ref", "$dynamicRef", "$recursiveRef", "$id", "allOf", "anyOf", "oneOf", "not", "if"}
)
# What says of items, or of members, more than `items`, and `properties` and the like.
_BESIDE_ITEMS = _ELSEWHERE | {"prefixItems", "additionalItems", "contains", "unevaluatedItems"}
_BESIDE_PROPERTIES = _ELSEWHERE | {"dependencies", "dependentSchemas", "unevaluatedProperties"}
_OF_DOCUMENTS = frozenset({"$schema", "$id", "$defs", "definitions"})


def taken_from(tools: ToolSet, texts: Sequence[str]) -> ToolSet:
    """The tools with arguments of which every string is a span of a text, or a constant.

    A span begins where a word begins and ends where one ends; punctuation stands for itself. The
    constants are those that the parameters name by `enum` and `const`. Keys of objects, numbers and
    truth values are free.

    Args:
        tools: The tools.
        texts: Where strings may come from.
    """
    return ToolSet(
        dataclasses.replace(tool, parameters=_bound(tool.parameters, texts)) for tool in tools
    )


def _bound(parameters: Schema, texts: Sequence[str]) -> Schema:
    spans = {SPANS: list(dict.fromkeys(texts))}
    if _BESIDE_PROPERTIES.isdisjoint(parameters):
        made = {**parameters}
        for key in ("properties", "patternProperties"):
            if key in parameters:
                members = parameters[key].items()
                made[key] = {name: _member(schema, spans) for name, schema in members}
        made["additionalProperties"] = _member(parameters.get("additionalProperties", True), spans)
    else:
        made = {key: parameters[key] for key in _OF_DOCUMENTS if key in parameters}
        held = {key: value for key, value in parameters.items() if key not in _OF_DOCUMENTS}
        made["allOf"] = [held, _unseen({"additionalProperties": _OWN_REFERENCE})]
    constants = sorted(set(_constants(parameters)))
    string: Schema = {"anyOf": [spans, {"enum": constants}]} if constants else spans
    everywhere = {"items": _OWN_REFERENCE, "additionalProperties": _OWN_REFERENCE}
    made["$defs"] = {**parameters.get("$defs", {}), _DEFINITION: {**string, **everywhere}}
    return made


def _member(schema: Any, spans: Schema) -> Any:
    """A schema whose strings are spans, however deep they are."""
    if schema is False:
        return False
    if not isinstance(schema, Mapping) or not schema:
        return _OWN_REFERENCE
    kind = schema.get("type")
    if "enum" in schema or "const" in schema:
        return schema
    if isinstance(kind, str) and kind in _WITHOUT_STRINGS:
        return schema
    if kind == "string" and SPANS not in schema and _BESIDE_ITEMS.isdisjoint(schema):
        return {**schema, **spans}
    if kind == "array" and "items" in schema and _BESIDE_ITEMS.isdisjoint(schema):
        return {**schema, "items": _member(schema["items"], spans)}
    return {"allOf": [schema, _unseen(_OWN_REFERENCE)]}


def _unseen(schema: Schema) -> Schema:
    """The same values, looked at by nothing that `unevaluatedProperties` would take for a look."""
    return {"not": {"not": schema}}


def _constants(parameters: Schema) -> Iterator[str]:
    """The strings that a schema names as values, wherever it does."""
    for schema in subschemas(parameters):
        yield from strings_of([schema.get("const"), schema.get("enum")])
