"""JSON Schemas of types as data sets write them: Python's, Java's, in words."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from typing import Any

from schemask.schemas.schema import Schema
from schemask.schemas.value_types import TYPES
from schemask.synth.importers.notes import ImportRefusal

_KINDS = {
    "string": ("str", "string", "text", "char", "date", "datetime", "time", "callable", "bytes"),
    "integer": ("int", "integer", "long", "short", "int32", "int64", "byte"),
    "number": ("float", "number", "double", "decimal", "complex", "float64"),
    "boolean": ("bool", "boolean"),
    "array": ("list", "array", "tuple", "set", "sequence", "iterable", "arraylist", "ndarray"),
    "object": ("dict", "object", "mapping", "map", "hashmap", "hashtable", "json", "ordereddict"),
    "null": ("none", "null", "nonetype"),
}
_KIND_OF = {name: kind for kind, names in _KINDS.items() for name in names}
_EVERYTHING = {"any", ""}
JSON_TYPES = {*TYPES, "integer"}
"""The names that `type` may have in a JSON Schema."""


def kind_of(name: str) -> str | None:
    """The JSON type of a type's name; None is any.

    Raises:
        ImportRefusal: No such type is known.
    """
    plain = name.strip().rpartition(".")[2].casefold()
    if plain in _EVERYTHING:
        return None
    if plain not in _KIND_OF:
        raise ImportRefusal("unknown type", repr(name))
    return _KIND_OF[plain]


def schema_of_type(text: str) -> tuple[Schema, bool]:
    """The JSON Schema of a type such as `List[int]` or `str, optional`, and whether it is optional.

    Args:
        text: The type.

    Raises:
        ImportRefusal: It cannot be read, or is not known.
    """
    body, *remarks = re.split(r",(?![^\[]*\])", text)
    optional = any("optional" in remark.casefold() for remark in remarks)
    body = body.strip()
    if body.casefold() == "optional":
        return {}, True
    try:
        tree = ast.parse(body, mode="eval").body if body else ast.Name("any")
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        raise ImportRefusal("unknown type", repr(text)) from error
    if isinstance(tree, ast.Subscript) and _name(tree.value).casefold() == "optional":
        # `Optional[int]` says that it may be left out, as functions do by None for a default.
        return _schema(tree.slice, text), True
    return _schema(tree, text), optional


def _schema(tree: ast.expr, text: str) -> Schema:
    if isinstance(tree, ast.Constant) and tree.value is None:
        return {"type": "null"}
    if isinstance(tree, ast.Constant) and isinstance(tree.value, str):
        return schema_of_type(tree.value)[0]
    if isinstance(tree, (ast.Name, ast.Attribute)):
        kind = kind_of(_name(tree))
        return {} if kind is None else {"type": kind}
    if isinstance(tree, ast.BinOp) and isinstance(tree.op, ast.BitOr):
        return _one_of([_schema(tree.left, text), _schema(tree.right, text)])
    if isinstance(tree, ast.Subscript):
        items = tree.slice.elts if isinstance(tree.slice, ast.Tuple) else [tree.slice]
        if not items:
            raise ImportRefusal("unknown type", repr(text))
        name = _name(tree.value)
        make = _GENERICS.get(name.casefold())
        if make is not None:
            return make(items, text)
        kind = kind_of(name)
        if kind == "array":
            return {"type": "array", "items": _schema(items[0], text)}
        return {} if kind is None else {"type": kind}
    raise ImportRefusal("unknown type", repr(text))


def _name(tree: ast.expr) -> str:
    if isinstance(tree, ast.Attribute):
        return tree.attr
    return tree.id if isinstance(tree, ast.Name) else ""


def _one_of(schemas: list[Schema]) -> Schema:
    different = [schema for place, schema in enumerate(schemas) if schema not in schemas[:place]]
    return different[0] if len(different) == 1 else {"anyOf": different}


def _union(items: list[ast.expr], text: str) -> Schema:
    return _one_of([_schema(item, text) for item in items])


def _optional(items: list[ast.expr], text: str) -> Schema:
    return _one_of([_schema(items[0], text), {"type": "null"}])


def _tuple(items: list[ast.expr], text: str) -> Schema:
    if isinstance(items[-1], ast.Constant) and items[-1].value is Ellipsis:
        return {"type": "array", "items": _schema(items[0], text)}
    of_all = _one_of([_schema(item, text) for item in items])
    return {"type": "array", "items": of_all, "minItems": len(items), "maxItems": len(items)}


def _mapping(items: list[ast.expr], text: str) -> Schema:
    return {"type": "object", "additionalProperties": _schema(items[-1], text)}


def _literal(items: list[ast.expr], text: str) -> Schema:
    values: list[Any] = [item.value for item in items if isinstance(item, ast.Constant)]
    if len(values) < len(items):
        raise ImportRefusal("unknown type", repr(text))
    return {"enum": values}


_GENERICS: dict[str, Callable[[list[ast.expr], str], Schema]] = {
    "union": _union,
    "optional": _optional,
    "tuple": _tuple,
    "dict": _mapping,
    "mapping": _mapping,
    "literal": _literal,
}
