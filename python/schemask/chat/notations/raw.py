"""Arguments one by one, with strings as they are: the schema tells strings from other values."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from schemask import _native
from schemask.chat.arguments import Argument, schema_of_argument
from schemask.chat.cursor import Cursor, Emit, Waiting
from schemask.chat.notations.base import ArgumentsTemplate, Surroundings
from schemask.chat.notations.listed import ListedArguments
from schemask.chat.notations.strings import StringStream
from schemask.chat.notations.values import Styles, read_python
from schemask.chat.patterns import loosely, possibly
from schemask.chat.texts import TAG, common_start
from schemask.chat.trees import Tree, Trees, either, narrowed
from schemask.errors import FormatError, GrammarError, SchemaError
from schemask.schemas.schema import Schema
from schemask.schemas.value_types import type_of, types_of
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

    @property
    def following_argument(self) -> str:
        return f"\n{self.opening}" if TAG.match(f"{self.opening}>") else ""

    def value_stops(self, around: Surroundings) -> tuple[str, ...]:
        return (*super().value_stops(around), *filter(None, [self.following_argument]))

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

    def read_value(
        self, key: str, text: Cursor, parameters: Schema, around: Surroundings, emit: Emit
    ) -> Waiting[Any]:
        types = types_of(schema_of_argument(parameters, key))
        raw = RawText(self, text, parameters, emit)
        if self.cdata and (yield from text.take(CDATA[0])):
            return (yield from raw.section())
        if "string" in types:
            return (yield from raw.string(types - {"string"}))
        return (yield from raw.other(types))

    def argument_tree(
        self, argument: Argument, tool: Tool, trees: Trees, around: Surroundings
    ) -> Tree:
        ways = list(self._ways(argument, tool, trees, around))
        value = either(ways)
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
                if is_possible(marked):
                    yield {"all": [CDATA[0], marked, CDATA[1]]}
        root, path = tool.parameters, argument.path
        tree = self.styles.tree(schema, others, root, path, trees, tool.name)
        if tree is not None:
            yield tree
        elif not types:
            yield {"json": schema}  # the engine says that nothing satisfies it

    def template(self, around: Surroundings) -> ArgumentsTemplate:
        if self.cdata or "python" in (self.styles.arrays, self.styles.objects):
            what = "sections of XML" if self.cdata else "values of Python"
            raise FormatError(f"{around.name}: response templates cannot read {what}")
        return text_template(self.argument)


def is_possible(tree: Tree) -> bool:
    """Whether a tree of strings allows any: that none of a list needs a section is no error."""
    text = json.dumps({"start": tree, "rules": {}})
    try:
        _native.Grammar.from_tree(text, "spaced", "any", "plain", False, False, {})
    except (SchemaError, GrammarError) as error:
        if "nothing satisfies" in str(error) or "no text satisfies" in str(error):
            return False
        raise
    return True


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


class RawText:
    """Reads a value without quotes, and the text after it.

    Args:
        notation: How arguments are spelt.
        text: At the value.
        parameters: JSON Schema of all arguments.
        emit: Called with pieces of the value as JSON.
    """

    def __init__(
        self, notation: ListedArguments, text: Cursor, parameters: Schema, emit: Emit
    ) -> None:
        self._text = text
        self._emit = emit
        closing = notation.closing
        core = closing.strip()
        self._core = core or closing
        self._before = closing[: closing.index(core)]
        self._after = closing[len(closing.rstrip()) :] if core else ""
        self._start = notation.following_argument
        names = parameters.get("properties", {}) if self._start else {}
        self._following = [f"{self._start}{name}{notation.after_key.strip()}" for name in names]

    def string(self, others: frozenset[str] = frozenset()) -> Waiting[Any]:
        """A string, or a value of another of some types where its text looks like one."""
        text, start = self._text, self._text.at
        if others & {"array", "object"}:
            yield from text.need(1)
            if _NESTED.get(text.next_character) in others:
                found = yield from self._nested()
                if found is not _NOTHING:
                    return self._whole(found)
                text.at = start
        stream = StringStream(self._emit, bool(others))
        raw = yield from self._raw(
            lambda piece: stream.add(piece, lambda so_far: _may_look_like(so_far, others))
        )
        if not stream.has_begun and _looks_like(raw, others):
            found = _decoded(raw)
            if found is not _NOTHING:
                return self._whole(found)
        stream.end()
        return raw

    def section(self) -> Waiting[str]:
        """A string that stands in a section of XML which has been opened."""
        text = self._text
        stream = StringStream(self._emit)
        pieces: list[str] = []

        def add(piece: str) -> None:
            pieces.append(piece)
            stream.add(piece)

        yield from text.passage([CDATA[1]], add)
        yield from text.exactly(CDATA[1])
        yield from text.literal(self._core)
        yield from text.take_space(self._after)
        stream.end()
        return "".join(pieces)

    def other(self, types: frozenset[str]) -> Waiting[Any]:
        """A value that is no string, or is one if it can be nothing else.

        Args:
            types: The types that it should have.
        """
        text, start = self._text, self._text.at
        yield from text.need(1)
        found: Any = _NOTHING
        if text.next_character and text.next_character in '[{"':
            found = yield from self._nested()
        if found is _NOTHING:
            text.at = start
            raw = yield from self._raw(lambda piece: None)
            found = _decoded(raw)
            if found is _NOTHING or ("string" in types and type_of(found) not in types):
                found = raw
        return self._whole(found)

    def _nested(self) -> Waiting[Any]:
        """A value whose strings may hold the text that ends it, and that text."""
        text, start = self._text, self._text.at
        end = yield from text.value_of_either([self._core])
        if end is None or not (yield from text.take_any([self._core])):
            return _NOTHING
        yield from text.take_space(self._after)
        return _decoded(text.text[start:end])

    def _whole(self, value: Any) -> Any:
        self._emit(json.dumps(value, ensure_ascii=False))
        return value

    def _raw(self, emit: Emit) -> Waiting[str]:
        """The text of a value, passed on in pieces; the place is then after what follows it."""
        text = self._text
        pieces: list[str] = []

        def add(piece: str) -> None:
            pieces.append(piece)
            emit(piece)

        stops = list(dict.fromkeys([self._before + self._core, self._core]))
        stops += [self._start] if self._start else []
        while True:
            yield from text.passage(stops, add)
            if text.is_over:
                text.fail(f"{self._core.strip()} is missing")
            if (yield from text.take(self._before + self._core)) or (
                yield from text.take(self._core)
            ):
                yield from text.take_space(self._after)
                return "".join(pieces)
            for following in self._following:
                if (yield from text.ahead(following)):
                    return "".join(pieces)
            # It only looks like the next argument.
            add(self._start)
            text.at += len(self._start)


_NESTED = {"[": "array", "{": "object"}
_NOTHING: Any = object()


def _decoded(raw: str) -> Any:
    try:
        return read_python(raw.strip())
    except ValueError:
        return _NOTHING


def _may_look_like(text: str, types: frozenset[str]) -> bool:
    """Whether a text may go on to be taken for a JSON value of one of these types."""
    if _NESTED.get(text[:1]) in types:
        return True
    words = ("null", "None", "true", "false", "True", "False")
    return bool(re.fullmatch(r"[-+.eE0-9]*", text)) or any(word.startswith(text) for word in words)
