"""The order in which a grammar with `property_order="schema"` reads the keys of objects."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeVar
from urllib.parse import unquote

from schemask.tools import Schema

_Container = TypeVar("_Container", dict[str, Any], list[Any])


def in_schema_order(value: Any, schema: Schema) -> Any:
    """A copy of a JSON value with the keys of its objects in the order of the schema.

    Keys come in the order of their first appearance in the schema, depth first, through `$ref`,
    `allOf`, `anyOf`, nested objects and arrays. Keys that it does not declare come last, in their
    own order. The value need not be an instance of the schema, and what the schema says in a wrong
    shape is passed over: to find fault is up to whoever compiles it.

    Branches of `anyOf` are left out only once a `const`, `enum` or undeclared key excludes them.
    The grammar knows more: where the branches that are left name the same keys in different orders,
    its order can be another one.

    Args:
        value: A JSON value.
        schema: A JSON Schema; its references are JSON pointers into itself, as `#/$defs/name`.
    """
    return _ordered(value, [schema], schema)


def _ordered(value: Any, schemas: list[Any], root: Schema) -> Any:
    if not isinstance(value, (dict, list)):
        return value
    # Branches that meet in one definition again would double the list at each level.
    parts = [part for schema in schemas for part in _in_place(schema, root)]
    applied = list({id(part): part for part in parts}.values())
    if not applied:
        return value
    if isinstance(value, list):
        return [
            _ordered(item, [_item_schema(part, index) for part in applied], root)
            for index, item in enumerate(value)
        ]
    declared = dict.fromkeys(key for part in applied for key in _argument(part, "properties", dict))
    keys = [key for key in declared if key in value]
    keys += [key for key in value if key not in declared]
    members = {}
    for key in keys:
        member = value[key]
        members[key] = _ordered(member, [_member_schema(part, key) for part in applied], root)
        # After `{"kind": "circle"` the grammar no longer thinks of squares.
        applied = [part for part in applied if not _excludes(_member_schema(part, key), member)]
    return members


def _in_place(schema: Any, root: Schema, seen: frozenset[str] = frozenset()) -> Iterator[Schema]:
    """The schema objects that apply to the very value that `schema` does, in document order.

    A schema object stands where its `properties` stand among its applicators, else before them.
    """
    if not isinstance(schema, dict):
        return
    own = [*_values(schema), schema]
    if "properties" not in schema:
        yield from own
    for keyword, argument in schema.items():
        if keyword == "properties":
            yield from own
        elif keyword == "$ref" and isinstance(argument, str) and argument not in seen:
            yield from _in_place(_target(argument, root), root, seen | {argument})
        elif keyword in ("allOf", "anyOf", "oneOf"):
            for branch in _argument(schema, keyword, list):
                yield from _in_place(branch, root, seen)


def _values(schema: Schema) -> Iterator[Schema]:
    """What `enum` and `const` say about keys, as schemas."""
    for value in [*_argument(schema, "enum", list), schema.get("const")]:
        if isinstance(value, dict):
            yield {"properties": {key: {"const": member} for key, member in value.items()}}
        elif isinstance(value, list):
            yield {"prefixItems": [{"const": item} for item in value]}


def _member_schema(schema: Schema, key: str) -> Any:
    properties = _argument(schema, "properties", dict)
    return properties[key] if key in properties else schema.get("additionalProperties")


def _excludes(schema: Any, value: Any) -> bool:
    if not isinstance(schema, dict):
        return schema is False
    return value != schema.get("const", value) or value not in (
        _argument(schema, "enum", list) or [value]
    )


def _item_schema(schema: Schema, index: int) -> Any:
    prefix, rest = _argument(schema, "prefixItems", list), schema.get("items")
    if isinstance(rest, list):  # as up to draft 2019-09
        prefix, rest = rest, schema.get("additionalItems")
    return prefix[index] if index < len(prefix) else rest


def _target(reference: str, root: Schema) -> Any:
    if not f"{reference}/".startswith("#/"):
        return None
    target: Any = root
    for part in unquote(reference).split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(target, dict):
            target = target.get(name)
        elif isinstance(target, list) and name.isdecimal() and int(name) < len(target):
            target = target[int(name)]
        else:
            return None
    return target


def _argument(schema: Schema, keyword: str, kind: type[_Container]) -> _Container:
    value = schema.get(keyword)
    return value if isinstance(value, kind) else kind()
