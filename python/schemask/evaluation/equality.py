"""Whether calls are those expected: equal as JSON, once the schema's defaults are filled in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from schemask.chat import ToolCall
from schemask.evaluation.examples import shown_call
from schemask.evaluation.verdicts import ArgumentVerdict, Fault, Verdict, kind_of, matched
from schemask.schemas.equal_values import are_equal, filled, resolved, type_of_value
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
                same = type_of_value(expected[argument]) == type_of_value(got[argument])
                fault = "value" if same else "type"
            schema = resolved(properties.get(argument), parameters)
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
