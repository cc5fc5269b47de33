"""Masks of one text on a model's scores: what they take is told, and whether a budget had a say."""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from schemask._native import Matcher
from schemask.core.generation import is_wish
from schemask.core.mask_step import MaskObserver, Scored, mask_step
from schemask.core.masking import WORD_BITS, allocate_mask, apply_mask

Logits: TypeAlias = npt.NDArray[np.float32]


class MaskedScores:
    """Puts the masks of one text on scores.

    Args:
        matcher: Where the text stands.
        vocab_size: Of its vocabulary.
        margin: By how much a token's score may lie below the best one for it to be chosen: 0 where
            decoding is greedy, inf where any token can be drawn.
        on_mask: Called with each mask's `MaskStep`.
    """

    def __init__(
        self, matcher: Matcher, vocab_size: int, margin: float, on_mask: MaskObserver | None
    ) -> None:
        self._matcher = matcher
        self._margin = margin
        self._on_mask = on_mask
        self._unaffordable = allocate_mask(1, vocab_size)
        self._cut_at: int | None = None

    @property
    def is_cut(self) -> bool:
        """Whether the budget forbade a token that might have been chosen."""
        return self._cut_at is not None

    def apply(self, scores: Logits, bitmask: npt.NDArray[np.int32], position: int) -> None:
        """Sets what is forbidden to -inf.

        Args:
            scores: Logits of shape (width,), changed in place.
            bitmask: The mask where the text stands, of shape (words,).
            position: How many tokens were generated before.

        Raises:
            MaskError: The mask is narrower than the logits.
            LimitError: To find what the budget forbids takes too much work.
        """
        wish = self._best_unaffordable(scores)
        before = None if self._on_mask is None else Scored.of(scores)
        apply_mask(scores, bitmask)
        if self._on_mask is not None and before is not None:
            self._on_mask(mask_step(position, before, Scored.of(scores)))
        if wish > -math.inf and is_wish(wish, float(scores.max()), self._margin):
            self._cut_at = position

    def budget_forbids(self) -> bool:
        """Whether the budget forbids anything where the text stands.

        Raises:
            LimitError: To find that out takes too much work.
        """
        return self._matcher.fill_unaffordable(self._unaffordable)

    def go_back(self, position: int) -> None:
        """Forgets what was told of tokens from `position` on."""
        if self._cut_at is not None and self._cut_at >= position:
            self._cut_at = None

    def _best_unaffordable(self, scores: Logits) -> float:
        """The best score of the tokens that the budget alone forbids; -inf if there are none."""
        if self.is_cut or not self.budget_forbids():
            return -math.inf
        masked = scores.copy()
        apply_mask(masked, self._unaffordable[0])
        return float(masked.max())


class StopTokens:
    """Tells where a mask leaves nothing but stop tokens.

    Args:
        stop_token_ids: Their ids.
        vocab_size: Of their vocabulary.
    """

    def __init__(self, stop_token_ids: list[int], vocab_size: int) -> None:
        self._others = np.full(-(-vocab_size // WORD_BITS), -1, dtype=np.int32)
        for token_id in stop_token_ids:
            bit = np.uint32(1 << token_id % WORD_BITS)
            self._others.view(np.uint32)[token_id // WORD_BITS] &= ~bit

    def are_all(self, bitmask: npt.NDArray[np.int32]) -> bool:
        """Whether a mask, of shape (words,), allows nothing else."""
        return not np.any(bitmask & self._others)
