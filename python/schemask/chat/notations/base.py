"""What a notation of arguments is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from schemask.chat.cursor import Cursor, Emit, Waiting
from schemask.chat.trees import Tree, Trees
from schemask.schemas.schema import Schema
from schemask.tools import Tool


class Surroundings(Protocol):
    """What a notation may know of the format that it stands in; a `FormatSpec` is one."""

    @property
    def name(self) -> str:
        """Name of the format, for errors."""

    @property
    def stops(self) -> tuple[str, ...]:
        """Texts at which a turn is over, wherever they stand."""

    @property
    def after_arguments(self) -> str:
        """The text that follows the arguments of a call."""

    def write_json(self, value: Any) -> str:
        """A value as JSON that spells no marker of the format; FormatError if there is none."""


@dataclass(frozen=True)
class ArgumentsTemplate:
    """How response templates of transformers read arguments.

    Attributes:
        body: Pattern that leads from the first argument to the text after the last one, and ends
            in `\\K`.
        content: Name of the parser of `transformers` that reads what is between.
        content_args: Its arguments.
        brackets: What that parser wants around the arguments and `FormatSpec.call` holds around
            `{arguments}`: opening and closing, or nothing.
    """

    body: str
    content: str
    content_args: Mapping[str, Any] = field(default_factory=dict)
    brackets: tuple[str, str] = ("", "")


class Notation(ABC):
    """How the arguments of a call are spelt, in the place of `{arguments}` of `FormatSpec.call`.

    A new notation is a frozen dataclass of this type in a file of its own: its fields are what
    formats choose, its methods are all that the rest asks. For arguments `a` of a tool with
    parameters `p`:

    - `read` gives `a` of what `write` wrote of it, or `write` raises FormatError;
    - what `write` wrote is a text of `grammar`, if `a` satisfies `p`;
    - `read` reads every text of `grammar`.
    """

    @property
    def python_literals(self) -> bool:
        """Whether JSON values in its grammar spell `True`, `False` and `None`."""
        return False

    @property
    def whitespace(self) -> Literal["flexible", "compact", "spaced"]:
        """How the grammar spaces JSON: an option of `Grammar`."""
        return "spaced"

    @property
    def spelling(self) -> Literal["plain", "any"]:
        """How the grammar spells strings of JSON: an option of `Grammar`."""
        return "plain"

    @property
    def opening(self) -> str:
        """Text with which the first argument begins; empty if that is its name."""
        return ""

    @property
    def closing(self) -> str:
        """Text after an argument, whose tags no JSON of the format spells."""
        return ""

    @abstractmethod
    def write(
        self, arguments: dict[str, Any], parameters: Schema | None, around: Surroundings
    ) -> str:
        """The text of arguments.

        Args:
            arguments: Plain JSON values by name, in their order.
            parameters: JSON Schema of the arguments; None if the tool is not known.
            around: The format.

        Raises:
            FormatError: The notation cannot spell them so that they are read back.
            UnsupportedSchemaError: A reference in `parameters` that leads nowhere.
        """

    @abstractmethod
    def read(
        self, text: Cursor, parameters: Schema, around: Surroundings, emit: Emit
    ) -> Waiting[dict[str, Any]]:
        """Reads arguments, up to `around.after_arguments`.

        Args:
            text: At the first character of the arguments.
            parameters: JSON Schema of the arguments; `{}` if the tool is not known.
            around: The format.
            emit: Called with pieces of the arguments as JSON, as soon as they are certain.

        Raises:
            FormatError: With the place of what is no argument.
            UnsupportedSchemaError: A reference in `parameters` that leads nowhere.
        """

    @abstractmethod
    def grammar(self, tool: Tool, trees: Trees, around: Surroundings) -> Tree:
        """The texts of the arguments that a tool's parameters allow.

        Args:
            tool: The tool.
            trees: Makes trees, and holds the rules of the grammar.
            around: The format.

        Raises:
            UnsupportedSchemaError: The notation cannot express the parameters.
        """

    @abstractmethod
    def template(self, around: Surroundings) -> ArgumentsTemplate:
        """How response templates read the arguments.

        Args:
            around: The format.

        Raises:
            FormatError: They cannot.
        """
