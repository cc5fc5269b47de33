"""Reads an assistant's turn as it is being written: text in, typed events out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from schemask.chat.cursor import Cursor, Emit, Waiting
from schemask.chat.events import (
    ArgumentDelta,
    CallFinished,
    CallStarted,
    Event,
    Reasoning,
    Text,
)
from schemask.chat.messages import ToolCall
from schemask.chat.spec import FormatSpec
from schemask.chat.texts import pieces_of
from schemask.errors import FormatError, shortened
from schemask.tools import ToolSet


class TurnReader:
    """Reads one turn of a chat format.

    Args:
        spec: The format.
        tools: The tools that the turn may call. Where arguments are not JSON, their schemas tell
            strings from other values.
        opened: The part of the turn that the prompt holds.
    """

    def __init__(self, spec: FormatSpec, tools: ToolSet, opened: str = "") -> None:
        self._spec = spec
        self._tools = tools
        self._text = Cursor()
        self._events: list[Event] = []
        self._calls = 0
        self._opened = opened
        self._run: Iterator[None] = self._turn()

    def __repr__(self) -> str:
        text = self._text
        return f"<TurnReader {self._spec.name}: {text.at} of {len(text.text)} characters read>"

    def feed(self, text: str) -> list[Event]:
        """What the next piece of the text completes.

        Args:
            text: The piece, of any length.

        Raises:
            FormatError: With the line and column of what the format does not allow there, as soon
                as no more text could make it good.
        """
        if not isinstance(text, str):
            raise FormatError(f"a turn is text, not {shortened(text)}")
        self._text.text += text
        return self._advance()

    def finish(self) -> list[Event]:
        """What the end of the text completes.

        Raises:
            FormatError: With the line and column of a call that is cut off, or of what the format
                does not allow there.
        """
        self._text.is_whole = True
        return self._advance()

    def _advance(self) -> list[Event]:
        next(self._run, None)
        events, self._events = self._events, []
        return events

    def _emit(self, event: Event) -> None:
        self._events.append(event)

    def _deltas(self, index: int) -> Emit:
        """Passes on pieces of the arguments of a call."""
        return lambda piece: self._emit(ArgumentDelta(index, piece))

    # The order of things.

    def _turn(self) -> Iterator[None]:
        spec, text = self._spec, self._text
        yield from self._reasoning()
        if spec.bare and (yield from text.skip_space_before(spec.bare)):
            yield from self._all_calls()
            return
        has_words = True
        if spec.wraps_words:
            has_words = yield from self._take_any([spec.preamble_open, spec.words_open])
            if not has_words and spec.words_with_calls == "before":
                # Words that calls follow may stand without a marker where other words have one.
                has_words = not (spec.preamble_open.strip() or (yield from self._starts_call()))
        elif spec.words_open:
            yield from text.take(spec.words_open)
        calls_follow = has_words and (yield from self._words())
        if calls_follow or (yield from self._starts_call()) or not (has_words or text.is_over):
            yield from self._all_calls()
        else:
            yield from self._end()

    def _reasoning(self) -> Waiting[None]:
        spec, text = self._spec, self._text
        thinking, plain = spec.left_of_opening(self._opened)
        if thinking is None or not (not thinking.strip() or (yield from text.loosely(thinking))):
            plain_calls = spec.left_of_opening(self._opened, calls_follow=True)[1]
            literals = [literal for literal in (plain, plain_calls) if literal]
            if not (yield from self._take_any(literals)) and plain and not plain.strip():
                yield from text.take(plain)
            return
        closings = [spec.after_reasoning(calls_follow) for calls_follow in (False, True)]
        stops = [*closings, *spec.reasoning_stops]
        yield from text.passage(stops, lambda piece: self._emit(Reasoning(piece)))
        if not (yield from self._take_any(closings)) and not text.is_over:
            yield from text.literal(spec.reasoning_close)

    def _take_any(self, literals: Iterable[str]) -> Waiting[bool]:
        """Goes past the first of these texts that comes next, longer ones first."""
        for literal in sorted(literals, key=len, reverse=True):
            if literal.strip() and (yield from self._text.loosely(literal)):
                return True
        return False

    def _words(self) -> Waiting[bool]:
        """Words, and what closes them; whether that says that calls follow."""
        spec = self._spec
        closings = [spec.words_close, spec.preamble_close]
        wrapped = [text for text in closings if text.strip()]
        marks = [] if spec.bare else spec.call_marks
        ends = [spec.turn_end, spec.calls_end, *spec.stops]
        stops = [*marks, *wrapped, *(text.strip() for text in wrapped), *filter(None, ends)]
        yield from self._text.passage(stops, lambda piece: self._emit(Text(piece)))
        if marks and (yield from self._text.ahead(spec.call_mark)):
            return False
        if spec.words_close.strip() and (yield from self._text.loosely(spec.words_close)):
            return False
        return bool(spec.preamble_close.strip()) and (
            yield from self._text.loosely(spec.preamble_close)
        )

    def _starts_call(self) -> Waiting[bool]:
        mark = self._spec.call_mark
        return bool(mark) and (yield from self._text.skip_space_before_text(mark))

    def _all_calls(self) -> Waiting[None]:
        spec, text = self._spec, self._text
        yield from text.literal(spec.calls_open)
        separator = spec.call_separator.strip()
        while True:
            yield from self._call()
            yield from text.skip_space()
            if spec.max_calls == 1:
                break
            if separator:
                if not (yield from text.take(separator)):
                    break
                yield from text.skip_space()
            elif (yield from self._calls_are_over()):
                break
        yield from text.literal(spec.calls_close)
        if spec.words_with_calls == "after":
            yield from self._words()
        yield from self._end()

    def _calls_are_over(self) -> Waiting[bool]:
        """Whether no further call comes, where nothing separates calls."""
        spec, text = self._spec, self._text
        closing = spec.calls_close.strip()
        if text.is_over or (closing and (yield from text.ahead(closing))):
            return True
        return not (yield from text.ahead(spec.call_start))

    def _end(self) -> Waiting[None]:
        """The end of the turn, with or without the marker."""
        spec, text = self._spec, self._text
        yield from self._take_any(dict.fromkeys([spec.calls_end, spec.turn_end, *spec.stops]))
        yield from text.skip_space()
        if not text.is_over:
            text.fail("the turn should end here")

    # Calls.

    def _call(self) -> Waiting[None]:
        spec, text = self._spec, self._text
        yield from text.literal(spec.call_open + spec.call_padding)
        index, self._calls = self._calls, self._calls + 1
        if spec.call == "{call}":
            yield from self._call_object(index)
        else:
            yield from self._call_in_pieces(index)
        yield from text.literal(spec.call_padding + spec.call_close)

    def _call_in_pieces(self, index: int) -> Waiting[None]:
        spec, text = self._spec, self._text
        pieces = pieces_of(spec.call)
        name: str = ""
        call_id: str | None = None
        arguments: dict[str, Any] = {}
        for i, piece in enumerate(pieces):
            following = pieces[i + 1] if i + 1 < len(pieces) else spec.call_close
            start = text.at
            if piece == "{name}":
                again = (yield from self._name(pieces[i + 1 :] or [following])).strip()
                if name and again != name:
                    text.fail(f"the call is of {name!r}, and here of {again!r}", start)
                if not name:
                    name = again
                    self._emit(CallStarted(index, name))
            elif piece == "{id}":
                call_id = yield from text.until(following)
            elif piece == "{index}":
                yield from text.until(following)
            elif piece == "{arguments}":
                parameters = self._tools[name].parameters if name in self._tools else {}
                arguments = yield from spec.arguments.read(
                    text, parameters, spec, self._deltas(index)
                )
            else:
                yield from text.literal(piece)
        self._emit(CallFinished(index, ToolCall(name, arguments, call_id)))

    def _name(self, following: list[str]) -> Waiting[str]:
        """What comes before the following pieces of a call."""
        text = self._text
        if following[0] == "{arguments}":
            ends = [self._spec.arguments.opening, self._spec.after_arguments.strip()]
            return (yield from text.until_any([end for end in ends if end]))
        if following[1:2] not in (["{id}"], ["{index}"]):
            return (yield from text.until(following[0]))
        # The name may hold the text that comes before a number: only the last one does.
        start = text.at
        yield from text.until(following[2])
        end = text.text.rfind(following[0], start, text.at)
        if end < 0:
            text.fail(f"{following[0]} is missing", start)
        text.at = end
        return text.text[start:end]

    def _call_object(self, index: int) -> Waiting[None]:
        text = self._text
        what_of = dict(self._spec.call_members)
        yield from text.skip_space()
        start = text.at
        if text.next_character != "{":
            text.fail_json(start)
        text.at += 1
        # Arguments that come before the name are passed on when the call is complete.
        held = ""
        started = False
        while True:
            yield from text.skip_space()
            if text.next_character == "}":
                text.at += 1
                break
            if text.next_character != '"':
                text.fail_json(start)
            key = text.decoded(*(yield from text.value()))
            yield from text.skip_space()
            if text.next_character != ":":
                text.fail_json(start)
            text.at += 1
            yield from text.skip_space()
            what = what_of.get(key)
            if what == "{arguments}" and started and text.next_character == "{":
                yield from text.value(self._deltas(index))
            else:
                place = yield from text.value()
                if what == "{arguments}":
                    held = text.text[slice(*place)]
                elif what == "{name}" and not started:
                    name = text.decoded(*place)
                    if isinstance(name, str):
                        started = True
                        self._emit(CallStarted(index, name))
            yield from text.skip_space()
            if text.next_character == ",":
                text.at += 1
            elif text.next_character != "}":
                text.fail_json(start)
        call = self._call_of(start)
        if held:
            self._emit(ArgumentDelta(index, held))
        self._emit(CallFinished(index, call))

    def _call_of(self, start: int) -> ToolCall:
        text, spec = self._text, self._spec
        value = text.decoded(start, text.at)
        held = {what: value[key] for key, what in spec.call_members if key in value}
        shape = ", ".join(
            f'"{key}": <{"object" if what == "{arguments}" else "string"}>'
            for key, what in spec.call_members
        )
        keys = {key for key, _ in spec.call_members}
        if (
            not keys - {*spec.optional_members} <= set(value) <= keys
            or not isinstance(held["{arguments}"], dict)
            or not all(isinstance(v, str) for w, v in held.items() if w != "{arguments}")
        ):
            text.fail(f"a call is {{{shape}}}", start)
        text.check(value, start, spec.write_json)
        return ToolCall(held["{name}"], held["{arguments}"], held.get("{id}"))
