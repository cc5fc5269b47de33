"""Reads an assistant's turn as it is being written: text in, typed events out.

The reader is one generator that waits wherever the text so far does not decide how to go on, so
how the text was cut makes no difference to what is read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

from schemask.chat.arguments import read_python, read_raw, schema_of_argument
from schemask.chat.messages import DECODER, ParsedTurn, ToolCall, encodable, fail_at
from schemask.chat.spec import PLACEHOLDER, FormatSpec, common_start
from schemask.errors import FormatError, shortened
from schemask.schemas.value_types import types_of
from schemask.tools import ToolSet


@dataclass(frozen=True)
class Text:
    """Words to the user."""

    text: str


@dataclass(frozen=True)
class Reasoning:
    """Text of the reasoning block."""

    text: str


@dataclass(frozen=True)
class CallStarted:
    """The name of call `index`, counted from 0, is known."""

    index: int
    name: str


@dataclass(frozen=True)
class ArgumentDelta:
    """More of the arguments of call `index`: the deltas of a call make one JSON text."""

    index: int
    text: str


@dataclass(frozen=True)
class CallFinished:
    """Call `index` is complete."""

    index: int
    call: ToolCall


Event: TypeAlias = Text | Reasoning | CallStarted | ArgumentDelta | CallFinished
_Waiting: TypeAlias = Generator[None, None, Any]

_STRING_STOP = re.compile(r'["\\]')
_NESTING = re.compile(r'["{}\[\]]')
_SCALAR_END = re.compile(r"[^A-Za-z0-9+.-]")
_NOT_SPACE = re.compile(r"[^ \t\n\r]")


class TurnReader:
    """Reads one turn of a chat format.

    Args:
        form: The format.
        tools: Tools that the turn may call. Where arguments are not JSON, their schemas tell
            strings from other values.
    """

    def __init__(self, form: FormatSpec, tools: ToolSet) -> None:
        self._form = form
        self._tools = tools
        self._text = ""
        self._at = 0
        self._whole = False
        self._events: list[Event] = []
        self._calls = 0
        self._run: Iterator[None] = self._turn()

    def feed(self, text: str) -> list[Event]:
        """What the next piece of the text completes.

        Raises:
            FormatError: As `ChatFormat.parse`, as soon as no more text could make it good.
        """
        if not isinstance(text, str):
            raise FormatError(f"a turn is text, not {shortened(text)}")
        self._text += text
        return self._advance()

    def finish(self) -> list[Event]:
        """What the end of the text completes.

        Raises:
            FormatError: As `ChatFormat.parse`.
        """
        self._whole = True
        return self._advance()

    def _advance(self) -> list[Event]:
        next(self._run, None)
        events, self._events = self._events, []
        return events

    # The order of things.

    def _turn(self) -> Iterator[None]:
        form = self._form
        if form.reasoning_open:
            yield from self._reasoning()
        if form.words_open:
            yield from self._wrapped_turn()
            return
        if form.bare:
            yield from self._space_ahead(form.bare)
            if self._peek() and self._peek() in form.bare:
                yield from self._skip_space()
                yield from self._all_calls()
                return
        yield from self._words([*form.call_marks, *form.stops])
        if (yield from self._starts_call()):
            yield from self._all_calls()
        else:
            yield from self._end(form.turn_end)

    def _wrapped_turn(self) -> _Waiting:
        form = self._form
        if form.preamble_open and (yield from self._take(form.preamble_open)):
            yield from self._words([form.preamble_close, *form.stops])
            yield from self._literal(form.preamble_close)
            yield from self._all_calls()
        elif (yield from self._take(form.words_open)):
            closing = [form.words_close] if form.words_close else []
            yield from self._words([*closing, *form.stops])
            if closing and not self._is_over():
                yield from self._take(form.words_close)
            yield from self._end(form.turn_end)
        else:
            yield from self._all_calls()

    def _reasoning(self) -> _Waiting:
        form = self._form
        opening = form.reasoning_open
        if not (yield from self._take(opening)) and not (yield from self._take(opening.strip())):
            return
        closing = form.reasoning_close
        stops = [closing, closing.strip()]
        yield from self._passage([*stops, *form.stops], Reasoning)
        if not (yield from self._take(closing)):
            yield from self._literal(closing)

    def _starts_call(self) -> _Waiting:
        for mark in self._form.call_marks:
            if (yield from self._ahead(mark)):
                separator = mark.removesuffix(self._form.call_mark)
                self._at += len(separator)
                return True
        return False

    def _all_calls(self) -> _Waiting:
        form = self._form
        yield from self._literal(form.calls_open)
        separator = form.call_separator.strip()
        while True:
            yield from self._call()
            yield from self._skip_space()
            if form.max_calls == 1:
                break
            if separator:
                if not (yield from self._take(separator)):
                    break
                yield from self._skip_space()
            elif not (yield from self._ahead(form.call_open.strip())):
                break
        yield from self._literal(form.calls_close)
        yield from self._end(form.calls_end or form.turn_end)

    def _end(self, mark: str) -> _Waiting:
        yield from self._skip_space()
        if (yield from self._take(mark)):
            yield from self._skip_space()
        if not self._is_over():
            fail_at(self._text, self._at, "the turn should end here")

    # Words.

    def _words(self, stops: list[str]) -> _Waiting:
        yield from self._passage(stops, Text)

    def _passage(self, stops: list[str], kind: type[Text] | type[Reasoning]) -> _Waiting:
        """Text up to the first stop, passed on as soon as it cannot be a part of one."""
        pattern = re.compile("|".join(map(re.escape, sorted(stops, key=len, reverse=True))))
        while True:
            found = pattern.search(self._text, self._at)
            # A longer stop could begin before the one that is complete.
            held = self._held(stops)
            if found and (self._whole or found.start() <= held):
                end = found.start()
            elif found:
                end = min(found.start(), held)
            else:
                end = len(self._text) if self._whole else held
            if end > self._at:
                self._emit(kind(encodable(self._text[self._at : end])))
                self._at = end
            if found and self._at == found.start() and (self._whole or held >= self._at):
                return
            if self._whole:
                return
            yield

    def _held(self, stops: list[str]) -> int:
        """Where the text ends that is no unfinished beginning of a stop."""
        longest = max(map(len, stops))
        for start in range(max(self._at, len(self._text) - longest + 1), len(self._text)):
            rest = self._text[start:]
            if any(len(rest) < len(stop) and stop.startswith(rest) for stop in stops):
                return start
        return len(self._text)

    # Calls.

    def _call(self) -> _Waiting:
        form = self._form
        yield from self._literal(form.call_open + form.call_padding)
        index, self._calls = self._calls, self._calls + 1
        if form.call == "{call}":
            yield from self._call_object(index)
        else:
            yield from self._call_in_pieces(index)
        yield from self._literal(form.call_padding + form.call_close)

    def _call_in_pieces(self, index: int) -> _Waiting:
        form = self._form
        pieces = [piece for piece in PLACEHOLDER.split(form.call) if piece]
        name, arguments = "", {}
        for i, piece in enumerate(pieces):
            following = pieces[i + 1] if i + 1 < len(pieces) else form.call_close
            if piece == "{name}":
                name = (yield from self._name(pieces[i + 1 :] or [following])).strip()
                self._emit(CallStarted(index, name))
            elif piece in ("{id}", "{index}"):
                yield from self._until(following)
            elif piece == "{arguments}" and form.values == "json":
                start, end = yield from self._value(index)
                arguments = self._decoded(start, end)
                if not isinstance(arguments, dict):
                    fail_at(self._text, start, "the arguments of a call are an object")
                self._check(arguments, start)
            elif piece == "{arguments}":
                arguments = yield from self._argument_list(index, name, following)
            else:
                yield from self._literal(piece)
        self._emit(CallFinished(index, ToolCall(name, arguments)))

    def _name(self, following: list[str]) -> _Waiting:
        """What comes before the following pieces of a call."""
        if following[1:2] not in (["{id}"], ["{index}"]):
            return (yield from self._until(following[0]))
        # The name may hold the text that comes before a number: only the last one does.
        start = self._at
        yield from self._until(following[2])
        end = self._text.rfind(following[0], start, self._at)
        if end < 0:
            fail_at(self._text, start, f"{following[0]} is missing")
        self._at = end
        return self._text[start:end]

    def _call_object(self, index: int) -> _Waiting:
        what_of = dict(self._form.call_members)
        yield from self._skip_space()
        start = self._at
        if self._peek() != "{":
            self._fail_json(start)
        self._at += 1
        # Arguments that come before the name are passed on when the call is complete.
        held = ""
        started = False
        while True:
            yield from self._skip_space()
            if self._peek() == "}":
                self._at += 1
                break
            if self._peek() != '"':
                self._fail_json(start)
            key = self._decoded(*(yield from self._value()))
            yield from self._skip_space()
            if self._peek() != ":":
                self._fail_json(start)
            self._at += 1
            yield from self._skip_space()
            what = what_of.get(key)
            if what == "{arguments}" and started and self._peek() == "{":
                yield from self._value(index)
            else:
                place = yield from self._value()
                if what == "{arguments}":
                    held = self._text[slice(*place)]
                elif what == "{name}" and not started:
                    name = self._decoded(*place)
                    if isinstance(name, str):
                        started = True
                        self._emit(CallStarted(index, name))
            yield from self._skip_space()
            if self._peek() == ",":
                self._at += 1
            elif self._peek() != "}":
                self._fail_json(start)
        call = self._call_of(start)
        if held:
            self._emit(ArgumentDelta(index, held))
        self._emit(CallFinished(index, call))

    def _call_of(self, start: int) -> ToolCall:
        value = self._decoded(start, self._at)
        held = {what: value.get(key) for key, what in self._form.call_members}
        shape = ", ".join(
            f'"{key}": <{"object" if what == "{arguments}" else "string"}>'
            for key, what in self._form.call_members
        )
        if (
            set(value) != {key for key, _ in self._form.call_members}
            or not isinstance(held["{arguments}"], dict)
            or not all(isinstance(v, str) for w, v in held.items() if w != "{arguments}")
        ):
            fail_at(self._text, start, f"a call is {{{shape}}}")
        self._check(value, start)
        return ToolCall(held["{name}"], held["{arguments}"])

    def _check(self, value: Any, start: int) -> None:
        try:
            self._form.write_json(value)
        except FormatError as error:
            fail_at(self._text, start, str(error))

    # Arguments that are written one by one.

    def _argument_list(self, index: int, name: str, following: str) -> _Waiting:
        form = self._form
        parameters = self._tools[name].parameters if name in self._tools else {}
        arguments: dict[str, Any] = {}
        if form.values == "marked":
            # The braces around the arguments belong to the template of the call.
            arguments = yield from self._marked_members(following.strip()[:1])
            self._check(arguments, self._at)
            self._emit(ArgumentDelta(index, form.write_json(arguments)))
            return arguments
        opening = PLACEHOLDER.split(form.argument)[0].strip()
        separator = form.argument_separator.strip()
        while True:
            yield from self._skip_space()
            if opening:
                if not (yield from self._ahead(opening)):
                    break
            elif (yield from self._ahead(following.strip())):
                break
            if separator and arguments and not (yield from self._take(separator)):
                fail_at(self._text, self._at, f"{separator} is missing")
            start = self._at
            key, value = yield from self._argument(parameters)
            if key in arguments:
                fail_at(self._text, start, f"the argument {key!r} comes twice")
            self._check(value, start)
            before = ", " if arguments else "{"
            arguments[key] = value
            written = f"{before}{form.write_json(key)}: {form.write_json(value)}"
            self._emit(ArgumentDelta(index, written))
        self._emit(ArgumentDelta(index, "}" if arguments else "{}"))
        return arguments

    def _argument(self, parameters: dict[str, Any]) -> _Waiting:
        form = self._form
        template = form.argument
        if form.argument_string:
            # The two templates differ after the key, before the value.
            head, _, tail = template.partition("{key}")
            middle = tail.partition("{value}")[0]
            other = form.argument_string.partition("{key}")[2].partition("{value}")[0]
            yield from self._literal(head)
            common = common_start(middle, other)
            key = yield from self._until(common)
            is_string = yield from self._ahead(other)
            yield from self._exactly(other if is_string else middle)
            closing = tail.partition("{value}")[2]
            if is_string:
                value = yield from self._until(closing)
            else:
                value = self._decoded(*(yield from self._value()))
            yield from self._literal(closing)
            return key, value
        pieces = [piece for piece in PLACEHOLDER.split(template) if piece]
        key, value = "", None
        for i, piece in enumerate(pieces):
            following = pieces[i + 1] if i + 1 < len(pieces) else ""
            if piece == "{key}":
                key = (yield from self._until(following)).strip()
            elif piece == "{value}" and form.values == "python":
                yield from self._skip_space()
                start, end = yield from self._value()
                try:
                    value = read_python(self._text[start:end])
                except (ValueError, RecursionError) as error:
                    fail_at(self._text, start, f"no value: {error}")
            elif piece == "{value}":
                value = yield from self._raw_value(schema_of_argument(parameters, key), following)
            else:
                yield from self._literal(piece)
        return key, value

    def _raw_value(self, schema: Any, closing: str) -> _Waiting:
        types = types_of(schema)
        start = self._at
        yield from self._need(1)
        nested = {"[": "array", "{": "object", '"': "string"}.get(self._peek())
        is_json = nested in types if nested != "string" else "string" not in types
        if is_json and nested:
            start, end = yield from self._value()
            return self._decoded(start, end)
        text = yield from self._until(closing)
        try:
            return read_raw(text, schema)
        except (ValueError, RecursionError) as error:
            fail_at(self._text, start, f"no value of its schema: {error}")

    def _marked(self) -> _Waiting:
        mark = self._form.string_mark
        if (yield from self._take(mark)):
            text = yield from self._until(mark)
            self._at += len(mark)
            return text
        yield from self._need(1)
        opening = self._peek()
        if opening not in ("[", "{"):
            start = self._at
            yield from self._scalar()
            return self._decoded(start, self._at)
        self._at += 1
        if opening == "{":
            members = yield from self._marked_members("}")
            self._at += 1
            return members
        items: list[Any] = []
        while not (yield from self._take("]")):
            if items:
                yield from self._exactly(",")
            items.append((yield from self._marked()))
        return items

    def _marked_members(self, closing: str) -> _Waiting:
        members: dict[str, Any] = {}
        while not (yield from self._ahead(closing)):
            if members:
                yield from self._exactly(",")
            start = self._at
            key = yield from self._until(":")
            if key in members:
                fail_at(self._text, start, f"the key {key!r} comes twice")
            self._at += 1
            members[key] = yield from self._marked()
        return members

    # The text.

    def _emit(self, event: Event) -> None:
        self._events.append(event)

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _is_over(self) -> bool:
        return self._whole and self._at == len(self._text)

    def _need(self, count: int) -> _Waiting:
        while len(self._text) - self._at < count and not self._whole:
            yield

    def _ahead(self, text: str) -> _Waiting:
        """Whether this text comes next."""
        while not self._whole:
            rest = self._text[self._at : self._at + len(text)]
            if len(rest) == len(text) or not text.startswith(rest):
                break
            yield
        return self._text.startswith(text, self._at)

    def _take(self, text: str) -> _Waiting:
        found = yield from self._ahead(text)
        if found:
            self._at += len(text)
        return found

    def _exactly(self, text: str) -> _Waiting:
        if not (yield from self._take(text)):
            fail_at(self._text, self._at, f"{text.strip()} is missing")

    def _literal(self, text: str) -> _Waiting:
        """A text of the format, with any white space before it."""
        core = text.strip()
        if not core:
            yield from self._take(text)
            return
        yield from self._skip_space()
        yield from self._exactly(core)
        yield from self._take(text[len(text.rstrip()) :])

    def _skip_space(self) -> _Waiting:
        while True:
            found = _NOT_SPACE.search(self._text, self._at)
            self._at = found.start() if found else len(self._text)
            if found or self._whole:
                return
            yield

    def _space_ahead(self, beginnings: str) -> _Waiting:
        """Waits for the first character that is no white space, and goes there if it is one of
        these."""
        while True:
            found = _NOT_SPACE.search(self._text, self._at)
            if found or self._whole:
                break
            yield
        if found and found[0] in beginnings:
            self._at = found.start()

    def _until(self, text: str) -> _Waiting:
        """What comes before a text."""
        start = self._at
        searched = start
        while (found := self._text.find(text, searched)) < 0:
            if self._whole:
                fail_at(self._text, len(self._text), f"{text.strip() or text!r} is missing")
            searched = max(start, len(self._text) - len(text) + 1)
            yield
        self._at = found
        return encodable(self._text[start:found])

    def _value(self, index: int | None = None) -> _Waiting:
        """Where a JSON value, or one of Python, stands; of call `index`, it is passed on."""
        yield from self._skip_space()
        start = self._at
        sent = start

        def send() -> None:
            nonlocal sent
            if index is not None and self._at > sent:
                self._emit(ArgumentDelta(index, self._text[sent : self._at]))
                sent = self._at

        yield from self._need(1)
        depth = 0
        while True:
            if self._peek() == '"':
                self._at += 1
                while True:
                    found = _STRING_STOP.search(self._text, self._at)
                    escapes = found is not None and found[0] == "\\"
                    if found is None or (escapes and found.end() == len(self._text)):
                        self._at = found.start() if found else len(self._text)
                        send()
                        if self._whole:
                            self._fail_json(start)
                        yield
                        continue
                    self._at = found.end() + (1 if escapes else 0)
                    if not escapes:
                        break
            elif self._peek() and self._peek() in "[{":
                self._at += 1
                depth += 1
            elif self._peek() and self._peek() in "]}":
                self._at += 1
                depth -= 1
            elif depth == 0:
                yield from self._scalar()
            if depth <= 0:
                send()
                return start, self._at
            while not (found := _NESTING.search(self._text, self._at)):
                self._at = len(self._text)
                send()
                if self._whole:
                    self._fail_json(start)
                yield
            self._at = found.start()

    def _scalar(self) -> _Waiting:
        start = self._at
        while not (found := _SCALAR_END.search(self._text, self._at)):
            if self._whole:
                self._at = len(self._text)
                return
            yield
        self._at = found.start()
        if self._at == start:
            self._fail_json(start)

    def _decoded(self, start: int, end: int) -> Any:
        try:
            return DECODER.decode(self._text[start:end])
        except json.JSONDecodeError as error:
            fail_at(self._text, start + error.pos, f"the call is no JSON: {error.msg}")
        except (ValueError, RecursionError) as error:
            fail_at(self._text, start, f"the call cannot be read: {error}")

    def _fail_json(self, start: int) -> None:
        """Fails with what is wrong with the JSON that begins at `start`."""
        try:
            DECODER.raw_decode(self._text, start)
        except json.JSONDecodeError as error:
            fail_at(self._text, error.pos, f"the call is no JSON: {error.msg}")
        except (ValueError, RecursionError) as error:
            fail_at(self._text, start, f"the call cannot be read: {error}")
        fail_at(self._text, start, "the call is no JSON object")


def turn_of(events: Iterable[Event]) -> ParsedTurn:
    """The turn that all its events make."""
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
        elif not isinstance(event, (CallStarted, ArgumentDelta)):
            raise FormatError(f"not an event of a turn: {shortened(event)}")
    return ParsedTurn(words, calls, reasoning)
