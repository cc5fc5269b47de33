"""Arguments as those of a call in Python."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any, Literal

from schemask.chat.arguments import Argument
from schemask.chat.cursor import Cursor, Emit, Waiting
from schemask.chat.notations.base import ArgumentsTemplate, Surroundings
from schemask.chat.notations.listed import ListedArguments
from schemask.chat.notations.strings import StringStream, read_escape
from schemask.chat.notations.values import (
    PYTHON,
    WORDS_OF_PYTHON,
    Styles,
    ValueTrees,
    read_python,
    shown,
)
from schemask.chat.texts import parts_of
from schemask.chat.trees import Tree, Trees, either
from schemask.errors import FormatError
from schemask.schemas.schema import Schema
from schemask.schemas.value_types import types_of
from schemask.tools import Tool

_NAME_CHARACTER = re.compile(r"[\w.-]")
# What follows a call in code, and no call of a format.
_INSIDE_CODE = re.compile(r"[\w)\"'.]")
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
            return shown(value)
        escapes = self._escapes
        if not escapes and ("'" in value or "\\" in value):
            raise FormatError(f"the argument {key!r} holds what ends it or is read otherwise")
        return "'" + "".join(escapes.get(character, character) for character in value) + "'"

    def read_value(
        self, key: str, text: Cursor, parameters: Schema, around: Surroundings, emit: Emit
    ) -> Waiting[Any]:
        yield from text.skip_space()
        start = text.at
        yield from text.need(1)
        value: Any
        if text.next_character and text.next_character in "\"'":
            value = yield from self._string(text, parameters, around, emit)
        else:
            end = yield from text.value_of_either()
            if end is None:
                text.fail("the value does not end", start)
            try:
                value = read_python(text.text[start:end])
            except ValueError as error:
                text.fail(f"no value: {error}", start)
            emit(json.dumps(value, ensure_ascii=False))
        yield from text.literal(self.closing)
        return value

    def _string(
        self, text: Cursor, parameters: Schema, around: Surroundings, emit: Emit
    ) -> Waiting[str]:
        """Reads a string between quotes of either kind, in which newlines may stand as they are."""
        start, quote = text.at, text.next_character
        text.at += 1
        pieces: list[str] = []
        stream = StringStream(emit)

        def add(piece: str) -> None:
            pieces.append(piece)
            stream.add(piece)

        while True:
            yield from text.passage([quote, "\\"], add)
            if text.is_over:
                text.fail("the string does not end", start)
            if text.next_character == "\\":
                add((yield from read_escape(text, quote, self._escape)))
                continue
            text.at += 1
            if (yield from self._ends_value(text, parameters, around)):
                break
            add(quote)
        stream.end()
        return "".join(pieces)

    def _escape(self, kind: str, quote: str) -> str | None:
        """What a character after a backslash says of its own; None if it says what Python says."""
        if self.strings == "json" and quote == '"':
            return kind if kind == "/" else None
        spelt = {text: character for character, text in self._escapes.items()}
        if "\\" + kind in spelt:
            return spelt["\\" + kind]
        # Where backslashes are written as they are, they begin no other escape.
        return "\\" + kind if spelt and "\\\\" not in spelt else None

    def _ends_value(self, text: Cursor, parameters: Schema, around: Surroundings) -> Waiting[bool]:
        """Whether a quote before this place ends a string, or is one that was not escaped."""
        start = text.at
        found = yield from self._goes_on(text, parameters, around)
        text.at = start
        return not found

    def _goes_on(self, text: Cursor, parameters: Schema, around: Surroundings) -> Waiting[bool]:
        """Whether what follows is no text of the format, but more of a string."""
        yield from text.skip_space()
        end = next(iter(parts_of(self.closing) or parts_of(around.after_arguments)), "")[:1]
        separator = self.separator.strip()
        if separator and (yield from text.take(separator)):
            # The name of the next argument, unless a separator stands after the last one, too.
            yield from text.skip_space()
            for name in parameters.get("properties", {}):
                if (yield from text.ahead(name + self.after_key)):
                    return False
            yield from text.run(_NAME_CHARACTER)
            yield from text.skip_space()
            is_named = yield from text.ahead(self.after_key.strip()[:1])
            return not (is_named or text.is_over or (yield from text.ahead(end)))
        if text.is_over:
            return False
        if not (end and (yield from text.take(end))):
            return True
        yield from text.skip_space()
        yield from text.need(1)
        return bool(_INSIDE_CODE.match(text.next_character))

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
        return either(ways)

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


def _dumps(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
