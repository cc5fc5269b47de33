"""Reads turns that are made of messages, each with a header that names its channel: harmony's."""

from __future__ import annotations

import re
from collections.abc import Callable

from schemask.chat.cursor import Cursor, Waiting
from schemask.chat.events import (
    ArgumentDelta,
    CallFailed,
    CallFinished,
    CallStarted,
    Event,
    Reasoning,
    Text,
)
from schemask.chat.messages import ToolCall, error_at
from schemask.chat.spec import CHANNEL, ENDS_OF_MESSAGES, MESSAGE, FormatSpec
from schemask.errors import FormatError
from schemask.tools import ToolSet

_END, _CALL, _, _START = ENDS_OF_MESSAGES
_RECIPIENT = re.compile(r"\bto=([^\s<]+)")
_CHANNELS = re.compile(re.escape(CHANNEL) + r"\s*(\w+)")
_FUNCTIONS = "functions."
# What stands for the user or the model itself, and not for a tool.
_NO_TOOLS = ("assistant", "user", "self")


class ChannelReader:
    """Reads the messages of one turn. The parts of a header may come in any order.

    Args:
        spec: The format.
        tools: The tools that may be called.
        text: The text of the turn.
        emit: Called with each event.
        json_response: Whether words are one JSON value, which may hold markers.

    Attributes:
        spans: Where each call so far begins and ends in the text, with its header.
    """

    def __init__(
        self,
        spec: FormatSpec,
        tools: ToolSet,
        text: Cursor,
        emit: Callable[[Event], None],
        json_response: bool = False,
    ) -> None:
        self._spec = spec
        self._tools = tools
        self._text = text
        self._emit = emit
        self._json_response = json_response
        self.spans: list[tuple[int, int]] = []

    def read_all(self, opened: str) -> Waiting[None]:
        """Reads messages, up to the end of the turn.

        Args:
            opened: The header that the prompt holds, if it does.
        """
        text = self._text
        if MESSAGE in opened:
            yield from self._message(opened, text.at)
            yield from text.take(_END)
            if not (yield from self._goes_on()):
                return
        while True:
            start = text.at
            if not (yield from self._has_header()):
                if not text.is_over:
                    yield from text.passage(
                        [*ENDS_OF_MESSAGES, CHANNEL], lambda piece: self._emit(Text(piece))
                    )
            else:
                header = yield from self._header()
                if header:
                    yield from self._message(header, start)
            yield from text.take(_END)
            if not (yield from self._goes_on()):
                return

    def _has_header(self) -> Waiting[bool]:
        """Whether a message with a header comes next, and not words alone."""
        text = self._text
        for beginning in (CHANNEL, MESSAGE, "to=", _START):
            if (yield from text.skip_space_before_text(beginning)):
                return True
        return False

    def _goes_on(self) -> Waiting[bool]:
        """Whether another message of the assistant's follows."""
        text = self._text
        start = text.at
        if (yield from text.take_any([_CALL])) and not (yield from text.ahead(_START)):
            text.at = start
            return False
        if (yield from text.take_any([_START])):
            if (yield from text.take("assistant")):
                return True
            text.at = start
            return False
        return (yield from text.skip_space_before_text(CHANNEL))

    def _header(self) -> Waiting[str]:
        """The text up to the body of a message; the place is then at the body.

        Returns:
            The text; empty if it has no body but names a tool, which is a call that failed.

        Raises:
            FormatError: It has no body otherwise.
        """
        text = self._text
        start = text.at
        yield from text.take(_START)
        pattern = re.compile("|".join(map(re.escape, (MESSAGE, *ENDS_OF_MESSAGES))))
        found = yield from text.first_of(pattern, text.at)
        if found is None or found[0] != MESSAGE:
            end = len(text.text) if found is None else found.start()
            if not _RECIPIENT.search(text.text, start, end):
                text.fail(f"{MESSAGE} is missing", start)
            text.at = end
            self._fail(start, error_at(text.text, end, f"{MESSAGE} is missing"))
            return ""
        text.at = found.end()
        return text.text[start : found.start()]

    def _message(self, header: str, start: int) -> Waiting[None]:
        """The body of a message that begins at `start`."""
        text = self._text
        recipients = [name for name in _RECIPIENT.findall(header) if name not in _NO_TOOLS]
        channels = _CHANNELS.findall(header)
        if recipients:
            yield from self._call(recipients[-1], start)
        elif channels and channels[-1] == "analysis":
            yield from text.passage(ENDS_OF_MESSAGES, lambda piece: self._emit(Reasoning(piece)))
        elif self._json_response:
            yield from text.value(lambda piece: self._emit(Text(piece)))
        else:
            yield from text.passage(ENDS_OF_MESSAGES, lambda piece: self._emit(Text(piece)))

    def _call(self, recipient: str, start: int) -> Waiting[None]:
        spec, text = self._spec, self._text
        index = len(self.spans)
        body = text.at
        try:
            name = recipient.removeprefix(_FUNCTIONS)
            if name == recipient and name not in self._tools:
                text.fail(f"{recipient!r} is no function", start)
            self._emit(CallStarted(index, name))
            parameters = self._tools[name].parameters if name in self._tools else {}
            arguments = yield from spec.arguments.read(
                text, parameters, spec, lambda piece: self._emit(ArgumentDelta(index, piece))
            )
            yield from text.skip_space()
            if not text.is_over and not (yield from self._is_end()):
                text.fail("the call should end here")
        except FormatError as problem:
            error = problem
        else:
            self.spans.append((start, text.at))
            self._emit(CallFinished(index, ToolCall(name, arguments)))
            return
        pattern = re.compile("|".join(map(re.escape, ENDS_OF_MESSAGES)))
        found = yield from text.first_of(pattern, body)
        text.at = len(text.text) if found is None else found.start()
        self._fail(start, error)

    def _fail(self, start: int, error: FormatError) -> None:
        """Says that the call which begins at `start` and ends here failed."""
        line, column = error.line or 1, error.column or 1
        written = self._text.text[start : self._text.at]
        failed = CallFailed(len(self.spans), written, str(error), line, column)
        self.spans.append((start, self._text.at))
        self._emit(failed)

    def _is_end(self) -> Waiting[bool]:
        for end in ENDS_OF_MESSAGES:
            if (yield from self._text.ahead(end)):
                return True
        return False
