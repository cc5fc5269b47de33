"""Writes conversations in a chat format."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from schemask.chat.messages import Message, ToolCall, calls_of, check_messages, encodable
from schemask.chat.spec import FormatSpec
from schemask.chat.texts import filled
from schemask.errors import FormatError, LimitError, check_flags, shortened
from schemask.schemas.key_order import KeyOrder
from schemask.schemas.schema import Schema
from schemask.tools import ToolSet


class Renderer:
    """Writes what the methods `render…` of `ChatFormat` return; errors as theirs.

    Args:
        spec: The format.
    """

    def __init__(self, spec: FormatSpec) -> None:
        self._spec = spec

    def pieces(
        self,
        messages: Sequence[Mapping[str, Any]],
        tools: ToolSet,
        add_generation_prompt: bool,
    ) -> Iterator[str]:
        """The text of a conversation in pieces."""
        spec = self._spec
        check_flags(FormatError, add_generation_prompt=add_generation_prompt)
        checked = check_messages(messages)
        definitions = tools.definitions
        if definitions:
            preamble = self.described(tools)
            if checked and checked[0]["role"] == "system":
                preamble = self.content(checked.pop(0)) + "\n\n" + preamble
            yield self._turn("system", preamble)
        called = 0
        results: list[str] = []
        for index, message in enumerate(checked):
            role = message["role"]
            if role == "tool":
                results.append(self.result(message))
                following = checked[index + 1 : index + 2]
                if not following or following[0]["role"] != "tool":
                    yield self._turn(spec.result_role, spec.result_separator.join(results))
                    results = []
            elif role == "assistant":
                opening, closing = spec.around("assistant")
                end = spec.end_of("tool_calls" in message)
                yield opening + spec.default_prompt
                yield self.assistant(message, tools, spec.default_prompt, called) + end
                called += len(message.get("tool_calls", ()))
                yield closing.removeprefix(spec.turn_end)
            else:
                yield self._turn(role, self.content(message))
        if add_generation_prompt:
            yield spec.around("assistant")[0] + spec.default_prompt

    def described(self, tools: ToolSet) -> str:
        """What the system turn says of the tools."""
        spec = self._spec
        written = map(spec.write_json, tools.definitions)
        return "\n".join([spec.tools_intro, *written]) + spec.tools_outro

    def result(self, message: Message) -> str:
        """The result of a tool with its tags."""
        spec = self._spec
        opening = spec.result_open + spec.result_padding
        closing = spec.result_padding + spec.result_close
        return opening + self.content(message) + closing

    def assistant(
        self, message: Message, tools: ToolSet, opened: str = "", earlier_calls: int = 0
    ) -> str:
        """What the model writes of a turn, but its end.

        Args:
            message: A message that has been checked.
            tools: The tools whose schemas order arguments.
            opened: The part of the turn that the prompt holds.
            earlier_calls: How many calls the conversation holds before the turn.
        """
        spec = self._spec
        calls = self._calls(message, tools, earlier_calls if spec.counts_on else 0)
        content = self.content(message)
        start = self._start(
            message.get("reasoning_content", ""), bool(calls and not content), opened
        )
        if not calls:
            if spec.bare and content.lstrip(" \t\n\r")[:1] in [*spec.bare]:
                raise FormatError(
                    f"words that begin with {content.lstrip()[:1]!r} look like a call"
                )
            return f"{start}{spec.words_open}{content}{spec.words_close}"
        if not content:
            return f"{start}{spec.no_preamble}{calls}"
        if spec.words_with_calls == "none":
            raise FormatError(f"{spec.name} writes no words beside calls")
        if spec.words_with_calls == "after":
            return f"{start}{calls}{content}"
        self._check_joint(content, spec.preamble_close + calls)
        return f"{start}{spec.preamble_open}{content}{spec.preamble_close}{calls}"

    def _check_joint(self, content: str, following: str) -> None:
        """Refuses words that make a marker with the beginning of what follows them."""
        for mark in self._spec.word_stops:
            if 0 <= (content + following).find(mark) < len(content):
                raise FormatError(f"the content and what follows it would spell {mark!r} too early")

    def _calls(self, message: Message, tools: ToolSet, first: int) -> str:
        spec = self._spec
        parts = []
        for index, call in enumerate(calls_of(message), first):
            parameters, order = None, None
            if call.name in tools:
                parameters, order = tools[call.name].parameters, tools[call.name].key_order
            parts.append(self._call(call, parameters, order, index))
        if spec.max_calls is not None and len(parts) > spec.max_calls:
            raise FormatError(f"{spec.name} writes at most {spec.max_calls} calls in a turn")
        if not parts:
            return ""
        return spec.calls_open + spec.call_separator.join(parts) + spec.calls_close

    def _start(self, reasoning: str, calls_follow: bool, opened: str) -> str:
        """The reasoning of a turn, or what stands in its place."""
        spec = self._spec
        thinking, plain = spec.left_of_opening(opened, calls_follow)
        if not reasoning:
            # Reasoning that the prompt opened is closed at once.
            return f"{thinking}{spec.after_reasoning(calls_follow)}" if plain is None else plain
        if thinking is None:
            raise FormatError(spec.no_reasoning_here)
        for mark in spec.reasoning_stops:
            if mark in reasoning:
                raise FormatError(f"the reasoning holds {mark!r}, which ends it")
        return thinking + encodable(reasoning) + spec.after_reasoning(calls_follow)

    def call(
        self, name: str, arguments: Mapping[str, Any], parameters: Schema | None, index: int
    ) -> str:
        """One call with its tags."""
        if not isinstance(name, str) or not isinstance(arguments, Mapping):
            wrong = shortened(name if isinstance(arguments, Mapping) else arguments)
            raise FormatError(f"a call has a name and an object of arguments, not {wrong}")
        if not isinstance(parameters, (Mapping, type(None))):
            raise FormatError(f"parameters are a JSON Schema, not {shortened(parameters)}")
        order = None if parameters is None else KeyOrder(parameters)
        return self._call(ToolCall(name, dict(arguments)), parameters, order, index)

    def _call(
        self, call: ToolCall, parameters: Schema | None, order: KeyOrder | None, index: int
    ) -> str:
        spec = self._spec
        members = call.arguments
        if order is not None:
            members = _arranged(call.name, members, order)
        index += spec.first_index
        fits = call.id is not None and re.fullmatch(spec.id_pattern, call.id)
        call_id: Any = call.id if fits else f"{index:09d}"
        held = {"{id}": call_id, "{index}": str(index), "{name}": call.name}
        if spec.call == "{call}":
            held["{arguments}"] = members
            text = spec.write_json(
                {
                    key: held[what]
                    for key, what in spec.call_members
                    if what != "{id}" or fits or key not in spec.optional_members
                }
            )
        else:
            spec.write_json(members)  # refuses what is not JSON
            held["{arguments}"] = spec.arguments.write(members, parameters, spec)
            text = filled(spec.call, held)
        return f"{spec.call_open}{spec.call_padding}{text}{spec.call_padding}{spec.call_close}"

    def content(self, message: Message) -> str:
        """What a message says, if no marker of the format could be taken for one."""
        content: str = encodable(message["content"])
        for marker in self.forbidden(message["role"]):
            if marker in content:
                raise FormatError(
                    f"the content of a message of {message['role']!r} holds {marker!r}, "
                    "which could not be told from the marker"
                )
        return content

    def forbidden(self, role: str) -> tuple[str, ...]:
        """Markers that content of this role cannot hold without being mistaken for them."""
        spec = self._spec
        own = {"assistant": spec.word_stops, "tool": (spec.result_close,)}.get(role, ())
        if role == spec.result_role:
            own = (*own, spec.result_open)
        return tuple(mark for mark in (*spec.turn_marks, *own) if mark)

    def _turn(self, role: str, body: str) -> str:
        opening, closing = self._spec.around(role)
        return opening + body + closing


def arranged_calls(messages: Sequence[Message], tools: ToolSet) -> list[Message]:
    """The messages with the arguments of calls in the order in which the grammar reads them.

    Args:
        messages: Messages as `check_messages` returns them.
        tools: The tools whose schemas say so; calls of others keep their order.

    Raises:
        FormatError: Arguments that are no JSON.
        LimitError: To find the order takes too much work.
    """
    return [
        {**message, "tool_calls": [_arranged_call(call, tools) for call in message["tool_calls"]]}
        if "tool_calls" in message
        else message
        for message in messages
    ]


def _arranged_call(call: Message, tools: ToolSet) -> Message:
    function = call["function"]
    if function["name"] not in tools:
        return call
    order = tools[function["name"]].key_order
    arguments = _arranged(function["name"], function["arguments"], order)
    return {**call, "function": {**function, "arguments": arguments}}


def _arranged(name: str, members: dict[str, Any], order: KeyOrder) -> dict[str, Any]:
    try:
        arranged: dict[str, Any] = order.arranged(members)
    except LimitError:
        raise
    except RecursionError as error:
        raise FormatError(f"the arguments of {name} are nested too deeply") from error
    except (TypeError, ValueError) as error:
        raise FormatError(f"no JSON value: {error}") from error
    return arranged
