"""What masks take: they are made, and somebody is told of the time."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from schemask._native import Matcher, fill_masks

MasksObserver: TypeAlias = Callable[[int, float], None]
"""Called in each pass of a model with the number of masks that were made for it, and the seconds
that they took together. It must not raise."""


def fill_masks_timed(
    matchers: Sequence[Matcher], bitmask: npt.NDArray[np.int32], on_masks: MasksObserver | None
) -> None:
    """Makes the masks of one pass of a model.

    Args:
        matchers: Where the texts stand.
        bitmask: Of shape (texts, words); a row for each of them.
        on_masks: Is told, unless there are no texts.

    Raises:
        LimitError: A mask takes too much work.
    """
    started = time.perf_counter()
    fill_masks(matchers, bitmask)
    if on_masks is not None and matchers:
        on_masks(len(matchers), time.perf_counter() - started)
