"""What may be expensive, and ways to write it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from schemask import Grammar

Kind = Literal["schema", "pattern", "search", "gbnf", "lark"]
Source = str | Callable[[], str]


@dataclass(frozen=True)
class Case:
    """What may be expensive.

    Attributes:
        name: `<group>: <kind>`, with its size.
        kind: The notation of the source.
        source: The text, or what makes it: some are long.
        text: One to be read, if the case has one.
    """

    name: str
    kind: Kind
    source: Source
    text: str = ""

    def written(self) -> str:
        return self.source if isinstance(self.source, str) else self.source()

    def grammar(self) -> Grammar:
        """The grammar, read anew."""
        source = self.written()
        if self.kind == "schema":
            return Grammar.from_json_schema(source)
        if self.kind == "gbnf":
            return Grammar.from_gbnf(source)
        if self.kind == "lark":
            return Grammar.from_lark(source)
        return Grammar.from_regex(source, search=self.kind == "search")


def schema_case(name: str, schema: Any) -> Case:
    return Case(name, "schema", json.dumps(schema))


def repeated(part: str, count: int, before: str = "", after: str = "") -> Callable[[], str]:
    """A source that repeats a part, made when it is needed."""
    return lambda: before + part * count + after


def joined(
    separator: str, count: int, part: Callable[[int], str], before: str = "", after: str = ""
) -> Callable[[], str]:
    """A source of numbered parts, made when it is needed."""
    return lambda: before + separator.join(part(i) for i in range(count)) + after


def nested_in(
    opening: str, inner: str, closing: str, depth: int, before: str = ""
) -> Callable[[], str]:
    """A source of brackets in each other, made when it is needed."""
    return lambda: before + opening * depth + inner + closing * depth


def next_rule(body: str, number: int) -> str:
    """The body of a rule that names the one after it, as `{0}`."""
    return body.format(f"r{number + 1}")


def letter(number: int) -> str:
    """The letter with a number, from a."""
    return chr(ord("a") + number)


def string_schema(**keywords: Any) -> dict[str, Any]:
    return {"type": "string", **keywords}


WORDS = ("foo", "bar", "baz", "qux", "quux", "corge", "grault", "garply")
ALPHABET = "abcdefghijklmnopqrstuvwxyz"
PROSE = "some text here for fooling bart"
