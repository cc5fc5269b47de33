"""What a turn that is being written brings, piece by piece."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

from schemask.chat.messages import ParsedTurn, ToolCall
from schemask.errors import FormatError, shortened


@dataclass(frozen=True)
class Text:
    """Words to the user.

    Attributes:
        text: More of them; never empty.
    """

    text: str


@dataclass(frozen=True)
class Reasoning:
    """Text of the reasoning block.

    Attributes:
        text: More of it; never empty.
    """

    text: str


@dataclass(frozen=True)
class CallStarted:
    """The name of a call is known.

    Attributes:
        index: Which call of the turn it is, counted from 0.
        name: The name as the model wrote it; no tool need have it.
    """

    index: int
    name: str


@dataclass(frozen=True)
class ArgumentDelta:
    """More of the arguments of a call: the deltas of a call make one JSON text.

    Attributes:
        index: Which call of the turn it is, counted from 0.
        text: The piece of JSON; never empty.
    """

    index: int
    text: str


@dataclass(frozen=True)
class CallFinished:
    """A call is complete.

    Attributes:
        index: Which call of the turn it is, counted from 0.
        call: The call, of which nothing is validated.
    """

    index: int
    call: ToolCall


@dataclass(frozen=True)
class CallFailed:
    """What looks like a call cannot be read. What follows it can be.

    Attributes:
        index: Which call of the turn it is, counted from 0. It may have started, and may have had
            deltas.
        text: All of it, as the model wrote it.
        problem: What is wrong with it, and where.
        line: Line of the turn where that is, counted from 1.
        column: Column of that line, counted from 1.
    """

    index: int
    text: str
    problem: str
    line: int
    column: int


Event: TypeAlias = Text | Reasoning | CallStarted | ArgumentDelta | CallFinished | CallFailed


def turn_of(events: Iterable[Event]) -> ParsedTurn:
    """The turn that all its events make.

    Args:
        events: What `TurnReader.feed` and `TurnReader.finish` gave, in order.

    Raises:
        FormatError: A call failed, with line and column; or something is no event.
    """
    if not isinstance(events, Iterable):
        raise FormatError(f"events are a list of events, not {shortened(events)}")
    words, reasoning = "", ""
    calls = []
    for event in events:
        if isinstance(event, Text):
            words += event.text
        elif isinstance(event, Reasoning):
            reasoning += event.text
        elif isinstance(event, CallFinished):
            calls.append(event.call)
        elif isinstance(event, CallFailed):
            raise FormatError(event.problem, line=event.line, column=event.column)
        elif not isinstance(event, (CallStarted, ArgumentDelta)):
            raise FormatError(f"not an event of a turn: {shortened(event)}")
    return ParsedTurn(words, calls, reasoning)


def events_of(turn: ParsedTurn) -> list[Event]:
    """The events of a turn that is there as a whole: each part of it is one piece.

    Args:
        turn: The turn.
    """
    events: list[Event] = []
    if turn.reasoning:
        events.append(Reasoning(turn.reasoning))
    if turn.content:
        events.append(Text(turn.content))
    for index, call in enumerate(turn.tool_calls):
        arguments = json.dumps(call.arguments, ensure_ascii=False)
        events += [CallStarted(index, call.name), ArgumentDelta(index, arguments)]
        events.append(CallFinished(index, call))
    return events
