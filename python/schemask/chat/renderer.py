"""Writes conversations in a chat format."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from schemask.chat.messages import Message, calls_of, check_messages, encodable
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
    ) -> Iterator[tuple[str, bool]]:
        """The text of a conversation in pieces, each with whether the model writes it."""
        spec = self._spec
        check_flags(FormatError, add_generation_prompt=add_generation_prompt)
        checked = check_messages(messages)
        definitions = tools.definitions
        if definitions:
            preamble = "\n".join(
                [spec.tools_intro, *(spec.write_json(definition) for definition in definitions)]
            )
            preamble += spec.tools_outro
            if checked and checked[0]["role"] == "system":
                preamble = self.content(checked.pop(0)) + "\n\n" + preamble
            yield self._turn("system", preamble), False
        results: list[str] = []
        for index, message in enumerate(checked):
            role = message["role"]
            if role == "tool":
                opening = spec.result_open + spec.result_padding
                closing = spec.result_padding + spec.result_close
                results.append(opening + self.content(message) + closing)
                following = checked[index + 1 : index + 2]
                if not following or following[0]["role"] != "tool":
                    yield self._turn(spec.result_role, spec.result_separator.join(results)), False
                    results = []
            elif role == "assistant":
                opening, closing = spec.around("assistant")
                end = spec.turn_end
                if "tool_calls" in message and spec.calls_end:
                    end = spec.calls_end
                yield opening, False
                yield self.assistant(message, tools) + end, True
                yield closing.removeprefix(spec.turn_end), False
            else:
                yield self._turn(role, self.content(message)), False
        if add_generation_prompt:
            yield spec.around("assistant")[0], False

    def assistant(self, message: Message, tools: ToolSet) -> str:
        """The body of an assistant's turn, of a message that has been checked."""
        spec = self._spec
        parts = []
        for index, (name, arguments) in enumerate(calls_of(message)):
            parameters, order = None, None
            if name in tools:
                parameters, order = tools[name].parameters, tools[name].key_order
            parts.append(self._call(name, arguments, parameters, order, index))
        if spec.max_calls is not None and len(parts) > spec.max_calls:
            raise FormatError(f"{spec.name} writes at most {spec.max_calls} calls in a turn")
        content = self.content(message)
        reasoning = self._reasoning(message.get("reasoning_content", ""))
        if not parts:
            if spec.bare and content.lstrip(" \t\n\r")[:1] in [*spec.bare]:
                raise FormatError(
                    f"words that begin with {content.lstrip()[:1]!r} look like a call"
                )
            return f"{reasoning}{spec.words_open}{content}{spec.words_close}"
        calls = spec.calls_open + spec.call_separator.join(parts) + spec.calls_close
        if not content:
            return reasoning + calls
        if spec.bare or (spec.words_open and not spec.preamble_open):
            raise FormatError(f"{spec.name} writes no words before calls")
        if spec.words_open:
            return f"{reasoning}{spec.preamble_open}{content}{spec.preamble_close}{calls}"
        return f"{reasoning}{content}{spec.call_separator}{calls}"

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
        return self._call(name, arguments, parameters, order, index)

    def _call(
        self,
        name: str,
        arguments: Mapping[str, Any],
        parameters: Schema | None,
        order: KeyOrder | None,
        index: int,
    ) -> str:
        spec = self._spec
        members = dict(arguments)
        if order is not None:
            members = _arranged(name, members, order)
        held = {"{id}": f"{index:09d}", "{index}": str(index), "{name}": name}
        if spec.call == "{call}":
            held["{arguments}"] = members  # type: ignore[assignment]
            text = spec.write_json({key: held[what] for key, what in spec.call_members})
        else:
            spec.write_json(members)  # refuses what is not JSON
            held["{arguments}"] = spec.arguments.write(members, parameters, spec)
            text = filled(spec.call, held)
        return f"{spec.call_open}{spec.call_padding}{text}{spec.call_padding}{spec.call_close}"

    def _reasoning(self, text: str) -> str:
        if not text:
            return ""
        spec = self._spec
        if not spec.reasoning_open:
            raise FormatError(f"{spec.name} has no notation of reasoning")
        for mark in (spec.reasoning_close.strip(), *spec.stops):
            if mark in text:
                raise FormatError(f"the reasoning holds {mark!r}, which ends it")
        return spec.reasoning_open + encodable(text) + spec.reasoning_close

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
        return tuple(mark for mark in (*spec.stops, *own) if mark)

    def _turn(self, role: str, body: str) -> str:
        opening, closing = self._spec.around(role)
        return opening + body + closing


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
