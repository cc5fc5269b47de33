"""The text of one request, as the plug-ins for servers follow it: nothing there may end the server.

An error that leaves a backend for structured outputs ends the engine, with all of its requests. So
what goes wrong is kept, and ends the one request by a token that its grammar does not take.
"""

from __future__ import annotations

import logging
from typing import Any

from schemask._native import CompiledGrammar, Matcher
from schemask.core.masking import WORD_BITS
from schemask.errors import Error


class ServedText:
    """Follows the text of one request.

    Args:
        compiled: The grammar, compiled for the vocabulary of the model.
        log: Told of what goes wrong.
        max_tokens: A budget: the text is finished and valid within it.

    Attributes:
        matcher: What follows the text.
        failure: What went wrong last, if anything has.

    Raises:
        LimitError: No valid text is so short.
    """

    def __init__(
        self, compiled: CompiledGrammar, log: logging.Logger, max_tokens: int | None = None
    ) -> None:
        self._compiled = compiled
        self._vocabulary = compiled.vocabulary
        self._log = log
        self._max_tokens = max_tokens
        self.matcher: Matcher = compiled.matcher(max_tokens=max_tokens)
        self.failure: Error | None = None

    def begin(self, max_tokens: int | None) -> None:
        """Gives a text that has not begun its budget; one that has begun keeps what it has.

        So a text gets it that comes after reasoning, once it is known how much that has left. If
        that is too little for any valid text, there is no budget.

        Args:
            max_tokens: The budget; None is none.
        """
        if self.matcher.token_count or max_tokens == self._max_tokens:
            return
        self._max_tokens = max_tokens
        try:
            bound = None if max_tokens is None else max(max_tokens, 0)
            self.matcher = self._compiled.matcher(max_tokens=bound)
        except Error as error:
            self._log.warning("no valid text is as short as what reasoning has left: %s", error)
            self.matcher = self._compiled.matcher()

    def accept(self, token: int, where: str = "a token") -> bool:
        """Goes on with a token. If it may not come, the answer is False and nothing has changed.

        Args:
            token: Any number; those that are no token may not come.
            where: What is accepted, for the log.
        """
        if not 0 <= token < self._vocabulary.size:
            return False
        try:
            return self.matcher.accept(token)
        except Error as error:
            self._failed(where, error)
            return False

    def fill_mask(self, bitmask: Any, row: int) -> None:
        """Writes which tokens may come next.

        If that takes too much work, it is one token alone, which `accept` refuses.

        Args:
            bitmask: int32 on the CPU, of shape `(rows, ceil(vocab_size / 32))`.
            row: The row to write.
        """
        try:
            self.matcher.fill_mask(bitmask, row)
        except Error as error:
            self._failed("no mask, so the request ends", error)
            token = self._refused_token()
            bitmask[row] = 0
            # The highest bit is the sign.
            bit = 1 << token % WORD_BITS
            bitmask[row, token // WORD_BITS] = bit - (bit >> 31 << 32)

    def _failed(self, where: str, error: Error) -> None:
        self.failure = error
        self._log.error("%s: %s", where, error)

    def _refused_token(self) -> int:
        """A token that may not come. No stop token: servers look for those first, and a text that
        is cut there would pass for one that has ended."""
        size: int = self._vocabulary.size
        stops = set(self._vocabulary.stop_token_ids)
        for token in range(size):
            if token not in stops:
                if not self.accept(token):
                    return token
                self.matcher.rollback(1)
        return size - 1
