"""Strings that are passed on as JSON while they are being read."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

from schemask.chat.cursor import Cursor, Emit, Waiting

_SHORT = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "\\": "\\", '"': '"', "'": "'"}
_SHORT_OF_PYTHON = {**_SHORT, "a": "\a", "v": "\v", "\n": ""}
_CODES = {"x": 2, "u": 4, "U": 8}
_OCTAL = re.compile(r"[0-7]{1,3}")


class StringStream:
    """A string whose pieces become pieces of JSON.

    Args:
        emit: Called with each piece of JSON.
        is_held: Whether pieces are held back until it is sure that they are of a string.
    """

    def __init__(self, emit: Emit, is_held: bool = False) -> None:
        self._emit = emit
        self._held: str | None = "" if is_held else None
        self.has_begun = False

    def add(self, piece: str, holds: Callable[[str], bool] = lambda _: False) -> None:
        """More of the string.

        Args:
            piece: The text.
            holds: Whether a beginning might still be of something else.
        """
        if self._held is not None:
            self._held += piece
            if holds(self._held):
                return
            piece, self._held = self._held, None
        self._begin()
        if piece:
            self._emit(json.dumps(piece, ensure_ascii=False)[1:-1])

    def end(self) -> None:
        """The string is complete."""
        held, self._held = self._held, None
        self._begin()
        if held:
            self.add(held)
        self._emit('"')

    def _begin(self) -> None:
        if not self.has_begun:
            self.has_begun = True
            self._emit('"')


def read_escape(text: Cursor, quote: str, own: Callable[[str, str], str | None]) -> Waiting[str]:
    """What an escape in a string between quotes says: what it says in Python, if nothing else.

    Args:
        text: At the backslash.
        quote: The quotes.
        own: What a character after a backslash says otherwise, of the character and the quotes.
    """
    yield from text.need(2)
    kind = text.text[text.at + 1 : text.at + 2]
    text.at += 1 + len(kind)
    if (said := own(kind, quote)) is not None:
        return said
    if kind in _SHORT_OF_PYTHON:
        return _SHORT_OF_PYTHON[kind]
    if kind in _CODES:
        code = yield from _code(text, _CODES[kind])
        if code is None:
            return "\\" + kind
        if 0xD800 <= code < 0xDC00 and (yield from text.ahead("\\u")):
            start = text.at
            text.at += 2
            second = yield from _code(text, 4)
            if second is not None and 0xDC00 <= second < 0xE000:
                return chr(0x10000 + ((code - 0xD800) << 10) + (second - 0xDC00))
            text.at = start
        return chr(code)
    if kind and kind in "01234567":
        yield from text.need(2)
        found = _OCTAL.match(text.text, text.at - 1)
        text.at = found.end() if found else text.at
        return chr(int(found[0], 8)) if found else kind
    return "\\" + kind


def _code(text: Cursor, digits: int) -> Waiting[int | None]:
    """A number of so many hexadecimal digits; None if they do not come next."""
    yield from text.need(digits)
    written = text.text[text.at : text.at + digits]
    if not re.fullmatch(f"[0-9a-fA-F]{{{digits}}}", written) or int(written, 16) > 0x10FFFF:
        return None
    text.at += digits
    return int(written, 16)
