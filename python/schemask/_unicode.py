"""Lone surrogates: half characters that Python's strings can hold and no text in UTF-8 can."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def surrogate_place(value: Any) -> str | None:
    """The JSON pointer of the first string or key in a JSON value that holds a lone surrogate."""
    if isinstance(value, str):
        return None if _is_encodable(value) else ""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if isinstance(key, str) and not _is_encodable(key):
                return f"/{_token(key)}"
            if (place := surrogate_place(inner)) is not None:
                return f"/{_token(str(key))}{place}"
    elif isinstance(value, (list, tuple)):
        for index, inner in enumerate(value):
            if (place := surrogate_place(inner)) is not None:
                return f"/{index}{place}"
    return None


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _token(key: str) -> str:
    key = key.encode("utf-8", "backslashreplace").decode()
    return key.replace("~", "~0").replace("/", "~1")
