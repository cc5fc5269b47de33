"""Examples of one's own: conversations in which the assistant's turn is what should come."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias

from schemask._lines import at_line, conversation_of, read_objects, shown_name
from schemask.chat.messages import Message, calls_of
from schemask.core.generation import count_problem
from schemask.errors import DataError, Error, shortened
from schemask.evaluation.equality import ExpectedCalls
from schemask.evaluation.examples import Abstention, EvalExample
from schemask.evaluation.verdicts import Expectation

_Why: TypeAlias = Literal["words", "ask", "cannot"]
_QUESTION = "?\uff1f\u061f"  # as it is written in Latin, Chinese and Arabic


def read_examples(
    path: str | os.PathLike[str], *, category: str | None = None, limit: int | None = None
) -> list[EvalExample]:
    """Examples from a file of JSON lines, such as training data that were held out.

    A line is `{"messages": [...], "tools": [...]}`. Each turn of the assistant that follows a
    message of the user is an example: the model is asked with everything before it. What the
    assistant does there is what should come: its calls, which are compared as `ExpectedCalls` says;
    or words, and then no call is right. Beside these, a line may have an `id` and a `category` of
    its own, and a `kind`, which says of its last words why they should come: "ask" if a value that
    a tool needs is missing, or "cannot" if no tool does what is asked. Words that ask, and that the
    user answers so that a call follows, are of the kind "ask" by themselves.

    The second example of a line has `.2` after its id, and so on.

    Args:
        path: The file; "-" is standard input.
        category: The category of lines that name none; the name of the file if it is not given. To
            it, the kind of each example is added: "heldout/call".
        limit: The most examples, from the beginning.

    Raises:
        DataError: No such file, a line of another shape, with its number, or a limit that is none.
    """
    if limit is not None and (problem := count_problem("limit", limit, least=0)):
        raise DataError(problem)
    if category is not None and not isinstance(category, str):
        raise DataError(f"category is a name, not {shortened(category)}")
    try:
        name = os.fspath(path)
    except TypeError as error:
        raise DataError(f"path is the place of a file, not {shortened(path)}") from error
    group = category or (Path(name).stem if name != "-" else shown_name(name))
    examples: list[EvalExample] = []
    for number, line in read_objects(name):
        if limit is not None and len(examples) >= limit:
            break
        try:
            examples += _examples(line, group, number)
        except Error as error:
            raise at_line(error, name, number) from error
    return examples[:limit]


def _examples(line: Mapping[str, Any], group: str, number: int) -> Iterator[EvalExample]:
    messages, tools = conversation_of(line)
    own = {key: line.get(key) for key in ("id", "category")}
    for key, value in own.items():
        if value is not None and not isinstance(value, str):
            raise DataError(f"{key} is a text, not {shortened(value)}")
    name = own["id"] or f"{group}:{number}"
    places = _answers(messages)
    kinds = _kinds(messages, places, line.get("kind"))
    for count, (at, kind) in enumerate(zip(places, kinds, strict=True), start=1):
        expected: Expectation
        if kind is None:
            expected = ExpectedCalls(tuple(calls_of(messages[at])), tools)
        else:
            expected = Abstention(kind, messages[at].get("content", ""))
        yield EvalExample(
            name if count == 1 else f"{name}.{count}",
            own["category"] or f"{group}/{expected.kind}",
            messages[:at],
            tools,
            expected,
        )


def _answers(messages: Sequence[Message]) -> list[int]:
    """Where the assistant answers the user.

    Raises:
        DataError: Nowhere, or not to the last request.
    """
    roles = [message["role"] for message in messages]
    asked = [at for at, role in enumerate(roles) if role == "user"]
    if not asked or len(roles) == asked[-1] + 1:
        raise DataError("no turn of the assistant follows the last request")
    if roles[asked[-1] + 1] != "assistant":
        raise DataError(f"after the last request comes a message of {roles[asked[-1] + 1]!r}")
    return [at + 1 for at in asked if roles[at + 1] == "assistant"]


def _kinds(messages: Sequence[Message], places: Sequence[int], given: object) -> list[_Why | None]:
    """Why words should come, for each answer; None where calls should.

    Raises:
        DataError: A kind of words is given, and there are none.
    """
    calls = [bool(calls_of(messages[at])) for at in places]
    kinds: list[_Why | None] = []
    for number, at in enumerate(places):
        is_answered = at + 2 in places and calls[places.index(at + 2)]
        asks = is_answered and any(mark in messages[at].get("content", "") for mark in _QUESTION)
        kinds.append(None if calls[number] else "ask" if asks else "words")
    if given in ("words", "ask", "cannot"):
        words = [number for number, kind in enumerate(kinds) if kind is not None]
        if not words:
            raise DataError(f"the assistant calls, where its kind is {given!r}")
        if given not in kinds:
            kinds[words[-1]] = given
    return kinds
