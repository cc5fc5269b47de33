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
from schemask.chat.notations.values import BARE_KEY, Spelling, ValueTrees
from schemask.chat.trees import Tree, Trees
from schemask.errors import FormatError
from schemask.schemas.schema import Schema
from schemask.tools import Tool


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
            if text.text[start : text.at] == self.null:
                return None
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
        literals = (("true", "true"), ("false", "false"), ("null", self.null))
        spelling = Spelling((self.mark,), ({},), literals=literals, sort_keys=self.sort_keys)
        made = ValueTrees(tool.parameters, tool.name, spelling, around.stops, trees)
        return made.members(*followed(tool.parameters, tool.parameters, ()))

    def template(self, around: Surroundings) -> ArgumentsTemplate:
        if self.null != "null":
            raise FormatError(f"{around.name}: response templates cannot read {self.null}")
        mark = re.escape(self.mark)
        return ArgumentsTemplate(
            rf"\G(?:{mark}.*?{mark}|(?!{mark}).)*?\K",
            "json",
            {"unquoted_keys": True, "string_delims": [[self.mark, self.mark]]},
            brackets=("{", "}"),
        )
