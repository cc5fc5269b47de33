"""What is said of one answer of a model: its outcome, and each argument of its calls."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias, TypeVar

from schemask.chat import ToolCall
from schemask.schemas.schema import Schema

OUTCOMES = ("right", "wrong", "malformed", "no_call", "failed")
EvalOutcome: TypeAlias = Literal["right", "wrong", "malformed", "no_call", "failed"]
ExpectedKind: TypeAlias = Literal["call", "parallel", "any_call", "words", "ask", "cannot"]
Fault: TypeAlias = Literal["", "tool", "missing", "unexpected", "type", "value"]


@dataclass(frozen=True)
class ArgumentVerdict:
    """One argument of an expected call, beside what the model wrote.

    Attributes:
        call: Which of the expected calls, from 0; of a call too many, their number and on.
        tool: The tool of that call.
        argument: The name of the argument; empty where the tool itself is at fault.
        kind: The type that the tool's schema gives the argument, "choice" for one of an `enum`, or
            "tool".
        fault: "" if it is right; "tool" (another tool was called, or none), "missing",
            "unexpected", "type" or "value".
        expected: What would have been right; of BFCL, a list of all that would have been.
        got: What the model wrote, if it did.
    """

    call: int
    tool: str
    argument: str
    kind: str
    fault: Fault = ""
    expected: Any = None
    got: Any = None


@dataclass(frozen=True)
class Verdict:
    """What is said of an answer.

    Attributes:
        outcome: "right", "wrong", "malformed", "no_call", or "failed" if there was no answer.
        problem: What is wrong, in words.
        arguments: All arguments of the calls that were expected.
    """

    outcome: EvalOutcome
    problem: str = ""
    arguments: tuple[ArgumentVerdict, ...] = ()


class Expectation(Protocol):
    """What should come of a request."""

    @property
    def kind(self) -> ExpectedKind:
        """ "call", "parallel", "any_call"; or "words", "ask", "cannot", where no call is right."""

    @property
    def shown(self) -> Any:
        """What should come, as JSON for people to read."""

    def compare(self, calls: Sequence[ToolCall]) -> Verdict:
        """What is said of calls, at least one, of which none was looked at yet.

        Args:
            calls: The calls.

        Returns:
            A verdict that is "right" or "wrong".
        """


Expected = TypeVar("Expected")
Comparison: TypeAlias = Callable[[int, Expected, ToolCall], tuple[ArgumentVerdict, ...]]


def matched(
    expected: Sequence[Expected],
    calls: Sequence[ToolCall],
    names: Sequence[str],
    compare: Comparison[Expected],
) -> Verdict:
    """The verdict on calls that may come in any order.

    Each expected call takes the first call that is right and not taken. What is left over is paired
    so that a call of the same tool with few faults is compared.

    Args:
        expected: The expected calls.
        calls: The calls.
        names: The tools of the expected calls.
        compare: Compares one expected call, with its number, with a call.
    """
    verdicts: dict[int, tuple[ArgumentVerdict, ...]] = {}
    left = dict(enumerate(calls))
    for number, wanted in enumerate(expected):
        for place, call in left.items():
            found = compare(number, wanted, call)
            if not any(verdict.fault for verdict in found):
                verdicts[number] = found
                del left[place]
                break
    for number, wanted in enumerate(expected):
        if number in verdicts or not left:
            continue
        compared = {place: compare(number, wanted, call) for place, call in left.items()}

        def distance(place: int, compared: Any = compared, name: str = names[number]) -> Any:
            faults = sum(bool(verdict.fault) for verdict in compared[place])
            return left[place].name != name, faults

        best = min(compared, key=distance)
        verdicts[number] = compared[best]
        del left[best]
    arguments = [verdict for number in sorted(verdicts) for verdict in verdicts[number]]
    for number, name in enumerate(names):
        if number not in verdicts:
            arguments.append(ArgumentVerdict(number, name, "", "tool", "tool", name))
    for extra, call in enumerate(left.values(), start=len(expected)):
        arguments.append(ArgumentVerdict(extra, call.name, "", "tool", "tool", None, call.name))
    faults = [verdict for verdict in arguments if verdict.fault]
    if not faults:
        return Verdict("right", "", tuple(arguments))
    if len(calls) != len(expected):
        return Verdict("wrong", f"{len(calls)} calls, not {len(expected)}", tuple(arguments))
    return Verdict("wrong", _words(faults[0]), tuple(arguments))


def _words(verdict: ArgumentVerdict) -> str:
    if verdict.fault == "tool":
        return f"calls {verdict.got}, not {verdict.expected}"
    place = f"{verdict.argument} of {verdict.tool}"
    if verdict.fault in ("missing", "unexpected"):
        return f"{place} is {verdict.fault}"
    return f"{place} is of another {verdict.fault}"


def kind_of(schema: Any) -> str:
    """The word for what a schema of an argument allows: its type, "choice" or "any"."""
    if not isinstance(schema, dict):
        return "any"
    if "enum" in schema or "const" in schema:
        return "choice"
    kind: Any = schema.get("type")
    if isinstance(kind, str):
        return kind
    ways: list[Schema] = [*(schema.get("anyOf") or []), *(schema.get("oneOf") or [])]
    kinds = {kind_of(way) for way in ways} if ways else set(kind if kind else ())
    kinds.discard("null")
    return kinds.pop() if len(kinds) == 1 else "any"
