"""Messages and turns in one normal shape, and JSON as calls hold it."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn, TypeAlias

from schemask.errors import DataError, FormatError, shortened

Message: TypeAlias = dict[str, Any]

_ROLES = ("system", "user", "assistant", "tool")
# What OpenAI's interface calls some of them now, or called them once.
_OTHER_ROLES = {"developer": "system", "function": "tool"}
# What interfaces put beside these says nothing that a chat format writes: sources of the words.
_KEYS = {
    *("role", "content", "reasoning_content", "tool_calls", "name", "tool_call_id"),
    *("refusal", "function_call", "annotations"),
}
# Parts of content that are text, of chat completions and of responses.
_TEXTS = {"text": "text", "input_text": "text", "output_text": "text", "refusal": "refusal"}

# Python writes and reads no integers longer than this, unless told to.
MAX_DIGITS = 4300


@dataclass(frozen=True)
class ToolCall:
    """One call, as the model wrote it: nothing in it is validated.

    Attributes:
        name: Name of the tool.
        arguments: Plain JSON values, by the names of the parameters. A number past the range of
            floats, such as 1e999, is an int: exact, but for a fraction.
        id: What the results of the call refer to, in formats that write it; else None. Calls that
            differ in it alone are equal.
    """

    name: str
    arguments: dict[str, Any]
    id: str | None = field(default=None, compare=False)


@dataclass(frozen=True)
class ParsedTurn:
    """What an assistant's turn says: words, calls, or both.

    Attributes:
        content: The words; empty if there are none.
        tool_calls: The calls, in order.
        reasoning: The text of the reasoning block; empty if there is none.
    """

    content: str
    tool_calls: list[ToolCall]
    reasoning: str = ""

    @classmethod
    def from_message(cls, message: Mapping[str, Any]) -> ParsedTurn:
        """The turn that a message of the assistant spells out.

        Args:
            message: The message, in the shape of transformers' chat templates or as OpenAI's
                client makes it.

        Raises:
            FormatError: A role, key or type that `check_messages` does not take.
        """
        (checked,) = check_messages([message])
        return cls(checked["content"], calls_of(checked), checked.get("reasoning_content", ""))

    @property
    def message(self) -> Message:
        """The turn in the shape of transformers' chat templates; calls have no ids."""
        message: Message = {"role": "assistant", "content": self.content}
        if self.reasoning:
            message["reasoning_content"] = self.reasoning
        if self.tool_calls:
            message["tool_calls"] = [
                {"type": "function", "function": {"name": call.name, "arguments": call.arguments}}
                for call in self.tool_calls
            ]
        return message


def check_messages(messages: Iterable[Mapping[str, Any]]) -> list[Message]:
    """The messages in one normal shape: content is a string, arguments are objects.

    Taken as well is what OpenAI's client makes of its messages: arguments as JSON text, which may
    be empty; content that is None, or a list of parts that are text; a refusal, which is words, for
    the content; one call under `function_call`; the roles "developer" and "function", which are
    "system" and "tool"; the messages as objects; and other keys that hold None or nothing.

    Args:
        messages: The messages, dicts or objects of OpenAI's client.

    Raises:
        FormatError: Another role, key or type; the message counts from 0.
    """
    if isinstance(messages, (str, bytes, Mapping)) or not isinstance(messages, Iterable):
        raise FormatError(f"messages are a list of messages, not {shortened(messages)}")
    return [_check(message, index) for index, message in enumerate(messages)]


def messages_from_example(example: Mapping[str, Any]) -> list[Message]:
    """The conversation of one line of training data.

    Takes `{"messages": [...]}` and the short form `{"user": <text>, "tool_call": {"name": ...,
    "arguments": {...}}}` (the call may also be JSON text).

    Args:
        example: The line, read from JSON.

    Raises:
        DataError: Another shape.
    """
    try:
        if not isinstance(example, Mapping):
            raise FormatError(f"not an object but {shortened(example)}")
        if "messages" in example:
            if not isinstance(example["messages"], list):
                raise FormatError("messages must be a list")
            return check_messages(example["messages"])
        if set(example) != {"user", "tool_call"}:
            raise FormatError("neither 'messages' nor 'user' and 'tool_call' alone")
        call = example["tool_call"]
        call = decode_json(call, "tool_call") if isinstance(call, str) else call
        return check_messages(
            [
                {"role": "user", "content": example["user"]},
                {"role": "assistant", "content": "", "tool_calls": [{"function": call}]},
            ]
        )
    except FormatError as error:
        raise DataError(f"not a training example: {error}") from error


