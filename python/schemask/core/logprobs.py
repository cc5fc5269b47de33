"""How likely a model found each token that it wrote, and what else it might have written there.

Models hand a `TokenLogprobs` to whoever wants to see them, token by token.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class TokenLogprobs:
    """One token that became part of a text, and how likely it was.

    Probabilities are those of the model at temperature 1, after the mask of the grammar and before
    cuts such as top-p: what is allowed has a probability of 1 together. A token that the grammar
    forces is not chosen, so that its probability is 1.

    Attributes:
        token_id: The token.
        logprob: The natural logarithm of its probability, at most 0; 0.0 for a token that is
            forced.
        top: The likeliest tokens and their logarithms, the likeliest first: as many as were asked
            for, without those that the grammar forbids; for a token that is forced, itself alone.
    """

    token_id: int
    logprob: float
    top: tuple[tuple[int, float], ...]


TokenObserver: TypeAlias = Callable[[TokenLogprobs], None]
"""Called for each token that becomes part of a text, in order; a stop token is no part of it."""


def token_logprobs(token_id: int, scores: npt.NDArray[Any], top: int) -> TokenLogprobs:
    """What is told of a token that was chosen.

    Args:
        token_id: The token.
        scores: One row of logits, `(width,)`, of which those that the grammar forbids are -inf.
        top: How many of the likeliest tokens are told.
    """
    highest = float(scores.max())
    total = highest + float(np.log(np.exp(scores - highest, dtype=np.float64).sum()))
    likeliest: list[int] = []
    if top > 0:
        count = min(top, len(scores))
        found = np.argpartition(scores, len(scores) - count)[len(scores) - count :]
        # Of equally likely tokens the lower id comes first, as greedy decoding takes it.
        likeliest = [int(token) for token in found[np.lexsort((found, -scores[found]))]]
    return TokenLogprobs(
        token_id,
        min(float(scores[token_id]) - total, 0.0),
        tuple(
            (token, min(float(scores[token]) - total, 0.0))
            for token in likeliest
            if scores[token] > -np.inf
        ),
    )


def forced_logprobs(token_id: int, top: int) -> TokenLogprobs:
    """What is told of a token that the grammar forces.

    Args:
        token_id: The token.
        top: How many of the likeliest tokens are told: of the one that there is.
    """
    return TokenLogprobs(token_id, 0.0, ((token_id, 0.0),) if top > 0 else ())
