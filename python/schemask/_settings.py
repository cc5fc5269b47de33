"""Settings that users give: that each is of its type and in range."""

from __future__ import annotations

import math
from collections.abc import Collection

from schemask.errors import DataError, shortened


def check_whole(name: str, value: object, least: int = 0) -> None:
    """Raises DataError for a number that is no integer or too small."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise DataError(f"{name} is an integer of at least {least}, not {shortened(value)}")


def check_share(name: str, value: object) -> None:
    """Raises DataError for what is no number from 0 to 1."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise DataError(f"{name} is a number from 0 to 1, not {shortened(value)}")


def check_positive(name: str, value: object) -> None:
    """Raises DataError for what is no number above 0, or has no end."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not (is_number and value > 0 and math.isfinite(value)):  # type: ignore[operator, arg-type]
        raise DataError(f"{name} is a number above 0, not {shortened(value)}")


def check_choice(name: str, value: object, choices: Collection[str]) -> None:
    """Raises DataError for what is none of some words."""
    if not isinstance(value, str) or value not in choices:
        raise DataError(f"{name} is one of {', '.join(choices)}, not {shortened(value)}")
