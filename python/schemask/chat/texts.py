"""The texts that a format is made of: placeholders and tags in them."""

from __future__ import annotations

import re
from collections.abc import Mapping

PLACEHOLDER = re.compile(r"(\{(?:call|name|arguments|id|index|key|value)\})")
TAG = re.compile(r"(<[^<>\s]+>|\[/?[A-Z_]+\])")

OPENING_TAG = re.compile(r"<[^<>\s]+>?|\[/?[A-Z_]+\]")
"""A tag, or the beginning of one that holds more than its name."""

INDEX_PATTERN = "0|[1-9][0-9]{0,3}"
"""What stands for `{index}`."""


def pieces_of(text: str) -> list[str]:
    """A text cut at its placeholders, which are pieces of their own; none is empty."""
    return [piece for piece in PLACEHOLDER.split(text) if piece]


def parts_of(text: str) -> list[str]:
    """A text of a format cut at its tags, fences and white space, without the white space."""
    return [part for piece in TAG.split(text) for part in piece.replace("```", " ```").split()]


def filled(text: str, held: Mapping[str, str]) -> str:
    """A text with `held` in the place of placeholders; others stay."""
    return "".join(held.get(piece, piece) for piece in pieces_of(text))


def common_start(*texts: str) -> str:
    """The longest text that all begin with."""
    # Of texts in order, the first and the last differ most.
    one, other = min(texts), max(texts)
    length = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), len(one))
    return one[:length]
