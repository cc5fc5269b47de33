"""Turns whose words are of a grammar: what is allowed, and how it is read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from schemask.chat import ChatFormat, Event
from schemask.chat.events import Text
from schemask.chat.reader import TurnReader
from schemask.chat.trees import Trees
from schemask.core.byte_vocabulary import byte_vocabulary
from schemask.core.grammar import Grammar, tree_grammar
from schemask.errors import FormatError


@dataclass(frozen=True)
class WrittenTurns:
    """The turns of a format that are words of a grammar, or calls.

    They do not reason: the format's own reader looks for what ends reasoning and words, and a
    grammar's text may hold all of that.

    Args:
        form: The format.
        opened: The part of the turn that the prompt holds.
    """

    form: ChatFormat
    opened: str

    def grammar(self, words: Grammar, calls: Grammar | None) -> Grammar:
        """All these turns.

        Args:
            words: What words are.
            calls: Turns of calls alone; None if there are none.

        Raises:
            FormatError: The format could not tell words from calls, or wraps words.
        """
        spec = self.form.spec
        if spec.has_channels or spec.wraps_words or spec.words_close:
            raise FormatError(f"words of {spec.name} stand between markers, which a text may hold")
        opening = self._opening(calls_follow=False) + spec.words_open
        turns = tree_grammar(Trees(spec.tokens).text(opening)) + words if opening else words
        if calls is None:
            return turns
        matcher = turns.compile(byte_vocabulary()).matcher()
        if spec.bare or matcher.accept_bytes(self._mark.encode()):
            raise FormatError("a text of the grammar could be mistaken for a call")
        return turns | calls

    def reader(self, make: Callable[[], TurnReader], may_call: bool) -> WrittenReader:
        """A reader of one turn.

        Args:
            make: Makes the format's own reader, for calls.
            may_call: Whether the turn may be of calls.
        """
        opening = self._opening(calls_follow=False) + self.form.spec.words_open
        return WrittenReader(opening, self._mark if may_call else "", make)

    @property
    def _mark(self) -> str:
        """What turns of calls begin with."""
        spec = self.form.spec
        return self._opening(calls_follow=True) + spec.no_preamble + spec.call_mark

    def _opening(self, *, calls_follow: bool) -> str:
        plain = self.form.spec.left_of_opening(self.opened, calls_follow=calls_follow)[1]
        if plain is None:
            raise FormatError(
                "the prompt has opened reasoning, which leads to no text of a grammar"
            )
        return plain


class WrittenReader:
    """Reads a turn that is words of a grammar, or calls.

    Args:
        opening: What stands before words.
        mark: What calls begin with; empty if there are none.
        make: Makes the reader of calls.
    """

    def __init__(self, opening: str, mark: str, make: Callable[[], TurnReader]) -> None:
        self._opening = opening
        self._mark = mark
        self._make = make
        self._calls: TurnReader | None = None
        self._is_words = False
        self._text = ""

    def feed(self, text: str) -> list[Event]:
        """What the next piece completes; see `TurnReader.feed`."""
        if self._calls is not None:
            return self._calls.feed(text)
        if self._is_words:
            return [Text(text)] if text else []
        self._text += text
        if self._mark and self._text.startswith(self._mark):
            self._calls = self._make()
            return self._calls.feed(self._text)
        if self._mark.startswith(self._text) or self._opening.startswith(self._text):
            return []
        return self._words()

    def finish(self) -> list[Event]:
        """What the end completes; see `TurnReader.finish`."""
        if self._calls is not None:
            return self._calls.finish()
        return [] if self._is_words else self._words()

    def _words(self) -> list[Event]:
        self._is_words = True
        words = self._text.removeprefix(self._opening)
        return [Text(words)] if words else []
