"""Lone surrogates: half characters that Python's strings can hold and no text in UTF-8 can."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from schemask.schemas.pointer import pointer_of


def surrogate_place(value: Any) -> str | None:
    """The JSON pointer of the first string or key in a JSON value that holds a lone surrogate."""
    if isinstance(value, str):
        return None if _is_encodable(value) else ""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if isinstance(key, str) and not _is_encodable(key):
                return pointer_of([_printable(key)])
            if (place := surrogate_place(inner)) is not None:
                return pointer_of([_printable(str(key))]) + place
    elif isinstance(value, (list, tuple)):
        for index, inner in enumerate(value):
            if (place := surrogate_place(inner)) is not None:
                return pointer_of([index]) + place
    return None


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _printable(key: str) -> str:
    return key.encode("utf-8", "backslashreplace").decode()
