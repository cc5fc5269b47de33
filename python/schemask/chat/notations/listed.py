"""What the notations have in common that write arguments one by one, each by a template."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any

from schemask.chat.arguments import Argument, declared_arguments, refuse
from schemask.chat.cursor import Cursor, Emit, Waiting
from schemask.chat.notations.base import Notation, Surroundings
from schemask.chat.texts import PLACEHOLDER, TAG, filled, parts_of
from schemask.chat.trees import Tree, Trees
from schemask.errors import FormatError
from schemask.schemas.schema import Schema
from schemask.tools import Tool


@dataclass(frozen=True)
class ListedArguments(Notation):
    """Arguments one by one.

    Attributes:
        argument: Text of an argument, with `{key}` and then `{value}` in it.
        separator: Text between two arguments.

    Raises:
        FormatError: A template without `{key}` and then `{value}`.
    """

    argument: str
    separator: str = ""

    def __post_init__(self) -> None:
        check_template(self.argument)

    @property
    def opening(self) -> str:
        return self.argument.partition("{key}")[0].strip()

    @property
    def closing(self) -> str:
        return self.argument.partition("{value}")[2]

    @property
    def after_key(self) -> str:
        """Text between the name of any argument and its value."""
        return self.argument.partition("{key}")[2].partition("{value}")[0]

    @property
    def following_argument(self) -> str:
        """Text with which the next argument begins where models write no `closing` before it;
        empty if they do not."""
        return ""

    def value_stops(self, around: Surroundings) -> tuple[str, ...]:
        """Texts that strings do not hold where they are written without quotes.

        Args:
            around: The format.
        """
        return tuple(
            dict.fromkeys(filter(None, (self.closing, self.closing.strip(), *around.stops)))
        )

    def carries_key(self, key: str, around: Surroundings) -> bool:
        """Whether the name of an argument is read back as it is written.

        Args:
            key: The name.
            around: The format.
        """
        head = self.argument.partition("{key}")[0]
        # Without a text before it, a name must not begin like the end of all arguments.
        end = around.after_arguments.strip()
        return (
            key == key.strip()
            and (key + self.after_key).find(self.after_key) == len(key)
            and self._end_of_key not in key
            and not any(mark and mark in key for mark in (self.closing.strip(), self.opening))
            and not (end and not head.strip() and key.startswith(end))
            and not any(stop in key for stop in around.stops)
        )

    def write(
        self, arguments: dict[str, Any], parameters: Schema | None, around: Surroundings
    ) -> str:
        written = []
        for key, value in arguments.items():
            if not self.carries_key(key, around):
                raise FormatError(f"the key {key!r} could not be told from what is around it")
            text = self.write_value(key, value, parameters, around)
            written.append(filled(self.template_of(value), {"{key}": key, "{value}": text}))
        return self.separator.join(written)

    def template_of(self, value: Any) -> str:
        """The template by which an argument with this value is written.

        Args:
            value: A plain JSON value.
        """
        return self.argument

    @abstractmethod
    def write_value(
        self, key: str, value: Any, parameters: Schema | None, around: Surroundings
    ) -> str:
        """What stands for `{value}` in the text of an argument.

        Args:
            key: The name of the argument.
            value: A plain JSON value.
            parameters: JSON Schema of all arguments; None if the tool is not known.
            around: The format.

        Raises:
            FormatError: The notation cannot spell the value so that it is read back.
            UnsupportedSchemaError: A reference in `parameters` that leads nowhere.
        """

    def read(
        self, text: Cursor, parameters: Schema, around: Surroundings, emit: Emit
    ) -> Waiting[dict[str, Any]]:
        arguments: dict[str, Any] = {}
        separator = self.separator.strip()
        while True:
            yield from text.skip_space()
            if (yield from self._is_over(text, around)):
                break
            if separator and arguments:
                if not (yield from text.take(separator)):
                    text.fail(f"{separator} is missing")
                yield from text.skip_space()
                if (yield from self._is_over(text, around)):
                    break
            start = text.at
            yield from text.literal(PLACEHOLDER.split(self.argument)[0])
            key = yield from self._key(text, parameters)
            if key in arguments:
                text.fail(f"the argument {key!r} comes twice", start)
            emit(f"{', ' if arguments else '{'}{around.write_json(key)}: ")
            value = yield from self.read_value(key, text, parameters, around, emit)
            text.check(value, start, around.write_json)
            arguments[key] = value
        emit("}" if arguments else "{}")
        return arguments

    def _is_over(self, text: Cursor, around: Surroundings) -> Waiting[bool]:
        """Whether no further argument comes."""
        if self.opening:
            opening = parts_of(self.opening)[0]
            return not (yield from text.ahead(opening))
        end = next(iter(parts_of(around.after_arguments)), "")
        return bool(end) and (yield from text.ahead(end[:1]))

    def _key(self, text: Cursor, parameters: Schema) -> Waiting[str]:
        """The name of an argument; the place is then after the text that follows it."""
        start = text.at
        key = (yield from text.until(self._end_of_key)).strip()
        yield from text.literal(self.after_key)
        around_values = [self.closing.strip(), self.opening]
        if any(mark and mark in key for mark in around_values):
            text.fail(f"{self._end_of_key} is missing", start)
        return key

    @property
    def _end_of_key(self) -> str:
        """The first tag after a name, or else all that is between it and its value."""
        core = self.after_key.strip()
        found = TAG.match(core)
        return found[0] if found else core or self.after_key

    @abstractmethod
    def read_value(
        self, key: str, text: Cursor, parameters: Schema, around: Surroundings, emit: Emit
    ) -> Waiting[Any]:
        """Reads the value of an argument, and the text after it.

        Args:
            key: The name of the argument.
            text: At what follows the text between the name and the value.
            parameters: JSON Schema of all arguments; `{}` if the tool is not known.
            around: The format.
            emit: Called with pieces of the value as JSON, as soon as they are certain.

        Raises:
            FormatError: With the place of what is no value.
            UnsupportedSchemaError: A reference in `parameters` that leads nowhere.
        """

    def grammar(self, tool: Tool, trees: Trees, around: Surroundings) -> Tree:
        arguments = declared_arguments(tool.parameters)
        written = []
        for argument in arguments:
            if not self.carries_key(argument.key, around):
                what = " (it could not be told from what is around it)"
                refuse(argument.path[:-1], argument.key, what)
            written.append(self.argument_tree(argument, tool, trees, around))
        required = [argument.required for argument in arguments]
        return trees.separated(written, required, self.separator)

    @abstractmethod
    def argument_tree(
        self, argument: Argument, tool: Tool, trees: Trees, around: Surroundings
    ) -> Tree:
        """The texts of one argument that its schema allows.

        Args:
            argument: The argument.
            tool: The tool of whose calls it is one.
            trees: Makes trees, and holds the rules of the grammar.
            around: The format.

        Raises:
            UnsupportedSchemaError: The notation cannot express the schema.
        """


def check_template(argument: str) -> None:
    """Raises FormatError for a template that does not say where name and value stand."""
    if "{value}" not in argument.partition("{key}")[2]:
        raise FormatError(f"an argument holds {{key}} and then {{value}}, unlike {argument!r}")
