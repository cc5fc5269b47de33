"""Messages by themselves: their order, their ids, and turns that say nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from schemask.chat.templates.markers import Markers, texts_in
from schemask.lint.rules import LintFinding
from schemask.lint.samples import Dialogue
from schemask.schemas.pointer import pointer_of

_WHO = {"system": "system message", "user": "user", "assistant": "assistant", "tool": "result"}


def look_at_order(dialogue: Dialogue) -> Iterator[LintFinding]:
    """Roles in an order in which no model meets them, and calls and results that do not fit."""
    messages = dialogue.messages
    previous, asked = "", False
    waiting: list[dict[str, Any]] = []
    for turn, message in enumerate(messages):
        role = message["role"]
        if role == "tool":
            if not waiting:
                what = "no call" if previous != "tool" else "no more calls"
                yield dialogue.finding("turn-order", f"a result of {what}", turn)
            else:
                yield from _look_at_result(dialogue, waiting, turn)
        else:
            if waiting:
                names = ", ".join(call["function"]["name"] for call in waiting)
                problem = f"the calls of {names} have no result before this message"
                yield dialogue.finding("turn-order", problem, turn)
            elif role == previous and role in ("user", "assistant"):
                yield dialogue.finding("turn-order", f"two turns of the {role} in a row", turn)
            elif role == "system" and turn:
                yield dialogue.finding("turn-order", "a system message after other messages", turn)
            elif role == "user" and previous == "tool":
                yield dialogue.finding("turn-order", "no answer to the result before this", turn)
            elif role == "assistant" and not asked:
                yield dialogue.finding("turn-order", "the assistant speaks before any user", turn)
            asked |= role == "user"
            waiting = [dict(call) for call in message.get("tool_calls", ())]
        previous = role
    if messages[-1]["role"] != "assistant" and dialogue.spoken:
        problem = f"the last message is a {_WHO[messages[-1]['role']]}: nothing answers it"
        yield dialogue.finding("turn-order", problem, len(messages) - 1)


def _look_at_result(
    dialogue: Dialogue, waiting: list[dict[str, Any]], turn: int
) -> Iterator[LintFinding]:
    """A result that answers the first of the calls that wait, or the one of its id."""
    message = dialogue.messages[turn]
    answered = message.get("tool_call_id")
    ids = [call.get("id") for call in waiting]
    at = 0
    if answered and any(ids):
        if answered not in ids:
            shown = ", ".join(str(call_id) for call_id in ids if call_id)
            problem = f"the result is of the call {answered!r}; those without one are {shown}"
            yield dialogue.finding("turn-order", problem, turn, "tool_call_id")
        else:
            at = ids.index(answered)
    name, called = message.get("name"), waiting[at]["function"]["name"]
    if name is not None and name != called:
        problem = f"the result is of {name!r}, and the call is of {called!r}"
        yield dialogue.finding("turn-order", problem, turn, "name")
    del waiting[at]


def look_at_turns(dialogue: Dialogue) -> Iterator[LintFinding]:
    """Turns of the assistant without words or calls."""
    if not dialogue.spoken:
        return
    for turn in dialogue.spoken:
        message = dialogue.messages[turn]
        if not message["content"].strip() and not message.get("tool_calls"):
            yield dialogue.finding("empty-turn", "neither words nor calls", turn, "content")


def look_for_markers(dialogue: Dialogue, markers: Markers) -> Iterator[LintFinding]:
    """Texts that spell what the tokenizer reads as one token."""
    for turn, message in enumerate(dialogue.messages):
        for path, text in _texts(message):
            if (found := next(markers.find(text), None)) is not None:
                start, end = found
                problem = f"{text[start:end]!r} at character {start + 1} of {path[0]}"
                yield dialogue.finding("marker-in-text", problem, turn, *path)
                break
    for at, definition in enumerate(dialogue.tools or ()):
        for text in texts_in(definition):
            if (found := next(markers.find(text), None)) is not None:
                problem = f"{text[found[0] : found[1]]!r} in the definition of a tool"
                place = pointer_of(("tools", at))
                yield LintFinding("marker-in-text", dialogue.line, problem, pointer=place)
                break


def _texts(message: dict[str, Any]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """The texts of a message, each with where it stands."""
    for key in ("content", "reasoning_content"):
        if key in message:
            yield (key,), message[key]
    for at, call in enumerate(message.get("tool_calls", ())):
        for text in texts_in(call["function"]):
            yield ("tool_calls", at, "function"), text
