"""What the notations have in common that write arguments one by one, each by a template."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from schemask.chat.arguments import Argument, declared_arguments, refuse
from schemask.chat.cursor import Cursor, Emit, Waiting
from schemask.chat.notations.base import Notation, Surroundings
from schemask.chat.texts import PLACEHOLDER, filled, pieces_of
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

    def value_stops(self, around: Surroundings) -> tuple[str, ...]:
        """Texts that strings do not hold where they are written without quotes.

        Args:
            around: The format.
        """
        return tuple(dict.fromkeys((self.closing, self.closing.strip(), *around.stops)))

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
        opening = PLACEHOLDER.split(self.argument)[0].strip()
        separator = self.separator.strip()
        while True:
            yield from text.skip_space()
            if opening:
                if not (yield from text.ahead(opening)):
                    break
            elif (yield from text.ahead(around.after_arguments.strip())):
                break
            if separator and arguments and not (yield from text.take(separator)):
                text.fail(f"{separator} is missing")
            start = text.at
            key, value = yield from self.read_argument(text, parameters)
            if key in arguments:
                text.fail(f"the argument {key!r} comes twice", start)
            text.check(value, start, around.write_json)
            before = ", " if arguments else "{"
            arguments[key] = value
            emit(f"{before}{around.write_json(key)}: {around.write_json(value)}")
        emit("}" if arguments else "{}")
        return arguments

    @abstractmethod
    def read_argument(self, text: Cursor, parameters: Schema) -> Waiting[tuple[str, Any]]:
        """Reads one argument: its name and its value.

        Args:
            text: At the first character of the argument.
            parameters: JSON Schema of all arguments; `{}` if the tool is not known.

        Raises:
            FormatError: With the place of what is no argument.
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


def read_filled(
    text: Cursor, template: str, read_value: Callable[[str, str], Waiting[Any]]
) -> Waiting[tuple[str, Any]]:
    """Reads name and value of an argument that was written by a template.

    Args:
        text: At the beginning of the template.
        template: The template.
        read_value: Reads the value, by the name of the argument and the text after the value.
    """
    pieces = pieces_of(template)
    key, value = "", None
    for piece, following in zip(pieces, [*pieces[1:], ""], strict=True):
        if piece == "{key}":
            key = (yield from text.until(following)).strip()
        elif piece == "{value}":
            value = yield from read_value(key, following)
        else:
            yield from text.literal(piece)
    return key, value