def _check(message: Any, index: int) -> Message:
    def fail(problem: str) -> NoReturn:
        raise FormatError(f"message {index}: {problem}")

    if not isinstance(message, Mapping) and callable(getattr(message, "model_dump", None)):
        message = message.model_dump()
    if not isinstance(message, Mapping):
        fail(f"a message is an object, not {type(message).__name__}")
    role = message.get("role")
    role = _OTHER_ROLES.get(str(role), role)
    if role not in _ROLES:
        fail(f"the role {shortened(role)} is none of {', '.join(_ROLES)}")
    unknown = [key for key, value in message.items() if key not in _KEYS and _says_something(value)]
    if unknown:
        fail(f"unknown key {unknown[0]!r}")
    calls = message.get("tool_calls") or []
    if not isinstance(calls, Iterable) or isinstance(calls, (str, Mapping)):
        fail("tool_calls must be a list")
    if (old_call := message.get("function_call")) is not None:
        calls = [*calls, {"function": old_call}]
    if calls and role != "assistant":
        fail(f"only the assistant calls tools, not {shortened(role)}")
    content = _text(message.get("content"), fail)
    if not content and role == "assistant":
        content = _text(message.get("refusal"), fail) or content
    if content is None and (calls or message.get("reasoning_content")):
        content = ""
    if content is None:
        fail("content must be a string, not NoneType")
    checked: Message = {"role": role, "content": content}
    if message.get("reasoning_content"):
        if role != "assistant" or not isinstance(message["reasoning_content"], str):
            fail("reasoning_content is text of the assistant")
        checked["reasoning_content"] = message["reasoning_content"]
    if calls:
        checked["tool_calls"] = [_check_call(call, fail) for call in calls]
    if message.get("name") is not None:
        if not isinstance(message["name"], str):
            fail(f"the name is a string, not {type(message['name']).__name__}")
        checked["name"] = message["name"]
    if role == "tool" and isinstance(message.get("tool_call_id"), str):
        checked["tool_call_id"] = message["tool_call_id"]
    return checked


def _says_something(value: Any) -> bool:
    return value is not None and value != [] and value != {}


def _text(content: Any, fail: Any) -> str | None:
    """Content as one text: None stays, and parts are put together."""
    if content is None or isinstance(content, str):
        return content
    if not isinstance(content, (list, tuple)):
        fail(f"content must be a string, not {type(content).__name__}")
    texts: list[str] = []
    for part in content:
        kind = part.get("type") if isinstance(part, Mapping) else None
        text: Any = part.get(_TEXTS.get(str(kind), "")) if isinstance(part, Mapping) else part
        if not isinstance(text, str):
            fail(
                f"content holds a part of the type {shortened(kind)}, and only text can be written"
            )
        texts.append(text)
    return "".join(texts)


def _check_call(call: Any, fail: Any) -> Message:
    if not isinstance(call, Mapping) or (call.get("type") or "function") != "function":
        fail('a tool call is {"type": "function", "function": {...}}')
    function = call.get("function")
    if not isinstance(function, Mapping) or set(function) != {"name", "arguments"}:
        fail("the function of a tool call has 'name' and 'arguments'")
    name, arguments = function["name"], function["arguments"]
    if not isinstance(name, str) or not name:
        fail("the name of a tool call must be a string")
    if arguments is None or (isinstance(arguments, str) and not arguments.strip()):
        arguments = {}
    if isinstance(arguments, str):
        arguments = decode_json(arguments, f"arguments of {name}")
    if not isinstance(arguments, Mapping):
        fail(f"the arguments of {name} must be an object")
    checked = {"type": "function", "function": {"name": name, "arguments": dict(arguments)}}
    if isinstance(call.get("id"), str) and call["id"]:
        checked["id"] = call["id"]
    return checked


def calls_of(message: Message) -> list[ToolCall]:
    """The calls of a message that has been checked."""
    return [
        ToolCall(call["function"]["name"], call["function"]["arguments"], call.get("id"))
        for call in message.get("tool_calls", [])
    ]


def _unique_members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("an object has the same key twice")
    return members


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON value")


def _read_integer(text: str) -> int:
    if len(text.removeprefix("-")) > MAX_DIGITS:
        raise ValueError(f"a number has more than {MAX_DIGITS} digits")
    return int(text)


def _read_float(text: str) -> float | int:
    value = float(text)
    if math.isfinite(value):
        return value
    try:
        exact = Decimal(text)
    except InvalidOperation:  # its exponent has more than 18 digits
        exact = Decimal("Infinity")
    if exact.is_infinite() or exact.adjusted() >= MAX_DIGITS:
        raise ValueError(f"a number has more than {MAX_DIGITS} digits")
    return int(exact)


DECODER = json.JSONDecoder(
    object_pairs_hook=_unique_members,
    parse_constant=_no_constant,
    parse_int=_read_integer,
    parse_float=_read_float,
)


def decode_json(text: str, what: str) -> Any:
    try:
        return DECODER.decode(text)
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{what} cannot be read: {error}") from error


def encodable(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise FormatError(f"text with a lone surrogate at character {error.start}") from error
    return text


def fail_at(text: str, position: int, problem: str) -> NoReturn:
    raise error_at(text, position, problem)


def error_at(text: str, position: int, problem: str) -> FormatError:
    """The error of what is wrong at a place of a text, with its line and column."""
    line = text.count("\n", 0, position) + 1
    column = position - (text.rfind("\n", 0, position) + 1) + 1
    return FormatError(f"line {line}, column {column}: {problem}", line=line, column=column)
