"""Arguments as those of a call in Python."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from schemask.chat.arguments import Argument
from schemask.chat.cursor import Cursor, Waiting
from schemask.chat.notations.base import ArgumentsTemplate, Surroundings
from schemask.chat.notations.listed import ListedArguments, read_filled
from schemask.chat.notations.values import (
    PYTHON,
    PYTHON_LITERALS,
    WORDS_OF_PYTHON,
    Styles,
    ValueTrees,
    read_python,
)
from schemask.chat.trees import Tree, Trees
from schemask.errors import FormatError
from schemask.schemas.schema import Schema
from schemask.schemas.value_types import types_of
from schemask.tools import Tool

_LITERALS = {None: "None", True: "True", False: "False"}
_QUOTES_ESCAPED = (("\\", "\\\\"), ("'", "\\'"))


@dataclass(frozen=True)
class PythonArguments(ListedArguments):
    """Arguments one by one, as keyword arguments of a call.

    What is read may be spelt in any of these ways.

    Attributes:
        argument: Text of an argument, with `{key}` and then `{value}` in it.
        separator: Text between two arguments.
        strings: How strings are spelt. `"json"`: as JSON, and so are all values, but for `True`,
            `False` and `None` at any depth, unless `styles` spells those as JSON; `"python"`: as
            Python shows them; `"quotes"`: between apostrophes, with `escapes`; `"none"`: between
            apostrophes as they are, so that those that hold one cannot be written.
        styles: How other values are spelt, unless strings are spelt as JSON.
        escapes: Of `"quotes"`, the characters that strings spell otherwise, and how.

    Raises:
        FormatError: A template without `{key}` and then `{value}`.
    """

    strings: Literal["json", "python", "quotes", "none"] = "json"
    styles: Styles = field(default=WORDS_OF_PYTHON)
    escapes: tuple[tuple[str, str], ...] = _QUOTES_ESCAPED

    @property
    def _escapes(self) -> dict[str, str]:
        """How strings between apostrophes spell characters."""
        return dict(self.escapes) if self.strings == "quotes" else {}

    @property
    def python_literals(self) -> bool:
        return self.strings == "json" and self.styles.literals == "python"

    def write_value(
        self, key: str, value: Any, parameters: Schema | None, around: Surroundings
    ) -> str:
        if self.strings == "json":
            return _written(value) if self.python_literals else _dumps(value)
        if not isinstance(value, str):
            return self.styles.write(value) or around.write_json(value)
        if self.strings == "python":
            return repr(value)
        escapes = self._escapes
        if not escapes and ("'" in value or "\\" in value):
            raise FormatError(f"the argument {key!r} holds what ends it or is read otherwise")
        return "'" + "".join(escapes.get(character, character) for character in value) + "'"

    def read_argument(self, text: Cursor, parameters: Schema) -> Waiting[tuple[str, Any]]:
        def read_value(key: str, closing: str) -> Waiting[Any]:
            yield from text.skip_space()
            start = text.at
            end = yield from text.value_of_either()
            try:
                return _read(text.text[start:end])
            except ValueError as error:
                text.fail(f"no value: {error}", start)

        return (yield from read_filled(text, self.argument, read_value))

    def argument_tree(
        self, argument: Argument, tool: Tool, trees: Trees, around: Surroundings
    ) -> Tree:
        return trees.filled(
            self.argument,
            {"{key}": argument.key, "{value}": self._value_tree(argument, tool, trees)},
        )

    def _value_tree(self, argument: Argument, tool: Tool, trees: Trees) -> Tree:
        schema = argument.schema
        types = types_of(schema)
        if self.strings == "json" or not types:
            return {"json": schema}
        ways: list[Tree] = []
        if "string" in types:
            ways.append(self._string_tree(schema, tool, trees))
        others = sorted(types - {"string"})
        root, path = tool.parameters, argument.path
        if tree := self.styles.tree(schema, others, root, path, trees, tool.name):
            ways.append(tree)
        return ways[0] if len(ways) == 1 else {"any": ways}

    def _string_tree(self, schema: Any, tool: Tool, trees: Trees) -> Tree:
        if self.strings == "python":
            return ValueTrees(tool.parameters, tool.name, PYTHON, (), trees).string(schema)
        strings: dict[str, Any] = {"strings": schema, "stops": []}
        if escapes := self._escapes:
            strings["escapes"] = escapes
        else:
            strings["stops"] += ["'", "\\"]
        return {"all": ["'", strings, "'"]}

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
    """The value of a literal.

    Raises:
        ValueError: It is none.
    """
    words: Mapping[str, str] = {python: word for word, python in PYTHON_LITERALS.items()}
    pattern = r'"(?:[^"\\]|\\.)*"|True|False|None'
    as_json = re.sub(pattern, lambda found: words.get(found[0], found[0]), text)
    try:
        return read_python(as_json)
    except ValueError:
        # A newline inside a string is none of Python's, but some templates write it.
        if not text.startswith("'"):
            return read_python(text)
        return _unescaped(text[1:-1])


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", lambda found: found[1], text, flags=re.S)


def _dumps(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
