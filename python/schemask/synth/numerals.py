"""The numbers that a text says, in digits or in English words."""

from __future__ import annotations

import re
from collections.abc import Iterator

_SMALL = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    *("eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen"),
    *("eighteen", "nineteen"),
)
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_ORDINALS = (
    *("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth"),
    *("tenth", "eleventh", "twelfth"),
)
_MONTHS = (
    *("january", "february", "march", "april", "may", "june", "july", "august"),
    *("september", "october", "november", "december"),
)
_WORDS: dict[str, float] = {
    **{word: value for value, word in enumerate(_SMALL)},
    **{word: 10 * value for value, word in enumerate(_TENS, start=2)},
}
# What says a number by itself, and is no part of a longer one.
_ALONE: dict[str, tuple[float, ...]] = {
    **{word: (value,) for value, word in enumerate(_ORDINALS, start=1)},
    **{word: (value,) for value, word in enumerate(_MONTHS, start=1)},
    **{word[:3]: (value,) for value, word in enumerate(_MONTHS, start=1)},
    **{word: (1,) for word in ("a", "an", "single", "once")},
    **{word: (2,) for word in ("couple", "pair", "both", "twice", "double")},
    "half": (0.5, 30),
    "quarter": (0.25, 15),
    "triple": (3,),
    "dozen": (12,),
    # "the next week" is one, or seven days.
    **{"hour": (1, 60), "day": (1, 24), "week": (1, 7), "fortnight": (14,), "month": (1,)},
    **{"year": (1, 12), "decade": (10,), "century": (100,)},
    "noon": (12,),
    "midnight": (0,),
}
_FACTORS = {
    **{"hundred": 1e2, "thousand": 1e3, "million": 1e6, "billion": 1e9, "dozen": 12.0},
    **{"k": 1e3, "m": 1e6, "bn": 1e9, "percent": 0.01},
}
# How many of a smaller unit make one: a call may count in another one than the user does.
_UNITS = {"minute": (60,), "hour": (60, 3600), "day": (24, 1440), "week": (7,), "year": (12,)}
_DIGITS = re.compile(r"\d+(?:[,'\u2019 \u00a0]\d{3})+(?:\.\d+)?|\d+(?:[.,]\d+)?(?:e[+-]?\d+)?")
_CLOCK = re.compile(r"(?<!\d)(\d{1,2})(?:[:.]\d\d)?\s*([ap])\.?\s?m\b")
_TOKEN = re.compile(rf"{_DIGITS.pattern}|[^\W\d_]+|%")
_LONGEST = 300


def numbers_in(text: str) -> set[float]:
    """The numbers that a text says, without their signs.

    Those in digits, also with groups ("1,500"), the decimal comma, a factor ("5k", "2 million") or
    as ordinals ("3rd"); those in words ("twenty-five", "two and a half", "a dozen"); months as
    their numbers; "the next week" as 1 and 7; hours with "pm" on 24; percents as shares, too;
    times in smaller units.

    Args:
        text: The text.
    """
    text = text.casefold()
    found: set[float] = set()
    for hour, half in _CLOCK.findall(text):
        found.add(float(int(hour) % 12 + (12 if half == "p" else 0)))
    tokens = _TOKEN.findall(text)
    position = 0
    while position < len(tokens):
        token = tokens[position]
        found.update(_ALONE.get(token, ()))
        values = list(_read(token)) if token[0].isdigit() else []
        position += 1
        if token in _WORDS:
            value, position = _spelt(tokens, position - 1)
            values = [value]
        elif token in _ALONE:
            values = list(_ALONE[token])
        found.update(values)
        for after in tokens[position : position + 3]:  # "half an hour"
            factor = 0.01 if after == "%" else _FACTORS.get(after)
            if factor is not None:
                values = [value * factor for value in values]
                found.update(values)
            elif factors := _UNITS.get(after.rstrip("s")):
                found.update(value * factor for value in values for factor in factors)
                break
            elif after not in ("a", "an", "of"):
                break
    return set(map(rounded, found))


def rounded(value: float) -> float:
    """The number of twelve digits that is nearest: so far are all that are told apart.

    Args:
        value: A number.
    """
    return float(f"{value:.12g}")


def _read(token: str) -> Iterator[float]:
    if len(token) > _LONGEST:
        return
    plain = re.sub(r"[,'\u2019 \u00a0](?=\d{3}(?!\d))", "", token)
    yield float(plain.replace(",", "."))
    parts = re.findall(r"\d+", token)
    if len(parts) > 1 and "e" not in token:
        yield float(token.replace(",", ".")) if re.fullmatch(r"\d+[.,]\d+", token) else float(plain)
        yield from map(float, parts)


def _spelt(tokens: list[str], start: int) -> tuple[float, int]:
    """The value of a number in words, and where it ends."""
    total, part, position = 0.0, 0.0, start
    while position < len(tokens):
        token = tokens[position]
        following = tokens[position + 1] if position + 1 < len(tokens) else ""
        if token in _WORDS:
            value = _WORDS[token]
            # "twenty five" is one number, "five six" are two.
            fits = part == 0 or (part % 100 == 0 and value < 100) or (part % 10 == 0 and value < 10)
            if not fits or (part and value == 0):
                break
            part += value
        elif token == "hundred" and part:
            part *= 100
        elif token in ("thousand", "million", "billion") and part:
            total, part = total + part * _FACTORS[token], 0.0
        elif token == "and" and tokens[position + 1 : position + 3] == ["a", "half"]:
            return total + part + 0.5, position + 3
        elif token != "and" or following not in _WORDS or (part < 100 and not total):
            break
        position += 1
    return total + part, position
