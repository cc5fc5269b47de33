"""What training data must not hold: the requests and tools of files that evaluate."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from schemask._lines import at_line, decoded, lines, read_objects
from schemask.errors import DataError, Error, shortened
from schemask.evaluation.bfcl.files import BfclFiles

# Keys under which files hold what is asked: a text, a list of messages, or a list of such lists.
_REQUESTS = (
    *("messages", "conversations", "question", "prompt", "text"),
    *("query", "instruction", "input", "user", "request"),
)
_TOOLS = ("tools", "function", "functions")
_ASKING = {"user", "human"}


class WithheldText(NamedTuple):
    """A request that training data must not hold.

    Attributes:
        text: The request.
        place: Where it was found.
    """

    text: str
    place: str


class WithheldTool(NamedTuple):
    """What a tool is known by that training data must not hold.

    Attributes:
        name: Its name.
        parameters: The names of its parameters.
        place: Where it was found.
    """

    name: str
    parameters: frozenset[str]
    place: str


@dataclass(frozen=True)
class Withheld:
    """Requests and tools that lines are compared with.

    Attributes:
        texts: Requests.
        tools: Tools.
    """

    texts: tuple[WithheldText, ...] = ()
    tools: tuple[WithheldTool, ...] = ()

    @classmethod
    def of(cls, *sources: str | os.PathLike[str]) -> Withheld:
        """What the files hold.

        A file of JSON lines, or of one JSON list, has objects with `messages`, `conversations`,
        `question`, `prompt`, `text`, `query`, `instruction`, `input`, `user` or `request`: a text,
        or messages, of which those of users count. Tools are read where there are `tools`,
        `function` or `functions`. Of a file that ends in `.txt`, each line is a text. A wheel of
        the package `bfcl-eval`, or a folder with it, holds the entries of all of its categories.

        Args:
            sources: The files and folders.

        Raises:
            DataError: A file that cannot be read, or an object that holds nothing of that kind.
        """
        texts: list[WithheldText] = []
        tools: list[WithheldTool] = []
        for source in sources:
            name = os.fspath(source)
            if name.endswith(".txt"):
                for number, line in enumerate(lines(name), start=1):
                    if line.strip():
                        texts.append(WithheldText(line, f"{name}: line {number}"))
                continue
            is_bfcl = Path(name).is_dir() or zipfile.is_zipfile(name)
            bfcl = BfclFiles(name) if is_bfcl else None
            records = bfcl.asked() if bfcl else ((name, *found) for found in read_records(name))
            for file, number, value in records:
                try:
                    found = list(_requests(value))
                    if not found:
                        keys = ", ".join(_REQUESTS)
                        raise DataError(f"no request under any of {keys}: {shortened(value)}")
                    place = f"{file}: line {number}"
                    texts += [WithheldText(text, place) for text in found]
                    tools += [WithheldTool(*tool, place) for tool in _tools(value)]
                except Error as error:
                    raise at_line(error, file, number) from error
            for file, number, value in bfcl.functions() if bfcl else ():
                place = f"{file}: line {number}"
                tools += [WithheldTool(*tool, place) for tool in _tools({"function": value})]
        return cls(tuple(texts), tuple(tools))


def read_records(path: str | os.PathLike[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects of a file: JSON lines, or one JSON list; with their numbers from 1.

    Of JSON lines, the numbers are those of the lines.

    Args:
        path: The file.

    Raises:
        DataError: It cannot be read, or holds something else.
    """
    name = os.fspath(path)
    first = next((line for line in lines(name) if line.strip()), "")
    if name == "-" or not first.lstrip().startswith("["):
        yield from read_objects(path)
        return
    try:
        values = decoded("".join(lines(name)))
    except DataError as error:
        raise DataError(f"{name}: {error}", line=error.line, column=error.column) from error
    for number, value in enumerate(values, start=1):
        if not isinstance(value, dict):
            raise DataError(f"{name}: item {number}: not a JSON object")
        yield number, value


def parameter_names(schema: Any) -> frozenset[str]:
    """The names of the parameters of a tool."""
    properties = schema.get("properties", {}) if isinstance(schema, Mapping) else {}
    return frozenset(properties) if isinstance(properties, Mapping) else frozenset()


def _requests(value: Mapping[str, Any]) -> Iterator[str]:
    for key in _REQUESTS:
        if value.get(key):
            yield from _texts(value[key])


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            if isinstance(item, list):
                yield from _texts(item)
            elif isinstance(item, str):
                yield item
            elif isinstance(item, Mapping) and item.get("role", item.get("from")) in _ASKING:
                yield from _texts(item.get("content", item.get("value")))
            elif isinstance(item, Mapping) and item.get("type") == "text":
                yield from _texts(item.get("text"))


def _tools(value: Mapping[str, Any]) -> Iterator[tuple[str, frozenset[str]]]:
    for key in _TOOLS:
        held = value.get(key)
        if isinstance(held, str):
            held = decoded(held)
        for definition in held if isinstance(held, list) else [held]:
            if not isinstance(definition, Mapping):
                continue
            inner = definition.get("function", definition)
            if isinstance(inner, Mapping) and isinstance(inner.get("name"), str):
                parameters = inner.get("parameters", inner.get("input_schema", {}))
                yield inner["name"], parameter_names(parameters)
