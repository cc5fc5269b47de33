"""What a mask takes from a model at one token: how much of the probability, and its first choice.

Plug-ins hand a `MaskStep` to whoever wants to see where a model would have written something else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class MaskStep:
    """One token that was chosen under a mask. Tokens that a grammar forces have no step.

    Attributes:
        position: How many tokens were generated before it.
        masked_mass: The share of the probability, at temperature 1, that the model puts on tokens
            which the mask forbids; from 0 to 1.
        wanted: The likeliest token without the mask.
        best: The likeliest token that the mask allows; another one than `wanted` if the mask
            forbids that.
    """

    position: int
    masked_mass: float
    wanted: int
    best: int

    @property
    def is_overruled(self) -> bool:
        """Whether the mask forbids what the model would have written."""
        return self.wanted != self.best


MaskObserver: TypeAlias = Callable[[MaskStep], None]


class Scored(NamedTuple):
    """What scores say as a whole: the logarithm of their sum as probabilities, and the best."""

    total: float
    best: int

    @classmethod
    def of(cls, scores: npt.NDArray[Any]) -> Scored:
        """Of one row of logits, of which some may be -inf."""
        best = int(np.argmax(scores))
        highest = float(scores[best])
        summed = np.exp(scores - scores[best], dtype=np.float64).sum()
        return cls(highest + float(np.log(summed)), best)


def mask_step(position: int, before: Scored, after: Scored) -> MaskStep:
    """The step from scores to masked scores."""
    left = float(np.exp(after.total - before.total))
    return MaskStep(position, min(max(1.0 - left, 0.0), 1.0), before.best, after.best)
