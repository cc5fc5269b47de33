"""Arguments and all in them without quotes: strings between marks, keys bare."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from schemask.chat.arguments import declared_arguments, followed
from schemask.chat.cursor import Cursor, Emit, Waiting
from schemask.chat.notations.base import ArgumentsTemplate, Notation, Surroundings
from schemask.chat.notations.strings import StringStream
from schemask.chat.notations.values import BARE_KEY, Spelling, ValueTrees, read_python
from schemask.chat.trees import Tree, Trees
from schemask.errors import FormatError
from schemask.schemas.schema import Schema
from schemask.tools import Tool

_KEY_CHARACTER = re.compile(r"[A-Za-z0-9_.\-]")


@dataclass(frozen=True)
class MarkedArguments(Notation):
    """Members of an object, without the braces around them and without spaces.

    Strings are as they are between two equal marks, keys have no quotes, lists and objects hold
    such values, and other values are JSON. `FormatSpec.call` has the braces around `{arguments}`.

    Attributes:
        mark: What is around strings.
        sort_keys: Whether keys are sorted; else they come in the order of the schema.
        null: How null is spelt.
    """

    mark: str
    sort_keys: bool = False
    null: str = "null"

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
                if not re.fullmatch(BARE_KEY, key):
                    raise FormatError(f"the key {key!r} cannot be written without quotes")
            return "{" + ",".join(f"{key}:{self._written(value[key], stops)}" for key in keys) + "}"
        return self.null if value is None else json.dumps(value, allow_nan=False)

    def read(
        self, text: Cursor, parameters: Schema, around: Surroundings, emit: Emit
    ) -> Waiting[dict[str, Any]]:
        # The braces around the arguments belong to the template of the call.
        arguments = yield from self._members(text, around.after_arguments.strip()[:1], emit)
        text.check(arguments, text.at, around.write_json)
        return arguments

    def _members(self, text: Cursor, closing: str, emit: Emit) -> Waiting[dict[str, Any]]:
        members: dict[str, Any] = {}
        while not (yield from text.take_any([closing])):
            if members:
                yield from text.literal(",")
            yield from text.skip_space()
            start = text.at
            key = yield from self._key(text)
            if key in members:
                text.fail(f"the key {key!r} comes twice", start)
            emit(f"{', ' if members else '{'}{json.dumps(key, ensure_ascii=False)}: ")
            members[key] = yield from self._value(text, emit)
        text.at -= len(closing)
        emit("}" if members else "{}")
        return members

    def _key(self, text: Cursor) -> Waiting[str]:
        """A key, which may have quotes, and the colon after it."""
        for quote in (self.mark, '"', "'"):
            if (yield from text.take(quote)):
                key = yield from text.until(quote)
                text.at += len(quote)
                yield from text.literal(":")
                return key
        start = text.at
        key = yield from text.run(_KEY_CHARACTER)
        if not key:
            text.fail("a key is missing", start)
        yield from text.literal(":")
        return key

    def _value(self, text: Cursor, emit: Emit) -> Waiting[Any]:
        yield from text.skip_space()
        if (yield from text.take(self.mark)):
            return (yield from self._string(text, emit))
        yield from text.need(1)
        opening = text.next_character
        if opening == "{":
            text.at += 1
            members = yield from self._members(text, "}", emit)
            text.at += 1
            return members
        if opening == "[":
            text.at += 1
            return (yield from self._items(text, emit))
        start = text.at
        value: Any = None
        if opening and opening in "\"'":
            end = yield from text.value_of_either()
        else:
            yield from text.scalar()
            end = text.at
        if end is None:
            text.fail("the value does not end", start)
        if text.text[start:end] != self.null:
            try:
                value = read_python(text.text[start:end])
            except ValueError as error:
                text.fail(f"no value: {error}", start)
        emit(json.dumps(value, ensure_ascii=False))
        return value

    def _string(self, text: Cursor, emit: Emit) -> Waiting[str]:
        start = text.at
        pieces: list[str] = []
        stream = StringStream(emit)

        def add(piece: str) -> None:
            pieces.append(piece)
            stream.add(piece)

        yield from text.passage([self.mark], add)
        if not (yield from text.take(self.mark)):
            text.fail(f"{self.mark} is missing", start)
        stream.end()
        return "".join(pieces)

    def _items(self, text: Cursor, emit: Emit) -> Waiting[list[Any]]:
        items: list[Any] = []
        while not (yield from text.take_any(["]"])):
            if items:
                yield from text.literal(",")
            emit(", " if items else "[")
            items.append((yield from self._value(text, emit)))
        emit("]" if items else "[]")
        return items

    def grammar(self, tool: Tool, trees: Trees, around: Surroundings) -> Tree:
        declared_arguments(tool.parameters)  # refuses what no notation can say of them
        literals = (("true", "true"), ("false", "false"), ("null", self.null))
        spelling = Spelling((self.mark,), ({},), literals=literals, sort_keys=self.sort_keys)
        made = ValueTrees(tool.parameters, tool.name, spelling, around.stops, trees)
        return made.members(*followed(tool.parameters, tool.parameters, ()))

    def template(self, around: Surroundings) -> ArgumentsTemplate:
        if self.null != "null":
            raise FormatError(f"{around.name}: response templates cannot read values of Python")
        mark = re.escape(self.mark)
        return ArgumentsTemplate(
            rf"\G(?:{mark}.*?{mark}|(?!{mark}).)*?\K",
            "json",
            {"unquoted_keys": True, "string_delims": [[self.mark, self.mark]]},
            brackets=("{", "}"),
        )
