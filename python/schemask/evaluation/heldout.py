"""Examples of one's own: conversations in which the assistant's turn is what should come."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from schemask._lines import at_line, conversation_of, read_objects, shown_name
from schemask.chat.messages import calls_of
from schemask.core.generation import check_count
from schemask.errors import DataError, Error, shortened
from schemask.evaluation.equality import ExpectedCalls
from schemask.evaluation.examples import Abstention, EvalExample
from schemask.evaluation.verdicts import Expectation


def read_examples(
    path: str | os.PathLike[str], *, category: str | None = None, limit: int | None = None
) -> list[EvalExample]:
    """Examples from a file of JSON lines, such as training data that were held out.

    A line is `{"messages": [...], "tools": [...]}`. The model is asked with everything up to the
    last message of the user. What the assistant does next is what should come: its calls, which are
    compared as `ExpectedCalls` says; or words, and then no call is right. Beside these, a line may
    have an `id` and a `category` of its own, and, where words should come, a `kind`: "ask" if a
    value that a tool needs is missing, or "cannot" if no tool does what is asked.

    Args:
        path: The file; "-" is standard input.
        category: The category of lines that name none; the name of the file if it is not given. To
            it, the kind of each example is added: "heldout/call".
        limit: The most examples, from the beginning.

    Raises:
        DataError: No such file, or a line of another shape; with the number of the line.
        ModelError: A limit that is none.
    """
    if limit is not None:
        check_count("limit", limit, least=0)
    if category is not None and not isinstance(category, str):
        raise DataError(f"category is a name, not {shortened(category)}")
    try:
        name = os.fspath(path)
    except TypeError as error:
        raise DataError(f"path is the place of a file, not {shortened(path)}") from error
    group = category or (Path(name).stem if name != "-" else shown_name(name))
    examples: list[EvalExample] = []
    for number, line in read_objects(name):
        if limit is not None and len(examples) == limit:
            break
        try:
            examples.append(_example(line, group, number))
        except Error as error:
            raise at_line(error, name, number) from error
    return examples


def _example(line: Mapping[str, Any], group: str, number: int) -> EvalExample:
    messages, tools = conversation_of(line)
    asked = [at for at, message in enumerate(messages) if message["role"] == "user"]
    if not asked or len(messages) == asked[-1] + 1:
        raise DataError("no turn of the assistant follows the last request")
    answer = messages[asked[-1] + 1]
    if answer["role"] != "assistant":
        raise DataError(f"after the last request comes a message of {answer['role']!r}")
    calls = tuple(calls_of(answer))
    kind = line.get("kind")
    expected: Expectation
    if calls:
        if kind in ("words", "ask", "cannot"):
            raise DataError(f"the assistant calls, where its kind is {kind!r}")
        expected = ExpectedCalls(calls, tools)
    else:
        expected = Abstention(
            kind if kind in ("ask", "cannot") else "words", answer.get("content", "")
        )
    own = {key: line.get(key) for key in ("id", "category")}
    for key, value in own.items():
        if value is not None and not isinstance(value, str):
            raise DataError(f"{key} is a text, not {shortened(value)}")
    return EvalExample(
        own["id"] or f"{group}:{number}",
        own["category"] or f"{group}/{expected.kind}",
        messages[: asked[-1] + 1],
        tools,
        expected,
    )
