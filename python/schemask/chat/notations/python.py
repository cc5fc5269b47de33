"""Arguments as those of a call in Python."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, ClassVar

from schemask.chat.arguments import Argument
from schemask.chat.cursor import Cursor, Waiting
from schemask.chat.messages import DECODER
from schemask.chat.notations.base import ArgumentsTemplate, Surroundings
from schemask.chat.notations.listed import ListedArguments, read_filled
from schemask.chat.trees import Tree, Trees
from schemask.errors import FormatError
from schemask.schemas.schema import Schema

_LITERALS = {None: "None", True: "True", False: "False"}


@dataclass(frozen=True)
class PythonArguments(ListedArguments):
    """Arguments one by one, as JSON with `True`, `False` and `None`.

    Attributes:
        argument: Text of an argument, with `{key}` and then `{value}` in it.
        separator: Text between two arguments.

    Raises:
        FormatError: A template without `{key}` and then `{value}`.
    """

    python_literals: ClassVar[bool] = True

    def write_value(
        self, key: str, value: Any, parameters: Schema | None, around: Surroundings
    ) -> str:
        return _written(value)

    def read_argument(self, text: Cursor, parameters: Schema) -> Waiting[tuple[str, Any]]:
        def read_value(key: str, closing: str) -> Waiting[Any]:
            start, end = yield from text.value()
            try:
                return _read(text.text[start:end])
            except (ValueError, RecursionError) as error:
                text.fail(f"no value: {error}", start)

        return (yield from read_filled(text, self.argument, read_value))

    def argument_tree(self, argument: Argument, trees: Trees, around: Surroundings) -> Tree:
        value = {"json": argument.schema}
        return trees.filled(self.argument, {"{key}": argument.key, "{value}": value})

    def template(self, around: Surroundings) -> ArgumentsTemplate:
        raise FormatError(f"{around.name}: response templates cannot read values of Python")


def _written(value: Any) -> str:
    """A JSON value as a literal of Python, with strings as in JSON."""
    if isinstance(value, dict):
        members = (f"{_dumps(str(key))}: {_written(inner)}" for key, inner in value.items())
        return "{" + ", ".join(members) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_written, value)) + "]"
    return _LITERALS[value] if value is None or isinstance(value, bool) else _dumps(value)


def _read(text: str) -> Any:
    """The value of a literal that `_written` writes.

    Raises:
        ValueError: It is none.
    """
    words = {"True": "true", "False": "false", "None": "null"}
    pattern = r'"(?:[^"\\]|\\.)*"|True|False|None'
    return DECODER.decode(re.sub(pattern, lambda found: words.get(found[0], found[0]), text))


def _dumps(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
