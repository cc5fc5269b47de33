"""Texts compared without cutting a tag in two."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from schemask.chat.texts import TAG, common_start


class Tags:
    """The tags that texts of a template may hold.

    Args:
        special_tokens: Special tokens of the model. What looks like a tag is one, too.
    """

    def __init__(self, special_tokens: Iterable[str] = ()) -> None:
        known = sorted({token for token in special_tokens if token}, key=len, reverse=True)
        self._pattern = re.compile("|".join([*map(re.escape, known), TAG.pattern]))

    def found(self, text: str) -> list[str]:
        """The tags of a text, in order."""
        return [match[0] for match in self._pattern.finditer(text)]

    def cut(self, text: str, at: int) -> bool:
        """Whether a place in a text is inside a tag."""
        return any(match.start() < at < match.end() for match in self._pattern.finditer(text))

    def common_start(self, texts: Sequence[str]) -> str:
        """The longest text with which all begin."""
        length = len(common_start(*texts))
        for text in texts:
            for match in self._pattern.finditer(text):
                if match.start() < length < match.end():
                    length = match.start()
        return texts[0][:length]

    def common_end(self, texts: Sequence[str]) -> str:
        """The longest text with which all end."""
        length = len(common_start(*(text[::-1] for text in texts)))
        for text in texts:
            for match in self._pattern.finditer(text):
                if match.start() < len(text) - length < match.end():
                    length = len(text) - match.end()
        return texts[0][len(texts[0]) - length :]

    def up_to_last(self, text: str) -> str:
        """The text up to the end of its last tag; empty if it has none."""
        ends = [match.end() for match in self._pattern.finditer(text)]
        return text[: ends[-1]] if ends else ""

    def end(self, at_end: str, following: str | None, turn_start: str) -> str:
        """What ends a turn.

        Args:
            at_end: What follows the turn at the end of a conversation.
            following: What follows it up to what the next turn says; None if there is none.
            turn_start: The marker with which turns begin; may be empty.
        """
        end = at_end if following is None else self.common_start([at_end, following])
        if turn_start:
            end = end.partition(turn_start)[0]
        return self.up_to_last(end) or end.rstrip()

    def first(self, text: str) -> str:
        """The first tag of a text; empty if it has none."""
        match = self._pattern.search(text)
        return match[0] if match else ""

    def start_at(self, text: str, at: int) -> int:
        """Where the tag begins that a place is in, or the tag that ends at it; else the place."""
        for match in self._pattern.finditer(text):
            if match.start() <= at <= match.end():
                return match.start()
        return at

    def last_start(self, text: str) -> int:
        """Where the last tag of a text begins; its length if it has none."""
        starts = [match.start() for match in self._pattern.finditer(text)]
        return starts[-1] if starts else len(text)
