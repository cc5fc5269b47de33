"""OpenAI's fine-tuning lines: `messages` with `tool_calls`, `tools`, `parallel_tool_calls`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from schemask.chat.messages import Message, check_messages
from schemask.errors import Error
from schemask.synth.importers.conversation import (
    ConversationBuilder,
    GivenCall,
    GivenResult,
    json_value,
)
from schemask.synth.importers.notes import ImportRefusal, Notes


def read_openai(record: Mapping[str, Any], notes: Notes) -> dict[str, Any]:
    """The line of a record.

    Args:
        record: The record.
        notes: What is mended is told here.

    Raises:
        ImportRefusal: It cannot be one.
    """
    tools = json_value(record.get("tools") or [], "tools")
    old = json_value(record.get("functions") or [], "functions")
    if not isinstance(tools, list) or not isinstance(old, list):
        raise ImportRefusal("wrong shape", "tools are no list")
    builder = ConversationBuilder([*tools, *old], notes)
    messages = _messages(record, notes)
    if record.get("parallel_tool_calls") is False:
        for place, message in enumerate(messages):
            if len(message.get("tool_calls", ())) > 1:
                told = f"message {place} makes several, where parallel_tool_calls is false"
                raise ImportRefusal("parallel calls", told)
    if "parallel_tool_calls" in record:
        notes.add("parallel_tool_calls dropped")
    place = 0
    while place < len(messages):
        message = messages[place]
        if message["role"] == "tool":
            end = place
            while end < len(messages) and messages[end]["role"] == "tool":
                end += 1
            before = messages[place - 1] if place else {}
            builder.results(_results(messages[place:end], before, place, notes))
            place = end
            continue
        calls = [
            GivenCall(call["function"]["name"], call["function"]["arguments"])
            for call in message.get("tool_calls", ())
        ]
        reasoning = message.get("reasoning_content", "")
        builder.say(message["role"], message["content"], calls, reasoning)
        place += 1
    return builder.line()


def _messages(record: Mapping[str, Any], notes: Notes) -> list[Message]:
    given = record.get("messages")
    if not isinstance(given, list) or not given:
        raise ImportRefusal("wrong shape", "no list of messages")
    plain = []
    for place, message in enumerate(given):
        if isinstance(message, Mapping) and "weight" in message:
            if message["weight"] == 0:
                told = f"message {place} has the weight 0, and lines are trained as a whole"
                raise ImportRefusal("untrained turn", told)
            notes.add("weight dropped")
            message = {key: value for key, value in message.items() if key != "weight"}
        plain.append(message)
    messages = [_checked(message, place) for place, message in enumerate(plain)]
    for place, (message, own) in enumerate(zip(messages, plain, strict=True)):
        if message["role"] != own["role"]:
            notes.add("roles mapped", f"message {place}: {own['role']} is {message['role']}")
        if own.get("function_call") is not None:
            notes.add("function_call mapped", f"message {place}")
        if own.get("refusal"):
            notes.add("refusal mapped", f"message {place}: it is what the assistant says")
        if isinstance(own.get("content"), list):
            notes.add("parts joined", f"message {place}")
        if "name" in message and message["role"] != "tool":
            notes.add("names of speakers dropped", f"message {place}: {message['name']}")
    return messages


def _checked(message: Any, place: int) -> Message:
    try:
        return check_messages([message])[0]
    except Error as error:
        told = str(error).removeprefix("message 0: ")
        raise ImportRefusal("wrong shape", f"message {place}: {told}") from error


def _results(
    given: list[Message], before: Mapping[str, Any], place: int, notes: Notes
) -> list[GivenResult]:
    """The results in the order of the calls, which their ids tell."""
    calls = before.get("tool_calls", ())
    ids = [call.get("id") for call in calls]
    told = [message.get("tool_call_id") for message in given]
    if None in told or None in ids:
        return [GivenResult(message.get("name"), message["content"]) for message in given]
    if unknown := [key for key in told if key not in ids]:
        detail = f"message {place}: no call has the id {unknown[0]!r}"
        raise ImportRefusal("unbalanced", detail)
    if len(set(told)) < len(told) or len(set(ids)) < len(ids):
        raise ImportRefusal("unbalanced", f"message {place}: an id twice")
    order = sorted(range(len(given)), key=lambda number: ids.index(told[number]))
    if order != list(range(len(given))):
        notes.add("results put in order", f"message {place}")
    names = {call["id"]: call["function"]["name"] for call in calls}
    return [GivenResult(names[told[number]], given[number]["content"]) for number in order]
