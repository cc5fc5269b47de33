"""When2Call: whether a model calls, asks back, or says that it cannot.

The data set of NVIDIA (CC-BY-4.0, `nvidia/When2Call`) is not downloaded; its test file is read. How
a model says that it cannot or asks is not judged here: words are words, and only whoever calls
where no call is right is wrong.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from schemask._lines import decoded, read_objects
from schemask.core.generation import count_problem
from schemask.errors import DataError, Error, shortened
from schemask.evaluation.bfcl.functions import tool_of
from schemask.evaluation.examples import Abstention, AnyCall, EvalExample
from schemask.evaluation.verdicts import Expectation
from schemask.tools import ToolSet

_KINDS: dict[Any, Literal["words", "ask", "cannot"]] = {
    "direct": "words",
    "request_for_info": "ask",
    "cannot_answer": "cannot",
}


class When2Call(NamedTuple):
    """What a file of When2Call holds.

    Attributes:
        examples: The lines that could be read.
        unread: The numbers of the others, each with the reason.
    """

    examples: list[EvalExample]
    unread: list[tuple[int, str]]


def read_when2call(path: str | os.PathLike[str], *, limit: int | None = None) -> When2Call:
    """The examples of `when2call_test_mcq.jsonl`, or of another file of that shape.

    Of a line, `question`, `tools`, `correct_answer` ("tool_call", "direct", "request_for_info" or
    "cannot_answer") and `answers` are read. Tools have the shape of BFCL, from which they are, as
    objects or as JSON text. Where a call is right, any valid call is.

    Args:
        path: The file.
        limit: The most examples, from the beginning.

    Raises:
        DataError: No such file, a line that is no JSON object, or a limit that is none.
    """
    if limit is not None and (problem := count_problem("limit", limit, least=0)):
        raise DataError(problem)
    found = When2Call([], [])
    for number, line in read_objects(path):
        if limit is not None and len(found.examples) == limit:
            break
        try:
            found.examples.append(_example(line, number))
        except Error as error:
            found.unread.append((number, str(error)))
    return found


def _example(line: Mapping[str, Any], number: int) -> EvalExample:
    question, right, tools = (line.get(key) for key in ("question", "correct_answer", "tools"))
    if not isinstance(question, str) or not question:
        raise DataError(f"the question is a text, not {shortened(question)}")
    if not isinstance(tools, list):
        raise DataError(f"tools are a list, not {shortened(tools)}")
    expected: Expectation = AnyCall()
    if right != "tool_call":
        if right not in _KINDS:
            raise DataError(f"correct_answer is none of When2Call's: {shortened(right)}")
        answers = line.get("answers")
        words = answers.get(right) if isinstance(answers, Mapping) else None
        expected = Abstention(_KINDS[right], words if isinstance(words, str) else "")
    elif not tools:
        raise DataError("a call should come, and there is no tool")
    name = line.get("uuid")
    return EvalExample(
        name if isinstance(name, str) and name else f"when2call:{number}",
        f"when2call/{'call' if right == 'tool_call' else expected.kind}",
        [{"role": "user", "content": question}],
        ToolSet(map(_tool, tools)),
        expected,
    )


def _tool(item: Any) -> Any:
    function = decoded(item) if isinstance(item, str) else item
    if isinstance(function, Mapping) and isinstance(function.get("function"), Mapping):
        function = function["function"]
    if not isinstance(function, Mapping) or not isinstance(function.get("name"), str):
        raise DataError(f"no tool: {shortened(item)}")
    return tool_of(function, function["name"].replace(".", "_"))
