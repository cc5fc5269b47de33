"""Stages of work on lines of data, and what becomes of one line."""

from __future__ import annotations

import functools
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, TypeAlias, runtime_checkable

from schemask.errors import DataError, Error, shortened
from schemask.schemas.surrogates import surrogate_place
from schemask.synth.crews import in_order

Numbered: TypeAlias = tuple[int, dict[str, Any]]
"""A line with its number in the input, from 0."""


@dataclass(frozen=True)
class Outcome:
    """What a stage made of one line: lines to keep, or why there are none.

    Attributes:
        examples: The lines that take its place, in order; none if it was refused.
        refused: Why it was refused: a short fixed word, which reports count; None if it was not.
        detail: The cause of the refusal in words, with its place; or what was mended, and where.
        mended: What was set right in it: short fixed words, which reports count.
        value: What the reduction of the stage gets to see; it is not written.

    Raises:
        DataError: Neither lines nor a reason, or both.
    """

    examples: tuple[dict[str, Any], ...] = ()
    refused: str | None = None
    detail: str = ""
    mended: tuple[str, ...] = ()
    value: Any = None

    def __post_init__(self) -> None:
        if (self.refused is None) != bool(self.examples):
            raise DataError("an outcome has lines to keep, or else says why there are none")


@runtime_checkable
class Stage(Protocol):
    """Work on one line at a time: a pure function of the line and its number.

    A stage is sent to other processes, so it can be pickled: a frozen dataclass is best, and what
    it holds is made when it is first needed. All that it draws, it draws by
    `random.Random(f"{seed}/{name}/{index}")`.

    Two more methods are called if it has them. `close()` ends what it holds, in each process that
    had it. `reduction()` makes a function `(outcome, index) -> Outcome` that has the last word: it
    is called in one process with all lines in order, and may remember what it has seen.

    A stage that waits for answers from elsewhere has an attribute `at_once`: how many lines it is
    given at once, in as many threads of each process; at least 1.
    """

    @property
    def name(self) -> str:
        """A short word, which ledgers keep."""

    def options(self) -> dict[str, Any]:
        """All that decides about the output, as JSON; a run with other options does not go on."""

    def __call__(self, example: dict[str, Any], index: int) -> Outcome:
        """What becomes of a line; `index` is its number in the input, from 0."""


Reduction: TypeAlias = Callable[[Outcome, int], Outcome]


class Failure(NamedTuple):
    """A line at which a stage raised an exception, or ended its process."""

    problem: str
    trace: str = ""


Results: TypeAlias = Iterator[tuple[int, Outcome | Failure]]
"""What became of lines, with their numbers and in their order."""

Mapper: TypeAlias = Callable[[Stage, Iterable[Numbered]], Results]
"""Applies a stage to lines, here or elsewhere."""


def applied(stage: Stage, example: dict[str, Any], index: int) -> Outcome | Failure:
    """What a stage makes of a line; an exception is a value, too, since processes send these."""
    try:
        outcome = stage(example, index)
    except Error as error:
        return Failure(str(error), traceback.format_exc())
    except Exception as error:
        problem = f"{stage.name} failed: {type(error).__name__}: {error}"
        return Failure(problem, traceback.format_exc())
    if not isinstance(outcome, Outcome):
        return Failure(f"{stage.name} returned {shortened(outcome)} instead of an Outcome")
    for made in outcome.examples:
        if (place := surrogate_place(made)) is not None:
            return Outcome(refused="cannot be written", detail=f"a lone surrogate at {place}")
    return outcome


def in_this_process(stage: Stage, items: Iterable[Numbered]) -> Results:
    """Applies a stage to lines."""
    try:
        yield from applied_to(stage, items)
    finally:
        close(stage)


def applied_to(stage: Stage, items: Iterable[Numbered]) -> Results:
    """What a stage makes of lines, in their order, of as many at once as it says."""

    def numbered(index: int, example: dict[str, Any]) -> tuple[int, Outcome | Failure]:
        return index, applied(stage, example, index)

    problems: list[DataError] = []
    calls = (functools.partial(numbered, *item) for item in until_error(items, problems))
    yield from in_order(calls, at_once(stage))
    for problem in problems:
        raise problem


def at_once(stage: Stage) -> int:
    """How many lines a stage is given at once in this process."""
    size: int = getattr(stage, "at_once", 1)
    return size


def until_error(items: Iterable[Numbered], problems: list[DataError]) -> Iterator[Numbered]:
    """The lines before one that cannot be read; why it cannot is told after what they come to."""
    try:
        yield from items
    except DataError as error:
        problems.append(error)


def close(stage: Stage) -> None:
    """Ends what a stage holds in this process."""
    if (end := getattr(stage, "close", None)) is not None:
        end()
