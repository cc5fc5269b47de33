"""The grammar of one request, as SGLang's scheduler follows it."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from sglang.srt.constrained.base_grammar_backend import BaseGrammarObject, GrammarStats

from schemask._native import CompiledGrammar, fill_masks
from schemask.core.served import ServedText
from schemask.errors import Error, TokenError
from schemask.sglang import masks

log = logging.getLogger("sglang.schemask")


class SchemaskGrammar(BaseGrammarObject):  # type: ignore[misc]
    """One request: follows its text, and says which tokens may come next.

    Nothing that goes wrong here raises where it would end the scheduler. A mask that takes too much
    work allows one token alone, which `accept_token` refuses, and then SGLang aborts the request.

    Args:
        compiled: The grammar, compiled for the vocabulary of the model.
        kind: Which of SGLang's constraints it is.

    Attributes:
        proposing: Whether the tokens that come are those of a draft, which are all taken back: one
            that may not come is no error then.
    """

    allocate_vocab_mask = staticmethod(masks.allocate_vocab_mask)
    reset_vocab_mask = staticmethod(masks.reset_vocab_mask)
    move_vocab_mask = staticmethod(masks.move_vocab_mask)
    apply_vocab_mask = staticmethod(masks.apply_vocab_mask)

    def __init__(self, compiled: CompiledGrammar, kind: str) -> None:
        super().__init__()
        self._compiled = compiled
        self._text = ServedText(compiled, log)
        # Tokens after the end of the text, and those of a draft from one on that may not come.
        self._beyond = 0
        self._room: int | None = None
        self.proposing = False
        self.grammar_stats = GrammarStats(dispatch_type=kind)

    def bound(self, max_tokens: int) -> None:
        """Starts the text again, with a budget: it is finished and valid within it.

        Args:
            max_tokens: How many tokens the request may write.

        Raises:
            LimitError: No valid text is so short.
        """
        self._text = ServedText(self._compiled, log, max_tokens)

    def bound_after_reasoning(self, max_tokens: int) -> None:
        """Has the text begin with what reasoning leaves of a budget; `begin` says how much.

        Args:
            max_tokens: How many tokens the request may write.
        """
        self._room = max_tokens

    def begin(self, before: int) -> None:
        """Says where the text begins, which gives it a budget; nothing changes if it has begun.

        Args:
            before: How many tokens the request has written before the text.
        """
        if self._room is not None:
            self._text.begin(self._room - before)

    def accept_token(self, token: int) -> None:
        """Goes on with a token. After the end of the text, tokens are only counted, as in SGLang's
        own backends.

        Args:
            token: The token.

        Raises:
            TokenError: It may not come; nothing has changed. SGLang aborts the request.
        """
        if self._beyond or self.is_terminated():
            self._beyond += 1
        elif self._text.accept(token):
            self.current_token = token
        elif self.proposing:
            self._beyond = 1
        else:
            reason = self._text.failure or "the grammar does not take it"
            raise TokenError(f"token {token} after {self._text.matcher.token_count}: {reason}")

    def rollback(self, k: int) -> None:
        """Takes back the last tokens.

        Args:
            k: How many.

        Raises:
            TokenError: Fewer have been accepted.
        """
        beyond = min(k, self._beyond)
        self._text.matcher.rollback(k - beyond)
        self._beyond -= beyond

    def is_terminated(self) -> bool:
        """Whether a stop token has ended the text."""
        return self._text.matcher.is_terminated

    def fill_vocab_mask(self, vocab_mask: torch.Tensor, idx: int) -> None:
        """Writes which tokens may come next.

        Args:
            vocab_mask: int32 on the CPU, of shape `(rows, ceil(vocab_size / 32))`.
            idx: The row.
        """
        self._text.fill_mask(vocab_mask, idx)

    @staticmethod
    def fill_vocab_mask_batched(entries: Sequence[Any], vocab_mask: torch.Tensor) -> None:
        """Writes the rows of several requests, on all processors; other rows stay as they are.

        Args:
            entries: SGLang's `GrammarRow`s, of rows and their grammars.
            vocab_mask: int32 on the CPU, of shape `(rows, ceil(vocab_size / 32))`.
        """
        if len(entries) > 1 and all(
            isinstance(entry.grammar, SchemaskGrammar) for entry in entries
        ):
            filled = np.empty((len(entries), vocab_mask.shape[-1]), dtype=np.int32)
            try:
                fill_masks([entry.grammar._text.matcher for entry in entries], filled)
            except Error:
                pass  # one of them takes too much work: which, is seen where each has its turn
            else:
                vocab_mask[[entry.row for entry in entries]] = torch.from_numpy(filled)
                return
        BaseGrammarObject.fill_vocab_mask_batched(entries, vocab_mask)

    def copy(self) -> SchemaskGrammar:
        """Another request of the same grammar, at the start of its text."""
        made = SchemaskGrammar(self._compiled, self.grammar_stats.dispatch_type)
        made.grammar_stats = dataclasses.replace(
            self.grammar_stats, is_cache_hit=True, tree_traversal_time=[]
        )
        return made

    def try_jump_forward(self, tokenizer: Any) -> tuple[list[int], str] | None:
        """The text that must come next, as far as there is no choice; None if there is one.

        Args:
            tokenizer: The tokenizer, which is not needed.

        Returns:
            No tokens, as the text may be divided otherwise with what stands before it; and the
            text.
        """
        matcher, vocabulary = self._text.matcher, self._compiled.vocabulary
        try:
            tokens = matcher.forced_tokens()
        except Error as error:
            log.warning("no jump forward: %s", error)
            return None
        forced = b""
        for token in tokens:
            if token in vocabulary.special_token_ids:
                break  # it is no text
            forced += vocabulary.token(token)
        text = forced.decode(errors="ignore")  # but for a character that is not whole
        return ([], text) if text else None

    def jump_forward_str_state(self, helper: tuple[list[int], str]) -> tuple[str, int]:
        """What `try_jump_forward` has found: the text, and the number of no state.

        Args:
            helper: What it returned.
        """
        return helper[1], -1

    def jump_and_retokenize(
        self, old_output_ids: Sequence[int], new_output_ids: Sequence[int], next_state: int
    ) -> None:
        """Goes on as if other tokens had come.

        Args:
            old_output_ids: The tokens so far.
            new_output_ids: Those in their place: the same text and what follows it.
            next_state: Not needed.

        Raises:
            TokenError: One of them may not come; nothing has changed.
        """
        pairs = zip(old_output_ids, new_output_ids, strict=False)
        same = next((at for at, (old, new) in enumerate(pairs) if old != new), None)
        if same is None:
            same = min(len(old_output_ids), len(new_output_ids))
        matcher = self._text.matcher.clone()
        matcher.rollback(len(old_output_ids) - same)
        for token in new_output_ids[same:]:
            if not matcher.accept(token):
                raise TokenError(f"token {token} may not come in the place of {old_output_ids}")
        self._text.matcher = matcher

    def __repr__(self) -> str:
        kind, count = self.grammar_stats.dispatch_type, self._text.matcher.token_count
        return f"<SchemaskGrammar of {kind}, after {count} tokens: {self._compiled.grammar!r}>"
