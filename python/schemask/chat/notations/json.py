"""Arguments as one JSON object."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from schemask.chat.cursor import Cursor, Emit, Waiting
from schemask.chat.notations.base import ArgumentsTemplate, Notation, Surroundings
from schemask.chat.patterns import OUTSIDE_STRINGS
from schemask.chat.trees import Tree, Trees
from schemask.schemas.schema import Schema
from schemask.tools import Tool


@dataclass(frozen=True)
class JsonArguments(Notation):
    """One JSON object, as `json.dumps` writes it."""

    def write(
        self, arguments: dict[str, Any], parameters: Schema | None, around: Surroundings
    ) -> str:
        return around.write_json(arguments)

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
