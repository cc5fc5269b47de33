"""Arguments and all in them without quotes: strings between marks, keys bare."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from schemask.chat.arguments import OTHER_KEYWORDS, declared_arguments, followed, refuse
from schemask.chat.cursor import Cursor, Emit, Waiting
from schemask.chat.notations.base import ArgumentsTemplate, Notation, Surroundings
from schemask.chat.trees import Tree, Trees, narrowed, optional
from schemask.errors import FormatError
from schemask.schemas.places import argument_schema
from schemask.schemas.pointer import Path
from schemask.schemas.schema import Schema
from schemask.schemas.value_types import types_of
from schemask.tools import Tool

_SCALARS = ("null", "boolean", "number")
# What can be said of objects and of lists; `type` is read apart.
_OBJECT_KEYWORDS = {"properties", "required", "additionalProperties"}
_ARRAY_KEYWORDS = {"items", "minItems", "maxItems"}
_BARE_KEY = r"[A-Za-z_][A-Za-z0-9_.\-]*"


@dataclass(frozen=True)
class MarkedArguments(Notation):
    """Members of an object, without the braces around them and without spaces.

    Strings are as they are between two equal marks, keys have no quotes, lists and objects hold
    such values, and other values are JSON. `FormatSpec.call` has the braces around `{arguments}`.

    Attributes:
        mark: What is around strings.
        sort_keys: Whether keys are sorted; else they come in the order of the schema.
    """

    mark: str
    sort_keys: bool = False

    def write(
        self, arguments: dict[str, Any], parameters: Schema | None, around: Surroundings
    ) -> str:
        return self._written(arguments, around.stops)[1:-1]

    def _written(self, value: Any, stops: Sequence[str]) -> str:
        if isinstance(value, str):
            if held := [text for text in (self.mark, *stops) if text in value]:
                raise FormatError(f"a string holds {held[0]!r}, which this notation cannot write")
            return self.mark + value + self.mark
        if isinstance(value, list):
            return "[" + ",".join(self._written(item, stops) for item in value) + "]"
        if isinstance(value, dict):
            keys = sorted(value) if self.sort_keys else list(value)
            for key in keys:
                if not re.fullmatch(_BARE_KEY, key):
                    raise FormatError(f"the key {key!r} cannot be written without quotes")
            return "{" + ",".join(f"{key}:{self._written(value[key], stops)}" for key in keys) + "}"
        return json.dumps(value, ensure_ascii=False, allow_nan=False)

    def read(
        self, text: Cursor, parameters: Schema, around: Surroundings, emit: Emit
    ) -> Waiting[dict[str, Any]]:
        # The braces around the arguments belong to the template of the call.
        arguments = yield from self._members(text, around.after_arguments.strip()[:1])
        text.check(arguments, text.at, around.write_json)
        emit(around.write_json(arguments))
        return arguments

    def _members(self, text: Cursor, closing: str) -> Waiting[dict[str, Any]]:
        members: dict[str, Any] = {}
        while not (yield from text.ahead(closing)):
            if members:
                yield from text.exactly(",")
            start = text.at
            key = yield from text.until(":")
            if key in members:
                text.fail(f"the key {key!r} comes twice", start)
            text.at += 1
            members[key] = yield from self._value(text)
        return members

    def _value(self, text: Cursor) -> Waiting[Any]:
        if (yield from text.take(self.mark)):
            string = yield from text.until(self.mark)
            text.at += len(self.mark)
            return string
        yield from text.need(1)
        opening = text.next_character
        if opening not in ("[", "{"):
            start = text.at
            yield from text.scalar()
            return text.decoded(start, text.at)
        text.at += 1
        if opening == "{":
            members = yield from self._members(text, "}")
            text.at += 1
            return members
        items: list[Any] = []
        while not (yield from text.take("]")):
            if items:
                yield from text.exactly(",")
            items.append((yield from self._value(text)))
        return items

    def grammar(self, tool: Tool, trees: Trees, around: Surroundings) -> Tree:
        declared_arguments(tool.parameters)  # refuses what no notation can say of them
        made = _ValueTrees(tool.parameters, tool.name, self, around.stops, trees)
        return made.members(*followed(tool.parameters, tool.parameters, ()))

    def template(self, around: Surroundings) -> ArgumentsTemplate:
        mark = re.escape(self.mark)
        return ArgumentsTemplate(
            rf"\G(?:{mark}.*?{mark}|(?!{mark}).)*?\K",
            "json",
            {"unquoted_keys": True, "string_delims": [[self.mark, self.mark]]},
            brackets=("{", "}"),
        )


@dataclass
class _ValueTrees:
    """Makes the trees of the values in the parameters of one tool."""

    parameters: Schema
    tool_name: str
    notation: MarkedArguments
    stops: Sequence[str]
    trees: Trees

    def value(self, path: Path) -> Tree:
        """The values of the schema at a path."""
        schema: Any = self.parameters
        for key in path:
            schema = schema[key]
        if schema is True or schema == {}:
            return self._any_value()
        if schema is False:
            return {"json": False}  # the engine says that nothing satisfies it
        schema, place = followed(self.parameters, schema, path)
        if place != path:
            # Definitions are rules, since they may lead back to themselves.
            name = f"{self.tool_name}/{'/'.join(map(str, place))}"
            if name not in self.trees.rules:
                self.trees.rules[name] = ""
                self.trees.rules[name] = self.value(place)
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
            ways.append({"json": narrowed(alone, scalars)})
        if "array" in types:
            ways.append(self._array(schema, place))
        if "object" in types:
            ways.append(self._object(schema, place))
        return ways[0] if len(ways) == 1 else {"any": ways}

    def _union(self, schema: Schema, path: Path, keyword: str) -> Tree:
        others = set(schema) & (_OBJECT_KEYWORDS | _ARRAY_KEYWORDS | OTHER_KEYWORDS) - {keyword}
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
        mark = {"tag": self.notation.mark}
        stops = [self.notation.mark, *self.stops]
        return {"all": [mark, {"strings": schema, "stops": stops}, mark]}

    def _array(self, schema: Schema, path: Path) -> Tree:
        self._check(schema, path, "array")
        least, most = schema.get("minItems", 0), schema.get("maxItems")
        items = schema.get("items", True)
        if most == 0 or items is False:
            return {"all": ["[", "", "]"]}
        item = self._any_value() if items is True else self.value((*path, "items"))
        more = {"repeat": {"all": [",", item]}, "min": max(least - 1, 0)}
        if most is not None:
            more["max"] = max(most - 1, 0)
        filled: Tree = {"all": [item, more]}
        return {"all": ["[", filled if least else optional(filled), "]"]}

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
        keys = sorted(properties) if self.notation.sort_keys else list(properties)
        for key in keys:
            if not re.fullmatch(_BARE_KEY, key):
                refuse((*path, "properties"), key, " (it cannot be written without quotes)")
        written = [{"all": [key + ":", self.value((*path, "properties", key))]} for key in keys]
        return self.trees.separated(written, [key in required for key in keys], ",")

    def _listed(self, item: Tree) -> Tree:
        return optional({"all": [item, {"repeat": {"all": [",", item]}}]})

    def _any_value(self) -> Tree:
        name = f"{self.tool_name}//any"
        if name not in self.trees.rules:
            self.trees.rules[name] = ""
            value = {"rule": name}
            member = {"all": [{"pattern": _BARE_KEY}, ":", value]}
            self.trees.rules[name] = {
                "any": [
                    self._string({"type": "string"}),
                    {"json": {"type": list(_SCALARS)}},
                    {"all": ["[", self._listed(value), "]"]},
                    {"all": ["{", self._listed(member), "}"]},
                ]
            }
        return {"rule": name}

    def _check(self, schema: Schema, path: Path, kind: str) -> None:
        refused = set(OTHER_KEYWORDS)
        if kind == "array":
            refused -= {"minProperties", "maxProperties", "patternProperties", "propertyNames"}
        else:
            refused -= {"uniqueItems", "prefixItems", "contains"}
        for keyword in schema:
            if keyword in refused or (keyword in ("enum", "const")):
                refuse(path, keyword)
