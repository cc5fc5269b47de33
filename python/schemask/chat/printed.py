"""Formats as Python text that a person can read, correct and keep."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_WIDTH = 88


def as_python(value: DataclassInstance) -> str:
    """The call that makes a `FormatSpec`, or a notation of arguments, again.

    Only fields that differ from their defaults are shown. All names in it are those of
    `schemask.chat`.

        print(as_python(ChatFormat.from_template("chat_template.jinja").spec))

    Args:
        value: An instance of a dataclass.
    """
    return _written(value, 0)


def changed_fields(value: DataclassInstance) -> dict[str, Any]:
    """The fields of an instance of a dataclass that differ from their defaults, by name.

    Args:
        value: The instance.
    """
    return dict(_changed(value))


def names_in(value: DataclassInstance) -> list[str]:
    """The classes that `as_python` names, in alphabetical order.

    Args:
        value: An instance of a dataclass.
    """
    inner = (
        name
        for held in changed_fields(value).values()
        if dataclasses.is_dataclass(held) and not isinstance(held, type)
        for name in names_in(held)
    )
    return sorted({type(value).__name__, *inner})


def _changed(value: DataclassInstance) -> Iterator[tuple[str, Any]]:
    for field in dataclasses.fields(value):
        held = getattr(value, field.name)
        default = field.default
        if field.default_factory is not dataclasses.MISSING:
            default = field.default_factory()
        if default is dataclasses.MISSING or held != default:
            yield field.name, held


def _written(value: Any, indent: int) -> str:
    if dataclasses.is_dataclass(value):
        items = [(f"{name}=", held) for name, held in _changed(value)]  # type: ignore[arg-type]
        opening, closing = f"{type(value).__name__}(", ")"
    elif isinstance(value, tuple) and value:
        items = [("", held) for held in value]
        opening, closing = "(", ",)" if len(value) == 1 else ")"
    else:
        return repr(value)
    flat = opening + ", ".join(head + _written(held, 0) for head, held in items) + closing
    if "\n" not in flat and indent + len(flat) <= _WIDTH:
        return flat
    inner = indent + 4
    lines = [f"{' ' * inner}{head}{_written(held, inner)},\n" for head, held in items]
    return f"{opening}\n{''.join(lines)}{' ' * indent}{closing.lstrip(',')}"
