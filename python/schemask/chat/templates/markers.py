"""Markers in texts: finding them, and hiding those that are not the template's own.

Whoever writes `<|im_end|>` into a message has written nine characters of text; the same characters
from the template end a turn. To tell one from the other, characters of messages are exchanged for
stand-ins before the template is rendered, and back again afterwards.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from schemask.errors import FormatError

# What stands in for a character: code points that have no meaning of their own.
_PRIVATE = range(0xE000, 0xF900)
# JSON and Python write these in a way of their own, which would show that others stand for them.
_QUOTES = "\"'\\"


class Markers:
    """The texts of markers, to be found as tokenizers find them: the first, and there the longest.

    Args:
        texts: The markers.
        words: Those of them that are found between other characters than letters alone.
    """

    def __init__(self, texts: Iterable[str], words: Iterable[str] = ()) -> None:
        self.texts = frozenset(filter(None, texts))
        self._words = frozenset(words)
        self._in_any_case = frozenset(text.lower() for text in self.texts)
        self._lengths = sorted({len(text) for text in self.texts}, reverse=True)
        firsts = {letter for text in self.texts for letter in (text[0], *text[:1].swapcase())}
        self._firsts = re.compile(f"[{re.escape(''.join(sorted(firsts)))}]") if firsts else None
        self.punctuation = {
            letter
            for text in self.texts
            for letter in text
            if not (letter.isalnum() or letter.isspace() or letter in _QUOTES or letter == "_")
        }
        """What markers are made of, beside letters."""
        self.firsts = firsts

    def find(self, text: str) -> Iterator[tuple[int, int]]:
        """Where markers stand, one after the other."""
        end = 0
        for start in self._candidates(text):
            if start >= end and (length := self._length_at(text, start)):
                end = start + length
                yield start, end

    def begin(self, text: str) -> Iterator[int]:
        """Where a marker begins, in letters of whatever case; also inside of another."""
        for start in self._candidates(text):
            parts = (text[start : start + length] for length in self._lengths)
            if any(part.lower() in self._in_any_case for part in parts):
                yield start

    def _candidates(self, text: str) -> Iterator[int]:
        if self._firsts is not None:
            yield from (found.start() for found in self._firsts.finditer(text))

    def _length_at(self, text: str, start: int) -> int:
        for length in self._lengths:
            part = text[start : start + length]
            if len(part) == length and part in self.texts:
                around = text[start - 1 : start] + text[start + length : start + length + 1]
                if part not in self._words or not re.search(r"\w", around):
                    return length
        return 0


class Disguise:
    """Exchanges characters of markers for stand-ins, and back.

    Args:
        markers: The markers.
        texts: All texts in which no stand-in may occur.

    Raises:
        FormatError: The texts hold too many of the characters that could stand in.
    """

    def __init__(self, markers: Markers, texts: Iterable[str]) -> None:
        self._markers = markers
        taken = "\0".join(texts)
        taken += taken.lower()  # what `\ue000` may stand for is written in either case
        free = (chr(code) for code in _PRIVATE if chr(code) not in taken)
        free = (letter for letter in free if f"{ord(letter):04x}" not in taken)
        stand_ins: dict[str, str] = {}
        for letter in sorted(markers.punctuation | markers.firsts):
            if (stand_in := next(free, None)) is None:
                raise FormatError("the messages hold all the characters for private use")
            stand_ins[letter] = stand_in
        self._stand_ins = stand_ins
        self._meant = {stand_in: letter for letter, stand_in in stand_ins.items()}
        self._punctuation = str.maketrans(
            {letter: stand_ins[letter] for letter in markers.punctuation}
        )
        # JSON in ASCII and Python's `repr` write a stand-in by its number.
        letters = "|".join(self._meant)
        numbers = "|".join(f"{ord(letter):04x}" for letter in self._meant)
        self._written = re.compile(rf"{letters}|\\u({numbers})" if letters else "(?!)", re.I)

    def markers_hidden(self, value: Any) -> Any:
        """A copy of a JSON value in which no text and no key holds a marker."""
        return _changed(value, self._without_markers)

    def all_hidden(self, value: Any) -> Any:
        """A copy in which no text and no key holds anything that markers are made of."""
        return _changed(value, lambda text: text.translate(self._punctuation))

    def lifted(self, text: str) -> str:
        """The text with the characters that are meant."""
        return self._written.sub(self._letter_meant, text)

    def is_in(self, text: str) -> bool:
        """Whether a stand-in occurs."""
        return self._written.search(text) is not None

    def _without_markers(self, text: str) -> str:
        letters = None
        for start in self._markers.begin(text):
            letters = letters or list(text)
            letters[start] = self._stand_ins[text[start]]
        return text if letters is None else "".join(letters)

    def _letter_meant(self, found: re.Match[str]) -> str:
        if found[1] is None:
            return self._meant[found[0]]
        letter = self._meant[chr(int(found[1], 16))]
        return letter if letter.isascii() else f"\\u{ord(letter):04x}"


def texts_in(value: Any) -> Iterator[str]:
    """All texts and keys of a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from texts_in(key)
            yield from texts_in(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from texts_in(item)


def _changed(value: Any, change: Any) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {_changed(key, change): _changed(item, change) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_changed(item, change) for item in value]
    return value
