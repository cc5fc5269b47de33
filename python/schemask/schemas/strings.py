"""The strings of a JSON value, wherever they stand in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def strings_of(value: Any, keys: bool = False) -> Iterator[str]:
    """The strings of a JSON value in their order, each as often as it is there.

    Args:
        value: The value, nested however deep.
        keys: Whether keys of objects are among them, before the members.
    """
    open_values = [value]
    while open_values:
        value = open_values.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, Mapping):
            if keys:
                yield from value
            open_values += reversed([*value.values()])
        elif isinstance(value, (list, tuple)):
            open_values += reversed(value)
