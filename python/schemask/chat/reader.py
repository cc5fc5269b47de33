"""Reads an assistant's turn as it is being written: text in, typed events out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from schemask.chat.call_reader import CallReader
from schemask.chat.channels import ChannelReader
from schemask.chat.cursor import Cursor, Waiting
from schemask.chat.events import Event, Reasoning, Text
from schemask.chat.messages import encodable
from schemask.chat.spec import FormatSpec
from schemask.errors import FormatError, shortened
from schemask.tools import ToolSet


class TurnReader:
    """Reads one turn of a chat format.

    Args:
        spec: The format.
        tools: The tools that the turn may call. Where arguments are not JSON, their schemas tell
            strings from other values.
        opened: The part of the turn that the prompt holds.
        json_response: Whether words are one JSON value, which may hold what tells calls from words.
    """

    def __init__(
        self, spec: FormatSpec, tools: ToolSet, opened: str = "", json_response: bool = False
    ) -> None:
        self._spec = spec
        self._tools = tools
        self._text = Cursor()
        self._events: list[Event] = []
        self._calls = CallReader(spec, tools, self._text, self._emit)
        self._channels = ChannelReader(spec, tools, self._text, self._emit, json_response)
        self._opened = opened
        self._json_response = json_response
        ends = (spec.turn_end, spec.turn_end.strip(), spec.calls_end, *spec.stops)
        self._ends = tuple(dict.fromkeys(filter(None, ends)))
        self._run: Iterator[None] = self._turn()

    def __repr__(self) -> str:
        text = self._text
        return f"<TurnReader {self._spec.name}: {text.at} of {len(text.text)} characters read>"

    @property
    def call_spans(self) -> tuple[tuple[int, int], ...]:
        """Where each call that was read, or failed, begins and ends in the text, with its tags."""
        reader = self._channels if self._spec.has_channels else self._calls
        return tuple(reader.spans)

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

    # The order of things.

    def _turn(self) -> Iterator[None]:
        spec, text = self._spec, self._text
        if spec.has_channels:
            yield from self._channels.read_all(self._opened)
            yield from self._end()
            return
        yield from self._reasoning()
        if self._json_response:
            yield from self._calls_or_response()
            yield from self._end()
            return
        if spec.bare and (yield from text.skip_space_before(spec.bare)):
            yield from self._calls.read_all()
        elif spec.words_open and not spec.wraps_words:
            yield from text.take(spec.words_open)
        while not text.is_over:
            if self._calls.has_begun and not (yield from self._goes_on()):
                break
            is_wrapped = spec.wraps_words and (
                yield from self._take_any([spec.preamble_open, spec.words_open])
            )
            calls_follow = False
            if is_wrapped or not spec.wraps_words:
                calls_follow = yield from self._words()
            elif not (yield from self._starts_call()):
                # Where no mark tells calls from words, the marker of words does.
                calls_follow = not (spec.call_mark or spec.max_calls == 0)
                calls_follow = calls_follow or (yield from self._words())
            if calls_follow or (yield from self._starts_call()):
                yield from self._calls.read_all()
            elif not (yield from self._goes_past_mark()):
                break
        yield from self._end()

    def _calls_or_response(self) -> Waiting[None]:
        """Calls, or a JSON value in the place of words."""
        spec, text = self._spec, self._text
        is_wrapped = spec.wraps_words and (yield from self._take_any([spec.words_open]))
        # Where no mark tells calls from words, the marker of words does.
        calls_follow = spec.wraps_words and not is_wrapped and not spec.call_mark
        if calls_follow or (yield from self._starts_call()):
            yield from self._calls.read_all()
            return
        if spec.words_open and not spec.wraps_words:
            yield from text.take(spec.words_open)
        yield from text.value(lambda piece: self._emit(Text(piece)))
        yield from self._take_any([spec.words_close])

    def _goes_on(self) -> Waiting[bool]:
        """Whether more than the end of the turn follows calls."""
        spec, text = self._spec, self._text
        start = text.at
        yield from text.skip_space()
        for end in self._ends:
            if (yield from text.ahead(end)):
                return False
        if text.is_over and spec.words_with_calls != "after":
            return False
        text.at = start
        return True

    # Reasoning.

    def _reasoning(self) -> Waiting[None]:
        spec, text = self._spec, self._text
        thinking, plain = spec.left_of_opening(self._opened)
        if thinking is not None and not thinking.strip():
            yield from text.take_space(thinking)
            yield from self._block()
        elif thinking is not None and (yield from text.loosely(thinking)):
            yield from self._block()
        else:
            plain_calls = spec.left_of_opening(self._opened, calls_follow=True)[1]
            literals = [literal for literal in (plain, plain_calls) if literal]
            if not (yield from self._take_any(literals)) and plain and not plain.strip():
                yield from text.take(plain)

    def _block(self) -> Waiting[None]:
        """Reasoning, and what closes it: a marker, the end of the turn, or a call before either."""
        spec, text = self._spec, self._text
        closings = [spec.after_reasoning(calls_follow) for calls_follow in (False, True)]
        cores = [closing.strip() for closing in closings if closing.strip()]
        stops = [*filter(None, closings), *cores, *self._ends, *spec.call_marks]
        pattern = re.compile("|".join(map(re.escape, [*cores, *self._ends])) or r"(?!)")

        def emit(piece: str) -> None:
            self._emit(Reasoning(piece))

        while True:
            yield from text.passage(stops, emit)
            if text.is_over or (yield from self._take_any(closings)):
                return
            start = text.at
            if not (yield from self._starts_call()):
                return
            text.at = start
            # A call is a part of the reasoning if what closes this comes later.
            closing = yield from text.first_of(pattern, start)
            if closing is None or closing[0] not in cores:
                return
            thought = text.text[start : closing.start()].rstrip()
            emit(encodable(thought))
            text.at = start + len(thought)

    # Words.

    def _take_any(self, literals: Iterable[str]) -> Waiting[bool]:
        """Goes past the first of these texts that comes next, longer ones first."""
        for literal in sorted(literals, key=len, reverse=True):
            if literal.strip() and (yield from self._text.loosely(literal)):
                return True
        return False

    def _words(self) -> Waiting[bool]:
        """Words up to a mark, and what closes them; whether that says that calls follow."""
        spec = self._spec
        wrapped = [text for text in (spec.words_close, spec.preamble_close) if text.strip()]
        stops = [*spec.call_marks, *wrapped, *(text.strip() for text in wrapped)]
        stops += [*self._ends, *self._spec.stray_marks]
        yield from self._text.passage(stops, lambda piece: self._emit(Text(piece)))
        if (yield from self._starts_call()):
            return False
        if spec.words_close.strip() and (yield from self._text.loosely(spec.words_close)):
            return False
        return bool(spec.preamble_close.strip()) and (
            yield from self._text.loosely(spec.preamble_close)
        )

    def _goes_past_mark(self) -> Waiting[bool]:
        """Goes past a mark that is no part of words, or reasoning that comes late."""
        spec, text = self._spec, self._text
        opening = spec.reasoning_open.strip()
        if opening and (yield from text.take(opening)):
            yield from text.take_space(spec.reasoning_open[len(spec.reasoning_open.rstrip()) :])
            yield from self._block()
            return True
        for mark in self._spec.stray_marks:
            if (yield from text.take(mark)):
                return True
        for end in self._ends:
            if (yield from text.ahead(end)):
                return False
        return not text.is_over

    def _starts_call(self) -> Waiting[bool]:
        """Whether a call comes next, after any white space; the place is then at its mark."""
        spec, text = self._spec, self._text
        marks = [mark for mark in (spec.call_mark, *spec.call_tags) if mark]
        for mark in marks:
            if (yield from text.skip_space_before_text(mark)):
                return True
        return False

    def _end(self) -> Waiting[None]:
        """The end of the turn, with or without the marker."""
        spec, text = self._spec, self._text
        yield from self._take_any(dict.fromkeys([spec.calls_end, spec.turn_end, *spec.stops]))
        yield from text.skip_space()
        if not text.is_over:
            text.fail("the turn should end here")
