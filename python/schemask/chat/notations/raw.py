"""Arguments one by one, with strings as they are: the schema tells strings from other values."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from schemask.chat.arguments import Argument, schema_of_argument
from schemask.chat.cursor import Cursor, Waiting
from schemask.chat.notations.base import ArgumentsTemplate, Surroundings
from schemask.chat.notations.listed import ListedArguments, read_filled
from schemask.chat.notations.values import Styles, read_python
from schemask.chat.patterns import loosely, possibly
from schemask.chat.texts import common_start
from schemask.chat.trees import Tree, Trees, narrowed
from schemask.errors import FormatError
from schemask.schemas.schema import Schema
from schemask.schemas.value_types import types_of
from schemask.tools import Tool

CDATA = ("<![CDATA[", "]]>")
"""What a section of XML is between in which nothing is marked up."""

_NUMBER = r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?"
# What a text is taken for where a schema allows strings and values of this type.
_LOOKS = {
    "null": "null|None",
    "boolean": "true|false|True|False",
    "number": _NUMBER,
    "array": r"\[[\s\S]*",
    "object": r"\{[\s\S]*",
}


@dataclass(frozen=True)
class RawArguments(ListedArguments):
    """Arguments one by one; strings as they are, other values as JSON or as Python shows them.

    Where a schema allows strings and others, a text that looks like one of the others is one. A
    parameter that is not declared may be anything. What is read may be spelt either way.

    Attributes:
        argument: Text of an argument, with `{key}` and then `{value}` in it.
        separator: Text between two arguments.
        styles: How values other than strings are spelt.
        cdata: Characters for which a string is written in a CDATA section of XML.

    Raises:
        FormatError: A template without `{key}` and then `{value}`.
    """

    styles: Styles = field(default_factory=Styles, kw_only=True)
    cdata: str = field(default="", kw_only=True)

    def write_value(
        self, key: str, value: Any, parameters: Schema | None, around: Surroundings
    ) -> str:
        types = types_of(True if parameters is None else schema_of_argument(parameters, key))
        if not isinstance(value, str):
            text = self.styles.write(value) or around.write_json(value)
            if "string" in types and not _looks_like(text, types):
                raise FormatError(f"the argument {key!r} would be taken for text")
            return text
        if _looks_like(value, types) or "string" not in types:
            raise FormatError(f"the argument {key!r} would be taken for a value other than text")
        if any(character in value for character in self.cdata):
            return CDATA[0] + written_text(key, value, (CDATA[1], *around.stops)) + CDATA[1]
        return written_text(key, value, self.value_stops(around))

    def read_argument(self, text: Cursor, parameters: Schema) -> Waiting[tuple[str, Any]]:
        def read_value(key: str, closing: str) -> Waiting[Any]:
            if self.cdata and (yield from text.take(CDATA[0])):
                string = yield from text.until(CDATA[1])
                text.at += len(CDATA[1])
                return string
            return (yield from _read_value(text, schema_of_argument(parameters, key), closing))

        return (yield from read_filled(text, self.argument, read_value))

    def argument_tree(
        self, argument: Argument, tool: Tool, trees: Trees, around: Surroundings
    ) -> Tree:
        ways = list(self._ways(argument, tool, trees, around))
        value = ways[0] if len(ways) == 1 else {"any": ways}
        return trees.filled(self.argument, {"{key}": argument.key, "{value}": value})

    def _ways(
        self, argument: Argument, tool: Tool, trees: Trees, around: Surroundings
    ) -> Iterator[Tree]:
        """The values of an argument: strings, without the stops, and others.

        Where both are allowed, a string that looks like one of the others is not among them.
        """
        schema = argument.schema
        types = types_of(schema)
        others = sorted(types - {"string"})
        if "string" in types:
            looks = "|".join(_LOOKS[kind] for kind in others)
            plain = narrowed(schema, "string", {"not": {"pattern": f"^(?:{looks})$"}})
            strings = plain if others else schema
            stops = list(self.value_stops(around))
            yield {"strings": strings, "stops": [*self.cdata, *stops]}
            if self.cdata:
                needing = {"pattern": f"[{re.escape(self.cdata)}]"}
                marked = {
                    "strings": narrowed(strings, "string", needing),
                    "stops": [CDATA[1], *around.stops],
                }
                yield {"all": [CDATA[0], marked, CDATA[1]]}
        root, path = tool.parameters, argument.path
        tree = self.styles.tree(schema, others, root, path, trees, tool.name)
        if tree is not None:
            yield tree
        elif not types:
            yield {"json": schema}  # the engine says that nothing satisfies it

    def template(self, around: Surroundings) -> ArgumentsTemplate:
        if "python" in (self.styles.arrays, self.styles.objects):
            raise FormatError(f"{around.name}: response templates cannot read values of Python")
        return text_template(self.argument)


def written_text(key: str, text: str, stops: Sequence[str]) -> str:
    """A string as the value of an argument.

    Raises:
        FormatError: It holds one of the stops.
    """
    if held := [stop for stop in stops if stop in text]:
        raise FormatError(f"the argument {key!r} holds {held[0]!r}, which ends it")
    return text


def text_template(*templates: str) -> ArgumentsTemplate:
    """How response templates read arguments of any of these templates, whose values are texts."""
    tags = _argument_pattern(templates, "?P<{}>")
    body = rf"\G(?:\s*(?:{_argument_pattern(templates, '')}))*+\K"
    return ArgumentsTemplate(body, "xml-inline", {"tag_pattern": tags})


def _argument_pattern(templates: Sequence[str], group: str) -> str:
    """A pattern of an argument, with its key and value in groups."""
    parts = [re.split(r"\{key\}|\{value\}", text) for text in templates]
    # The key ends where the templates go on alike, so that it is not read on for one of them.
    after_key = re.escape(common_start(parts[0][1], parts[-1][1]).rstrip())
    key = f"({group.format('key') or '?:'}(?:(?!{after_key}).)*)"
    value = f"({group.format('value') or '?:'}.*?)"
    ways = []
    for head, middle, after in parts:
        end = re.escape(after.rstrip()) + possibly(after[len(after.rstrip()) :])
        ways.append(loosely(head) + key + loosely(middle) + value + end)
    return "|".join(ways)


def _looks_like(text: str, types: frozenset[str]) -> bool:
    """Whether a text is taken for a JSON value of one of these types and not for a string."""
    return any(re.fullmatch(_LOOKS[kind], text) for kind in sorted(types - {"string"}))


def _read_value(text: Cursor, schema: Any, closing: str) -> Waiting[Any]:
    types = types_of(schema)
    start = text.at
    yield from text.need(1)
    nested = {"[": "array", "{": "object"}.get(text.next_character)
    if nested in types:
        end = yield from text.value_of_either()
    elif text.next_character == '"' and "string" not in types:
        end = (yield from text.value())[1]
    else:
        raw = yield from text.until(closing)
        if "string" in types and not _looks_like(raw, types):
            return raw
        end = text.at
    try:
        return read_python(text.text[start:end])
    except ValueError as error:
        text.fail(f"no value of its schema: {error}", start)
