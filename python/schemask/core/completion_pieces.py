"""The text of a generation while it is being written."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from types import TracebackType
from typing import TYPE_CHECKING

from schemask.core.generation import Completion
from schemask.errors import ModelError

if TYPE_CHECKING:
    from typing_extensions import Self


class CompletionPieces(Iterator[str]):
    """The pieces of a text, each as soon as it is certain to be part of the result.

    The model is asked as far as pieces are taken. To close them, or to leave their `with`, ends
    the generation.
    """

    def __init__(self, pieces: Generator[str, None, Completion]) -> None:
        self._pieces = pieces
        self._completion: Completion | None = None

    def __next__(self) -> str:
        """The next piece of text, never empty.

        Raises:
            GenerationError: The generation could not go on; with the position and the text so far.
            LimitError: A mask takes too much work.
        """
        try:
            return next(self._pieces)
        except StopIteration as end:
            self._completion = self._completion or end.value
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends the generation, if it has not ended."""
        self._pieces.close()

    @property
    def completion(self) -> Completion:
        """The whole result, once all pieces have been taken.

        Raises:
            ModelError: There are more, or the generation was ended.
        """
        if self._completion is None:
            raise ModelError("the text is not finished: take all pieces of it first")
        return self._completion


def taken(pieces: list[str]) -> list[str]:
    """The pieces that have come in the meantime, which are taken out of the list.

    Args:
        pieces: Where a `TextStream` puts them.
    """
    found = pieces.copy()
    pieces.clear()
    return found
