"""The text of one generation, as a framework tells of it: by all of its tokens, again and again."""

from __future__ import annotations

from collections.abc import Callable

from schemask._native import CompiledGrammar
from schemask.core.generation import accept_forced, refusal


class FollowedText:
    """The tokens of one text, which a matcher follows wherever they go.

    Args:
        compiled: The grammar, compiled for the vocabulary of the model.
        max_tokens: A budget: the text is finished and valid within it.

    Attributes:
        vocabulary: The vocabulary of the grammar.
        matcher: Where the text stands.
        token_ids: Its tokens; after a stop token there may be more stop tokens.

    Raises:
        LimitError: No valid text is so short.
    """

    def __init__(self, compiled: CompiledGrammar, max_tokens: int | None) -> None:
        self.vocabulary = compiled.vocabulary
        self.matcher = compiled.matcher(max_tokens=max_tokens)
        self.token_ids: list[int] = []

    def become(self, token_ids: list[int]) -> int | None:
        """Goes back to what the text has in common with another one, and on to that.

        Returns:
            How many tokens are left of those before, if some were taken back.

        Raises:
            GenerationError: The grammar does not allow a token.
            LimitError: A token takes too much work.
        """
        shared = before = len(self.token_ids)
        if token_ids[:before] != self.token_ids:
            pairs = zip(self.token_ids, token_ids, strict=False)
            differing = (at for at, (ours, theirs) in enumerate(pairs) if ours != theirs)
            shared = next(differing, len(token_ids))
            self.matcher.rollback(max(0, self.matcher.token_count - shared))
            del self.token_ids[shared:]
        for token_id in token_ids[shared:]:
            self.accept(token_id)
        return shared if shared < before else None

    def accept(self, token_id: int) -> None:
        """Goes on with a token; if the grammar does not allow it, nothing has changed.

        Raises:
            GenerationError: The grammar does not allow it.
            LimitError: It takes too much work.
        """
        if self.matcher.is_terminated:
            # A framework may ask for the next token before it looks at this one.
            is_allowed = token_id in self.vocabulary.stop_token_ids
        else:
            is_known = 0 <= token_id < self.vocabulary.size
            is_allowed = is_known and self.matcher.accept(token_id)
        if not is_allowed:
            tokens = [*self.token_ids, token_id]
            raise refusal(self.vocabulary, tokens, len(self.token_ids))
        self.token_ids.append(token_id)

    def extend(self, chosen: int, tokenize: Callable[[bytes], list[int]]) -> list[int]:
        """Goes on with a token, and with what is forced after it.

        Args:
            chosen: The token.
            tokenize: The model's own tokenizer; see `accept_forced`.

        Returns:
            All of these tokens.

        Raises:
            GenerationError: The grammar does not allow the chosen token.
            LimitError: To find the forced text takes too much work.
        """
        self.accept(chosen)
        forced = accept_forced(self.matcher, self.vocabulary, tokenize)
        self.token_ids += forced
        return [chosen, *forced]
