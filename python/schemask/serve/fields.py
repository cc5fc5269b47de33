"""The members of a request's JSON objects, each taken once and of the type that it has to be."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, NoReturn

from schemask.errors import shortened
from schemask.serve.errors import RequestError


class Fields:
    """The members of a JSON object. Those that hold null are as good as absent.

    Args:
        value: What should be the object.
        place: What leads to it in the request; empty for the request itself.

    Raises:
        RequestError: It is none.
    """

    def __init__(self, value: Any, place: str = "") -> None:
        self._place = place
        if not isinstance(value, dict):
            raise RequestError(
                f"{place or 'the request'} is a JSON object, not {shortened(value)}",
                param=place or None,
                code="invalid_type",
            )
        self._left = {key: member for key, member in value.items() if member is not None}

    def place(self, name: str) -> str:
        """What leads to a member in the request."""
        return f"{self._place}.{name}" if self._place else name

    def has(self, name: str) -> bool:
        """Whether it is there and was not taken."""
        return name in self._left

    def any(self, name: str) -> Any:
        """A member of any type; None if it is absent."""
        return self._left.pop(name, None)

    def text(self, name: str) -> str | None:
        """A string."""
        value = self.any(name)
        if value is not None and not isinstance(value, str):
            self.wrong(name, "a string", value)
        return value

    def required_text(self, name: str) -> str:
        """A string that has to be there."""
        value: str = self.require(name, self.text(name))
        return value

    def flag(self, name: str, default: bool = False) -> bool:
        """A boolean."""
        value = self.any(name)
        if value is not None and not isinstance(value, bool):
            self.wrong(name, "true or false", value)
        return default if value is None else value

    def whole(self, name: str, least: int, most: int | None = None) -> int | None:
        """An integer within bounds."""
        value = self.any(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int):
            self.wrong(name, "an integer", value)
        if value < least or (most is not None and value > most):
            bounds = f"at least {least}" if most is None else f"from {least} to {most}"
            self.fail(name, f"is {bounds}, not {shortened(value)}", "out_of_range")
        return value

    def number(self, name: str, most: float) -> float | None:
        """A number from 0 on."""
        value = self.any(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            self.wrong(name, "a number", value)
        if not 0 <= value <= most or not math.isfinite(value):
            self.fail(name, f"is from 0 to {most:g}, not {shortened(value)}", "out_of_range")
        return float(value)

    def items(self, name: str) -> list[Any] | None:
        """An array."""
        value = self.any(name)
        if value is not None and not isinstance(value, list):
            self.wrong(name, "an array", value)
        return value

    def texts(self, name: str) -> list[str]:
        """An array of strings, or one string; none if it is absent."""
        value = self.any(name)
        if value is None:
            return []
        held = [value] if isinstance(value, str) else value
        if not isinstance(held, list) or not all(isinstance(item, str) for item in held):
            self.wrong(name, "a string or an array of strings", value)
        return held

    def choice(self, name: str, choices: Iterable[str]) -> str | None:
        """One of some strings."""
        value = self.text(name)
        known = list(choices)
        if value is not None and value not in known:
            self.fail(name, f"is one of {', '.join(known)}, not {shortened(value)}")
        return value

    def only(self, name: str, *values: Any) -> None:
        """A member that may say what holds anyway, and nothing else."""
        value = self.any(name)
        if value is not None and not any(_is_same(value, other) for other in values):
            meant = " or ".join(map(_shown, values)) or "null"
            reason = f"is {meant} here: {shortened(value)} is not supported"
            self.fail(name, reason, "unsupported_parameter")

    def drop(self, *names: str) -> None:
        """Members that change nothing of the answer."""
        for name in names:
            self.any(name)

    def require(self, name: str, value: Any) -> Any:
        """A member that was taken, which has to be there."""
        if value is None:
            self.fail(name, "is missing", "missing_parameter")
        return value

    def finish(self, hints: dict[str, str] | None = None) -> None:
        """Refuses what is left.

        Args:
            hints: What to do instead of some of them.
        """
        for name in self._left:
            hint = (hints or {}).get(name)
            reason = "is not supported" + (f": {hint}" if hint else "")
            self.fail(name, reason, "unsupported_parameter")

    def wrong(self, name: str, kind: str, value: Any) -> NoReturn:
        """Refuses a member of another type."""
        self.fail(name, f"is {kind}, not {shortened(value)}", "invalid_type")

    def fail(self, name: str, reason: str, code: str = "invalid_value") -> NoReturn:
        """Refuses a member, or its absence."""
        place = self.place(name)
        raise RequestError(f"{place} {reason}", param=place, code=code)


def _is_same(value: Any, other: Any) -> bool:
    # For Python, 1 is true.
    return isinstance(value, bool) == isinstance(other, bool) and bool(value == other)


def _shown(value: Any) -> str:
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else repr(value)
