"""Places in schemas: as paths, as JSON pointers, and as references that lead there."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeAlias
from urllib.parse import quote, unquote

# The keys and indices that lead to a part, from the outside in.
Path: TypeAlias = tuple[str | int, ...]


def pointer_of(path: Iterable[str | int]) -> str:
    """The JSON pointer of a path."""
    return "".join("/" + str(key).replace("~", "~0").replace("/", "~1") for key in path)


def reference_to(path: Iterable[str | int]) -> str:
    """The reference, within a document, to what is at a path."""
    return "#" + quote(pointer_of(path), safe="/~")


def resolve(document: Any, reference: str) -> tuple[Any, Path]:
    """What a reference within a document leads to, and the path of that.

    Raises:
        ValueError: It is no JSON pointer into the document itself.
        LookupError: It leads to nothing.
    """
    head, *tokens = unquote(reference).split("/")
    if head != "#":
        raise ValueError(f"{reference!r} is not a JSON pointer into the document")
    path: Path = tuple(token.replace("~1", "/").replace("~0", "~") for token in tokens)
    return at(document, path), path


def at(document: Any, path: Iterable[str | int]) -> Any:
    """What is at a path; of a list, indices may be strings of digits.

    Raises:
        LookupError: Nothing is there.
    """
    part = document
    for key in path:
        if isinstance(part, list) and str(key).isdecimal():
            part = part[int(key)]
        elif isinstance(part, dict):
            part = part[key]
        else:
            raise LookupError(key)
    return part
