"""Settings of stages: that they are in range, and how ledgers name what is too large for them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from typing import Any

from schemask.errors import DataError, shortened


def check_whole(name: str, value: object, least: int = 0) -> None:
    """Raises DataError for a number that is no integer or too small."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise DataError(f"{name} is an integer of at least {least}, not {shortened(value)}")


def check_share(name: str, value: object) -> None:
    """Raises DataError for what is no number from 0 to 1."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise DataError(f"{name} is a number from 0 to 1, not {shortened(value)}")


def check_choice(name: str, value: object, choices: Collection[str]) -> None:
    """Raises DataError for what is none of some words."""
    if not isinstance(value, str) or value not in choices:
        raise DataError(f"{name} is one of {', '.join(choices)}, not {shortened(value)}")


def digest_of(value: Any) -> str:
    """A name for a JSON value, or what is made of tuples, by which another is known."""
    text = json.dumps(value, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()[:32]
