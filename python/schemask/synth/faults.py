"""Faults that models make in their turns: each a way to spoil a right turn."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from schemask.chat.messages import Message
from schemask.schemas.schema import Schema
from schemask.synth.other_values import made_up, other_values
from schemask.tools import ToolSet


@dataclass(frozen=True)
class RightTurn:
    """A turn that is right, and what is known where it stands.

    Attributes:
        message: The turn.
        text: The turn as a format writes it.
        tools: The tools that are offered.
        texts: Texts of the conversation that could be values of arguments.
        asked: Whether the user spoke last, so that a call could come now.
    """

    message: Message
    text: str
    tools: ToolSet
    texts: tuple[str, ...]
    asked: bool

    @property
    def calls(self) -> list[dict[str, Any]]:
        """Names and arguments of the calls."""
        return [call["function"] for call in self.message.get("tool_calls", ())]


Fault: TypeAlias = Callable[[RightTurn, random.Random], Iterator[Message | str]]
"""Writes turns that may have the fault, or texts; whoever asks for them proves it."""

_REFUSALS = (
    "I'm sorry, but I can't help with that.",
    "I do not have a tool for that.",
    "Sure! Let me know if there is anything else.",
    "I cannot look that up.",
    "Could you tell me more about what you need?",
    "I'm not able to do that right now.",
)
_TRIES = 12
_OTHER_VERBS = {"get": "fetch", "find": "search", "search": "find", "create": "make", "list": "get"}


def turn(content: str, calls: Sequence[dict[str, Any]]) -> Message:
    """A turn of the assistant.

    Args:
        content: Its words.
        calls: Names and arguments.
    """
    message: Message = {"role": "assistant", "content": content}
    if calls:
        message["tool_calls"] = [{"type": "function", "function": call} for call in calls]
    return message


def _with_call(right: RightTurn, place: int, name: str, arguments: dict[str, Any]) -> Message:
    calls = right.calls
    calls[place] = {"name": name, "arguments": arguments}
    return turn(right.message["content"], calls)


def _places(right: RightTurn, draw: random.Random) -> list[int]:
    return draw.sample(range(len(right.calls)), len(right.calls))


# What no grammar of the tools allows.


def _syntax(right: RightTurn, draw: random.Random) -> Iterator[str]:
    text = right.text
    marks = [found.start() for found in re.finditer(r"[][{}()\"':,=<>]", text)]
    if not right.calls or not marks:
        return
    for _ in range(_TRIES):
        place = draw.choice(marks)
        before, mark, after = text[:place], text[place], text[place + 1 :]
        ways = [before + after, before + mark + mark + after, text[: place + 1]]
        if mark in "]})":
            ways += [before + "," + mark + after, before + "]})".replace(mark, "")[0] + after]
        if mark == '"':
            ways.append(before + "'" + after)
        yield draw.choice(ways)


def _unknown_function(right: RightTurn, draw: random.Random) -> Iterator[Message]:
    for place in _places(right, draw):
        call = right.calls[place]
        for name in _misspelt(call["name"], draw):
            yield _with_call(right, place, name, call["arguments"])


def _unknown_argument(right: RightTurn, draw: random.Random) -> Iterator[Message]:
    for place in _places(right, draw):
        call = right.calls[place]
        given = call["arguments"]
        for key in draw.sample(list(given), len(given)):
            for other in _misspelt(key, draw):
                arguments = {other if k == key else k: value for k, value in given.items()}
                yield _with_call(right, place, call["name"], arguments)
        yield _with_call(right, place, call["name"], {**given, "reason": "asked by the user"})


def _missing_argument(right: RightTurn, draw: random.Random) -> Iterator[Message]:
    for place in _places(right, draw):
        call = right.calls[place]
        given = call["arguments"]
        for key in draw.sample(list(given), len(given)):
            arguments = {k: value for k, value in given.items() if k != key}
            yield _with_call(right, place, call["name"], arguments)


def _wrong_type(right: RightTurn, draw: random.Random) -> Iterator[Message]:
    for place in _places(right, draw):
        call = right.calls[place]
        given = call["arguments"]
        for key in draw.sample(list(given), len(given)):
            value = given[key]
            spelt = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            ways: list[Any] = [[value], None]
            ways += [{"value": value}] if isinstance(value, str) else [spelt, spelt]
            for other in draw.sample(ways, len(ways)):
                yield _with_call(right, place, call["name"], {**given, key: other})


def _misspelt(name: str, draw: random.Random) -> list[str]:
    head, _, tail = name.partition("_")
    camel = re.sub(r"_+(\w)", lambda found: found[1].upper(), name)
    snake = re.sub(r"(?<=[a-z])([A-Z])", lambda found: "_" + found[1].lower(), name)
    ways = [camel, snake, name + "s", name.removesuffix("s"), name.replace("_", ""), head]
    if tail:
        ways += [tail, _OTHER_VERBS.get(head, "do") + "_" + tail]
    ways = [way for way in dict.fromkeys(ways) if way and way != name]
    return draw.sample(ways, len(ways))


# What a grammar allows, and is wrong.


def _wrong_argument(right: RightTurn, draw: random.Random) -> Iterator[Message]:
    for place in _places(right, draw):
        call = right.calls[place]
        given, properties = call["arguments"], _properties(right, call["name"])
        keys = [*given, *(key for key in properties if key not in given)]
        for key in draw.sample(keys, len(keys)):
            schema = properties.get(key, True)
            if key not in given and not (isinstance(schema, dict) and "default" in schema):
                continue
            value = given.get(key, schema["default"] if key not in given else None)
            others = other_values(value, schema, right.texts, draw)
            for _, other in zip(range(_TRIES), others, strict=False):
                yield _with_call(right, place, call["name"], {**given, key: other})
            if key in given:
                left = {k: inner for k, inner in given.items() if k != key}
                yield _with_call(right, place, call["name"], left)


def _wrong_function(right: RightTurn, draw: random.Random) -> Iterator[Message]:
    for place in _places(right, draw):
        call = right.calls[place]
        called = {other["name"] for other in right.calls}
        names = _shuffled(right.tools.names, draw)
        for name in sorted(names, key=called.__contains__):  # first those that are not called
            if name != call["name"]:
                made = made_up(right.tools[name], call["arguments"], right.texts, draw)
                if made is not None:
                    yield _with_call(right, place, name, made)


def _missing_call(right: RightTurn, draw: random.Random) -> Iterator[Message]:
    if len(right.calls) > 1:
        for place in _places(right, draw):
            left = [call for number, call in enumerate(right.calls) if number != place]
            yield turn(right.message["content"], left)


def _extra_call(right: RightTurn, draw: random.Random) -> Iterator[Message]:
    if not right.calls:
        return
    known = draw.choice(right.calls)
    for name in _shuffled(right.tools.names, draw):
        made = made_up(right.tools[name], known["arguments"], right.texts, draw)
        if made is not None:
            calls = [*right.calls, {"name": name, "arguments": made}]
            yield turn(right.message["content"], calls)


def _needless_call(right: RightTurn, draw: random.Random) -> Iterator[Message]:
    if right.calls or not right.asked:
        return
    for name in _shuffled(right.tools.names, draw):
        made = made_up(right.tools[name], {}, right.texts, draw)
        if made is not None:
            yield turn("", [{"name": name, "arguments": made}])


def _no_call(right: RightTurn, draw: random.Random) -> Iterator[Message]:
    if right.calls:
        yield turn(draw.choice(_REFUSALS), [])


def _properties(right: RightTurn, name: str) -> Schema:
    properties: Schema = right.tools[name].parameters.get("properties", {})
    return properties


def _shuffled(names: list[str], draw: random.Random) -> list[str]:
    return draw.sample(names, len(names))


MALFORMED: dict[str, Fault] = {
    "syntax": _syntax,
    "unknown function": _unknown_function,
    "unknown argument": _unknown_argument,
    "missing argument": _missing_argument,
    "wrong type": _wrong_type,
}
"""Faults that a grammar of the tools refuses, by name."""

WRONG: dict[str, Fault] = {
    "wrong argument": _wrong_argument,
    "wrong function": _wrong_function,
    "missing call": _missing_call,
    "extra call": _extra_call,
    "needless call": _needless_call,
    "no call": _no_call,
}
"""Faults of turns that a grammar of the tools allows, by name."""
