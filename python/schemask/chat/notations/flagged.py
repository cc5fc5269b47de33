"""Arguments one by one, with strings as they are: the text says whether a value is a string."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from schemask.chat.arguments import Argument
from schemask.chat.cursor import Cursor, Waiting
from schemask.chat.notations.base import ArgumentsTemplate, Surroundings
from schemask.chat.notations.listed import ListedArguments, check_template
from schemask.chat.notations.raw import text_template, written_text
from schemask.chat.texts import common_start
from schemask.chat.trees import Tree, Trees, narrowed
from schemask.errors import FormatError
from schemask.schemas.schema import Schema
from schemask.schemas.value_types import types_of


@dataclass(frozen=True)
class FlaggedArguments(ListedArguments):
    """Arguments one by one; strings as they are in one template, other values as JSON in another.

    Attributes:
        argument: Text of an argument that is no string, with `{key}` and then `{value}` in it.
        separator: Text between two arguments.
        string: Text of an argument that is a string. It differs from `argument` between key and
            value alone, and not from the first character on.

    Raises:
        FormatError: A template without `{key}` and then `{value}`, or two with nothing in common
            after the key.
    """

    string: str = field(kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_template(self.string)
        if not self.after_key:
            raise FormatError(f"nothing ends the key in {self.string!r} as in {self.argument!r}")

    @property
    def after_key(self) -> str:
        return common_start(*self._middles)

    @property
    def _middles(self) -> tuple[str, str]:
        """Text between key and value, of a string and of another value."""
        string, other = (
            template.partition("{key}")[2].partition("{value}")[0]
            for template in (self.string, self.argument)
        )
        return string, other

    def template_of(self, value: Any) -> str:
        return self.string if isinstance(value, str) else self.argument

    def write_value(
        self, key: str, value: Any, parameters: Schema | None, around: Surroundings
    ) -> str:
        if isinstance(value, str):
            return written_text(key, value, self.value_stops(around))
        return around.write_json(value)

    def read_argument(self, text: Cursor, parameters: Schema) -> Waiting[tuple[str, Any]]:
        string, other = self._middles
        yield from text.literal(self.argument.partition("{key}")[0])
        key = yield from text.until(self.after_key)
        is_string = yield from text.ahead(string)
        yield from text.exactly(string if is_string else other)
        value: Any
        if is_string:
            value = yield from text.until(self.closing)
        else:
            value = text.decoded(*(yield from text.value()))
        yield from text.literal(self.closing)
        return key, value

    def argument_tree(self, argument: Argument, trees: Trees, around: Surroundings) -> Tree:
        schema = argument.schema
        types = types_of(schema)
        ways: list[Tree] = []

        def allow(template: str, value: Tree) -> None:
            ways.append(trees.filled(template, {"{key}": argument.key, "{value}": value}))

        if "string" in types:
            allow(self.string, {"strings": schema, "stops": list(self.value_stops(around))})
        others = sorted(types - {"string"})
        if others or not ways:
            allow(self.argument, {"json": narrowed(schema, others) if ways else schema})
        return ways[0] if len(ways) == 1 else {"any": ways}

    def template(self, around: Surroundings) -> ArgumentsTemplate:
        return text_template(self.argument, self.string)
