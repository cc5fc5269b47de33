"""How sure a rate is."""

from __future__ import annotations

import math
from typing import NamedTuple

Z_95 = 1.959963984540054
"""The 97.5% quantile of the normal distribution."""


class Rate(NamedTuple):
    """A share of successes, with the interval that holds the true one in 95 of 100 cases.

    Attributes:
        successes: How many.
        total: Of how many.
        low: The lower end of Wilson's interval, from 0 to 1.
        high: The upper end.
    """

    successes: int
    total: int
    low: float
    high: float

    @property
    def value(self) -> float:
        """The share; NaN of none."""
        return self.successes / self.total if self.total else math.nan

    def __str__(self) -> str:
        if not self.total:
            return "-"
        return f"{100 * self.value:.1f}% ({100 * self.low:.1f} to {100 * self.high:.1f})"


def rate(successes: int, total: int) -> Rate:
    """A share with Wilson's score interval, at 95%.

    Args:
        successes: How many.
        total: Of how many; of none, the interval is all there is.
    """
    if not total:
        return Rate(0, 0, 0.0, 1.0)
    share, square = successes / total, Z_95 * Z_95
    middle = share + square / (2 * total)
    spread = Z_95 * math.sqrt(share * (1 - share) / total + square / (4 * total * total))
    scale = 1 + square / total
    low = 0.0 if successes == 0 else (middle - spread) / scale
    high = 1.0 if successes == total else (middle + spread) / scale
    return Rate(successes, total, low, high)
