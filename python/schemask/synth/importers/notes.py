"""What importers tell of a line: what they mended in it, or why they refuse it."""

from __future__ import annotations


class ImportRefusal(Exception):
    """A line that cannot become one of ours.

    Attributes:
        reason: A fixed phrase.
        detail: The cause in words.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


class Notes:
    """What was mended in a line, in the order in which it was."""

    def __init__(self) -> None:
        self._found: list[tuple[str, str]] = []

    def add(self, word: str, detail: str = "") -> None:
        """Notes something once.

        Args:
            word: A fixed phrase.
            detail: Where and how.
        """
        if (word, detail) not in self._found:
            self._found.append((word, detail))

    @property
    def words(self) -> tuple[str, ...]:
        """The fixed phrases, each once."""
        return tuple(dict.fromkeys(word for word, _ in self._found))

    @property
    def detail(self) -> str:
        """All that was mended, in words."""
        return "; ".join(f"{word}: {detail}" if detail else word for word, detail in self._found)
