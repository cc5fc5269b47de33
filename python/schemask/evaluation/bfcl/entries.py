"""The single-turn categories of BFCL as examples to evaluate on."""

from __future__ import annotations

import itertools
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from schemask.chat import ToolCall, check_messages
from schemask.core.generation import count_problem
from schemask.errors import DataError, Error, check_flags, shortened
from schemask.evaluation.bfcl.checker import Answers, compare_call
from schemask.evaluation.bfcl.files import BfclFiles
from schemask.evaluation.bfcl.functions import tool_of
from schemask.evaluation.examples import Abstention, AnyCall, EvalExample
from schemask.evaluation.verdicts import Expectation, Verdict, matched
from schemask.tools import Tool, ToolSet

CATEGORIES = (
    "simple_python",
    "multiple",
    "parallel",
    "parallel_multiple",
    "irrelevance",
    "live_simple",
    "live_multiple",
    "live_parallel",
    "live_parallel_multiple",
    "live_irrelevance",
    "live_relevance",
)
"""Those of one turn whose functions are Python's, or of no language."""


class _Answer(NamedTuple):
    """An expected call: of which function, and the values of each parameter that are right."""

    function: Mapping[str, Any]
    tool: Tool
    values: Mapping[str, Answers]


@dataclass(frozen=True, eq=False)
class BfclCalls:
    """The calls that BFCL expects; see `schemask.evaluation.bfcl.checker` for the rules.

    Attributes:
        answers: Each expected call.
    """

    answers: tuple[_Answer, ...]

    @property
    def kind(self) -> Literal["call", "parallel"]:
        """One call, or several."""
        return "call" if len(self.answers) == 1 else "parallel"

    @property
    def shown(self) -> Any:
        """BFCL's ground truth: for each parameter all values that are right."""
        return [{answer.tool.name: dict(answer.values)} for answer in self.answers]

    def compare(self, calls: Sequence[ToolCall]) -> Verdict:
        """What is said of calls, in any order.

        Args:
            calls: The calls.
        """
        names = [answer.tool.name for answer in self.answers]
        return matched(
            self.answers,
            calls,
            names,
            lambda number, answer, call: compare_call(
                number, answer.function, answer.tool, answer.values, call
            ),
        )


def read_bfcl(
    place: str | os.PathLike[str] | None = None,
    categories: Collection[str] = CATEGORIES,
    *,
    limit: int | None = None,
    dots: bool = False,
) -> list[EvalExample]:
    """The entries of categories of the Berkeley Function Calling Leaderboard, version 4.

    Their data are in the package `bfcl-eval` (Apache-2.0), which is not imported and need not be
    installed. Functions become tools with a JSON Schema; the note on Python's syntax that the
    package adds to each description is left out.

    Args:
        place: A wheel of the package, or a folder into which one was unpacked. None for the
            package that is installed.
        categories: Which of `CATEGORIES`.
        limit: The most entries of each category, from its beginning.
        dots: Whether names of functions keep their dots. Else these are underscores, as the
            package does it for models that take other names only.

    Raises:
        DataError: No data there, an unknown category, an entry that is not of BFCL's shape, or a
            limit that is none.
    """
    if isinstance(categories, str) or not isinstance(categories, Collection):
        raise DataError(f"categories are a list of names, not {shortened(categories)}")
    if unknown := [name for name in categories if name not in CATEGORIES]:
        known = ", ".join(CATEGORIES)
        raise DataError(f"category {shortened(unknown[0])} is none of {known}")
    if limit is not None and (problem := count_problem("limit", limit, least=0)):
        raise DataError(problem)
    check_flags(DataError, dots=dots)
    files = BfclFiles(place)
    return [
        example
        for category in categories
        for example in itertools.islice(_read(files, category, dots), limit)
    ]


def _read(files: BfclFiles, category: str, dots: bool) -> Iterator[EvalExample]:
    truths: dict[Any, Any] = {}
    if "relevance" not in category:
        for item in files.objects(f"possible_answer/{category}.json"):
            truths[item.get("id")] = item.get("ground_truth")
    for entry in files.objects(f"{category}.json"):
        name = entry.get("id")
        try:
            yield _example(entry, category, truths.get(name), dots)
        except (Error, KeyError, TypeError, AttributeError, StopIteration) as error:
            raise DataError(
                f"{category}: {shortened(name)} is no entry of BFCL: {error}"
            ) from error


def _example(entry: Mapping[str, Any], category: str, truth: Any, dots: bool) -> EvalExample:
    (messages,) = entry["question"]
    functions = {function["name"]: function for function in entry["function"]}
    tools = {
        name: tool_of(function, name if dots else name.replace(".", "_"))
        for name, function in functions.items()
    }
    expected: Expectation
    if "irrelevance" in category:
        expected = Abstention("cannot")
    elif "relevance" in category:
        expected = AnyCall()
    else:
        calls = [next(iter(call.items())) for call in truth]
        expected = BfclCalls(
            tuple(_Answer(functions[name], tools[name], values) for name, values in calls)
        )
    return EvalExample(
        entry["id"], category, check_messages(messages), ToolSet(tools.values()), expected
    )
