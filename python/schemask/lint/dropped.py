"""Parts of conversations that a template does not write."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from schemask.chat.messages import Message
from schemask.errors import FormatError
from schemask.lint.rules import LintFinding
from schemask.lint.samples import Dialogue
from schemask.lint.scripts import PlainWriter

_WORDS, _THOUGHT, _NAME, _VALUE = "Qzwordsq", "Qzthoughtq", "Qzcall{}q", "Qzval{}q{}q"
_ARGUMENT = "the argument"
# Structures that are remembered.
_KEPT = 20_000


class DroppedParts:
    """Finds what a template drops, by writing conversations with other words and without parts.

    What is dropped depends on which parts there are, not on what they say. So conversations of one
    structure are looked at once.

    Args:
        writer: The template.
    """

    def __init__(self, writer: PlainWriter) -> None:
        self._writer = writer
        self._known: dict[str, list[tuple[int, str]]] = {}

    def look(self, dialogue: Dialogue) -> Iterator[LintFinding]:
        """What the template drops of a dialogue, as one finding."""
        key = json.dumps([[_structure(m) for m in dialogue.messages], bool(dialogue.tools)])
        if key not in self._known:
            if len(self._known) >= _KEPT:
                self._known.clear()
            self._known[key] = list(self._dropped(dialogue))
        if not (found := self._known[key]):
            return
        parts: dict[str, list[int]] = {}
        for turn, part in found:
            parts.setdefault(part, []).append(turn)
        shown = [
            part if part == "tools" else f"{part} of message {', '.join(map(str, turns))}"
            for part, turns in parts.items()
        ]
        first = next((turn for turn, part in found if part != "tools"), None)
        path = [part for turn, part in found if turn == first and part in _KEYS][:1]
        message = f"the template drops {'; '.join(shown)}"
        if first is None:
            yield LintFinding("calls-dropped", dialogue.line, message, pointer="/tools")
        else:
            yield dialogue.finding("calls-dropped", message, first, *path)

    def _dropped(self, dialogue: Dialogue) -> Iterator[tuple[int, str]]:
        messages = dialogue.messages
        for turn, message in enumerate(messages):
            # Results that follow one another may be written together.
            end = turn + 1
            while message["role"] == "tool" and messages[end : end + 1]:
                if messages[end]["role"] != "tool":
                    break
                end += 1
            calls_are_dropped = False
            for part, other in _parts(message, dialogue.raw[turn]):
                # Without the calls, nobody misses their arguments.
                if calls_are_dropped and part.startswith(_ARGUMENT):
                    continue
                if self._is_dropped(dialogue, turn, end, *other):
                    calls_are_dropped |= part == "tool_calls"
                    yield turn, part
        if dialogue.tools:
            raw = dialogue.raw
            try:
                whole = self._writer.written(raw, dialogue.tools)
                if whole == self._writer.written(raw, None):
                    yield -1, "tools"
            except FormatError:
                pass

    def _is_dropped(
        self,
        dialogue: Dialogue,
        turn: int,
        end: int,
        marked: Mapping[str, Any],
        mark: str | None,
        without: Mapping[str, Any],
    ) -> bool:
        raw = [*dialogue.raw[:end]]

        def written(message: Mapping[str, Any]) -> str:
            raw[turn] = message
            return self._writer.written(raw, dialogue.tools)

        try:
            if mark is not None and mark in written(marked):
                return False
        except FormatError:
            pass
        try:
            return written(dialogue.raw[turn]) == written(without)
        except FormatError:
            return False


_KEYS = ("tool_calls", "content", "reasoning_content")


def _structure(message: Message) -> list[Any]:
    """What decides about which of its parts are written."""
    calls = [
        [(key, type(value).__name__, bool(value)) for key, value in arguments.items()]
        for call in message.get("tool_calls", ())
        for arguments in [call["function"]["arguments"]]
    ]
    return [
        message["role"],
        bool(message["content"].strip()),
        "reasoning_content" in message,
        calls,
    ]


def _parts(
    message: Message, raw: Mapping[str, Any]
) -> Iterator[tuple[str, tuple[Mapping[str, Any], str | None, Mapping[str, Any]]]]:
    """The parts of a message: each with a message in which a mark stands for it, and without it."""
    if message["content"].strip():
        other = {**raw, "content": _WORDS}, _WORDS, {**raw, "content": ""}
        yield "content", other
    if "reasoning_content" in message:
        marked = {**raw, "reasoning_content": _THOUGHT}
        without = {key: value for key, value in raw.items() if key != "reasoning_content"}
        yield "reasoning_content", (marked, _THOUGHT, without)
    calls = raw.get("tool_calls") or []
    for at, call in enumerate(calls):
        function = call["function"]
        renamed = {**call, "function": {**function, "name": _NAME.format(at)}}
        without = {key: value for key, value in raw.items() if key != "tool_calls"}
        if len(calls) > 1:
            without["tool_calls"] = [*calls[:at], *calls[at + 1 :]]
        marked = {**raw, "tool_calls": [*calls[:at], renamed, *calls[at + 1 :]]}
        yield "tool_calls", (marked, _NAME.format(at), without)
        if isinstance(function["arguments"], Mapping):
            yield from _arguments(raw, calls, at)


def _arguments(
    raw: Mapping[str, Any], calls: list[Any], at: int
) -> Iterator[tuple[str, tuple[Mapping[str, Any], str | None, Mapping[str, Any]]]]:
    call = calls[at]
    arguments = call["function"]["arguments"]

    def with_arguments(changed: Mapping[str, Any]) -> Mapping[str, Any]:
        made = {**call, "function": {**call["function"], "arguments": changed}}
        return {**raw, "tool_calls": [*calls[:at], made, *calls[at + 1 :]]}

    for number, (key, value) in enumerate(arguments.items()):
        rest = {name: held for name, held in arguments.items() if name != key}
        if isinstance(value, str) and value:
            mark = _VALUE.format(at, number)
            yield (
                f"{_ARGUMENT} {key!r}",
                (
                    with_arguments({**arguments, key: mark}),
                    mark,
                    with_arguments(rest),
                ),
            )
        else:
            yield f"{_ARGUMENT} {key!r}", ({}, None, with_arguments(rest))
