"""Notations of arguments: how their values are written, read, and described to the grammar.

`json` is one JSON object. In the others each argument is written by itself: `raw` has strings as
they are and other values as JSON; `python` has `True`, `False` and `None`, else JSON; `marked` has
strings between two equal marks, keys without quotes, and lists and objects of such values.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from schemask.chat.messages import DECODER
from schemask.errors import FormatError, UnsupportedSchemaError
from schemask.schemas.places import argument_schema
from schemask.schemas.schema import Schema
from schemask.schemas.value_types import types_of

Notation: TypeAlias = Literal["json", "raw", "python", "marked"]
Tree: TypeAlias = Any
Path: TypeAlias = tuple[str | int, ...]

_NUMBER = r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?"
# What a text is taken for where a schema allows strings and values of this type.
_LOOKS = {
    "null": "null",
    "boolean": "true|false",
    "number": _NUMBER,
    "array": r"\[[\s\S]*",
    "object": r"\{[\s\S]*",
}
_SCALARS = ("null", "boolean", "number")
# What can be said of the arguments, or of objects and lists in `marked`; `type` is read apart.
_OBJECT_KEYWORDS = {"properties", "required", "additionalProperties"}
_ARRAY_KEYWORDS = {"items", "minItems", "maxItems"}
_OTHER_KEYWORDS = {
    *("contains", "minContains", "maxContains", "uniqueItems", "prefixItems"),
    *("additionalItems", "unevaluatedItems", "unevaluatedProperties", "patternProperties"),
    *("propertyNames", "minProperties", "maxProperties", "dependentRequired"),
    *("dependentSchemas", "dependencies", "allOf", "anyOf", "oneOf", "not", "if", "$dynamicRef"),
}
_BARE_KEY = r"[A-Za-z_][A-Za-z0-9_.\-]*"


@dataclass(frozen=True)
class Argument:
    """A parameter of a tool that has been declared."""

    key: str
    schema: Any
    required: bool
    path: Path


def declared_arguments(parameters: Schema) -> list[Argument]:
    """The parameters of a tool, in the order of the schema.

    Raises:
        UnsupportedSchemaError: It says more of them than which there are and which are required.
    """
    schema, path = _followed(parameters, parameters, ())
    for keyword in schema:
        if keyword in _OTHER_KEYWORDS:
            refuse(path, keyword)
    required = schema.get("required", [])
    properties = schema.get("properties", {})
    if missing := [key for key in required if key not in properties]:
        refuse(path, "required", f" ({missing[0]!r} is not among the properties)")
    return [
        Argument(
            key,
            argument_schema(parameters, (*path, "properties", key)),
            key in required,
            (*path, "properties", key),
        )
        for key in properties
    ]


def schema_of_argument(parameters: Schema, key: str) -> Any:
    """The schema of an argument; of one that is not declared, the schema of everything."""
    schema, path = _followed(parameters, parameters, ())
    if key not in schema.get("properties", {}):
        return True
    return argument_schema(parameters, (*path, "properties", key))


def looks_like(text: str, types: frozenset[str]) -> bool:
    """Whether raw text is taken for a JSON value of one of these types and not for a string."""
    return any(re.fullmatch(_LOOKS[kind], text) for kind in sorted(types - {"string"}))


def raw_tree(schema: Any, stops: Sequence[str]) -> tuple[Tree | None, Tree | None]:
    """The values of a schema as raw text without the stops: strings, and others.

    Where both are allowed, a string that looks like one of the others is not among them.
    """
    types = types_of(schema)
    others = sorted(types - {"string"})
    if not others:
        return {"strings": schema, "stops": list(stops)}, None
    if "string" not in types:
        return None, {"json": schema}
    looks = "|".join(_LOOKS[kind] for kind in others)
    plain = {"allOf": [_inner(schema), {"not": {"pattern": f"^(?:{looks})$"}}], "type": "string"}
    rest = {"allOf": [_inner(schema)], "type": others}
    definitions = {"$defs": schema["$defs"]} if "$defs" in _object(schema) else {}
    strings = {"strings": {**plain, **definitions}, "stops": list(stops)}
    return strings, {"json": {**rest, **definitions}}


def string_or_json_tree(schema: Any, stops: Sequence[str]) -> tuple[Tree | None, Tree | None]:
    """As `raw_tree`, in formats that say which of the two a value is."""
    types = types_of(schema)
    strings = {"strings": schema, "stops": list(stops)} if "string" in types else None
    others = sorted(types - {"string"})
    definitions = {"$defs": schema["$defs"]} if "$defs" in _object(schema) else {}
    rest = {"allOf": [_inner(schema)], "type": others, **definitions}
    return strings, {"json": rest if strings else schema} if others else None


def _object(schema: Any) -> Schema:
    return schema if isinstance(schema, dict) else {}


def _inner(schema: Any) -> Any:
    """A schema as a part of another that has its definitions."""
    if isinstance(schema, dict) and "$defs" in schema:
        return {key: value for key, value in schema.items() if key != "$defs"}
    return schema


def read_raw(text: str, schema: Any) -> Any:
    """The value that raw text stands for under a schema.

    Raises:
        ValueError: Where only JSON is allowed, it is none.
    """
    types = types_of(schema)
    if "string" in types and not looks_like(text, types):
        return text
    return DECODER.decode(text)


def write_python(value: Any) -> str:
    """A JSON value as a literal of Python, with strings as in JSON."""
    if isinstance(value, dict):
        members = (f"{_dumps(str(key))}: {write_python(inner)}" for key, inner in value.items())
        return "{" + ", ".join(members) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(write_python, value)) + "]"
    return {None: "None", True: "True", False: "False"}[value] if _is_word(value) else _dumps(value)


def _is_word(value: Any) -> bool:
    return value is None or isinstance(value, bool)


def read_python(text: str) -> Any:
    """The value of a literal that `write_python` writes.

    Raises:
        ValueError: It is none.
    """
    words = {"True": "true", "False": "false", "None": "null"}
    pattern = r'"(?:[^"\\]|\\.)*"|True|False|None'
    return DECODER.decode(re.sub(pattern, lambda found: words.get(found[0], found[0]), text))


def _dumps(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def write_marked(value: Any, mark: str, forbidden: Sequence[str], sort: bool) -> str:
    """A value in the notation `marked`.

    Raises:
        FormatError: A string or a key that would end too early.
    """
    if isinstance(value, str):
        if held := [text for text in (mark, *forbidden) if text in value]:
            raise FormatError(f"a string holds {held[0]!r}, which this notation cannot write")
        return mark + value + mark
    if isinstance(value, list):
        return "[" + ",".join(write_marked(v, mark, forbidden, sort) for v in value) + "]"
    if isinstance(value, dict):
        keys = sorted(value) if sort else list(value)
        for key in keys:
            if not re.fullmatch(_BARE_KEY, key):
                raise FormatError(f"the key {key!r} cannot be written without quotes")
        members = (f"{key}:{write_marked(value[key], mark, forbidden, sort)}" for key in keys)
        return "{" + ",".join(members) + "}"
    return _dumps(value)


@dataclass
class MarkedTrees:
    """Makes the trees of values in `marked`, for the parameters of one tool."""

    parameters: Schema
    mark: str
    forbidden: Sequence[str]
    sort: bool
    prefix: str
    rules: dict[str, Tree] = field(default_factory=dict)

    def arguments(self) -> Tree:
        """What stands between the braces around the arguments."""
        return self.members(*_followed(self.parameters, self.parameters, ()))

    def value(self, path: Path) -> Tree:
        """The values of the schema at a path."""
        schema: Any = self.parameters
        for key in path:
            schema = schema[key]
        if schema is True or schema == {}:
            return self._any_value()
        schema, place = _followed(self.parameters, schema, path)
        if place != path:
            # Definitions are rules, since they may lead back to themselves.
            name = f"{self.prefix}/{'/'.join(map(str, place))}"
            if name not in self.rules:
                self.rules[name] = ""
                self.rules[name] = self.value(place)
            return {"rule": name}
        for union in ("anyOf", "oneOf"):
            if union in schema:
                return self._union(schema, place, union)
        alone = argument_schema(self.parameters, place)
        types = types_of(alone)
        ways: list[Tree] = []
        if "string" in types:
            ways.append(self._string(alone))
        if scalars := [kind for kind in _SCALARS if kind in types]:
            only = {"allOf": [_inner(alone)], "type": scalars}
            definitions = {"$defs": alone["$defs"]} if "$defs" in _object(alone) else {}
            ways.append({"json": {**only, **definitions}})
        if "array" in types:
            ways.append(self._array(schema, place))
        if "object" in types:
            ways.append(self._object(schema, place))
        return ways[0] if len(ways) == 1 else {"any": ways}

    def _union(self, schema: Schema, path: Path, keyword: str) -> Tree:
        others = set(schema) & (_OBJECT_KEYWORDS | _ARRAY_KEYWORDS | _OTHER_KEYWORDS) - {keyword}
        if others or "enum" in schema or "const" in schema:
            refuse(path, keyword, " beside other keywords")
        branches = range(len(schema[keyword]))
        if keyword == "oneOf":
            seen: set[str] = set()
            for index in branches:
                types = types_of(argument_schema(self.parameters, (*path, keyword, index)))
                if seen & types:
                    refuse(path, keyword, " of branches with values of one type")
                seen |= types
        return {"any": [self.value((*path, keyword, index)) for index in branches]}

    def _string(self, schema: Any) -> Tree:
        stops = [self.mark, *self.forbidden]
        return {
            "all": [{"tag": self.mark}, {"strings": schema, "stops": stops}, {"tag": self.mark}]
        }

    def _array(self, schema: Schema, path: Path) -> Tree:
        self._check(schema, path, "array")
        least, most = schema.get("minItems", 0), schema.get("maxItems")
        items = schema.get("items", True)
        item = self._any_value() if items is True else self.value((*path, "items"))
        more = {"repeat": {"all": [",", item]}, "min": max(least - 1, 0)}
        if most is not None:
            more["max"] = max(most - 1, 0)
        filled: Tree = {"all": [item, more]} if most != 0 and items is not False else ""
        if least == 0 and filled:
            filled = {"repeat": filled, "max": 1}
        return {"all": ["[", filled, "]"]}

    def _object(self, schema: Schema, path: Path) -> Tree:
        self._check(schema, path, "object")
        return {"all": ["{", self.members(schema, path), "}"]}

    def members(self, schema: Schema, path: Path) -> Tree:
        """What stands between the braces of an object."""
        properties = schema.get("properties", {})
        required = schema.get("required", [])
        if not properties:
            more = schema.get("additionalProperties", True)
            if more is False or not path:
                return ""
            if required:
                refuse(path, "required", " of keys that are not declared")
            value = (
                self._any_value() if more is True else self.value((*path, "additionalProperties"))
            )
            return self._listed({"all": [{"pattern": _BARE_KEY}, ":", value]})
        if isinstance(schema.get("additionalProperties"), dict):
            refuse(path, "additionalProperties", " beside properties")
        keys = sorted(properties) if self.sort else list(properties)
        for key in keys:
            if not re.fullmatch(_BARE_KEY, key):
                refuse((*path, "properties"), key, " (it cannot be written without quotes)")
        written = [{"all": [key + ":", self.value((*path, "properties", key))]} for key in keys]
        return separated(written, [key in required for key in keys], ",", self.rules)

    def _listed(self, item: Tree) -> Tree:
        more = {"repeat": {"all": [",", item]}}
        return {"repeat": {"all": [item, more]}, "max": 1}

    def _any_value(self) -> Tree:
        name = f"{self.prefix}//any"
        if name not in self.rules:
            self.rules[name] = ""
            value = {"rule": name}
            member = {"all": [{"pattern": _BARE_KEY}, ":", value]}
            self.rules[name] = {
                "any": [
                    self._string({"type": "string"}),
                    {"json": {"type": list(_SCALARS)}},
                    {"all": ["[", self._listed(value), "]"]},
                    {"all": ["{", self._listed(member), "}"]},
                ]
            }
        return {"rule": name}

    def _check(self, schema: Schema, path: Path, kind: str) -> None:
        refused = set(_OTHER_KEYWORDS)
        if kind == "array":
            refused -= {"minProperties", "maxProperties", "patternProperties", "propertyNames"}
        else:
            refused -= {"uniqueItems", "prefixItems", "contains"}
        for keyword in schema:
            if keyword in refused or (keyword in ("enum", "const")):
                refuse(path, keyword)


def separated(
    items: Sequence[Tree], required: Sequence[bool], separator: str, rules: dict[str, Tree]
) -> Tree:
    """Items in their order, optional unless required, with a separator between any two."""

    def optional(tree: Tree, is_required: bool) -> Tree:
        return tree if is_required else {"repeat": tree, "max": 1}

    if not separator or not items:
        return {"all": list(map(optional, items, required))}
    following = [
        optional({"all": [separator, item]}, is_required)
        for item, is_required in zip(items, required, strict=True)
    ]
    # The first item that comes is one of those up to the first that must.
    last = [*required, True].index(True)
    ways: list[Tree] = [""] if last == len(items) else []
    last = min(last, len(items) - 1)
    rest: Tree = {"all": following[last + 1 :]}
    for i in range(last, -1, -1):
        if last:
            # Many ways lead to the same rest.
            name = f"rest {len(rules)}"
            rules[name] = rest
            rest = {"rule": name}
        ways.append({"all": [items[i], rest]})
        rest = {"all": [following[i], rest]}
    return ways[0] if len(ways) == 1 else {"any": ways[::-1]}


def _followed(root: Schema, schema: Any, path: Path) -> tuple[Schema, Path]:
    """Where a schema's reference leads to, if it is one, and where that stands."""
    seen = 0
    while isinstance(schema, dict) and isinstance(schema.get("$ref"), str):
        reference = schema["$ref"]
        seen += 1
        if not reference.startswith("#") or seen > 32:
            refuse(path, "$ref", f" {reference!r}")
        path = tuple(
            part.replace("~1", "/").replace("~0", "~") for part in reference[1:].split("/")[1:]
        )
        schema = root
        for part in path:
            try:
                schema = schema[int(part) if isinstance(schema, list) else part]
            except (KeyError, IndexError, ValueError, TypeError):
                refuse(path, "$ref", f" {reference!r}, which leads to nothing")
    return schema, path


def refuse(path: Sequence[Any], keyword: str, more: str = "") -> None:
    """Raises the error of what a notation cannot express."""
    parts = (str(part).replace("~", "~0").replace("/", "~1") for part in (*path, keyword))
    pointer = "".join(f"/{part}" for part in parts)
    message = f"{pointer}: the format's notation of arguments cannot express `{keyword}`{more}"
    raise UnsupportedSchemaError(message, pointer=pointer)
