"""Worked examples of conversations, by which a teacher sees what is wanted of it."""

from __future__ import annotations

from typing import Any, NamedTuple

from schemask.synth.kinds import Kind
from schemask.synth.traits import DIFFICULTIES, PERSONAS, STYLES
from schemask.tools import Tool, ToolSet


class Scene(NamedTuple):
    """What a conversation is asked to be, and the conversation, where there is one already."""

    tools: ToolSet
    targets: tuple[str, ...]
    hints: tuple[str, ...]
    example: Any = None
    missing: str | None = None
    withheld: Tool | None = None


def _definition(name: str, description: str, /, **arguments: str) -> Tool:
    properties = {argument: {"type": kind} for argument, kind in arguments.items()}
    parameters = {"type": "object", "properties": properties, "required": list(arguments)}
    return Tool(name, description, parameters)


_WEATHER = _definition("get_weather", "Weather forecast for a city.", city="string", day="string")
_CONVERT = _definition(
    "convert_currency", "Convert an amount of money.", amount="number", source="string", to="string"
)
_ROOM = _definition("book_room", "Book a meeting room.", room="string", hour="integer")
_PERSON = _definition("find_person", "Find somebody who works here.", name="string")
_MAIL = _definition("send_mail", "Send an e-mail.", address="string", text="string")

_PRICE = _definition("get_stock_price", "Latest price of a share.", symbol="string")

_WEATHER_CALL = {"name": "get_weather", "arguments": {"city": "Oslo", "day": "tomorrow"}}
_CONVERT_CALL = {
    "name": "convert_currency",
    "arguments": {"amount": 250, "source": "EUR", "to": "JPY"},
}
_ROOM_CALL = {"name": "book_room", "arguments": {"room": "Blue", "hour": 15}}

WORKED_EXAMPLES: dict[Kind, list[Scene]] = {
    "call": [
        Scene(
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
        Scene(
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
        Scene(
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
        Scene(
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
    "chain": [
        Scene(
            ToolSet([_MAIL, _PERSON]),
            ("find_person", "send_mail"),
            (PERSONAS[2], STYLES[5], DIFFICULTIES[0]),
            {
                "user": "Write to Mira Olsen that the build is green.",
                "steps": [
                    {
                        "call": {"name": "find_person", "arguments": {"name": "Mira Olsen"}},
                        "result": '{"mail": "m.olsen@example.org", "floor": 3}',
                    },
                    {
                        "call": {
                            "name": "send_mail",
                            "arguments": {
                                "address": "m.olsen@example.org",
                                "text": "The build is green.",
                            },
                        },
                        "result": "sent",
                    },
                ],
                "answer": "Mira Olsen has a mail now that says the build is green.",
            },
        ),
        Scene(
            ToolSet([_CONVERT, _WEATHER, _PRICE]),
            ("get_stock_price", "convert_currency"),
            (PERSONAS[8], STYLES[1], DIFFICULTIES[1]),
            {
                "user": "one nvidia share in euros?",
                "steps": [
                    {
                        "call": {"name": "get_stock_price", "arguments": {"symbol": "NVDA"}},
                        "result": '{"price": 131.4, "currency": "USD"}',
                    },
                    {
                        "call": {
                            "name": "convert_currency",
                            "arguments": {"amount": 131.4, "source": "USD", "to": "EUR"},
                        },
                        "result": "121.02",
                    },
                ],
                "answer": "An Nvidia share costs about 121 euros.",
            },
        ),
    ],
    "missing_tool": [
        Scene(
            ToolSet([_WEATHER, _CONVERT]),
            (),
            (PERSONAS[2], STYLES[0]),
            {
                "user": "Could you please book the Blue room for 3 pm?",
                "answer": "I cannot book rooms; I can look up weather and convert currencies.",
            },
            withheld=_ROOM,
        ),
        Scene(
            ToolSet([_ROOM]),
            (),
            (PERSONAS[7], STYLES[1]),
            {
                "user": "rain in oslo tomorrow?",
                "answer": "I have no way to look up the weather. All I can do is book a room.",
            },
            withheld=_WEATHER,
        ),
    ],
    "missing_value": [
        Scene(
            ToolSet([_ROOM, _WEATHER]),
            ("book_room",),
            (PERSONAS[2], STYLES[5], DIFFICULTIES[0]),
            {
                "user": "Book me the Blue room.",
                "question": "For which hour shall I book it?",
                "reply": "At 3 pm.",
                "tool_calls": [_ROOM_CALL],
                "results": ["booked"],
                "answer": "The Blue room is yours at 15:00.",
            },
            missing="hour",
        ),
        Scene(
            ToolSet([_WEATHER, _CONVERT]),
            ("get_weather",),
            (PERSONAS[7], STYLES[1], DIFFICULTIES[1]),
            {
                "user": "will i need an umbrella tomorrow",
                "question": "In which city will you be?",
                "reply": "oslo",
                "tool_calls": [_WEATHER_CALL],
                "results": ['{"sky": "light rain", "high_celsius": 9}'],
                "answer": "Yes: light rain is expected in Oslo tomorrow.",
            },
            missing="city",
        ),
    ],
    "words": [
        Scene(
            ToolSet([_ROOM]),
            (),
            (PERSONAS[9], STYLES[4]),
            {
                "user": "Why is the sky blue?",
                "answer": "Air scatters the blue part of sunlight more than the red part.",
            },
        ),
        Scene(
            ToolSet([_WEATHER, _CONVERT]),
            (),
            (PERSONAS[1], STYLES[1]),
            {
                "user": "thanks, that was all",
                "answer": "You are welcome! Have a good day.",
            },
        ),
    ],
}
