"""What a stage is, and what becomes of a line in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, runtime_checkable

Example: TypeAlias = dict[str, Any]


@dataclass(frozen=True)
class Outcome:
    """What became of one line.

    Attributes:
        examples: The lines that are written for it: none, one or several.
        refused: If none is written, why: a short fixed phrase by which refusals are counted.
        detail: The cause in words, with the place in the line.
        mended: What was changed so that the line could be kept, in words.
    """

    examples: tuple[Example, ...] = ()
    refused: str | None = None
    detail: str = ""
    mended: tuple[str, ...] = ()


@runtime_checkable
class Stage(Protocol):
    """A pure function of a line and its number. It is pickled to be run in other processes."""

    @property
    def name(self) -> str:
        """What the stage is called in ledgers."""
        ...

    def options(self) -> dict[str, Any]:
        """All that decides about what is written, as JSON."""
        ...

    def __call__(self, example: Example, index: int) -> Outcome:
        """What becomes of a line; `index` is its number in the input, from 0."""
        ...


@runtime_checkable
class Reduction(Protocol):
    """A stage for which the lines before count: a pure function, and a walk in order of lines."""

    @property
    def name(self) -> str:
        """What the stage is called in ledgers."""
        ...

    def options(self) -> dict[str, Any]:
        """All that decides about what is written, as JSON."""
        ...

    def signature(self, example: Example, index: int) -> Any:
        """What of a line counts for others; pure, and pickled to be run in other processes."""
        ...

    def walk(self) -> Callable[[Example, int, Any], Outcome]:
        """A new walk: called with each line, its number and its signature, in order of lines."""
        ...
