"""Values of arguments, and whether a text says them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any


def leaves(value: Any) -> Iterator[str | int | float]:
    """The texts and numbers in a JSON value; keys are none, and neither are truth and null."""
    for leaf in leaves_of(value):
        if isinstance(leaf, (str, int, float)) and not isinstance(leaf, bool):
            yield leaf


def leaves_of(value: Any) -> Iterator[Any]:
    """The values in a JSON value that are neither objects nor lists."""
    if isinstance(value, dict):
        for inner in value.values():
            yield from leaves_of(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from leaves_of(inner)
    else:
        yield value


def is_said(value: str | int | float, text: str) -> bool:
    """Whether the value stands in the text as a word or number of its own, in any case."""
    if isinstance(value, str):
        pattern = rf"(?<!\w){re.escape(value.strip().casefold())}(?!\w)"
        return bool(value.strip()) and re.search(pattern, text.casefold()) is not None
    spelt = {json.dumps(value), json.dumps(int(value)) if value == value // 1 else ""} - {""}
    options = "|".join(map(re.escape, sorted(spelt, key=len, reverse=True)))
    return re.search(rf"(?<![\w.])(?:{options})(?!\w|\.\d)", text) is not None
