"""How a teacher is asked for a conversation: what makes requests differ, and the prompt.

The prompt is a document with a gap at its end, which base models continue as well as chat models
answer.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

from schemask.tools import ToolSet

Kind: TypeAlias = Literal["call", "parallel", "words"]

PERSONAS = (
    "a student",
    "a busy parent",
    "an engineer",
    "a shop owner",
    "a nurse on a night shift",
    "a retired teacher",
    "a journalist",
    "a traveller",
    "an accountant",
    "a curious child",
    "a small farmer",
    "someone new to computers",
)
STYLES = (
    "asks politely",
    "is in a hurry and writes a few words",
    "tells a little story before the question",
    "writes in lower case without punctuation",
    "asks a direct question",
    "gives an order",
    "thinks aloud",
    "asks for a friend",
)
DIFFICULTIES = (
    "every argument is said plainly",
    "an argument has to be worked out from the words",
    "the request holds a detail that does not matter",
    "an argument is spelt in an unusual way",
    "optional arguments matter",
    "the request comes last, after some context",
)

_INTRODUCTION = """\
Conversations between a user and an assistant that can call tools. Each is one JSON object on one
line: what the user says, the calls with all their arguments, what the tools give back, and the
answer to the user, which rests on the results. Only the last conversation is missing; write it and
nothing else.
"""


def _scene(
    tools: ToolSet, targets: Sequence[str], hints: Sequence[str], example: Any = None
) -> str:
    """A conversation with what it was asked to be; without `example`, the place where it goes."""
    listed = "\n".join(json.dumps(t["function"], ensure_ascii=False) for t in tools.definitions)
    calls = f"calls {' and then '.join(targets)}" if targets else "answers in words, no tool helps"
    conversation = "" if example is None else f" {json.dumps(example, ensure_ascii=False)}\n"
    return (
        f"Tools:\n{listed}\nThe user: {'; '.join(hints)}\nThe assistant: {calls}\n"
        f"Conversation:{conversation}"
    )


def _definition(name: str, description: str, **arguments: str) -> dict[str, Any]:
    properties = {argument: {"type": kind} for argument, kind in arguments.items()}
    parameters = {"type": "object", "properties": properties, "required": list(arguments)}
    return {"name": name, "description": description, "parameters": parameters}


_WEATHER = _definition("get_weather", "Weather forecast for a city.", city="string", day="string")
_CONVERT = _definition(
    "convert_currency", "Convert an amount of money.", amount="number", source="string", to="string"
)
_ROOM = _definition("book_room", "Book a meeting room.", room="string", hour="integer")

_WEATHER_CALL = {"name": "get_weather", "arguments": {"city": "Oslo", "day": "tomorrow"}}
_CONVERT_CALL = {
    "name": "convert_currency",
    "arguments": {"amount": 250, "source": "EUR", "to": "JPY"},
}
_ROOM_CALL = {"name": "book_room", "arguments": {"room": "Blue", "hour": 15}}

_WORKED_EXAMPLES: dict[Kind, list[tuple[ToolSet, tuple[str, ...], tuple[str, ...], Any]]] = {
    "call": [
        (
            ToolSet([_WEATHER]),
            ("get_weather",),
            (PERSONAS[7], STYLES[0], DIFFICULTIES[0]),
            {
                "user": "Could you please tell me if it will rain in Oslo tomorrow?",
                "tool_calls": [_WEATHER_CALL],
                "results": ['{"sky": "light rain", "high_celsius": 9}'],
                "answer": "Yes, light rain is expected in Oslo tomorrow, with a high of 9 °C.",
            },
        ),
        (
            ToolSet([_ROOM, _CONVERT]),
            ("convert_currency",),
            (PERSONAS[3], STYLES[1], DIFFICULTIES[1]),
            {
                "user": "250 euros in yen?",
                "tool_calls": [_CONVERT_CALL],
                "results": ["40512.50"],
                "answer": "250 euros are about 40,512 yen.",
            },
        ),
    ],
    "parallel": [
        (
            ToolSet([_CONVERT, _WEATHER]),
            ("get_weather", "convert_currency"),
            (PERSONAS[7], STYLES[4], DIFFICULTIES[0]),
            {
                "user": "What is the weather in Oslo tomorrow, and how many yen are 250 euros?",
                "tool_calls": [_WEATHER_CALL, _CONVERT_CALL],
                "results": ['{"sky": "light rain", "high_celsius": 9}', "40512.50"],
                "answer": "Light rain and up to 9 °C in Oslo; 250 euros are about 40,512 yen.",
            },
        ),
        (
            ToolSet([_ROOM]),
            ("book_room", "book_room"),
            (PERSONAS[2], STYLES[5], DIFFICULTIES[1]),
            {
                "user": "Book me the Blue and the Red room, both for 3 pm.",
                "tool_calls": [
                    _ROOM_CALL,
                    {"name": "book_room", "arguments": {"room": "Red", "hour": 15}},
                ],
                "results": ["booked", "taken until 16:00"],
                "answer": "The Blue room is yours at 15:00. The Red room is taken until 16:00.",
            },
        ),
    ],
    "words": [
        (
            ToolSet([_ROOM]),
            (),
            (PERSONAS[9], STYLES[4]),
            {
                "user": "Why is the sky blue?",
                "answer": "Air scatters the blue part of sunlight more than the red part.",
            },
        ),
        (
            ToolSet([_WEATHER, _CONVERT]),
            (),
            (PERSONAS[1], STYLES[1]),
            {
                "user": "book a table for two tonight",
                "answer": "I cannot book tables; I can look up weather and convert currencies.",
            },
        ),
    ],
}


def teacher_prompt(kind: Kind, tools: ToolSet, targets: Sequence[str], hints: Sequence[str]) -> str:
    """The text to be continued with one JSON object: instructions, worked examples, the gap."""
    shown = [_scene(*scene) for scene in _WORKED_EXAMPLES[kind]]
    return "\n".join([_INTRODUCTION, *shown, _scene(tools, targets, hints)])
