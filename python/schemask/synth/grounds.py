"""What was said so far, and whether a value was."""

from __future__ import annotations

import datetime
import json
import re
import unicodedata
from collections.abc import Iterator

from schemask.synth.numerals import numbers_in, rounded
from schemask.synth.values import is_said, leaves
from schemask.synth.words import words_of

# Words that a text of several may have although nobody said them.
_SMALL_WORDS = frozenset(
    (
        *("a", "an", "the", "of", "to", "in", "on", "at", "for", "from", "by", "and", "or", "with"),
        *("is", "are", "be", "will", "it", "that", "this", "i", "me", "you", "my", "your", "our"),
        *("his", "her", "their"),
    )
)
_IRREGULAR = {
    **{"men": "man", "women": "woman", "children": "child", "people": "person", "feet": "foot"},
    **{"mice": "mouse", "teeth": "tooth", "lives": "life", "leaves": "leaf", "wives": "wife"},
}
_BORDERS = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=\d)(?=[^\W\d])|(?<=[^\W\d])(?=\d)|_")
_DATE = re.compile(r"(\d{4})-(\d\d)-(\d\d)")
_TIME = re.compile(r"(\d\d):(\d\d)(?::(\d\d)(?:\.\d+)?)?(?:z|[+-]\d\d:?\d\d)?")
# A date in another form, such as 08/16/2022 or 04-2022.
_FIGURES = re.compile(r"\d{1,4}([-/.])\d{1,4}(?:\1\d{1,4})?")
_YEAR = re.compile(r"(?<![\d.,])(?:19|20)\d\d(?![\d.,]*\d)")
_RELATIVE = re.compile(
    r"\b(?:today|tonight|tomorrow|yesterday|next|last|this|coming|in|(?:mon|tues|wednes|thurs|fri|"
    r"satur|sun)days?|weekend|now|ago)\b"
)
# So far may "next week" or "in a month" be from a date that is known.
_NEAR = 62
_SPACELESS = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]")


class Said:
    """Texts that were said, in which values are looked up."""

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._runs: list[str] = []
        self._words: set[str] = set()
        self._numbers: set[float] = set()
        self._dates: set[datetime.date] = set()
        self._has_year = False

    def add(self, text: str) -> None:
        """Takes in a text.

        Args:
            text: What a user, the system or a tool said; JSON is read as what it holds.
        """
        text = _plain(text)
        pieces = _pieces(text)
        self._texts.append(text.casefold())
        self._runs.append(f" {' '.join(pieces)} ")
        for length in (1, 2, 3):
            self._words.update(
                "".join(pieces[start : start + length]) for start in range(len(pieces) - length + 1)
            )
        self._numbers |= numbers_in(text)
        self._dates.update(_dates(text))
        self._has_year |= _YEAR.search(text) is not None

    def has(self, value: str | int | float) -> bool:
        """Whether a value was said.

        Args:
            value: A text or a number of an argument.
        """
        if isinstance(value, str):
            return self._has_text(value)
        try:
            return rounded(abs(float(value))) in self._numbers
        except OverflowError:
            return any(is_said(value, text) for text in self._texts)

    def _has_text(self, value: str) -> bool:
        value = unicodedata.normalize("NFKC", value).strip()
        plain = value.casefold()
        if not (pieces := _pieces(value)):
            return any(plain in text for text in self._texts)
        run = f" {' '.join(pieces)} "
        if any(run in text for text in self._runs) or "".join(pieces) in self._words:
            return True
        if _SPACELESS.search(value):
            return any(plain in text for text in self._texts)
        if (found := self._has_moment(plain)) is not None:
            return found
        if _FIGURES.fullmatch(plain) and re.search(r"\d{4}", plain):
            return {float(part) for part in re.findall(r"\d+", plain)} <= self._numbers
        if re.fullmatch(r"[-+]?\d+(?:\.\d+)?", plain):
            return len(plain) < 300 and rounded(abs(float(plain))) in self._numbers
        if " " not in plain:
            return False
        told = [piece for piece in pieces if piece not in _SMALL_WORDS] or pieces
        return all(piece in self._words or self._has_number(piece) for piece in told)

    def _has_number(self, piece: str) -> bool:
        numbers = numbers_in(piece) if len(piece) < 300 else set()
        return bool(numbers) and numbers <= self._numbers

    def _has_moment(self, value: str) -> bool | None:
        """Whether a date, a time or both were said; None if it is none of them."""
        date, _, time = value.replace("t", " ").partition(" ")
        if not time and _TIME.fullmatch(date):
            date, time = "", date
        if (date and not _DATE.fullmatch(date)) or (time and not _TIME.fullmatch(time)):
            return None
        return (not date or self._has_date(date)) and (not time or self._has_time(time))

    def _has_date(self, value: str) -> bool:
        found = list(_dates(value))
        if not found:
            return False
        [date] = found
        if {float(date.day), float(date.month)} <= self._numbers:
            return not self._has_year or float(date.year) in self._numbers
        near = any(abs((date - other).days) <= _NEAR for other in self._dates)
        return near and any(_RELATIVE.search(text) for text in self._texts)

    def _has_time(self, value: str) -> bool:
        found = _TIME.fullmatch(value)
        assert found is not None
        hour, *others = (float(part or 0) for part in found.groups())
        return {hour, *others} <= self._numbers | {0.0} and hour in self._numbers


def _plain(text: str) -> str:
    """The text, or what the values of a JSON object or list say."""
    if text.lstrip()[:1] in ("{", "["):
        try:
            held = json.loads(text)
        except (ValueError, RecursionError):
            held = None
        if isinstance(held, (dict, list)):
            try:
                text = "\n".join(str(leaf) for leaf in leaves(held))
            except (ValueError, RecursionError):  # of too many digits
                return unicodedata.normalize("NFKC", text)
    return unicodedata.normalize("NFKC", text)


def _pieces(text: str) -> list[str]:
    return [_stem(word) for word in words_of(_BORDERS.sub(" ", text))]


def _stem(word: str) -> str:
    """A word without what makes it a plural."""
    word = _IRREGULAR.get(word, word)
    if len(word) <= 3 or not word.isalpha():
        return word
    if word.endswith("ies"):
        return word[:-3] + "y"
    if word.endswith("s") and not word.endswith("ss"):
        word = word[:-1]
    return word.removesuffix("e")


def _dates(text: str) -> Iterator[datetime.date]:
    for year, month, day in _DATE.findall(text):
        try:
            yield datetime.date(int(year), int(month), int(day))
        except ValueError:
            continue
