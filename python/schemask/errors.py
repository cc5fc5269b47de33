"""Every exception that schemask raises on purpose."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar


class Error(ValueError):
    """Bad input, misuse, or a generation that could not go on.

    Attributes:
        pointer: JSON pointer of the part of a schema that is at fault, if one is; in another
            document than the schema itself, after the document's URI and `#`.
        line: Line of a grammar or data text, counted from 1, if known.
        column: Column in that line, counted from 1, if known.
    """

    pointer: str | None
    line: int | None
    column: int | None

    def __init__(
        self,
        message: str,
        *,
        pointer: str | None = None,
        line: int | None = None,
        column: int | None = None,
    ) -> None:
        super().__init__(message)
        self.pointer = pointer
        self.line = line
        self.column = column


class SchemaError(Error):
    """Not a JSON Schema, a reference to nothing, or a schema that nothing satisfies."""


class UnsupportedSchemaError(SchemaError):
    """A valid schema that uses what is not supported exactly; `pointer` names the keyword."""


class GrammarError(Error):
    """A grammar or a pattern that cannot be read."""


class VocabularyError(Error):
    """An inconsistent vocabulary, or a tokenizer whose tokens cannot be read as bytes."""


class TokenError(Error):
    """A token id outside the vocabulary."""


class MaskError(Error):
    """A bitmask or logits array of the wrong shape, type or layout."""


class LimitError(Error):
    """A cap on size or depth was reached."""


class ToolError(Error):
    """A function that cannot be a tool, wrong arguments of a call, or a tool that failed.

    Only a tool of a server fails so; what a Python function raises passes through.
    """


class FormatError(Error):
    """Messages that a chat format cannot write, or text that it cannot read."""


class ModelError(Error):
    """A model that cannot do what is asked of it."""


class GenerationError(Error):
    """A generation that was stopped; the message names the position and the text so far."""


class DependencyError(Error, ImportError):
    """A library that is not installed; the message says how to install it."""


class DataError(Error):
    """A line of training data that is not in the expected shape."""


def missing(library: str, extra: str, error: ImportError) -> DependencyError:
    """The error for an import that failed, with the extra of this package that brings it."""
    command = f"pip install '.[{extra}]' in a checkout of schemask"
    return DependencyError(f"{library} cannot be imported ({error}): {command}")


P = ParamSpec("P")
R = TypeVar("R")


def checked(kind: type[Error]) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorator: a type that the extension does not take is an error of this package, by name."""

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                return function(*args, **kwargs)
            except TypeError as error:
                notes = "".join(getattr(error, "__notes__", ()))
                name = notes.removeprefix("while processing ").strip("'")
                if name == notes:  # Python's own: of a missing or an unknown argument
                    raise
                raise kind(f"{name}: {error}") from error

        return call

    return decorate


def check_flags(kind: type[Error], **flags: object) -> None:
    """Raises `kind` for an option that is neither True nor False, such as "no", which is true."""
    for name, value in flags.items():
        if not isinstance(value, bool):
            raise kind(f"{name} is True or False, not {shortened(value)}")


def shortened(value: object, length: int = 80) -> str:
    """The value as an error or a `repr` shows it: on one line, and no longer than `length`."""
    try:
        text = repr(value)
    except Exception:  # nested too deeply, of too many digits, or a `repr` that somebody else wrote
        text = f"a {type(value).__name__} that cannot be shown"
    text = " ".join(text.split())
    return text if len(text) <= length else text[: length - 3] + "..."
