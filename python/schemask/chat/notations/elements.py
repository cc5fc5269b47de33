"""Arguments and all in them as elements of XML that are named after their keys."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from schemask.chat.arguments import OTHER_KEYWORDS, followed, refuse
from schemask.chat.cursor import Cursor, Emit, Waiting
from schemask.chat.notations.base import ArgumentsTemplate, Notation, Surroundings
from schemask.chat.notations.values import read_python
from schemask.chat.trees import Tree, Trees, either, narrowed, optional
from schemask.errors import FormatError
from schemask.schemas.places import argument_schema
from schemask.schemas.pointer import Path
from schemask.schemas.schema import Schema
from schemask.schemas.value_types import types_of
from schemask.tools import Tool

_NAME_CHARACTER = re.compile(r"[\w.:-]")
_NAME = re.compile(r"[\w.:-]+")
_SCALARS = ("boolean", "null", "number")
# What a text is taken for where a schema allows strings and values of this type.
_LOOKS = {
    "boolean": "true|false",
    "null": "null",
    "number": r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?",
}


@dataclass(frozen=True)
class ElementArguments(Notation):
    """Each value between tags of its key: `<key>value</key>`.

    Objects hold an element for each member, lists one for each item; strings are as they are, and
    numbers, true and false are JSON. There is no null: such a member is left out. Where a schema
    allows strings and others, a text that looks like one of the others is one, and no text at all
    is a string, or else a list, or else an object. A grammar allows no object whose keys no schema
    names.

    Attributes:
        mark: Text before each tag. Strings hold neither it nor, if it is empty, `<`.
        item: Name of the elements of lists.
    """

    mark: str = ""
    item: str = "item"

    @property
    def opening(self) -> str:
        return f"{self.mark}<"

    @property
    def closing(self) -> str:
        return f"{self.mark}</"

    # Writing.

    def write(
        self, arguments: dict[str, Any], parameters: Schema | None, around: Surroundings
    ) -> str:
        schema: Any = True if parameters is None else parameters
        return self._written_members(arguments, schema, around)

    def _written_members(self, members: dict[str, Any], schema: Any, around: Surroundings) -> str:
        return "".join(
            self._element(key, self._written(value, _inner(schema, "properties", key), around))
            for key, value in members.items()
        )

    def _element(self, name: str, content: str) -> str:
        if not _NAME.fullmatch(name):
            raise FormatError(f"the key {name!r} cannot be the name of an element")
        return f"{self.mark}<{name}>{content}{self.mark}</{name}>"

    def _written(self, value: Any, schema: Any, around: Surroundings) -> str:
        types = types_of(schema)
        if isinstance(value, str):
            if held := [stop for stop in (self.opening, *around.stops) if stop in value]:
                raise FormatError(f"a string holds {held[0]!r}, which this notation cannot write")
            text = value
        elif isinstance(value, list):
            items = _inner(schema, "items")
            text = "".join(
                self._element(self.item, self._written(item, items, around)) for item in value
            )
        elif isinstance(value, dict):
            text = self._written_members(value, schema, around)
            if text and "array" in types and next(iter(value)) == self.item:
                raise FormatError("the object would be taken for a list")
        elif value is None:
            raise FormatError("null is left out where values are elements")
        else:
            text = around.write_json(value)
        kinds = {str: "string", list: "array", dict: "object", bool: "boolean"}
        has_elements = isinstance(value, (list, dict)) and bool(text)
        taken_for = self._kind(text, types)
        if not has_elements and taken_for != kinds.get(type(value), "number"):
            raise FormatError(f"{text!r} would be taken for a value of type {taken_for}")
        return text

    def _kind(self, text: str, types: frozenset[str]) -> str:
        """The type of the value that a text without elements is."""
        for kind in _SCALARS:
            if kind in types and re.fullmatch(_LOOKS[kind], text):
                return kind
        nested = [] if text else ["array", "object"]
        return next((kind for kind in ("string", *nested) if kind in types), "string")

    # Reading.

    def read(
        self, text: Cursor, parameters: Schema, around: Surroundings, emit: Emit
    ) -> Waiting[dict[str, Any]]:
        arguments = yield from self._members(text, parameters, emit)
        text.check(arguments, text.at, around.write_json)
        return arguments

    def _members(self, text: Cursor, schema: Any, emit: Emit) -> Waiting[dict[str, Any]]:
        members: dict[str, Any] = {}
        while (yield from self._begins(text)):
            start = text.at
            key = yield from self._tag(text)
            if key in members:
                text.fail(f"the key {key!r} comes twice", start)
            emit(f"{', ' if members else '{'}{json.dumps(key, ensure_ascii=False)}: ")
            members[key] = yield from self._value(text, _inner(schema, "properties", key), emit)
            yield from text.literal(f"{self.mark}</{key}>")
        emit("}" if members else "{}")
        return members

    def _begins(self, text: Cursor) -> Waiting[bool]:
        """Whether an element begins, after any white space."""
        yield from text.skip_space()
        return not (yield from text.ahead(self.closing)) and (yield from text.ahead(self.opening))

    def _tag(self, text: Cursor) -> Waiting[str]:
        """The name of the element that begins here."""
        yield from text.literal(self.opening)
        start = text.at
        name = yield from text.run(_NAME_CHARACTER)
        if not name:
            text.fail("the name of an element is missing", start)
        yield from text.literal(">")
        return name

    def _value(self, text: Cursor, schema: Any, emit: Emit) -> Waiting[Any]:
        types = types_of(schema)
        start = text.at
        if types & {"array", "object"} and (yield from self._begins(text)):
            is_item = yield from text.ahead(f"{self.opening}{self.item}>")
            if "array" in types and (is_item or "object" not in types):
                return (yield from self._items(text, schema, emit))
            return (yield from self._members(text, schema, emit))
        text.at = start
        raw = yield from text.until(self.opening)
        value = self._decoded(raw, types)
        emit(json.dumps(value, ensure_ascii=False))
        return value

    def _items(self, text: Cursor, schema: Any, emit: Emit) -> Waiting[list[Any]]:
        items: list[Any] = []
        while (yield from self._begins(text)):
            emit(", " if items else "[")
            start = text.at
            if (yield from self._tag(text)) != self.item:
                text.fail(f"a list holds elements named {self.item}", start)
            items.append((yield from self._value(text, _inner(schema, "items"), emit)))
            yield from text.literal(f"{self.mark}</{self.item}>")
        emit("]")
        return items

    def _decoded(self, raw: str, types: frozenset[str]) -> Any:
        if "string" in types:
            is_text = self._kind(raw, types) == "string"
            return raw if is_text else json.loads(raw)
        kind = self._kind(raw.strip(), types)
        if kind in ("array", "object") and not raw.strip():
            return [] if kind == "array" else {}
        try:
            return read_python(raw.strip())
        except ValueError:
            return raw  # it can be nothing else

    # What is allowed.

    def grammar(self, tool: Tool, trees: Trees, around: Surroundings) -> Tree:
        return _ElementTrees(self, tool, trees, around).members(())

    def template(self, around: Surroundings) -> ArgumentsTemplate:
        raise FormatError(f"{around.name}: response templates cannot read elements within others")


@dataclass
class _ElementTrees:
    """Makes the trees of the values in the parameters of one tool."""

    notation: ElementArguments
    tool: Tool
    trees: Trees
    around: Surroundings

    def members(self, path: Path) -> Tree:
        """The elements of an object whose schema stands at a path."""
        schema, place = followed(self.tool.parameters, self._at(path), path)
        self._check(schema, place)
        properties = schema.get("properties", {})
        required = schema.get("required", [])
        if missing := [key for key in required if key not in properties]:
            refuse(place, "required", f" ({missing[0]!r} is not among the properties)")
        if place and not properties and schema.get("additionalProperties", True) is not False:
            refuse(place, "additionalProperties", " (keys that are not declared)")
        written = []
        for key in properties:
            if not _NAME.fullmatch(key):
                refuse((*place, "properties"), key, " (it cannot be the name of an element)")
            written.append(self._element(key, self._value((*place, "properties", key))))
        return self.trees.separated(written, [key in required for key in properties], "")

    def _element(self, name: str, content: Tree) -> Tree:
        mark = self.notation.mark
        held = {"{value}": content}
        return self.trees.filled(f"{mark}<{name}>{{value}}{mark}</{name}>", held)

    def _value(self, path: Path) -> Tree:
        schema = self._at(path)
        if isinstance(schema, dict) and "$ref" in schema:
            _, place = followed(self.tool.parameters, schema, path)
            # Definitions are rules, since they may lead back to themselves.
            name = f"{self.tool.name}/{'/'.join(map(str, place))}"
            if name not in self.trees.rules:
                self.trees.rules[name] = ""
                self.trees.rules[name] = self._value(place)
            return {"rule": name}
        if schema is True or schema == {}:
            return self._value_of_any()
        alone = argument_schema(self.tool.parameters, path)
        types = types_of(alone)
        ways = list(self._texts(alone, types))
        if "array" in types:
            ways.append(self._items(schema, path, may_be_empty="string" not in types))
        if "object" in types:
            if types & {"string", "array"}:
                refuse(path, "type", " (an object among values of other types)")
            ways.append(self.members(path))
        return either(ways) if ways else {"json": alone}  # the engine says that nothing fits

    def _texts(self, schema: Any, types: frozenset[str]) -> Iterator[Tree]:
        """Strings, and values of JSON that are no lists and objects."""
        scalars = [kind for kind in _SCALARS if kind in types]
        if "string" in types:
            looks = "|".join(_LOOKS[kind] for kind in scalars)
            plain = narrowed(schema, "string", {"not": {"pattern": f"^(?:{looks})$"}})
            stops = [self.notation.opening, *self.around.stops]
            yield {"strings": plain if scalars else schema, "stops": stops}
        # Nothing writes null where something else may stand.
        written = [kind for kind in scalars if kind != "null" or types == {"null"}]
        if written:
            yield {"json": narrowed(schema, written)}

    def _any_items(self) -> Tree:
        """Lists of what no schema describes, without empty ones, which are texts."""
        name = f"{self.tool.name}//any"
        if name not in self.trees.rules:
            self.trees.rules[name] = ""
            ways = [*self._texts(True, types_of(True)), {"rule": name}]
            item = self._element(self.notation.item, either(ways))
            self.trees.rules[name] = {"all": [item, {"repeat": item}]}
        return {"rule": name}

    def _items(self, schema: Schema, path: Path, may_be_empty: bool) -> Tree:
        self._check(schema, path)
        least, most = schema.get("minItems", 0), schema.get("maxItems")
        if schema.get("items") is False:
            most = 0
        if most == 0:
            return {"json": False} if least else ""  # the engine says that nothing satisfies it
        content = self._value((*path, "items")) if "items" in schema else self._value_of_any()
        item = self._element(self.notation.item, content)
        more: dict[str, Any] = {"repeat": item, "min": max(least - 1, 0)}
        if most is not None:
            more["max"] = most - 1
        filled = {"all": [item, more]}
        return filled if least or not may_be_empty else optional(filled)

    def _value_of_any(self) -> Tree:
        return either([*self._texts(True, types_of(True)), self._any_items()])

    def _at(self, path: Path) -> Any:
        schema: Any = self.tool.parameters
        for key in path:
            schema = schema[key]
        return schema

    def _check(self, schema: Schema, path: Path) -> None:
        for keyword in schema:
            if keyword in OTHER_KEYWORDS or (path and keyword in ("enum", "const")):
                refuse(path, keyword)


def _inner(schema: Any, *steps: str) -> Any:
    """The schema of what is in a value, by keywords; of what is not declared, that of all."""
    if not isinstance(schema, dict):
        return True
    found, path = followed(schema, schema, ())
    inner: Any = found
    for step in steps:
        if not isinstance(inner, dict) or step not in inner:
            return True
        inner = inner[step]
    return argument_schema(schema, (*path, *steps))
