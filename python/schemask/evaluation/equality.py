"""Whether calls are those expected: equal as JSON, once the schema's defaults are filled in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from schemask.chat import ToolCall
from schemask.evaluation.examples import shown_call
from schemask.evaluation.verdicts import ArgumentVerdict, Fault, Verdict, kind_of, matched
from schemask.schemas.pointer import resolve
from schemask.schemas.schema import Schema
from schemask.schemas.value_types import TYPES, type_of, types_of
from schemask.tools import ToolSet


@dataclass(frozen=True)
class ExpectedCalls:
    """The calls that should come, in any order.

    Arguments are right if they are equal as JSON: 1 is 1.0, and not true. An argument that is left
    out has the default that the tool's schema gives it, if it gives one.

    Attributes:
        calls: The calls.
        tools: The tools that they call.
    """

    calls: tuple[ToolCall, ...]
    tools: ToolSet

    @property
    def kind(self) -> Literal["call", "parallel"]:
        """One call, or several."""
        return "call" if len(self.calls) == 1 else "parallel"

    @property
    def shown(self) -> Any:
        """The calls."""
        return [shown_call(call.name, call.arguments) for call in self.calls]

    def compare(self, calls: Sequence[ToolCall]) -> Verdict:
        """What is said of calls.

        Args:
            calls: The calls.
        """
        return matched(self.calls, calls, [call.name for call in self.calls], self._compare)

    def _compare(
        self, number: int, wanted: ToolCall, call: ToolCall
    ) -> tuple[ArgumentVerdict, ...]:
        name = wanted.name
        if call.name != name:
            return (ArgumentVerdict(number, name, "", "tool", "tool", name, call.name),)
        parameters = self.tools[name].parameters if name in self.tools else {}
        expected = filled(wanted.arguments, parameters)
        got = filled(call.arguments, parameters)
        properties = parameters.get("properties") or {}
        verdicts = []
        for argument in dict.fromkeys([*expected, *got]):
            fault: Fault = ""
            if argument not in got:
                fault = "missing"
            elif argument not in expected:
                fault = "unexpected"
            elif not are_equal(expected[argument], got[argument]):
                same = _type(expected[argument]) == _type(got[argument])
                fault = "value" if same else "type"
            schema = _resolved(properties.get(argument), parameters)
            verdicts.append(
                ArgumentVerdict(
                    number,
                    name,
                    argument,
                    kind_of(schema),
                    fault,
                    expected.get(argument),
                    got.get(argument),
                )
            )
        return tuple(verdicts)


def filled(arguments: Mapping[str, Any], parameters: Schema) -> dict[str, Any]:
    """The arguments with the defaults of those that are left out, also inside objects and lists.

    Args:
        arguments: Plain JSON values.
        parameters: JSON Schema of the arguments.
    """
    made: dict[str, Any] = _filled(dict(arguments), parameters, parameters)
    return made


def are_equal(one: Any, other: Any) -> bool:
    """Whether two values are the same JSON value.

    Args:
        one: A JSON value.
        other: Another.
    """
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(are_equal(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        return len(one) == len(other) and all(map(are_equal, one, other))
    return bool(one == other)


def _filled(value: Any, schema: Any, document: Schema) -> Any:
    schema = _resolved(schema, document)
    if not isinstance(schema, dict):
        return value
    ways = [*(schema.get("anyOf") or []), *(schema.get("oneOf") or [])]
    fitting = [way for way in ways if _type(value) in _types(way, document)]
    if len(fitting) == 1:
        value = _filled(value, fitting[0], document)
    if isinstance(value, list) and "items" in schema:
        return [_filled(item, schema["items"], document) for item in value]
    properties = schema.get("properties")
    if not isinstance(value, dict) or not isinstance(properties, dict):
        return value
    made = {name: _filled(part, properties.get(name), document) for name, part in value.items()}
    for name, part in properties.items():
        if name not in made and isinstance(part, dict) and "default" in part:
            made[name] = _filled(part["default"], part, document)
    return made


def _resolved(schema: Any, document: Schema) -> Any:
    """What a schema refers to within the document, with what stands beside the reference."""
    seen: set[str] = set()
    while isinstance(schema, dict) and isinstance(reference := schema.get("$ref"), str):
        if reference in seen:
            break
        seen.add(reference)
        try:
            found = resolve(document, reference)[0]
        except (LookupError, ValueError):
            break
        beside = {key: value for key, value in schema.items() if key != "$ref"}
        schema = {**found, **beside} if isinstance(found, dict) else found
    return schema


def _types(schema: Any, document: Schema) -> frozenset[str]:
    schema = _resolved(schema, document)
    if isinstance(schema, dict) and schema.get("type") in TYPES:
        return frozenset({schema["type"]})
    return types_of(schema)


def _type(value: Any) -> str:
    return type_of(list(value) if isinstance(value, tuple) else value)
