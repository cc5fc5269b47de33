"""Arguments one by one, with strings as they are: a word in the text says the type of a value."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from schemask.chat.arguments import Argument, schema_of_argument
from schemask.chat.cursor import Cursor, Emit, Waiting
from schemask.chat.notations.base import ArgumentsTemplate, Surroundings
from schemask.chat.notations.listed import ListedArguments
from schemask.chat.notations.raw import RawText, text_template, written_text
from schemask.chat.trees import Tree, Trees, either, narrowed
from schemask.errors import FormatError
from schemask.schemas.schema import Schema
from schemask.schemas.value_types import TYPES, type_of, types_of
from schemask.tools import Tool


@dataclass(frozen=True)
class TypedArguments(ListedArguments):
    """Arguments one by one; strings are as they are, other values JSON.

    Attributes:
        argument: Text of an argument, with `{key}`, then `{type}`, then `{value}` in it, and text
            between any two of them.
        separator: Text between two arguments.
        types: For each type of JSON (`integer` is a `number` here), the word for it that stands in
            the place of `{type}`. Strings have a word of their own.

    Raises:
        FormatError: A template without the placeholders or texts between them, or types without a
            word.
    """

    types: tuple[tuple[str, str], ...] = field(kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        if "{type}" not in self.argument.partition("{key}")[2].partition("{value}")[0]:
            raise FormatError(
                f"an argument holds {{key}}, {{type}} and {{value}}: {self.argument!r}"
            )
        if not self.after_key or not self._after_type:
            raise FormatError(f"no text is between two of the placeholders of {self.argument!r}")
        words = dict(self.types)
        if set(words) != set(TYPES) or [*words.values()].count(words["string"]) != 1:
            raise FormatError(
                f"each type of JSON has a word, and strings one of their own: {words}"
            )

    @property
    def after_key(self) -> str:
        return self.argument.partition("{key}")[2].partition("{type}")[0]

    @property
    def _after_type(self) -> str:
        return self.argument.partition("{type}")[2].partition("{value}")[0]

    def template_of(self, value: Any) -> str:
        return self.argument.replace("{type}", dict(self.types)[type_of(value)])

    def write_value(
        self, key: str, value: Any, parameters: Schema | None, around: Surroundings
    ) -> str:
        if isinstance(value, str):
            return written_text(key, value, self.value_stops(around))
        return around.write_json(value)

    def read_value(
        self, key: str, text: Cursor, parameters: Schema, around: Surroundings, emit: Emit
    ) -> Waiting[Any]:
        start = text.at
        word = (yield from text.until(self._after_type.strip())).strip()
        if word not in dict(self.types).values():
            known = ", ".join(dict.fromkeys(dict(self.types).values()))
            text.fail(f"{word!r} is none of {known}", start)
        yield from text.literal(self._after_type)
        raw = RawText(self, text, parameters, emit)
        is_string = word == dict(self.types)["string"]
        types = types_of(schema_of_argument(parameters, key))
        is_declared = key in parameters.get("properties", {}) and bool(types)
        # The word may be wrong: the schema knows.
        if is_string and not (is_declared and "string" not in types):
            return (yield from raw.string())
        return (yield from raw.other(types))

    def argument_tree(
        self, argument: Argument, tool: Tool, trees: Trees, around: Surroundings
    ) -> Tree:
        schema = argument.schema
        types = types_of(schema)
        ways: list[Tree] = []
        for word in dict.fromkeys(word for kind, word in self.types if kind in types):
            template = self.argument.replace("{type}", word)
            kinds = [kind for kind, known in self.types if known == word and kind in types]
            if kinds == ["string"]:
                value: Tree = {"strings": schema, "stops": list(self.value_stops(around))}
            else:
                value = {"json": narrowed(schema, kinds)}
            ways.append(trees.filled(template, {"{key}": argument.key, "{value}": value}))
        if not ways:
            # The engine says that nothing satisfies the schema.
            template = self.argument.replace("{type}", "")
            ways = [trees.filled(template, {"{key}": argument.key, "{value}": {"json": schema}})]
        return either(ways)

    def template(self, around: Surroundings) -> ArgumentsTemplate:
        words = dict.fromkeys(word for _, word in self.types)
        return text_template(*(self.argument.replace("{type}", word) for word in words))
