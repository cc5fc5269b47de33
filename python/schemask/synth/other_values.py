"""Values that could stand in the place of others: what a model may mistake them for."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from schemask.chat.arguments import schema_of_argument
from schemask.core.byte_vocabulary import byte_vocabulary
from schemask.core.grammar import Grammar
from schemask.errors import Error
from schemask.schemas.validator import validator_of
from schemask.synth.validity import argument_problem
from schemask.tools import Tool

_FORMATS = {
    "date": "{day}",
    "date-time": "{day}T{hour:02}:00:00Z",
    "time": "{hour:02}:00:00Z",
    "email": "office@example.org",
    "uri": "https://example.org/{day}",
}


def same_value(one: Any) -> Any:
    """What two values have in common that mean the same: case, outer spaces and 1.0 are no matter.

    Args:
        one: A JSON value.
    """
    if isinstance(one, str):
        return one.strip().casefold()
    if isinstance(one, float) and one.is_integer():
        return int(one)
    if isinstance(one, list):
        return [same_value(item) for item in one]
    if isinstance(one, Mapping):
        return {key: same_value(inner) for key, inner in one.items()}
    return one


def other_values(
    value: Any, schema: Any, texts: Sequence[str], draw: random.Random
) -> Iterator[Any]:
    """Values of the same type, in an order that is drawn; none has been checked.

    Args:
        value: What they stand for.
        schema: The schema of it.
        texts: Texts that could be meant instead.
        draw: Where chance comes from.
    """
    choices = schema.get("enum") if isinstance(schema, dict) else None
    if isinstance(choices, list):
        yield from draw.sample(choices, len(choices))
    elif isinstance(value, bool):
        yield not value
    elif isinstance(value, (int, float)):
        near = [value + 1, value - 1, value * 10, value + 10, value * 2, -value, 0, 1]
        yield from draw.sample(near, len(near))
    elif isinstance(value, str):
        yield from _other_texts(value, texts, draw)
    elif isinstance(value, list):
        yield from _other_lists(value, schema, texts, draw)
    elif isinstance(value, dict):
        properties = schema.get("properties", {}) if isinstance(schema, dict) else {}
        for key in draw.sample(list(value), len(value)):
            for other in other_values(value[key], properties.get(key, True), texts, draw):
                yield {**value, key: other}


def _other_texts(value: str, texts: Sequence[str], draw: random.Random) -> Iterator[str]:
    if re.search(r"\d", value):
        # A date, a number, a code: one digit differs.
        places = [found.start() for found in re.finditer(r"[0-9]", value)]
        for place in draw.sample(places, len(places)):
            digit = str((int(value[place]) + draw.randint(1, 9)) % 10)
            yield value[:place] + digit + value[place + 1 :]
    yield from draw.sample(list(texts), len(texts))
    words = value.split()
    if len(words) > 1:
        left = draw.randrange(len(words))
        yield " ".join(word for place, word in enumerate(words) if place != left)
    letters = [place for place, letter in enumerate(value) if letter.isalpha()]
    if len(letters) > 2:
        left = draw.choice(letters)
        yield value[:left] + value[left + 1 :]
    yield value[: len(value) // 2].rstrip()


def _other_lists(
    value: list[Any], schema: Any, texts: Sequence[str], draw: random.Random
) -> Iterator[Any]:
    items = schema.get("items", True) if isinstance(schema, dict) else True
    for place in draw.sample(range(len(value)), len(value)):
        for other in other_values(value[place], items, texts, draw):
            yield [*value[:place], other, *value[place + 1 :]]
    if len(value) > 1:
        left = draw.randrange(len(value))
        yield [*value[:left], *value[left + 1 :]]


def made_up(
    tool: Tool, known: Mapping[str, Any], texts: Sequence[str], draw: random.Random
) -> dict[str, Any] | None:
    """Valid arguments of a tool that nobody asked for; None if none can be found.

    Args:
        tool: The tool.
        known: Arguments of another call, which a model may carry over.
        texts: Texts that could be meant.
        draw: Where chance comes from.
    """
    parameters = tool.parameters
    properties = parameters.get("properties", {})
    required = [key for key in parameters.get("required", []) if key in properties]
    try:
        made = {
            key: _fitting(schema_of_argument(parameters, key), known.get(key), texts, draw)
            for key in required
        }
    except Error:  # references that lead nowhere
        return None
    return made if argument_problem(parameters, made) is None else _shortest(parameters)


def _fitting(schema: Any, known: Any, texts: Sequence[str], draw: random.Random) -> Any:
    """A valid value, such as a person would give, else the shortest."""
    for value in (known, *(_value_of(schema, texts, draw) for _ in range(4))):
        if value is not None and validator_of(schema).problem(value) is None:
            return value
    return _shortest(schema)


def _value_of(schema: Any, texts: Sequence[str], draw: random.Random) -> Any:
    if not isinstance(schema, dict):
        return None
    for keyword in ("enum", "examples"):
        if isinstance(schema.get(keyword), list) and schema[keyword]:
            return draw.choice(schema[keyword])
    for keyword in ("const", "default"):
        if keyword in schema:
            return schema[keyword]
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = kind[0] if kind else None
    if kind in ("integer", "number"):
        return draw.randint(1, 20)
    if kind == "string" and schema.get("format") in _FORMATS:
        day, hour = f"2026-{draw.randint(1, 12):02}-{draw.randint(1, 28):02}", draw.randint(7, 20)
        return _FORMATS[schema["format"]].format(day=day, hour=hour)
    if kind == "string":
        return draw.choice(texts) if texts else "this"
    if kind == "boolean":
        return draw.random() < 0.5
    if kind == "array":
        return [_value_of(schema.get("items", {"type": "string"}), texts, draw)]
    if kind == "object":
        inner = schema.get("properties", {})
        return {
            key: _value_of(inner[key], texts, draw)
            for key in schema.get("required", [])
            if key in inner
        }
    return None


def _shortest(schema: Any) -> Any:
    """The shortest value that there is, as the engine finds it; None if it finds none."""
    try:
        grammar = Grammar.from_json_schema(schema, "compact", strict=False)
        return json.loads(grammar.compile(byte_vocabulary()).matcher().completion())
    except (Error, ValueError):
        return None
