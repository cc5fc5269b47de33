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
    """

    separators: tuple[str, str] = (", ", ": ")
    sort_keys: bool = False

    @property
    def opening(self) -> str:
        return "{"

    @property
    def whitespace(self) -> Literal["flexible", "compact", "spaced"]:
        if self.separators == (", ", ": "):
            return "spaced"
        return "compact" if self.separators == (",", ":") else "flexible"

    def write(
        self, arguments: dict[str, Any], parameters: Schema | None, around: Surroundings
    ) -> str:
        if self == JsonArguments():
            return around.write_json(arguments)
        around.write_json(arguments)  # refuses what is not JSON
        return json.dumps(
            arguments,
            ensure_ascii=False,
            separators=self.separators,
            sort_keys=self.sort_keys,
        )

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
