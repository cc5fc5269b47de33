"""A text that is still being written, and a place in it up to which it has been read.

What reads is a generator that waits (`yield`) wherever the text so far does not decide how to go
on, so how the text was cut makes no difference to what is read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Generator, Iterable, Sequence
from typing import Any, NoReturn, TypeAlias, TypeVar

from schemask.chat.messages import DECODER, encodable, fail_at
from schemask.chat.texts import parts_of
from schemask.errors import FormatError

T = TypeVar("T")
Waiting: TypeAlias = Generator[None, None, T]
Emit: TypeAlias = Callable[[str], None]

_STRING_STOPS = {quote: re.compile(rf"[{quote}\\]") for quote in "\"'"}
_NESTING = re.compile(r'["{}\[\]]')
_NESTING_OR_QUOTE = re.compile(r"""["'{}\[\]]""")
_SCALAR_END = re.compile(r"[^A-Za-z0-9+.-]")
# Marks that are searched for are not longer.
_LONGEST_MARK = 1000
_NOT_SPACE = re.compile(r"[^ \t\n\r]")


class Cursor:
    """The text so far, and where in it reading goes on.

    Attributes:
        text: The text so far.
        at: Index of the first character that has not been read.
        is_whole: Whether no more text comes.
    """

    def __init__(self) -> None:
        self.text = ""
        self.at = 0
        self.is_whole = False

    @property
    def next_character(self) -> str:
        """The character at the place; empty at the end of the text so far."""
        return self.text[self.at : self.at + 1]

    @property
    def is_over(self) -> bool:
        return self.is_whole and self.at == len(self.text)

    def fail(self, problem: str, at: int | None = None) -> NoReturn:
        """Raises FormatError with line and column of a place, if not given of this one."""
        fail_at(self.text, self.at if at is None else at, problem)

    def need(self, count: int) -> Waiting[None]:
        """Waits for so many characters."""
        while len(self.text) - self.at < count and not self.is_whole:
            yield

    def ahead(self, text: str) -> Waiting[bool]:
        """Whether this text comes next."""
        while not self.is_whole:
            rest = self.text[self.at : self.at + len(text)]
            if len(rest) == len(text) or not text.startswith(rest):
                break
            yield
        return self.text.startswith(text, self.at)

    def take(self, text: str) -> Waiting[bool]:
        """Goes past this text, if it comes next."""
        found = yield from self.ahead(text)
        if found:
            self.at += len(text)
        return found

    def exactly(self, text: str) -> Waiting[None]:
        """Goes past this text, which must come next."""
        if not (yield from self.take(text)):
            self.fail(f"{text.strip()} is missing")

    def literal(self, text: str) -> Waiting[None]:
        """Goes past a text of the format, with any white space between its tags."""
        for part in parts_of(text):
            yield from self.skip_space()
            yield from self.exactly(part)
        yield from self.take_space(text[len(text.rstrip()) :])

    def loosely(self, text: str) -> Waiting[bool]:
        """Goes past a text of the format, if it comes next, with or without the space around it."""
        if (yield from self.take(text)):
            return True
        core = text.strip()
        if not core or not (yield from self.skip_space_before_text(core)):
            return False
        self.at += len(core)
        yield from self.take_space(text[len(text.rstrip()) :])
        return True

    def take_space(self, space: str) -> Waiting[None]:
        """Goes past as much of this white space as comes next."""
        for character in space:
            if not (yield from self.take(character)):
                return

    def take_any(self, texts: Iterable[str]) -> Waiting[str]:
        """Goes past the first of some texts that comes next, with any white space before it.

        Returns:
            The text; empty if none comes.
        """
        for text in texts:
            if (yield from self.skip_space_before_text(text)):
                self.at += len(text)
                return text
        return ""

    def run(self, pattern: re.Pattern[str]) -> Waiting[str]:
        """Goes past the longest text that a pattern of one character matches again and again."""
        start = self.at
        while True:
            while self.at < len(self.text) and pattern.match(self.text, self.at):
                self.at += 1
            if self.at < len(self.text) or self.is_whole:
                return self.text[start : self.at]
            yield

    def skip_space_before_text(self, text: str) -> Waiting[bool]:
        """Goes past white space, if this text comes after it; the place is then at the text."""
        start = self.at
        yield from self.skip_space()
        if (yield from self.ahead(text)):
            return True
        self.at = start
        return False

    def skip_space(self) -> Waiting[None]:
        while True:
            found = _NOT_SPACE.search(self.text, self.at)
            self.at = found.start() if found else len(self.text)
            if found or self.is_whole:
                return
            yield

    def skip_space_before(self, beginnings: str) -> Waiting[bool]:
        """Goes past white space, if one of these characters comes after it."""
        while True:
            found = _NOT_SPACE.search(self.text, self.at)
            if found or self.is_whole:
                break
            yield
        if found is None or found[0] not in beginnings:
            return False
        self.at = found.start()
        return True

    def first_of(self, pattern: re.Pattern[str], start: int) -> Waiting[re.Match[str] | None]:
        """Where a pattern is found from a place on; None if it is nowhere up to the end."""
        while not (found := pattern.search(self.text, start)):
            if self.is_whole:
                return None
            start = max(start, len(self.text) - _LONGEST_MARK)
            yield
        return found

    def until(self, text: str) -> Waiting[str]:
        """What comes before a text, which must come; the place is then at that text."""
        start = self.at
        searched = start
        while (found := self.text.find(text, searched)) < 0:
            if self.is_whole:
                self.fail(f"{text.strip() or text!r} is missing", len(self.text))
            searched = max(start, len(self.text) - len(text) + 1)
            yield
        self.at = found
        return encodable(self.text[start:found])

    def passage(self, stops: Sequence[str], emit: Emit) -> Waiting[None]:
        """Text up to the first stop, passed on as soon as it cannot be a part of one."""
        ordered = sorted(stops, key=len, reverse=True)
        pattern = re.compile("|".join(map(re.escape, ordered)) or r"(?!)")
        while True:
            found = pattern.search(self.text, self.at)
            # A longer stop could begin before the one that is complete.
            held = self._held(stops)
            if found and (self.is_whole or found.start() <= held):
                end = found.start()
            elif found:
                end = min(found.start(), held)
            else:
                end = len(self.text) if self.is_whole else held
            if end > self.at:
                emit(encodable(self.text[self.at : end]))
                self.at = end
            if found and self.at == found.start() and (self.is_whole or held >= self.at):
                return
            if self.is_whole:
                return
            yield

    def _held(self, stops: Sequence[str]) -> int:
        """Where the text ends that is no unfinished beginning of a stop."""
        longest = max(map(len, stops), default=0)
        for start in range(max(self.at, len(self.text) - longest + 1), len(self.text)):
            rest = self.text[start:]
            if any(len(rest) < len(stop) and stop.startswith(rest) for stop in stops):
                return start
        return len(self.text)

    def value(self, emit: Emit | None = None) -> Waiting[tuple[int, int]]:
        """Where a JSON value, or one of Python, starts and ends.

        Args:
            emit: Called with each piece of it as soon as it is there.
        """
        yield from self.skip_space()
        start = self.at
        sent = start

        def send() -> None:
            nonlocal sent
            if emit is not None and self.at > sent:
                emit(self.text[sent : self.at])
                sent = self.at

        yield from self.need(1)
        depth = 0
        while True:
            opening = self.next_character
            if opening == '"':
                if not (yield from self._string(send)):
                    self.fail_json(start)
            elif opening and opening in "[{":
                self.at += 1
                depth += 1
            elif opening and opening in "]}":
                self.at += 1
                depth -= 1
            elif depth == 0:
                yield from self.scalar()
            if depth <= 0:
                send()
                return start, self.at
            while not (found := _NESTING.search(self.text, self.at)):
                self.at = len(self.text)
                send()
                if self.is_whole:
                    self.fail_json(start)
                yield
            self.at = found.start()

    def value_of_either(self, stops: Sequence[str] = ()) -> Waiting[int | None]:
        """Goes past a value of JSON or of Python, whose strings may be between apostrophes.

        Args:
            stops: Texts that stand in no value but in a string of it.

        Returns:
            Where the value ends; None if the end of the text or a stop comes first.
        """
        yield from self.need(1)
        pattern = _NESTING_OR_QUOTE
        if stops:
            pattern = re.compile("|".join([pattern.pattern, *map(re.escape, stops)]))
        depth = 0
        while True:
            opening = self.next_character
            if opening and opening in "\"'":
                if not (yield from self._string(lambda: None, opening)):
                    return None
            elif opening and opening in "[{":
                self.at += 1
                depth += 1
            elif opening and opening in "]}":
                self.at += 1
                depth -= 1
            elif depth == 0:
                yield from self.scalar()
            if depth <= 0:
                return self.at
            searched = self.at
            while not (found := pattern.search(self.text, searched)):
                if self.is_whole:
                    return None
                searched = max(searched, len(self.text) - _LONGEST_MARK)
                yield
            self.at = found.start()
            if len(found[0]) > 1:
                return None

    def _string(self, send: Callable[[], None], quote: str = '"') -> Waiting[bool]:
        """Goes past a string, and says whether it ends."""
        self.at += 1
        while True:
            found = _STRING_STOPS[quote].search(self.text, self.at)
            escapes = found is not None and found[0] == "\\"
            if found is None or (escapes and found.end() == len(self.text)):
                self.at = found.start() if found else len(self.text)
                send()
                if self.is_whole:
                    return False
                yield
                continue
            self.at = found.end() + (1 if escapes else 0)
            if not escapes:
                return True

    def scalar(self) -> Waiting[None]:
        """Goes past a number or a word."""
        start = self.at
        while not (found := _SCALAR_END.search(self.text, self.at)):
            if self.is_whole:
                self.at = len(self.text)
                return
            yield
        self.at = found.start()
        if self.at == start:
            self.fail_json(start)

    def decoded(self, start: int, end: int) -> Any:
        """The JSON value that stands there."""
        try:
            return DECODER.decode(self.text[start:end])
        except json.JSONDecodeError as error:
            self.fail(f"the call is no JSON: {error.msg}", start + error.pos)
        except (ValueError, RecursionError) as error:
            self.fail(f"the call cannot be read: {error}", start)

    def fail_json(self, start: int) -> NoReturn:
        """Fails with what is wrong with the JSON that begins at `start`, up to this place."""
        try:
            DECODER.raw_decode(self.text[: self.at + 1], start)
        except json.JSONDecodeError as error:
            self.fail(f"the call is no JSON: {error.msg}", error.pos)
        except (ValueError, RecursionError) as error:
            self.fail(f"the call cannot be read: {error}", start)
        self.fail("the call is no JSON object", start)

    def check(self, value: Any, start: int, write_json: Callable[[Any], str]) -> None:
        """Fails at `start` if a value that was read cannot be written."""
        try:
            write_json(value)
        except FormatError as error:
            self.fail(str(error), start)
