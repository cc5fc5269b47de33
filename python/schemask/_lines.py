"""JSON lines as they are read: files, standard input, and the conversations in their lines."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple, TypeAlias

from schemask.chat.messages import DECODER, Message, messages_from_example
from schemask.errors import DataError, Error
from schemask.tools import ToolSet

Examples: TypeAlias = str | os.PathLike[str] | Iterable[Mapping[str, Any]]
"""The name of a file of JSON lines ("-" is standard input), or what its lines hold."""


class Conversation(NamedTuple):
    """What a line of training data holds."""

    messages: list[Message]
    tools: ToolSet


def read_objects(path: str | os.PathLike[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects of a file of JSON lines, with the numbers of their lines; empty lines are none.

    Raises:
        DataError: No such file, or a line that is no JSON object; `line` says which.
    """
    name = os.fspath(path)
    yield from objects_of(lines(name), name)


def objects_of(found: Iterable[str], name: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects of lines of JSON, with their numbers; empty lines are none.

    Args:
        found: The lines.
        name: What they are from, for errors.

    Raises:
        DataError: A line that is no JSON object; `line` says which.
    """
    for number, line in enumerate(found, start=1):
        if not line.strip():
            continue
        try:
            value = decoded(line)
            if not isinstance(value, dict):
                raise DataError("not a JSON object")
        except DataError as error:
            raise at_line(error, name, number) from error
        yield number, value


def conversation_of(example: Mapping[str, Any]) -> Conversation:
    """The messages and tools of `{"messages": [...], "tools": [...]}` or of a short example.

    Tools may be JSON text, as files that Arrow has read hold them.

    Raises:
        DataError: Tools that are no JSON.
        FormatError: Messages of a wrong shape.
        ToolError: What cannot be a tool.
    """
    tools = example.get("tools") or []
    if isinstance(tools, str):
        tools = decoded(tools)
    return Conversation(messages_from_example(example), ToolSet(tools))


def at_line(error: Error, name: str, number: int) -> DataError:
    """The same error, with the file and the line."""
    message = f"{shown_name(name)}: line {number}: {error}"
    return DataError(message, line=number, column=error.column)


def decoded(text: str) -> Any:
    """The value of a JSON text.

    Raises:
        DataError: It is none, or one that no tool takes: with a key twice or a number without end.
    """
    try:
        return DECODER.decode(text)
    except json.JSONDecodeError as error:
        message = f"no JSON: {error.msg}, at column {error.colno}"
        raise DataError(message, line=error.lineno, column=error.colno) from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"no JSON: {error}") from error


def shown_name(name: str) -> str:
    """How messages name a file."""
    return "standard input" if name == "-" else name


def lines(name: str) -> Iterator[str]:
    """The lines of the file of that name, or of standard input for "-".

    A byte order mark at the beginning is no part of the text.

    Raises:
        DataError: No such file, or a line that is not UTF-8; `line` and `column` say where.
    """
    shown = shown_name(name)
    try:
        place = sys.stdin.fileno() if name == "-" else name
        # What decodes whole blocks would tell the place in the block, and not the line.
        with open(
            place, encoding="utf-8-sig", errors="surrogateescape", closefd=name != "-"
        ) as file:
            for number, line in enumerate(file, start=1):
                _check_decoded(line, shown, number)
                yield line
    except OSError as error:
        raise DataError(f"{shown}: {error.strerror or error}") from error


def _check_decoded(line: str, shown: str, number: int) -> None:
    """Raises DataError for bytes that were not UTF-8, which became lone surrogates."""
    try:
        line.encode()
    except UnicodeEncodeError as error:
        column, byte = error.start + 1, ord(line[error.start]) & 0xFF
        message = f"{shown}: line {number}: not UTF-8: byte {byte:#04x}, at column {column}"
        raise DataError(message, line=number, column=column) from error
