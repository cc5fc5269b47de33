"""Arguments as one JSON object."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal

from schemask.chat.cursor import Cursor, Emit, Waiting
from schemask.chat.notations.base import ArgumentsTemplate, Notation, Surroundings
from schemask.chat.patterns import OUTSIDE_STRINGS
from schemask.chat.trees import Tree, Trees
from schemask.schemas.schema import Schema
from schemask.tools import Tool


@dataclass(frozen=True)
class JsonArguments(Notation):
    """One JSON object, as `json.dumps` writes it.

    Attributes:
        separators: Text between members or items, and text between a key and its value.
        sort_keys: Whether keys are sorted, at any depth; else they come in their own order.
        is_ascii: Whether characters past ASCII are escaped.
        indent: Spaces by which each level is indented, on lines of its own; None is on one line.
        margin: Spaces before each line but the first, beside those.
    """

    separators: tuple[str, str] = (", ", ": ")
    sort_keys: bool = False
    is_ascii: bool = False
    indent: int | None = None
    margin: int = 0

    @property
    def opening(self) -> str:
        return "{"

    @property
    def whitespace(self) -> Literal["flexible", "compact", "spaced"]:
        if self.indent is None and self.separators == (", ", ": "):
            return "spaced"
        return "compact" if self.separators == (",", ":") else "flexible"

    @property
    def spelling(self) -> Literal["plain", "any"]:
        return "any" if self.is_ascii else "plain"

    def write(
        self, arguments: dict[str, Any], parameters: Schema | None, around: Surroundings
    ) -> str:
        if self == JsonArguments():
            return around.write_json(arguments)
        around.write_json(arguments)  # refuses what is not JSON
        text = json.dumps(
            arguments,
            ensure_ascii=self.is_ascii,
            indent=self.indent,
            separators=self.separators,
            sort_keys=self.sort_keys,
        )
        return text.replace("\n", "\n" + " " * self.margin)

    def read(
        self, text: Cursor, parameters: Schema, around: Surroundings, emit: Emit
    ) -> Waiting[dict[str, Any]]:
        start, end = yield from text.value(emit)
        arguments = text.decoded(start, end)
        if not isinstance(arguments, dict):
            text.fail("the arguments of a call are an object", start)
        text.check(arguments, start, around.write_json)
        return arguments

    def grammar(self, tool: Tool, trees: Trees, around: Surroundings) -> Tree:
        return {"json": tool.parameters}

    def template(self, around: Surroundings) -> ArgumentsTemplate:
        return ArgumentsTemplate(OUTSIDE_STRINGS, "json")
